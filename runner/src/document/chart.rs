//! Charts as inline SVG whose colours follow the page, light or dark.
//!
//! The charting library knows fixed colours only. Each chart is drawn with placeholders, which are then replaced by the
//! page's CSS variables.

use plotters::coord::Shift;
use plotters::prelude::*;

/// Small, so that letters are still read where a phone draws it at three quarters.
const SIZE: (u32, u32) = (440, 290);
/// What of the width is not taken by labels and margins.
const INNER: usize = 350;
const TEXT: RGBColor = RGBColor(1, 2, 3);
const GRID: RGBColor = RGBColor(1, 2, 4);
const SERIES: [RGBColor; 6] = [
    RGBColor(1, 2, 11),
    RGBColor(1, 2, 12),
    RGBColor(1, 2, 13),
    RGBColor(1, 2, 14),
    RGBColor(1, 2, 15),
    RGBColor(1, 2, 16),
];
const FONT: &str = "system-ui, sans-serif";

type Failure = Box<dyn std::error::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line with a name.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// Where the names of lines stand.
#[derive(Clone, Copy)]
pub(super) enum Legend {
    /// For lines that rise early.
    LowerRight,
    /// For lines that rise late.
    UpperLeft,
    /// For lines that fall late.
    LowerLeft,
}

/// What is on the axes.
pub(super) struct Axes<'a> {
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Fixed range of y, else that of the data.
    pub(super) y_range: Option<(f64, f64)>,
    pub(super) legend: Legend,
}

impl Axes<'_> {
    fn legend(&self) -> SeriesLabelPosition {
        match self.legend {
            Legend::LowerRight => SeriesLabelPosition::LowerRight,
            Legend::UpperLeft => SeriesLabelPosition::UpperLeft,
            Legend::LowerLeft => SeriesLabelPosition::LowerLeft,
        }
    }
}

/// Mean and half-width at a named place.
pub(super) struct Mark {
    pub(super) label: String,
    pub(super) mean: f64,
    pub(super) half: f64,
}

/// Lines over a common x.
pub(super) fn lines(axes: &Axes<'_>, lines: &[Line]) -> String {
    svg(|area| {
        let all = || lines.iter().flat_map(|l| &l.points);
        let (x0, x1) = range(all().map(|p| p.0));
        let (y0, y1) = axes.y_range.unwrap_or_else(|| range(all().map(|p| p.1)));
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(50)
            .y_label_area_size(66)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(1))
            .axis_style(TEXT)
            .label_style((FONT, 16).into_font().color(&TEXT))
            .axis_desc_style((FONT, 17).into_font().color(&TEXT))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_label_formatter(&|x| tidy(*x))
            .y_label_formatter(&|y| tidy(*y))
            .x_labels(6)
            .y_labels(6)
            .draw()?;
        for (i, line) in lines.iter().enumerate() {
            let colour = SERIES[i % SERIES.len()];
            let drawn =
                chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
            if lines.len() > 1 {
                drawn
                    .label(&line.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(3)));
            }
        }
        if lines.len() > 1 {
            chart
                .configure_series_labels()
                .position(axes.legend())
                .label_font((FONT, 16).into_font().color(&TEXT))
                .border_style(TRANSPARENT)
                .draw()?;
        }
        Ok(())
    })
}

