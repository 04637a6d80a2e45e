//! What the columns of a flow mean.

/// The unit of a feature *after* its transform; `log1p` marks columns stored as `ln(1 + x)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Packets or flows counted.
    Count,
    /// Per second.
    PerSecond,
    /// Bits of entropy.
    Bits,
    /// A share in `[0, 1]`.
    Share,
    /// 0 or 1: one category of a one-hot encoded column, or a flag.
    Flag,
    /// No unit is known.
    None,
}

/// One column of a [`crate::FlowBatch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Column name, unique in its schema.
    pub name: String,
    /// Unit of the raw value.
    pub unit: Unit,
    /// Whether the stored value is `ln(1 + raw)`.
    pub log1p: bool,
}

impl Feature {
    /// A column stored as it is measured.
    #[must_use]
    pub fn raw(name: &str, unit: Unit) -> Self {
        Self { name: name.to_owned(), unit, log1p: false }
    }

    /// A heavy-tailed column stored as `ln(1 + raw)`.
    #[must_use]
    pub fn log1p(name: &str, unit: Unit) -> Self {
        Self { name: name.to_owned(), unit, log1p: true }
    }
}

/// The columns of all batches of a run, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    features: Vec<Feature>,
}

impl Schema {
    /// A schema of these columns.
    ///
    /// # Panics
    /// If two columns share a name: a schema is made by code or by a checked data map, so that is a bug.
    #[must_use]
    pub fn new(features: Vec<Feature>) -> Self {
        for (i, f) in features.iter().enumerate() {
            assert!(features[..i].iter().all(|g| g.name != f.name), "schema names column {:?} twice", f.name);
        }
        Self { features }
    }

    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.features.len()
    }

    /// The columns in order.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Index of the column of that name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|f| f.name == name)
    }
}
