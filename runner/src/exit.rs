//! The exit codes, one table for the program and its `--help`.

use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything went well.
    Ok,
    /// The tool failed: the disk is full, a thread did not start.
    Tool,
    /// Wrong usage, or a scenario or data file that cannot be used. Nothing was written.
    BadInput,
    /// Finished, but some run failed.
    RunFailed,
    /// A golden, ledger or fingerprint is not what it should be.
    Mismatch,
    /// Interrupted by Ctrl-C.
    Interrupted,
}

/// The table as `--help` shows it.
pub const TABLE: &str = "\
Exit codes:
    0  ok
    1  tool failure (disk, threads)
    2  usage or bad input (scenario, capture); nothing was written
    3  finished, but some run failed
    4  golden, verify, ledger or fingerprint mismatch
  130  interrupted; `runner resume` goes on";

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Tool => 1,
            Self::BadInput => 2,
            Self::RunFailed => 3,
            Self::Mismatch => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_code() {
        let all = [Exit::Ok, Exit::Tool, Exit::BadInput, Exit::RunFailed, Exit::Mismatch, Exit::Interrupted];
        let in_table: Vec<u8> = TABLE
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(in_table, all.map(Exit::code));
    }
}
