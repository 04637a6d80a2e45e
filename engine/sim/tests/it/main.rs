//! What a user of the simulation relies on, in one binary so that it links once.

mod classic;
mod collective;
mod detectors;
mod determinism;
mod gossip;
mod harness;
mod network;
mod sharing;
mod truth;
