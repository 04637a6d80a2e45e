//! Every sampler against its exact distribution: moments within four standard errors, the Kolmogorov–Smirnov
//! test for continuous ones, Pearson's chi-square for counts. Seeds are fixed, so a failure is a change.

use phalanx_core::{AliasTable, Purpose, Stream, Streams, Tick, maths};
use statrs::function::{beta::beta_reg, gamma::gamma_lr, gamma::gamma_ur};

/// A test fails below this p-value. About a hundred are computed, so by chance one run in a hundred would.
const P_MIN: f64 = 1e-4;
const DRAWS: usize = 500_000;

fn stream(subject: u32) -> Stream {
    Streams::from_seed(2026).stream(Purpose::Model, subject, Tick(0))
}

/// Mean, variance and kurtosis of a distribution.
struct Moments {
    mean: f64,
    variance: f64,
    kurtosis: f64,
}

impl Moments {
    /// Compares sample mean and variance; the standard error of a variance needs the kurtosis.
    fn check(&self, name: &str, draws: &[f64]) {
        let n = draws.len() as f64;
        let mean = maths::mean(draws).unwrap();
        let error = (self.variance / n).sqrt();
        let off = (mean - self.mean).abs();
        assert!(
            off <= 4.0 * error,
            "{name}: mean {mean} for {}, {:.1} standard errors off",
            self.mean,
            off / error
        );
        let squares: Vec<f64> = draws.iter().map(|x| (x - self.mean) * (x - self.mean)).collect();
        let variance = maths::mean(&squares).unwrap();
        let error = self.variance * ((self.kurtosis - 1.0) / n).sqrt();
        let off = (variance - self.variance).abs();
        assert!(
            off <= 4.0 * error + 1e-12,
            "{name}: variance {variance} for {}, {:.1} standard errors off",
            self.variance,
            off / error
        );
    }

    /// The moments of `P(first + i) = probabilities[i]`.
    fn of(first: f64, probabilities: &[f64]) -> Self {
        let moment = |power: u32, about: f64| {
            let term = |(i, p): (usize, &f64)| {
                let x = first + i as f64 - about;
                (0..power).fold(*p, |product, _| product * x)
            };
            maths::sum(&probabilities.iter().enumerate().map(term).collect::<Vec<f64>>())
        };
        let mean = moment(1, 0.0);
        let variance = moment(2, mean);
        Self { mean, variance, kurtosis: moment(4, mean) / (variance * variance) }
    }
}

/// Kolmogorov–Smirnov against a continuous distribution function (p-value: Stephens 1970).
fn check_cdf(name: &str, draws: &[f64], cdf: impl Fn(f64) -> f64) {
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let gap = |(i, x): (usize, &f64)| {
        let f = cdf(*x);
        (f - i as f64 / n).max((i as f64 + 1.0) / n - f)
    };
    let distance = sorted.iter().enumerate().map(gap).fold(0.0, f64::max);
    let lambda = (n.sqrt() + 0.12 + 0.11 / n.sqrt()) * distance;
    let term = |k: u32| {
        let k = f64::from(k);
        let sign = if k % 2.0 == 1.0 { 2.0 } else { -2.0 };
        sign * libm::exp(-2.0 * k * k * lambda * lambda)
    };
    let p = if lambda < 0.3 { 1.0 } else { (1..100).map(term).sum() };
    assert!(p > P_MIN, "{name}: Kolmogorov–Smirnov distance {distance:.5}, p = {p:.1e}");
}

