//! Four numbers, and what is done to all at once: one vector instruction, of WebAssembly or of any other machine.

/// Four numbers.
#[derive(Clone, Copy)]
pub struct Quad(Inner);

#[cfg(target_arch = "wasm32")]
use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
use plain::*;

impl Quad {
    #[inline(always)]
    pub fn of(lanes: &[f32; 4]) -> Self {
        Self(of(*lanes))
    }

    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        Self(of([x; 4]))
    }

    #[inline(always)]
    pub fn lanes(self) -> [f32; 4] {
        lanes(self.0)
    }

    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(plus(self.0, other.0))
    }

    #[inline(always)]
    pub fn minus(self, other: Self) -> Self {
        Self(minus(self.0, other.0))
    }

    #[inline(always)]
    pub fn times(self, other: Self) -> Self {
        Self(times(self.0, other.0))
    }

    #[inline(always)]
    pub fn over(self, other: Self) -> Self {
        Self(over(self.0, other.0))
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        Self(abs(self.0))
    }

    /// The other where it is greater, else this.
    #[inline(always)]
    pub fn greater(self, other: Self) -> Self {
        Self(greater(self.0, other.0))
    }

    /// The other where it is less, else this.
    #[inline(always)]
    pub fn lesser(self, other: Self) -> Self {
        Self(lesser(self.0, other.0))
    }

    /// The greatest number of each of four.
    #[inline(always)]
    pub fn greatest(of: [Self; 4]) -> Self {
        Self(greatest(of.map(|quad| quad.0)))
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use core::arch::wasm32 as simd;

    pub type Inner = simd::v128;

    pub fn of([a, b, c, d]: [f32; 4]) -> Inner {
        simd::f32x4(a, b, c, d)
    }

    pub fn lanes(x: Inner) -> [f32; 4] {
        [
            simd::f32x4_extract_lane::<0>(x),
            simd::f32x4_extract_lane::<1>(x),
            simd::f32x4_extract_lane::<2>(x),
            simd::f32x4_extract_lane::<3>(x),
        ]
    }

    pub fn abs(x: Inner) -> Inner {
        simd::v128_and(x, simd::i32x4_splat(i32::MAX))
    }

    pub fn greatest([a, b, c, d]: [Inner; 4]) -> Inner {
        let ab = greater(simd::i32x4_shuffle::<0, 4, 1, 5>(a, b), simd::i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let cd = greater(simd::i32x4_shuffle::<0, 4, 1, 5>(c, d), simd::i32x4_shuffle::<2, 6, 3, 7>(c, d));
        greater(simd::i32x4_shuffle::<0, 1, 4, 5>(ab, cd), simd::i32x4_shuffle::<2, 3, 6, 7>(ab, cd))
    }

    pub use simd::{
        f32x4_add as plus, f32x4_div as over, f32x4_mul as times, f32x4_pmax as greater,
        f32x4_pmin as lesser, f32x4_sub as minus,
    };
}

#[cfg(not(target_arch = "wasm32"))]
mod plain {
    pub type Inner = [f32; 4];

    #[inline(always)]
    pub fn of(x: [f32; 4]) -> Inner {
        x
    }

    #[inline(always)]
    pub fn lanes(x: Inner) -> [f32; 4] {
        x
    }

    #[inline(always)]
    fn each(a: Inner, b: Inner, of: impl Fn(f32, f32) -> f32) -> Inner {
        [of(a[0], b[0]), of(a[1], b[1]), of(a[2], b[2]), of(a[3], b[3])]
    }

    #[inline(always)]
    pub fn plus(a: Inner, b: Inner) -> Inner {
        each(a, b, |a, b| a + b)
    }

    #[inline(always)]
    pub fn minus(a: Inner, b: Inner) -> Inner {
        each(a, b, |a, b| a - b)
    }

    #[inline(always)]
    pub fn times(a: Inner, b: Inner) -> Inner {
        each(a, b, |a, b| a * b)
    }

    #[inline(always)]
    pub fn over(a: Inner, b: Inner) -> Inner {
        each(a, b, |a, b| a / b)
    }

    #[inline(always)]
    pub fn greater(a: Inner, b: Inner) -> Inner {
        each(a, b, |a, b| if a < b { b } else { a })
    }

    #[inline(always)]
    pub fn lesser(a: Inner, b: Inner) -> Inner {
        each(a, b, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    pub fn abs(x: Inner) -> Inner {
        x.map(f32::abs)
    }

    #[inline(always)]
    pub fn greatest([a, b, c, d]: [Inner; 4]) -> Inner {
        let ab = greater([a[0], b[0], a[1], b[1]], [a[2], b[2], a[3], b[3]]);
        let cd = greater([c[0], d[0], c[1], d[1]], [c[2], d[2], c[3], d[3]]);
        greater([ab[0], ab[1], cd[0], cd[1]], [ab[2], ab[3], cd[2], cd[3]])
    }
}
