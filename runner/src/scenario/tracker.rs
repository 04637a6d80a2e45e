//! A deserialiser around a deserialiser that knows where it stands.
//!
//! Formats report a line, types report what they expected, and neither knows the path of the field. This wrapper
//! passes everything through and, on the way,
//! - keeps the path of the value that is being read, so that an error has one,
//! - records what was read as JSON (enums externally tagged), so that layers can be merged and shown,
//! - supplies what the text leaves out from a lower layer, so that `latency: (max_ticks: 3)` keeps the other
//!   field of the layer below,
//! - can be told to stop at a path, which makes the format report the line and column of that path.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde_json::{Map, Number, Value};

use super::path;
use super::track::{Stopped, Track, Wanted};

/// The wrapper. `out` receives the record of what was read.
pub(super) struct Tracked<'t, D> {
    pub(super) inner: D,
    pub(super) track: &'t Track,
    pub(super) lower: Option<&'t Value>,
    pub(super) out: &'t mut Value,
}

impl<'t, D> Tracked<'t, D> {
    fn watch<V>(self, visitor: V) -> (D, Watch<'t, V>) {
        (self.inner, Watch { visitor, track: self.track, lower: self.lower, out: self.out })
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tracked<'_, D> {
    type Error = D::Error;

    // Scalars are read by what stands in the text, not by what is wanted: the wanted type then says itself what
    // is wrong with a `2.5`, where the format would complain about a missing comma.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::Scalar)?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_any(watch)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_option(watch)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_newtype_struct(name, watch)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::List)?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_seq(watch)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::List)?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_tuple(len, watch)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::List)?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_tuple_struct(name, len, watch)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::Map)?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_map(watch)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::Struct)?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_struct(name, fields, watch)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.track.arrive(Wanted::Enum(variants))?;
        let (inner, watch) = self.watch(visitor);
        inner.deserialize_enum(name, variants, watch)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }
}

struct Watch<'t, V> {
    visitor: V,
    track: &'t Track,
    lower: Option<&'t Value>,
    out: &'t mut Value,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watch<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<V::Value, E> {
        *self.out = Value::Bool(value);
        self.visitor.visit_bool(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<V::Value, E> {
        *self.out = value.into();
        self.visitor.visit_i64(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<V::Value, E> {
        *self.out = value.into();
        self.visitor.visit_u64(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<V::Value, E> {
        let number = Number::from_f64(value)
            .ok_or_else(|| E::custom(format!("{value} is out of range: expected a finite number")))?;
        *self.out = Value::Number(number);
        self.visitor.visit_f64(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<V::Value, E> {
        *self.out = value.into();
        self.visitor.visit_str(value)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        *self.out = Value::Null;
        self.visitor.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        *self.out = Value::Null;
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { visitor, track, lower, out } = self;
        visitor.visit_some(Tracked { inner, track, lower, out })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let Self { visitor, track, lower, out } = self;
        visitor.visit_newtype_struct(Tracked { inner, track, lower, out })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let mut items = Vec::new();
        let value = self.visitor.visit_seq(Items { inner, track: self.track, items: &mut items })?;
        *self.out = Value::Array(items);
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let mut fields = Map::new();
        let lower = self.lower.and_then(Value::as_object);
        let reader = Fields {
            inner,
            track: self.track,
            lower,
            fields: &mut fields,
            key: String::new(),
            rest: None,
            fed: None,
        };
        let value = self.visitor.visit_map(reader)?;
        *self.out = Value::Object(fields);
        Ok(value)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Name { inner, track: self.track, lower: self.lower, out: self.out })
    }
}

struct Items<'t, A> {
    inner: A,
    track: &'t Track,
    items: &'t mut Vec<Value>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let mut out = Value::Null;
        self.track.push(self.items.len().to_string());
        let seed = Inside { seed, track: self.track, lower: None, out: &mut out };
        let value = self.inner.next_element_seed(seed)?;
        self.track.pop();
        if value.is_some() {
            self.items.push(out);
        }
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Fields<'t, A> {
    inner: A,
    track: &'t Track,
    lower: Option<&'t Map<String, Value>>,
    fields: &'t mut Map<String, Value>,
    key: String,
    // Fields of the lower layer, once the text has no more.
    rest: Option<serde_json::map::Iter<'t>>,
    fed: Option<&'t Value>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        if self.rest.is_none() {
            // The seed is spent on the text's next key; only at its end is a second one needed, which is why
            // the key is read before it is known whether there is one.
            let mut seed = Some(seed);
            let found = self.inner.next_key_seed(Key { seed: &mut seed, name: &mut self.key })?;
            if found.is_some() {
                return Ok(found);
            }
            self.rest = Some(self.lower.unwrap_or(empty()).iter());
            return match seed {
                Some(seed) => self.feed(seed),
                None => Ok(None),
            };
        }
        self.feed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if let Some(value) = self.fed.take() {
            return seed.deserialize(value.clone()).map_err(A::Error::custom);
        }
        let mut out = Value::Null;
        self.track.push(self.key.clone());
        let lower = self.lower.and_then(|fields| fields.get(&self.key));
        let value = self.inner.next_value_seed(Inside { seed, track: self.track, lower, out: &mut out })?;
        self.track.pop();
        self.fields.insert(std::mem::take(&mut self.key), out);
        Ok(value)
    }
}

impl<A> Fields<'_, A> {
    fn feed<'de, S, E>(&mut self, seed: S) -> Result<Option<S::Value>, E>
    where
        S: DeserializeSeed<'de>,
        E: serde::de::Error,
    {
        let Some(rest) = &mut self.rest else { return Ok(None) };
        let Some((key, value)) = rest.find(|(key, _)| !self.fields.contains_key(*key)) else {
            return Ok(None);
        };
        self.fed = Some(value);
        let key: serde::de::value::StrDeserializer<'_, E> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }
}

fn empty() -> &'static Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    &EMPTY
}

struct Name<'t, A> {
    inner: A,
    track: &'t Track,
    lower: Option<&'t Value>,
    out: &'t mut Value,
}

