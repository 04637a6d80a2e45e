//! RON text → typed value, with every failure translated to a [`Problem`] at a place.

use ron::Options;
use ron::error::{Error, Position, SpannedError};
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::Problem;
use super::track::{Stopped, Track, Wanted};
use super::tracker::Tracked;

/// How scenarios are written: `Some(…)` may be left out, and `Synthetic(flows: 40)` needs one pair of parentheses.
pub(crate) fn options() -> Options {
    Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// What was wrong, at which field, and where in the text.
#[derive(Debug, PartialEq)]
pub(super) struct Mistake {
    pub(super) path: String,
    pub(super) problem: Problem,
    pub(super) place: Place,
}

/// A stretch of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
    /// In bytes.
    pub(super) offset: usize,
    /// In bytes.
    pub(super) length: usize,
}

/// Reads a value; `lower` supplies fields that the text leaves out.
pub(super) fn read<T: DeserializeOwned>(
    text: &str,
    lower: Option<&Value>,
) -> Result<(T, std::collections::BTreeSet<String>), Mistake> {
    let track = Track::new();
    match parse::<T>(text, lower, &track) {
        Ok(value) => Ok((value, track.into_seen())),
        Err(error) => {
            // Inside `Fixed(…)` the single value is meant, not the name in front of it.
            let in_value = matches!(track.wanted(), Wanted::Scalar | Wanted::List);
            let until =
                if in_value { Track::until_value(&track.path()) } else { Track::until(&track.path()) };
            let value_start = stop::<T>(text, lower, &until).map(|(position, _)| position);
            Err(mistake(text, value_start, &track, error))
        }
    }
}

/// Where `path` stands in the text, or the innermost of its ancestors that stands there.
pub(super) fn locate<T: DeserializeOwned>(text: &str, lower: Option<&Value>, path: &str) -> Place {
    let mut path = path;
    loop {
        if let Some((_, place)) = stop::<T>(text, lower, &Track::until(path)) {
            return Place { length: token_length(&text[place.offset..]), ..place };
        }
        if path.is_empty() {
            return Place { line: 1, column: 1, offset: 0, length: 0 };
        }
        path = super::path::parent(path);
    }
}

fn parse<T: DeserializeOwned>(text: &str, lower: Option<&Value>, track: &Track) -> Result<T, SpannedError> {
    let mut reader = ron::Deserializer::from_str_with_options(text, &options())?;
    let mut out = Value::Null;
    let value = T::deserialize(Tracked { inner: &mut reader, track, lower, out: &mut out })
        .map_err(|code| reader.span_error(code))?;
    reader.end().map_err(|code| reader.span_error(code))?;
    Ok(value)
}

fn stop<T: DeserializeOwned>(text: &str, lower: Option<&Value>, track: &Track) -> Option<(Position, Place)> {
    let error = parse::<T>(text, lower, track).err()?;
    let position = match track.stopped() {
        Stopped::No => return None,
        Stopped::Before => error.span.end,
        Stopped::AfterName => error.span.start,
    };
    let offset = offset_of(text, position);
    Some((position, Place { line: position.line, column: position.col, offset, length: 1 }))
}

/// What is wrong with the text of a single value, and at which path inside it.
pub(super) fn problem(text: &str, track: &Track, error: SpannedError) -> (String, Problem) {
    let start = Position { line: 1, col: 1 + text.chars().take_while(|c| c.is_whitespace()).count() };
    let value_start = track.path().is_empty().then_some(start);
    let Mistake { path, problem, .. } = mistake(text, value_start, track, error);
    (path, problem)
}

