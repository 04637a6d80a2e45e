//! Draws the pictures of docs/traffic.md: `cargo run --release --example traffic_gallery [FOLDER]`.
//!
//! Everything is generated from fixed seeds, so that a second call writes the same bytes.

use std::path::Path;

use phalanx_sim::scenario::Scenario;
use phalanx_sim::{Simulation, TrafficGenerator, TrafficInput};
use plotters::coord::Shift;
use plotters::prelude::*;
use ron::extensions::Extensions;

type Failure = Box<dyn std::error::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const FONT: &str = "sans-serif";
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(23, 160, 170),
];
const GREY: RGBColor = RGBColor(190, 190, 190);
/// What is attacked with, and the words that make it so.
const KINDS: [(&str, &str); 8] = [
    ("PortScan", ""),
    ("SshBruteForce", ""),
    ("SynFlood", ", sources: 200"),
    ("Reflection", ", sources: 2000, targets: 0.2"),
    ("Worm", ", rate: 0.3, sources: 1"),
    ("LateralMovement", ""),
    ("Exfiltration", ", targets: 0.3"),
    ("Beacon", ", jitter: 0.2"),
];

/// A line or a cloud of points, with its name.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Series {
    fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }
}

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "docs/traffic".to_owned());
    std::fs::create_dir_all(&folder)?;
    let at = |name: &str| Path::new(&folder).join(name);
    figure(&at("load.svg"), (1, 2), &load()?)?;
    figure(&at("campaigns.svg"), (2, 4), &campaigns()?)?;
    figure(&at("flows.svg"), (1, 1), &flows()?)?;
    figure(&at("worm.svg"), (1, 1), &worm()?)?;
    figure(&at("evasion.svg"), (1, 2), &evasion()?)?;
    figure(&at("change.svg"), (1, 3), &change()?)?;
    println!("drawn in {folder}");
    Ok(())
}

/// A panel: title, axes, whether it is a cloud, and what it shows.
struct Panel {
    title: String,
    x: &'static str,
    y: &'static str,
    cloud: bool,
    /// Where names stand, if there are several.
    names: SeriesLabelPosition,
    series: Vec<Series>,
}

fn figure(path: &Path, (rows, columns): (usize, usize), panels: &[Panel]) -> Result<(), Failure> {
    let size = match columns {
        1 => (560, 360),
        2 => (420, 300),
        _ => (280, 230),
    };
    let whole = (size.0 * columns as u32, size.1 * rows as u32);
    let area = SVGBackend::new(path, whole).into_drawing_area();
    area.fill(&WHITE)?;
    for (area, panel) in area.split_evenly((rows, columns)).iter().zip(panels) {
        draw(area, panel)?;
    }
    area.present()?;
    Ok(())
}

fn draw(area: &Area<'_>, panel: &Panel) -> Result<(), Failure> {
    let points = || panel.series.iter().flat_map(|series| &series.points);
    let most = |pick: fn(&(f64, f64)) -> f64| points().map(pick).fold(0.0, f64::max).max(1e-9);
    let least = points().map(|point| point.0).fold(0.0, f64::min);
    // Names stand above lines and beside clouds.
    let above = matches!(panel.names, SeriesLabelPosition::UpperRight) && panel.series.len() > 1;
    let (wide, high) = match (panel.cloud, above) {
        (true, _) => (1.4, 1.08),
        (_, true) => (1.0, 1.5),
        _ => (1.0, 1.08),
    };
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, (FONT, 14))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(46)
        .build_cartesian_2d(least..wide * most(|p| p.0), 0.0..high * most(|p| p.1))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(230, 230, 230))
        .label_style((FONT, 11))
        .axis_desc_style((FONT, 12))
        .x_desc(panel.x)
        .y_desc(panel.y)
        .x_label_formatter(&|x| format!("{x:.6}").trim_end_matches('0').trim_end_matches('.').to_owned())
        .y_label_formatter(&|y| format!("{y:.6}").trim_end_matches('0').trim_end_matches('.').to_owned())
        .x_labels(6)
        .y_labels(5)
        .draw()?;
    for (i, series) in panel.series.iter().enumerate() {
        let colour = if panel.cloud && i == 0 { GREY } else { COLOURS[(i - usize::from(panel.cloud)) % 8] };
        let drawn = if panel.cloud {
            chart.draw_series(series.points.iter().map(|p| Circle::new(*p, 2, colour.filled())))?
        } else {
            chart.draw_series(LineSeries::new(series.points.iter().copied(), colour.stroke_width(2)))?
        };
        if panel.series.len() > 1 {
            drawn
                .label(&series.name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 3), (x + 10, y + 3)], colour.filled()));
        }
    }
    if panel.series.len() > 1 {
        chart
            .configure_series_labels()
            .position(panel.names.clone())
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 11))
            .draw()?;
    }
    Ok(())
}