impl<'de, 't, A: EnumAccess<'de>> EnumAccess<'de> for Name<'t, A> {
    type Error = A::Error;
    type Variant = Content<'t, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let mut name = String::new();
        let (value, inner) = self.inner.variant_seed(Key { seed: &mut Some(seed), name: &mut name })?;
        self.track.push(path::snake_case(&name));
        self.track.mark(Stopped::AfterName)?;
        let lower = self.lower.and_then(|tagged| tagged.get(&name));
        Ok((value, Content { inner, track: self.track, lower, out: self.out, name }))
    }
}

struct Content<'t, A> {
    inner: A,
    track: &'t Track,
    lower: Option<&'t Value>,
    out: &'t mut Value,
    name: String,
}

impl<A> Content<'_, A> {
    fn finish(track: &Track, out: &mut Value, name: String, content: Value) {
        track.pop();
        *out = Value::Object(Map::from_iter([(name, content)]));
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Content<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()?;
        self.track.pop();
        *self.out = Value::String(self.name);
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let mut content = Value::Null;
        let seed = Inside { seed, track: self.track, lower: self.lower, out: &mut content };
        let value = self.inner.newtype_variant_seed(seed)?;
        Self::finish(self.track, self.out, self.name, content);
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let mut content = Value::Null;
        let watch = Watch { visitor, track: self.track, lower: self.lower, out: &mut content };
        let value = self.inner.tuple_variant(len, watch)?;
        Self::finish(self.track, self.out, self.name, content);
        Ok(value)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let mut content = Value::Null;
        self.track.want(Wanted::Struct);
        let watch = Watch { visitor, track: self.track, lower: self.lower, out: &mut content };
        let value = self.inner.struct_variant(fields, watch)?;
        Self::finish(self.track, self.out, self.name, content);
        Ok(value)
    }
}

struct Inside<'t, S> {
    seed: S,
    track: &'t Track,
    lower: Option<&'t Value>,
    out: &'t mut Value,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Inside<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Tracked { inner, track: self.track, lower: self.lower, out: self.out })
    }
}

/// Reads the name of a field or variant and keeps it. The seed stays where it is if there is no name.
struct Key<'t, S> {
    seed: &'t mut Option<S>,
    name: &'t mut String,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let seed = self.seed.take().ok_or_else(|| D::Error::custom("a name was read twice"))?;
        seed.deserialize(KeyText { inner, name: self.name })
    }
}

struct KeyText<'t, D> {
    inner: D,
    name: &'t mut String,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for KeyText<'_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(KeyVisitor { visitor, name: self.name })
    }

    // The keys of a map are texts, in quotes; the names of fields and variants are not.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(KeyVisitor { visitor, name: self.name })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct KeyVisitor<'t, V> {
    visitor: V,
    name: &'t mut String,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for KeyVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<V::Value, E> {
        value.clone_into(self.name);
        self.visitor.visit_str(value)
    }
}
