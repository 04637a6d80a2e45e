//! From factors and a design to configurations, one at a time: none is kept that can be made again.

use std::path::{Path, PathBuf};

use phalanx_sim::scenario::{Design, Factor, Level};

use super::error::PlanError;
use super::levels::{Scale, grid};
use super::sample;
use crate::report::counted;

/// Configurations at most.
const CONFIGURATIONS_MAX: usize = 100_000_000;

/// All configurations of a design, before conditions.
#[derive(Debug)]
pub struct Configurations {
    paths: Vec<String>,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    /// Mixed radix; the last factor varies fastest.
    Grid(Vec<Vec<Level>>),
    /// Level i of every factor.
    Zip(Vec<Vec<Level>>),
    /// Points of the unit cube.
    Points { points: Vec<f64>, scales: Vec<Scale> },
    /// As written, each with its line in the file.
    Table { file: PathBuf, rows: Vec<(u64, Vec<String>)> },
}

impl Configurations {
    /// The configurations of a study. `root` is the seed that sampled designs follow from, `folder` what the table's
    /// file is relative to.
    ///
    /// # Errors
    /// If factors and design do not fit, or the table cannot be read.
    pub fn new(factors: &[Factor], design: &Design, root: u64, folder: &Path) -> Result<Self, PlanError> {
        let paths: Vec<String> = factors.iter().map(|f| f.path.clone()).collect();
        if let Some((i, twice)) = paths.iter().enumerate().find(|(i, path)| paths[..*i].contains(path)) {
            let problem = format!("given twice: remove `study.factors.{i}`");
            return Err(PlanError::Levels { path: twice.clone(), problem });
        }
        let fail = |problem: String| PlanError::Design { design: name(design).to_owned(), problem };
        let sampled = !matches!(design, Design::Factorial | Design::Zip | Design::Table { .. });
        if sampled && factors.is_empty() {
            return Err(fail("there are no factors: give --vary path=from:to".to_owned()));
        }
        let k = factors.len();
        let rows = match design {
            Design::Factorial => Rows::Grid(factors.iter().map(grid).collect::<Result<_, _>>()?),
            Design::Zip => {
                let levels: Vec<Vec<Level>> = factors.iter().map(grid).collect::<Result<_, _>>()?;
                if let Some(other) = levels.iter().position(|l| l.len() != levels[0].len()) {
                    let (a, b) = (levels[0].len(), levels[other].len());
                    let problem = format!("{} has {a} values, {} has {b}", paths[0], paths[other]);
                    return Err(fail(problem));
                }
                Rows::Zip(levels)
            }
            Design::LatinHypercube { samples } => {
                points(factors, sample::latin_hypercube(root, samples.get() as usize, k))?
            }
            Design::Random { samples } => points(factors, sample::random(root, samples.get() as usize, k))?,
            Design::Sobol { samples } => {
                if samples.get() > sample::SOBOL_SAMPLES_MAX || k > sample::SOBOL_FACTORS_MAX {
                    return Err(fail("at most 65,536 samples of 256 factors".to_owned()));
                }
                points(factors, sample::sobol(root, samples.get(), k))?
            }
            Design::Morris { trajectories, levels } => {
                if !levels.get().is_multiple_of(2) {
                    return Err(fail(format!("{levels} levels: give an even number", levels = levels.get())));
                }
                points(factors, sample::morris(root, trajectories.get() as usize, levels.get(), k))?
            }
            Design::Saltelli { samples } => {
                if samples.get() > sample::SOBOL_SAMPLES_MAX / 2 || 2 * k > sample::SOBOL_FACTORS_MAX {
                    return Err(fail("at most 32,768 samples of 128 factors".to_owned()));
                }
                points(factors, sample::saltelli(root, samples.get(), k))?
            }
            Design::Table { file } => {
                if !factors.is_empty() {
                    return Err(fail("the table names all factors: remove the others".to_owned()));
                }
                let file = folder.join(file);
                let (paths, rows) = table(&file)?;
                return Ok(Self { paths, rows: Rows::Table { file, rows } });
            }
        };
        let configurations = Self { paths, rows };
        if configurations.checked_len().is_none_or(|n| n > CONFIGURATIONS_MAX) {
            let most = CONFIGURATIONS_MAX as u64;
            return Err(PlanError::TooMany { what: "configurations".to_owned(), most });
        }
        Ok(configurations)
    }