/// Pearson's chi-square; neighbouring cells are pooled until 10 draws are expected in each.
fn check_counts(name: &str, counts: &[u64], probabilities: &[f64]) {
    assert_eq!(counts.len(), probabilities.len());
    let total = counts.iter().sum::<u64>() as f64;
    let impossible = counts.iter().zip(probabilities).position(|(count, p)| *count > 0 && *p == 0.0);
    assert_eq!(impossible, None, "{name}: an impossible value was drawn");
    let mut cells: Vec<(f64, f64)> = vec![(0.0, 0.0)];
    for (count, p) in counts.iter().zip(probabilities) {
        if cells.last().is_some_and(|cell| cell.1 >= 10.0) {
            cells.push((0.0, 0.0));
        }
        let cell = cells.last_mut().unwrap();
        cell.0 += *count as f64;
        cell.1 += p * total;
    }
    if cells.len() > 1 && cells.last().unwrap().1 < 10.0 {
        let (count, expected) = cells.pop().unwrap();
        let last = cells.last_mut().unwrap();
        last.0 += count;
        last.1 += expected;
    }
    let expected_total: f64 = cells.iter().map(|cell| cell.1).sum();
    assert!(
        (expected_total / total - 1.0).abs() < 1e-6,
        "{name}: probabilities sum to {}",
        expected_total / total
    );
    if cells.len() == 1 {
        return;
    }
    let statistic: f64 = cells.iter().map(|(count, mean)| (count - mean) * (count - mean) / mean).sum();
    let p = gamma_ur((cells.len() - 1) as f64 / 2.0, statistic / 2.0);
    assert!(p > P_MIN, "{name}: chi-square {statistic:.1} over {} cells, p = {p:.1e}", cells.len());
}

/// A continuous sampler against its moments and distribution function.
fn check_continuous(name: &str, mut draw: impl FnMut() -> f64, moments: &Moments, cdf: impl Fn(f64) -> f64) {
    let draws: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    moments.check(name, &draws);
    check_cdf(name, &draws, cdf);
}

/// A sampler of whole numbers against `P(first + i) = probabilities[i]`; what lies beyond must not occur.
fn check_discrete(name: &str, mut draw: impl FnMut() -> u64, first: u64, probabilities: &[f64]) {
    let draws: Vec<u64> = (0..DRAWS).map(|_| draw()).collect();
    let mut counts = vec![0; probabilities.len()];
    for value in &draws {
        let cell = value.checked_sub(first).and_then(|cell| counts.get_mut(cell as usize));
        *cell.unwrap_or_else(|| panic!("{name}: {value} is out of range")) += 1;
    }
    let floats: Vec<f64> = draws.iter().map(|value| *value as f64).collect();
    Moments::of(first as f64, probabilities).check(name, &floats);
    check_counts(name, &counts, probabilities);
}

#[test]
fn every_bit_is_fair() {
    let (mut s, mut ones) = (stream(0), [0u64; 96]);
    for _ in 0..DRAWS {
        let (narrow, wide) = (s.bits32(), s.bits64());
        (0..32).for_each(|bit| ones[bit] += u64::from(narrow >> bit & 1));
        (0..64).for_each(|bit| ones[32 + bit] += wide >> bit & 1);
    }
    for (bit, count) in ones.iter().enumerate() {
        check_counts(&format!("bit {bit}"), &[*count, DRAWS as u64 - count], &[0.5, 0.5]);
    }
}

#[test]
fn uniform() {
    let moments = Moments { mean: 0.5, variance: 1.0 / 12.0, kurtosis: 1.8 };
    let mut s = stream(1);
    check_continuous("uniform", || s.uniform(), &moments, |x| x);
    check_continuous("uniform_open", || s.uniform_open(), &moments, |x| x);
}

