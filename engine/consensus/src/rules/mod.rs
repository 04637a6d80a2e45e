//! Voting rules behind one trait, and their registry.
//!
//! A rule is one file in this folder and one line in the registry below; `docs/adding-a-rule.md` walks through it.

use crate::{BadSetting, Ballot, Exchange, Memory, Poll, Standing, Verdict};

/// How ballots reach the place where they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathering {
    /// Every voter sends its ballot; the rule counts those that have arrived.
    Votes,
    /// Nobody sends a ballot: participants talk to each other through the [`Exchange`], starting from their own.
    Rounds,
}

/// One cycle and one round of averaging, for the trials.
pub(crate) use pairwise::cycle;
pub(crate) use push_sum::round;

/// A way to decide a question by the ballots of many.
///
/// The decision is a function of the poll and of what the exchange answers. Ballots are in voter order, so that
/// float sums give the same bits whatever order they arrived in.
pub trait VotingRule {
    /// Whether the settings can be right.
    ///
    /// # Errors
    /// Names the first field that cannot.
    fn check(&self) -> Result<(), BadSetting> {
        Ok(())
    }

    /// How ballots are gathered.
    fn gathering(&self) -> Gathering {
        Gathering::Votes
    }

    /// What can be said now. `Open` past the deadline means undecided.
    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict;

    /// Takes note of a poll that is over, if the rule learns from the past.
    fn learn(&self, ballots: &[Ballot], standings: &[Standing], memory: &mut Memory) {
        let _ = (ballots, standings, memory);
    }
}

/// Makes the modules, the enum of all rules and its delegation out of a list of `module::Type` lines. A unit type is
/// written bare (`Majority`), a type with settings with the name under which the delegation binds it.
macro_rules! registry {
    ($($(#[doc = $doc:literal])+ $module:ident :: $name:ident $(($rule:ident))?,)+) => {
        $(mod $module; pub use $module::*;)+

        /// A voting rule by name, with its settings: the word `consensus.rule` of a scenario.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub enum Rule {
            $($(#[doc = $doc])+ $name $((registry!(@settings $rule $name)))?,)+
        }

        impl Rule {
            /// Names of all rules, in the order of the registry.
            #[must_use]
            pub fn names() -> &'static [&'static str] {
                &[$(stringify!($name)),+]
            }

            /// The rule's name.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name $((registry!(@ignore $rule)))? => stringify!($name),)+ }
            }

            /// Every rule with its default settings.
            #[must_use]
            pub fn all() -> Vec<Self> {
                vec![$(Self::$name $((<registry!(@settings $rule $name)>::default()))?,)+]
            }

            fn rule(&self) -> &dyn VotingRule {
                match self { $(Self::$name $(($rule))? => registry!(@rule $name $($rule)?),)+ }
            }
        }
    };
    (@settings $rule:ident $name:ident) => { $name };
    (@ignore $rule:ident) => { _ };
    (@rule $name:ident) => { &$name };
    (@rule $name:ident $rule:ident) => { $rule };
}

registry! {
    /// More than the quorum's share of all eligible voters say yes.
    majority::Majority,
    /// Votes weigh as much as their voter's trust; more than the quorum's share of all eligible trust says yes.
    trust_weighted::TrustWeighted,
    /// More than a share of the eligible, or of those who voted, say yes, of whom enough took part.
    supermajority::Supermajority(rule),
    /// So many voters say yes, whatever the others say: the baseline without consensus.
    sightings::Sightings(rule),
    /// Votes weigh as the log-odds of their voter being right (Nitzan & Paroush 1982).
    log_odds::LogOdds(rule),
    /// The posterior of an attack, from voters whose errors of both kinds are known (Fung et al. 2010).
    bayesian::Bayesian(rule),
    /// Opinions, discounted by the trust in their voters and fused (Jøsang 2016).
    subjective_logic::SubjectiveLogic(rule),
    /// Evidence combined by Dempster's rule, which argues contradiction away.
    dempster_shafer::DempsterShafer(rule),
    /// Evidence combined by Yager's rule, to which contradiction is ignorance.
    yager::Yager(rule),
    /// Scores weighted by service trust, as Fides does (after SORT).
    fides::Fides(rule),
    /// Scores weighted as Dovecot does (p2p4slips).
    dovecot::Dovecot(rule),
    /// Votes weighed by their voter's error rates, learned from the votes alone (Dawid & Skene 1979).
    dawid_skene::DawidSkene(rule),
    /// Voters are asked one by one until it is clear (Wald's test; Zhu et al. 2010).
    sprt::Sprt(rule),
    /// Everybody adopts what a random sample says, for some rounds (Team Rocket 2018).
    slush::Slush(rule),
    /// Decides after enough equal samples in a row (Team Rocket 2018).
    snowflake::Snowflake(rule),
    /// Snowflake that also remembers which answer has won more samples (Team Rocket 2018).
    snowball::Snowball(rule),
    /// Leader, prepare, commit, change of view: agreement under a third of liars (Castro & Liskov 1999).
    pbft::Pbft(rule),
    /// The share of yes votes by gossip of halves (Kempe et al. 2003).
    push_sum::PushSum(rule),
    /// The share of yes votes by averaging in pairs (Boyd et al. 2006).
    pairwise::PairwiseAveraging(rule),
}

impl VotingRule for Rule {
    fn check(&self) -> Result<(), BadSetting> {
        self.rule().check()
    }

    fn gathering(&self) -> Gathering {
        self.rule().gathering()
    }

    fn decide(&self, poll: &Poll, exchange: &mut dyn Exchange) -> Verdict {
        self.rule().decide(poll, exchange)
    }

    fn learn(&self, ballots: &[Ballot], standings: &[Standing], memory: &mut Memory) {
        self.rule().learn(ballots, standings, memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a scenario file, in the form that the runner reads.
    #[test]
    fn rules_are_written_by_name() {
        let read = |text: &str| {
            let options = ron::Options::default()
                .with_default_extension(ron::extensions::Extensions::UNWRAP_VARIANT_NEWTYPES);
            options.from_str::<Rule>(text).map_err(|e| e.to_string())
        };
        assert_eq!(read("Majority"), Ok(Rule::Majority));
        assert_eq!(read("TrustWeighted"), Ok(Rule::TrustWeighted));
        let supermajority = |share| Rule::Supermajority(Supermajority { share, ..Supermajority::default() });
        assert_eq!(read("Supermajority(share: 0.75)"), Ok(supermajority(0.75)));
        assert_eq!(read("Supermajority()"), Ok(supermajority(2.0 / 3.0)));
        assert!(read("Supermajority(shore: 0.75)").unwrap_err().contains("shore"));
        assert!(read("Fiat").unwrap_err().contains("Fiat"));
        for rule in Rule::all() {
            let text = ron::to_string(&rule).unwrap();
            assert_eq!(ron::from_str::<Rule>(&text).unwrap(), rule, "{text}");
            rule.check().unwrap();
        }
        assert_eq!(Rule::names().len(), Rule::all().len());
        assert!(Rule::all().iter().zip(Rule::names()).all(|(rule, name)| rule.name() == *name));
    }
}
