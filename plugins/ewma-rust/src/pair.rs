//! Two numbers, and what is done to both at once: one vector instruction of WebAssembly, or two of any other machine.

/// Two numbers.
#[derive(Clone, Copy)]
pub struct Pair(Inner);

#[cfg(target_arch = "wasm32")]
use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
use plain::*;

impl Pair {
    pub fn of(lanes: [f64; 2]) -> Self {
        Self(of(lanes))
    }

    pub fn splat(x: f64) -> Self {
        Self::of([x; 2])
    }

    pub fn lanes(self) -> [f64; 2] {
        lanes(self.0)
    }

    pub fn plus(self, other: Self) -> Self {
        Self(plus(self.0, other.0))
    }

    pub fn minus(self, other: Self) -> Self {
        Self(minus(self.0, other.0))
    }

    pub fn times(self, other: Self) -> Self {
        Self(times(self.0, other.0))
    }

    pub fn over(self, other: Self) -> Self {
        Self(over(self.0, other.0))
    }

    pub fn abs(self) -> Self {
        Self(abs(self.0))
    }

    /// The other where it is greater, else this.
    pub fn greater(self, other: Self) -> Self {
        Self(greater(self.0, other.0))
    }

    pub fn at_least(self, least: f64) -> Self {
        self.greater(Self::splat(least))
    }

    pub fn at_most(self, most: f64) -> Self {
        Self(lesser(self.0, of([most; 2])))
    }

    /// 0 where the other is 0, whatever is here.
    pub fn zero_where(self, other: Self) -> Self {
        Self(zero_where(self.0, other.0))
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use core::arch::wasm32 as simd;

    pub type Inner = simd::v128;

    pub fn of([a, b]: [f64; 2]) -> Inner {
        simd::f64x2(a, b)
    }

    pub fn lanes(x: Inner) -> [f64; 2] {
        [simd::f64x2_extract_lane::<0>(x), simd::f64x2_extract_lane::<1>(x)]
    }

    pub fn zero_where(x: Inner, other: Inner) -> Inner {
        simd::v128_andnot(x, simd::f64x2_eq(other, simd::f64x2_splat(0.0)))
    }

    pub use simd::{
        f64x2_abs as abs, f64x2_add as plus, f64x2_div as over, f64x2_mul as times, f64x2_pmax as greater,
        f64x2_pmin as lesser, f64x2_sub as minus,
    };
}

#[cfg(not(target_arch = "wasm32"))]
mod plain {
    pub type Inner = [f64; 2];

    pub fn of(x: [f64; 2]) -> Inner {
        x
    }

    pub fn lanes(x: Inner) -> [f64; 2] {
        x
    }

    fn both(a: Inner, b: Inner, of: impl Fn(f64, f64) -> f64) -> Inner {
        [of(a[0], b[0]), of(a[1], b[1])]
    }

    pub fn plus(a: Inner, b: Inner) -> Inner {
        both(a, b, |a, b| a + b)
    }

    pub fn minus(a: Inner, b: Inner) -> Inner {
        both(a, b, |a, b| a - b)
    }

    pub fn times(a: Inner, b: Inner) -> Inner {
        both(a, b, |a, b| a * b)
    }

    pub fn over(a: Inner, b: Inner) -> Inner {
        both(a, b, |a, b| a / b)
    }

    pub fn greater(a: Inner, b: Inner) -> Inner {
        both(a, b, |a, b| if a < b { b } else { a })
    }

    pub fn lesser(a: Inner, b: Inner) -> Inner {
        both(a, b, |a, b| if b < a { b } else { a })
    }

    pub fn abs(x: Inner) -> Inner {
        x.map(f64::abs)
    }

    pub fn zero_where(x: Inner, other: Inner) -> Inner {
        both(x, other, |x, other| if other == 0.0 { 0.0 } else { x })
    }
}
