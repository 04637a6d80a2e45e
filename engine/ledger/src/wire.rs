//! Reading and writing the canonical encoding: big-endian integers, lengths before contents, one way to write
//! each value.

/// Why bytes are not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the bytes end inside {field}: {needed} more needed, {left} left; the entry was cut off")]
    Truncated {
        /// The field being read.
        field: &'static str,
        /// Bytes that the field still takes.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// Bytes follow the last field.
    #[error(
        "{count} bytes follow the last field; two entries were joined or the length before them is wrong"
    )]
    Trailing {
        /// Number of bytes too many.
        count: usize,
    },
    /// No entry has this kind byte.
    #[error("entry kind {kind} is unknown; read it with the engine version that genesis names")]
    UnknownKind {
        /// The kind byte.
        kind: u8,
    },
    /// The kind is known, the version of its layout is not.
    #[error("entry kind {kind} has no version {version}; read it with the engine version that genesis names")]
    UnknownVersion {
        /// The kind byte.
        kind: u8,
        /// The version byte.
        version: u8,
    },
    /// A value is written in a way that the encoder never writes it.
    #[error("{field} is not in canonical form; no version of the engine writes it so")]
    NonCanonical {
        /// The field being read.
        field: &'static str,
    },
}

/// Takes fields off the front of a slice.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn slice(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], DecodeError> {
        let left = self.left();
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(DecodeError::Truncated {
            field,
            needed: len.saturating_sub(left),
            left,
        })?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let taken = self.slice(field, N)?;
        Ok(taken.try_into().expect("the slice is N bytes long"))
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(crate) fn f32(&mut self, field: &'static str) -> Result<f32, DecodeError> {
        canonical_float(self.array(field)?).ok_or(DecodeError::NonCanonical { field })
    }

    /// A `u32` count and that many items of `item_bytes` each, as one slice. The length is checked before
    /// anything is allocated for it.
    pub(crate) fn counted(
        &mut self,
        field: &'static str,
        item_bytes: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let count = self.u32(field)? as usize;
        self.slice(field, count.saturating_mul(item_bytes))
    }

    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count }),
        }
    }
}

/// The float that is written as these bytes, if it is written so.
pub(crate) fn canonical_float(bytes: [u8; 4]) -> Option<f32> {
    let bits = u32::from_be_bytes(bytes);
    let value = f32::from_bits(bits);
    (canonical_bits(value) == bits).then_some(value)
}

/// The bits that stand for a float: `-0.0` is written as `0.0` and every NaN as one. Which zero `max` returns
/// and which NaN an operation makes differ between processors, and a root may not.
pub(crate) fn canonical_bits(value: f32) -> u32 {
    if value.is_nan() {
        0x7fc0_0000
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

/// Writes a `u32` length.
///
/// # Panics
/// If `len` does not fit: nothing that becomes an entry is 4 GiB long.
pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("a field of an entry is shorter than 4 GiB");
    out.extend_from_slice(&len.to_be_bytes());
}
