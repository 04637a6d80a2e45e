//! Exponential and logarithm for the traffic generator, which takes eight of them a flow.

/// `e^x`, less than one unit in the last place off. Arguments for which the result is not a normal number go to `libm`.
///
/// The algorithm and its coefficients are those of fdlibm (Sun Microsystems 1993, `e_exp.c`), which `libm` has, too. There
/// it branches on the size of the argument, which random ones mispredict, and calls wait for each other; here every
/// argument of the usual range takes the same few dozen operations in line, so that the processor works on several at a
/// time. Results are those of `libm` bit for bit, but where rounding to the nearest power of two meets a tie.
#[inline]
#[must_use]
pub fn exp(x: f64) -> f64 {
    // Adding 1.5 · 2^52 rounds to a whole number, which then stands in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    if !(-708.0..709.0).contains(&x) {
        return libm::exp(x);
    }
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    // x = k ln 2 + (hi - lo); the high part of ln 2 times a whole number is exact.
    let (hi, lo) = (x - k * LN2_HI, k * LN2_LO);
    let r = hi - lo;
    let square = r * r;
    let c = r - square * (P1 + square * (P2 + square * (P3 + square * (P4 + square * P5))));
    let y = 1.0 + (r * c / (2.0 - c) - lo + hi);
    // Times 2^k, by adding k to the exponent.
    f64::from_bits(y.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// Replaces every number by `ln(1 + x)`, in single precision: at most 2 units in the last place off for `x ≥ 0`, finite.
///
/// The coefficients are those of `logf` of Cephes (Moshier 1992). A loop without branches, of which compilers make vector
/// instructions: several times as fast as one number after the other.
pub fn log1p_all(numbers: &mut [f32]) {
    numbers.iter_mut().for_each(|x| *x = log1p_single(*x));
}

#[inline]
#[expect(clippy::excessive_precision, reason = "coefficients as they are published")]
fn log1p_single(x: f32) -> f32 {
    const HALF_ROOT: u32 = 0x3f35_04f3;
    const ONE: u32 = 0x3f80_0000;
    const COEFFICIENTS: [f32; 9] = [
        7.037_683_6e-2,
        -1.151_461_03e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333_1e-1,
    ];
    // 1 + x = 2^k (1 + f) with f between √½ - 1 and √2 - 1; what rounding took from 1 + x is c of it.
    let u = 1.0 + x;
    let bits = u.to_bits().wrapping_add(ONE - HALF_ROOT);
    let k = ((bits >> 23) as i32 - 127) as f32;
    let lost = if k >= 2.0 { 1.0 - (u - x) } else { x - (u - 1.0) };
    let reduced = f32::from_bits((bits & 0x007f_ffff) + HALF_ROOT) - 1.0;
    let near = x < 0.414_213_5;
    let k = if near { 0.0 } else { k };
    let c = if near { 0.0 } else { lost / u };
    let f = if near { x } else { reduced };
    let square = f * f;
    let p = COEFFICIENTS.iter().fold(0.0, |p, coefficient| p * f + coefficient);
    let tail = f * square * p + (c - 2.121_944_4e-4 * k) - 0.5 * square;
    f + tail + 0.693_359_375 * k
}

const LN2_HI: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LO: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

const P1: f64 = f64::from_bits(0x3fc5_5555_5555_553e);
const P2: f64 = f64::from_bits(0xbf66_c16c_16be_bd93);
const P3: f64 = f64::from_bits(0x3f11_566a_af25_de2c);
const P4: f64 = f64::from_bits(0xbebb_bd41_c5d2_6bf1);
const P5: f64 = f64::from_bits(0x3e66_3769_72be_a4d0);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Purpose, Stream, Streams, Tick};

    fn draw() -> Stream {
        Streams::from_seed(5).stream(Purpose::Traffic, 0, Tick(0))
    }

    #[test]
    fn exponentials_are_those_of_libm() {
        let mut rng = draw();
        for scale in [1e-12, 1e-3, 0.5, 1.0, 5.0, 30.0, 700.0] {
            for _ in 0..40_000 {
                let x = (rng.uniform() * 2.0 - 1.0) * scale;
                assert_eq!(exp(x).to_bits(), libm::exp(x).to_bits(), "exp({x:e})");
            }
        }
        let ends = [
            0.0,
            -0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e-300,
            -1e-300,
            f64::MAX,
            f64::MIN,
            708.9,
            709.0,
            709.9,
            -707.9,
            -708.0,
            -745.0,
            -746.0,
            5e-324,
        ];
        for x in ends {
            assert_eq!(exp(x).to_bits(), libm::exp(x).to_bits(), "exp({x:e})");
        }
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn single_precision_is_off_by_little() {
        let mut rng = draw();
        let mut numbers: Vec<f32> = (0..200_000)
            .map(|i| {
                let scale = [1e-6, 1e-2, 0.3, 0.5, 1.0, 2.0, 100.0, 1e6, 1e12][i % 9];
                (rng.uniform() * scale) as f32
            })
            .chain([0.0, f32::MIN_POSITIVE, 0.414_213_5, 0.414_213_6, 1.0, 1400.0, f32::MAX])
            .collect();
        let exact: Vec<f64> = numbers.iter().map(|x| libm::log1p(f64::from(*x))).collect();
        let before = numbers.clone();
        log1p_all(&mut numbers);
        for ((x, exact), got) in before.iter().zip(exact).zip(numbers) {
            let unit = f64::from((exact as f32).next_up() - exact as f32);
            let off = (f64::from(got) - exact).abs() / unit;
            assert!(off <= 2.0, "{x:e}: {got:e} is {off:.2} units off {exact:e}");
        }
    }
}
