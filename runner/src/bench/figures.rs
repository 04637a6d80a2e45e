//! Figures of a set of measurements, on disk and as a table.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::report::number;
use crate::terminal::Style;

/// One measurement. Less is better, but for units that begin with `x`, which are ratios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// Its unit, such as `ns/row`.
    pub unit: String,
    /// The middle of the rounds.
    pub median: f64,
    /// The round that was disturbed least.
    pub best: f64,
}

/// A set of measurements, as `--save` writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Version of the engine.
    pub engine: String,
    /// What was measured.
    pub figures: Vec<Figure>,
}

/// Why a saved set cannot be compared with.
#[derive(Debug, Error)]
#[error("cannot compare with {}: {problem}; give a file that `runner bench --save` wrote", file.display())]
pub struct BenchError {
    file: PathBuf,
    problem: String,
}

impl Figures {
    /// Reads a saved set.
    ///
    /// # Errors
    /// If the file cannot be read, or is none.
    pub fn read(file: &Path) -> Result<Self, BenchError> {
        let error = |problem: String| BenchError { file: file.to_owned(), problem };
        let text = std::fs::read_to_string(file).map_err(|e| error(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| error(e.to_string()))
    }

    /// The figure of this name and unit.
    #[must_use]
    pub fn find(&self, figure: &Figure) -> Option<&Figure> {
        self.figures.iter().find(|other| other.name == figure.name && other.unit == figure.unit)
    }
}

/// A line a figure; beside a saved set its median and how many times better the new one is.
#[must_use]
pub fn table(figures: &[Figure], saved: Option<&Figures>, style: Style) -> String {
    let mut head = format!("{:24} {:>14} {:>10} {:>10}", "", "unit", "median", "best");
    if saved.is_some() {
        head += &format!(" {:>10} {:>8}", "saved", "better");
    }
    let mut text = style.dim(&head) + "\n";
    for figure in figures {
        text += &format!(
            "{:24} {:>14} {:>10} {:>10}",
            figure.name,
            figure.unit,
            number(Some(figure.median), 2),
            number(Some(figure.best), 2)
        );
        if let Some(before) = saved.and_then(|saved| saved.find(figure)) {
            let is_ratio = figure.unit.starts_with('x');
            let better = if is_ratio { figure.median / before.median } else { before.median / figure.median };
            text += &format!(" {:>10} {better:>7.2}x", number(Some(before.median), 2));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, unit: &str, median: f64) -> Figure {
        Figure { name: name.to_owned(), unit: unit.to_owned(), median, best: median }
    }

    #[test]
    fn ratios_say_how_many_times_better() {
        let saved = Figures { engine: "0".into(), figures: vec![of("a", "ns/row", 30.0), of("b", "x", 1.5)] };
        let text = table(
            &[of("a", "ns/row", 10.0), of("b", "x", 1.8), of("c", "ns", 1.0)],
            Some(&saved),
            Style::plain(),
        );
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("3.00x") && lines[2].ends_with("1.20x"), "{text}");
        assert!(lines[3].ends_with("1.00"), "nothing to compare with: {text}");
    }

    #[test]
    fn what_is_no_saved_set_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("before.json");
        let check = |problem: &str| {
            let text = Figures::read(&file).unwrap_err().to_string();
            assert!(
                text.contains("before.json") && text.contains(problem) && text.contains("--save"),
                "{text}"
            );
        };
        check("No such file");
        std::fs::write(&file, "{\"engine\":1}").unwrap();
        check("line 1");
    }
}
