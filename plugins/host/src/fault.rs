//! How calls to a plugin fail. A fault is a value; no plugin can make the host panic.

use phalanx_core::FaultKind;

use crate::limits::{Limits, Quota};

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {text}")]
pub struct Fault {
    /// The function that was called.
    pub call: &'static str,
    /// What kind of failure it is.
    pub kind: FaultKind,
    /// What happened, for people; cut to 256 bytes.
    pub text: String,
}

impl Fault {
    /// An answer that breaks the contract.
    pub(crate) fn answer(call: &'static str, text: impl Into<String>) -> Self {
        Self { call, kind: FaultKind::Answer, text: cut(text.into()) }
    }

    /// An error that the plugin gave.
    pub(crate) fn refused(call: &'static str, text: String) -> Self {
        Self { call, kind: FaultKind::Refused, text: cut(text) }
    }

    /// What wasmtime says when a call does not come to its end.
    pub(crate) fn of(call: &'static str, error: &wasmtime::Error, quota: &Quota, fuel: u64) -> Self {
        if quota.refused {
            return Self { call, kind: FaultKind::Memory, text: cut(error.root_cause().to_string()) };
        }
        let (kind, text) = match error.downcast_ref::<wasmtime::Trap>() {
            Some(wasmtime::Trap::OutOfFuel) => (FaultKind::Fuel, format!("used up its fuel of {fuel}")),
            Some(wasmtime::Trap::StackOverflow) => (FaultKind::Stack, "calls are nested too deep".to_owned()),
            Some(trap) => (FaultKind::Trap, trap.to_string()),
            // Everything else is found while a result is read out of the plugin's memory.
            None => (FaultKind::Answer, error.root_cause().to_string()),
        };
        Self { call, kind, text: cut(text) }
    }
}

/// A guest's text is made one short line without control characters.
#[expect(clippy::needless_pass_by_value, reason = "what a guest has said is not used again")]
pub(crate) fn cut(text: String) -> String {
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() <= Limits::TEXT_BYTES {
        return clean(&text);
    }
    clean(&text[..text.floor_char_boundary(Limits::TEXT_BYTES)]) + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_short_line() {
        assert_eq!(cut("a\nb\x1b[31m".to_owned()), "a b [31m");
        assert_eq!(cut("é".repeat(1000)).chars().count(), 129);
    }
}
