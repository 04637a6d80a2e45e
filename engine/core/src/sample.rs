//! Own samplers over the raw stream. Library samplers may change between releases, and goldens would with them.
//!
//! Every method says how it draws; each is tested by its moments and by a Kolmogorov–Smirnov (or, for counts, a
//! chi-square) test in `tests/samplers.rs`.

use crate::{Stream, maths};

impl Stream {
    /// Uniform in `[0, 1)`: the top 53 bits of one word.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.bits64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `(0, 1)`: 52 bits and a half step, so that logarithms stay finite.
    #[inline]
    pub fn uniform_open(&mut self) -> f64 {
        ((self.bits64() >> 12) as f64 + 0.5) * (1.0 / 4_503_599_627_370_496.0)
    }

    /// `true` with probability `p`; one draw whatever `p` is.
    #[inline]
    pub fn bernoulli(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Uniform in `0..n` without bias (Lemire 2019).
    ///
    /// # Panics
    /// If `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "there is no number below 0");
        let mut product = u64::from(self.bits32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.bits32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// Standard normal by inversion (AS 241): exactly one draw, and no transcendental in the central 85 %.
    #[inline]
    pub fn normal(&mut self) -> f64 {
        maths::normal_quantile(self.uniform_open())
    }

    /// `exp(mu + sigma·Z)`: `mu` and `sigma` are those of the logarithm.
    #[inline]
    pub fn log_normal(&mut self, mu: f64, sigma: f64) -> f64 {
        maths::exp(mu + sigma * self.normal())
    }

    /// Exponential of that mean, by inversion.
    #[inline]
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.uniform_open())
    }

    /// Poisson of that mean: multiplication below 10 (Knuth), else transformed rejection with squeeze (Hörmann
    /// 1993, algorithm PTRS). A mean of 0 or less gives 0.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean < 10.0 {
            let limit = libm::exp(-mean.max(0.0));
            let mut product = self.uniform_open();
            let mut count = 0;
            while product > limit {
                product *= self.uniform_open();
                count += 1;
            }
            return count;
        }
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.024_83 * b;
        let inverse_alpha = 1.123_9 + 1.132_8 / (b - 3.4);
        let v_r = 0.927_7 - 3.622_4 / (b - 2.0);
        let log_mean = libm::log(mean);
        loop {
            let u = self.uniform_open() - 0.5;
            let v = self.uniform_open();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= v_r {
                return k as u64;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            if libm::log(v) + libm::log(inverse_alpha) - libm::log(a / (us * us) + b)
                <= k * log_mean - mean - libm::lgamma(k + 1.0)
            {
                return k as u64;
            }
        }
    }

    /// Zipf over ranks `1..=n`, `P(k) ∝ k^-s`. Whoever draws more than once makes a [`Zipf`].
    ///
    /// # Panics
    /// If `n` is 0 or `s` is not positive.
    pub fn zipf(&mut self, n: u32, s: f64) -> u32 {
        Zipf::new(n, s).draw(self)
    }

    /// Gamma of shape `alpha > 0` and scale 1 (Marsaglia & Tsang 2000; boosted below 1).
    pub fn gamma(&mut self, alpha: f64) -> f64 {
        if alpha < 1.0 {
            let boost = libm::pow(self.uniform_open(), 1.0 / alpha);
            return self.gamma(alpha + 1.0) * boost;
        }
        let d = alpha - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let t = 1.0 + c * x;
            if t <= 0.0 {
                continue;
            }
            let v = t * t * t;
            if libm::log(self.uniform_open()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }

    /// Beta of two positive shapes, as `X / (X + Y)` of two gammas.
    pub fn beta(&mut self, alpha: f64, beta: f64) -> f64 {
        if alpha.max(beta) < 0.1 {
            // Gammas of shapes this small underflow, both at once below about 0.01, so their logarithms are compared.
            let x = self.log_gamma_below_1(alpha);
            let y = self.log_gamma_below_1(beta);
            return 1.0 / (1.0 + libm::exp(y - x));
        }
        let x = self.gamma(alpha);
        let y = self.gamma(beta);
        x / (x + y)
    }

    /// Logarithm of a gamma of shape `alpha < 1`, from the draws that [`Stream::gamma`] would take.
    fn log_gamma_below_1(&mut self, alpha: f64) -> f64 {
        let log_boost = libm::log(self.uniform_open()) / alpha;
        libm::log(self.gamma(alpha + 1.0)) + log_boost
    }

    /// Shuffles in place (Fisher–Yates, from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end as u32 + 1) as usize);
        }
    }

    /// Moves a uniform sample of `count` items, without replacement and in random order, to the front.
    ///
    /// # Panics
    /// If there are fewer than `count` items.
    pub fn partial_shuffle<T>(&mut self, items: &mut [T], count: usize) {
        assert!(count <= items.len(), "a sample without replacement cannot exceed its population");
        for i in 0..count {
            let other = i + self.below((items.len() - i) as u32) as usize;
            items.swap(i, other);
        }
    }
}

/// Zipf's law over ranks `1..=n`, by rejection-inversion (Hörmann & Derflinger 1996), with its constants at hand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Zipf {
    n: f64,
    s: f64,
    low: f64,
    high: f64,
    shortcut: f64,
}

impl Zipf {
    /// The law `P(k) ∝ k^-s`.
    ///
    /// # Panics
    /// If `n` is 0 or `s` is not positive.
    #[must_use]
    pub fn new(n: u32, s: f64) -> Self {
        assert!(n > 0 && s > 0.0, "Zipf needs ranks and a positive exponent");
        let mut law = Self { n: f64::from(n), s, low: 0.0, high: 0.0, shortcut: 0.0 };
        law.low = law.integral(1.5) - 1.0;
        law.high = law.integral(f64::from(n) + 0.5);
        law.shortcut = 2.0 - law.inverse(law.integral(2.5) - law.density(2.0));
        law
    }

    /// A rank.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        loop {
            let y = self.high + stream.uniform() * (self.low - self.high);
            let x = self.inverse(y);
            let k = (x + 0.5).floor().clamp(1.0, self.n);
            if k - x <= self.shortcut || y >= self.integral(k + 0.5) - self.density(k) {
                return k as u32;
            }
        }
    }

    fn integral(&self, x: f64) -> f64 {
        let log_x = libm::log(x);
        ratio_expm1((1.0 - self.s) * log_x) * log_x
    }

    fn inverse(&self, y: f64) -> f64 {
        let t = (y * (1.0 - self.s)).max(-1.0);
        libm::exp(ratio_log1p(t) * y)
    }

    fn density(&self, x: f64) -> f64 {
        libm::exp(-self.s * libm::log(x))
    }
}

/// `(e^x - 1) / x`, continued to 1 at 0.
fn ratio_expm1(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::expm1(x) / x } else { 1.0 + x * 0.5 }
}

/// `ln(1 + x) / x`, continued to 1 at 0.
fn ratio_log1p(x: f64) -> f64 {
    if x.abs() > 1e-8 { libm::log1p(x) / x } else { 1.0 - x * 0.5 }
}
