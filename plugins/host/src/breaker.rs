//! The circuit breaker: a plugin that keeps failing is left alone for a while, then tried again.
//!
//! ```text
//!             faults_max in a row                      cooldown_ticks later
//!   closed ────────────────────────► open ────────────────────────────► half-open
//!     ▲                               ▲                                   │   │
//!     │            trial goes well    │            trial fails            │   │
//!     └───────────────────────────────┼───────────────────────────────────┘   │
//!                                     └───────────────────────────────────────┘
//! ```

use phalanx_core::{PluginHappening, Tick};

/// When a breaker opens and how long it stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Faults in a row that open it, at least 1.
    pub faults_max: u32,
    /// Ticks until the plugin is tried again, at least 1.
    pub cooldown_ticks: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { faults_max: 3, cooldown_ticks: 20 }
    }
}

/// How a breaker stands. Part of its agent's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Calls go through; so many have failed in a row.
    Closed {
        /// Faults in a row so far.
        faults: u32,
    },
    /// Nothing goes through until the tick.
    Open {
        /// First tick of the trial.
        until: Tick,
    },
    /// The next call decides.
    HalfOpen,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { faults: 0 }
    }
}

impl Breaker {
    /// Whether a call may be made.
    #[must_use]
    pub fn lets_through(&self) -> bool {
        !matches!(self, Self::Open { .. })
    }

    /// Time has come to `now`.
    pub fn advance(&mut self, now: Tick) -> Option<PluginHappening> {
        match self {
            Self::Open { until } if now >= *until => {
                *self = Self::HalfOpen;
                Some(PluginHappening::HalfOpened)
            }
            _ => None,
        }
    }

    /// A call went well.
    pub fn succeed(&mut self) -> Option<PluginHappening> {
        let closed = matches!(self, Self::HalfOpen).then_some(PluginHappening::Closed);
        *self = Self::default();
        closed
    }

    /// A call failed.
    pub fn fail(&mut self, now: Tick, config: BreakerConfig) -> Option<PluginHappening> {
        let faults = match self {
            Self::Closed { faults } => *faults + 1,
            Self::HalfOpen => config.faults_max,
            Self::Open { .. } => return None,
        };
        if faults < config.faults_max {
            *self = Self::Closed { faults };
            return None;
        }
        *self = Self::Open { until: now.after(u64::from(config.cooldown_ticks)) };
        Some(PluginHappening::Opened)
    }

    /// Nine bytes: the case, and its number.
    #[must_use]
    pub fn encode(&self) -> [u8; 9] {
        let (case, number) = match self {
            Self::Closed { faults } => (0, u64::from(*faults)),
            Self::Open { until } => (1, until.0),
            Self::HalfOpen => (2, 0),
        };
        let mut bytes = [case; 9];
        bytes[1..].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    /// The breaker that these bytes are the encoding of.
    #[must_use]
    pub fn decode(bytes: [u8; 9]) -> Option<Self> {
        let [case, number @ ..] = bytes;
        let number = u64::from_le_bytes(number);
        match case {
            0 => u32::try_from(number).ok().map(|faults| Self::Closed { faults }),
            1 => Some(Self::Open { until: Tick(number) }),
            2 => (number == 0).then_some(Self::HalfOpen),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig { faults_max: 2, cooldown_ticks: 3 };

    /// Plays a story of ticks: `.` goes well, `x` fails, one call a tick. What happened, tick by tick: `-` the call was
    /// not made, `.` it was, and `O`, `H`, `C` for an opened, half-opened or closed breaker.
    fn story(calls: &str) -> String {
        let mut breaker = Breaker::default();
        let letter = |happening: Option<PluginHappening>| match happening {
            Some(PluginHappening::Opened) => "O",
            Some(PluginHappening::HalfOpened) => "H",
            Some(PluginHappening::Closed) => "C",
            _ => "",
        };
        let mut told = String::new();
        for (tick, call) in calls.chars().enumerate() {
            let now = Tick(tick as u64);
            told += letter(breaker.advance(now));
            assert_eq!(Breaker::decode(breaker.encode()), Some(breaker));
            if !breaker.lets_through() {
                told.push('-');
                continue;
            }
            told.push('.');
            told += letter(if call == 'x' { breaker.fail(now, CONFIG) } else { breaker.succeed() });
        }
        told
    }

    #[test]
    fn it_opens_cools_down_and_tries_again() {
        assert_eq!(story("......"), "......");
        assert_eq!(story("x.x.x."), "......", "faults in a row count");
        assert_eq!(story("xx......"), "..O--H.C...", "opened at tick 1, tried at tick 4");
        assert_eq!(story("xxxxxxxxxx"), "..O--H.O--H.O--", "a trial that fails opens it at once");
        assert_eq!(story("xx...x.x"), "..O--H.C...", "afterwards it counts from 0");
    }

    #[test]
    fn only_its_own_bytes_are_decoded() {
        assert_eq!(Breaker::decode([3; 9]), None);
        assert_eq!(Breaker::decode([2, 1, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(Breaker::decode([0, 0, 0, 0, 0, 1, 0, 0, 0]), None);
    }
}
