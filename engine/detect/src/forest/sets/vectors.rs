//! What growing asks of vector registers, in AVX2 and in AVX-512.

use std::arch::x86_64::__m256i;

use pulp::x86::{V3, V4};
use pulp::{NullaryFnOnce, cast};

use super::rows::Rows;
use super::sample::Sampled;
use super::window::LANES;

/// Instructions of one kind of processor. Whatever they are, they answer the same.
pub(super) trait Vectors: Copy {
    /// Runs what may use these instructions.
    fn run<F: NullaryFnOnce>(self, what: F) -> F::Output;

    /// How many of eight values are at most a threshold.
    fn up_to_8(self, threshold: f32, values: &[f32; 8]) -> usize;

    /// How many of 16 values are at most a threshold.
    fn up_to(self, threshold: f32, values: &[f32; LANES]) -> usize;

    /// How many of eight numbers are at most a limit.
    fn numbers_up_to_8(self, limit: i32, numbers: &[i32; 8]) -> usize;

    /// How many of 16 numbers are at most a limit.
    fn numbers_up_to(self, limit: i32, numbers: &[i32; LANES]) -> usize;

    /// The least and the greatest rank of a set of sampled rows, of which there must be one.
    fn range<const N: usize>(self, ranks: &[[u16; 32]; N], rows: &Sampled) -> (u16, u16);

    /// The sampled rows whose rank is below a limit. Which bit stands for which rank of 32 is the processor's choice.
    fn below<const N: usize>(self, ranks: &[[u16; 32]; N], limit: u16) -> Sampled;

    /// Whether no row is in a set.
    fn is_empty<const WORDS: usize>(self, rows: &Rows<WORDS>) -> bool;

    /// Adds `2^bit` to the numbers of the rows that are in a set of 32.
    fn add_bit(self, numbers: [u16; 32], rows: u32, bit: usize) -> [u16; 32];
}

impl Vectors for V4 {
    #[inline(always)]
    fn run<F: NullaryFnOnce>(self, what: F) -> F::Output {
        self.vectorize(what)
    }

    #[inline(always)]
    fn up_to_8(self, threshold: f32, values: &[f32; 8]) -> usize {
        up_to_8(*self, threshold, values)
    }

    #[inline(always)]
    fn up_to(self, threshold: f32, values: &[f32; LANES]) -> usize {
        const LESS_OR_EQUAL: i32 = 18;
        let threshold = self.avx512f._mm512_set1_ps(threshold);
        let mask = self.avx512f._mm512_cmp_ps_mask::<LESS_OR_EQUAL>(cast(*values), threshold);
        mask.count_ones() as usize
    }

    #[inline(always)]
    fn numbers_up_to_8(self, limit: i32, numbers: &[i32; 8]) -> usize {
        numbers_up_to_8(*self, limit, numbers)
    }

    #[inline(always)]
    fn numbers_up_to(self, limit: i32, numbers: &[i32; LANES]) -> usize {
        let limit = self.avx512f._mm512_set1_epi32(limit);
        self.avx512f._mm512_cmple_epi32_mask(cast(*numbers), limit).count_ones() as usize
    }

    #[inline(always)]
    fn range<const N: usize>(self, ranks: &[[u16; 32]; N], rows: &Sampled) -> (u16, u16) {
        let (wide, narrow) = (self.avx512f, self.avx512bw);
        let (mut least, mut greatest) = (wide._mm512_set1_epi32(-1), wide._mm512_setzero_si512());
        for (ranks, rows) in ranks.iter().zip(rows.0) {
            let ranks = cast(*ranks);
            least = narrow._mm512_mask_min_epu16(least, rows, least, ranks);
            greatest = narrow._mm512_mask_max_epu16(greatest, rows, greatest, ranks);
        }
        let least = self
            .avx2
            ._mm256_min_epu16(wide._mm512_castsi512_si256(least), wide._mm512_extracti64x4_epi64::<1>(least));
        let greatest = self.avx2._mm256_max_epu16(
            wide._mm512_castsi512_si256(greatest),
            wide._mm512_extracti64x4_epi64::<1>(greatest),
        );
        extremes(*self, least, greatest)
    }

