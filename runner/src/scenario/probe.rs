//! Follows a path of names through a type: which field, variant or element each name is, and how the value at its
//! end reads.
//!
//! The type itself is the map. [`Probe`] is a deserialiser that offers, at every level, exactly the field that the
//! path names; at the end of the path the value's text is read by whatever type asks for it. What the type makes
//! of it does not matter, only how far it got.

use std::cell::RefCell;

use serde::de::value::{Error, StrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde_json::Value;

use super::error::Problem;
use super::path::{same_name, snake_case};
use super::text;
use super::track::Track;
use super::tracker::Tracked;

/// One step from a value to a part of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Into a field of a block.
    Field(&'static str),
    /// Into an entry of a map.
    Key(String),
    /// Into the content of an enum's variant.
    Variant(&'static str),
    /// Into an element of a list.
    Element(usize),
}

impl Step {
    /// The step as a segment of a path.
    pub(super) fn segment(&self) -> String {
        match self {
            Self::Field(name) => (*name).to_owned(),
            Self::Key(name) => name.clone(),
            Self::Variant(name) => snake_case(name),
            Self::Element(index) => index.to_string(),
        }
    }
}

/// What a path leads to.
#[derive(Debug, PartialEq)]
pub(super) struct Target {
    pub(super) steps: Vec<Step>,
    /// The value, as JSON.
    pub(super) value: Value,
}

/// A problem and the path that it is at.
pub(super) type Dead = (String, Problem);

/// Walks `path` through `T` and reads `raw` at its end; `lower` is the value that the path starts from.
pub(super) fn follow<T: DeserializeOwned>(path: &str, raw: &str, lower: &Value) -> Result<Target, Dead> {
    let names: Vec<&str> = path.split('.').collect();
    let trail = RefCell::new(Trail::default());
    // The verdict on a `T` with a single field is of no interest: only what the trail holds is.
    let _ = T::deserialize(Probe { names: &names, raw, lower: Some(lower), trail: &trail });
    let Trail { steps, end } = trail.into_inner();
    match end {
        Some(Ok(value)) => Ok(Target { steps, value }),
        Some(Err(dead)) => Err(dead),
        None => Err((path.to_owned(), Problem::NotAnOverride)),
    }
}

#[derive(Default)]
struct Trail {
    steps: Vec<Step>,
    end: Option<Result<Value, Dead>>,
}

impl Trail {
    fn path(&self) -> String {
        self.steps.iter().map(Step::segment).collect::<Vec<_>>().join(".")
    }
}

#[derive(Clone, Copy)]
struct Probe<'p> {
    names: &'p [&'p str],
    raw: &'p str,
    lower: Option<&'p Value>,
    trail: &'p RefCell<Trail>,
}

impl<'p> Probe<'p> {
    fn fail<T>(self, problem: Problem) -> Result<T, Error> {
        let path = self.trail.borrow().path();
        let path = match &problem {
            Problem::UnknownField { found, .. } | Problem::UnknownVariant { found, .. } => join(&path, found),
            _ => path,
        };
        self.close(Err((path, problem)))
    }

    fn close<T>(self, end: Result<(T, Value), Dead>) -> Result<T, Error> {
        let mut trail = self.trail.borrow_mut();
        match end {
            Ok((value, recorded)) => {
                trail.end.get_or_insert(Ok(recorded));
                Ok(value)
            }
            Err(dead) => {
                trail.end.get_or_insert(Err(dead));
                Err(Error::custom("the path ends here"))
            }
        }
    }

    fn step(self, step: Step) -> Self {
        let lower = self.lower.and_then(|value| match &step {
            Step::Field(name) | Step::Variant(name) => value.get(name),
            Step::Key(name) => value.get(name),
            Step::Element(index) => value.get(index),
        });
        self.trail.borrow_mut().steps.push(step);
        Self { names: &self.names[1..], lower, ..self }
    }

    fn at_end(self) -> bool {
        self.names.is_empty()
    }

    fn field<V: Visitor<'p>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let wanted = self.names[0];
        match fields.iter().copied().find(|name| same_name(name, wanted)) {
            Some(name) => visitor
                .visit_map(OneField { name: Some(name.to_owned()), probe: self.step(Step::Field(name)) }),
            None => self.fail(Problem::UnknownField { found: wanted.to_owned(), names: owned(fields) }),
        }
    }

    /// The value as JSON, if it is a JSON object, list or quoted text.
    fn json(self) -> Option<Value> {
        self.raw.trim_start().starts_with(['{', '[', '"']).then(|| serde_json::from_str(self.raw).ok())?
    }
}

/// Puts a type's request to the text of the value: as JSON if it is that, else as RON.
macro_rules! read_here {
    ($probe:expr, $method:ident, $($argument:expr),+) => {{
        let probe = $probe;
        let track = Track::new();
        let mut out = Value::Null;
        let lower = probe.lower;
        let end = match probe.json() {
            Some(json) => Tracked { inner: json, track: &track, lower, out: &mut out }
                .$method($($argument),+)
                .map_err(|error| (track.path(), Problem::Refused { message: error.to_string() })),
            None => match ron::Deserializer::from_str_with_options(probe.raw, &text::options()) {
                Ok(mut reader) => Tracked { inner: &mut reader, track: &track, lower, out: &mut out }
                    .$method($($argument),+)
                    .and_then(|value| reader.end().map(|()| value))
                    .map_err(|code| text::problem(probe.raw, &track, reader.span_error(code))),
                Err(error) => Err(text::problem(probe.raw, &track, error)),
            },
        };
        let base = probe.trail.borrow().path();
        probe.close(end.map(|value| (value, out)).map_err(|(path, problem)| (join(&base, &path), problem)))
    }};
}

