//! Declares the flag that cargo-fuzz sets, so that every other `cfg` is still checked for typing errors.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
}
