//! What a person reads of a comparison: aligned, 100 columns, `–` where a figure is undefined.

use super::{BestFeature, Direction, NamedDetector, Quality, Split, Spread, Timing};
use crate::report::{count, number, shortened, undefined};
use crate::terminal::Style;

const NAME: usize = 32;

/// Detectors with their figures, chance and the best single feature below them.
#[must_use]
pub fn quality_table(
    file: &str,
    split: &Split,
    best: Option<&BestFeature>,
    rows: &[(&NamedDetector, Quality)],
    style: Style,
) -> String {
    let mut text = heading(file, split, style);
    text += &style.dim(&format!(
        "{:NAME$} {:>13} {:>15} {:>14} {:>9} {:>10}",
        "detector", "ROC-AUC", "avg precision", "TPR @ 1 % FPR", "fit ms", "rows/s"
    ));
    text.push('\n');
    for (detector, quality) in rows {
        text += &format!(
            "{:NAME$} {:>13} {:>15} {:>14} {:>9} {:>10}\n",
            shortened(&detector.text(), NAME),
            spread(quality.roc_auc),
            spread(quality.average_precision),
            spread(quality.tpr_at_1_percent_fpr),
            milliseconds(quality.fit_ms),
            rate(quality.rows_per_s),
        );
    }
    let bar = |name: &str, figures: [Option<f64>; 3]| {
        let [auc, precision, rate] = figures.map(|x| spread(Spread { mean: x, sd: None }));
        let line = format!("{:NAME$} {auc:>13} {precision:>15} {rate:>14}", shortened(name, NAME));
        style.dim(line.trim_end()) + "\n"
    };
    if let Some(best) = best {
        let end = match best.direction {
            Direction::High => "high",
            Direction::Low => "low",
        };
        let figures = [best.roc_auc, best.average_precision, best.tpr_at_1_percent_fpr];
        let name = shortened(&best.name, NAME - "best feature: , high".len());
        text += &bar(&format!("best feature: {name}, {end}"), figures.map(Some));
        text += &bar("chance (precision: prevalence)", [0.5, split.prevalence(), 0.01].map(Some));
    } else {
        let kind = if split.anomalous[0] { "anomalous" } else { "benign" };
        text += &format!(
            "All rows to score are {kind}: there is nothing to rank, and the figures are undefined.\n"
        );
    }
    if best.is_some_and(|best| best.roc_auc == 1.0) {
        text +=
            "One feature alone tells the rows apart. If it is another label, leave it out with --ignore.\n";
    }
    text
}

/// Detectors with what they cost.
#[must_use]
pub fn timing_table(
    file: &str,
    split: &Split,
    rounds: u32,
    rows: &[(&NamedDetector, Timing)],
    style: Style,
) -> String {
    let mut text = heading(file, split, style);
    let title = format!("median and best of {rounds} interleaved rounds, processor time, one thread");
    text += &style.dim(&title);
    text.push('\n');
    text += &style.dim(&format!(
        "{:NAME$} {:>13} {:>9} {:>15} {:>12}",
        "detector", "fit ms", "best", "rows/CPU-s", "best"
    ));
    text.push('\n');
    for (detector, timing) in rows {
        text += &format!(
            "{:NAME$} {:>13} {:>9} {:>15} {:>12}\n",
            shortened(&detector.text(), NAME),
            milliseconds(timing.fit_ms.median),
            milliseconds(timing.fit_ms.best),
            rate(timing.rows_per_s.median),
            rate(timing.rows_per_s.best),
        );
    }
    text
}

fn heading(file: &str, split: &Split, style: Style) -> String {
    let title = format!(
        "{} · {} rows × {} features · {} anomalous",
        shortened(file, 40),
        count(split.test_rows() as u64),
        count(split.features.len() as u64),
        count(split.anomalous.iter().filter(|anomalous| **anomalous).count() as u64),
    );
    let learnt = match split.is_unsupervised() {
        true => "fitted to the rows that are scored, labels unseen".to_owned(),
        false => format!("fitted to {} benign rows", count(split.train_rows() as u64)),
    };
    format!("{}\n{}\n\n", style.bold(&title), style.dim(&learnt))
}

/// `0.978 ± 0.004`; the mean alone where there is nothing to vary.
fn spread(spread: Spread) -> String {
    match (spread.mean, spread.sd) {
        (None, _) => undefined(),
        // As wide as with a deviation, so that the means are aligned.
        (mean, None) => format!("{}        ", number(mean, 3)),
        (mean, sd) => format!("{} ± {}", number(mean, 3), number(sd, 3)),
    }
}

fn milliseconds(value: f64) -> String {
    let digits = if value < 100.0 { 2 } else { 0 };
    number(Some(value), digits)
}

/// In thousands where they are many; undefined where the clock did not move.
fn rate(per_second: f64) -> String {
    match per_second {
        x if !x.is_finite() => undefined(),
        x if x >= 1e7 => format!("{} k", count((x / 1e3) as u64)),
        x => count(x as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_aligned() {
        let both = spread(Spread { mean: Some(0.97812), sd: Some(0.0041) });
        let alone = spread(Spread { mean: Some(0.5), sd: None });
        assert_eq!((both.as_str(), alone.as_str()), ("0.978 ± 0.004", "0.500        "));
        assert_eq!(both.chars().count(), alone.chars().count());
        assert_eq!(spread(Spread { mean: None, sd: None }), "–");
    }

    #[test]
    fn rates_are_short() {
        let rates = [123.4, 9_999_999.0, 124_688_279.0, f64::INFINITY].map(rate);
        assert_eq!(rates, ["123", "9,999,999", "124,688 k", "–"]);
    }
}
