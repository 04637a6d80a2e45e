//! Detectors by name, for scenarios and command lines.

use std::str::FromStr;

use phalanx_core::Stream;

use serde::Serialize;

use crate::{
    Copod, Cusum, CusumConfig, DetectError, Detector, Ecod, Ensemble, EnsembleConfig, Ewma, EwmaConfig,
    ExtendedForest, ExtendedForestConfig, FeatureDraw, FitScratch, ForestConfig, HalfSpaceConfig,
    HalfSpaceTrees, Hbos, HbosConfig, Intercept, IsolationForest, Knn, KnnConfig, Loda, LodaConfig,
    Mahalanobis, MahalanobisConfig, Pca, PcaConfig, RandomCutConfig, RobustRandomCutForest, Scaling, Side,
    StreamingDetector, ZScore,
};

/// A detector that is fitted to a batch of rows, with its parameters.
///
/// As text it is a name, perhaps with parameters: `knn`, `knn:neighbours=1,reference=4096`. What is not given keeps its
/// default.
///
/// ```
/// use phalanx_core::{Purpose, Streams, Tick};
/// use phalanx_detect::{DetectorKind, FitScratch};
///
/// let kind: DetectorKind = "isolation_forest:trees=50".parse()?;
/// let mut rng = Streams::from_seed(1).stream(Purpose::Model, 0, Tick(0));
/// let detector = kind.fit(&[1.0, 2.0, 3.0, 50.0], 1, &mut rng, &mut FitScratch::default())?;
/// assert_eq!(detector.width(), 1);
///
/// let error = "isolation-forst".parse::<DetectorKind>().unwrap_err();
/// assert!(error.to_string().contains("did you mean `isolation_forest`?"));
/// # Ok::<(), phalanx_detect::DetectError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum DetectorKind {
    /// [`IsolationForest`].
    IsolationForest(ForestConfig),
    /// [`ExtendedForest`].
    ExtendedForest(ExtendedForestConfig),
    /// [`ExtendedForest`] with axis-parallel cuts and features drawn by kurtosis: the plain forest, but for that.
    KurtosisForest(ExtendedForestConfig),
    /// [`ZScore`].
    ZScore,
    /// [`Ecod`].
    Ecod,
    /// [`Copod`].
    Copod,
    /// [`Hbos`].
    Hbos(HbosConfig),
    /// [`Loda`].
    Loda(LodaConfig),
    /// [`Knn`].
    Knn(KnnConfig),
    /// [`Mahalanobis`].
    Mahalanobis(MahalanobisConfig),
    /// [`Pca`].
    Pca(PcaConfig),
    /// [`Ensemble`] of its default members.
    Ensemble(EnsembleConfig),
    /// [`HalfSpaceTrees`] that have seen the rows in their order, and learn no more.
    HalfSpaceTrees(HalfSpaceConfig),
    /// [`RobustRandomCutForest`] of the latest rows, which learns no more.
    RandomCutForest(RandomCutConfig),
    /// [`Ewma`] with baselines of the rows. A chart is about what follows: see [`DetectorKind::fit_streaming`].
    Ewma(EwmaConfig),
    /// [`Cusum`] with baselines of the rows.
    Cusum(CusumConfig),
}

/// In the order of [`DetectorKind::all`].
const NAMES: [&str; 16] = [
    "isolation_forest",
    "extended_forest",
    "kurtosis_forest",
    "z_score",
    "ecod",
    "copod",
    "hbos",
    "loda",
    "knn",
    "mahalanobis",
    "pca",
    "ensemble",
    "half_space_trees",
    "random_cut_forest",
    "ewma",
    "cusum",
];

impl DetectorKind {
    /// All names, in a fixed order.
    #[must_use]
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// All kinds with default parameters, in the order of [`Self::names`].
    #[must_use]
    pub fn all() -> [Self; 16] {
        let extended = ExtendedForestConfig::default();
        [
            Self::IsolationForest(ForestConfig::default()),
            Self::ExtendedForest(extended),
            Self::KurtosisForest(ExtendedForestConfig {
                level: 0,
                per_node: false,
                intercept: Intercept::Box,
                draw: FeatureDraw::Kurtosis,
                ..extended
            }),
            Self::ZScore,
            Self::Ecod,
            Self::Copod,
            Self::Hbos(HbosConfig::default()),
            Self::Loda(LodaConfig::default()),
            Self::Knn(KnnConfig::default()),
            Self::Mahalanobis(MahalanobisConfig::default()),
            Self::Pca(PcaConfig::default()),
            Self::Ensemble(EnsembleConfig::default()),
            Self::HalfSpaceTrees(HalfSpaceConfig::default()),
            Self::RandomCutForest(RandomCutConfig::default()),
            Self::Ewma(EwmaConfig::default()),
            Self::Cusum(CusumConfig::default()),
        ]
    }

