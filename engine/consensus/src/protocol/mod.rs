//! What protocols of several rounds share: samples of peers, the Snow family's node, and how settled participants
//! make a verdict.

pub(crate) mod sampling;
pub(crate) mod snow;

use crate::{Poll, Verdict};

/// More than half of all eligible voters have settled on an answer.
pub(crate) fn majority_of(settled: impl Iterator<Item = Option<bool>>, poll: &Poll) -> Verdict {
    let (mut yes, mut no) = (0u64, 0u64);
    for answer in settled.flatten() {
        if answer {
            yes += 1;
        } else {
            no += 1;
        }
    }
    let half = u64::from(poll.eligible);
    if 2 * yes > half {
        Verdict::Confirm
    } else if 2 * no > half {
        Verdict::Reject
    } else {
        Verdict::Open
    }
}
