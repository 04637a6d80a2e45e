//! What protocols of several rounds need of the world: random draws, and messages that may be lost or lies.

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// What do you hold?
    Question,
    /// I hold this.
    Vote(bool),
    /// Let this be decided (the leader of a view says so).
    Propose(bool),
    /// I would have this decided; `None` if the sender, being honest, keeps silent here, where a liar might speak.
    Prepare(Option<bool>),
    /// I have seen a quorum prepare this, and commit to it; `None` as for `Prepare`.
    Commit(Option<bool>),
    /// The view has failed; this is what I had prepared, with the view.
    ViewChange(Option<(bool, u32)>),
    /// Part of a sum: push-sum's value and weight, or the running value of pairwise averaging (weight 1).
    Mass {
        /// Value.
        value: f64,
        /// Weight.
        weight: f64,
    },
}

impl Said {
    /// Whether an honest sender sends nothing: then there is no message to count, unless a liar makes one up.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Prepare(None) | Self::Commit(None))
    }

    /// Bytes on the wire: one of kind, and the payload.
    #[must_use]
    pub fn bytes(&self) -> u32 {
        match self {
            Self::Question => 1,
            Self::Vote(_) | Self::Propose(_) | Self::Prepare(_) | Self::Commit(_) => 2,
            Self::ViewChange(_) => 6,
            Self::Mass { .. } => 17,
        }
    }
}

/// One message, as an honest sender would send it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Letter {
    /// Who sends it.
    pub from: u32,
    /// Who is to receive it.
    pub to: u32,
    /// Round, counted from 0.
    pub round: u32,
    /// What it says if its sender is honest.
    pub said: Said,
}

/// The world between the participants of a protocol.
///
/// A protocol hands over what an honest sender would say and gets what arrives. Loss, partitions, crashes and lies
/// are the implementor's: a liar may say different things to different receivers. Implementors count messages and
/// bytes; a protocol says how many rounds it took.
pub trait Exchange {
    /// Uniform draw from `0..n`; `n` is at least 1.
    fn below(&mut self, n: u32) -> u32;

    /// Sends a message; `None` if nothing arrives. What arrives has the kind that was sent (a vote stays a vote).
    /// [Silence](Said::is_silence) is handed over too, so that liars may break it; of the honest it is no message.
    fn tell(&mut self, letter: &Letter) -> Option<Said>;

    /// Asks a participant that, if honest, answers `truth`. Two messages; `None` if either is lost.
    fn ask(&mut self, from: u32, to: u32, round: u32, truth: bool) -> Option<bool> {
        self.tell(&Letter { from, to, round, said: Said::Question })?;
        match self.tell(&Letter { from: to, to: from, round, said: Said::Vote(truth) })? {
            Said::Vote(answer) => Some(answer),
            _ => None,
        }
    }

    /// The protocol has taken so many rounds of messages.
    fn rounds(&mut self, rounds: u32);

    /// Participant `voter` considers the question decided, for good.
    fn settle(&mut self, voter: u32, yes: bool) {
        let _ = (voter, yes);
    }
}

/// A world in which nobody ever answers: for rules that only count ballots.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl Exchange for Silence {
    fn below(&mut self, _: u32) -> u32 {
        0
    }

    fn tell(&mut self, _: &Letter) -> Option<Said> {
        None
    }

    fn rounds(&mut self, _: u32) {}
}
