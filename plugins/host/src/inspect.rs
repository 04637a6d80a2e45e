//! What a component shows from outside, without running it.

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, types::ComponentItem};

use crate::contract::{Kind, PACKAGE, VERSION};
use crate::engine::PluginEngine;
use crate::limits::Limits;
use crate::plugin::{About, LoadError, Plugin, compile, hex};

/// Names of what a component takes and gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

/// What can be said of a file by looking at it, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What the plugin says of itself, or why it cannot be loaded.
    pub about: Result<About, LoadError>,
    /// Bytes of the file.
    pub bytes: usize,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The interface of the contract that it exports.
    pub interface: Option<String>,
    /// Whether this host speaks that interface's version.
    pub supported: bool,
    /// What it imports; a plugin imports nothing.
    pub imports: Vec<String>,
    /// What it exports, interfaces with their functions and types.
    pub exports: Vec<String>,
}

/// Looks at a component's outside, and asks it to describe itself.
///
/// # Errors
/// If the bytes are not a component.
pub fn inspect(engine: &PluginEngine, bytes: &[u8]) -> Result<Inspection, LoadError> {
    let sha256 = Sha256::digest(bytes).into();
    let component = compile(engine, bytes, &sha256)?;
    let plugin = Plugin::of(engine, &component, sha256, bytes.len(), Limits::default());
    let surface = surface(engine, &component);
    let interface = surface.exports.iter().find(|export| export.starts_with(&format!("{PACKAGE}/"))).cloned();
    let supported = interface.as_ref().is_some_and(|interface| {
        let line = VERSION.rsplit_once('.').expect("a version has dots").0;
        Kind::ALL.iter().any(|kind| interface.starts_with(&format!("{PACKAGE}/{}@{line}.", kind.name())))
    });
    Ok(Inspection {
        about: plugin.map(|plugin| plugin.about().clone()),
        bytes: bytes.len(),
        sha256: hex(&sha256),
        interface,
        supported,
        imports: surface.imports,
        exports: details(engine, &component),
    })
}

pub(crate) fn surface(engine: &PluginEngine, component: &Component) -> Surface {
    let ty = component.component_type();
    Surface {
        imports: ty.imports(&engine.engine).map(|(name, _)| name.to_owned()).collect(),
        exports: ty.exports(&engine.engine).map(|(name, _)| name.to_owned()).collect(),
    }
}

fn details(engine: &PluginEngine, component: &Component) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, item) in component.component_type().exports(&engine.engine) {
        lines.push(format!("{} {name}", noun(&item.ty)));
        if let ComponentItem::ComponentInstance(instance) = &item.ty {
            lines.extend(
                instance.exports(&engine.engine).map(|(name, item)| format!("  {} {name}", noun(&item.ty))),
            );
        }
    }
    lines
}

fn noun(item: &ComponentItem) -> &'static str {
    match item {
        ComponentItem::ComponentFunc(_) | ComponentItem::CoreFunc(_) => "function",
        ComponentItem::Module(_) => "module",
        ComponentItem::Component(_) => "component",
        ComponentItem::ComponentInstance(_) => "interface",
        ComponentItem::Type(_) => "type",
        ComponentItem::Resource(_) => "resource",
    }
}
