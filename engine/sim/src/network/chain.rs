//! Two-state Markov chains, one a subject, whose state at any tick is a function of (seed, subject, tick) alone.
//!
//! The state follows from the previous one and a uniform draw of the tick. Some draws lead to the same state whatever
//! came before; so the state at a tick is found by walking back to the latest such draw (coupling from the past, Propp
//! & Wilson 1996), without any history, and it is exactly stationary from the first tick on.

use phalanx_core::{Purpose, Stream, Streams, Tick};
use rayon::prelude::*;

/// Subjects that share a stream: their draws of a tick are what the generator makes at once.
const LANES: u32 = 32;

/// Probabilities of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    enter: f64,
    leave: f64,
}

impl Chain {
    /// A chain that goes from off to on with probability `enter` a tick, and back with `leave`.
    ///
    /// # Panics
    /// If one lies outside `[0, 1]`.
    #[must_use]
    pub fn new(enter: f64, leave: f64) -> Self {
        let possible = |p: f64| (0.0..=1.0).contains(&p);
        assert!(possible(enter) && possible(leave), "probabilities lie in [0, 1]");
        Self { enter, leave }
    }

    /// What is on for an exponential time of mean `on_ticks` and off for one of mean `off_ticks`, looked at once a tick.
    /// On for the share `on / (on + off)` of all ticks.
    ///
    /// # Panics
    /// If a mean is not positive.
    #[must_use]
    pub fn of_means(on_ticks: f64, off_ticks: f64) -> Self {
        assert!(on_ticks > 0.0 && off_ticks > 0.0, "mean times are positive");
        let share = on_ticks / (on_ticks + off_ticks);
        let changed = -libm::expm1(-(1.0 / on_ticks + 1.0 / off_ticks));
        Self::new(share * changed, (1.0 - share) * changed)
    }

    /// Share of ticks that are on. 0 for a chain that never changes.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.enter > 0.0 { self.enter / (self.enter + self.leave) } else { 0.0 }
    }

    fn step(self, on: bool, uniform: f64) -> bool {
        uniform < if on { 1.0 - self.leave } else { self.enter }
    }

    /// The state of `subject` at `tick`. Takes about `1 / (enter + leave)` draws.
    #[must_use]
    pub fn at(self, streams: &Streams, purpose: Purpose, subject: u32, tick: Tick) -> bool {
        let draw = |tick| {
            let mut lanes = streams.stream(purpose, subject / LANES, Tick(tick));
            (0..=subject % LANES).fold(0.0, |_, _| lanes.uniform())
        };
        // Below `low` the next state is on, from `high` on it is off, whatever it was. Between them it stays, or, where
        // changing is likelier than staying, changes.
        let stay = 1.0 - self.leave;
        let (low, high) = (self.enter.min(stay), self.enter.max(stay));
        let mut changed = false;
        for t in (1..=tick.0).rev() {
            let uniform = draw(t);
            if uniform < low || uniform >= high {
                return (uniform < low) != changed;
            }
            changed ^= self.enter > stay;
        }
        (draw(0) < self.share()) != changed
    }
}

/// The states of subjects `0..count`, a bit each, kept up tick by tick: what [`Chain::at`] says, at a draw a subject.
#[derive(Clone, Debug)]
pub struct States {
    chain: Chain,
    purpose: Purpose,
    tick: Option<Tick>,
    words: Vec<u32>,
}

impl States {
    /// Before the first tick.
    #[must_use]
    pub fn new(chain: Chain, purpose: Purpose, count: u32) -> Self {
        Self { chain, purpose, tick: None, words: vec![0; count.div_ceil(LANES) as usize] }
    }

    /// Goes to `tick`: from the tick before it by one step, from anywhere else by [`Chain::at`].
    pub fn go_to(&mut self, streams: &Streams, tick: Tick) {
        let Self { chain, purpose, .. } = *self;
        let earlier = self.tick.replace(tick);
        if earlier == Some(tick) {
            return;
        }
        let next_to = earlier.is_some_and(|earlier| earlier.after(1) == tick);
        self.words.par_iter_mut().with_min_len(64).enumerate().for_each(|(group, word)| {
            let group = group as u32;
            if !next_to && tick.0 > 0 {
                *word = gather(|lane| chain.at(streams, purpose, group * LANES + lane, tick));
                return;
            }
            let mut lanes: Stream = streams.stream(purpose, group, tick);
            let before = *word;
            *word = gather(|lane| match tick.0 {
                0 => lanes.uniform() < chain.share(),
                _ => chain.step(before >> lane & 1 == 1, lanes.uniform()),
            });
        });
    }

    /// Whether the subject is on.
    #[must_use]
    pub fn is_on(&self, subject: u32) -> bool {
        self.words[(subject / LANES) as usize] >> (subject % LANES) & 1 == 1
    }

    /// Bit i of word j is the state of subject 32·j + i.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}

fn gather(mut bit: impl FnMut(u32) -> bool) -> u32 {
    (0..LANES).fold(0, |word, lane| word | u32::from(bit(lane)) << lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_walks_back_agree() {
        let streams = Streams::from_seed(5);
        // Sticky, nearly fair, restless, never on, always on, and one that always changes.
        for (enter, leave) in [(0.02, 0.05), (0.4, 0.5), (0.9, 0.8), (0.0, 0.3), (0.3, 0.0), (1.0, 1.0)] {
            let chain = Chain::new(enter, leave);
            let mut states = States::new(chain, Purpose::Churn, 70);
            for tick in (0..60).map(Tick) {
                states.go_to(&streams, tick);
                for subject in 0..70 {
                    let walked = chain.at(&streams, Purpose::Churn, subject, tick);
                    assert_eq!(states.is_on(subject), walked, "{chain:?}, {subject} at {tick}");
                }
            }
            let mut resumed = States::new(chain, Purpose::Churn, 70);
            resumed.go_to(&streams, Tick(59));
            assert_eq!(resumed.words(), states.words(), "a resumed run needs no history");
        }
    }

    #[test]
    fn shares_and_persistence_are_those_of_the_chain() {
        let streams = Streams::from_seed(6);
        let chain = Chain::of_means(30.0, 10.0);
        assert!((chain.share() - 0.75).abs() < 1e-12);
        let mut states = States::new(chain, Purpose::Churn, 20_000);
        let count = |states: &States| states.words().iter().map(|w| w.count_ones()).sum::<u32>() / 2;
        let mut first = Vec::new();
        for tick in (0..=5).map(Tick) {
            states.go_to(&streams, tick);
            // 20,000 is a multiple of 32, so all bits are subjects. ±4·sqrt(20000·3/16) = 245.
            assert!(count(&states).abs_diff(7500) < 123, "{}", count(&states));
            if tick.0 == 0 {
                first = states.words().to_vec();
            }
        }
        // Correlation after t ticks is exp(-t/30 - t/10).
        let both: u32 = states.words().iter().zip(&first).map(|(a, b)| (a & b).count_ones()).sum();
        let expected = 20_000.0 * (0.75 * 0.75 + 0.75 * 0.25 * libm::exp(-5.0 * (1.0 / 30.0 + 0.1)));
        assert!((f64::from(both) - expected).abs() < 4.0 * 65.0, "{both} against {expected}");
    }
}
