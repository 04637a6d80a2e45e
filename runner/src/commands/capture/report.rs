//! What `runner capture inspect` prints of a file.

use std::path::Path;

use phalanx_capture::{Compression, FeatureRange, Inspection, Tally, utc};

use crate::report::{count, shortened};
use crate::terminal::Style;

/// Columns of a terminal that a report fits into.
const WIDTH: usize = 80;
/// Labels and protocols that are told by name.
const KINDS_TOLD: usize = 20;
/// Features that are told; archives may have thousands.
const FEATURES_TOLD: usize = 100;
/// A file whose first flow began in 1970 has no dates.
const YEAR_US: i64 = 365 * 86_400 * 1_000_000;
/// The report of `inspect`.
pub(super) fn report(file: &Path, found: &Inspection, style: Style) -> String {
    let mut text = String::new();
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    text += &format!("{}\n", style.bold(&shortened(&shown(&name), WIDTH)));
    let mut fact = |name: &str, value: &str| text += &format!("  {name:<14}{value}\n");
    fact("format", &shortened(&shown(&found.format), WIDTH - 16));
    fact("compression", compression(found.compression));
    fact("rows", &count(found.rows));
    if let (Some(first), Some(last)) = (found.first_us, found.last_us) {
        fact("from", &format!("{} UTC", utc(first)));
        fact("to", &format!("{} UTC", utc(last)));
        let counted =
            if (0..YEAR_US).contains(&first) { "  (times seem to count from its start)" } else { "" };
        fact("span", &format!("{}{counted}", span(last.saturating_sub(first))));
    }
    for (one_in, records) in &found.tally.sampled {
        let rate = if *one_in == 0 {
            "at other rates".to_owned()
        } else {
            format!("1 in {} packets", count(u64::from(*one_in)))
        };
        fact("sampled", &format!("{rate} ({} records): counters are of these alone", count(*records)));
    }

    let labels: Vec<(&str, u64)> = found.labels.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    if labels.is_empty() {
        text += &format!("\n{}\n  none in this file\n", style.heading("labels"));
    } else {
        text += &counted("labels", &most_first(labels), found.rows, style);
        let malicious = count(found.malicious);
        text += &format!("  {:<40}{malicious:>14}{}\n", "= malicious", share(found.malicious, found.rows));
    }
    let protocols: Vec<(&str, u64)> = found.protocols.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    text += &counted("protocols", &most_first(protocols), found.rows, style);
    let alerts: Vec<(String, u64)> =
        found.alerts.iter().map(|(name, n)| (without_middle(&shown(name), 39), *n)).collect();
    let alerts = alerts.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    text += &counted("rules hit", &most_first(alerts), found.rows, style);
    let heading = if found.top_talkers_exact { "top talkers" } else { "top talkers (at least)" };
    let talkers: Vec<(&str, u64)> =
        found.top_talkers.iter().map(|talker| (talker.address.as_str(), talker.flows)).collect();
    text += &counted(heading, &talkers, found.rows, style);
    text += &features(&found.features, style);
    text += &match dropped(&found.tally, found.clipped, found.background, style) {
        none if none.is_empty() => format!("\n{}\n  nothing\n", style.heading("dropped or replaced")),
        dropped => format!("\n{dropped}"),
    };
    text
}

fn compression(compression: Compression) -> &'static str {
    match compression {
        Compression::Plain => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    }
}

fn most_first(mut counts: Vec<(&str, u64)>) -> Vec<(&str, u64)> {
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}

/// Names with their rows and the share of all; nothing if there is no name.
fn counted(heading: &str, counts: &[(&str, u64)], rows: u64, style: Style) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let header = format!("{:>14}{:>11}", "rows", "share");
    let mut text = format!("\n{}{}\n", style.heading(&format!("{heading:<42}")), style.dim(&header));
    let line = |name: &str, n| format!("  {name:<40}{:>14}{}\n", count(n), share(n, rows));
    for (name, n) in counts.iter().take(KINDS_TOLD) {
        text += &line(&shortened(&shown(name), 39), *n);
    }
    if let Some(rest) = counts.get(KINDS_TOLD..).filter(|rest| !rest.is_empty()) {
        text += &line(&format!("{} others (see --json)", rest.len()), rest.iter().map(|(_, n)| n).sum());
    }
    text
}

fn share(n: u64, rows: u64) -> String {
    if rows == 0 { String::new() } else { format!("{:>9.2} %", 100.0 * n as f64 / rows as f64) }
}

