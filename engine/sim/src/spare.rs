//! Working memory that outlives a tick, so that a steady one asks for none.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// What the tasks of a phase work with, one each at a time, used again in the next tick. What is left in it changes no
/// result: whoever borrows clears it first.
#[derive(Debug, Default)]
pub(crate) struct Spare<T>(Mutex<Vec<T>>);

impl<T: Default> Spare<T> {
    /// Lends one, for as long as a task goes on.
    pub(crate) fn lend(&self) -> Lent<'_, T> {
        let one = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Lent { one: one.unwrap_or_default(), owner: self }
    }
}

/// What a task has borrowed.
#[derive(Debug)]
pub(crate) struct Lent<'a, T: Default> {
    one: T,
    owner: &'a Spare<T>,
}

impl<T: Default> Deref for Lent<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.one
    }
}

impl<T: Default> DerefMut for Lent<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.one
    }
}

impl<T: Default> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let one = std::mem::take(&mut self.one);
        self.owner.0.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }
}
