//! What an agent is: the components of its entity.
//!
//! One entity is one agent is one watched host. Components are grouped by who writes them, so that a phase borrows
//! only what it changes. The order of agents is that of [`Identity`], never that of spawning.

use std::sync::Arc;

use bevy_ecs::component::Component;
use phalanx_core::{AgentId, FlowBatch, FlowKey, Indicator, Prefix, Signature, SignatureId, Tick, Vote};
use phalanx_detect::{DetectError, DriftDetector, IsolationForest, Threshold, load_drift};

use crate::checkpoint::{Malformed, Reader, Saved, State, Writer, saved, state};
use crate::scorer::Scorer;
use crate::traffic::Role;
use crate::window::Window;

/// Who the agent is. Never changes.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Identity(pub(crate) AgentId);

/// Where the agent is: the region that its network address and its day belong to.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Region(pub(crate) u16);

/// The host that the agent watches.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Host {
    /// What it serves or uses.
    pub(crate) role: Role,
    /// Its address.
    pub(crate) address: u32,
}

/// What the agent scores and flags flows with.
#[derive(Component, Debug)]
pub(crate) struct Detector {
    /// Scores flows.
    pub(crate) scorer: Scorer,
    /// Flags scores.
    pub(crate) threshold: Threshold,
    /// The tick from which on it has been in use.
    pub(crate) since: Tick,
    /// The native detector that answers where a plugin cannot, if the scenario wants one.
    pub(crate) standby: Option<Box<Standby>>,
    /// Whether this tick's flows were scored by something else than the plugin.
    pub(crate) fell_back: bool,
}

/// A native detector that learns beside a plugin.
#[derive(Debug)]
pub(crate) struct Standby {
    /// Scores flows.
    pub(crate) scorer: Scorer,
    /// Flags scores.
    pub(crate) threshold: Threshold,
}

const WHOLE: &str = "generated and checked flows are finite and as wide as the model";

impl Detector {
    /// Another handle of the same detector; see [`Scorer::share`].
    pub(crate) fn share(&self) -> Self {
        Self {
            scorer: self.scorer.share(),
            threshold: self.threshold.clone(),
            since: self.since,
            standby: None,
            fell_back: false,
        }
    }

    /// Begins a tick, and scores its flows; a forest that is `refreshed` keeps the path sums that the scores come from.
    ///
    /// # Panics
    /// As [`Self::score`].
    pub(crate) fn observe(&mut self, now: Tick, batch: &mut Batch, refreshed: bool) {
        let Batch { flows, scores, sums, .. } = batch;
        sums.clear();
        match &mut self.scorer {
            Scorer::Forest(forest) if refreshed => {
                forest.path_sums(flows.features(), sums).expect(WHOLE);
                scores.clear();
                scores.extend(sums.iter().map(|sum| forest.score_of(*sum)));
                self.fell_back = false;
                return;
            }
            Scorer::Hosted(hosted) => hosted.begin(now),
            _ => {}
        }
        self.fell_back = !self.score(flows.features(), scores);
    }

    /// Scores rows; whether the scorer itself did. A plugin that cannot is answered for by its standby, or else by 0s.
    ///
    /// # Panics
    /// If the rows are not whole and finite.
    pub(crate) fn score(&self, rows: &[f32], scores: &mut Vec<f64>) -> bool {
        match self.scorer.detector().score(rows, scores) {
            Ok(()) => return true,
            Err(DetectError::Unavailable { .. }) => {}
            Err(error) => panic!("{WHOLE}: {error}"),
        }
        if let Some(standby) = &self.standby {
            standby.scorer.detector().score(rows, scores).expect(WHOLE);
        } else {
            scores.clear();
            scores.resize(rows.len() / self.scorer.detector().width(), 0.0);
        }
        false
    }

    /// The threshold for scores of the scorer itself, or of what answered for it; 0s have none.
    pub(crate) fn threshold_of(&self, own: bool) -> Option<&Threshold> {
        if own { Some(&self.threshold) } else { self.standby.as_ref().map(|standby| &standby.threshold) }
    }
}

