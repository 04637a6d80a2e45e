//! All indicators that anybody may have on its blacklist: a small table that spares most flows the look into an agent's own.

use bevy_ecs::resource::Resource;
use phalanx_core::{FlowKey, Indicator};

use crate::agent::Matcher;
use crate::checkpoint::state;

/// Every confirmed indicator, by what it names.
///
/// Indicators name different parts of a flow (a prefix, a port, a protocol), and usually the same parts; a flow is looked
/// up once for each combination that occurs.
#[derive(Resource, Debug, Default)]
pub(crate) struct Known {
    /// By the position of the combination among [`Matcher::candidates`]: its indicators, ascending.
    combinations: [Vec<Indicator>; 8],
    /// Whether signatures may name nothing, and so concern every flow.
    anything: bool,
}

impl Known {
    /// Takes in a confirmed indicator.
    pub(crate) fn insert(&mut self, indicator: Indicator) {
        self.anything |= indicator.is_empty();
        let known = &mut self.combinations[combination(&indicator)];
        if let Err(at) = known.binary_search(&indicator) {
            known.insert(at, indicator);
        }
    }

    /// Starts anew with the indicators that are still on some list.
    pub(crate) fn replace(&mut self, listed: impl Iterator<Item = Indicator>) {
        *self = Self::default();
        listed.for_each(|indicator| self.insert(indicator));
    }

    /// Whether some agent's blacklist could hold an indicator of this flow.
    pub(crate) fn concerns(&self, key: &FlowKey, matcher: Matcher) -> bool {
        self.anything
            || self.combinations.iter().any(|known| !known.is_empty())
                && matcher.candidates(key).iter().any(|indicator| {
                    self.combinations[combination(indicator)].binary_search(indicator).is_ok()
                })
    }

    /// Number of indicators.
    pub(crate) fn len(&self) -> usize {
        self.combinations.iter().map(Vec::len).sum()
    }
}

fn combination(indicator: &Indicator) -> usize {
    usize::from(indicator.prefix.is_some()) << 2
        | usize::from(indicator.port.is_some()) << 1
        | usize::from(indicator.protocol.is_some())
}

state!(Known { kept: [combinations, anything], found: [] });

#[cfg(test)]
mod tests {
    use phalanx_core::{Prefix, Protocol};

    use super::*;

    #[test]
    fn a_flow_is_found_by_whatever_is_named_of_it() {
        let matcher = Matcher { radius: None, prefix_bits: 24 };
        let key = |remote, port| FlowKey {
            remote: Some(remote),
            port: Some(port),
            protocol: Some(Protocol::TCP),
            ..FlowKey::default()
        };
        let mut known = Known::default();
        assert!(!known.concerns(&key(0x0a00_0001, 22), matcher));
        let prefix = Some(Prefix::of(0x0a00_0001, 24));
        known.insert(Indicator { prefix, port: Some(22), ..Indicator::default() });
        known.insert(Indicator { port: Some(445), protocol: Some(Protocol::TCP), ..Indicator::default() });
        let concerns = |known: &Known, remote, port| known.concerns(&key(remote, port), matcher);
        assert!(concerns(&known, 0x0a00_00ff, 22) && concerns(&known, 7, 445));
        assert!(!concerns(&known, 0x0a00_00ff, 23) && !concerns(&known, 0x0a00_0100, 22));
        assert_eq!(known.len(), 2);
        known.replace([Indicator::default()].into_iter());
        assert!(concerns(&known, 7, 9), "a signature that names nothing may concern everything");
    }
}
