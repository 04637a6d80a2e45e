//! Settings that cannot be right, and the bounds that find them.

use thiserror::Error;

/// A setting of a rule or trust model that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {problem}")]
pub struct BadSetting {
    /// The field, as it is written: `alpha_confidence`.
    pub field: &'static str,
    /// What is wrong with it, and what to give instead.
    pub problem: String,
}

impl BadSetting {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A number from 0 to 1.
pub(crate) fn share(field: &'static str, value: f64) -> Result<(), BadSetting> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(BadSetting::new(field, format!("{value} is out of range: give a number from 0 to 1")))
}

/// A number between 0 and 1, neither included.
pub(crate) fn inner_share(field: &'static str, value: f64) -> Result<(), BadSetting> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(BadSetting::new(
        field,
        format!("{value} is out of range: give a number between 0 and 1, neither included"),
    ))
}

/// A finite number above 0.
pub(crate) fn positive(field: &'static str, value: f64) -> Result<(), BadSetting> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(BadSetting::new(field, format!("{value} is out of range: give a finite number above 0")))
}

/// A whole number between two others.
pub(crate) fn count(field: &'static str, value: u32, least: u32, most: u32) -> Result<(), BadSetting> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(BadSetting::new(
        field,
        format!("{value} is out of range: give a whole number from {least} to {most}"),
    ))
}