    /// Paths of the factors.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    fn checked_len(&self) -> Option<usize> {
        match &self.rows {
            Rows::Grid(levels) => levels.iter().try_fold(1usize, |n, l| n.checked_mul(l.len())),
            Rows::Zip(levels) => Some(levels.first().map_or(1, Vec::len)),
            Rows::Points { points, scales } => Some(points.len() / scales.len()),
            Rows::Table { rows, .. } => Some(rows.len()),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.checked_len().expect("checked when they were made")
    }

    /// Whether there are none: only an empty table has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The levels of a configuration as text, by factor.
    #[must_use]
    pub fn levels(&self, index: usize) -> Vec<String> {
        match &self.rows {
            Rows::Grid(levels) => {
                let mut rest = index;
                let mut row: Vec<String> = levels
                    .iter()
                    .rev()
                    .map(|levels| {
                        let level = levels[rest % levels.len()].to_string();
                        rest /= levels.len();
                        level
                    })
                    .collect();
                row.reverse();
                row
            }
            Rows::Zip(levels) => levels.iter().map(|levels| levels[index].to_string()).collect(),
            Rows::Points { points, scales } => {
                let row = points.chunks_exact(scales.len()).nth(index).expect("an index below the length");
                row.iter().zip(scales).map(|(u, scale)| scale.at(*u).to_string()).collect()
            }
            Rows::Table { rows, .. } => rows[index].1.clone(),
        }
    }

    /// Where the levels of a configuration are written, for messages.
    #[must_use]
    pub fn place(&self, index: usize) -> String {
        match &self.rows {
            Rows::Table { file, rows } => format!("{}:{}:", file.display(), rows[index].0),
            _ => "factor".to_owned(),
        }
    }

    /// The point of the unit cube that a sampled configuration was made from.
    #[must_use]
    pub fn point(&self, index: usize) -> Option<&[f64]> {
        match &self.rows {
            Rows::Points { points, scales } => points.chunks_exact(scales.len()).nth(index),
            _ => None,
        }
    }
}

fn points(factors: &[Factor], points: Vec<f64>) -> Result<Rows, PlanError> {
    let scales = factors.iter().map(Scale::of).collect::<Result<_, _>>()?;
    Ok(Rows::Points { points, scales })
}

/// Paths and rows of a table, each row with its line.
type Lines = (Vec<String>, Vec<(u64, Vec<String>)>);

fn table(file: &Path) -> Result<Lines, PlanError> {
    let fail = |problem: String| PlanError::Table { file: file.to_owned(), problem };
    let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
    // The library counts empty lines in front of a record as its own.
    let line = |position: Option<&csv::Position>| {
        let position = position.expect("records that are read have a place");
        let rest = text.get(position.byte() as usize..).unwrap_or("");
        position.line()
            + rest.bytes().take_while(|b| b"\r\n".contains(b)).filter(|b| *b == b'\n').count() as u64
    };
    let wrong = |error: csv::Error| match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let (line, values) = (line(pos.as_ref()), counted(*len, "value"));
            fail(format!("line {line}: {values}, where the first line has {expected_len}"))
        }
        _ => fail(error.to_string()),
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let words = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let paths = words(reader.headers().map_err(wrong)?);
    if paths.iter().any(String::is_empty) {
        return Err(fail("a column of the first line has no name".to_owned()));
    }
    if let Some((_, twice)) = paths.iter().enumerate().find(|(i, path)| paths[..*i].contains(path)) {
        return Err(fail(format!("the first line names {twice} twice")));
    }
    let rows: Vec<(u64, Vec<String>)> = reader
        .records()
        .map(|record| record.map(|r| (line(r.position()), words(&r))))
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if rows.is_empty() {
        return Err(fail("no configurations below the first line".to_owned()));
    }
    Ok((paths, rows))
}

