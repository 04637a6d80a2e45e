//! A world for protocols: some participants lie, are cut off or down, and messages are lost.

use phalanx_core::Stream;

use super::stream;
use crate::{Exchange, Letter, Said};

/// What a liar says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    Silent,
    /// Always this, also where it should keep silent.
    Always(bool),
    /// The opposite.
    Flip,
    /// Yes to even numbers and no to odd ones, also where it should keep silent.
    Equivocate,
    /// Anything.
    Random,
}

/// Participants `0..n` with their faults, and what has passed between them.
#[derive(Clone, Debug)]
pub struct World {
    stream: Stream,
    /// How each participant lies, if it does.
    pub lies: Vec<Option<Lie>>,
    /// Side of a partition that each participant is on.
    pub sides: Vec<u8>,
    /// Probability of losing a message.
    pub loss: f64,
    /// Messages sent.
    pub messages: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Rounds taken.
    pub rounds: u32,
    /// What each participant has settled on.
    pub settled: Vec<Option<bool>>,
}

impl World {
    /// Everybody honest, up and connected.
    #[must_use]
    pub fn honest(seed: u64, n: u32) -> Self {
        let n = n as usize;
        Self {
            stream: stream(seed, 1),
            lies: vec![None; n],
            sides: vec![0; n],
            loss: 0.0,
            messages: 0,
            bytes: 0,
            rounds: 0,
            settled: vec![None; n],
        }
    }

    /// The first `liars` participants lie.
    #[must_use]
    pub fn with_liars(seed: u64, n: u32, liars: u32, lie: Lie) -> Self {
        let mut world = Self::honest(seed, n);
        world.lies[..liars as usize].fill(Some(lie));
        world
    }

    /// Whether two honest participants have settled on different answers: safety is lost.
    #[must_use]
    pub fn is_split(&self) -> bool {
        let honest =
            |yes| self.lies.iter().zip(&self.settled).any(|(lie, s)| lie.is_none() && *s == Some(yes));
        honest(true) && honest(false)
    }

    /// Honest participants that have settled.
    #[must_use]
    pub fn settled_honest(&self) -> usize {
        self.lies.iter().zip(&self.settled).filter(|(lie, s)| lie.is_none() && s.is_some()).count()
    }

    /// What the liar says instead; `None` if it says nothing.
    fn lie(&mut self, lie: Lie, letter: &Letter) -> Option<Said> {
        let chosen = match lie {
            Lie::Silent => return None,
            Lie::Always(yes) => Some(yes),
            Lie::Equivocate => Some(letter.to.is_multiple_of(2)),
            Lie::Random => Some(self.stream.bernoulli(0.5)),
            Lie::Flip => None,
        };
        let turned = |yes: bool| chosen.unwrap_or(!yes);
        Some(match letter.said {
            Said::Question => Said::Question,
            Said::Vote(yes) => Said::Vote(turned(yes)),
            Said::Propose(yes) => Said::Propose(turned(yes)),
            Said::Prepare(yes) => Said::Prepare(chosen.or(yes.map(|y| !y))),
            Said::Commit(yes) => Said::Commit(chosen.or(yes.map(|y| !y))),
            // A proof that does not exist.
            Said::ViewChange(_) => Said::ViewChange(chosen.map(|yes| (yes, u32::MAX))),
            Said::Mass { value, weight } => {
                let false_value = match chosen {
                    Some(yes) => f64::from(u8::from(yes)) * weight,
                    None => weight - value,
                };
                Said::Mass { value: false_value, weight }
            }
        })
    }
}

impl Exchange for World {
    fn below(&mut self, n: u32) -> u32 {
        self.stream.below(n)
    }

    fn tell(&mut self, letter: &Letter) -> Option<Said> {
        let said = match self.lies[letter.from as usize] {
            Some(lie) => self.lie(lie, letter)?,
            None => letter.said,
        };
        if said.is_silence() {
            return None;
        }
        self.messages += 1;
        self.bytes += u64::from(said.bytes());
        let apart = self.sides[letter.from as usize] != self.sides[letter.to as usize];
        let lost = self.loss > 0.0 && self.stream.bernoulli(self.loss);
        (!apart && !lost).then_some(said)
    }

    fn rounds(&mut self, rounds: u32) {
        self.rounds += rounds;
    }

    fn settle(&mut self, voter: u32, yes: bool) {
        // For good: who settles twice on different answers has broken its word, which counts as a split.
        let slot = &mut self.settled[voter as usize];
        debug_assert!(slot.is_none_or(|before| before == yes), "participant {voter} changed its mind");
        *slot = Some(yes);
    }
}
