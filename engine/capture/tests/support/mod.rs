//! Where the shared data sets are.

use std::path::PathBuf;

/// A shared file, or `None` with a plain word if this machine does not have it.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PHALANX_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {}; set PHALANX_DATA to the folder of the shared data", path.display());
    None
}
