//! What `runner plugin new` writes: the examples of `plugins/`, renamed.

use std::fs;
use std::path::Path;

use crate::error::RunnerError;

/// A file of a template: where it goes, and its text.
type File = (&'static str, &'static str);

const CONTRACT: File = ("wit/plugin.wit", include_str!("../../plugins/wit/plugin.wit"));

const SCENARIO: File = ("scenario.ron", include_str!("../../plugins/templates/scenario.ron"));

/// A detector in Rust.
pub(crate) const RUST: &[File] = &[
    ("README.md", include_str!("../../plugins/templates/README-rust.md")),
    ("Cargo.toml", include_str!("../../plugins/robust-zscore/Cargo.toml")),
    (".cargo/config.toml", include_str!("../../plugins/templates/cargo-config.toml")),
    ("src/lib.rs", include_str!("../../plugins/robust-zscore/src/lib.rs")),
    ("src/robust_zscore.rs", include_str!("../../plugins/robust-zscore/src/robust_zscore.rs")),
    ("src/quad.rs", include_str!("../../plugins/robust-zscore/src/quad.rs")),
    CONTRACT,
    SCENARIO,
];

/// A detector in C.
pub(crate) const C: &[File] = &[
    ("README.md", include_str!("../../plugins/templates/README-c.md")),
    ("PLUGIN.c", include_str!("../../plugins/ewma/ewma.c")),
    ("phalanx_plugin.h", include_str!("../../plugins/ewma/phalanx_plugin.h")),
    ("build.sh", include_str!("../../plugins/ewma/build.sh")),
    SCENARIO,
];

/// A detector in AssemblyScript.
pub(crate) const ASSEMBLYSCRIPT: &[File] = &[
    ("README.md", include_str!("../../plugins/templates/README-assemblyscript.md")),
    ("package.json", include_str!("../../plugins/templates/package.json")),
    ("detector.ts", include_str!("../../plugins/templates/assemblyscript/detector.ts")),
    ("phalanx.ts", include_str!("../../plugins/reputation/phalanx.ts")),
    SCENARIO,
];

/// A detector in Python.
pub(crate) const PYTHON: &[File] = &[
    ("README.md", include_str!("../../plugins/templates/README-python.md")),
    ("app.py", include_str!("../../plugins/rules/app.py")),
    ("build.sh", include_str!("../../plugins/rules/build.sh")),
    CONTRACT,
    // Rules that find something.
    ("scenario.ron", include_str!("../../plugins/templates/scenario-python.ron")),
];

/// Writes a template into a new folder.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn write(folder: &Path, name: &str, files: &[File]) -> Result<(), RunnerError> {
    for (path, text) in files {
        let file = folder.join(path.replace("PLUGIN", name));
        let parent = file.parent().expect("a file lies in its folder");
        fs::create_dir_all(parent).map_err(RunnerError::io("create", parent))?;
        let text = if *path == CONTRACT.0 { (*text).to_owned() } else { renamed(text, name) };
        fs::write(&file, text).map_err(RunnerError::io("write", &file))?;
        make_executable(&file)?;
    }
    Ok(())
}

/// The text of an example with its name replaced. Names of functions and of papers stay.
fn renamed(text: &str, name: &str) -> String {
    let crate_name = name.replace('-', "_");
    text.replace("PLUGIN", name)
        .replace("CRATE", &crate_name)
        .replace("robust-zscore", name)
        .replace("\"rules\", version", &format!("\"{name}\", version"))
        .replace("rules.wasm", &format!("{name}.wasm"))
        .replace("phalanx_literal(\"ewma\")", &format!("phalanx_literal(\"{name}\")"))
        .replace("ewma.c", &format!("{name}.c"))
        .replace("path: \"../wit\"", "path: \"wit\"")
}

#[cfg(unix)]
fn make_executable(file: &Path) -> Result<(), RunnerError> {
    use std::os::unix::fs::PermissionsExt;
    if file.extension().is_some_and(|ending| ending == "sh") {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(file, mode).map_err(RunnerError::io("make executable", file))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<(), RunnerError> {
    Ok(())
}
