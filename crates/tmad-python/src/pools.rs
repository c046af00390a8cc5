//! Threads for the work.
//!
//! Every call has a pool to itself, so that one picture never waits for another that its threads
//! have taken over. Rayon's global pool is never used: its threads do not survive a fork, and it
//! cannot be started again.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, available_parallelism};
use std::{mem, process};
use tmad_ops::Precision;

/// Pools without work that are kept at most.
const MAX_IDLE: usize = 8;
/// As much as a program's main thread has; only what is used costs memory.
const STACK_BYTES: usize = 8 << 20;

/// Locked only by threads that hold the GIL, and never across its release. A fork holds the GIL,
/// too, so a child never finds it locked.
static POOLS: Mutex<Pools> = Mutex::new(Pools {
    process: 0,
    num_running: 0,
    idle: Vec::new(),
});

struct Pools {
    /// The process whose threads these are.
    process: u32,
    num_running: usize,
    idle: Vec<Pool>,
}

/// Threads that compute in one precision.
struct Pool {
    threads: ThreadPool,
    precision: Precision,
}

impl Pools {
    fn lock() -> MutexGuard<'static, Self> {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.process != process::id() {
            // A fork copies the pools without their threads. Dropping them would wake threads
            // that do not exist, with locks that one of them may have held.
            mem::forget(mem::take(&mut pools.idle));
            pools.process = process::id();
            pools.num_running = 0;
        }
        pools
    }
}

impl Pool {
    fn new(num_threads: usize, precision: Precision) -> Result<Self, ThreadPoolBuildError> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(num_threads)
            .spawn_handler(|thread| {
                thread::Builder::new()
                    .name(format!("tmad-{}", thread.index()))
                    .stack_size(STACK_BYTES)
                    .spawn(move || precision.force(|| thread.run()))
                    .map(drop)
            })
            .build()?;
        Ok(Self { threads, precision })
    }
}

/// A pool, the caller's alone until it is dropped. To be made and dropped with the GIL held.
pub struct Lease {
    pool: Option<Pool>,
    process: u32,
}

impl Lease {
    /// A pool of so many threads that compute in `precision`; without a number, this call's share
    /// of the cores: all of them when nothing else runs.
    ///
    /// # Errors
    ///
    /// If the threads cannot be started.
    pub fn new(
        num_threads: Option<NonZeroUsize>,
        precision: Precision,
    ) -> Result<Self, ThreadPoolBuildError> {
        let mut pools = Pools::lock();
        let num_threads = num_threads.map_or_else(
            || {
                let num_cores = available_parallelism().map_or(1, NonZeroUsize::get);
                (num_cores / (pools.num_running + 1)).max(1)
            },
            NonZeroUsize::get,
        );
        let idle = pools.idle.iter().position(|pool| {
            pool.precision == precision && pool.threads.current_num_threads() == num_threads
        });
        let pool = match idle {
            Some(idle) => pools.idle.swap_remove(idle),
            None => Pool::new(num_threads, precision)?,
        };
        pools.num_running += 1;
        Ok(Self {
            pool: Some(pool),
            process: pools.process,
        })
    }

    /// Starts work on the pool and returns at once.
    pub fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        if let Some(pool) = &self.pool {
            pool.threads.spawn(work);
        }
    }

    /// Whether this process is a fork of the one that the threads live in.
    pub fn is_lost(&self) -> bool {
        self.process != process::id()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pools = Pools::lock();
        if pools.process != self.process {
            mem::forget(self.pool.take());
            return;
        }
        pools.num_running -= 1;
        pools.idle.extend(self.pool.take());
        if pools.idle.len() > MAX_IDLE {
            pools.idle.remove(0);
        }
    }
}
