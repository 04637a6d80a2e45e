//! The page: one file, no network, light or dark as the reader's system says, readable on a phone.

use std::fmt::Write as _;

use super::FIGURES;
use super::chart::{self, Axes, Legend, Line, Mark};
use super::gather::{GRID, Gathered};
use crate::report::{count, counted, number};
use crate::statistics::Spread;

/// Rows of the table of configurations.
const ROWS: usize = 200;
/// Factors that are drawn.
const FACTORS: usize = 8;
/// Figures that are drawn by factor: F1, confirmations, gain, KiB sent.
const DRAWN: [usize; 4] = [0, 2, 3, 6];

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5b6570;--grid:#d9dee4;--card:#f6f8fa;--shade:#0003;
--s1:#0b63c4;--s2:#c4500b;--s3:#1a7f37;--s4:#8250df}
@media(prefers-color-scheme:dark){:root{--bg:#10141a;--fg:#e4e8ee;--dim:#9aa5b1;--grid:#343c47;--card:#181e26;--shade:#fff3;
--s1:#6cb0ff;--s2:#ff9a5c;--s3:#5dd07c;--s4:#c0a0ff}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:1.2rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.2rem;margin:2em 0 .5em}
p.lead{color:var(--dim);margin:.2em 0 1em}code,pre{font-family:ui-monospace,monospace;font-size:.85em}
.wide{overflow-x:auto;background:linear-gradient(to left,var(--bg) 50%,transparent) right/3rem 100% no-repeat local,
linear-gradient(to left,var(--shade),transparent) right/.9rem 100% no-repeat scroll}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.3em .7em;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--bg)}th{color:var(--dim);font-weight:600}td small{color:var(--dim)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem}
figure{margin:0;padding:.6rem;background:var(--card);border-radius:8px}figcaption{font-size:.9rem;font-weight:600}
svg{width:100%;height:auto;display:block}pre{overflow-x:auto;background:var(--card);padding:1rem;border-radius:8px}
.none{color:var(--dim)}details{margin:1em 0}summary{cursor:pointer;font-weight:600}.hash{overflow-wrap:anywhere}
@media(max-width:600px){body{padding:.8rem}table{font-size:.82rem}th,td{padding:.3em .45em}
th:first-child,td:first-child{white-space:normal;max-width:38vw}figure{padding:.4rem}}
";

/// The page of a campaign.
#[must_use]
pub fn page(g: &Gathered) -> String {
    let mut out = String::with_capacity(1 << 20);
    let name = escape(&g.manifest.name);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{name} · Phalanx</title><style>{STYLE}</style></head><body>\n<h1>{name}</h1>\n<p class=\"lead\">{}</p>\n",
        escape(&lead(g))
    );
    if !g.failed.is_empty() {
        failures(&mut out, g);
    }
    summary(&mut out, g);
    detection(&mut out, g);
    factors(&mut out, g);
    configurations(&mut out, g);
    differences(&mut out, g);
    sensitivity(&mut out, g);
    provenance(&mut out, g);
    out += "</body></html>\n";
    out
}

/// One sentence of what this is.
pub(super) fn lead(g: &Gathered) -> String {
    let s = &g.manifest.scenario;
    format!(
        "{} of {} ({}) · {} agents × {} ticks · root seed {}",
        counted(g.runs as u64, "run"),
        counted(g.groups.len() as u64, "configuration"),
        g.design,
        count(u64::from(s.agents.get())),
        count(u64::from(s.ticks.get())),
        s.seed
    )
}

fn failures(out: &mut String, g: &Gathered) {
    let _ = write!(out, "<h2>{} runs failed</h2><ul>", g.failed.len());
    for (run, reason) in g.failed.iter().take(20) {
        let _ = write!(out, "<li>run {run}: {}</li>", escape(reason.lines().next().unwrap_or("")));
    }
    *out += "</ul>\n";
}

fn summary(out: &mut String, g: &Gathered) {
    *out += "<h2>Figures over all runs</h2><div class=\"wide\"><table><tr><th>figure</th><th>n</th><th>mean</th>\
             <th>± 95 %</th><th>sd</th></tr>\n";
    for (index, (name, _, digits)) in FIGURES.iter().enumerate() {
        let values: Vec<f64> =
            g.groups.iter().flat_map(|group| group.figures[index].iter().flatten().copied()).collect();
        let Spread { mean, sd, half } = Spread::of(&values);
        let _ = writeln!(
            out,
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            count(values.len() as u64),
            number(mean, *digits),
            number(half, *digits),
            number(sd, *digits)
        );
    }
    *out += "</table></div>\n";
}

