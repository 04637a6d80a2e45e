//! The clock of a replay: which rows of a capture belong to a tick.

use std::ops::Range;

use crate::Replay;

/// Maps ticks to rows. Every row of every agent belongs to exactly one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clock {
    /// All rows of an agent in their order, spread evenly over so many ticks.
    Even { ticks: u64 },
    /// By their start: ticks divide the time from the first start to the last of all agents equally.
    Time { ticks: u64, first_us: i64, last_us: i64 },
}

impl Clock {
    /// The clock that suits the records.
    pub(crate) fn new(records: &Replay, ticks: u64) -> Self {
        let ends = |pick: fn(&Vec<i64>) -> Option<&i64>| records.starts_us.iter().filter_map(pick).copied();
        match (ends(|starts| starts.first()).min(), ends(|starts| starts.last()).max()) {
            (Some(first_us), Some(last_us)) => Self::Time { ticks, first_us, last_us },
            _ => Self::Even { ticks },
        }
    }

    /// The rows of an agent that belong to a tick.
    pub(crate) fn rows(self, records: &Replay, agent: usize, tick: u64) -> Range<usize> {
        match self {
            Self::Even { ticks } => share(records.shards[agent].rows(), tick, ticks),
            Self::Time { ticks, first_us, last_us } => {
                let starts = &records.starts_us[agent];
                let span = u128::from(last_us.abs_diff(first_us)) + 1;
                let edge = |t: u64| {
                    let us = (span * u128::from(t)).div_ceil(u128::from(ticks));
                    starts.partition_point(|start| u128::from(start.abs_diff(first_us)) < us)
                };
                edge(tick)..edge(tick + 1)
            }
        }
    }
}

/// All rows, spread evenly over all ticks, each exactly once.
fn share(rows: usize, tick: u64, ticks: u64) -> Range<usize> {
    let edge = |t: u64| (u128::from(rows as u64) * u128::from(t) / u128::from(ticks)) as usize;
    edge(tick)..edge(tick + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_replayed_once() {
        for (rows, ticks) in [(0, 3), (1, 3), (7, 3), (22_544, 50), (10, 10), (3, 10)] {
            let mut next = 0;
            for tick in 0..ticks {
                let range = share(rows, tick, ticks);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, rows);
        }
    }

    #[test]
    fn time_decides_the_tick() {
        let replay = |starts_us| Replay {
            schema: phalanx_core::Schema::default(),
            labels: Vec::new(),
            train: Vec::new(),
            shards: Vec::new(),
            starts_us,
            names: Vec::new(),
        };
        // 100 µs in ten ticks of ten; the first and the last flow belong to different agents.
        let records = replay(vec![vec![-50, -45, -40, 0, 9], vec![-41, 49], vec![]]);
        let clock = Clock::new(&records, 10);
        assert_eq!(clock, Clock::Time { ticks: 10, first_us: -50, last_us: 49 });
        let rows = |agent| -> Vec<Range<usize>> { (0..10).map(|t| clock.rows(&records, agent, t)).collect() };
        assert_eq!(rows(0)[..6], [0..2, 2..3, 3..3, 3..3, 3..3, 3..5]);
        assert_eq!((rows(1)[0].clone(), rows(1)[9].clone()), (0..1, 1..2));
        assert!(rows(2).iter().all(Range::is_empty));
        // One moment, or starts at both ends of time, are no reason to lose a flow.
        for starts in [vec![5, 5], vec![i64::MIN, 0, i64::MAX]] {
            let records = replay(vec![starts.clone()]);
            let clock = Clock::new(&records, 3);
            let seen: usize = (0..3).map(|t| clock.rows(&records, 0, t).len()).sum();
            assert_eq!(seen, starts.len());
        }
        assert_eq!(Clock::new(&replay(Vec::new()), 4), Clock::Even { ticks: 4 });
    }
}
