//! O16: what families of graphs promise.

use phalanx_sim::network::{Graph, measure, topology};

use super::{Check, Estimate, Trial};

const WATTS: &str = "Watts & Strogatz 1998";
const ERDOS: &str = "Erdős & Rényi 1960";
const BARABASI: &str = "Barabási & Albert 1999; Dorogovtsev";
const ALON: &str = "Friedman 2008: 2 sqrt(d - 1) / d";

pub(crate) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (p, clustering, path, slack) in
        [(0.0, 2.0 / 3.0, 50.4505, 1e-4), (0.1, 0.490, 4.43, 0.1), (1.0, 0.009, 3.27, 0.03)]
    {
        let world = move |t: &mut Trial| topology::watts_strogatz(1000, 10, p, &mut t.stream);
        let quantity = format!("Watts-Strogatz n 1000 k 10 p {p}: clustering");
        checks.push(
            Check::new("O16", quantity, WATTS, clustering, move |t| {
                over(12, t, |t| measure::clustering(&world(t)))
            })
            .within(if p == 0.0 { 1e-6 } else { 5e-3 }),
        );
        let quantity = format!("Watts-Strogatz n 1000 k 10 p {p}: path length");
        checks.push(
            Check::new("O16", quantity, WATTS, path, move |t| {
                over(12, t, |t| measure::path_length(&world(t), 200, &mut t.stream))
            })
            .within(slack),
        );
    }
    for (mean, exact) in [(1.5, 0.582_812), (2.0, 0.796_812), (3.0, 0.940_480)] {
        let quantity = format!("Erdős-Rényi, mean degree {mean}: largest part");
        checks.push(
            Check::new("O16", quantity, ERDOS, exact, move |t| {
                over(12, t, |t| {
                    let n = 20_000;
                    let graph = topology::erdos_renyi(n, mean / f64::from(n - 1), &mut t.stream);
                    f64::from(measure::components(&graph)[0]) / f64::from(n)
                })
            })
            .within(1e-4),
        );
    }
    for (degree, exact) in [(3, 0.4), (4, 0.2), (5, 4.0 / 35.0)] {
        let quantity = format!("Barabási-Albert m 3: share of degree {degree}");
        checks.push(
            Check::new("O16", quantity, BARABASI, exact, move |t| {
                over(12, t, |t| share_of_degree(&topology::barabasi_albert(10_000, 3, &mut t.stream), degree))
            })
            .within(1e-3),
        );
    }
    checks.push(
        Check::new("O16", "Barabási-Albert m 3: mean degree", BARABASI, 6.0, |t| {
            let graph = topology::barabasi_albert(10_000, 3, &mut t.stream);
            Estimate::computed(2.0 * graph.edges() as f64 / 10_000.0)
        })
        .within(2e-3),
    );
    for (degree, exact) in [(4, 0.866), (8, 0.661)] {
        let quantity = format!("random {degree}-regular: second eigenvalue");
        checks.push(
            Check::new("O16", quantity, ALON, exact, move |t| {
                over(6, t, |t| {
                    let graph = topology::regular(3000, degree, &mut t.stream);
                    measure::second_eigenvalue(&graph, 0.0, 400, &mut t.stream)
                })
            })
            .within(0.01),
        );
    }
    checks.push(
        Check::new(
            "O16",
            "ring of 20, W = 1/3: second eigenvalue",
            "(1 + 2 cos(2 pi / 20)) / 3",
            0.967_371,
            |t| {
                Estimate::computed(measure::second_eigenvalue(
                    &topology::ring(20),
                    1.0 / 3.0,
                    2000,
                    &mut t.stream,
                ))
            },
        )
        .within(1e-6),
    );
    const SQUARE: &str = "pi r^2 - 8 r^3 / 3 + r^4 / 2";
    checks.push(Check::new("O16", "geometric n 5000: mean degree", SQUARE, 8.0, |t| {
        over(12, t, |t| {
            let radius = topology::geometric_radius(5000, 8.0);
            2.0 * topology::geometric(5000, radius, &mut t.stream).edges() as f64 / 5000.0
        })
    }));
    checks.push(Check::new("O16", "random 8-regular of 100,000: edges", "n k / 2", 400_000.0, |t| {
        Estimate::computed(topology::regular(100_000, 8, &mut t.stream).edges() as f64)
    }));
    checks
}

/// Mean over graphs. Of one that does not vary the error is 0.
fn over(graphs: u32, trial: &mut Trial, mut value: impl FnMut(&mut Trial) -> f64) -> Estimate {
    let values: Vec<f64> = (0..trial.runs(graphs)).map(|_| value(trial)).collect();
    Estimate::mean(&values)
}

fn share_of_degree(graph: &Graph, degree: usize) -> f64 {
    f64::from(measure::degree_counts(graph)[degree]) / f64::from(graph.nodes())
}