macro_rules! scalars {
    ($($method:ident: $kind:literal),+ $(,)?) => {$(
        fn $method<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.at_end() {
                read_here!(self, $method, visitor)
            } else {
                self.fail(Problem::NoFields { kind: $kind })
            }
        }
    )+};
}

impl<'p> Deserializer<'p> for Probe<'p> {
    type Error = Error;

    scalars! {
        deserialize_bool: "true or false",
        deserialize_i8: "a number",
        deserialize_i16: "a number",
        deserialize_i32: "a number",
        deserialize_i64: "a number",
        deserialize_u8: "a number",
        deserialize_u16: "a number",
        deserialize_u32: "a number",
        deserialize_u64: "a number",
        deserialize_f32: "a number",
        deserialize_f64: "a number",
        deserialize_char: "a character",
    }

    // A type that takes whatever comes, such as a plugin's setting: what is neither number nor flag is text.
    fn deserialize_any<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.at_end() {
            return self.fail(Problem::NoFields { kind: "a single value" });
        }
        let raw = self.raw.trim();
        if raw.starts_with(['"', '(', '[', '{']) || raw.parse::<bool>().is_ok() || raw.parse::<f64>().is_ok()
        {
            return read_here!(self, deserialize_any, visitor);
        }
        let value = visitor.visit_str(self.raw)?;
        self.close(Ok((value, Value::from(self.raw))))
    }

    fn deserialize_map<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(name) = self.names.first() else {
            return read_here!(self, deserialize_map, visitor);
        };
        let name = (*name).to_owned();
        visitor.visit_map(OneField { name: Some(name.clone()), probe: self.step(Step::Key(name)) })
    }

    fn deserialize_string<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.at_end() {
            return self.fail(Problem::NoFields { kind: "text" });
        }
        if self.raw.starts_with('"') {
            return read_here!(self, deserialize_string, visitor);
        }
        // Text needs no quotes here, whatever it looks like.
        let value = visitor.visit_str(self.raw)?;
        self.close(Ok((value, Value::from(self.raw))))
    }

    fn deserialize_str<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_option<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.at_end() && matches!(self.raw.trim(), "None" | "null") {
            let value = visitor.visit_none()?;
            return self.close(Ok((value, Value::Null)));
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'p>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'p>>(self, visitor: V) -> Result<V::Value, Error> {
        let Some(name) = self.names.first() else {
            return read_here!(self, deserialize_seq, visitor);
        };
        let length = self.lower.and_then(Value::as_array).map_or(0, Vec::len);
        match name.parse() {
            Ok(index) if index <= length => {
                visitor.visit_seq(OneElement { probe: Some(self.step(Step::Element(index))) })
            }
            _ => self.fail(Problem::NoSuchElement { found: (*name).to_owned(), length }),
        }
    }

    fn deserialize_struct<V: Visitor<'p>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.at_end() {
            read_here!(self, deserialize_struct, name, fields, visitor)
        } else {
            self.field(fields, visitor)
        }
    }

    fn deserialize_enum<V: Visitor<'p>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Some(wanted) = self.names.first() else {
            return read_here!(self, deserialize_enum, name, variants, visitor);
        };
        match variants.iter().copied().find(|name| same_name(name, wanted)) {
            Some(name) => visitor.visit_enum(OneVariant { name, probe: self.step(Step::Variant(name)) }),
            None => {
                self.fail(Problem::UnknownVariant { found: (*wanted).to_owned(), names: owned(variants) })
            }
        }
    }

    serde::forward_to_deserialize_any! {
        <V: Visitor<'p>>
        i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn join(path: &str, below: &str) -> String {
    [path, below].into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(".")
}

struct OneField<'p> {
    name: Option<String>,
    probe: Probe<'p>,
}

impl<'p> MapAccess<'p> for OneField<'p> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'p>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(name) = self.name.take() else { return Ok(None) };
        let name: StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'p>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.probe)
    }
}

struct OneElement<'p> {
    probe: Option<Probe<'p>>,
}

impl<'p> SeqAccess<'p> for OneElement<'p> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'p>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        self.probe.take().map(|probe| seed.deserialize(probe)).transpose()
    }
}

struct OneVariant<'p> {
    name: &'static str,
    probe: Probe<'p>,
}

impl<'p> EnumAccess<'p> for OneVariant<'p> {
    type Error = Error;
    type Variant = Probe<'p>;

    fn variant_seed<S: DeserializeSeed<'p>>(self, seed: S) -> Result<(S::Value, Probe<'p>), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self.probe))
    }
}

impl<'p> VariantAccess<'p> for Probe<'p> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.fail(Problem::NoFields { kind: "a plain name" })
    }

    fn newtype_variant_seed<S: DeserializeSeed<'p>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'p>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'p>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_struct("", fields, visitor)
    }
}