#[test]
fn successive_draws_and_neighbouring_streams_are_independent() {
    const SIDE: usize = 32;
    let cell = |x: f64| (x * SIDE as f64) as usize;
    let check = |name: &str, draws: &[f64]| {
        let mut counts = vec![0; SIDE * SIDE];
        draws.chunks_exact(2).for_each(|pair| counts[cell(pair[0]) * SIDE + cell(pair[1])] += 1);
        check_counts(name, &counts, &vec![1.0 / (SIDE * SIDE) as f64; SIDE * SIDE]);
    };
    let mut one = stream(2);
    check("one stream", &(0..DRAWS).map(|_| one.uniform()).collect::<Vec<f64>>());
    let streams = Streams::from_seed(7);
    let first = |subject, tick| streams.stream(Purpose::Traffic, subject, Tick(tick)).uniform();
    check("agents", &(0..DRAWS as u32).map(|agent| first(agent, 0)).collect::<Vec<f64>>());
    check("ticks", &(0..DRAWS as u64).map(|tick| first(0, tick)).collect::<Vec<f64>>());
    let seeds =
        (0..DRAWS as u64).map(|seed| Streams::from_seed(seed).stream(Purpose::Traffic, 0, Tick(0)).uniform());
    check("seeds", &seeds.collect::<Vec<f64>>());
}

#[test]
fn bernoulli() {
    for (i, p) in [0.0, 0.001, 0.05, 0.5, 0.9, 1.0].into_iter().enumerate() {
        let mut s = stream(10 + i as u32);
        let yes = (0..DRAWS).filter(|_| s.bernoulli(p)).count() as u64;
        check_counts(&format!("bernoulli {p}"), &[DRAWS as u64 - yes, yes], &[1.0 - p, p]);
    }
}

#[test]
fn below() {
    for (i, n) in [1u32, 2, 3, 7, 10, 1000].into_iter().enumerate() {
        let mut s = stream(20 + i as u32);
        let share = vec![1.0 / f64::from(n); n as usize];
        if n == 1 {
            assert!((0..1000).all(|_| s.below(n) == 0));
        } else {
            check_discrete(&format!("below {n}"), || u64::from(s.below(n)), 0, &share);
        }
    }
    // Here a multiplication alone would favour every third number, a remainder the lower third.
    let (mut s, n) = (stream(29), 3u32 << 30);
    let draws: Vec<u32> = (0..DRAWS).map(|_| s.below(n)).collect();
    let count = |cells: usize, cell: &dyn Fn(u32) -> u32| {
        let mut counts = vec![0; cells];
        draws.iter().for_each(|x| counts[cell(*x) as usize] += 1);
        check_counts(&format!("below 3·2^30 in {cells} cells"), &counts, &vec![1.0 / cells as f64; cells]);
    };
    count(3, &|x| x % 3);
    count(1024, &|x| x % 1024);
    count(768, &|x| x >> 22);
}

#[test]
fn normal() {
    let moments = Moments { mean: 0.0, variance: 1.0, kurtosis: 3.0 };
    let mut s = stream(30);
    check_continuous("normal", || s.normal(), &moments, maths::normal_cdf);
    // Kolmogorov–Smirnov is blind in the tails, so a million draws are counted in steps of half a deviation.
    let mut counts = [0; 20];
    (0..1_000_000).for_each(|_| counts[((s.normal() + 5.0) * 2.0).clamp(0.0, 19.0) as usize] += 1);
    let edge = |i: usize| match i {
        0 => 0.0,
        20 => 1.0,
        _ => maths::normal_cdf(i as f64 / 2.0 - 5.0),
    };
    let probabilities: Vec<f64> = (0..20).map(|i| edge(i + 1) - edge(i)).collect();
    check_counts("normal tails", &counts, &probabilities);
}

#[test]
fn log_normal() {
    for (i, (mu, sigma)) in [(0.0, 0.5), (5.0, 0.25), (-3.0, 0.8)].into_iter().enumerate() {
        let mut s = stream(40 + i as u32);
        let w = libm::exp(sigma * sigma);
        let moments = Moments {
            mean: libm::exp(mu + sigma * sigma / 2.0),
            variance: (w - 1.0) * libm::exp(2.0 * mu) * w,
            kurtosis: w * w * w * w + 2.0 * w * w * w + 3.0 * w * w - 3.0,
        };
        let cdf = |x| maths::normal_cdf((libm::log(x) - mu) / sigma);
        check_continuous(&format!("log_normal {mu} {sigma}"), || s.log_normal(mu, sigma), &moments, cdf);
    }
}