    /// The kind of this name, with default parameters. Hyphens are as good as underscores.
    ///
    /// # Errors
    /// [`DetectError::UnknownDetector`], which lists all names and points out the one that is spelt most alike.
    pub fn from_name(name: &str) -> Result<Self, DetectError> {
        let canonical = name.trim().replace('-', "_");
        let place = NAMES.iter().position(|known| **known == canonical);
        place.map(|place| Self::all()[place]).ok_or_else(|| DetectError::UnknownDetector {
            name: name.to_owned(),
            nearest: nearest(&canonical, &NAMES),
            known: &NAMES,
        })
    }

    /// The name that [`Self::from_name`] knows it by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let same = |other: &Self| std::mem::discriminant(other) == std::mem::discriminant(self);
        NAMES[Self::all().iter().position(same).expect("`all` has every kind")]
    }

    /// Names of the parameters that [`Self::set`] takes.
    #[must_use]
    pub fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::ZScore | Self::Ecod | Self::Copod => &[],
            Self::IsolationForest(_) => &["trees", "sample"],
            Self::ExtendedForest(_) | Self::KurtosisForest(_) => {
                &["trees", "sample", "level", "scaling", "per_node", "draw", "intercept"]
            }
            Self::Hbos(_) => &["bins", "alpha", "tolerance"],
            Self::Loda(_) => &["cuts", "bins", "scaling"],
            Self::Knn(_) => &["neighbours", "reference", "scaling"],
            Self::Mahalanobis(_) => &["ridge"],
            Self::Pca(_) => &["explained"],
            Self::Ensemble(_) => &["trees", "calibration"],
            Self::HalfSpaceTrees(_) => &["trees", "height", "window"],
            Self::RandomCutForest(_) => &["trees", "window"],
            Self::Ewma(_) => &["lambda"],
            Self::Cusum(_) => &["slack", "side"],
        }
    }

    /// Sets a parameter from text; its range is checked when the detector is fitted.
    ///
    /// # Errors
    /// [`DetectError::UnknownParameter`], which lists the valid ones, or [`DetectError::ParameterText`].
    pub fn set(&mut self, parameter: &str, value: &str) -> Result<(), DetectError> {
        let text = Text { parameter, value };
        match (&mut *self, parameter) {
            (Self::IsolationForest(c), "trees") => c.trees = text.count()?,
            (Self::IsolationForest(c), "sample") => c.sample = text.count()?,
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "trees") => c.trees = text.count()?,
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "sample") => c.sample = text.count()?,
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "level") => c.level = text.count()?,
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "scaling") => c.scaling = text.scaling()?,
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "per_node") => {
                c.per_node = text.parse("true or false")?;
            }
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "draw") => c.draw = text.draw()?,
            (Self::ExtendedForest(c) | Self::KurtosisForest(c), "intercept") => {
                c.intercept = text.intercept()?;
            }
            (Self::Hbos(c), "bins") => c.bins = text.count()?,
            (Self::Hbos(c), "alpha") => c.alpha = text.number()?,
            (Self::Hbos(c), "tolerance") => c.tolerance = text.number()?,
            (Self::Loda(c), "cuts") => c.cuts = text.count()?,
            (Self::Loda(c), "bins") => c.bins = text.count()?,
            (Self::Loda(c), "scaling") => c.scaling = text.scaling()?,
            (Self::Knn(c), "neighbours") => c.neighbours = text.count()?,
            (Self::Knn(c), "reference") => c.reference = text.count()?,
            (Self::Knn(c), "scaling") => c.scaling = text.scaling()?,
            (Self::Mahalanobis(c), "ridge") => c.ridge = text.number()?,
            (Self::Pca(c), "explained") => c.explained = text.number()?,
            (Self::Ensemble(c), "trees") => c.trees = text.count()?,
            (Self::Ensemble(c), "calibration") => c.calibration = text.count()?,
            (Self::HalfSpaceTrees(c), "trees") => c.trees = text.count()?,
            (Self::HalfSpaceTrees(c), "height") => c.height = text.count()?,
            (Self::HalfSpaceTrees(c), "window") => c.window = text.count()?,
            (Self::RandomCutForest(c), "trees") => c.trees = text.count()?,
            (Self::RandomCutForest(c), "window") => c.window = text.count()?,
            (Self::Ewma(c), "lambda") => c.lambda = text.number()?,
            (Self::Cusum(c), "slack") => c.slack = text.number()?,
            (Self::Cusum(c), "side") => c.side = text.side()?,
            (kind, _) => {
                return Err(DetectError::UnknownParameter {
                    detector: kind.name(),
                    name: parameter.to_owned(),
                    known: kind.parameters(),
                });
            }
        }
        Ok(())
    }

    /// Fits the detector to `rows`: row-major, `n × width`.
    ///
    /// A function of the kind, the rows and the stream alone; `scratch` only saves allocations.
    ///
    /// # Errors
    /// No rows, no features, a ragged length, a value that is not finite, or a parameter outside its range.
    pub fn fit(
        &self,
        rows: &[f32],
        width: usize,
        rng: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<Box<dyn Detector>, DetectError> {
        Ok(match self {
            Self::IsolationForest(config) => {
                Box::new(IsolationForest::fit(rows, width, config, rng, scratch)?)
            }
            Self::ExtendedForest(config) | Self::KurtosisForest(config) => {
                Box::new(ExtendedForest::fit(rows, width, config, rng)?)
            }
            Self::ZScore => Box::new(ZScore::fit(rows, width)?),
            Self::Ecod => Box::new(Ecod::fit(rows, width)?),
            Self::Copod => Box::new(Copod::fit(rows, width)?),
            Self::Hbos(config) => Box::new(Hbos::fit(rows, width, config)?),
            Self::Loda(config) => Box::new(Loda::fit(rows, width, config, rng)?),
            Self::Knn(config) => Box::new(Knn::fit(rows, width, config, rng)?),
            Self::Mahalanobis(config) => Box::new(Mahalanobis::fit(rows, width, config)?),
            Self::Pca(config) => Box::new(Pca::fit(rows, width, config)?),
            Self::Ensemble(config) => Box::new(Ensemble::fit(rows, width, config, rng)?),
            Self::HalfSpaceTrees(_) | Self::RandomCutForest(_) | Self::Ewma(_) | Self::Cusum(_) => {
                // A stream can begin with nothing; a detector that is fitted once and for all cannot.
                if rows.is_empty() && width > 0 {
                    return Err(DetectError::NoRows);
                }
                self.fit_streaming(rows, width, rng)?.expect("these kinds learn from streams")
            }
        })
    }

    /// The same as a detector that goes on learning from what it is given; `None` for kinds that do not.
    ///
    /// # Errors
    /// As [`Self::fit`], but that half-space trees and random cut forests can begin with no rows.
    pub fn fit_streaming(
        &self,
        rows: &[f32],
        width: usize,
        rng: &mut Stream,
    ) -> Result<Option<Box<dyn StreamingDetector>>, DetectError> {
        Ok(Some(match self {
            Self::HalfSpaceTrees(config) => Box::new(HalfSpaceTrees::fit(rows, width, config, rng)?),
            Self::RandomCutForest(config) => Box::new(RobustRandomCutForest::fit(rows, width, config, rng)?),
            Self::Ewma(config) => Box::new(Ewma::fit(rows, width, *config)?),
            Self::Cusum(config) => Box::new(Cusum::fit(rows, width, *config)?),
            _ => return Ok(None),
        }))
    }

    /// Whether it is a control chart, which compares a stream with baselines: that its rows come one after the other is
    /// the point of it, and a chart that stands still is a z-score.
    #[must_use]
    pub fn is_chart(&self) -> bool {
        matches!(self, Self::Ewma(_) | Self::Cusum(_))
    }
}

