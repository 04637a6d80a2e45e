//! The study that is meant: the scenario's, one that `--study` names, and what flags put over it.

use clap::Args;
use phalanx_sim::scenario::{Positive, Scenario, SeedScheme, Study};

use super::design::parse_design;
use super::error::PlanError;
use super::levels::parse_vary;
use crate::scenario::nearest;

/// Flags that make or change a study.
#[derive(Clone, Debug, Default, Args)]
pub struct StudyArgs {
    /// A study of the scenario's `studies`
    #[arg(long, value_name = "NAME")]
    study: Option<String>,
    /// Vary a field: consensus.quorum=0.5,0.6 or network.loss=0:0.3:0.1 or agents=10:1000:log3 (repeatable)
    #[arg(long, value_name = "PATH=VALUES")]
    vary: Vec<String>,
    /// How factors combine: factorial, zip, lhs:N, sobol:N, random:N, morris:N, saltelli:N, table:FILE.csv
    #[arg(long, value_name = "DESIGN")]
    design: Option<String>,
    /// Only configurations that fulfil this: 'consensus.quorum > 0.5 && adversaries.0.fraction < 0.3'
    #[arg(short = 'r', long = "filter", value_name = "EXPRESSION")]
    filter: Vec<String>,
    /// Runs of every configuration, each with a seed of its own [default: the study's, or 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..1 << 30))]
    reps: Option<u32>,
    /// Whether replicate k has the same seed in every configuration
    #[arg(long, value_name = "SCHEME")]
    seeds: Option<Scheme>,
    /// Go on until a figure is known well enough: 'f1 rel<0.02 max 200'
    #[arg(long, value_name = "RULE")]
    until: Option<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Scheme {
    /// The same: differences between configurations are paired.
    Common,
    /// Every configuration has seeds of its own.
    Independent,
}

impl StudyArgs {
    /// Flags that choose a study by its name, and change nothing.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { study: Some(name.to_owned()), ..Self::default() }
    }

    /// The study, flags over names over the scenario's own.
    ///
    /// # Errors
    /// If a flag cannot be read, or there is no study of that name.
    pub fn resolve(&self, scenario: &Scenario) -> Result<Study, PlanError> {
        for (index, study) in scenario.studies.iter().enumerate() {
            let problem = match study.name.as_str() {
                "" => "has no name".to_owned(),
                name if scenario.studies[..index].iter().any(|s| s.name == name) => {
                    format!("is called `{name}`, as is one before it")
                }
                _ => continue,
            };
            return Err(PlanError::StudyName { index, problem });
        }
        let mut study = match &self.study {
            None => inherited(&scenario.study, &scenario.studies, &mut Vec::new())?,
            Some(name) => inherited(named(name, &scenario.studies)?, &scenario.studies, &mut Vec::new())?,
        };
        for text in &self.vary {
            let factor = parse_vary(text)?;
            match study.factors.iter_mut().find(|f| f.path == factor.path) {
                Some(same) => *same = factor,
                None => study.factors.push(factor),
            }
        }
        if let Some(design) = &self.design {
            study.design = parse_design(design)?;
            if let phalanx_sim::scenario::Design::Table { file } = &mut study.design {
                // A path given by flag is relative to the working folder.
                let path = std::path::absolute(&file);
                *file = path.map_or_else(|_| file.clone(), |p| p.to_string_lossy().into_owned());
            }
        }
        study.conditions.extend(self.filter.iter().cloned());
        if let Some(reps) = self.reps {
            study.replicates = Positive::new(reps);
        }
        if let Some(scheme) = self.seeds {
            study.seeds = match scheme {
                Scheme::Common => SeedScheme::Common,
                Scheme::Independent => SeedScheme::Independent,
            };
        }
        if self.until.is_some() {
            study.until.clone_from(&self.until);
        }
        Ok(study)
    }
}

fn named<'s>(name: &str, studies: &'s [Study]) -> Result<&'s Study, PlanError> {
    studies.iter().find(|s| s.name == name).ok_or_else(|| {
        let known: Vec<String> = studies.iter().map(|s| s.name.clone()).collect();
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        PlanError::NoStudy { name: name.to_owned(), nearest, known }
    })
}

/// A study with what it extends in front of it. Where it says nothing, the extended study's word holds.
fn inherited(study: &Study, studies: &[Study], above: &mut Vec<String>) -> Result<Study, PlanError> {
    let Some(base) = &study.extends else { return Ok(study.clone()) };
    if above.contains(base) {
        return Err(PlanError::Circle { name: base.clone() });
    }
    above.push(base.clone());
    let base = inherited(named(base, studies)?, studies, above)?;
    let default = Study::default();
    let mut factors = base.factors;
    factors.retain(|f| study.factors.iter().all(|own| own.path != f.path));
    factors.extend(study.factors.iter().cloned());
    let conditions = base.conditions.iter().chain(&study.conditions).cloned().collect();
    let or = |own, base, default| if own == default { base } else { own };
    Ok(Study {
        name: study.name.clone(),
        extends: None,
        factors,
        design: if study.design == default.design { base.design } else { study.design.clone() },
        conditions,
        replicates: or(study.replicates, base.replicates, default.replicates),
        seeds: if study.seeds == default.seeds { base.seeds } else { study.seeds },
        until: study.until.clone().or(base.until),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::levels::parse_vary;

    #[test]
    fn studies_inherit_and_flags_win() {
        let study = |name: &str, extends: Option<&str>, vary: &[&str]| Study {
            name: name.to_owned(),
            extends: extends.map(str::to_owned),
            factors: vary.iter().map(|v| parse_vary(v).unwrap()).collect(),
            ..Study::default()
        };
        let mut wide = study("wide", None, &["a=1,2", "b=1"]);
        wide.replicates = Positive::new(7);
        let scenario = Scenario {
            studies: vec![wide, study("more", Some("wide"), &["b=5,6"]), study("loop", Some("loop"), &[])],
            ..Scenario::default()
        };
        let args = StudyArgs {
            study: Some("more".to_owned()),
            vary: vec!["a=9".to_owned()],
            ..StudyArgs::default()
        };
        let resolved = args.resolve(&scenario).unwrap();
        assert_eq!(resolved.replicates.get(), 7);
        let factors: Vec<&str> = resolved.factors.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(factors, ["a", "b"]);
        assert_eq!(resolved.factors[0], parse_vary("a=9").unwrap());
        let error = |name: &str| {
            let args = StudyArgs { study: Some(name.to_owned()), ..StudyArgs::default() };
            args.resolve(&scenario).unwrap_err().to_string()
        };
        assert!(error("wied").contains("did you mean `wide`?"));
        assert!(error("loop").contains("extends itself"));
    }
}
