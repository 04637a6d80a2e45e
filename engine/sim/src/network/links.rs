//! What becomes of a message: lost, late, doubled or cut off.

use phalanx_core::{AgentId, Purpose, Stream, Streams, Tick};

use super::chain::{Chain, States};
use super::region;

/// A time during which some regions are cut off from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// First tick of it.
    pub from: u64,
    /// First tick after it.
    pub until: u64,
    /// The regions on one side; all others are on the other.
    pub regions: Vec<u8>,
}

/// Losses in bursts (Gilbert 1960, Elliott 1963): a sender's way out is good or bad, and stays so for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// From good to bad by `enter` a tick, and back by `leave`.
    pub chain: Chain,
    /// Probability of losing a message while it is bad.
    pub loss: f64,
}

/// Everything that decides the fate of messages, as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// Shortest and longest delay in ticks, uniform; on top of the regions'.
    pub delay_ticks: (u32, u32),
    /// Length of a tick in ms, if delays between regions follow [`region::MEAN_MS`].
    pub tick_ms: Option<f64>,
    /// Probability of losing a message.
    pub loss: f64,
    /// Bursts, during which their loss holds instead.
    pub bursts: Option<Bursts>,
    /// Probability that a message that arrives does so a second time, with a delay of its own.
    pub duplication: f64,
    /// Partitions.
    pub cuts: Vec<Cut>,
    /// Every agent's region; may be empty if nothing asks for regions.
    pub regions: Vec<u8>,
}

/// What becomes of one message: delays of its arrivals in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Arrives so many ticks later, or never.
    pub delay: Option<u32>,
    /// Arrives once more, so many ticks after it was sent.
    pub copy: Option<u32>,
}

/// The plan and the state of this tick's bursts.
#[derive(Clone, Debug)]
pub struct Links {
    plan: LinkPlan,
    bad: Option<States>,
    now: Tick,
}

impl Links {
    /// Links among `agents`.
    ///
    /// # Panics
    /// If a share lies outside `[0, 1]`, delays are the wrong way round, or regions are asked for and not given.
    #[must_use]
    pub fn new(plan: LinkPlan, agents: u32) -> Self {
        let share = |p: f64| (0.0..=1.0).contains(&p);
        assert!(share(plan.loss) && share(plan.duplication), "probabilities lie in [0, 1]");
        assert!(plan.bursts.is_none_or(|b| share(b.loss)), "probabilities lie in [0, 1]");
        assert!(plan.delay_ticks.0 <= plan.delay_ticks.1, "the shortest delay is not above the longest");
        let needed = plan.tick_ms.is_some() || !plan.cuts.is_empty();
        assert!(!needed || plan.regions.len() == agents as usize, "every agent is in a region");
        let known = |r: &u8| plan.tick_ms.is_none() || usize::from(*r) < region::REGIONS.len();
        assert!(plan.regions.iter().all(known), "delays are known between {} regions", region::REGIONS.len());
        let bad = plan.bursts.map(|bursts| States::new(bursts.chain, Purpose::Bursts, agents));
        Self { plan, bad, now: Tick(0) }
    }

    /// The longest delay that [`Self::fate`] can give, in ticks.
    #[must_use]
    pub fn delay_ticks_max(&self) -> u32 {
        self.plan.delay_ticks.1 + self.plan.tick_ms.map_or(0, region::ticks_max)
    }

    /// Goes to `tick`; fates are those of messages sent in it.
    pub fn go_to(&mut self, streams: &Streams, tick: Tick) {
        self.now = tick;
        if let Some(bad) = &mut self.bad {
            bad.go_to(streams, tick);
        }
    }

    /// Draws the fate of a message that is sent now. Draws nothing that the plan has made certain, and the same number
    /// of times whether or not a partition stands.
    pub fn fate(&self, from: AgentId, to: AgentId, stream: &mut Stream) -> Fate {
        let loss = match (&self.bad, self.plan.bursts) {
            (Some(bad), Some(bursts)) if bad.is_on(from.0) => bursts.loss,
            _ => self.plan.loss,
        };
        let lost = loss > 0.0 && stream.bernoulli(loss);
        let delay = self.delay(from, to, stream);
        let twice = self.plan.duplication > 0.0 && stream.bernoulli(self.plan.duplication);
        let copy = twice.then(|| self.delay(from, to, stream));
        if lost {
            return Fate::default();
        }
        let arrives =
            |delay: &u32| !self.is_cut(from, to, self.now) && !self.is_cut(from, to, self.later(*delay));
        Fate { delay: Some(delay).filter(arrives), copy: copy.filter(arrives) }
    }

    fn later(&self, delay: u32) -> Tick {
        self.now.after(u64::from(delay))
    }

