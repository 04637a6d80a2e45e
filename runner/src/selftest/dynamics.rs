//! O18: worms, ageing indicators, delays between regions.

use phalanx_core::{AgentId, Stream, Tick};
use phalanx_sim::ageing::Polynomial;
use phalanx_sim::network::{Bursts, Chain, LinkPlan, Links, region};

use super::{Check, Estimate};

const LOGISTIC: &str = "i' = b i (1 - i)";
const MISP: &str = "MISP decaying models, NIDS";
const SIMBLOCK: &str = "SimBlock 2019, Pareto law";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = vec![
        Check::new("O18", "SI worm, b 0.1 from 1 in 1000: half infected at", LOGISTIC, 69.07, |t| {
            t.mean(20, |s| infected_at(0.5, s))
        })
        .within(0.3),
        Check::new("O18", "SI worm, b 0.1 from 1 in 1000: 90 % infected at", LOGISTIC, 91.04, |t| {
            t.mean(20, |s| infected_at(0.9, s))
        })
        .within(0.3),
    ];
    let nids = Polynomial { base: 80.0, tau: 120.0, delta: 2.0, threshold: 30.0 };
    for (days, exact) in [(10.0, 56.906), (30.0, 40.0), (60.0, 23.43)] {
        let quantity = format!("indicator's score after {days} days");
        checks.push(
            Check::new("O18", quantity, MISP, exact, move |_| Estimate::computed(nids.score(days)))
                .within(2e-3),
        );
    }
    checks.push(Check::new("O18", "days until an indicator has decayed", MISP, 46.875, move |_| {
        Estimate::computed(nids.life())
    }));
    for (from, to) in [(0, 0), (0, 1), (2, 3)] {
        let mean = region::MEAN_MS[from][to];
        let quantity = format!("mean ms, {} to {}", region::REGIONS[from], region::REGIONS[to]);
        checks.push(
            Check::new("O18", quantity, SIMBLOCK, mean, move |t| {
                t.mean(200_000, |s| region::delay_ms(mean, s))
            })
            .within(0.02),
        );
        // Of 32 ms the variance is finite, but far from its estimate, so the median is checked everywhere.
        let quantity = format!("median ms, {} to {}", region::REGIONS[from], region::REGIONS[to]);
        checks.push(
            Check::new("O18", quantity, SIMBLOCK, region::delay_ms_median(mean), move |t| {
                median(mean, t.runs(20_000), &mut t.stream)
            })
            .within(0.5),
        );
    }
    checks.push(
        Check::new(
            "O18",
            "median ms of mean 9, whose variance is infinite",
            SIMBLOCK,
            4.0 * 2.0f64.powf(1.0 / 1.8),
            |t| median(9.0, t.runs(20_000), &mut t.stream),
        )
        .within(0.5),
    );
    checks.push(Check::new(
        "O18",
        "lost in bursts: enter 0.05, leave 0.2, loss 0.8",
        "Gilbert 1960: 0.2 0.8 + 0.8 0.01",
        0.168,
        |t| {
            let plan = LinkPlan {
                delay_ticks: (0, 0),
                tick_ms: None,
                loss: 0.01,
                bursts: Some(Bursts { chain: Chain::new(0.05, 0.2), loss: 0.8 }),
                duplication: 0.0,
                cuts: Vec::new(),
                regions: Vec::new(),
            };
            let mut links = Links::new(plan, 20_000);
            let ticks = t.runs(4);
            let mut lost = 0;
            for i in 0..ticks {
                links.go_to(&t.streams, Tick(u64::from(i) * 1000));
                let fate = |from: &u32| links.fate(AgentId(*from), AgentId(0), &mut t.stream).delay.is_none();
                lost += (0..20_000).filter(fate).count() as u64;
            }
            Estimate::share(lost, u64::from(ticks) * 20_000)
        },
    ));
    checks
}

/// Time at which a share of 100,000 is infected, of which 100 are at first; each infects b = 0.1 a second, of whom the
/// susceptible fall ill. Drawn infection by infection.
fn infected_at(share: f64, stream: &mut Stream) -> f64 {
    const HOSTS: f64 = 100_000.0;
    let (mut infected, mut time) = (100.0, 0.0);
    while infected < share * HOSTS {
        let rate = 0.1 * infected * (1.0 - infected / HOSTS);
        time += stream.exponential(1.0 / rate);
        infected += 1.0;
    }
    time
}

/// Median of whole ms, which no sampling error moves once the sample is large.
fn median(mean: f64, draws: u32, stream: &mut Stream) -> Estimate {
    let mut delays: Vec<f64> = (0..draws).map(|_| region::delay_ms(mean, stream)).collect();
    delays.sort_unstable_by(f64::total_cmp);
    Estimate::computed(delays[delays.len() / 2])
}
