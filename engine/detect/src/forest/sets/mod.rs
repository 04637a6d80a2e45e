//! Rows as bits of sets: each cut of a tree splits all rows that come to it with a few instructions.

pub(super) mod batch;
mod column;
mod rows;
mod sample;
mod vectors;
pub(super) mod window;
