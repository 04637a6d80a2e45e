//! Encoding: records in, features out, by a schema that was learned from training rows.

use phalanx_core::{Feature, FlowBatch, Schema, Truth, Unit};

use crate::Records;

/// Turns records into flows: numbers (with their `log1p`), then one 0/1 feature per category learned.
///
/// The schema comes from training rows alone, so a category that turns up later is all zeros, as a sensor would
/// meet it. Attack names get their numbers in the order in which files are encoded, ascending within a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    schema: Schema,
    numeric: Vec<Feature>,
    /// Name, first feature and ascending categories of every categorical column.
    categorical: Vec<(String, usize, Vec<String>)>,
    labels: Vec<String>,
}

impl Encoder {
    /// Learns the categories of those training rows that `rows` accepts.
    #[must_use]
    pub fn fit(training: &Records, rows: impl Fn(usize) -> bool) -> Self {
        let mut seen: Vec<Vec<bool>> =
            training.dictionaries.iter().map(|d| vec![false; d.names().len()]).collect();
        for row in (0..training.rows()).filter(|row| rows(*row)) {
            for (seen, code) in seen.iter_mut().zip(training.codes(row)) {
                seen[usize::from(*code)] = true;
            }
        }
        let mut features = training.numeric.clone();
        let mut categorical = Vec::with_capacity(seen.len());
        for (column, seen) in seen.iter().enumerate() {
            let names = training.categories(column).iter().zip(seen);
            let mut categories: Vec<String> =
                names.filter(|(_, seen)| **seen).map(|(name, _)| name.clone()).collect();
            categories.sort_unstable();
            let name = training.categorical[column].clone();
            let first = features.len();
            features.extend(categories.iter().map(|c| Feature::raw(&format!("{name}={c}"), Unit::Flag)));
            categorical.push((name, first, categories));
        }
        let schema = Schema::new(features);
        Self { schema, numeric: training.numeric.clone(), categorical, labels: Vec::new() }
    }

    /// The features, in order: numeric columns, then `column=category`, categories ascending.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Attack names of all files encoded so far; [`Truth::campaign`] holds a position in this list.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Encodes all rows.
    ///
    /// # Panics
    /// As [`Encoder::encode_rows`].
    #[must_use]
    pub fn encode(&mut self, records: &Records) -> FlowBatch {
        let rows: Vec<u32> = (0..records.rows() as u32).collect();
        self.encode_rows(records, &rows)
    }

    /// Encodes these rows in this order. The numbering of attacks covers the whole file, whichever the rows.
    ///
    /// # Panics
    /// If the records were read by another map than the training rows, or a row does not exist.
    #[must_use]
    pub fn encode_rows(&mut self, records: &Records, rows: &[u32]) -> FlowBatch {
        let columns = self.categorical.iter().map(|(name, ..)| name);
        assert!(
            self.numeric == records.numeric && columns.eq(&records.categorical),
            "an encoder takes records of the map that it was fitted to"
        );
        let truths = self.truths(records);
        let places = self.places(records);
        let mut batch = FlowBatch::new(self.schema.width());
        let mut features = vec![0.0; self.schema.width()];
        for row in rows {
            let row = *row as usize;
            features.fill(0.0);
            for ((feature, number), column) in
                features.iter_mut().zip(records.numbers(row)).zip(&self.numeric)
            {
                *feature = if column.log1p { signed_log1p(*number) } else { *number };
            }
            for (places, code) in places.iter().zip(records.codes(row)) {
                if let Some(place) = places[usize::from(*code)] {
                    features[place] = 1.0;
                }
            }
            let truth = records.label_codes.get(row).map_or(Truth::BENIGN, |code| truths[usize::from(*code)]);
            batch.push(&features, records.keys[row], truth);
        }
        batch
    }

    /// The truth of every label code of the file.
    fn truths(&mut self, records: &Records) -> Vec<Truth> {
        for attack in records.attacks() {
            if !self.labels.iter().any(|label| label == attack) {
                self.labels.push(attack.to_owned());
            }
        }
        let names = records.labels.names().iter().zip(&records.benign);
        let truth =
            |(name, benign): (&String, &bool)| match self.labels.iter().position(|label| label == name) {
                Some(index) if !benign => Truth::campaign(index as u16),
                _ => Truth::BENIGN,
            };
        names.map(truth).collect()
    }

    /// The feature of every category code of the file, by column; `None` for one that training did not show.
    fn places(&self, records: &Records) -> Vec<Vec<Option<usize>>> {
        let columns = self.categorical.iter().zip(&records.dictionaries);
        let place = |(_, first, categories): &(String, usize, Vec<String>), name: &String| {
            categories.binary_search(name).ok().map(|index| first + index)
        };
        columns.map(|(column, file)| file.names().iter().map(|name| place(column, name)).collect()).collect()
    }
}

/// `sign(x) · ln(1 + |x|)`: most fields are zero, and zero is free.
fn signed_log1p(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { (libm::log1p(f64::from(x.abs())) as f32).copysign(x) }
}