    fn delay(&self, from: AgentId, to: AgentId, stream: &mut Stream) -> u32 {
        let (least, most) = self.plan.delay_ticks;
        let uniform = if most > least { least + stream.below(most - least + 1) } else { least };
        let Some(tick_ms) = self.plan.tick_ms else { return uniform };
        let [a, b] = [from, to].map(|agent| usize::from(self.plan.regions[agent.index()]));
        let delay_ms = region::delay_ms(region::MEAN_MS[a][b], stream);
        uniform + region::ticks(delay_ms, tick_ms, stream)
    }

    /// Whether a partition stands between two agents at `tick`. What is sent or would arrive in it is lost.
    #[must_use]
    pub fn is_cut(&self, from: AgentId, to: AgentId, tick: Tick) -> bool {
        self.plan.cuts.iter().any(|cut| {
            let inside = |agent: AgentId| cut.regions.contains(&self.plan.regions[agent.index()]);
            (cut.from..cut.until).contains(&tick.0) && inside(from) != inside(to)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> LinkPlan {
        LinkPlan {
            delay_ticks: (0, 0),
            tick_ms: None,
            loss: 0.0,
            bursts: None,
            duplication: 0.0,
            cuts: Vec::new(),
            regions: Vec::new(),
        }
    }

    fn share(links: &Links, from: u32, hit: impl Fn(Fate) -> bool) -> f64 {
        let mut stream = Streams::from_seed(1).stream(Purpose::Links, from, Tick(0));
        let hits = (0..10_000).filter(|_| hit(links.fate(AgentId(from), AgentId(0), &mut stream))).count();
        hits as f64 / 10_000.0
    }

    #[test]
    fn certain_links_draw_nothing() {
        let links = Links::new(plan(), 2);
        let mut stream = Streams::from_seed(1).stream(Purpose::Links, 0, Tick(0));
        let mut untouched = stream.clone();
        assert_eq!(links.fate(AgentId(0), AgentId(1), &mut stream), Fate { delay: Some(0), copy: None });
        assert_eq!(stream.bits64(), untouched.bits64());
    }

    #[test]
    fn the_plain_network_draws_loss_and_then_delay() {
        // The order of draws that goldens of plain networks rest on.
        let links = Links::new(LinkPlan { delay_ticks: (1, 3), loss: 0.3, ..plan() }, 2);
        let mut stream = Streams::from_seed(2).stream(Purpose::Links, 0, Tick(0));
        let mut expected = stream.clone();
        for _ in 0..200 {
            let lost = expected.bernoulli(0.3);
            let delay = 1 + expected.below(3);
            let fate = links.fate(AgentId(0), AgentId(1), &mut stream);
            assert_eq!(fate, Fate { delay: (!lost).then_some(delay), copy: None });
        }
    }

    #[test]
    fn loss_and_duplication_have_their_rates() {
        let links = Links::new(LinkPlan { loss: 0.2, duplication: 0.5, ..plan() }, 2);
        assert!((share(&links, 1, |f| f.delay.is_none()) - 0.2).abs() < 0.016);
        assert!((share(&links, 1, |f| f.copy.is_some()) - 0.4).abs() < 0.02);
    }

    #[test]
    fn bursts_are_bad_for_their_share_of_senders() {
        let streams = Streams::from_seed(3);
        let bursts = Some(Bursts { chain: Chain::new(0.1, 0.3), loss: 1.0 });
        let mut links = Links::new(LinkPlan { bursts, ..plan() }, 4000);
        links.go_to(&streams, Tick(9));
        let mut stream = streams.stream(Purpose::Links, 0, Tick(9));
        let lost =
            (0..4000).filter(|from| links.fate(AgentId(*from), AgentId(0), &mut stream).delay.is_none());
        // A quarter, ±4·sqrt(4000·3/16); and a sender's messages share their fate.
        let lost = lost.count();
        assert!((890..=1110).contains(&lost), "{lost}");
        let of_sender = share(&links, 7, |f| f.delay.is_none());
        assert!(of_sender == 0.0 || of_sender == 1.0);
    }

    #[test]
    fn partitions_let_nothing_across() {
        let cut = Cut { from: 3, until: 6, regions: vec![1] };
        let links = LinkPlan { delay_ticks: (2, 2), cuts: vec![cut], regions: vec![0, 1, 1, 2], ..plan() };
        let mut links = Links::new(links, 4);
        let streams = Streams::from_seed(1);
        let arrives = |links: &mut Links, t, from, to| {
            links.go_to(&streams, Tick(t));
            let mut stream = streams.stream(Purpose::Links, from, Tick(t));
            links.fate(AgentId(from), AgentId(to), &mut stream).delay.is_some()
        };
        let across: Vec<u64> = (0..8).filter(|t| arrives(&mut links, *t, 0, 1)).collect();
        assert_eq!(across, [0, 6, 7], "neither sent nor due while it stands");
        assert!((0..8).all(|t| arrives(&mut links, t, 1, 2) && arrives(&mut links, t, 3, 0)));
    }
}
