//! The threads of a run, apart from the run, so that many short runs share what takes long to start.

use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::SimError;

/// Threads that simulations run on, one after another. Clones are the same threads.
#[derive(Clone, Debug)]
pub struct Pool(Arc<ThreadPool>);

/// Plugins may nest their calls for a mebibyte, and hosts want room above that; untouched, it costs nothing.
const STACK_BYTES: usize = 4 << 20;

impl Pool {
    /// So many threads of its own; at least one.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn new(threads: usize) -> Result<Self, SimError> {
        Self::build(ThreadPoolBuilder::new().num_threads(threads.max(1)).stack_size(STACK_BYTES))
    }

    /// The calling thread alone, for simulations that are stepped by it and by no other: nothing has to be woken for
    /// a phase. A thread can be made such a pool once.
    ///
    /// # Errors
    /// If the thread belongs to a pool already.
    pub fn of_this_thread() -> Result<Self, SimError> {
        Self::build(ThreadPoolBuilder::new().num_threads(1).use_current_thread())
    }

    fn build(builder: ThreadPoolBuilder) -> Result<Self, SimError> {
        builder.build().map(|pool| Self(Arc::new(pool))).map_err(|e| SimError::Threads(e.to_string()))
    }

    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.0.install(work)
    }
}
