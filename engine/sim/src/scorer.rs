//! The detector of one agent, by what it shares and how it learns.

use std::sync::Arc;

use phalanx_core::{Schema, Stream};
use phalanx_detect::{
    Clause, Comparison, Cusum, CusumConfig, DetectError, Detector, DetectorKind, Ewma, EwmaConfig,
    ExtendedForestConfig, FitScratch, ForestConfig, HalfSpaceConfig, HalfSpaceTrees, HostedDetector,
    IsolationForest, KnnConfig, RandomCutConfig, RobustRandomCutForest, Rule, RuleDetector,
    StreamingDetector, load_detector, load_streaming,
};

use crate::checkpoint::Malformed;
use crate::scenario;

/// A fitted detector.
#[derive(Debug)]
pub(crate) enum Scorer {
    /// A forest, whose oldest trees can be replaced.
    Forest(Arc<IsolationForest>),
    /// Any other that only reads once it is fitted; agents may share it.
    Fitted(Arc<dyn Detector>),
    /// One that learns from every flow.
    Streaming(Box<dyn StreamingDetector>),
    /// A plugin, which may fail.
    Hosted(Box<dyn HostedDetector>),
}

impl Scorer {
    /// What scores.
    pub(crate) fn detector(&self) -> &dyn Detector {
        match self {
            Self::Forest(forest) => forest.as_ref(),
            Self::Fitted(fitted) => fitted.as_ref(),
            Self::Streaming(streaming) => streaming.as_ref(),
            Self::Hosted(hosted) => hosted.as_ref(),
        }
    }

    /// Another handle of the same detector.
    ///
    /// # Panics
    /// For a streaming detector, which has one owner; the scenario's check sees to it.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Forest(forest) => Self::Forest(Arc::clone(forest)),
            Self::Fitted(fitted) => Self::Fitted(Arc::clone(fitted)),
            Self::Streaming(_) | Self::Hosted(_) => panic!("a detector that learns by itself has one owner"),
        }
    }

    /// Becomes what [`Detector::save`] gave for a detector of the same scenario.
    pub(crate) fn restore(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let malformed = |_| Malformed("a detector");
        match self {
            Self::Forest(forest) => *forest = Arc::new(IsolationForest::load(bytes).map_err(malformed)?),
            Self::Fitted(fitted) => *fitted = Arc::from(load_detector(bytes).map_err(malformed)?),
            Self::Streaming(streaming) => *streaming = load_streaming(bytes).map_err(malformed)?,
            Self::Hosted(hosted) => hosted.restore(bytes).map_err(|_| Malformed("a plugin's state"))?,
        }
        Ok(())
    }

    /// Fits the scenario's detector to rows.
    pub(crate) fn fit(
        kind: &scenario::Detector,
        schema: &Schema,
        rows: &[f32],
        stream: &mut Stream,
        scratch: &mut FitScratch,
    ) -> Result<Self, DetectError> {
        use scenario::Detector as Kind;
        let width = schema.width();
        let mut registered = |kind: DetectorKind, stream: &mut Stream| {
            kind.fit(rows, width, stream, scratch).map(|fitted| Self::Fitted(Arc::from(fitted)))
        };
        match kind {
            Kind::IsolationForest { trees, sample, .. } => {
                let config = ForestConfig { trees: trees.get(), sample: sample.get() };
                IsolationForest::fit(rows, width, &config, stream, scratch).map(|f| Self::Forest(Arc::new(f)))
            }
            Kind::ExtendedForest { trees, sample } => {
                let config =
                    ExtendedForestConfig { trees: trees.get(), sample: sample.get(), ..Default::default() };
                registered(DetectorKind::ExtendedForest(config), stream)
            }
            Kind::KurtosisForest { trees, sample } => {
                let mut kind = DetectorKind::from_name("kurtosis_forest")?;
                if let DetectorKind::KurtosisForest(config) = &mut kind {
                    (config.trees, config.sample) = (trees.get(), sample.get());
                }
                registered(kind, stream)
            }
            Kind::ZScore => registered(DetectorKind::ZScore, stream),
            Kind::Ecod => registered(DetectorKind::Ecod, stream),
            Kind::Copod => registered(DetectorKind::Copod, stream),
            Kind::Hbos => registered(DetectorKind::Hbos(Default::default()), stream),
            Kind::Loda => registered(DetectorKind::Loda(Default::default()), stream),
            Kind::Knn { neighbours } => {
                let config = KnnConfig { neighbours: neighbours.get(), ..Default::default() };
                registered(DetectorKind::Knn(config), stream)
            }
            Kind::Mahalanobis => registered(DetectorKind::Mahalanobis(Default::default()), stream),
            Kind::Pca => registered(DetectorKind::Pca(Default::default()), stream),
            Kind::Ensemble => registered(DetectorKind::Ensemble(Default::default()), stream),
            Kind::HalfSpaceTrees { trees, window } => {
                let config =
                    HalfSpaceConfig { trees: trees.get(), window: window.get(), ..Default::default() };
                HalfSpaceTrees::fit(rows, width, &config, stream).map(|d| Self::Streaming(Box::new(d)))
            }
            Kind::RandomCutForest { trees, window } => {
                let config = RandomCutConfig { trees: trees.get(), window: window.get() };
                RobustRandomCutForest::fit(rows, width, &config, stream).map(|d| Self::Streaming(Box::new(d)))
            }
            Kind::Ewma => Ewma::fit(rows, width, EwmaConfig::default()).map(|d| Self::Streaming(Box::new(d))),
            Kind::Cusum => {
                Cusum::fit(rows, width, CusumConfig::default()).map(|d| Self::Streaming(Box::new(d)))
            }
            Kind::Plugin(_) => unreachable!("plugins are made by their factory, see `learn`"),
            Kind::Rules(written) => {
                let rules = written.iter().map(|r| rule(r, schema)).collect::<Result<_, _>>();
                // Names were checked when the simulation was built.
                let rules = rules.expect("rules name features of the schema");
                RuleDetector::new(width, rules).map(|d| Self::Fitted(Arc::new(d)))
            }
        }
    }
}

/// A rule of the scenario with its features found; the name of the first that is not there otherwise.
pub(crate) fn rule(written: &scenario::DetectionRule, schema: &Schema) -> Result<Rule, String> {
    let clauses = |clauses: &[scenario::Clause]| -> Result<Vec<Clause>, String> {
        clauses
            .iter()
            .map(|clause| {
                let feature = schema.position(&clause.feature).ok_or_else(|| clause.feature.clone())?;
                let comparison = match clause.is {
                    scenario::Comparison::Less => Comparison::Less,
                    scenario::Comparison::AtMost => Comparison::AtMost,
                    scenario::Comparison::Equal => Comparison::Equal,
                    scenario::Comparison::Differs => Comparison::Differs,
                    scenario::Comparison::AtLeast => Comparison::AtLeast,
                    scenario::Comparison::Greater => Comparison::Greater,
                };
                Ok(Clause { feature, comparison, limit: clause.limit as f32 })
            })
            .collect()
    };
    Ok(match written {
        scenario::DetectionRule::Any(written) => Rule::Any(clauses(written)?),
        scenario::DetectionRule::All(written) => Rule::All(clauses(written)?),
    })
}