fn features(features: &[FeatureRange], style: Style) -> String {
    if features.is_empty() {
        return String::new();
    }
    let header = format!("{:>12} {:>11} {:>11} {:>11}", "known", "min", "mean", "max");
    let mut text = format!("\n{}{}\n", style.heading(&format!("{:<32}", "features")), style.dim(&header));
    for feature in features.iter().take(FEATURES_TOLD) {
        let told = |x| if feature.known == 0 { "–".to_owned() } else { number(x) };
        text += &format!(
            "  {:<29} {:>12} {:>11} {:>11} {:>11}\n",
            shortened(&shown(&feature.name), 29),
            count(feature.known),
            told(feature.min),
            told(feature.mean),
            told(feature.max),
        );
    }
    if features.len() > FEATURES_TOLD {
        text += &format!("  {} others (see --json)\n", features.len() - FEATURES_TOLD);
    }
    text
}

/// What was not taken as it is, and why; nothing if everything was.
pub(super) fn dropped(tally: &Tally, clipped: u64, background: u64, style: Style) -> String {
    let line = |what: &str, n: u64| match n {
        0 => String::new(),
        n => format!("  {:<48}{:>14}\n", shortened(what, 47), count(n)),
    };
    let mut text = line("skipped: records that cannot be read", tally.skipped);
    if let Some(reason) = tally.skipped_first.first() {
        text += &wrapped(&format!("the first: {}", shown(reason)), "    ");
    }
    for (kind, n) in &tally.left_out {
        let remedy = if kind == "alert" { " (--eve alerts reads them)" } else { "" };
        text += &line(&format!("left out: {}{remedy}", shown(kind)), *n);
    }
    text += &line("not replayed: Background, Unknown (no truth)", background);
    text += &line("IPv6: kept, without addresses", tally.ipv6);
    text += &line("clipped: numbers that are not finite", clipped);
    if text.is_empty() { text } else { format!("{}\n{text}", style.heading("dropped or replaced")) }
}

/// Text in lines that fit, cut within a word (a path, say) only where it is longer than a line.
fn wrapped(text: &str, indent: &str) -> String {
    let room = WIDTH - indent.len();
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let last = lines.last_mut().expect("there is a line");
            let used = last.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.len() <= room {
                last.extend(" ".repeat(gap).chars().chain(word));
                break;
            }
            if used == 0 {
                last.extend(word.drain(..room));
            }
            lines.push(String::new());
        }
    }
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}

/// Text out of a file, as a terminal may show it: what would move the cursor or turn the line is escaped.
pub(super) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' => safe.push(c),
            c => safe.extend(c.escape_debug()),
        }
    }
    safe
}

/// At most so many characters: names of rules differ at their ends.
fn without_middle(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    text.chars().take(head).chain(['…']).chain(text.chars().skip(length - tail)).collect()
}

/// At most 11 characters: whole numbers in full, others with three decimals, very large and small ones as powers.
fn number(x: f64) -> String {
    let size = x.abs();
    if x.fract() == 0.0 && size < 1e8 {
        let sign = if x < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(size as u64))
    } else if (1e-3..1e6).contains(&size) {
        format!("{x:.3}")
    } else {
        format!("{x:.3e}")
    }
}

/// A duration in its two largest units.
fn span(us: i64) -> String {
    let whole_s = us / 1_000_000;
    let (days, hours, minutes) = (whole_s / 86_400, whole_s / 3600 % 24, whole_s / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{:.3} s", us as f64 / 1e6),
        (0, 0, minutes) => format!("{minutes} min {} s", whole_s % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |x: f64, expected: &str| {
            assert_eq!(number(x), expected);
            assert!(expected.len() <= 11, "{expected}");
        };
        check(0.0, "0");
        check(-99_999_999.0, "-99,999,999");
        check(-999_999.999_4, "-999999.999");
        check(1e8, "1.000e8");
        check(0.000_5, "5.000e-4");
        check(-1.5e-300, "-1.500e-300");
    }

    #[test]
    fn names_keep_their_ends() {
        assert_eq!(without_middle("IP group 89", 11), "IP group 89");
        assert_eq!(without_middle("IP addresses, group 89", 11), "IP ad…up 89");
    }

    #[test]
    fn spans_are_rough() {
        let check = |s: i64, expected: &str| assert_eq!(span(s * 1_000_000), expected);
        check(0, "0.000 s");
        check(61, "1 min 1 s");
        check(86_399, "23 h 59 min");
        check(90_000, "1 d 1 h");
    }

    #[test]
    fn lines_fit_whatever_a_file_holds() {
        assert_eq!(shown("a\u{1b}[2J\u{202e}'\"é"), "a\\u{1b}[2J\\u{202e}'\"é");
        let long = "x".repeat(200);
        let text = format!("one {long} two");
        let lines = wrapped(&text, "    ");
        assert!(
            lines
                .lines()
                .all(|line| line.len() <= WIDTH && line.starts_with("    x") | line.starts_with("    one")),
            "{lines}"
        );
        assert_eq!(lines.split_whitespace().collect::<String>(), text.replace(' ', ""));
    }
}
