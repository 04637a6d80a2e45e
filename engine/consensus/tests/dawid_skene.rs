//! Oracle O10: Dawid & Skene 1979, Table 1, and what they and later implementations make of it.

use phalanx_consensus::fusion::dawid_skene::{Hints, Label, Problem, Solution, plurality, solve};

/// Fitness for anaesthesia, from 1 to 4, of 45 patients: three labels by rater 1, one each by raters 2 to 5.
const TABLE: [&str; 45] = [
    "1111111", "3334334", "1122122", "2223121", "2223222", "2223322", "1222111", "3333433", "2222223",
    "2322223", "4444444", "2223343", "1111111", "2223212", "1211111", "1112111", "1111111", "1111111",
    "2222221", "2221322", "2222222", "2222221", "2223222", "2212222", "1111111", "1111111", "2322222",
    "1111111", "1111111", "1121121", "1111111", "3333233", "1111111", "2222222", "2223232", "4334343",
    "2212232", "2323233", "3333432", "1111111", "1111111", "1212111", "2322222", "1211111", "2222222",
];

const PROBLEM: Problem =
    Problem { items: 45, raters: 5, classes: 4, tolerance: 1e-5, iterations_max: 100, smoothing: 0.0 };

fn labels() -> Vec<Label> {
    let rater = |position: usize| position.saturating_sub(2) as u32;
    let row = |(item, row): (usize, &&'static str)| {
        row.bytes().enumerate().map(move |(position, digit)| Label {
            item: item as u32,
            rater: rater(position),
            class: u32::from(digit - b'1'),
        })
    };
    TABLE.iter().enumerate().flat_map(row).collect()
}

fn solved() -> Solution {
    solve(&PROBLEM, &labels(), Hints::default())
}

fn close(measured: f64, expected: f64, tolerance: f64) {
    assert!((measured - expected).abs() <= tolerance, "{measured} against {expected}");
}

#[test]
fn marginals_and_rates() {
    let solution = solved();
    for (measured, expected) in solution.marginals.iter().zip([0.3996, 0.4220, 0.1118, 0.0667]) {
        close(*measured, expected, 0.0005);
    }
    for (class, expected) in [0.889, 0.876, 0.661, 0.444].into_iter().enumerate() {
        close(solution.rate(0, class, class), expected, 0.0006);
    }
}

#[test]
fn log_likelihood_climbs_to_the_published_one() {
    let solution = solved();
    let course = &solution.log_likelihood;
    close(course[0], -205.0911, 0.0005);
    close(course[9], -192.8910, 0.0005);
    close(*course.last().unwrap(), -192.8909, 0.0005);
    assert!(course.windows(2).all(|w| w[1] >= w[0] - 1e-9), "the likelihood never falls: {course:?}");
}

#[test]
fn three_patients_are_not_what_most_raters_say() {
    let solution = solved();
    let differing: Vec<u32> = (0..45)
        .filter(|item| plurality(&PROBLEM, &labels(), *item) != solution.class(*item as usize))
        .map(|item| item + 1)
        .collect();
    assert_eq!(differing, [2, 12, 36]);
}

/// A label that nobody else's rates explain does not make the whole solution undefined.
#[test]
fn few_labels_stay_finite() {
    let problem = Problem { items: 3, raters: 2, classes: 2, smoothing: 1.0, ..PROBLEM };
    let solution = solve(&problem, &[Label { item: 0, rater: 1, class: 1 }], Hints::default());
    assert!(solution.posterior.iter().chain(&solution.rates).all(|x| x.is_finite()));
    assert!(solution.posterior[1] > 0.5, "the only label counts");
    let unlabelled = &solution.posterior[2..4];
    assert!(
        (unlabelled[0] - solution.marginals[0]).abs() < 1e-12,
        "an item without labels gets the marginals"
    );
}
