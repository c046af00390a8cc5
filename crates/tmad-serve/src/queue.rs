//! The bounded queue, and the workers that empty it.

use crate::config::ServeError;
use crate::jobs::Job;
use crate::problem::{Code, Problem};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place in the queue or at a worker, held until the client has the answer.
pub(crate) type Slot = OwnedSemaphorePermit;

type Work = Box<dyn FnOnce() + Send>;

/// Work waiting for one of a fixed number of threads, first come, first served.
#[derive(Debug)]
pub(crate) struct Queue {
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
    workers: usize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Ticket>,
    next_number: u64,
    running: Vec<(u64, Arc<Job>)>,
    closed: bool,
    /// Moving mean of what a piece of work takes.
    mean_s: f64,
}

impl std::fmt::Debug for QueueState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueState")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

struct Ticket {
    number: u64,
    job: Arc<Job>,
    work: Work,
}

impl Queue {
    /// Starts the workers; `capacity` pieces of work may wait for them.
    ///
    /// # Errors
    ///
    /// [`ServeError::Threads`].
    pub(crate) fn start(workers: usize, capacity: usize) -> Result<Self, ServeError> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let queue = Self {
            shared: Arc::clone(&shared),
            slots: Arc::new(Semaphore::new(
                workers.saturating_add(capacity).min(Semaphore::MAX_PERMITS),
            )),
            workers,
            threads: Mutex::default(),
        };
        for i in 0..workers {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new()
                .name(format!("worker-{i}"))
                .spawn(move || shared.work())
                .map_err(ServeError::Threads)?;
            queue.threads().push(thread);
        }
        Ok(queue)
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether [`Self::reserve`] would succeed now.
    pub(crate) fn has_room(&self) -> bool {
        self.slots.available_permits() > 0
    }

    /// Takes a slot.
    ///
    /// # Errors
    ///
    /// [`Code::QueueFull`].
    pub(crate) fn reserve(&self) -> Result<Slot, Problem> {
        Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| self.full())
    }

    /// For a client that has to come again.
    pub(crate) fn full(&self) -> Problem {
        let state = self.shared.lock();
        let ahead = (state.waiting.len() + state.running.len()) as f64;
        let seconds = (ahead * state.mean_s / self.workers as f64 / 2.0).ceil();
        Problem::new(
            Code::QueueFull,
            "every worker is busy and the queue is full; try again later",
        )
        .retry_after((seconds as u64).clamp(1, 120))
    }

    /// Puts work for `job` at the end. Dropping the returned ticket takes it out again if it has
    /// not begun.
    pub(crate) fn push(&self, job: &Arc<Job>, work: impl FnOnce() + Send + 'static) -> InQueue {
        let mut state = self.shared.lock();
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.push_back(Ticket {
            number,
            job: Arc::clone(job),
            work: Box::new(work),
        });
        job.waits(state.waiting.len());
        drop(state);
        self.shared.changed.notify_one();
        InQueue {
            shared: Arc::clone(&self.shared),
            number,
        }
    }

    /// Number of waiting and of running pieces of work.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.waiting.len(), state.running.len())
    }

    /// Ends every job that waits or runs.
    pub(crate) fn end_all(&self, code: Code) {
        let state = self.shared.lock();
        let waiting = state.waiting.iter().map(|ticket| &ticket.job);
        for job in waiting.chain(state.running.iter().map(|(_, job)| job)) {
            job.ends(Err(code));
        }
    }

    /// Lets the workers end when the queue is empty, and waits for them at most `patience`.
    pub(crate) fn close(&self, patience: Duration) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let until = Instant::now() + patience;
        for thread in self.threads().drain(..) {
            while !thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(5));
            }
            // A method that does not listen to its stop flag must not keep the program alive.
            if thread.is_finished() && thread.join().is_err() {
                tracing::error!("a worker died");
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a worker does all day.
    fn work(&self) {
        loop {
            let mut state = self.lock();
            let ticket = loop {
                if let Some(ticket) = state.waiting.pop_front() {
                    break ticket;
                }
                if state.closed {
                    return;
                }
                state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
            };
            let Ticket { number, job, work } = ticket;
            state.running.push((number, job));
            state.tell_positions();
            drop(state);

            let start = Instant::now();
            // The contract of methods forbids panics; if one breaks it, its client alone suffers.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("a method panicked");
            }
            let seconds = start.elapsed().as_secs_f64();
            let mut state = self.lock();
            state.running.retain(|&(running, _)| running != number);
            state.mean_s = if state.mean_s == 0.0 {
                seconds
            } else {
                0.8 * state.mean_s + 0.2 * seconds
            };
        }
    }
}

impl QueueState {
    fn tell_positions(&self) {
        for (i, ticket) in self.waiting.iter().enumerate() {
            ticket.job.waits(i + 1);
        }
    }
}

/// A claim on work in the queue.
#[derive(Debug)]
pub(crate) struct InQueue {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for InQueue {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let place = (state.waiting.iter()).position(|ticket| ticket.number == self.number);
        let ticket = place.and_then(|place| state.waiting.remove(place));
        if ticket.is_some() {
            state.tell_positions();
        }
        // What the work holds is let go outside the lock.
        drop(state);
        drop(ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn first_come_first_served_and_gone_means_gone() {
        let queue = Queue::start(1, 8).unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let (done, results) = mpsc::channel();
        let first = Job::new();
        let _first = queue.push(&first, move || gate.recv().unwrap());
        while queue.lengths() != (0, 1) {
            thread::yield_now();
        }
        let jobs: Vec<_> = (0..3).map(|_| Job::new()).collect();
        let mut tickets: Vec<_> = (jobs.iter().enumerate())
            .map(|(i, job)| {
                let done = done.clone();
                queue.push(job, move || done.send(i).unwrap())
            })
            .collect();
        let position = |job: &Job| job.watch().borrow().queue_position;
        assert_eq!(
            jobs.iter().map(|job| position(job)).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(3)]
        );
        drop(tickets.remove(1));
        assert_eq!(position(&jobs[2]), Some(2));
        open.send(()).unwrap();
        assert_eq!([results.recv().unwrap(), results.recv().unwrap()], [0, 2]);
        queue.close(Duration::from_secs(5));
        assert_eq!(queue.lengths(), (0, 0));
    }

    #[test]
    fn slots_are_bounded_and_come_back() {
        let queue = Queue::start(1, 1).unwrap();
        let first = queue.reserve().unwrap();
        let _second = queue.reserve().unwrap();
        assert_eq!(queue.reserve().unwrap_err().code, Code::QueueFull);
        assert!(!queue.has_room());
        drop(first);
        assert!(queue.has_room());
        assert!(queue.reserve().is_ok());
    }

    #[test]
    fn a_panic_does_not_cost_the_worker() {
        let queue = Queue::start(1, 1).unwrap();
        let (done, results) = mpsc::channel();
        let job = Job::new();
        let _a = queue.push(&job, || std::panic::resume_unwind(Box::new("on purpose")));
        let _b = queue.push(&job, move || done.send(()).unwrap());
        results.recv_timeout(Duration::from_secs(5)).unwrap();
    }
}
