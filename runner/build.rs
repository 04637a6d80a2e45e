//! Tells the binary what built it: compiler, target and commit, for the manifest of an output folder.

use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    tell("RUNNER_BUILD_RUSTC", answer(&rustc, &["--version"]));
    tell("RUNNER_BUILD_TARGET", std::env::var("TARGET").ok());
    tell("RUNNER_BUILD_COMMIT", answer("git", &["rev-parse", "HEAD"]));
    println!("cargo::rerun-if-changed=build.rs");
    // In a worktree `.git` is no folder, but names one.
    let folder = answer("git", &["rev-parse", "--absolute-git-dir"]).unwrap_or_default();
    // A path that is missing would run this script at every build.
    for file in ["HEAD", "logs/HEAD"].map(|name| Path::new(&folder).join(name)).iter().filter(|f| f.exists())
    {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}

fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn tell(name: &str, value: Option<String>) {
    if let Some(value) = value {
        println!("cargo::rustc-env={name}={value}");
    }
}
