//! What a person reads after a run: aligned, 80 columns, `–` where a figure is undefined.

use std::path::Path;

use phalanx_sim::summary::{CampaignSummary, Warnings};

use crate::record::{RunRecord, Status, Timing};
use crate::size::Bytes;
use crate::statistics::Statistic;
use crate::terminal::Style;

const LABEL: usize = 18;
const CELL: usize = 19;
const PER_LINE: usize = 3;

/// One named figure.
type Cell = (&'static str, String);

/// The report of one run. `ledger` is the folder of its ledger, if it is kept.
#[must_use]
pub fn run(record: &RunRecord, ledger: Option<&Path>, style: Style) -> String {
    let mut text = heading(record, style);
    for (label, cells) in blocks(record) {
        block(&mut text, label, &cells, style);
    }
    if let Some(warnings) = &record.warnings {
        hosts(&mut text, warnings, style);
    }
    campaigns(&mut text, &record.campaigns, style);
    ledger_block(&mut text, record, ledger, style);
    if let Some(timing) = &record.timing {
        block(&mut text, "speed", &speed(timing), style);
    }
    text
}

/// Figures of the table of configurations: heading, column, digits.
const KEY_FIGURES: [(&str, &str, usize); 5] = [
    ("F1", "detection.f1", 3),
    ("ROC-AUC", "detection.roc_auc", 3),
    ("confirmed", "signatures.confirmed", 1),
    ("gain", "time_to_detect.gain", 2),
    ("KiB sent", "network.bytes", 1),
];

/// The same where all agents judge all flows: areas under the ROC curve.
const OPINIONS: [(&str, &str, usize); 5] = [
    ("F1", "detection.f1", 3),
    ("AUC alone", "opinions.alone_mean_roc_auc", 3),
    ("worst alone", "opinions.alone_worst_roc_auc", 3),
    ("mean of scores", "opinions.together_roc_auc", 3),
    ("confirmed", "signatures.confirmed", 1),
];

/// The report of several runs: a line a run if they are few, then a line a configuration with means and half-widths
/// of their 95 % intervals; of a single configuration all figures.
#[must_use]
pub fn campaign(
    name: &str,
    runs: u32,
    records: &[RunRecord],
    configurations: &[Vec<Statistic>],
    hidden: u32,
    style: Style,
) -> String {
    let mut text = style.bold(&format!(
        "{name} · {} of {}",
        counted(u64::from(runs), "run"),
        counted(configurations.len() as u64 + u64::from(hidden), "configuration")
    ));
    text += "\n\n";
    if !records.is_empty() {
        each_run(&mut text, records, style);
        text.push('\n');
    }
    if let ([only], 0) = (configurations, hidden) {
        text +=
            &style.dim(&format!("{:<34} {:>5} {:>12} {:>12} {:>12}", "figure", "n", "mean", "± 95 %", "sd"));
        text.push('\n');
        for s in only.iter().filter(|s| !s.metric.starts_with("campaigns.")) {
            let (mean, half, sd) = (number(s.mean, 4), number(half_width(s), 4), number(s.sd, 4));
            text += &format!("{:<34} {:>5} {mean:>12} {half:>12} {sd:>12}\n", s.metric, s.n);
        }
        return text;
    }
    let asked = configurations.iter().flatten().any(|s| s.metric.starts_with("opinions."));
    let figures = if asked { OPINIONS } else { KEY_FIGURES };
    let headings: String = figures.iter().map(|(name, ..)| format!(" {name:>15}")).collect();
    text += &style.dim(&format!("{:>5} {:>4}{headings}  {}", "conf", "n", "parameters"));
    text.push('\n');
    for statistics in configurations {
        let Some(first) = statistics.first() else { continue };
        let figures: String = figures
            .iter()
            .map(|(_, metric, digits)| {
                let scale = if *metric == "network.bytes" { 1024.0 } else { 1.0 };
                let found = statistics.iter().find(|s| s.metric == *metric);
                let mean = number(found.and_then(|s| s.mean).map(|x| x / scale), *digits);
                let half = found
                    .and_then(half_width)
                    .map_or_else(String::new, |x| format!(" ±{:.digits$}", x / scale));
                format!(" {:>15}", mean + &half)
            })
            .collect();
        let n = statistics.iter().map(|s| s.n).max().unwrap_or(0);
        let failures =
            if first.failures > 0 { format!("  ({} failed)", first.failures) } else { String::new() };
        text += &format!("{:>5} {n:>4}{figures}  {}{failures}\n", first.configuration, parameters(first));
    }
    if hidden > 0 {
        text += &style.dim(&format!("  … and {} more in summary.csv", count(u64::from(hidden))));
        text.push('\n');
    }
    text
}

fn half_width(s: &Statistic) -> Option<f64> {
    s.ci95_high.zip(s.mean).map(|(high, mean)| high - mean)
}

/// `quorum=0.6 loss=0.1`: the last part of each path is enough for a person.
fn parameters(s: &Statistic) -> String {
    let short = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => shortened(&other.to_string(), 24),
    };
    s.params.iter().map(|(path, v)| format!("{}={}", short(path), value(v))).collect::<Vec<_>>().join(" ")
}

