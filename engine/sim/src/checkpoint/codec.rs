//! How values become bytes and come back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use phalanx_core::{AgentId, FlowKey, Indicator, Signature, SignatureId, Tick, Truth, Vote};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The part that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Bytes in the making.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Signatures that were written, by their number.
    told: BTreeMap<SignatureId, u32>,
}

impl Writer {
    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Plain data.
    pub(crate) fn plain(&mut self, value: &impl Serialize) {
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes = postcard::to_extend(value, bytes).expect("plain data in memory has an encoding");
    }

    fn signature(&mut self, signature: &Signature) {
        let next = self.told.len() as u32;
        match self.told.get(&signature.id).copied() {
            Some(number) => self.plain(&number),
            None => {
                self.told.insert(signature.id, next);
                self.plain(&next);
                self.plain(signature);
            }
        }
    }
}

/// Bytes that are read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    told: Vec<Arc<Signature>>,
}

impl<'a> Reader<'a> {
    /// From the first byte on.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, told: Vec::new() }
    }

    /// Plain data.
    pub(crate) fn plain<T: DeserializeOwned>(&mut self) -> Result<T, Malformed> {
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| Malformed(std::any::type_name::<T>()))?;
        self.rest = rest;
        Ok(value)
    }

    /// A number of items, each of which takes a byte at least.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count: u64 = self.plain()?;
        usize::try_from(count).ok().filter(|n| *n <= self.rest.len()).ok_or(Malformed("length of a list"))
    }

    /// Whether everything was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn signature(&mut self) -> Result<Arc<Signature>, Malformed> {
        let number: u32 = self.plain()?;
        if number as usize == self.told.len() {
            let signature = self.plain()?;
            self.told.push(Arc::new(signature));
        }
        self.told.get(number as usize).map(Arc::clone).ok_or(Malformed("a signature's number"))
    }
}

/// A value that a checkpoint holds as a whole.
pub(crate) trait Saved: Sized {
    /// Appends it.
    fn save(&self, out: &mut Writer);

    /// Reads it.
    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed>;
}

/// Part of a world that was built from the scenario, of which a checkpoint holds what ticks have changed.
pub(crate) trait State {
    /// Appends what ticks have changed.
    fn save_state(&self, out: &mut Writer);

    /// Takes over what was appended.
    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed>;
}

/// Implements [`Saved`] for a struct by its fields, all of them.
macro_rules! saved {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::checkpoint::Saved for $type {
            fn save(&self, out: &mut $crate::checkpoint::Writer) {
                let Self { $($field),+ } = self;
                $($crate::checkpoint::Saved::save($field, out);)+
            }

            fn load(
                input: &mut $crate::checkpoint::Reader<'_>,
            ) -> Result<Self, $crate::checkpoint::Malformed> {
                $(let $field = $crate::checkpoint::Saved::load(input)?;)+
                Ok(Self { $($field),+ })
            }
        }
    };
}

/// Implements [`State`] for a struct: fields that are `kept`, and fields that are `found` again, because they are built
/// from the scenario or because nobody reads them before they are written.
macro_rules! state {
    ($type:ident { kept: [$($kept:ident),* $(,)?], found: [$($found:ident),* $(,)?] }) => {
        impl $crate::checkpoint::State for $type {
            fn save_state(&self, out: &mut $crate::checkpoint::Writer) {
                let Self { $($kept,)* $($found: _,)* } = self;
                $($crate::checkpoint::Saved::save($kept, out);)*
            }

            fn restore_state(
                &mut self,
                input: &mut $crate::checkpoint::Reader<'_>,
            ) -> Result<(), $crate::checkpoint::Malformed> {
                let Self { $($kept,)* $($found: _,)* } = self;
                $(*$kept = $crate::checkpoint::Saved::load(input)?;)*
                Ok(())
            }
        }
    };
}

/// Implements [`Saved`] for types that serde knows all about.
macro_rules! plain {
    ($($type:ty),+ $(,)?) => {
        $(impl Saved for $type {
            fn save(&self, out: &mut Writer) {
                out.plain(self);
            }

            fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                input.plain()
            }
        })+
    };
}

pub(crate) use {saved, state};

plain!(bool, u8, u16, u32, u64, f32, f64, String, [u8; 32]);
plain!(
    AgentId,
    FlowKey,
    Indicator,
    SignatureId,
    Tick,
    Truth,
    Vote,
    phalanx_core::Fingerprint,
    phalanx_core::Outcome
);
plain!(phalanx_consensus::Memory, phalanx_consensus::Trust, phalanx_consensus::TrackRecord);
plain!(phalanx_detect::Confusion, phalanx_detect::ScoreHistogram);
plain!(crate::network::Rumour, crate::summary::Plugins, crate::summary::HostWarnings);

/// In 64 bits, whatever the machine.
impl Saved for usize {
    fn save(&self, out: &mut Writer) {
        out.plain(&(*self as u64));
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        usize::try_from(input.plain::<u64>()?).map_err(|_| Malformed("a count"))
    }
}

impl Saved for Arc<Signature> {
    fn save(&self, out: &mut Writer) {
        out.signature(self);
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.signature()
    }
}

impl<T: Saved> Saved for Option<T> {
    fn save(&self, out: &mut Writer) {
        out.plain(&self.is_some());
        if let Some(value) = self {
            value.save(out);
        }
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        input.plain::<bool>()?.then(|| T::load(input)).transpose()
    }
}

fn save_all<'a, T: Saved + 'a>(items: impl ExactSizeIterator<Item = &'a T>, out: &mut Writer) {
    out.plain(&(items.len() as u64));
    items.for_each(|item| item.save(out));
}

fn load_all<T: Saved, C: FromIterator<T>>(input: &mut Reader<'_>) -> Result<C, Malformed> {
    (0..input.count()?).map(|_| T::load(input)).collect()
}

macro_rules! lists {
    ($($list:ty),+ $(,)?) => {
        $(impl<T: Saved> Saved for $list {
            fn save(&self, out: &mut Writer) {
                save_all(self.iter(), out);
            }

            fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
                load_all(input)
            }
        })+
    };
}

lists!(Vec<T>, VecDeque<T>, Box<[T]>, Arc<[T]>);

impl<T: Saved + Ord> Saved for BTreeSet<T> {
    fn save(&self, out: &mut Writer) {
        save_all(self.iter(), out);
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        load_all(input)
    }
}

impl<K: Saved + Ord, V: Saved> Saved for BTreeMap<K, V> {
    fn save(&self, out: &mut Writer) {
        out.plain(&(self.len() as u64));
        for (key, value) in self {
            key.save(out);
            value.save(out);
        }
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        (0..input.count()?).map(|_| Ok((K::load(input)?, V::load(input)?))).collect()
    }
}

impl<A: Saved, B: Saved> Saved for (A, B) {
    fn save(&self, out: &mut Writer) {
        self.0.save(out);
        self.1.save(out);
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok((A::load(input)?, B::load(input)?))
    }
}

impl<T: Saved, const N: usize> Saved for [Vec<T>; N] {
    fn save(&self, out: &mut Writer) {
        self.iter().for_each(|list| list.save(out));
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        let lists = (0..N).map(|_| Vec::load(input)).collect::<Result<Vec<_>, _>>()?;
        lists.try_into().map_err(|_| Malformed("a fixed number of lists"))
    }
}