/// Means with their 95 % intervals, at equal distances, in order.
pub(super) fn marks(axes: &Axes<'_>, marks: &[Mark]) -> String {
    svg(|area| {
        let ends = marks.iter().flat_map(|m| [m.mean - m.half, m.mean + m.half]);
        let (y0, y1) = axes.y_range.unwrap_or_else(|| range(ends));
        let last = marks.len() as f64 - 0.5;
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(50)
            .y_label_area_size(66)
            .build_cartesian_2d(-0.5..last.max(0.5), y0..y1)?;
        // Labels that would overlap are left out, evenly.
        let longest = marks.iter().map(|m| m.label.chars().count()).max().unwrap_or(1).clamp(3, 20);
        let every = (marks.len() * longest * 9).div_ceil(INNER).max(1);
        let label = |x: &f64| {
            let index = x.round();
            let here = (x - index).abs() < 1e-6 && index >= 0.0 && (index as usize).is_multiple_of(every);
            marks.get(index as usize).filter(|_| here).map_or_else(String::new, |m| short(&m.label))
        };
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(1))
            .disable_x_mesh()
            .axis_style(TEXT)
            .label_style((FONT, 16).into_font().color(&TEXT))
            .axis_desc_style((FONT, 17).into_font().color(&TEXT))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_label_formatter(&label)
            .y_label_formatter(&|y| tidy(*y))
            .x_labels((marks.len() * 2 + 1).min(400))
            .y_labels(6)
            .draw()?;
        let colour = SERIES[0];
        chart.draw_series(marks.iter().enumerate().map(|(i, m)| {
            let (low, high) = (m.mean - m.half, m.mean + m.half);
            ErrorBar::new_vertical(i as f64, low, m.mean, high, colour.filled(), 10)
        }))?;
        Ok(())
    })
}

/// Points without order.
pub(super) fn scatter(axes: &Axes<'_>, points: &[(f64, f64)]) -> String {
    svg(|area| {
        let (x0, x1) = range(points.iter().map(|p| p.0));
        let (y0, y1) = axes.y_range.unwrap_or_else(|| range(points.iter().map(|p| p.1)));
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(50)
            .y_label_area_size(66)
            .build_cartesian_2d(x0..x1, y0..y1)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(1))
            .axis_style(TEXT)
            .label_style((FONT, 16).into_font().color(&TEXT))
            .axis_desc_style((FONT, 17).into_font().color(&TEXT))
            .x_desc(axes.x)
            .y_desc(axes.y)
            .x_label_formatter(&|x| tidy(*x))
            .y_label_formatter(&|y| tidy(*y))
            .x_labels(6)
            .y_labels(6)
            .draw()?;
        chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, SERIES[0].filled())))?;
        Ok(())
    })
}

/// Draws; the page says so where a chart cannot be drawn.
fn svg(draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>) -> String {
    let mut text = String::new();
    let drawn = {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        draw(&area).and_then(|()| Ok(area.present()?))
    };
    if let Err(error) = drawn {
        return format!("<p class=\"none\">this chart cannot be drawn: {error}</p>");
    }
    let mut text = text
        .replace("#010203", "currentColor")
        .replace("#010204", "var(--grid)")
        .replace(&format!("width=\"{}\" height=\"{}\" ", SIZE.0, SIZE.1), "");
    for (i, RGBColor(r, g, b)) in SERIES.iter().enumerate() {
        text = text.replace(&format!("#{r:02X}{g:02X}{b:02X}"), &format!("var(--s{})", i + 1));
    }
    text
}

/// The range of values, with a little room, and never empty.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.filter(|x| x.is_finite()).fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(x), b.max(x)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = ((high - low) * 0.06).max(high.abs() * 1e-3).max(1e-6);
    let low = if (0.0..=room).contains(&low) { 0.0 } else { low - room };
    (low, high + room)
}

fn tidy(x: f64) -> String {
    let rounded = format!("{x:.3}");
    let short = rounded.trim_end_matches('0').trim_end_matches('.');
    match x.abs() {
        // What is left of a sum of steps that meets at zero.
        size if size < 1e-12 => "0".to_owned(),
        size if size >= 1e6 => format!("{:.1}M", x / 1e6),
        size if size >= 1e4 => format!("{:.0}k", x / 1e3),
        size if size > 0.0 && size < 5e-4 => format!("{x:.0e}"),
        _ if short == "-0" => "0".to_owned(),
        _ => short.to_owned(),
    }
}

fn short(label: &str) -> String {
    crate::report::shortened(label, 20)
}