    #[inline(always)]
    fn below<const N: usize>(self, ranks: &[[u16; 32]; N], limit: u16) -> Sampled {
        let limit = self.avx512f._mm512_set1_epi16(limit.cast_signed());
        let mut below = Sampled::NONE;
        for (pair, below) in ranks.as_chunks::<2>().0.iter().zip(below.0.as_chunks_mut().0) {
            *below = pair.map(|ranks| self.avx512bw._mm512_cmplt_epu16_mask(cast(ranks), limit));
        }
        below
    }

    #[inline(always)]
    fn is_empty<const WORDS: usize>(self, rows: &Rows<WORDS>) -> bool {
        let (vectors, rest) = rows.0.as_chunks::<16>();
        let any = vectors.iter().fold(self.avx512f._mm512_setzero_si512(), |any, vector| {
            self.avx512f._mm512_or_si512(any, cast(*vector))
        });
        self.avx512f._mm512_test_epi32_mask(any, any) == 0 && rest.iter().fold(0, |any, word| any | word) == 0
    }

    #[inline(always)]
    fn add_bit(self, numbers: [u16; 32], rows: u32, bit: usize) -> [u16; 32] {
        let numbers = cast(numbers);
        cast(self.avx512bw._mm512_mask_add_epi16(numbers, rows, numbers, cast([1u16 << bit; 32])))
    }
}

impl Vectors for V3 {
    #[inline(always)]
    fn run<F: NullaryFnOnce>(self, what: F) -> F::Output {
        self.vectorize(what)
    }

    #[inline(always)]
    fn up_to_8(self, threshold: f32, values: &[f32; 8]) -> usize {
        up_to_8(self, threshold, values)
    }

    #[inline(always)]
    fn up_to(self, threshold: f32, values: &[f32; LANES]) -> usize {
        let [low, high] = values.as_chunks::<8>().0 else { unreachable!("there are two halves") };
        up_to_8(self, threshold, low) + up_to_8(self, threshold, high)
    }

    #[inline(always)]
    fn numbers_up_to_8(self, limit: i32, numbers: &[i32; 8]) -> usize {
        numbers_up_to_8(self, limit, numbers)
    }

    #[inline(always)]
    fn numbers_up_to(self, limit: i32, numbers: &[i32; LANES]) -> usize {
        let [low, high] = numbers.as_chunks::<8>().0 else { unreachable!("there are two halves") };
        numbers_up_to_8(self, limit, low) + numbers_up_to_8(self, limit, high)
    }

    #[inline(always)]
    fn range<const N: usize>(self, ranks: &[[u16; 32]; N], rows: &Sampled) -> (u16, u16) {
        let (mut least, mut greatest) = (self.avx._mm256_set1_epi16(-1), self.avx._mm256_setzero_si256());
        for (ranks, rows) in ranks.iter().zip(rows.0) {
            for (ranks, outside) in ranks.as_chunks::<16>().0.iter().zip(outside(self, rows)) {
                let ranks = cast(*ranks);
                least = self.avx2._mm256_min_epu16(least, self.avx2._mm256_or_si256(ranks, outside));
                greatest =
                    self.avx2._mm256_max_epu16(greatest, self.avx2._mm256_andnot_si256(outside, ranks));
            }
        }
        extremes(self, least, greatest)
    }

    /// Packing bytes takes eight ranks from either half in turn; [`outside`] gives them back.
    #[inline(always)]
    fn below<const N: usize>(self, ranks: &[[u16; 32]; N], limit: u16) -> Sampled {
        let limit = self.avx._mm256_set1_epi16(limit.cast_signed());
        let mut below = Sampled::NONE;
        for (pair, below) in ranks.as_chunks::<2>().0.iter().zip(below.0.as_chunks_mut().0) {
            *below = [0, 1].map(|i| {
                // Ranks are less than 2^15, so that it does not matter that these are signed.
                let half = |first: usize| {
                    let ranks: [u16; 16] = *pair[i][first..].first_chunk().expect("there are two halves");
                    self.avx2._mm256_cmpgt_epi16(limit, cast(ranks))
                };
                let bytes = self.avx2._mm256_packs_epi16(half(0), half(16));
                self.avx2._mm256_movemask_epi8(bytes).cast_unsigned()
            });
        }
        below
    }

    #[inline(always)]
    fn is_empty<const WORDS: usize>(self, rows: &Rows<WORDS>) -> bool {
        let (vectors, rest) = rows.0.as_chunks::<8>();
        let any = vectors.iter().fold(self.avx._mm256_setzero_si256(), |any, vector| {
            self.avx2._mm256_or_si256(any, cast(*vector))
        });
        self.avx._mm256_testz_si256(any, any) == 1 && rest.iter().fold(0, |any, word| any | word) == 0
    }

