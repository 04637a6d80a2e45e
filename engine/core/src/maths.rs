//! Sums, quantiles and elementary functions that are the same bits on every machine, however work was split.

pub use crate::elementary::{exp, log1p_all};

/// Length of the runs that [`sum`] adds up by themselves. A constant of the result, not a tuning knob.
pub const SUM_CHUNK: usize = 256;

/// Sum in a fixed order: left to right inside chunks of [`SUM_CHUNK`], then over the chunks' sums.
///
/// Chunks may be summed by any thread; the result is the same bits.
#[must_use]
pub fn sum(values: &[f64]) -> f64 {
    values.chunks(SUM_CHUNK).map(|chunk| chunk.iter().fold(0.0, |a, x| a + x)).fold(0.0, |a, x| a + x)
}

/// Arithmetic mean, `None` of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values) / values.len() as f64)
}

/// The `q`-quantile of ascending values by linear interpolation (Hyndman & Fan 1996, type 7: what NumPy,
/// and so scikit-learn's `contamination`, uses). `None` of nothing.
///
/// # Panics
/// If `q` lies outside `[0, 1]`.
#[must_use]
pub fn quantile_sorted(ascending: &[f64], q: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&q), "a quantile lies in [0, 1]");
    let last = ascending.len().checked_sub(1)?;
    let position = q * last as f64;
    let below = position as usize;
    let above = (below + 1).min(last);
    let (low, high) = (ascending[below], ascending[above]);
    Some(low + (high - low) * (position - below as f64))
}

/// Inverse of the standard normal distribution function (Wichura 1988, algorithm AS 241, PPND16;
/// relative error about 1e-16). `p` in `(0, 1)`; the ends give infinities.
#[must_use]
#[inline]
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * rational(r, &CENTRE_NUMERATOR, &CENTRE_DENOMINATOR);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let r = (-libm::log(tail)).sqrt();
    let x = if r <= 5.0 {
        rational(r - 1.6, &MIDDLE_NUMERATOR, &MIDDLE_DENOMINATOR)
    } else {
        rational(r - 5.0, &FAR_NUMERATOR, &FAR_DENOMINATOR)
    };
    if q < 0.0 { -x } else { x }
}

/// Standard normal distribution function.
#[must_use]
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

#[inline]
fn rational(r: f64, numerator: &[f64; 8], denominator: &[f64; 8]) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |acc, k| acc * r + k);
    horner(numerator) / horner(denominator)
}

const CENTRE_NUMERATOR: [f64; 8] = [
    3.387_132_872_796_366_5,
    1.331_416_678_917_843_8e2,
    1.971_590_950_306_551_3e3,
    1.373_169_376_550_946e4,
    4.592_195_393_154_987e4,
    6.726_577_092_700_87e4,
    3.343_057_558_358_813e4,
    2.509_080_928_730_122_7e3,
];
const CENTRE_DENOMINATOR: [f64; 8] = [
    1.0,
    4.231_333_070_160_091e1,
    6.871_870_074_920_579e2,
    5.394_196_021_424_751e3,
    2.121_379_430_158_659_7e4,
    3.930_789_580_009_271e4,
    2.872_908_573_572_194_3e4,
    5.226_495_278_852_545e3,
];
const MIDDLE_NUMERATOR: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    2.417_807_251_774_506e-1,
    2.272_384_498_926_918_4e-2,
    7.745_450_142_783_414e-4,
];
const MIDDLE_DENOMINATOR: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    6.897_673_349_851e-1,
    1.481_039_764_274_800_8e-1,
    1.519_866_656_361_645_7e-2,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const FAR_NUMERATOR: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    2.965_605_718_285_049e-1,
    2.653_218_952_657_612_4e-2,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_DENOMINATOR: [f64; 8] = [
    1.0,
    5.998_322_065_558_88e-1,
    1.369_298_809_227_358e-1,
    1.487_536_129_085_061_5e-2,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        let check = |values: &[f64], q: f64, expected: f64| {
            assert!((quantile_sorted(values, q).unwrap() - expected).abs() < 1e-12, "{values:?} at {q}");
        };
        // numpy.percentile of the same arrays.
        check(&[1.0, 2.0, 3.0, 4.0], 0.25, 1.75);
        check(&[1.0, 2.0, 3.0, 4.0], 0.95, 3.85);
        check(&[7.0], 0.3, 7.0);
        check(&[0.0, 10.0], 1.0, 10.0);
        assert_eq!(quantile_sorted(&[], 0.5), None);
    }

    #[test]
    fn normal_quantile_hits_the_table() {
        // Standard tables; AS 241's own test values are the 1e-20 tail and p = .25, .001.
        let table = [
            (0.25, -0.674_489_750_196_081_7),
            (0.001, -3.090_232_306_167_814),
            (0.975, 1.959_963_984_540_054),
            (1e-20, -9.262_340_089_798_409),
        ];
        for (p, x) in table {
            assert!((normal_quantile(p) - x).abs() < 1e-12, "p = {p}: {} against {x}", normal_quantile(p));
        }
        assert!((normal_cdf(normal_quantile(0.123)) - 0.123).abs() < 1e-14);
    }

    #[test]
    fn sum_is_the_sum_of_chunk_sums() {
        let values: Vec<f64> = (0..1000).map(|i| 1.0 / f64::from(i + 1)).collect();
        let by_chunks: f64 = values.chunks(SUM_CHUNK).map(sum).fold(0.0, |a, b| a + b);
        assert_eq!(sum(&values).to_bits(), by_chunks.to_bits());
    }
}
