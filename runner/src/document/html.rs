//! The page: one file, no network, light or dark as the reader's system says, readable on a phone.

use std::fmt::Write as _;

use super::FIGURES;
use super::chart::{self, Axes, Legend, Line, Mark};
use super::curves::{GRID, MeanCurves};
use super::gather::{Gathered, Group};
use crate::report::{count, counted, number, shortened};
use crate::statistics::Spread;

/// Rows of the table of configurations.
const ROWS: usize = 200;
/// Factors that are drawn.
const FACTORS: usize = 8;
/// Figures that are drawn by factor and by replicate: F1, confirmations, gain, KiB sent, trust separation.
const DRAWN: [usize; 5] = [0, 2, 3, 6, 4];
/// The area under the ROC curve, and the ticks gained by sharing, among the figures.
const AUC: usize = 1;
const GAIN: usize = 3;
/// Points of a scatter plot, and levels of a factor, that are drawn: more are thinned out evenly.
const POINTS: usize = 600;
const LEVELS: usize = 120;

const STYLE: &str = "
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#5b6570;--grid:#d9dee4;--card:#f6f8fa;--shade:#0003;
--s1:#0b63c4;--s2:#c4500b;--s3:#1a7f37;--s4:#8250df;--s5:#b3267e;--s6:#7a6a00}
@media(prefers-color-scheme:dark){:root{--bg:#10141a;--fg:#e4e8ee;--dim:#9aa5b1;--grid:#343c47;--card:#181e26;--shade:#fff3;
--s1:#6cb0ff;--s2:#ff9a5c;--s3:#5dd07c;--s4:#c0a0ff;--s5:#ff8ac8;--s6:#d9c653}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:1.2rem;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,sans-serif}h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.2rem;margin:2em 0 .5em}
p.lead{color:var(--dim);margin:.2em 0 1em}code,pre{font-family:ui-monospace,monospace;font-size:.85em}
.wide{overflow-x:auto;background:linear-gradient(to left,var(--bg) 50%,transparent) right/3rem 100% no-repeat local,
linear-gradient(to left,var(--shade),transparent) right/.9rem 100% no-repeat scroll}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.3em .7em;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--bg)}th{color:var(--dim);font-weight:600;white-space:normal;vertical-align:bottom}td small{color:var(--dim)}
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
    replicates(&mut out, g);
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
    let missing = g.planned.saturating_sub(g.runs + g.failed.len());
    let unfinished = match missing {
        0 => String::new(),
        _ => format!("not finished: {} missing · ", counted(missing as u64, "run")),
    };
    format!(
        "{unfinished}{} of {} ({}) · {} agents × {} ticks · root seed {}",
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

/// A curve of equally spaced points.
fn line(name: &str, values: &[f64], step: f64) -> Line {
    let points = values.iter().enumerate().map(|(i, y)| (i as f64 * step, *y)).collect();
    Line { name: name.to_owned(), points }
}

/// The factor that moves a figure most, and by more than `least`, among those whose levels have curves of their own.
fn most_telling(g: &Gathered, figure: usize, least: f64) -> Option<usize> {
    let range = |factor: &usize| {
        let means = g.effects[*factor][figure].iter().filter_map(|effect| effect.spread.mean);
        let (low, high) = means.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        high - low
    };
    let known = 0..g.effects.len().min(g.curves_by_level.len());
    known
        .filter(|factor| g.curves_by_level[*factor].len() > 1 && range(factor) > least)
        .max_by(|a, b| range(a).total_cmp(&range(b)))
}

/// Axes of a share from 0 to 1.
fn shares<'a>(x: &'a str, y: &'a str) -> Axes<'a> {
    Axes { x, y, y_range: Some((0.0, 1.0)), legend: Legend::LowerRight }
}

fn detection(out: &mut String, g: &Gathered) {
    let mean = if g.runs > 1 { ", mean of all runs" } else { "" };
    let _ = write!(out, "<h2>Detection and agreement{mean}</h2>\n<div class=\"charts\">\n");
    let step = 1.0 / GRID as f64;
    if g.curves.roc.is_empty() {
        *out += "<p class=\"none\">No run saw both benign and anomalous flows, so there is no ROC curve.</p>";
    } else {
        let chance = Line { name: "chance".to_owned(), points: vec![(0.0, 0.0), (1.0, 1.0)] };
        let axes = shares("false positive rate", "true positive rate");
        let lines = [line("detector", &g.curves.roc, step), chance];
        figure(out, "ROC curve of the detectors' scores", &chart::lines(&axes, &lines));
        let axes = shares("recall", "precision");
        let chart = chart::lines(&axes, &[line("detector", &g.curves.precision, step)]);
        figure(out, "Precision and recall of the detectors' scores", &chart);
    }
    if let Some(factor) = most_telling(g, AUC, 0.005) {
        let of = |values: fn(&MeanCurves) -> &[f64]| -> Vec<Line> {
            let levels = g.curves_by_level[factor].iter().filter(|(_, curves)| !values(curves).is_empty());
            levels.map(|(level, curves)| line(&shortened(level, 24), values(curves), step)).collect()
        };
        let path = &g.factors[factor];
        let chart = chart::lines(&shares("false positive rate", "true positive rate"), &of(|c| &c.roc));
        figure(out, &format!("ROC curve by {path}"), &chart);
        let axes = Axes { legend: Legend::LowerLeft, ..shares("recall", "precision") };
        let chart = chart::lines(&axes, &of(|c| &c.precision));
        figure(out, &format!("Precision and recall by {path}"), &chart);
    }
    let [alone, shared] = g.curves.caught();
    let axes = shares("ticks since first contact", "share caught");
    if alone.is_empty() {
        *out += "<p class=\"none\">No agent met a campaign, so there is no time to detect.</p>";
    } else {
        let lines = [line("alone", &alone, 1.0), line("shared", &shared, 1.0)];
        figure(out, "Time to detect, alone against shared", &chart::lines(&axes, &lines));
    }
    if let Some(factor) = most_telling(g, GAIN, 0.2) {
        let levels = g.curves_by_level[factor].iter().map(|(level, curves)| {
            let [_, shared] = curves.caught();
            line(&shortened(level, 24), &shared, 1.0)
        });
        let chart = chart::lines(&axes, &levels.collect::<Vec<_>>());
        figure(out, &format!("Time to detect, shared, by {}", g.factors[factor]), &chart);
    }
    if !g.ticks.is_empty() {
        let so_far = |index: usize| g.ticks.iter().map(|tick| tick.signatures[index]).collect::<Vec<_>>();
        let lines = [
            line("reported", &so_far(0), 1.0),
            line("confirmed", &so_far(1), 1.0),
            line("rejected", &so_far(2), 1.0),
        ];
        let axes = Axes { x: "tick", y: "signatures so far", y_range: None, legend: Legend::UpperLeft };
        figure(out, "Signatures over time", &chart::lines(&axes, &lines));
        let messages: Vec<f64> = g.ticks.iter().map(|tick| tick.messages).collect();
        let axes = Axes { x: "tick", y: "messages a tick", y_range: None, legend: Legend::UpperLeft };
        figure(out, "Messages over time", &chart::lines(&axes, &[line("messages", &messages, 1.0)]));
    }
    *out += "</div>\n";
}

/// What replicates of the only configuration differ in.
fn replicates(out: &mut String, g: &Gathered) {
    let [only] = g.groups.as_slice() else { return };
    if g.runs < 2 {
        return;
    }
    *out += "<h2>Runs, by replicate</h2>\n<div class=\"charts\">\n";
    for index in DRAWN {
        let (name, ..) = FIGURES[index];
        let values = only.figures[index].iter().enumerate();
        let points: Vec<(f64, f64)> =
            thinned(values.filter_map(|(rep, x)| Some((rep as f64, (*x)?))).collect(), POINTS);
        if !points.is_empty() {
            let axes = Axes { x: "replicate", y: name, y_range: None, legend: Legend::LowerRight };
            figure(out, &format!("{name} by replicate"), &chart::scatter(&axes, &points));
        }
    }
    *out += "</div>\n";
}

fn factors(out: &mut String, g: &Gathered) {
    if g.factors.is_empty() {
        return;
    }
    *out += "<h2>Factors: mean with 95 % interval</h2>\n<div class=\"charts\">\n";
    for (factor, path) in g.factors.iter().enumerate().take(FACTORS) {
        for figure_index in DRAWN {
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
                    chart::marks(&axes, &thinned(marks, LEVELS))
                }
                None => {
                    let points = thinned(scattered(g, factor, figure_index), POINTS);
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

/// A figure's means by the value of a factor, for designs in which every configuration has its own.
fn scattered(g: &Gathered, factor: usize, figure: usize) -> Vec<(f64, f64)> {
    let of_group = |group: &Group| {
        let x: f64 = group.levels[factor].parse().ok()?;
        let values: Vec<f64> = group.figures[figure].iter().flatten().copied().collect();
        Some((x, Spread::of(&values).mean?))
    };
    g.groups.iter().filter_map(of_group).collect()
}

/// At most so many, at equal distances.
fn thinned<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let step = all.len().div_ceil(most).max(1);
    all.into_iter().step_by(step).collect()
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
