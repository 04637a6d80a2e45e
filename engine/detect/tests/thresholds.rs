//! What threshold policies promise, on real benign traffic and where the truth is known.

#[allow(dead_code, reason = "every test takes its own part")]
mod data;

use std::io::Read;
use std::path::Path;

use phalanx_core::{Purpose, Stream, Streams, Tick, maths};
use phalanx_detect::{
    Calibration, Clause, ColumnKind, Comparison, Confusion, Detector, FitScratch, ForestConfig,
    IsolationForest, Rule, RuleDetector, Scaling, ThresholdPolicy, Transform, TransformedDetector, ZScore,
    roc_auc,
};

fn stream(seed: u64) -> Stream {
    Streams::from_seed(seed).stream(Purpose::Model, 0, Tick(0))
}

fn scores(detector: &dyn Detector, rows: &[f32]) -> Vec<f64> {
    let mut scores = Vec::new();
    detector.score(rows, &mut scores).unwrap();
    scores
}

/// The 38 numeric columns of the normal rows of NSL-KDD's training file, and the service of each.
fn normals(folder: &Path) -> (Vec<f32>, usize, Vec<String>) {
    let (mut rows, mut services) = (Vec::new(), Vec::new());
    for fields in data::table(&folder.join("nsl-kdd/KDDTrain+_20Percent.txt.gz")) {
        // Columns 1 to 3 are protocol, service and flag; 41 is the attack's name.
        if fields[41] == "normal" {
            let numeric = fields[..41].iter().enumerate().filter(|(i, _)| !(1..4).contains(i));
            rows.extend(numeric.map(|(_, field)| field.parse::<f32>().expect("a number")));
            services.push(fields[2].clone());
        }
    }
    (rows, 38, services)
}

/// The connection states of a labelled Zeek `conn.log` as flags, one column for each of `states`, and the truth; rows
/// labelled neither malicious nor benign are left out.
fn zeek_states(path: &Path, states: &[&str]) -> (Vec<f32>, Vec<bool>) {
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("a log");
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("gzip of text");
    let split = |line: &str| -> Vec<String> { line.split_ascii_whitespace().map(str::to_owned).collect() };
    let header = split(text.lines().find_map(|line| line.strip_prefix("#fields")).expect("a header"));
    let column = |name: &str| header.iter().position(|field| field == name).expect("a column");
    let (state, label) = (column("conn_state"), column("label"));
    let (mut rows, mut anomalous) = (Vec::new(), Vec::new());
    for fields in text.lines().filter(|line| !line.starts_with('#')).map(split) {
        if matches!(fields[label].as_str(), "Malicious" | "Benign") {
            rows.extend(states.iter().map(|s| f32::from(u8::from(*s == fields[state]))));
            anomalous.push(fields[label] == "Malicious");
        }
    }
    (rows, anomalous)
}

/// A forest of logarithms.
fn forest(rows: &[f32], width: usize, rng: &mut Stream) -> TransformedDetector<IsolationForest> {
    let transform = Transform::fit(rows, &vec![ColumnKind::Log1p; width], Scaling::None).unwrap();
    let inner = transform.apply(rows).unwrap();
    let forest =
        IsolationForest::fit(&inner, width, &ForestConfig::default(), rng, &mut FitScratch::default())
            .unwrap();
    TransformedDetector::new(transform, forest).unwrap()
}

/// False-positive rate on `test` benign scores at a cut set on `count` others, mean and standard error over splits.
fn false_positives(
    pool: &mut [f64],
    policy: ThresholdPolicy,
    count: usize,
    test: usize,
    rng: &mut Stream,
) -> [f64; 2] {
    let rates: Vec<f64> = (0..400)
        .map(|_| {
            rng.partial_shuffle(pool, count + test);
            let threshold = policy.fit(&pool[..count]).unwrap();
            let mut flags = Vec::new();
            threshold.flag(&pool[count..count + test], &mut flags);
            flags.iter().filter(|flag| **flag).count() as f64 / test as f64
        })
        .collect();
    let mean = maths::mean(&rates).unwrap();
    let squares: Vec<f64> = rates.iter().map(|r| (r - mean) * (r - mean)).collect();
    [mean, maths::sum(&squares).sqrt() / rates.len() as f64]
}

