//! Guests of a few hundred bytes, made from text in process, so that nobody needs a WebAssembly toolchain to run tests.
//!
//! *It is* an honest detector in the text format whose functions can be replaced one by one, and a list of replacements
//! that misbehave. *It is not* an example for authors: those are the folders beside this one.
//!
//! ```
//! use phalanx_plugin_guests::Guest;
//!
//! let honest = Guest::mean().build();
//! let spinning = Guest::mean().with("score", "(loop $on (br $on)) unreachable").build();
//! assert_ne!(honest, spinning);
//! ```

use phalanx_plugin_pack::pack_text;

/// A guest in the text format whose functions can be replaced.
#[derive(Clone, Debug)]
pub struct Guest {
    template: &'static str,
    bodies: Vec<(&'static str, String)>,
}

/// Replacements that break a promise: a name, the function, its body.
pub const HOSTILE_DETECTORS: &[(&str, &str, &str)] = &[
    ("endless loop", "score", "(loop $on (br $on)) unreachable"),
    ("memory bomb", "score", "(loop $on (drop (memory.grow (i32.const 16))) (br $on)) unreachable"),
    ("trap", "score", "unreachable"),
    ("deep recursion", "score", "(call $score (local.get 0) (local.get 1))"),
    (
        "one score too few",
        "score",
        "(call $list (i32.load (i32.add (call $scores (local.get 0) (local.get 1)) (i32.const 4)))
           (i32.sub (i32.load (i32.const 24)) (i32.const 1)))",
    ),
    (
        "NaN scores",
        "score",
        "(call $scores (local.get 0) (local.get 1))
         (f32.store (i32.load (i32.const 20)) (f32.div (f32.const 0) (f32.const 0)))",
    ),
    (
        "scores beyond 1",
        "score",
        "(call $scores (local.get 0) (local.get 1)) (f32.store (i32.load (i32.const 20)) (f32.const 1.5))",
    ),
    ("a list outside its memory", "score", "(call $list (i32.const 1048576) (i32.const 1048576))"),
    ("a misaligned list", "score", "(call $list (i32.const 8193) (i32.div_u (local.get 1) (call $columns)))"),
    ("a result outside its memory", "score", "(i32.const -16)"),
    ("an unknown case of result", "score", "(i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)"),
    ("an error", "score", "(call $error (i32.const 96) (i32.const 13))"),
    (
        "an error that is no text",
        "score",
        "(i32.store8 (i32.const 8200) (i32.const 255)) (call $error (i32.const 8200) (i32.const 1))",
    ),
    (
        "a huge error",
        "score",
        "(memory.fill (i32.const 16384) (i32.const 120) (i32.const 65536)) (call $error (i32.const 16384) (i32.const 65536))",
    ),
    ("refuses its configuration", "init", "(call $error (i32.const 96) (i32.const 13))"),
    ("refuses its own state", "load", "(call $error (i32.const 96) (i32.const 13))"),
    (
        "a state of 2 MiB",
        "save",
        "(call $list (call $alloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 2097152)) (i32.const 2097152))",
    ),
];

/// The functions of an honest rule.
const VOTING: [(&str, &str); 6] = [
    ("describe", "(i32.const 32)"),
    (
        "init",
        "(if (result i32) (local.get $settings) (then (call $error (i32.const 96) (i32.const 13))) (else (call $ok)))",
    ),
    ("decide", "(call $half (local.get $eligible) (local.get $ballots) (local.get $count))"),
    ("learn", "(i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1))) (call $ok)"),
    ("save", "(call $list (i32.const 1024) (i32.const 8))"),
    (
        "load",
        "(if (result i32) (i32.eq (local.get $length) (i32.const 8))
           (then (i64.store (i32.const 1024) (i64.load (local.get $state))) (call $ok))
           (else (call $error (i32.const 96) (i32.const 13))))",
    ),
];

/// The functions of an honest detector.
const DETECTOR: [(&str, &str); 7] = [
    ("describe", "(i32.const 32)"),
    (
        "init",
        "(i32.store (i32.const 1016) (local.get $columns))
         (if (result i32) (local.get $settings) (then (call $error (i32.const 96) (i32.const 13))) (else (call $ok)))",
    ),
    (
        "fit",
        "(memory.fill (i32.const 1024) (i32.const 0) (call $size)) (call $learn (local.get $rows) (local.get $length))",
    ),
    ("update", "(call $learn (local.get $rows) (local.get $length))"),
    ("score", "(call $scores (local.get $rows) (local.get $length))"),
    ("save", "(call $list (i32.const 1024) (call $size))"),
    (
        "load",
        "(if (result i32) (i32.eq (local.get $length) (call $size))
           (then (memory.copy (i32.const 1024) (local.get $state) (local.get $length)) (call $ok))
           (else (call $error (i32.const 96) (i32.const 13))))",
    ),
];

impl Guest {
    /// An honest detector: scores the distance from the mean of the rows it has learned from.
    #[must_use]
    pub fn mean() -> Self {
        Self {
            template: include_str!("detector.wat"),
            bodies: DETECTOR.map(|(name, body)| (name, body.to_owned())).to_vec(),
        }
    }

    /// An honest voting rule: more than half of the eligible. It counts the polls that it learns of.
    #[must_use]
    pub fn half() -> Self {
        Self {
            template: include_str!("voting.wat"),
            bodies: VOTING.map(|(name, body)| (name, body.to_owned())).to_vec(),
        }
    }

    /// One that scores by how often it has been called before: a state that it does not save.
    #[must_use]
    pub fn hidden_counter() -> Self {
        Self::mean().with(
            "score",
            "(call $scores (local.get 0) (local.get 1))
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             (f32.store (i32.load (i32.const 20))
               (f32.div (f32.const 1) (f32.convert_i32_u (global.get $calls))))",
        )
    }

    /// One whose answer to `score` is whatever state it was given, which it puts into memory from 2048 on: the case of
    /// the result, then pointer and length of its list. So it says all that a guest can say.
    #[must_use]
    pub fn parrot() -> Self {
        Self::mean()
            .with("fit", "(call $ok)")
            .with("save", "(call $list (i32.const 8192) (i32.const 0))")
            .with("load", "(memory.copy (i32.const 2048) (local.get $state) (local.get $length)) (call $ok)")
            .with("score", "(i32.const 2048)")
    }

    /// Replaces the body of a function.
    ///
    /// # Panics
    /// If the guest has no such function.
    #[must_use]
    pub fn with(mut self, function: &str, body: &str) -> Self {
        let slot = self.bodies.iter_mut().find(|(name, _)| *name == function);
        slot.unwrap_or_else(|| panic!("the guest has no function `{function}`")).1 = body.to_owned();
        self
    }

    /// The core module, as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.bodies
            .iter()
            .fold(self.template.to_owned(), |text, (name, body)| text.replace(&format!("{{{name}}}"), body))
    }

    /// The plugin.
    ///
    /// # Panics
    /// If a replaced body is not valid text.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        pack_text(&self.text()).unwrap_or_else(|error| panic!("{error}\n{}", self.text()))
    }
}

/// Any component, from text.
///
/// # Panics
/// If the text is wrong.
#[must_use]
pub fn component(text: &str) -> Vec<u8> {
    phalanx_plugin_pack::component(text).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_can_be_built() {
        for (name, function, body) in HOSTILE_DETECTORS {
            assert!(!Guest::mean().with(function, body).build().is_empty(), "{name}");
        }
        for guest in [Guest::mean(), Guest::half(), Guest::hidden_counter(), Guest::parrot()] {
            assert!(guest.build().len() < 8192);
        }
    }
}
