//! A folder to work in and the runner to run there.

// Every test file uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, str};

use tempfile::TempDir;

/// A small scenario in which something happens.
pub(crate) const SMALL: &str = "(agents: 6, ticks: 8, traffic: Synthetic(flows: 8), \
                         detector: IsolationForest(trees: 20, sample: 64), \
                         model: (warm_up_flows: 64, window_flows: 64), \
                         campaigns: [(kind: PortScan, start: 1), (kind: Worm, start: 2)])";

/// A folder of its own.
pub(crate) struct Bench {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What the runner said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), environment: Vec::new() }
    }

    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs the runner in the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("the runner starts");
        Said::from(&output)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner"));
        command.current_dir(self.folder.path()).args(arguments).env_remove("NO_COLOR");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PHALANX_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The runner as somebody who may not write everywhere, as root may; `None`, and a line that says so, where only root
    /// may become another user.
    #[cfg(unix)]
    pub(crate) fn run_as_nobody(&self, arguments: &[&str]) -> Option<Said> {
        let runner = self.command(arguments);
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(runner.get_program())
            .args(arguments)
            .current_dir(self.path("."))
            .output();
        let said =
            output.ok().map(|output| Said::from(&output)).filter(|said| !said.stderr.starts_with("setpriv:"));
        if said.is_none() {
            eprintln!("SKIPPED: only root may become another user, with `setpriv`");
        }
        said
    }

    /// Files and folders, to any depth, by path.
    pub(crate) fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, base: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(folder).expect("a folder").map(Result::unwrap) {
                let path = entry.path();
                found.push(path.strip_prefix(base).unwrap().display().to_string());
                if path.is_dir() {
                    walk(&path, base, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut found);
        found.sort();
        found
    }
}

impl Said {
    pub(crate) fn from(output: &Output) -> Self {
        let text = |bytes: &[u8]| str::from_utf8(bytes).expect("the runner speaks UTF-8").to_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// Fails the test unless it ended with `code`.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}
