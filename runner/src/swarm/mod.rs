//! Random scenarios over all options and faults, checked by what must hold of every run.

mod draw;
mod invariant;
mod plugins;

use std::panic::{AssertUnwindSafe, catch_unwind};

use phalanx_sim::scenario::Scenario;

pub use draw::scenario;
pub use invariant::Broken;

use crate::run::text_of;

/// A case that broke an invariant.
#[derive(Debug)]
pub struct Failure {
    /// The number that the scenario follows from.
    pub case: u64,
    /// Its scenario.
    pub scenario: Box<Scenario>,
    /// What broke.
    pub broken: Broken,
}

/// Draws the scenario of a case and checks its runs. A panic is a broken invariant too.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(case: u64) -> Result<(), Failure> {
    let scenario = scenario(case);
    let checked = catch_unwind(AssertUnwindSafe(|| invariant::check(&scenario)));
    let broken = match checked {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(broken)) => broken,
        Err(panic) => Broken::Panicked(text_of(&*panic)),
    };
    Err(Failure { case, scenario: Box::new(scenario), broken })
}