fn figure(out: &mut String, caption: &str, svg: &str) {
    let _ = writeln!(out, "<figure><figcaption>{}</figcaption>{svg}</figure>", escape(caption));
}

fn detection(out: &mut String, g: &Gathered) {
    *out += "<h2>Detection and agreement, mean of all runs</h2>\n<div class=\"charts\">\n";
    let line = |name: &str, points| Line { name: name.to_owned(), points };
    let over = |values: &[f64], scale: f64| -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(i, y)| (i as f64 * scale, *y)).collect()
    };
    let unit = Some((0.0, 1.0));
    if g.curves.roc.is_empty() {
        *out += "<p class=\"none\">No run saw both benign and anomalous flows, so there is no ROC curve.</p>";
    } else {
        let roc = over(&g.curves.roc, 1.0 / GRID as f64);
        let chance = vec![(0.0, 0.0), (1.0, 1.0)];
        let axes = Axes {
            x: "false positive rate",
            y: "true positive rate",
            y_range: unit,
            legend: Legend::LowerRight,
        };
        let lines = [line("detector", roc), line("chance", chance)];
        figure(out, "ROC curve of the detectors' scores", &chart::lines(&axes, &lines));
        let axes = Axes { x: "recall", y: "precision", y_range: unit, legend: Legend::LowerRight };
        let precision = over(&g.curves.precision, 1.0 / GRID as f64);
        let chart = chart::lines(&axes, &[line("detector", precision)]);
        figure(out, "Precision and recall of the detectors' scores", &chart);
    }
    let [alone, shared] = g.curves.caught();
    if alone.is_empty() {
        *out += "<p class=\"none\">No agent met a campaign, so there is no time to detect.</p>";
    } else {
        let axes = Axes {
            x: "ticks since first contact",
            y: "share caught",
            y_range: unit,
            legend: Legend::LowerRight,
        };
        let lines = [line("alone", over(&alone, 1.0)), line("shared", over(&shared, 1.0))];
        figure(out, "Time to detect, alone against shared", &chart::lines(&axes, &lines));
    }
    if !g.confirmations.is_empty() {
        let of = |index: usize| {
            g.confirmations.iter().enumerate().map(|(t, row)| (t as f64, row[index])).collect()
        };
        let lines = [line("reported", of(0)), line("confirmed", of(1)), line("rejected", of(2))];
        let axes = Axes { x: "tick", y: "signatures so far", y_range: None, legend: Legend::UpperLeft };
        figure(out, "Signatures over time", &chart::lines(&axes, &lines));
    }
    *out += "</div>\n";
}

fn factors(out: &mut String, g: &Gathered) {
    if g.factors.is_empty() {
        return;
    }
    *out += "<h2>Factors: mean with 95 % interval</h2>\n<div class=\"charts\">\n";
    for (factor, path) in g.factors.iter().enumerate().take(FACTORS) {
        for figure_index in DRAWN.into_iter().chain([4]) {
            let (name, ..) = FIGURES[figure_index];
            let axes = Axes { x: path, y: name, y_range: None, legend: Legend::LowerRight };
            let svg = match g.effects.get(factor) {
                Some(by_figure) => {
                    let marks: Vec<Mark> = by_figure[figure_index]
                        .iter()
                        .filter_map(|e| {
                            let mean = e.spread.mean?;
                            Some(Mark { label: e.level.clone(), mean, half: e.spread.half.unwrap_or(0.0) })
                        })
                        .collect();
                    if marks.len() < 2 {
                        continue;
                    }
                    chart::marks(&axes, &marks)
                }
                None => {
                    let points: Vec<(f64, f64)> = g
                        .groups
                        .iter()
                        .filter_map(|group| {
                            let x: f64 = group.levels[factor].parse().ok()?;
                            let values: Vec<f64> =
                                group.figures[figure_index].iter().flatten().copied().collect();
                            Some((x, Spread::of(&values).mean?))
                        })
                        .take(2000)
                        .collect();
                    if points.is_empty() {
                        continue;
                    }
                    chart::scatter(&axes, &points)
                }
            };
            figure(out, &format!("{name} by {path}"), &svg);
        }
    }
    *out += "</div>\n";
}

/// A mean with its half-width.
fn cell(spread: &Spread, digits: usize) -> String {
    match spread.half {
        Some(half) => format!("{} <small>±{half:.digits$}</small>", number(spread.mean, digits)),
        None => number(spread.mean, digits),
    }
}