/// What the agent has learned from: the flows that its next detector is fitted to.
#[derive(Component, Debug)]
pub(crate) struct Model {
    /// Recent flows.
    pub(crate) window: Window,
    /// Their path sums in the agent's forest, where only some of its trees are replaced at a time.
    pub(crate) sums: PathSums,
    /// Watches for a change of the scores, if the scenario asks for it.
    pub(crate) drift: Option<Box<dyn DriftDetector>>,
    /// Flows still to be seen before a model of the time after a change is fitted.
    pub(crate) relearn: u32,
}

/// Path sums of the rows of a window in the agent's forest, kept from one refresh to the next: they are exact, so that
/// replaced trees can be taken out and new ones put in.
#[derive(Debug, Default)]
pub(crate) struct PathSums {
    /// By place in the window; of all its rows, or none.
    sums: Vec<u64>,
}

impl PathSums {
    /// The window has a new row in this place.
    pub(crate) fn put(&mut self, place: usize, sum: Option<u64>) {
        let Some(sum) = sum.filter(|_| !self.sums.is_empty()) else { return self.sums.clear() };
        if place == self.sums.len() {
            self.sums.push(sum);
        } else {
            self.sums[place] = sum;
        }
    }

    /// The sums of all rows of the window in the forest, in which all those that were put have been taken.
    pub(crate) fn of(
        &mut self,
        forest: &IsolationForest,
        window: &Window,
    ) -> Result<&mut Vec<u64>, DetectError> {
        if self.sums.is_empty() {
            forest.path_sums(window.features(), &mut self.sums)?;
        }
        Ok(&mut self.sums)
    }
}

/// The flows of this tick and what was found in them. Row i of each is flow i.
#[derive(Component, Debug, Default)]
pub(crate) struct Batch {
    /// What was observed.
    pub(crate) flows: FlowBatch,
    /// The own detector's scores.
    pub(crate) scores: Vec<f64>,
    /// The path sums that these come from, if the detector is a forest of which only some trees are replaced at a time.
    pub(crate) sums: Vec<u64>,
    /// Whether the score is above the threshold.
    pub(crate) flagged: Vec<bool>,
    /// Whether a confirmed indicator matched, and so blocked the flow.
    pub(crate) blocked: Vec<Blocked>,
}

/// What the blacklist says of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// Nothing.
    No,
    /// It matches a signature of the agent's own.
    ByOwn,
    /// It matches a signature that another agent reported.
    ByOther,
}

/// What the agent has to say this tick.
#[derive(Component, Debug, Default)]
pub(crate) struct Outbox {
    /// Reports.
    pub(crate) reports: Vec<Arc<Signature>>,
    /// Votes, and whether each is held back until the deadline.
    pub(crate) votes: Vec<(Vote, bool)>,
}

/// What has reached the agent this tick, by (source, sequence).
#[derive(Component, Debug, Default)]
pub(crate) struct Inbox {
    /// Reports to vote on.
    pub(crate) reports: Vec<Arc<Signature>>,
    /// Signatures that were confirmed.
    pub(crate) confirmed: Vec<Arc<Signature>>,
    /// Indicators that somebody (also the agent itself) has reported lately, so that it is not said twice.
    pub(crate) heard: Vec<(Indicator, Tick)>,
}

/// Confirmed signatures that the agent acts on.
#[derive(Component, Debug, Default)]
pub(crate) struct Blacklist {
    /// Sorted by (indicator, id).
    pub(crate) entries: Vec<Listed>,
}

/// A confirmed signature.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// The signature.
    pub(crate) signature: Arc<Signature>,
    /// When a flow last matched, or when it was confirmed.
    pub(crate) seen: Tick,
}

/// Whether the watched host is infected by a worm, by which campaign and since when.
#[derive(Component, Clone, Copy, Debug, Default)]
pub(crate) struct Infection(pub(crate) Option<(u16, Tick)>);

