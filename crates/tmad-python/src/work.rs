//! Work without the GIL, which progress can be heard of, and which Ctrl-C ends.

use crate::failure::value_error;
use crate::pools::Lease;
use crossbeam_channel::{RecvTimeoutError, unbounded};
use inpaint_core::Control;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::any::Any;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tmad_ops::Precision;

/// How long Ctrl-C may go unnoticed.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// What the caller chooses for a call, whatever it computes.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Call<'py> {
    seed: u64,
    threads: Option<usize>,
    progress: Option<Bound<'py, PyAny>>,
}

enum Message<T> {
    Progress(f32, String),
    Done(Result<PyResult<T>, Box<dyn Any + Send>>),
}

impl Call<'_> {
    /// Runs `work` on threads of its own, with the GIL released, in f32. Python's code (signal handlers,
    /// the progress callback) runs on the calling thread; whatever it raises cancels the work.
    ///
    /// # Errors
    ///
    /// Those of the work and of Python's code; `RuntimeError` if the work panics.
    pub fn run<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Control) -> PyResult<T> + Send + 'static,
    ) -> PyResult<T> {
        self.run_in(py, Precision::F32, work)
    }

    /// As [`Call::run`], with networks in `precision`.
    ///
    /// # Errors
    ///
    /// As [`Call::run`].
    pub fn run_in<T: Send + 'static>(
        &self,
        py: Python<'_>,
        precision: Precision,
        work: impl FnOnce(&Control) -> PyResult<T> + Send + 'static,
    ) -> PyResult<T> {
        let num_threads = (self.threads)
            .map(|n| NonZeroUsize::new(n).ok_or_else(|| value_error("threads must be 1 or more")))
            .transpose()?;
        let lease = Lease::new(num_threads, precision)
            .map_err(|error| PyRuntimeError::new_err(format!("cannot start threads: {error}")))?;
        let (sender, receiver) = unbounded();
        let mut control = Control::with_seed(self.seed);
        if self.progress.is_some() {
            let sender = sender.clone();
            control = control.on_progress(move |fraction, stage| {
                // Nobody listens any more once the call has failed.
                let _ = sender.send(Message::Progress(fraction, stage.to_owned()));
            });
        }
        let of_work = control.clone();
        lease.spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(|| work(&of_work)));
            let _ = sender.send(Message::Done(done));
        });
        let mut stopped_by: Option<PyErr> = None;
        let mut stop = |result: PyResult<()>| {
            if let Err(error) = result {
                control.cancel();
                stopped_by.get_or_insert(error);
            }
        };
        let done = loop {
            match py.detach(|| receiver.recv_timeout(SIGNAL_INTERVAL)) {
                Ok(Message::Done(done)) => break done,
                Ok(Message::Progress(fraction, stage)) => {
                    if let Some(progress) = &self.progress {
                        stop(progress.call1((fraction, stage)).map(drop));
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if lease.is_lost() {
                // Its threads may have been in the middle of sending.
                mem::forget(receiver);
                return Err(PyRuntimeError::new_err(
                    "this process was forked in the middle of a call, whose threads stayed behind",
                ));
            }
            stop(py.check_signals());
        };
        match (stopped_by, done) {
            (Some(error), _) => Err(error),
            (None, Ok(result)) => result,
            (None, Err(panic)) => Err(PyRuntimeError::new_err(format!(
                "internal error: {}",
                words(&*panic)
            ))),
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    (panic.downcast_ref::<&str>().copied())
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words")
}
