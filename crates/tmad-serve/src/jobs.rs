//! Jobs: what a request is doing, who wants to know, and how it is stopped.

use crate::problem::{Code, Problem};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Ended jobs that are remembered at most.
const MAX_ENDED: usize = 4096;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl State {
    /// Whether nothing comes after it.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What watchers of a job are told.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Progress {
    pub(crate) state: State,
    /// Finished part of the work, 0 to 1, never falling.
    pub(crate) fraction: f32,
    pub(crate) stage: Cow<'static, str>,
    /// 1 is next; absent when the job does not wait for a worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue_position: Option<usize>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Job {
    progress: watch::Sender<Progress>,
    stop: Arc<AtomicBool>,
}

impl Job {
    pub(crate) fn new() -> Arc<Self> {
        let start = Progress {
            state: State::Queued,
            fraction: 0.0,
            stage: Cow::Borrowed("receiving"),
            queue_position: None,
            code: None,
        };
        Arc::new(Self {
            progress: watch::Sender::new(start),
            stop: Arc::default(),
        })
    }

    /// For [`inpaint_core::Control`]: true when the work is no longer wanted.
    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Changes what watchers see, unless the job has ended.
    fn update(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_if_modified(|progress| {
            let goes_on = !progress.state.is_final();
            if goes_on {
                change(progress);
            }
            goes_on
        });
    }

    pub(crate) fn waits(&self, position: usize) {
        self.update(|progress| {
            progress.stage = Cow::Borrowed("waiting");
            progress.queue_position = Some(position);
        });
    }

    pub(crate) fn runs(&self, fraction: f32, stage: &str) {
        self.update(|progress| {
            progress.state = State::Running;
            progress.queue_position = None;
            progress.fraction = progress.fraction.max(fraction);
            if progress.stage != stage {
                progress.stage = Cow::Owned(stage.to_owned());
            }
        });
    }

