//! What a person reads of a selftest.

use super::{Effort, Finding, Report, Verdict};
use crate::report::shortened;
use crate::terminal::Style;

const QUANTITY: usize = 54;

/// An aligned table and a line that sums it up.
#[must_use]
pub fn table(report: &Report, style: Style) -> String {
    let mut text = style.dim(&format!(
        "{:4} {:QUANTITY$} {:>11} {:>11} {:>9}  {:7}  {}",
        "", "quantity", "exact", "measured", "std error", "verdict", "source"
    ));
    text.push('\n');
    for finding in &report.checks {
        text += &line(finding, style);
    }
    let (total, missed) = (report.checks.len(), report.missed);
    let effort = match report.effort {
        Effort::Quick => "",
        Effort::Full => ", full",
    };
    let summary = match missed {
        0 => style.good(&format!("all {total} checks are met")),
        _ => style.bad(&format!("{missed} of {total} checks are missed")),
    };
    text + &format!("\n{summary} (seed {}{effort})\n", report.seed)
}

fn line(finding: &Finding, style: Style) -> String {
    // What is drawn and cannot vary has an error of a few roundings.
    let error = match finding.standard_error {
        error if error < 1e-12 => "computed".to_owned(),
        error => figure(error, 2),
    };
    let verdict = match finding.verdict {
        Verdict::Ok => style.good("ok     "),
        Verdict::Miss => style.bad("MISS   "),
    };
    format!(
        "{:4} {:QUANTITY$} {:>11} {:>11} {error:>9}  {verdict}  {}\n",
        finding.id,
        shortened(&finding.quantity, QUANTITY),
        figure(finding.exact, 6),
        figure(finding.measured, 6),
        style.dim(finding.source),
    )
}

/// A number of so many significant digits, in plain notation where that is short.
fn figure(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if (-4..=6).contains(&magnitude) {
        let decimals = (digits as i32 - 1 - magnitude).max(0) as usize;
        let text = format!("{value:.decimals$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.*e}", digits.min(4) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_are_short() {
        let check = |value, expected: &str| assert_eq!(figure(value, 6), expected);
        check(0.896, "0.896");
        check(370.398, "370.398");
        check(1.3655e-8, "1.366e-8");
        check(19800.0, "19800");
        check(0.0, "0");
        check(-192.8909, "-192.891");
        check(f64::NAN, "NaN");
    }
}
