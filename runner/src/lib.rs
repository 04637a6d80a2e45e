//! The command line of Phalanx: scenario files in, runs, goldens and reports out.
//!
//! *It is* everything around the simulation that touches the world: it reads scenarios ([`scenario`]) and captures
//! ([`traffic`]), gives a run its seed ([`plan`]), drives [`phalanx_sim::Simulation`] tick by tick and feeds the
//! ledger ([`run`]), writes the output folder ([`output`]), and shows progress and results ([`progress`],
//! [`report`]). Beside simulations it compares detectors on files of labelled rows ([`evaluation`]). *It is not* part
//! of any result: clocks and terminals end here, and nothing they say reaches a file that is compared between runs.
//!
//! ```
//! use phalanx_runner::scenario::{Override, load};
//!
//! let folder = std::env::temp_dir().join("phalanx-runner-doc");
//! std::fs::create_dir_all(&folder)?;
//! let file = folder.join("small.ron");
//! std::fs::write(&file, "(agents: 4, consensus: (quorum: 0.6))")?;
//!
//! let loaded = load(&file, &[Override::from_flag("agents=9")?])?;
//! assert_eq!(loaded.scenario.agents.get(), 9);
//!
//! let mistake = load(&file, &[Override::from_flag("consensus.quorom=0.7")?]).unwrap_err();
//! assert_eq!(mistake.path(), "consensus.quorom");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod analysis;
pub mod batch;
pub mod bench;
pub mod bisect;
pub mod campaign;
pub mod chain;
pub mod cli;
pub mod commands;
pub mod document;
mod entries;
pub mod error;
pub mod evaluation;
pub mod exit;
pub mod golden;
pub mod ledger;
pub mod manifest;
pub mod output;
mod pin;
pub mod plan;
pub mod plugins;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod selftest;
pub mod series;
pub mod size;
pub mod statistics;
pub mod swarm;
pub mod table;
mod template;
pub mod terminal;
pub mod traffic;
