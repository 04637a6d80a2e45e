//! The values of a factor: read from `--vary`, listed for grids, and drawn from for sampled designs.

use phalanx_sim::scenario::{Factor, Level, Levels, Positive};

use super::error::PlanError;

/// Values of one factor at most; beyond that a step was mistyped.
const LEVELS_MAX: usize = 1_000_000;

/// A factor from the text after `--vary`: `path=a,b,c`, `path=from:to:step`, `path=from:to:logN` or, for sampled
/// designs, `path=from:to`.
///
/// # Errors
/// If it is none of these.
pub fn parse_vary(text: &str) -> Result<Factor, PlanError> {
    let fail = |problem: &str| PlanError::Vary { text: text.to_owned(), problem: problem.to_owned() };
    let (path, values) = text.split_once('=').ok_or_else(|| fail("expected path=values"))?;
    let (path, values) = (path.trim(), values.trim());
    if path.is_empty() || values.is_empty() {
        return Err(fail("expected path=values"));
    }
    let parts = split(values, ':');
    let levels = match parts.as_slice() {
        [_] => {
            let values: Vec<Level> = split(values, ',').into_iter().map(level).collect();
            if values.iter().any(|v| *v == Level::Text(String::new())) {
                return Err(fail("an empty value: remove a comma"));
            }
            Levels::List { values }
        }
        [from, to] => Levels::Range { from: level(from), to: level(to), step: None },
        [from, to, log] if log.starts_with("log") => {
            let count = log[3..].parse().ok().filter(|n| (1..=1 << 20).contains(n)).map(Positive::new);
            let count = count.ok_or_else(|| fail("expected a count behind `log`"))?;
            Levels::LogRange { from: level(from), to: level(to), count: Some(count) }
        }
        [from, to, step] => {
            let step = step.parse().map_err(|_| fail("the step is no number"))?;
            Levels::Range { from: level(from), to: level(to), step: Some(step) }
        }
        _ => return Err(fail("expected from:to:step")),
    };
    Ok(Factor { path: path.to_owned(), levels })
}

/// Splits at a separator that is not inside brackets or quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut quoted, mut start) = (0i32, false, 0);
    let mut parts = Vec::new();
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            c if c == separator && depth == 0 && !quoted => {
                parts.push(text[start..i].trim());
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn level(text: &str) -> Level {
    // Quotes keep commas and colons together; they are no part of the value.
    if let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).filter(|t| !t.contains('"'))
    {
        return Level::Text(inner.to_owned());
    }
    match (text.parse::<bool>(), text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(truth), ..) => Level::Truth(truth),
        (_, Ok(whole), _) => Level::Whole(whole),
        (.., Ok(real)) if real.is_finite() => Level::Real(real),
        _ => Level::Text(text.to_owned()),
    }
}

/// All values of a factor, for designs that are made of levels.
///
/// # Errors
/// If there are none or too many, or the range has no step.
pub fn grid(factor: &Factor) -> Result<Vec<Level>, PlanError> {
    let fail = |problem: &str| PlanError::Levels { path: factor.path.clone(), problem: problem.to_owned() };
    match &factor.levels {
        Levels::List { values } if values.is_empty() => Err(fail("no values: give at least one")),
        Levels::List { values } => Ok(values.clone()),
        Levels::Range { from, to, step } => {
            let ends = Ends::of(factor, from, to)?;
            let step = step.ok_or_else(|| fail("a range without step: give one, or a sampled design"))?;
            if step <= 0.0 || !step.is_finite() {
                return Err(fail("the step must be above 0"));
            }
            // A step that fits on paper may miss the end by a few roundings.
            let count = ((ends.to - ends.from) / step + 1e-9).floor() as usize + 1;
            if count > LEVELS_MAX {
                return Err(fail("more than a million values: give a larger step"));
            }
            let whole = ends.whole && step.fract() == 0.0;
            Ok((0..count).map(|k| number(rounded(ends.from + k as f64 * step, 12), whole)).collect())
        }
        Levels::LogRange { from, to, count } => {
            let ends = Ends::positive(factor, from, to)?;
            let count = count.ok_or_else(|| fail("a range without count: give one, or a sampled design"))?;
            let last = f64::from(count.get() - 1).max(1.0);
            let mut levels: Vec<Level> = (0..count.get()).map(|k| ends.log(f64::from(k) / last)).collect();
            levels.dedup();
            Ok(levels)
        }
    }
}

/// What a sampled design draws from.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// One of these.
    List(Vec<Level>),
    /// Uniform between two numbers.
    Linear(Ends),
    /// Uniform between two logarithms.
    Log(Ends),
}

/// The ends of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ends {
    from: f64,
    to: f64,
    whole: bool,
}