/// A scenario from text, as in files.
fn parse(text: &str) -> Result<Scenario, Failure> {
    let extensions = Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES;
    Ok(ron::Options::default().with_default_extension(extensions).from_str(text)?)
}

/// Flows an agent and tick of a world, averaged.
fn rate(scenario: &str, ticks: u64) -> Result<Vec<(f64, f64)>, Failure> {
    let scenario = parse(scenario)?;
    let agents = f64::from(scenario.agents.get());
    let mut traffic = TrafficGenerator::new(&scenario)?;
    let tick = |tick| {
        let mut flows = 0;
        traffic.step(|_, batch| flows += batch.rows());
        (tick as f64, flows as f64 / agents)
    };
    Ok((0..ticks).map(tick).collect())
}

fn load() -> Result<Vec<Panel>, Failure> {
    let all = ["web", "dns", "workstation", "iot"];
    let world = |role: &str, more: &str| {
        let weights = all.map(|r| format!("{r}: {}", u8::from(r == role))).join(", ");
        format!("(agents: 300, traffic: Synthetic(regions: 1, roles: ({weights}){more}))")
    };
    let roles = all.map(|role| Ok(Series::new(role, rate(&world(role, ""), 144)?)));
    let week = [
        Series::new("sine", rate(&world("workstation", ""), 336)?),
        Series::new("working hours", rate(&world("workstation", ", working_hours: ()"), 336)?),
    ];
    let panel = |title: &str, series| Panel {
        title: title.to_owned(),
        x: "tick (48 a day)",
        y: "flows a host and tick",
        cloud: false,
        names: SeriesLabelPosition::UpperRight,
        series,
    };
    Ok(vec![
        panel("three days, by role", roles.into_iter().collect::<Result<_, Failure>>()?),
        panel("a week of workstations", week.into()),
    ])
}

fn attacked(kind: &str, more: &str) -> Result<Scenario, Failure> {
    parse(&format!(
        "(agents: 20, seed: 8, traffic: Synthetic(flows: 1), campaigns: [(kind: {kind}, start: 6, ticks: 60{more})])"
    ))
}

fn campaigns() -> Result<Vec<Panel>, Failure> {
    let panel = |(kind, more): (&str, &str)| {
        let mut traffic = TrafficGenerator::new(&attacked(kind, more)?)?;
        let tick = |tick: u64| {
            let mut flows = 0;
            traffic.step(|_, batch| {
                flows += batch.truth().iter().filter(|truth| truth.reveal().is_some()).count();
            });
            (tick as f64, flows as f64)
        };
        let series = vec![Series::new(kind, (0..75).map(tick).collect())];
        Ok(Panel {
            title: kind.to_owned(),
            x: "tick",
            y: "flows a tick",
            cloud: false,
            names: SeriesLabelPosition::LowerRight,
            series,
        })
    };
    KINDS.into_iter().map(panel).collect()
}

fn flows() -> Result<Vec<Panel>, Failure> {
    let mut benign = Vec::new();
    let mut series = Vec::new();
    for (kind, more) in KINDS {
        let mut traffic = TrafficGenerator::new(&attacked(kind, more)?)?;
        let mut points = Vec::new();
        for _ in 0..60 {
            traffic.step(|_, batch| {
                for i in 0..batch.rows() {
                    let row = batch.row(i);
                    let point = (f64::from(row[1]), f64::from(row[2]));
                    let cloud = if batch.truth()[i].reveal().is_some() { &mut points } else { &mut benign };
                    cloud.push(point);
                }
            });
        }
        // As many as can be told apart; the picture stays small.
        let step = (points.len() / 40).max(1);
        series.push(Series::new(kind, points.into_iter().step_by(step).collect()));
    }
    let step = benign.len() / 400;
    series.insert(0, Series::new("benign", benign.into_iter().step_by(step).collect()));
    let title = "what flows carry, in natural logarithms".to_owned();
    Ok(vec![Panel {
        title,
        x: "ln(1 + bytes sent)",
        y: "ln(1 + bytes received)",
        cloud: true,
        names: SeriesLabelPosition::UpperRight,
        series,
    }])
}

fn worm() -> Result<Vec<Panel>, Failure> {
    let (hosts, first, rate) = (1000.0, 20.0, 0.05_f64);
    let law = |tick: f64| hosts / (1.0 + (hosts - first) / first * (-rate * tick).exp());
    let mut series = vec![Series::new("law", (0..200).map(|t| (f64::from(t), law(f64::from(t)))).collect())];
    for seed in 1..=3 {
        let mut traffic = TrafficGenerator::new(&parse(&format!(
            "(agents: 1000, seed: {seed}, traffic: Synthetic(flows: 0.1),
              campaigns: [(kind: Worm, rate: {rate}, sources: 20)])"
        ))?)?;
        let tick = |tick: u64| {
            let infected = traffic.infected(0);
            traffic.step(|_, _| ());
            (tick as f64, infected as f64)
        };
        series.push(Series::new(format!("seed {seed}"), (0..200).map(tick).collect()));
    }
    let title = "a worm that nobody stops, and i' = b·i·(1 − i), b = 0.05".to_owned();
    Ok(vec![Panel {
        title,
        x: "tick",
        y: "infected hosts",
        cloud: false,
        names: SeriesLabelPosition::LowerRight,
        series,
    }])
}

