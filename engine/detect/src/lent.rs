//! Working memory that a thread keeps between calls, so that scoring a few rows asks for none.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::thread::LocalKey;

use crate::tails::Surprise;

/// What threads keep vectors of.
pub(crate) trait Lendable: Copy + 'static {
    /// This thread's vectors that nobody has borrowed.
    fn spare() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>>;
}

macro_rules! lendable {
    ($($type:ty),+) => {$(
        impl Lendable for $type {
            fn spare() -> &'static LocalKey<RefCell<Vec<Vec<Self>>>> {
                thread_local!(static SPARE: RefCell<Vec<Vec<$type>>> = const { RefCell::new(Vec::new()) });
                &SPARE
            }
        }
    )+};
}

lendable!(f32, f64, u32, Surprise);

/// A vector that goes back to its thread.
#[derive(Debug)]
pub(crate) struct Lent<T: Lendable>(Vec<T>);

/// So many times this value.
pub(crate) fn lend<T: Lendable>(value: T, length: usize) -> Lent<T> {
    let mut vector = T::spare().with_borrow_mut(Vec::pop).unwrap_or_default();
    vector.clear();
    vector.resize(length, value);
    Lent(vector)
}

/// Longer vectors are given back to the system: a scan of a big file must not be felt for ever.
const KEPT: usize = 1 << 16;

impl<T: Lendable> Drop for Lent<T> {
    fn drop(&mut self) {
        if self.0.capacity() <= KEPT {
            let vector = std::mem::take(&mut self.0);
            T::spare().with_borrow_mut(|spare| spare.push(vector));
        }
    }
}

impl<T: Lendable> Deref for Lent<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Lendable> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_as_asked_for() {
        let mut outer = lend(0.0f64, 3);
        outer[1] = 7.0;
        assert_eq!(*lend(1.0f64, 2), [1.0, 1.0], "another one, while the first is out");
        drop(outer);
        assert_eq!(*lend(0.0f64, 5), [0.0; 5]);
    }

    #[test]
    fn long_ones_are_not_kept() {
        drop(lend(0.0f32, KEPT + 1));
        assert!(lend(0.0f32, 1).capacity() <= KEPT);
    }
}
