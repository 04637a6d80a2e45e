//! What agents may keep in memory.

use crate::harness::shipped;
use phalanx_sim::scenario::Positive;
use phalanx_sim::{Simulation, TrafficInput};

/// The budget of an agent without a model of its own is a kibibyte; what it saw last and what it judges by are beside it.
#[test]
fn an_agent_that_shares_its_model_takes_a_kibibyte() {
    let mut scenario = shipped("million");
    scenario.agents = Positive::new(2000);
    let mut simulation = Simulation::new(&scenario, TrafficInput::Generated, 2).unwrap();
    for tick in 0..scenario.ticks.get() {
        simulation.step();
        let kept = simulation.footprint();
        assert_eq!(kept.agents, 2000);
        let (state, flows, windows) = (kept.state / 2000, kept.flows / 2000, kept.windows / 2000);
        assert!(state <= 1024, "{state} bytes an agent after tick {tick}");
        assert!(flows <= 1536 && windows <= 512, "{flows} and {windows} bytes an agent after tick {tick}");
    }
}