/// Share of an attack's flows from tick 30 on that are found, for strengths from 0 to 1; mean of four seeds.
fn found(campaign: &str, knob: &str, ticks: u32, rest: &str) -> Result<Vec<(f64, f64)>, Failure> {
    let mut curve = Vec::new();
    for tenths in 0..=10 {
        let strength = f64::from(tenths) / 10.0;
        let mut sum = 0.0;
        for seed in 1..=4 {
            let scenario = parse(&format!(
                "(agents: 16, ticks: {}, seed: {seed}, traffic: Synthetic(flows: 20),
                  campaigns: [({campaign}, start: 30, evasion: ({knob}: {strength:?}))],
                  detector: IsolationForest(trees: 50, sample: 128), {rest})",
                30 + ticks
            ))?;
            let mut simulation = Simulation::new(&scenario, TrafficInput::Generated, 2)?;
            let (mut hits, mut all) = (0, 0);
            for tick in 0..scenario.ticks.get() {
                let counts = simulation.step().counts;
                if tick >= 30 {
                    (hits, all) = (hits + counts.true_positive, all + counts.anomalous);
                }
            }
            sum += hits as f64 / all as f64 / 4.0;
        }
        curve.push((strength, sum));
    }
    Ok(curve)
}

fn evasion() -> Result<Vec<Panel>, Failure> {
    let alone = "blacklist: (enabled: false)";
    let all = "blacklist: (enabled: false), model: (refit_ticks: 4, window_flows: 400, learn_from: All)";
    let screened = "blacklist: (enabled: false), model: (refit_ticks: 4, window_flows: 400)";
    let panel = |title: &str, series| Panel {
        title: title.to_owned(),
        x: "strength",
        y: "share found",
        cloud: false,
        names: SeriesLabelPosition::LowerLeft,
        series,
    };
    Ok(vec![
        panel(
            "mimics and fresh addresses",
            vec![
                Series::new("mimic: scan", found("kind: PortScan", "mimic", 40, alone)?),
                Series::new("mimic: exfiltration", found("kind: Exfiltration, rate: 3", "mimic", 40, alone)?),
                Series::new(
                    "rotate: passwords",
                    found("kind: SshBruteForce, rate: 6, sources: 1", "rotate", 40, "")?,
                ),
            ],
        ),
        panel(
            "a scan after poisoning",
            vec![
                Series::new("learns from all", found("kind: PortScan", "poison", 12, all)?),
                Series::new("leaves out suspects", found("kind: PortScan", "poison", 12, screened)?),
            ],
        ),
    ])
}

fn change() -> Result<Vec<Panel>, Failure> {
    let mean =
        |world: &str, of: fn(&phalanx_core::FlowBatch, usize) -> f64| -> Result<Vec<(f64, f64)>, Failure> {
            let mut traffic =
                TrafficGenerator::new(&parse(&format!("(agents: 100, traffic: Synthetic({world}))"))?)?;
            let tick = |tick: u64| {
                let (mut sum, mut flows) = (0.0, 0.0);
                traffic.step(|_, batch| {
                    sum += (0..batch.rows()).map(|i| of(batch, i)).sum::<f64>();
                    flows += batch.rows() as f64;
                });
                (tick as f64, sum / flows)
            };
            Ok((0..144).map(tick).collect())
        };
    let panel = |title: &str, y, points| Panel {
        title: title.to_owned(),
        x: "tick",
        y,
        cloud: false,
        names: SeriesLabelPosition::UpperRight,
        series: vec![Series::new("", points)],
    };
    let season = "(agents: 100, traffic: Synthetic(diurnal: 0, season: (period_ticks: 144, swing: 0.5)))";
    Ok(vec![
        panel(
            "shift: (start: 60, factor: 30)",
            "mean ln(1 + received)",
            mean("shift: (start: 60, factor: 30)", |batch, i| f64::from(batch.row(i)[2]))?,
        ),
        panel(
            "rollout over 48 ticks to 0.3",
            "share of flows",
            mean("rollout: (start: 48, ramp_ticks: 48, share: 0.3, port: 9443)", |batch, i| {
                f64::from(u8::from(batch.keys()[i].port == Some(9443)))
            })?,
        ),
        panel("season of 144 ticks, swing 0.5", "flows a host and tick", rate(season, 144)?),
    ])
}
