//! How satisfied one is with what a peer said, now that the network's opinion is known.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fusion::threat::Threat;
use crate::{BadSetting, setting};

/// Fides' rules of satisfaction. `D(reference)` is `(1 - |S - S_peer| / 2 · C_peer) · C` with the reference's score
/// `S` and confidence `C`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum Satisfaction {
    /// Always 1.
    Even,
    /// `D(network)`.
    #[default]
    Distance,
    /// `D(local)`; without local intelligence `D(network)`.
    Local,
    /// `D(network)` if the network is at least this confident, else 1.
    Threshold(f64),
    /// `C D(network) + w D(local) + (1 - C - w)`, with `C` the network's confidence and `w` the local one, at most
    /// what `C` leaves.
    Max,
    /// `w D(local) + (1 - w) D(network)`.
    Weighed(f64),
}

impl Satisfaction {
    pub(super) fn check(&self) -> Result<(), BadSetting> {
        match self {
            Self::Threshold(share) | Self::Weighed(share) => setting::share("satisfaction", *share),
            _ => Ok(()),
        }
    }

    /// Satisfaction, from 0 to 1, with what a peer said.
    ///
    /// `local` is what one found oneself, drawn once a question: two draws of it in `Max` shift results.
    #[must_use]
    pub fn of(&self, said: Threat, network: Threat, local: Option<Threat>) -> f64 {
        let distance = |reference: Threat| {
            (1.0 - 0.5 * (reference.score - said.score).abs() * said.confidence) * reference.confidence
        };
        match self {
            Self::Distance => distance(network),
            Self::Local => distance(local.unwrap_or(network)),
            Self::Threshold(least) if network.confidence >= *least => distance(network),
            Self::Even | Self::Threshold(_) => 1.0,
            Self::Max => {
                let by_local = local.map_or(0.0, |l| l.confidence.min(1.0 - network.confidence));
                let rest = 1.0 - network.confidence - by_local;
                let local_part = local.map_or(0.0, |l| by_local * distance(l));
                network.confidence * distance(network) + local_part + rest
            }
            Self::Weighed(share) => {
                share * distance(local.unwrap_or(network)) + (1.0 - share) * distance(network)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the peer is far from the network and close to what was found locally.
    #[test]
    fn six_rules() {
        let threat = |score, confidence| Threat { score, confidence };
        let (said, network, local) = (threat(0.5, 0.8), threat(-0.5, 0.6), threat(0.5, 0.9));
        let check = |rule: Satisfaction, expected: f64| {
            let measured = rule.of(said, network, Some(local));
            assert!((measured - expected).abs() < 1e-12, "{rule:?}: {measured} against {expected}");
        };
        let far = (1.0 - 0.5 * 0.8) * 0.6;
        check(Satisfaction::Even, 1.0);
        check(Satisfaction::Distance, far);
        check(Satisfaction::Local, 0.9);
        check(Satisfaction::Threshold(0.6), far);
        check(Satisfaction::Threshold(0.61), 1.0);
        check(Satisfaction::Max, 0.6 * far + 0.4 * 0.9);
        check(Satisfaction::Weighed(0.4), 0.4 * 0.9 + 0.6 * far);
        let unaided = Satisfaction::Max.of(said, network, None);
        assert!((unaided - (0.6 * far + 0.4)).abs() < 1e-12);
    }
}
