//! When a configuration has had enough replicates: `f1 rel<0.02 max 200`.

use super::error::PlanError;

/// Replicates before the first look: below this a deviation says little.
const MIN: u32 = 5;

/// Go on until the half-width of a figure's 95 % confidence interval is small enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Until {
    /// Column of the figure, or its last part.
    pub metric: String,
    /// Whether the half-width is measured against the mean.
    pub relative: bool,
    /// The half-width that is small enough.
    pub limit: f64,
    /// Replicates of every configuration.
    pub min: u32,
    /// No configuration gets more.
    pub max: u32,
}

impl Until {
    /// Reads `METRIC rel<X|abs<X [min N] max N`.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let fail = |problem: &str| PlanError::Until { text: text.to_owned(), problem: problem.to_owned() };
        let spaced = text.replace('<', " < ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let [metric, kind, "<", limit, rest @ ..] = words.as_slice() else {
            return Err(fail("expected METRIC rel<NUMBER max COUNT"));
        };
        let relative = match *kind {
            "rel" => true,
            "abs" => false,
            _ => return Err(fail("expected `rel<` or `abs<`")),
        };
        let limit = limit.parse().ok().filter(|x: &f64| *x > 0.0 && x.is_finite());
        let limit = limit.ok_or_else(|| fail("the limit must be a number above 0"))?;
        let mut until = Self { metric: (*metric).to_owned(), relative, limit, min: MIN, max: 0 };
        for pair in rest.chunks(2) {
            match pair {
                ["max", count] => until.max = count.parse().map_err(|_| fail("max is no count"))?,
                ["min", count] => until.min = count.parse().map_err(|_| fail("min is no count"))?,
                _ => return Err(fail("expected `min COUNT` or `max COUNT`")),
            }
        }
        if until.max == 0 {
            return Err(fail("say when to give up: max COUNT"));
        }
        if until.min < 2 || until.min > until.max {
            return Err(fail("min must lie between 2 and max"));
        }
        Ok(until)
    }

    /// The round after one that ended at `reps` replicates: half as many again, so that looks are few and the set of
    /// runs does not depend on which run ended first. None at the maximum.
    #[must_use]
    pub fn next(&self, reps: u32) -> Option<u32> {
        (reps < self.max).then(|| (reps + reps.div_ceil(2)).min(self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_rounds_grow() {
        let until = Until::parse("f1 rel<0.02 max 20").unwrap();
        assert_eq!((until.relative, until.limit, until.min, until.max), (true, 0.02, 5, 20));
        let rounds: Vec<u32> = std::iter::successors(Some(until.min), |reps| until.next(*reps)).collect();
        assert_eq!(rounds, [5, 8, 12, 18, 20]);
        assert!(!Until::parse("network.bytes abs < 1000 min 3 max 9").unwrap().relative);
        for (wrong, part) in [
            ("f1", "expected METRIC"),
            ("f1 rel<x max 3", "above 0"),
            ("f1 rel<0.1", "say when"),
            ("f1 rel<0.1 max 3", "between 2 and max"),
            ("f1 below<0.1 max 30", "expected `rel<`"),
        ] {
            assert!(Until::parse(wrong).unwrap_err().to_string().contains(part), "{wrong}");
        }
    }
}
