//! O13 and O14: what a forest normalises by, and how long charts wait for an alarm.

use phalanx_core::{Stream, maths};
use phalanx_detect::{
    Baseline, Cusum, CusumConfig, Ewma, EwmaConfig, Side, StreamingDetector, average_path_length, roc_auc,
};

use super::{Check, Estimate};

const LIU: &str = "Liu et al. 2008, exact harmonic";
const MONTGOMERY: &str = "Montgomery 2009, table 9.4";
const NORMAL: &str = "normal tail";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (n, exact) in [(3, 5.0 / 3.0), (4, 13.0 / 6.0), (256, 10.248_690)] {
        let quantity = format!("isolation forest, c({n})");
        checks.push(
            Check::new("O13", quantity, LIU, exact, move |_| Estimate::computed(average_path_length(n)))
                .within(1e-6),
        );
        let depth = format!("mean leaf depth of random search trees of {n}");
        checks.push(
            Check::new("O13", depth, LIU, exact, move |t| t.mean(4000, |s| leaf_depth(n, s))).within(1e-6),
        );
    }
    for (separation, exact) in [(1.0, 0.760_250), (2.0, 0.921_350), (3.0, 0.983_053)] {
        let quantity = format!("ROC-AUC of two normals {separation} sd apart");
        checks.push(
            Check::new("O13", quantity, "Phi(d' / sqrt 2)", exact, move |t| {
                t.mean(40, |s| area(separation, s))
            })
            .within(1e-6),
        );
    }
    for (shift, exact) in [(0.0, 370.398), (1.0, 43.895)] {
        let quantity = format!("3-sigma chart: rows until an alarm, shift {shift}");
        checks.push(
            Check::new("O14", quantity, NORMAL, exact, move |t| {
                let config = EwmaConfig { lambda: 1.0 };
                let chart = Ewma::new(BASELINE.to_vec(), config).expect("the baseline is valid");
                t.mean(4000, |s| run_length(chart.clone(), 0.75, shift, s))
            })
            .within(5e-4),
        );
    }
    for (limit, shift, exact) in [(4.0, 0.0, 335.4), (4.0, 1.0, 8.38), (5.0, 0.0, 930.9), (5.0, 1.0, 10.38)] {
        let quantity = format!("CUSUM k 0.5 h {limit}: rows until an alarm, shift {shift}");
        checks.push(
            Check::new("O14", quantity, MONTGOMERY, exact, move |t| {
                let config = CusumConfig { slack: 0.5, side: Side::Upper };
                let chart = Cusum::new(BASELINE.to_vec(), config).expect("the baseline is valid");
                t.mean(3000, |s| run_length(chart.clone(), limit / (1.0 + limit), shift, s))
            })
            .within(0.01 * exact),
        );
    }
    checks
}

const BASELINE: [Baseline; 1] = [Baseline { mean: 0.0, sd: 1.0 }];

/// Rows, standard normal but for the shift of their mean, until one scores above the limit.
fn run_length(mut chart: impl StreamingDetector, limit: f64, shift: f64, stream: &mut Stream) -> f64 {
    let mut rows = [0.0f32; 16];
    let mut scores = Vec::new();
    let mut seen = 0;
    loop {
        rows.fill_with(|| (stream.normal() + shift) as f32);
        chart.score_then_update(&rows, &mut scores).expect("rows are finite");
        if let Some(first) = scores.iter().position(|score| *score > limit) {
            return f64::from(seen + first as u32 + 1);
        }
        seen += 16;
    }
}

/// Mean depth of the places where a search among `n` keys, in a search tree of `n - 1` random ones, can end.
fn leaf_depth(n: u32, stream: &mut Stream) -> f64 {
    // A tree of m keys has m + 1 leaves; its root is any of the keys.
    fn depths(keys: u32, depth: u32, stream: &mut Stream) -> u64 {
        if keys == 0 {
            return u64::from(depth);
        }
        let left = stream.below(keys);
        depths(left, depth + 1, stream) + depths(keys - 1 - left, depth + 1, stream)
    }
    depths(n - 1, 0, stream) as f64 / f64::from(n)
}

fn area(separation: f64, stream: &mut Stream) -> f64 {
    let anomalous: Vec<bool> = (0..2000).map(|i| i % 2 == 0).collect();
    let score = |bad: &bool| {
        // By inversion of a uniform draw, as all normal draws here.
        maths::normal_quantile(stream.uniform_open()) + if *bad { separation } else { 0.0 }
    };
    let scores: Vec<f64> = anomalous.iter().map(score).collect();
    roc_auc(&scores, &anomalous).expect("there are rows of both kinds")
}