impl Ends {
    fn of(factor: &Factor, from: &Level, to: &Level) -> Result<Self, PlanError> {
        let fail = |problem: String| PlanError::Levels { path: factor.path.clone(), problem };
        let value = |level: &Level| match level {
            Level::Whole(x) => Ok(*x as f64),
            Level::Real(x) => Ok(*x),
            other => Err(fail(format!("`{other}` is no number"))),
        };
        let whole = matches!((from, to), (Level::Whole(_), Level::Whole(_)));
        let ends = Self { from: value(from)?, to: value(to)?, whole };
        if ends.to < ends.from {
            return Err(fail(format!("the range ends at {to}, below its start {from}")));
        }
        Ok(ends)
    }

    fn positive(factor: &Factor, from: &Level, to: &Level) -> Result<Self, PlanError> {
        let ends = Self::of(factor, from, to)?;
        if ends.from <= 0.0 {
            let problem = format!("a logarithmic range begins above 0, not at {from}");
            return Err(PlanError::Levels { path: factor.path.clone(), problem });
        }
        Ok(ends)
    }

    fn log(&self, u: f64) -> Level {
        let x = self.from * ((self.to / self.from).ln() * u).exp();
        // The library's last digits differ between platforms; six digits do not, and are pleasant to read.
        number(rounded(x, 6), self.whole)
    }
}

impl Scale {
    /// The range of a factor.
    ///
    /// # Errors
    /// If it is empty or not one of numbers.
    pub fn of(factor: &Factor) -> Result<Self, PlanError> {
        match &factor.levels {
            Levels::List { .. } => grid(factor).map(Self::List),
            Levels::Range { from, to, .. } => Ends::of(factor, from, to).map(Self::Linear),
            Levels::LogRange { from, to, .. } => Ends::positive(factor, from, to).map(Self::Log),
        }
    }

    /// The level at `u` in `[0, 1]`. Lists and whole numbers give every value an equal share.
    #[must_use]
    pub fn at(&self, u: f64) -> Level {
        match self {
            Self::List(levels) => levels[((u * levels.len() as f64) as usize).min(levels.len() - 1)].clone(),
            Self::Linear(Ends { from, to, whole: true }) => {
                number((from + u * (to - from + 1.0)).floor().min(*to), true)
            }
            Self::Linear(Ends { from, to, .. }) => number(rounded(from + u * (to - from), 6), false),
            Self::Log(ends) => ends.log(u),
        }
    }
}

fn number(x: f64, whole: bool) -> Level {
    if whole { Level::Whole(x.round() as i64) } else { Level::Real(x) }
}

/// To so many significant digits.
fn rounded(x: f64, digits: usize) -> f64 {
    format!("{x:.*e}", digits - 1).parse().expect("a formatted number is a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match parse_vary(text).and_then(|factor| grid(&factor)) {
            Ok(levels) => levels.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        };
        assert!(shown == expected || shown.ends_with(expected), "{text}: {shown}");
    }

    #[test]
    fn factors_are_lists_and_ranges() {
        check("consensus.quorum=0.5,0.6", "0.5 0.6");
        check("agents=10", "10");
        check("network.loss=0:0.3:0.1", "0.0 0.1 0.2 0.3");
        check("agents=5:12:3", "5 8 11");
        check("agents=10:1000:log3", "10 100 1000");
        check("x=0.001:1.0:log4", "0.001 0.01 0.1 1.0");
        check("network.enabled=true,false", "true false");
        check(
            "detector=IsolationForest(trees: 50, sample: 64),ZScore",
            "IsolationForest(trees: 50, sample: 64) ZScore",
        );
        check("detector=\"Knn(neighbours: 3)\",ZScore", "Knn(neighbours: 3) ZScore");
        check("agents=1:2", "a range without step: give one, or a sampled design");
        check("agents=3:1:1", "the range ends at 1, below its start 3");
        check("agents=0:10:log3", "a logarithmic range begins above 0, not at 0");
        check("agents", "expected path=values");
        check("agents=1,,2", "an empty value: remove a comma");
        check("agents=1:5:0", "the step must be above 0");
    }

    #[test]
    fn sampled_levels_have_equal_shares() {
        let scale = |text| Scale::of(&parse_vary(text).unwrap()).unwrap();
        let three = scale("a=1:3");
        let shares: Vec<Level> = (0..6).map(|k| three.at(f64::from(k) / 6.0)).collect();
        assert_eq!(shares, [1, 1, 2, 2, 3, 3].map(Level::Whole));
        assert_eq!(three.at(1.0), Level::Whole(3));
        assert_eq!(scale("a=0.0:2.0").at(0.25), Level::Real(0.5));
        assert_eq!(scale("a=1.0:100.0:log2").at(0.5), Level::Real(10.0));
        assert_eq!(scale("a=x,y").at(0.99), Level::Text("y".to_owned()));
    }
}
