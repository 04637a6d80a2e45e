//! What a user of the simulation relies on, in one binary so that it links once.

mod campaigns;
mod checkpoints;
mod classic;
mod collective;
mod detectors;
mod determinism;
mod evasion;
mod gossip;
mod harness;
mod looks;
mod memory;
mod network;
mod sharing;
mod truth;