#[test]
fn exponential() {
    for (i, mean) in [0.01, 1.0, 300.0].into_iter().enumerate() {
        let mut s = stream(50 + i as u32);
        let moments = Moments { mean, variance: mean * mean, kurtosis: 9.0 };
        let cdf = |x: f64| -libm::expm1(-x / mean);
        check_continuous(&format!("exponential {mean}"), || s.exponential(mean), &moments, cdf);
    }
}

#[test]
fn poisson() {
    // 9.9 is the last of the multiplications, 10 the first of the rejections.
    for (i, mean) in [0.01, 0.5, 3.0, 9.9, 10.0, 11.5, 30.0, 100.0, 5000.0].into_iter().enumerate() {
        let mut s = stream(60 + i as u32);
        let top = (mean + 12.0 * f64::sqrt(mean) + 20.0) as u32;
        let first = (mean - 12.0 * f64::sqrt(mean)).max(0.0) as u32;
        let p = |k: u32| libm::exp(f64::from(k) * libm::log(mean) - mean - libm::lgamma(f64::from(k) + 1.0));
        let probabilities: Vec<f64> = (first..=top).map(p).collect();
        check_discrete(&format!("poisson {mean}"), || s.poisson(mean), u64::from(first), &probabilities);
    }
    let mut s = stream(70);
    assert!((0..1000).all(|_| s.poisson(0.0) == 0 && s.poisson(-1.0) == 0));
}

#[test]
fn zipf() {
    for (i, n) in [1u32, 2, 10, 1000, 100_000].into_iter().enumerate() {
        for (j, exponent) in [0.2, 0.8, 1.0, 1.000_000_001, 1.5, 3.0].into_iter().enumerate() {
            let mut s = stream(80 + 10 * i as u32 + j as u32);
            let mut probabilities: Vec<f64> = (1..=n).map(|k| libm::pow(f64::from(k), -exponent)).collect();
            let total = maths::sum(&probabilities);
            probabilities.iter_mut().for_each(|p| *p /= total);
            let name = format!("zipf {n} {exponent}");
            if n == 1 {
                assert!((0..1000).all(|_| s.zipf(n, exponent) == 1), "{name}");
            } else if n > 10 && exponent > 1.2 {
                // Rare giants rule the moments, so that a standard error says little; counts do not care.
                let mut counts = vec![0; n as usize];
                (0..DRAWS).for_each(|_| counts[s.zipf(n, exponent) as usize - 1] += 1);
                check_counts(&name, &counts, &probabilities);
            } else {
                check_discrete(&name, || u64::from(s.zipf(n, exponent)), 1, &probabilities);
            }
        }
    }
}

#[test]
fn alias_table() {
    for (i, weights) in [vec![3.0], vec![1.0, 0.0, 2.0], vec![0.1; 50], (1..100).map(f64::from).collect()]
        .into_iter()
        .enumerate()
    {
        let (table, mut s) = (AliasTable::new(&weights), stream(200 + i as u32));
        let mut counts = vec![0; weights.len()];
        (0..DRAWS).for_each(|_| counts[table.draw(&mut s) as usize] += 1);
        let total = maths::sum(&weights);
        let probabilities: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
        assert!(counts.iter().zip(&weights).all(|(count, weight)| *weight > 0.0 || *count == 0));
        if weights.len() > 1 {
            check_counts(&format!("alias table {i}"), &counts, &probabilities);
        }
    }
}

#[test]
fn gamma() {
    for (i, alpha) in [0.05, 0.5, 0.999, 1.0, 2.5, 60.0].into_iter().enumerate() {
        let mut s = stream(140 + i as u32);
        let moments = Moments { mean: alpha, variance: alpha, kurtosis: 3.0 + 6.0 / alpha };
        // statrs takes what is below 1e-15 for 0; there the first term of the series is exact to the last digit.
        let near_0 = |x: f64| libm::pow(x, alpha) / libm::tgamma(alpha + 1.0);
        let cdf = |x| if x < 1e-12 { near_0(x) } else { gamma_lr(alpha, x) };
        check_continuous(&format!("gamma {alpha}"), || s.gamma(alpha), &moments, cdf);
    }
}

