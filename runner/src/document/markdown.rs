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
    out += "| configuration | n |";
    FIGURES.iter().for_each(|(name, ..)| out += &format!(" {name} |"));
    out += "\n|---|--:|";
    FIGURES.iter().for_each(|_| out += "--:|");
    out.push('\n');
    for group in g.groups.iter().take(ROWS) {
        let label = if group.label.is_empty() { &g.manifest.name } else { &group.label };
        let _ =
            write!(out, "| {} | {} |", label.replace('|', "\\|"), group.figures[0].len() - group.failures);
        for (values, (_, _, digits)) in group.figures.iter().zip(FIGURES) {
            let values: Vec<f64> = values.iter().flatten().copied().collect();
            let Spread { mean, half, .. } = Spread::of(&values);
            let half = half.map_or_else(String::new, |half| format!(" ± {half:.digits$}"));
            let _ = write!(out, " {}{half} |", number(mean, digits));
        }
        out.push('\n');
    }
    if g.groups.len() > ROWS {
        let _ = writeln!(out, "\n… and {} more configurations in `summary.csv`.", g.groups.len() - ROWS);
    }
    let _ = writeln!(out, "\nFingerprint `{}` · intervals are 95 %, Student t", &g.fingerprint[..16]);
    out
}
