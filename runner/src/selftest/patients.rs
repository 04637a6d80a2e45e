//! The data of Dawid & Skene 1979, table 1: five anaesthetists on the fitness of 45 patients.

use phalanx_consensus::fusion::dawid_skene::{Label, Problem};

/// Fitness from 1 to 4: three labels by rater 1, one each by raters 2 to 5.
const TABLE: [&str; 45] = [
    "1111111", "3334334", "1122122", "2223121", "2223222", "2223322", "1222111", "3333433", "2222223",
    "2322223", "4444444", "2223343", "1111111", "2223212", "1211111", "1112111", "1111111", "1111111",
    "2222221", "2221322", "2222222", "2222221", "2223222", "2212222", "1111111", "1111111", "2322222",
    "1111111", "1111111", "1121121", "1111111", "3333233", "1111111", "2222222", "2223232", "4334343",
    "2212232", "2323233", "3333432", "1111111", "1111111", "1212111", "2322222", "1211111", "2222222",
];

pub(crate) const PROBLEM: Problem =
    Problem { items: 45, raters: 5, classes: 4, tolerance: 1e-5, iterations_max: 100, smoothing: 0.0 };

pub(crate) fn labels() -> Vec<Label> {
    let row = |(item, row): (usize, &&'static str)| {
        row.bytes().enumerate().map(move |(position, digit)| Label {
            item: item as u32,
            rater: position.saturating_sub(2) as u32,
            class: u32::from(digit - b'1'),
        })
    };
    TABLE.iter().enumerate().flat_map(row).collect()
}