#[test]
fn conformal_keeps_its_promise_on_real_benign_traffic() {
    let Some(folder) = data::folder() else { return };
    let (benign, width, _) = normals(&folder);
    let (train, rest) = benign.split_at(4000 * width);
    let mut rng = stream(1);
    let detectors: [(&str, Box<dyn Detector>); 2] = [
        ("forest", Box::new(forest(train, width, &mut rng))),
        ("z-score", Box::new(ZScore::fit(train, width).unwrap())),
    ];
    for (name, detector) in detectors {
        let mut pool = scores(&*detector, rest);
        for count in [20, 99, 250, 999] {
            for alpha in [0.01, 0.02, 0.05, 0.1] {
                let [rate, error] =
                    false_positives(&mut pool, ThresholdPolicy::Conformal { alpha }, count, 1000, &mut rng);
                // Exact for scores without ties: the expected rate is this, at most alpha.
                let promised = (alpha * (count + 1) as f64 + 1e-9).floor() / (count + 1) as f64;
                println!("{name}, {count} scores at {alpha}: {rate:.5} ± {error:.5}, promised {promised:.5}");
                assert!(
                    rate <= promised + 4.0 * error,
                    "{name}: {rate} ± {error} at {alpha} by {count} scores"
                );
                assert!(
                    rate >= 0.7 * promised - 4.0 * error,
                    "{name} wastes its share: {rate} of {promised}"
                );
            }
        }
        // The plain quantile of few scores breaks it: 20 scores and 5 % give (1 + 19 · .05) / 21 = 9 %.
        let [rate, error] =
            false_positives(&mut pool, ThresholdPolicy::Quantile { contamination: 0.05 }, 20, 1000, &mut rng);
        assert!(rate > 0.05 + 4.0 * error, "{name}: {rate} ± {error} by a quantile");
    }
}

#[test]
fn a_fitted_tail_reaches_rates_that_counting_cannot() {
    // Of normal deviates the rate at the cut is known exactly: one in 10,000 by 1,000 scores.
    let mut rng = stream(2);
    let rates: Vec<f64> = (0..200)
        .map(|_| {
            let calibration: Vec<f64> = (0..1000).map(|_| rng.normal()).collect();
            let policy = ThresholdPolicy::PeaksOverThreshold { q: 1e-4, level: 0.95 };
            1.0 - maths::normal_cdf(policy.fit(&calibration).unwrap().cut())
        })
        .collect();
    let mut sorted = rates.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = sorted[100];
    println!(
        "peaks over threshold at 1e-4: median rate {median:.2e}, mean {:.2e}",
        maths::mean(&rates).unwrap()
    );
    assert!((3e-5..3e-4).contains(&median), "{median}");
    let calibration: Vec<f64> = (0..1000).map(|_| rng.normal()).collect();
    let conformal = ThresholdPolicy::Conformal { alpha: 1e-4 }.fit(&calibration).unwrap();
    assert_eq!(conformal.cut(), f64::INFINITY);
}

#[test]
fn benjamini_hochberg_controls_the_false_discovery_rate() {
    // Batches of 180 benign and 20 anomalous scores, N(0, 1) and N(3, 1), each with calibration scores of its own.
    let mut rng = stream(3);
    for alpha in [0.05, 0.1, 0.2] {
        let (mut shares, mut found) = (Vec::new(), 0);
        for _ in 0..400 {
            let calibration: Vec<f64> = (0..2000).map(|_| rng.normal()).collect();
            let threshold = ThresholdPolicy::FalseDiscovery { alpha }.fit(&calibration).unwrap();
            let batch: Vec<f64> = (0..200).map(|i| rng.normal() + if i < 20 { 3.0 } else { 0.0 }).collect();
            let (mut flags, mut confusion) = (Vec::new(), Confusion::default());
            threshold.flag(&batch, &mut flags);
            flags.iter().enumerate().for_each(|(i, flag)| confusion.add(*flag, i < 20));
            shares.push(1.0 - confusion.precision().unwrap_or(1.0));
            found += confusion.true_positive;
        }
        let rate = maths::mean(&shares).unwrap();
        let squares: Vec<f64> = shares.iter().map(|s| (s - rate) * (s - rate)).collect();
        let error = maths::sum(&squares).sqrt() / 400.0;
        let power = found as f64 / 8000.0;
        println!("Benjamini-Hochberg at {alpha}: FDR {rate:.4} ± {error:.4}, power {power:.3}");
        // Nine tenths are benign, so the rate is .9 alpha.
        assert!(rate <= 0.9 * alpha + 4.0 * error, "{rate} ± {error} at {alpha}");
        assert!(power > 0.5, "{power} at {alpha}");
    }
}

