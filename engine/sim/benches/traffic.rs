//! Nanoseconds a generated flow, one thread: `cargo bench -p phalanx-sim --bench traffic`.
//!
//! `items/s` are flows; 150 ns a flow are 6.7 M flows/s.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use phalanx_sim::TrafficGenerator;
use phalanx_sim::scenario::{Campaign, CampaignKind, Fraction, Gaussian, Positive, PositiveReal, Roles};
use phalanx_sim::scenario::{NonNegative, Scenario, Synthetic, Traffic};

fn main() {
    divan::main();
}

fn generate(bencher: Bencher<'_, '_>, scenario: &Scenario) {
    let mut traffic = TrafficGenerator::new(scenario).unwrap();
    let mut flows = 0;
    // The first ticks bring the memory that later ones reuse.
    (0..3).for_each(|_| traffic.step(|_, batch| flows += batch.rows()));
    bencher.counter(ItemsCount::new(flows / 3)).bench_local(|| {
        traffic.step(|_, batch| {
            black_box(batch.features());
        });
    });
}

fn synthetic(agents: u32, synthetic: Synthetic) -> Scenario {
    Scenario { agents: Positive::new(agents), traffic: Traffic::Synthetic(synthetic), ..Scenario::default() }
}

/// All roles, flat load, so that every tick has as many flows.
#[divan::bench(args = [8.0, 30.0, 300.0])]
fn benign(bencher: Bencher<'_, '_>, flows: f64) {
    let world =
        Synthetic { flows: PositiveReal::new(flows), diurnal: Fraction::new(0.0), ..Synthetic::default() };
    generate(bencher, &synthetic(1000, world));
}

/// One role alone.
#[divan::bench(args = ["web", "dns", "workstation", "iot"])]
fn role(bencher: Bencher<'_, '_>, name: &str) {
    let weight = |of: &str| NonNegative::new(f64::from(u8::from(of == name)));
    let (web, dns) = (weight("web"), weight("dns"));
    let roles = Roles { web, dns, workstation: weight("workstation"), iot: weight("iot") };
    let world = Synthetic { roles, diurnal: Fraction::new(0.0), ..Synthetic::default() };
    generate(bencher, &synthetic(1000, world));
}

/// A flood of a hundred flows an agent and tick.
#[divan::bench]
fn flood(bencher: Bencher<'_, '_>) {
    let campaign = Campaign {
        rate: Some(PositiveReal::new(100.0)),
        sources: Positive::new(4096),
        ..Campaign::of(CampaignKind::PortScan)
    };
    let mut scenario = synthetic(200, Synthetic { flows: PositiveReal::new(1.0), ..Synthetic::default() });
    scenario.campaigns.push(campaign);
    generate(bencher, &scenario);
}

#[divan::bench]
fn gaussian(bencher: Bencher<'_, '_>) {
    generate(bencher, &Scenario { traffic: Traffic::Gaussian(Gaussian::default()), ..Scenario::default() });
}
