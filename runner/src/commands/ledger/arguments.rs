//! Words of the command line that several verbs share.

use phalanx_core::{Indicator, Tick};
use phalanx_ledger::Entry;

use crate::ledger::indicator;

/// `7` or `3..9`: the first and the last tick.
pub(super) fn ticks(text: &str) -> Result<(Tick, Tick), String> {
    let wrong = || format!("`{text}` is no range of ticks; write 7, or 3..9 for ticks 3 to 9");
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let tick = |text: &str| text.parse().map(Tick).map_err(|_| wrong());
    let (first, last) = (tick(first)?, tick(last)?);
    if first <= last { Ok((first, last)) } else { Err(wrong()) }
}

pub(super) fn indicator(text: &str) -> Result<Indicator, String> {
    indicator::parse(text)
}

/// A kind of entry: a label, or `decided` for its three outcomes.
pub(super) fn kind(text: &str) -> Result<Vec<&'static str>, String> {
    if text == "decided" {
        return Ok(vec!["confirmed", "rejected", "undecided"]);
    }
    match Entry::LABELS.iter().find(|label| **label == text) {
        Some(label) => Ok(vec![label]),
        None => Err(format!("`{text}` is no kind of entry; there are decided, {}", Entry::LABELS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_kinds_are_read() {
        assert_eq!(ticks("7"), Ok((Tick(7), Tick(7))));
        assert_eq!(ticks("3..9"), Ok((Tick(3), Tick(9))));
        for wrong in ["", "9..3", "a", "3..", "..", "3-9"] {
            assert!(ticks(wrong).is_err_and(|error| error.contains("3..9")), "{wrong}");
        }
        assert_eq!(kind("trust"), Ok(vec!["trust"]));
        assert_eq!(kind("decided").unwrap().len(), 3);
        assert!(kind("confirm").is_err_and(|error| error.contains("confirmed")));
    }
}
