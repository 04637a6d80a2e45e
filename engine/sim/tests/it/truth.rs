//! Ground truth travels beside the data and is opened in `measure` (and its tally) alone.

use std::path::{Path, PathBuf};

#[test]
fn only_measure_reveals_truth() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut openers: Vec<String> = rust_files(&engine)
        .into_iter()
        .filter(|path| std::fs::read_to_string(path).unwrap().contains(".reveal()"))
        .map(|path| path.strip_prefix(&engine).unwrap().to_string_lossy().into_owned())
        .collect();
    openers.sort();
    assert_eq!(openers, ["sim/src/phase/measure.rs", "sim/src/tally.rs"]);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|n| n != "tests" && n != "benches") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}