    /// Ends the job; the first end counts.
    pub(crate) fn ends(&self, outcome: Result<(), Code>) {
        self.update(|progress| {
            progress.queue_position = None;
            match outcome {
                Ok(()) => {
                    progress.state = State::Done;
                    progress.stage = Cow::Borrowed("done");
                    progress.fraction = 1.0;
                }
                Err(Code::Cancelled) => {
                    progress.state = State::Cancelled;
                    progress.stage = Cow::Borrowed("cancelled");
                }
                Err(code) => {
                    progress.state = State::Failed;
                    progress.stage = Cow::Borrowed("failed");
                    progress.code = Some(code.name());
                }
            }
        });
        // Whatever still works on it works for nobody.
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Returns when the job has been ended by somebody else than the request itself.
    pub(crate) async fn ended(&self) -> Code {
        let mut watch = self.watch();
        let end = watch.wait_for(|progress| progress.state.is_final()).await;
        match end.as_deref() {
            Ok(progress) if progress.code == Some(Code::ShuttingDown.name()) => Code::ShuttingDown,
            _ => Code::Cancelled,
        }
    }
}

/// The jobs that have a name.
#[derive(Debug)]
pub(crate) struct Jobs {
    entries: Mutex<HashMap<String, Entry>>,
    appeared: Notify,
    kept: Duration,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    ended: Option<Instant>,
}

impl Jobs {
    pub(crate) fn new(kept: Duration) -> Arc<Self> {
        Arc::new(Self {
            entries: Mutex::default(),
            appeared: Notify::new(),
            kept,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a job; with a name, others can find it until some time after its end.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidJobId`], or [`Code::JobExists`] while another job of this name goes on.
    pub(crate) fn start(self: &Arc<Self>, name: Option<&str>) -> Result<JobGuard, Problem> {
        let job = Job::new();
        if let Some(name) = name {
            check_name(name)?;
            let mut entries = self.lock();
            self.forget_old(&mut entries);
            if entries.get(name).is_some_and(|entry| entry.ended.is_none()) {
                return Err(Problem::new(
                    Code::JobExists,
                    "a job of this name is going on; choose a new random name for every request",
                ));
            }
            let entry = Entry {
                job: Arc::clone(&job),
                ended: None,
            };
            entries.insert(name.to_owned(), entry);
            drop(entries);
            self.appeared.notify_waiters();
        }
        Ok(JobGuard {
            jobs: Arc::clone(self),
            name: name.map(str::to_owned),
            job,
        })
    }

    fn forget_old(&self, entries: &mut HashMap<String, Entry>) {
        entries.retain(|_, entry| entry.ended.is_none_or(|ended| ended.elapsed() < self.kept));
        if entries.len() >= MAX_ENDED {
            let oldest = (entries.iter())
                .filter_map(|(name, entry)| Some((entry.ended?, name.clone())))
                .min();
            if let Some((_, name)) = oldest {
                entries.remove(&name);
            }
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Job>> {
        self.lock().get(name).map(|entry| Arc::clone(&entry.job))
    }

    /// As [`Self::find`], but waits for the job to appear.
    pub(crate) async fn wait_for(&self, name: &str, patience: Duration) -> Option<Arc<Job>> {
        let appears = async {
            loop {
                // Made before looking, so that no arrival falls in between.
                let appeared = self.appeared.notified();
                if let Some(job) = self.find(name) {
                    return job;
                }
                appeared.await;
            }
        };
        tokio::time::timeout(patience, appears).await.ok()
    }
}

/// # Errors
///
/// [`Code::InvalidJobId`].
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (16..=64).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(Problem::new(
        Code::InvalidJobId,
        "a job's name has 16 to 64 characters of A-Z, a-z, 0-9, _ and -, best of all random ones",
    ))
}

/// Held by the request. When the request goes away without an answer, so does the job.
#[derive(Debug)]
pub(crate) struct JobGuard {
    jobs: Arc<Jobs>,
    name: Option<String>,
    pub(crate) job: Arc<Job>,
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        self.job.ends(Err(Code::Cancelled));
        if let Some(name) = &self.name
            && let Some(entry) = self.jobs.lock().get_mut(name)
        {
            entry.ended = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "abcdefghijklmnop";

    #[test]
    fn a_name_is_free_again_after_the_end() {
        let jobs = Jobs::new(Duration::from_secs(60));
        let first = jobs.start(Some(NAME)).unwrap();
        assert_eq!(jobs.start(Some(NAME)).unwrap_err().code, Code::JobExists);
        first.job.ends(Ok(()));
        drop(first);
        let kept = jobs.find(NAME).unwrap();
        assert_eq!(kept.watch().borrow().state, State::Done);
        let second = jobs.start(Some(NAME)).unwrap();
        assert_eq!(second.job.watch().borrow().state, State::Queued);
    }

    #[test]
    fn ended_jobs_are_forgotten() {
        let jobs = Jobs::new(Duration::ZERO);
        drop(jobs.start(Some(NAME)).unwrap());
        drop(jobs.start(Some("another-name-1234")).unwrap());
        assert!(jobs.find(NAME).is_none());
        let jobs = Jobs::new(Duration::from_secs(60));
        for i in 0..MAX_ENDED + 10 {
            drop(jobs.start(Some(&format!("{NAME}-{i}"))).unwrap());
        }
        assert_eq!(jobs.lock().len(), MAX_ENDED);
        assert!(jobs.find(&format!("{NAME}-0")).is_none());
    }

    #[test]
    fn a_request_that_goes_away_cancels_its_job() {
        let jobs = Jobs::new(Duration::from_secs(60));
        let guard = jobs.start(None).unwrap();
        let job = Arc::clone(&guard.job);
        job.runs(0.5, "filling");
        drop(guard);
        assert!(job.is_stopped());
        job.runs(0.9, "too late");
        let progress = job.watch().borrow().clone();
        assert_eq!((progress.state, progress.fraction), (State::Cancelled, 0.5));
    }

    #[test]
    fn names_that_can_be_guessed_or_need_escapes_are_refused() {
        let jobs = Jobs::new(Duration::ZERO);
        let long = "a".repeat(65);
        for name in [
            "",
            "short",
            "has a space in the name",
            "ünicode-in-the-name",
            &long,
        ] {
            let problem = jobs.start(Some(name)).unwrap_err();
            assert_eq!(problem.code, Code::InvalidJobId, "{name}");
        }
    }
}