    #[inline(always)]
    fn add_bit(self, numbers: [u16; 32], rows: u32, bit: usize) -> [u16; 32] {
        let mut sums = [0; 32];
        let halves = sums.as_chunks_mut::<16>().0.iter_mut().zip(numbers.as_chunks::<16>().0);
        for (half, (sum, number)) in halves.enumerate() {
            let bits: [u16; 16] = std::array::from_fn(|i| 1 << i);
            let rows = self.avx._mm256_set1_epi16((rows >> (16 * half)) as i16);
            let inside =
                self.avx2._mm256_cmpeq_epi16(self.avx2._mm256_and_si256(rows, cast(bits)), cast(bits));
            let one = self.avx2._mm256_and_si256(inside, cast([1u16 << bit; 16]));
            *sum = cast(self.avx2._mm256_add_epi16(cast(*number), one));
        }
        sums
    }
}

/// See [`Vectors::up_to_8`].
#[inline(always)]
fn up_to_8(simd: V3, threshold: f32, values: &[f32; 8]) -> usize {
    const LESS_OR_EQUAL: i32 = 18;
    let mask = simd.avx._mm256_cmp_ps::<LESS_OR_EQUAL>(cast(*values), simd.avx._mm256_set1_ps(threshold));
    simd.avx._mm256_movemask_ps(mask).count_ones() as usize
}

/// See [`Vectors::numbers_up_to_8`].
#[inline(always)]
fn numbers_up_to_8(simd: V3, limit: i32, numbers: &[i32; 8]) -> usize {
    let greater = simd.avx2._mm256_cmpgt_epi32(cast(*numbers), simd.avx._mm256_set1_epi32(limit));
    8 - simd.avx._mm256_movemask_ps(simd.avx._mm256_castsi256_ps(greater)).count_ones() as usize
}

/// For 32 ranks in two registers: all ones where a row is not in the set that [`Vectors::below`] made.
#[inline(always)]
fn outside(simd: V3, rows: u32) -> [__m256i; 2] {
    // The low half of a register has bits 0 to 7 of the first rows and 8 to 15 of the last ones, the high half those above.
    const SPREAD: [u8; 32] = {
        let mut bytes = [0; 32];
        let mut i = 0;
        while i < 32 {
            bytes[i] = (2 * (i / 16) + i % 2) as u8;
            i += 1;
        }
        bytes
    };
    let spread = simd.avx2._mm256_shuffle_epi8(simd.avx._mm256_set1_epi32(rows.cast_signed()), cast(SPREAD));
    [0, 8].map(|first| {
        let bits: [u16; 16] = std::array::from_fn(|i| 1 << (first + i % 8));
        let inside = simd.avx2._mm256_and_si256(spread, cast(bits));
        simd.avx2._mm256_cmpeq_epi16(inside, simd.avx._mm256_setzero_si256())
    })
}

/// The least and the greatest of 16 lanes each.
#[inline(always)]
fn extremes(simd: V3, least: __m256i, greatest: __m256i) -> (u16, u16) {
    let halves =
        |lanes| (simd.avx._mm256_castsi256_si128(lanes), simd.avx2._mm256_extracti128_si256::<1>(lanes));
    let ((a, b), (c, d)) = (halves(least), halves(greatest));
    let least = simd.sse4_1._mm_minpos_epu16(simd.sse4_1._mm_min_epu16(a, b));
    // There is an instruction for the least alone.
    let greatest = simd.sse2._mm_xor_si128(simd.sse4_1._mm_max_epu16(c, d), simd.sse2._mm_set1_epi32(-1));
    let greatest = simd.sse4_1._mm_minpos_epu16(greatest);
    let lane = |lanes| simd.sse2._mm_cvtsi128_si32(lanes) as u16;
    (lane(least), !lane(greatest))
}

/// The best that the machine has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Best {
    Avx512(V4),
    Avx2(V3),
}

impl Best {
    /// All kinds that the machine has, the best first.
    pub(super) fn detect() -> impl Iterator<Item = Self> {
        let best = V4::try_new().map(Self::Avx512);
        best.into_iter().chain(V3::try_new().map(Self::Avx2))
    }
}