#[test]
fn beta() {
    let shapes = [(0.5, 0.5), (1.0, 1.0), (2.0, 5.0), (0.2, 3.0), (30.0, 70.0), (9.0, 0.7)];
    for (i, (a, b)) in shapes.into_iter().enumerate() {
        let mut s = stream(150 + i as u32);
        let sum = a + b;
        let moments = Moments {
            mean: a / sum,
            variance: a * b / (sum * sum * (sum + 1.0)),
            kurtosis: 3.0
                + 6.0 * ((a - b) * (a - b) * (sum + 1.0) - a * b * (sum + 2.0))
                    / (a * b * (sum + 2.0) * (sum + 3.0)),
        };
        check_continuous(&format!("beta {a} {b}"), || s.beta(a, b), &moments, |x| beta_reg(a, b, x));
    }
}

#[test]
fn beta_of_tiny_shapes_is_nearly_a_coin() {
    // Gammas of such shapes underflow to 0, and 0 / 0 must not come out.
    for (i, (a, b)) in [(0.02, 0.05), (0.001, 0.003), (1e-5, 1e-5)].into_iter().enumerate() {
        let (mut s, mut counts) = (stream(160 + i as u32), [0; 3]);
        for _ in 0..DRAWS {
            let x = s.beta(a, b);
            assert!((0.0..=1.0).contains(&x), "beta {a} {b} gives {x}");
            counts[usize::from(x > 0.25) + usize::from(x > 0.75)] += 1;
        }
        let (low, high) = (beta_reg(a, b, 0.25), beta_reg(a, b, 0.75));
        check_counts(&format!("beta {a} {b}"), &counts, &[low, high - low, 1.0 - high]);
    }
}

/// Number of an arrangement of distinct items in the lexicographic order of all of that length.
fn rank(items: &[u8], population: usize) -> usize {
    items.iter().enumerate().fold(0, |rank, (i, item)| {
        let smaller_before = items[..i].iter().filter(|other| *other < item).count();
        rank * (population - i) + usize::from(*item) - smaller_before
    })
}

#[test]
fn shuffle() {
    let (mut s, mut counts) = (stream(170), vec![0; 120]);
    for _ in 0..DRAWS {
        let mut items = [0, 1, 2, 3, 4];
        s.shuffle(&mut items);
        counts[rank(&items, 5)] += 1;
    }
    check_counts("shuffle", &counts, &[1.0 / 120.0; 120]);

    let (mut first, mut last) = (vec![0; 100], vec![0; 100]);
    for _ in 0..20_000 {
        let mut items: Vec<usize> = (0..100).collect();
        s.shuffle(&mut items);
        first[items[0]] += 1;
        last[items.iter().position(|item| *item == 99).unwrap()] += 1;
    }
    check_counts("the item that comes first", &first, &[0.01; 100]);
    check_counts("the place of the last item", &last, &[0.01; 100]);
    s.shuffle::<u8>(&mut []);
}

#[test]
fn partial_shuffle() {
    let (mut s, mut counts) = (stream(171), vec![0; 60]);
    for _ in 0..DRAWS {
        let mut items = [0, 1, 2, 3, 4];
        s.partial_shuffle(&mut items, 3);
        counts[rank(&items[..3], 5)] += 1;
        items.sort_unstable();
        assert_eq!(items, [0, 1, 2, 3, 4]);
    }
    check_counts("partial_shuffle", &counts, &[1.0 / 60.0; 60]);
    let mut items = [1, 2, 3];
    s.partial_shuffle(&mut items, 0);
    assert_eq!(items, [1, 2, 3]);
    s.partial_shuffle(&mut items, 3);
    items.sort_unstable();
    assert_eq!(items, [1, 2, 3]);
}