fn each_run(text: &mut String, records: &[RunRecord], style: Style) {
    *text += &style.dim(&format!(
        "{:>5} {:>20} {:>12} {:>8} {:>8} {:>8} {:>8}",
        "run", "seed", "status", "F1", "ROC-AUC", "gain", "wall s"
    ));
    text.push('\n');
    for record in records {
        let detection = record.detection.as_ref();
        *text += &format!(
            "{:>5} {:>20} {:>12} {:>8} {:>8} {:>8} {:>8}\n",
            record.run_id,
            record.seed,
            status(record.status),
            share(detection.and_then(|d| d.f1)),
            share(detection.and_then(|d| d.roc_auc)),
            number(record.time_to_detect.as_ref().and_then(|t| t.gain), 2),
            number(record.timing.map(|t| t.wall_s), 2),
        );
    }
}

fn heading(record: &RunRecord, style: Style) -> String {
    let title = format!(
        "{} · seed {} · {} agents × {} ticks",
        record.scenario,
        record.seed,
        count(u64::from(record.agents)),
        count(u64::from(record.ticks))
    );
    let status = match record.status {
        Status::Ok => style.good("ok"),
        other => style.bad(status(other)),
    };
    format!("{} · {status}\n\n", style.bold(&title))
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::Timeout => "out of time",
        Status::Interrupted => "interrupted",
    }
}

