//! Closed forms and exact chains that rules and protocols have to reproduce.
//!
//! Tests and the self test compare measurements with these; nothing here is simulated.

pub mod averaging;
pub mod bft;
pub mod counts;
pub mod jury;
pub mod slush;
pub mod snow;
pub mod sprt;
pub mod trust;
