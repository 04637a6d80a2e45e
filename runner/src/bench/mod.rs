//! The standard set of measurements: how fast this machine runs the engine, and beside a saved set, how much faster or
//! slower than before.
//!
//! Kernels are single pieces of work in processor time; worlds are whole simulations without output: processor time of an
//! agent-tick on one thread, the share of each phase, and what a second thread is worth on the clock; campaigns are what
//! many small runs cost beyond their simulations, and what two runs at once are worth.

mod campaigns;
mod figures;
mod kernels;
mod worlds;

pub use campaigns::{CAMPAIGNS, Replicates};
pub use figures::{BenchError, Figure, Figures, table};
pub use kernels::{KERNELS, Kernel};
pub use worlds::{Phases, WORLDS, World, million, phase_table};

use std::time::Duration;

use crate::evaluation::{cpu_time, median};

/// Processor time that a round of a kernel takes at least, so that the clock's grain does not show.
const ROUND: Duration = Duration::from_millis(40);

/// Nanoseconds a unit of work: median and best over rounds.
#[must_use]
pub fn measure_kernel(kernel: &Kernel, rounds: usize) -> Figure {
    let mut work = (kernel.prepare)();
    work();
    let taken: Vec<f64> = (0..rounds)
        .map(|_| {
            let (start, mut units) = (cpu_time(), 0);
            loop {
                units += work();
                let spent = cpu_time() - start;
                if spent >= ROUND {
                    return spent.as_secs_f64() * 1e9 / units as f64;
                }
            }
        })
        .collect();
    figure(kernel.name, &format!("ns/{}", kernel.unit), &taken)
}

fn figure(name: &str, unit: &str, taken: &[f64]) -> Figure {
    let best = taken.iter().copied().fold(f64::INFINITY, f64::min);
    Figure { name: name.to_owned(), unit: unit.to_owned(), median: median(taken), best }
}
