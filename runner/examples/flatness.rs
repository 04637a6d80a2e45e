//! Draws the picture of docs/performance.md, what an agent-tick costs in worlds of a thousand to a million agents:
//! `cargo run --release --example flatness [FILE.svg [TICKS]]`. Its million agents take a quarter of an hour and 5 GB.

use phalanx_runner::bench::million;
use plotters::prelude::*;

const FONT: &str = "sans-serif";
const BLUE: RGBColor = RGBColor(31, 119, 180);
const GREY: RGBColor = RGBColor(230, 230, 230);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let file = words.next().unwrap_or_else(|| "docs/performance/flatness.svg".to_owned());
    let ticks = words.next().map_or(Ok(100), |ticks| ticks.parse())?;
    println!("{:>10} {:>16} {:>10} {:>14}", "agents", "us/agent-tick", "B/agent", "to the first");
    let mut costs: Vec<(f64, f64)> = Vec::new();
    for (agents, rounds) in [(1_000, 5), (10_000, 3), (100_000, 2), (1_000_000, 1)] {
        let [cost, kept] = million("million", agents, ticks, false).measure(rounds);
        costs.push((f64::from(agents), cost.median));
        let ratio = cost.median / costs[0].1;
        println!("{agents:>10} {:>16.2} {:>10.0} {ratio:>14.2}", cost.median, kept.median);
    }
    let most = costs.iter().map(|cost| cost.1).fold(0.0, f64::max);
    let area = SVGBackend::new(&file, (560, 300)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("million.ron, {ticks} ticks, one thread"), (FONT, 14))
        .margin(8)
        .x_label_area_size(34)
        .y_label_area_size(46)
        .build_cartesian_2d((700.0..1_400_000.0f64).log_scale(), 0.0..1.25 * most)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY)
        .label_style((FONT, 11))
        .axis_desc_style((FONT, 12))
        .x_desc("agents")
        .y_desc("µs of processor time an agent-tick")
        .x_label_formatter(&|agents| format!("{agents:.0}"))
        .draw()?;
    chart.draw_series(LineSeries::new(costs.iter().copied(), BLUE.stroke_width(2)))?;
    chart.draw_series(costs.iter().map(|point| Circle::new(*point, 3, BLUE.filled())))?;
    area.present()?;
    println!("drawn in {file}");
    Ok(())
}