fn configurations(out: &mut String, g: &Gathered) {
    if g.groups.len() < 2 {
        return;
    }
    *out += "<h2>Configurations</h2><div class=\"wide\"><table><tr><th>configuration</th><th>n</th>";
    for (name, ..) in FIGURES {
        let _ = write!(out, "<th>{name}</th>");
    }
    *out += "</tr>\n";
    for group in g.groups.iter().take(ROWS) {
        let n = group.figures[0].len() - group.failures;
        let failed = if group.failures > 0 {
            format!(" <small>{} failed</small>", group.failures)
        } else {
            String::new()
        };
        let _ = write!(out, "<tr><td>{}</td><td>{n}{failed}</td>", escape(&group.label));
        for (values, (_, _, digits)) in group.figures.iter().zip(FIGURES) {
            let values: Vec<f64> = values.iter().flatten().copied().collect();
            let _ = write!(out, "<td>{}</td>", cell(&Spread::of(&values), digits));
        }
        *out += "</tr>\n";
    }
    *out += "</table></div>\n";
    if g.groups.len() > ROWS {
        let _ = writeln!(out, "<p class=\"none\">{} more are in summary.csv.</p>", g.groups.len() - ROWS);
    }
}

fn differences(out: &mut String, g: &Gathered) {
    if g.differences.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h2>Differences to {}, replicate by replicate</h2><p class=\"lead\">Both had the same seeds, so that what \
         they share cancels out. Bold: the 95 % interval leaves 0 out.</p><div class=\"wide\"><table>\
         <tr><th>configuration</th><th>pairs</th>",
        escape(&g.groups[0].label)
    );
    for (name, ..) in FIGURES {
        let _ = write!(out, "<th>{name}</th>");
    }
    *out += "</tr>\n";
    for (configuration, group) in g.groups.iter().enumerate() {
        let of = |figure| g.differences.iter().find(|d| (d.0, d.1) == (configuration, figure));
        let Some(pairs) = (0..FIGURES.len()).filter_map(of).map(|(_, _, n, _)| *n).max() else { continue };
        let _ = write!(out, "<tr><td>{}</td><td>{pairs}</td>", escape(&group.label));
        for (figure, (_, _, digits)) in FIGURES.iter().enumerate() {
            let _ = match of(figure) {
                None => write!(out, "<td></td>"),
                Some((.., spread)) if spread.leaves_out_zero() => {
                    write!(out, "<td><b>{}</b></td>", cell(spread, *digits))
                }
                Some((.., spread)) => write!(out, "<td>{}</td>", cell(spread, *digits)),
            };
        }
        *out += "</tr>\n";
    }
    *out += "</table></div>\n";
}

fn sensitivity(out: &mut String, g: &Gathered) {
    if !g.elementary.is_empty() {
        *out += "<h2>Elementary effects (Morris)</h2><p class=\"lead\">μ* is the mean absolute effect of crossing a \
                 factor's range; a deviation as large as μ* tells of interactions.</p><div class=\"wide\"><table>\
                 <tr><th>figure</th><th>factor</th><th>μ</th><th>μ*</th><th>σ</th></tr>\n";
        for (effects, (name, _, digits)) in g.elementary.iter().zip(FIGURES) {
            for (effect, path) in effects.iter().zip(&g.factors) {
                let _ = writeln!(
                    out,
                    "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escape(path),
                    cell(&effect.mean, digits),
                    cell(&effect.absolute, digits),
                    number(effect.mean.sd, digits)
                );
            }
        }
        *out += "</table></div>\n";
    }
    if g.shares.iter().any(Option::is_some) {
        *out += "<h2>Shares of variance (Sobol)</h2><p class=\"lead\">With 95 % bootstrap intervals. First: the factor \
                 alone; total: with all its interactions.</p><div class=\"wide\"><table>\
                 <tr><th>figure</th><th>factor</th><th>first</th><th>total</th></tr>\n";
        for (shares, (name, ..)) in g.shares.iter().zip(FIGURES) {
            for (share, path) in shares.iter().flatten().zip(&g.factors) {
                let text = |[x, low, high]: [f64; 3]| format!("{x:.3} <small>{low:.3} to {high:.3}</small>");
                let _ = writeln!(
                    out,
                    "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    escape(path),
                    text(share.first),
                    text(share.total)
                );
            }
        }
        *out += "</table></div>\n";
    }
}

fn provenance(out: &mut String, g: &Gathered) {
    let manifest = serde_json::to_string_pretty(&g.manifest).expect("a manifest is plain data");
    let _ = writeln!(
        out,
        "<h2>Provenance</h2><p>Fingerprint of all runs, in plan order (BLAKE3 of their fingerprints):<br>\
         <code class=\"hash\">{}</code></p><details><summary>Manifest</summary><pre>{}</pre></details>",
        g.fingerprint,
        escape(&manifest)
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