#[test]
fn calibrated_scores_carry_over_between_services() {
    // baselines.md §5 on the normals of NSL-KDD: ten agents that each see every tenth service fit their own forests.
    let Some(folder) = data::folder() else { return };
    let (rows, width, services) = normals(&folder);
    let mut names = services.clone();
    names.sort();
    names.dedup();
    let agent = |i: usize| names.binary_search(&services[i]).unwrap() % 10;
    let pick = |order: &[usize]| -> Vec<f32> {
        order.iter().flat_map(|i| &rows[i * width..(i + 1) * width]).copied().collect()
    };
    let of = |part: &[usize], number: usize| -> Vec<f32> {
        pick(&part.iter().copied().filter(|i| agent(*i) == number).collect::<Vec<_>>())
    };
    let mut benign: Vec<usize> = (0..services.len()).collect();
    let mut rng = stream(5);
    rng.shuffle(&mut benign);
    let (train, held_out) = benign.split_at(benign.len() / 2);
    let (shared, test) = held_out.split_at(held_out.len() / 2);
    let test = pick(test);
    let (mut local, mut calibrated) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let own = of(train, number);
        if own.len() < 50 * width {
            continue;
        }
        let forest = forest(&own, width, &mut rng);
        let cut =
            ThresholdPolicy::Quantile { contamination: 0.01 }.fit(&scores(&forest, &own)).unwrap().cut();
        // Every agent counts the model's scores over its own held-out rows; only counts travel.
        let mut common = Calibration::default();
        for other in 0..10 {
            let mut counts = Calibration::default();
            counts.add_all(&scores(&forest, &of(shared, other)));
            common.merge(&counts);
        }
        let found = scores(&forest, &test);
        let rate = |cut: f64| found.iter().filter(|score| **score > cut).count() as f64 / found.len() as f64;
        local.push(rate(cut));
        calibrated.push(rate(common.cut(0.01)));
    }
    println!("false-positive rates of {} agents at a nominal .01", local.len());
    println!("local {local:.3?}\ncalibrated {calibrated:.4?}");
    let (local, calibrated) = (maths::mean(&local).unwrap(), maths::mean(&calibrated).unwrap());
    println!("means {local:.4} and {calibrated:.4}");
    assert!(local > 0.03, "local cut-offs flag {local}");
    assert!((0.005..0.015).contains(&calibrated), "calibrated cut-offs flag {calibrated}");
}

#[test]
fn the_rule_of_unanswered_connections() {
    // baselines.md §4, trivial baselines: "conn_state in S0, REJ, RSTOS0".
    let states = ["S0", "REJ", "RSTOS0"];
    let flag = |feature| Clause { feature, comparison: Comparison::Equal, limit: 1.0 };
    let rule = RuleDetector::new(3, vec![Rule::Any((0..3).map(flag).collect())]).unwrap();
    let Some(folder) = data::folder() else { return };
    let check = |file: &str, tpr: f64, fpr: f64, auc: f64| {
        let (rows, anomalous) = zeek_states(&folder.join("zeek").join(file), &states);
        let scores = scores(&rule, &rows);
        let mut confusion = Confusion::default();
        scores.iter().zip(&anomalous).for_each(|(score, anomalous)| confusion.add(*score > 0.5, *anomalous));
        let got = [confusion.recall(), confusion.fpr(), roc_auc(&scores, &anomalous)].map(Option::unwrap);
        let close = got.iter().zip([tpr, fpr, auc]).all(|(a, b)| (a - b).abs() < 0.0006);
        assert!(close, "{file}: {got:.4?}");
    };
    check("host167_day1_conn.log.labeled.gz", 0.970, 0.016, 0.977);
    check("host165_day1_conn.log.labeled.gz", 0.966, 0.034, 0.966);
    check("host234_day2_conn.log.labeled.gz", 0.970, 0.037, 0.967);
    check("ctu_botnet4_conn.log.labeled.gz", 0.904, 0.102, 0.901);
}

#[test]
fn cuts_are_pinned() {
    // Recorded once; these are results, so a change of any is a change that users see.
    let mut rng = stream(7);
    let calibration: Vec<f64> = (0..1000).map(|_| rng.beta(2.0, 5.0)).collect();
    let cut = |policy: ThresholdPolicy| policy.fit(&calibration).unwrap().cut().to_bits();
    let cuts = [
        cut(ThresholdPolicy::Quantile { contamination: 0.013 }),
        cut(ThresholdPolicy::Conformal { alpha: 0.013 }),
        cut(ThresholdPolicy::PeaksOverThreshold { q: 1e-4, level: 0.95 }),
    ];
    let pinned = [0x3fe5_c5ae_0ca8_3c25, 0x3fe5_ffeb_e246_928f, 0x3fec_e67a_12c1_771b];
    assert_eq!(cuts, pinned, "{cuts:#018x?}");
}