// `value_start` is where the value of the track's path starts: errors of types are raised behind the value, errors
// of the format before anything of it was consumed.
fn mistake(text: &str, value_start: Option<Position>, track: &Track, error: SpannedError) -> Mistake {
    let path = track.path();
    let SpannedError { code, span } = error;
    let between = |start: Position, end: Position| {
        let offset = offset_of(text, start);
        let length = offset_of(text, end).saturating_sub(offset);
        let length = if length == 0 { first_char_length(&text[offset..]) } else { length };
        Place { line: start.line, column: start.col, offset, length }
    };
    let child = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let on_value = |problem: Problem| {
        let start = value_start.unwrap_or(span.start);
        let place = between(start, span.end.max(start));
        let one_line = !text[place.offset..place.offset + place.length].contains('\n');
        let length = if one_line { place.length } else { token_length(&text[place.offset..]) };
        Mistake { path: path.clone(), problem, place: Place { length, ..place } }
    };
    match code {
        Error::NoSuchStructField { expected, found, .. } => Mistake {
            path: child(&found),
            problem: Problem::UnknownField { found, names: owned(expected) },
            place: between(span.start, span.end),
        },
        Error::NoSuchEnumVariant { expected, found, .. } => Mistake {
            path,
            problem: Problem::UnknownVariant { found, names: owned(expected) },
            place: between(span.start, span.end),
        },
        Error::DuplicateStructField { field, .. } => Mistake {
            path: child(field),
            problem: Problem::DuplicateField { field: field.to_owned() },
            place: between(span.start, span.end),
        },
        Error::MissingStructField { field, .. } => {
            on_value(Problem::MissingField { field: field.to_owned() })
        }
        Error::Message(message) => on_value(Problem::Refused { message }),
        Error::InvalidValueForType { expected, found } => {
            let as_written = value_start
                .filter(|_| !matches!(found.as_str(), "a sequence" | "a map"))
                .and_then(|position| written(&text[offset_of(text, position)..]));
            let found = as_written.unwrap_or_else(|| plain(&found));
            on_value(Problem::WrongType { expected: in_words(&expected), found })
        }
        Error::ExpectedDifferentLength { expected, found } => {
            on_value(Problem::WrongType { expected: in_words(&expected), found: format!("{found} elements") })
        }
        // The format refuses the first character of a value: it is of another type altogether.
        _ if value_start == Some(span.end) && offset_of(text, span.end) < text.len() && is_shape(&code) => {
            let start = offset_of(text, span.end);
            let expected = wanted_in_words(track.wanted());
            let found = written(&text[start..]).unwrap_or_else(|| "something else".to_owned());
            let length = token_length(&text[start..]);
            let place = Place { line: span.end.line, column: span.end.col, offset: start, length };
            Mistake { path, problem: Problem::WrongType { expected, found }, place }
        }
        Error::ExpectedStructLike | Error::ExpectedNamedStructLike(_) if !path.is_empty() => {
            let before = &text[..offset_of(text, span.end)];
            let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let message = format!("expected `(` after `{name}`, as in `{name}()` or `{name}(field: value)`");
            Mistake {
                path: path.clone(),
                problem: Problem::Syntax { message },
                place: between(span.end, span.end),
            }
        }
        code => {
            let mut message = match code {
                Error::ExpectedStructLike | Error::ExpectedNamedStructLike(_) => "expected `(`".to_owned(),
                code => lower_case(&code),
            };
            if text[offset_of(text, span.end)..].trim().is_empty() {
                message += ", and the text ends here";
            }
            Mistake { path, problem: Problem::Syntax { message }, place: between(span.end, span.end) }
        }
    }
}

fn is_shape(code: &Error) -> bool {
    matches!(
        code,
        Error::ExpectedStructLike
            | Error::ExpectedNamedStructLike(_)
            | Error::ExpectedDifferentStructName { .. }
            | Error::ExpectedArray
            | Error::ExpectedIdentifier
            | Error::ExpectedMap
            | Error::ExpectedString
            | Error::SuggestRawIdentifier(_)
            | Error::InvalidIdentifier(_)
    )
}

fn wanted_in_words(wanted: Wanted) -> String {
    match wanted {
        Wanted::Scalar => "a value".to_owned(),
        Wanted::Struct => "a block `( field: value, … )`".to_owned(),
        Wanted::Map => "names and values `{ \"name\": value, … }`".to_owned(),
        Wanted::Enum(names) => format!("one of {}", names.join(", ")),
        Wanted::List => "a list `[ … ]`".to_owned(),
    }
}

/// Rust's type names in the words of a scenario's author.
pub(super) fn in_words(expected: &str) -> String {
    match expected {
        "i64" | "i32" => "a whole number".to_owned(),
        "u64" | "usize" => "a whole number of 0 or more".to_owned(),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "f64" | "f32" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list `[ … ]`".to_owned(),
        other if other.starts_with("struct ") => "a block `( field: value, … )`".to_owned(),
        other => other.to_owned(),
    }
}

/// The value as it was written, if it is a short one: `"ten"`, `2.5`, `Majority`.
fn written(text: &str) -> Option<String> {
    let token = token(text);
    (!token.is_empty() && token.chars().count() <= 40).then(|| format!("`{token}`"))
}

fn token(text: &str) -> &str {
    let end = match text.chars().next() {
        Some('"') => text[1..].find(['"', '\n']).map_or(text.len(), |i| i + 2),
        Some('(' | '[' | '{') => 1,
        _ => text.find(|c: char| c.is_whitespace() || ",()[]{}:/".contains(c)).unwrap_or(text.len()),
    };
    text[..end.min(text.len())].trim_end_matches('\n')
}

/// Serde's words for what it found, without its type names.
fn plain(found: &str) -> String {
    let found = found.replace("floating point number", "number").replace("unsigned integer", "number");
    found.replace("signed integer", "number").replace("a sequence", "several values")
}

fn token_length(text: &str) -> usize {
    token(text).len().max(first_char_length(text))
}

fn first_char_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

fn lower_case(error: &Error) -> String {
    let message = error.to_string();
    let mut chars = message.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn offset_of(text: &str, position: Position) -> usize {
    let line_start = match position.line {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(text.len(), |(i, _)| i + 1),
    };
    text[line_start..]
        .char_indices()
        .nth(position.col.saturating_sub(1))
        .map_or(text.len(), |(i, _)| line_start + i)
}
