//! The one step that no check can make safe: running compiled code that comes from a file.

use wasmtime::component::Component;

use crate::cache::Vouched;
use crate::engine::PluginEngine;

/// A component of compiled code that [`CodeCache`](crate::CodeCache) vouches for; `None` if wasmtime refuses it.
#[allow(unsafe_code)]
pub(crate) fn component(engine: &PluginEngine, code: &Vouched) -> Option<Component> {
    // SAFETY: wasmtime wants bytes that `Component::serialize` of the same version gave, since it hardly looks at them.
    // Checked, before a `Vouched` exists: nobody else can write to the folder or to any folder above it; the file is a
    // regular one, ours, and not writable by others; its length is what its header says and bounded; the SHA-256 of the
    // code is the one in the header; and the key in the header is the one computed for this engine, which covers the
    // plugin's SHA-256, wasmtime's version, `precompile_compatibility_hash` (compiler flags, processor, features), NaN
    // mode and code mode. The bytes are in our memory since before they were hashed, so no one changes them after that.
    // Trusted: that the header's hash, which is no secret, was written by this program. Whoever could forge it can write
    // to our own files and so could replace this program; so could root.
    unsafe { Component::deserialize(&engine.engine, code.bytes()) }.ok()
}
