//! The same in Markdown, short enough for a comment.

use std::fmt::Write as _;

use super::FIGURES;
use super::gather::Gathered;
use super::html::lead;
use crate::report::number;
use crate::statistics::Spread;

/// Rows of the table.
const ROWS: usize = 40;

/// The comment of a campaign.
#[must_use]
pub fn comment(g: &Gathered) -> String {
    let mut out = format!("### {}\n\n{}\n\n", g.manifest.name, lead(g));
    if !g.failed.is_empty() {
        let first = &g.failed[0];
        let _ =
            writeln!(out, "**{} runs failed**, the first: run {}: {}\n", g.failed.len(), first.0, first.1);
    }
    let names = || FIGURES.iter().map(|(name, ..)| *name);
    head(&mut out, ["configuration", "n"].into_iter().chain(names()));
    for group in g.groups.iter().take(ROWS) {
        let label = if group.label.is_empty() { &g.manifest.name } else { &group.label };
        let _ = write!(out, "| {} | {} |", escape(label), group.figures[0].len() - group.failures);
        for (values, (_, _, digits)) in group.figures.iter().zip(FIGURES) {
            let values: Vec<f64> = values.iter().flatten().copied().collect();
            let _ = write!(out, " {} |", cell(&Spread::of(&values), digits));
        }
        out.push('\n');
    }
    if g.groups.len() > ROWS {
        let _ = writeln!(out, "\n… and {} more configurations in `summary.csv`.", g.groups.len() - ROWS);
    }
    effects(&mut out, g);
    differences(&mut out, g);
    sensitivity(&mut out, g);
    let _ = writeln!(out, "\nFingerprint `{}` · intervals are 95 %, Student t", &g.fingerprint[..16]);
    out
}

/// A table's first two lines; all columns but the first are numbers.
fn head<'a>(out: &mut String, names: impl Iterator<Item = &'a str>) {
    let mut rule = "|---|".to_owned();
    out.push('|');
    for (i, name) in names.enumerate() {
        let _ = write!(out, " {name} |");
        if i > 0 {
            rule += "--:|";
        }
    }
    let _ = writeln!(out, "\n{rule}");
}

/// A mean with its half-width.
fn cell(spread: &Spread, digits: usize) -> String {
    let half = spread.half.map_or_else(String::new, |half| format!(" ± {half:.digits$}"));
    number(spread.mean, digits) + &half
}

fn escape(label: &str) -> String {
    label.replace('|', "\\|")
}

/// Means by factor and level. With one factor, the configurations are its levels.
fn effects(out: &mut String, g: &Gathered) {
    if g.effects.len() < 2 {
        return;
    }
    *out += "\n#### Factors: means over all runs with that level\n\n";
    head(out, ["factor", "level"].into_iter().chain(FIGURES.iter().map(|(name, ..)| *name)));
    for (by_figure, path) in g.effects.iter().zip(&g.factors) {
        for (index, level) in by_figure[0].iter().enumerate().take(ROWS) {
            let _ = write!(out, "| {} | {} |", escape(path), escape(&level.level));
            for (of_levels, (_, _, digits)) in by_figure.iter().zip(FIGURES) {
                let text = of_levels.get(index).map_or_else(String::new, |l| cell(&l.spread, digits));
                let _ = write!(out, " {text} |");
            }
            out.push('\n');
        }
    }
}

fn differences(out: &mut String, g: &Gathered) {
    if g.differences.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n#### Differences to {}, replicate by replicate\n\nBoth had the same seeds. Bold: the 95 % interval leaves 0 out.\n",
        g.groups[0].label
    );
    head(out, ["configuration", "pairs"].into_iter().chain(FIGURES.iter().map(|(name, ..)| *name)));
    for configuration in 1..g.groups.len().min(ROWS) {
        let of = |figure| g.differences.iter().find(|d| (d.0, d.1) == (configuration, figure));
        let Some(pairs) = (0..FIGURES.len()).filter_map(of).map(|(_, _, n, _)| *n).max() else { continue };
        let _ = write!(out, "| {} | {pairs} |", escape(&g.groups[configuration].label));
        for (figure, (_, _, digits)) in FIGURES.iter().enumerate() {
            let text = of(figure).map_or_else(String::new, |(.., spread)| {
                let text = cell(spread, *digits);
                if spread.leaves_out_zero() { format!("**{text}**") } else { text }
            });
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
}

fn sensitivity(out: &mut String, g: &Gathered) {
    if !g.elementary.is_empty() {
        *out += "\n#### Elementary effects (Morris)\n\nμ* is the mean absolute effect of crossing a factor's range; a σ as \
                 large as μ* tells of interactions.\n\n";
        head(out, ["figure", "factor", "μ", "μ*", "σ"].into_iter());
        for (effects, (name, _, digits)) in g.elementary.iter().zip(FIGURES) {
            for (effect, path) in effects.iter().zip(&g.factors) {
                let [mean, absolute] = [&effect.mean, &effect.absolute].map(|spread| cell(spread, digits));
                let sd = number(effect.mean.sd, digits);
                let _ = writeln!(out, "| {name} | {path} | {mean} | {absolute} | {sd} |");
            }
        }
    }
    if g.shares.iter().any(Option::is_some) {
        *out += "\n#### Shares of variance (Sobol)\n\nWith 95 % bootstrap intervals. First: the factor alone; total: with all \
                 its interactions.\n\n";
        head(out, ["figure", "factor", "first", "total"].into_iter());
        for (shares, (name, ..)) in g.shares.iter().zip(FIGURES) {
            for (share, path) in shares.iter().flatten().zip(&g.factors) {
                let [first, total] = [share.first, share.total]
                    .map(|[x, low, high]| format!("{x:.3} ({low:.3} to {high:.3})"));
                let _ = writeln!(out, "| {name} | {path} | {first} | {total} |");
            }
        }
    }
}