impl FromStr for DetectorKind {
    type Err = DetectError;

    fn from_str(text: &str) -> Result<Self, DetectError> {
        let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
        let mut kind = Self::from_name(name)?;
        for pair in parameters.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (parameter, value) = pair.split_once('=').unwrap_or((pair, ""));
            kind.set(parameter.trim(), value.trim())?;
        }
        Ok(kind)
    }
}

/// The known name at the least edit distance, if at most a third of its letters differ.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let distance = |known: &&'static str| strsim::damerau_levenshtein(name, known);
    known.iter().copied().min_by_key(distance).filter(|known| 3 * distance(known) <= known.len())
}

/// A parameter's value before it has a type.
#[derive(Clone, Copy)]
struct Text<'a> {
    parameter: &'a str,
    value: &'a str,
}

impl Text<'_> {
    fn parse<T: FromStr>(self, expected: &'static str) -> Result<T, DetectError> {
        self.value.parse().map_err(|_| self.error(expected))
    }

    fn error(self, expected: &'static str) -> DetectError {
        let (name, value) = (self.parameter.to_owned(), self.value.to_owned());
        DetectError::ParameterText { name, value, expected }
    }

    fn count(self) -> Result<u32, DetectError> {
        self.parse("a whole number from 0 to 2^32 - 1")
    }

    fn number(self) -> Result<f64, DetectError> {
        self.parse("a number")
    }

    fn scaling(self) -> Result<Scaling, DetectError> {
        match self.value {
            "none" => Ok(Scaling::None),
            "min_max" => Ok(Scaling::MinMax),
            "standard" => Ok(Scaling::Standard),
            "robust" => Ok(Scaling::Robust),
            _ => Err(self.error("none, min_max, standard or robust")),
        }
    }

    fn side(self) -> Result<Side, DetectError> {
        match self.value {
            "upper" => Ok(Side::Upper),
            "lower" => Ok(Side::Lower),
            "both" => Ok(Side::Both),
            _ => Err(self.error("upper, lower or both")),
        }
    }

    fn draw(self) -> Result<FeatureDraw, DetectError> {
        match self.value {
            "even" => Ok(FeatureDraw::Even),
            "kurtosis" => Ok(FeatureDraw::Kurtosis),
            _ => Err(self.error("even or kurtosis")),
        }
    }

    fn intercept(self) -> Result<Intercept, DetectError> {
        match self.value {
            "box" => Ok(Intercept::Box),
            "projection" => Ok(Intercept::Projection),
            _ => Err(self.error("box or projection")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_core::{Purpose, Streams, Tick};

    #[test]
    fn names_and_kinds_agree() {
        for (name, kind) in NAMES.iter().zip(DetectorKind::all()) {
            assert_eq!((kind.name(), DetectorKind::from_name(name)), (*name, Ok(kind)));
            // Every parameter that is listed can be set, if only to a wrong text.
            for parameter in kind.parameters() {
                let error = { kind }.set(parameter, "?").unwrap_err();
                assert!(matches!(error, DetectError::ParameterText { .. }), "{name} {parameter}: {error}");
            }
        }
        assert_eq!("z-score".parse(), Ok(DetectorKind::ZScore));
    }

    #[test]
    fn parameters_are_read() {
        let kind: DetectorKind = " knn : neighbours = 1, scaling=standard,".parse().unwrap();
        let config = KnnConfig { neighbours: 1, scaling: Scaling::Standard, ..KnnConfig::default() };
        assert_eq!(kind, DetectorKind::Knn(config));
    }

    #[test]
    fn errors_say_what_would_do() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<DetectorKind>().unwrap_err().to_string(), expected);
        };
        let known = NAMES.join(", ");
        check("ecodd", &format!("no detector is called `ecodd`, did you mean `ecod`?; known are {known}"));
        check("banana", &format!("no detector is called `banana`; known are {known}"));
        check("", &format!("no detector is called ``; known are {known}"));
        check("knn:k=3", "`knn` has no parameter `k`; it has neighbours, reference, scaling");
        check("ecod:k=3", "`ecod` has no parameter `k`; it has none");
        check("knn:neighbours=-1", "`neighbours` cannot be `-1`; give a whole number from 0 to 2^32 - 1");
        check("loda:scaling", "`scaling` cannot be ``; give none, min_max, standard or robust");
    }

    #[test]
    fn every_kind_fits() {
        let rows: Vec<f32> = (0..120u16).map(|i| f32::from(i * 37 % 101)).collect();
        let mut digests = Vec::new();
        for kind in DetectorKind::all() {
            let mut rng = Streams::from_seed(1).stream(Purpose::Model, 0, Tick(0));
            let detector = kind.fit(&rows, 3, &mut rng, &mut FitScratch::default()).unwrap();
            assert_eq!(detector.width(), 3);
            digests.push(detector.digest());
        }
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), NAMES.len());
    }
}