/// How a signature is compared with a flow: its indicator and, if the scenario gives a radius, the ball around its
/// centroid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matcher {
    /// Spreads that a flow may lie away from the centroid in any feature.
    pub(crate) radius: Option<f64>,
    /// Prefix length that reporters use.
    pub(crate) prefix_bits: u8,
}

impl Matcher {
    /// Whether the signature speaks of this flow. A signature that names nothing matches nothing without a radius.
    pub(crate) fn matches(self, signature: &Signature, key: &FlowKey, row: &[f32]) -> bool {
        !self.matches_nothing(signature)
            && signature.indicator.matches(key)
            && self.radius.is_none_or(|radius| in_ball(signature, row, radius))
    }

    fn matches_nothing(self, signature: &Signature) -> bool {
        self.radius.is_none() && signature.indicator.is_empty()
    }

    /// How many flows of a window that nothing was found wrong with the signature speaks of.
    pub(crate) fn count_fine(self, signature: &Signature, window: &Window) -> usize {
        if self.matches_nothing(signature) {
            return 0;
        }
        match self.radius {
            None => window.count_fine_named(&signature.indicator),
            Some(radius) => window
                .fine_named(&signature.indicator)
                .filter(|i| in_ball(signature, window.row(*i), radius))
                .count(),
        }
    }

    /// How many flows of a window that nothing was found wrong with an indicator names, if it names any.
    pub(crate) fn count_named(self, indicator: &Indicator, window: &Window) -> usize {
        if indicator.is_empty() { 0 } else { window.count_fine_named(indicator) }
    }

    /// The indicators that could match a flow with this key, from the most to the least specific.
    pub(crate) fn candidates(self, key: &FlowKey) -> [Indicator; 8] {
        let prefix = key.accused().map(|address| Prefix::of(address, self.prefix_bits));
        std::array::from_fn(|mask| Indicator {
            prefix: prefix.filter(|_| mask & 4 == 0),
            port: key.port.filter(|_| mask & 2 == 0),
            protocol: key.protocol.filter(|_| mask & 1 == 0),
        })
    }
}

/// A feature that did not vary among the supporting flows still admits this much, for rounding.
const SPREAD_MIN: f64 = 1e-4;

fn in_ball(signature: &Signature, row: &[f32], radius: f64) -> bool {
    signature.centroid.iter().zip(&signature.spread).zip(row).all(|((centre, spread), x)| {
        (f64::from(*x) - f64::from(*centre)).abs() <= radius * f64::from(*spread) + SPREAD_MIN
    })
}

/// Contact of one agent with one campaign, for `measure`.
#[derive(Clone, Debug)]
pub(crate) struct Encounter {
    /// Index of the campaign.
    pub(crate) campaign: u16,
    /// First flow.
    pub(crate) contact: Tick,
    /// First time that the own detector had enough for a report.
    pub(crate) local: Option<Tick>,
    /// First time that this or a confirmed indicator had caught it.
    pub(crate) shared: Option<Tick>,
    /// Flagged flows by tick, while they still count as recent evidence.
    pub(crate) recent: Vec<(Tick, u32)>,
}

/// Contacts with the campaigns that have reached the agent, by campaign.
#[derive(Component, Debug, Default)]
pub(crate) struct Encounters(pub(crate) Vec<Encounter>);

impl Encounters {
    /// The contact with a campaign, which begins now if there was none.
    pub(crate) fn with(&mut self, campaign: u16, now: Tick) -> &mut Encounter {
        let at = match self.0.binary_search_by_key(&campaign, |e| e.campaign) {
            Ok(at) => at,
            Err(at) => {
                let first =
                    Encounter { campaign, contact: now, local: None, shared: None, recent: Vec::new() };
                self.0.reserve_exact(1);
                self.0.insert(at, first);
                at
            }
        };
        &mut self.0[at]
    }
}

