//! Numbers that know their bounds, so that a wrong one is refused where it stands in the file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// The largest count a scenario may ask for; agents and sequence numbers have to fit 32 bits with room to spare.
const COUNT_MAX: u32 = 1 << 30;

/// A share or probability in `[0, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Fraction(f64);

/// A finite number above 0.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct PositiveReal(f64);

/// A finite number of 0 or more.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NonNegative(f64);

/// A count of at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Positive(u32);

macro_rules! bounded_real {
    ($name:ident, $holds:expr, $expected:literal, $schema:tt) => {
        impl $name {
            #[doc = concat!("Wraps ", $expected, ".\n\n# Panics\nIf `value` is anything else.")]
            #[must_use]
            pub fn new(value: f64) -> Self {
                let holds: fn(f64) -> bool = $holds;
                assert!(holds(value), concat!("expected ", $expected));
                Self(value)
            }

            /// The number.
            #[must_use]
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = f64::deserialize(deserializer)?;
                let holds: fn(f64) -> bool = $holds;
                if holds(value) {
                    Ok(Self(value))
                } else {
                    Err(D::Error::custom(format!(concat!("{} is out of range: expected ", $expected), value)))
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

bounded_real!(
    Fraction,
    |x| (0.0..=1.0).contains(&x),
    "a number from 0 to 1",
    { "type": "number", "minimum": 0, "maximum": 1 }
);
bounded_real!(
    PositiveReal,
    |x| x > 0.0 && x.is_finite(),
    "a finite number above 0",
    { "type": "number", "exclusiveMinimum": 0 }
);
bounded_real!(
    NonNegative,
    |x| x >= 0.0 && x.is_finite(),
    "a finite number of 0 or more",
    { "type": "number", "minimum": 0 }
);

impl Positive {
    /// Wraps a count.
    ///
    /// # Panics
    /// If it is 0 or above 2^30.
    #[must_use]
    pub fn new(count: u32) -> Self {
        assert!((1..=COUNT_MAX).contains(&count), "expected a whole number from 1 to {COUNT_MAX}");
        Self(count)
    }

    /// The count.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        match u32::try_from(value) {
            Ok(count) if (1..=COUNT_MAX).contains(&count) => Ok(Self(count)),
            _ => Err(D::Error::custom(format!(
                "{value} is out of range: expected a whole number from 1 to {COUNT_MAX}"
            ))),
        }
    }
}

impl JsonSchema for Positive {
    fn schema_name() -> Cow<'static, str> {
        "Positive".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": COUNT_MAX })
    }
}