fn blocks(record: &RunRecord) -> Vec<(&'static str, Vec<Cell>)> {
    let mut blocks: Vec<(&'static str, Vec<Cell>)> = Vec::new();
    if let Some(d) = &record.detection {
        blocks.push((
            "detection",
            vec![
                ("flows", count(d.flows)),
                ("anomalous", count(d.anomalous)),
                ("flagged", count(d.flagged)),
                ("precision", share(d.precision)),
                ("recall", share(d.recall)),
                ("F1", share(d.f1)),
                ("ROC-AUC", share(d.roc_auc)),
                ("avg precision", share(d.average_precision)),
                ("FPR", number(d.fpr, 4)),
            ],
        ));
    }
    if let Some(s) = &record.signatures {
        blocks.push((
            "signatures",
            vec![
                ("reported", count(s.reported)),
                ("confirmed", count(s.confirmed)),
                ("rejected", count(s.rejected)),
                ("undecided", count(s.undecided)),
                ("precision", share(s.precision)),
                ("recall", share(s.recall)),
            ],
        ));
    }
    if let Some(c) = &record.consensus {
        blocks.push((
            "consensus",
            vec![
                ("median ticks", number(c.latency_p50, 1)),
                ("p95 ticks", number(c.latency_p95, 1)),
                ("unsafe", count(c.safety_failures)),
            ],
        ));
    }
    if let Some(t) = &record.time_to_detect {
        blocks.push((
            "time to detect",
            vec![
                ("alone median", number(t.local_median, 1)),
                ("shared median", number(t.shared_median, 1)),
                ("gain", number(t.gain, 2)),
                ("alone p95", number(t.local_p95, 1)),
                ("shared p95", number(t.shared_p95, 1)),
                ("in", "ticks".to_owned()),
            ],
        ));
    }
    if let Some(s) = &record.sharing {
        blocks.push((
            "sharing",
            vec![
                ("caught", count(s.caught)),
                ("blocked", count(s.blocked)),
                ("of it benign", count(s.blocked_benign)),
                ("own precision", share(s.local_precision)),
                ("own recall", share(s.local_recall)),
                ("own F1", share(s.local_f1)),
            ],
        ));
    }
    if let Some(o) = &record.opinions {
        blocks.push((
            "all opinions",
            vec![
                ("AUC alone", share(o.alone_mean_roc_auc)),
                ("worst", share(o.alone_worst_roc_auc)),
                ("shared", share(o.together_roc_auc)),
            ],
        ));
    }
    if let Some(w) = &record.warnings {
        blocks.push(("early warning", warned(w)));
    }
    if let Some(n) = &record.network {
        let bytes = Bytes(n.bytes).to_string();
        blocks.push((
            "network",
            vec![("messages", count(n.messages)), ("bytes", bytes), ("lost", count(n.lost))],
        ));
    }
    if let Some(t) = &record.trust {
        blocks.push(("trust", vec![("separation", number(t.separation, 3))]));
    }
    blocks
}

/// Of attacking flows and of first contacts, those from addresses that had attacked another agent before.
fn warned(w: &Warnings) -> Vec<Cell> {
    let share = |part: u64, whole: u64| match whole {
        0 => undefined(),
        whole => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    };
    vec![
        ("attack flows", count(w.flows)),
        ("prewarned", count(w.prewarned_flows)),
        ("share", share(w.prewarned_flows, w.flows)),
        ("contacts", count(w.contacts)),
        ("prewarned", count(w.prewarned_contacts)),
        ("share", share(w.prewarned_contacts, w.contacts)),
        ("stopped flows", count(w.stopped_flows)),
        ("lead p50", number(w.lead_p50, 1)),
        ("lead p10", number(w.lead_p10, 1)),
    ]
}

/// The same a host.
fn hosts(text: &mut String, warnings: &Warnings, style: Style) {
    if warnings.hosts.is_empty() {
        return;
    }
    let header = format!(
        "    {:<28} {:>7} {:>9} {:>7} {:>8} {:>9}",
        "host", "flows", "prewarned", "stopped", "contacts", "prewarned"
    );
    *text += &style.dim(&header);
    text.push('\n');
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
    for h in &warnings.hosts {
        *text += &format!(
            "    {:<28} {:>7} {:>7.1} % {:>7} {:>8} {:>7.1} %\n",
            shortened(&h.name, 28),
            count(h.flows),
            percent(h.prewarned_flows, h.flows),
            count(h.stopped_flows),
            count(h.contacts),
            percent(h.prewarned_contacts, h.contacts),
        );
    }
}

fn speed(timing: &Timing) -> Vec<Cell> {
    vec![
        ("wall", format!("{:.2} s", timing.wall_s)),
        ("agent-ticks/s", timing.agent_ticks_per_s.map_or_else(undefined, |x| count(x as u64))),
        ("threads", timing.threads.to_string()),
        ("peak RSS", timing.peak_rss_bytes.map_or_else(undefined, |b| Bytes(b).to_string())),
    ]
}

fn block(text: &mut String, label: &str, cells: &[Cell], style: Style) {
    for (i, line) in cells.chunks(PER_LINE).enumerate() {
        let label = if i == 0 { label } else { "" };
        let cells: Vec<String> = line.iter().map(|(name, value)| cell(name, value)).collect();
        *text += &format!(
            "{}{}\n",
            style.heading(&format!("  {label:<width$}", width = LABEL - 2)),
            cells.join("  ")
        );
    }
}

fn cell(name: &str, value: &str) -> String {
    let gap = CELL.saturating_sub(width(name) + width(value)).max(1);
    format!("{name}{}{value}", " ".repeat(gap))
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn campaigns(text: &mut String, campaigns: &[CampaignSummary], style: Style) {
    if campaigns.is_empty() {
        return;
    }
    *text += &style.heading(&format!("  {:<width$}", "campaigns", width = LABEL - 2));
    *text += &style.dim("median ticks to detect alone and shared, and the mean gain");
    text.push('\n');
    let header = format!(
        "    {:<20} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8}",
        "", "flows", "flagged", "agents", "alone", "shared", "gain"
    );
    *text += &style.dim(&header);
    text.push('\n');
    let lines = campaigns.iter().flat_map(|c| {
        let stage = |s: &'_ CampaignSummary| {
            (format!("  {}", s.name.rsplit('/').next().unwrap_or(&s.name)), s.clone())
        };
        std::iter::once((c.name.clone(), c.clone())).chain(c.stages.iter().map(stage).collect::<Vec<_>>())
    });
    for (name, c) in lines {
        let t = &c.time_to_detect;
        *text += &format!(
            "    {:<20} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8}{}\n",
            shortened(&name, 20),
            count(c.flows),
            count(c.flagged),
            count(c.agents),
            number(t.local_median, 1),
            number(t.shared_median, 1),
            number(t.gain, 2),
            c.infected.map_or_else(String::new, |n| format!("\n    {:<20} {} hosts infected", "", count(n))),
        );
    }
}

fn ledger_block(text: &mut String, record: &RunRecord, folder: Option<&Path>, style: Style) {
    let root = record.ledger.root.as_deref().map_or_else(undefined, |root| format!("{}…", &root[..12]));
    let cells = [("entries", record.ledger.entries.map_or_else(undefined, count)), ("root", root)];
    block(text, "ledger", &cells, style);
    if let Some(folder) = folder {
        *text += &format!("{:LABEL$}{}\n", "", style.dim(&folder.display().to_string()));
    }
}

pub(crate) fn shortened(name: &str, limit: usize) -> String {
    if width(name) <= limit { name.to_owned() } else { name.chars().take(limit - 1).chain(['…']).collect() }
}

pub(crate) fn undefined() -> String {
    "–".to_owned()
}

fn share(value: Option<f64>) -> String {
    number(value, 3)
}

pub(crate) fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(undefined, |x| {
        let text = format!("{x:.digits$}");
        // A little less than nothing rounds to nothing.
        match text.strip_prefix('-') {
            Some(zero) if zero.bytes().all(|b| b"0.".contains(&b)) => zero.to_owned(),
            _ => text,
        }
    })
}

/// A number and what it counts: 1 run, 1,000 runs.
pub(crate) fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// 1234567 → `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn cells_are_of_one_width_and_never_touch() {
        assert_eq!(cell("F1", "0.912").len(), CELL);
        assert_eq!(cell("a very long name indeed", "1"), "a very long name indeed 1");
        assert_eq!(width(&cell("ROC-AUC", "–")), CELL);
    }
}