/// Empties a list, and gives back the room that an unusual tick has made it take.
pub(crate) fn empty<T>(list: &mut Vec<T>) {
    const KEPT: usize = 4;
    list.clear();
    if list.capacity() > KEPT {
        *list = Vec::new();
    }
}

/// Identity of the proposal that a message is about, for orders and digests.
pub(crate) fn signature_words(id: SignatureId) -> [u64; 2] {
    [id.tick.0, u64::from(id.author.0) << 16 | u64::from(id.sequence)]
}

saved!(Listed { signature, seen });
saved!(Encounter { campaign, contact, local, shared, recent });

// What has arrived is dealt with in the tick in which it does.
state!(Inbox { kept: [heard], found: [reports, confirmed] });
state!(Blacklist { kept: [entries], found: [] });

impl Saved for Blocked {
    fn save(&self, out: &mut Writer) {
        out.plain(&match self {
            Self::No => 0_u8,
            Self::ByOwn => 1,
            Self::ByOther => 2,
        });
    }

    fn load(input: &mut Reader<'_>) -> Result<Self, Malformed> {
        match input.plain()? {
            0_u8 => Ok(Self::No),
            1 => Ok(Self::ByOwn),
            2 => Ok(Self::ByOther),
            _ => Err(Malformed("what a blacklist said")),
        }
    }
}

// Attackers that adapt feel in the next tick what was blocked in this one; everything else is overwritten.
state!(Batch { kept: [blocked], found: [flows, scores, sums, flagged] });

impl State for Infection {
    fn save_state(&self, out: &mut Writer) {
        self.0.save(out);
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        self.0 = Saved::load(input)?;
        Ok(())
    }
}

impl State for Encounters {
    fn save_state(&self, out: &mut Writer) {
        self.0.save(out);
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        self.0 = Saved::load(input)?;
        Ok(())
    }
}

impl State for Model {
    fn save_state(&self, out: &mut Writer) {
        // Path sums are made anew from the window and the forest.
        let Self { window, sums: _, drift, relearn } = self;
        window.save_state(out);
        drift.as_ref().map(|drift| drift.save()).save(out);
        relearn.save(out);
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        let Self { window, sums, drift, relearn } = self;
        *sums = PathSums::default();
        window.restore_state(input)?;
        let saved: Option<Vec<u8>> = Saved::load(input)?;
        if saved.is_some() != drift.is_some() {
            return Err(Malformed("what watches for drift"));
        }
        *drift = saved
            .map(|bytes| load_drift(&bytes))
            .transpose()
            .map_err(|_| Malformed("what watches for drift"))?;
        *relearn = Saved::load(input)?;
        Ok(())
    }
}

/// Of a detector that agents share, only its owner's is saved; see [`crate::checkpoint`].
impl State for Detector {
    fn save_state(&self, out: &mut Writer) {
        // Which of them scored is found out anew in every tick.
        let Self { scorer, threshold, since, standby, fell_back: _ } = self;
        scorer.detector().save().save(out);
        threshold.save().save(out);
        since.save(out);
        if let Some(standby) = standby {
            let Standby { scorer, threshold } = &**standby;
            scorer.detector().save().save(out);
            threshold.save().save(out);
        }
    }

    fn restore_state(&mut self, input: &mut Reader<'_>) -> Result<(), Malformed> {
        let Self { scorer, threshold, since, standby, fell_back: _ } = self;
        scorer.restore(&Vec::<u8>::load(input)?)?;
        *threshold = load_threshold(input)?;
        *since = Saved::load(input)?;
        if let Some(standby) = standby {
            standby.scorer.restore(&Vec::<u8>::load(input)?)?;
            standby.threshold = load_threshold(input)?;
        }
        Ok(())
    }
}

fn load_threshold(input: &mut Reader<'_>) -> Result<Threshold, Malformed> {
    Threshold::load(&Vec::<u8>::load(input)?).map_err(|_| Malformed("a threshold"))
}