/// The design's name, as flags spell it.
#[must_use]
pub fn name(design: &Design) -> &'static str {
    match design {
        Design::Factorial => "factorial",
        Design::Zip => "zip",
        Design::LatinHypercube { .. } => "lhs",
        Design::Sobol { .. } => "sobol",
        Design::Random { .. } => "random",
        Design::Morris { .. } => "morris",
        Design::Saltelli { .. } => "saltelli",
        Design::Table { .. } => "table",
    }
}

/// A design from the text after `--design`.
///
/// # Errors
/// If it is none.
pub fn parse_design(text: &str) -> Result<Design, PlanError> {
    use phalanx_sim::scenario::Positive;
    let fail = |problem: &str| PlanError::Design { design: text.to_owned(), problem: problem.to_owned() };
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let count = || {
        let count = rest.parse().ok().filter(|n| (1..=1 << 30).contains(n)).map(Positive::new);
        count.ok_or_else(|| fail("expected a count behind the colon"))
    };
    Ok(match name {
        "factorial" if rest.is_empty() => Design::Factorial,
        "zip" if rest.is_empty() => Design::Zip,
        "lhs" => Design::LatinHypercube { samples: count()? },
        "sobol" => Design::Sobol { samples: count()? },
        "random" => Design::Random { samples: count()? },
        "morris" => Design::Morris { trajectories: count()?, levels: Positive::new(4) },
        "saltelli" => Design::Saltelli { samples: count()? },
        "table" if !rest.is_empty() => Design::Table { file: rest.to_owned() },
        _ => return Err(fail("unknown")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::levels::parse_vary;

    fn rows(vary: &[&str], design: &str) -> Result<Vec<String>, String> {
        let factors: Vec<Factor> = vary.iter().map(|v| parse_vary(v).unwrap()).collect();
        let design = parse_design(design).map_err(|e| e.to_string())?;
        let configurations =
            Configurations::new(&factors, &design, 42, Path::new("")).map_err(|e| e.to_string())?;
        Ok((0..configurations.len()).map(|i| configurations.levels(i).join(" ")).collect())
    }

    #[test]
    fn grids_and_zips() {
        assert_eq!(
            rows(&["a=1,2", "b=x,y,z"], "factorial").unwrap(),
            ["1 x", "1 y", "1 z", "2 x", "2 y", "2 z"]
        );
        assert_eq!(rows(&["a=1,2", "b=x,y"], "zip").unwrap(), ["1 x", "2 y"]);
        assert_eq!(rows(&[], "factorial").unwrap(), [""], "no factors: the scenario itself");
        assert!(rows(&["a=1,2", "b=x"], "zip").unwrap_err().contains("a has 2 values, b has 1"));
        assert!(rows(&["a=1,2", "a=3"], "factorial").unwrap_err().contains("given twice"));
    }

    #[test]
    fn sampled_designs_have_their_sizes() {
        let vary = ["a=0.0:1.0", "b=1:10"];
        for (design, n) in
            [("lhs:10", 10), ("sobol:16", 16), ("random:7", 7), ("morris:5", 15), ("saltelli:4", 16)]
        {
            let rows = rows(&vary, design).unwrap();
            assert_eq!(rows.len(), n, "{design}");
        }
        assert!(rows(&[], "lhs:10").unwrap_err().contains("there are no factors"));
        assert!(rows(&vary, "lhs").unwrap_err().contains("expected a count"));
        assert!(rows(&vary, "fnord:3").unwrap_err().contains("unknown"));
    }

    #[test]
    fn tables_are_configurations() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.csv"), "agents, detector\n4,ZScore\n5,\"Knn(neighbours: 3)\"\n")
            .unwrap();
        let design = Design::Table { file: "t.csv".to_owned() };
        let configurations = Configurations::new(&[], &design, 0, folder.path()).unwrap();
        assert_eq!(configurations.paths(), ["agents", "detector"]);
        assert_eq!(configurations.levels(1), ["5", "Knn(neighbours: 3)"]);
    }
}
