//! Bodies: received within bounds on size, memory and time, and sent without letting go too early.

use crate::config::{Limits, Timeouts};
use crate::problem::{Code, Problem};
use crate::queue::Slot;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes per permit of the budget: a semaphore counts to 2³² at most.
const UNIT: usize = 1024;
/// Bytes per second that a body has to bring after its grace time.
const MIN_RATE: f64 = 16.0 * 1024.0;
/// What is read and thrown away after a refusal, so that the client gets to read the answer.
const MAX_DRAIN: usize = 4 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The memory for all bodies together.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(UNIT))))
    }

    /// Makes `held` enough for `bytes`; false when the memory is used up.
    fn extend(&self, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> bool {
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT).saturating_sub(has);
        let Ok(more) = u32::try_from(more) else {
            return false;
        };
        let Ok(permit) = Arc::clone(&self.0).try_acquire_many_owned(more) else {
            return false;
        };
        match held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
        true
    }
}

/// A received body, and its part of the budget.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    /// Gives the memory back to the budget when dropped, so it stays with the bytes.
    _permit: Option<OwnedSemaphorePermit>,
}

/// Receives a body that announces `declared` bytes, 0 if none. After a refusal, some of the rest
/// is read and thrown away: a connection that is closed with unread bytes may take the answer with
/// it.
///
/// # Errors
///
/// [`Code::TooLarge`], [`Code::QueueFull`] when the memory for bodies is used up,
/// [`Code::BodyTimeout`], [`Code::LengthInvalid`], or [`Code::Cancelled`] when the client goes
/// away.
pub(crate) async fn receive(
    mut body: Body,
    declared: usize,
    budget: &Budget,
    limits: &Limits,
    timeouts: &Timeouts,
) -> Result<Received, Problem> {
    // Memory that is not written to is not taken yet, so a false length costs nothing.
    let mut bytes = Vec::with_capacity(declared);
    let mut permit = None;
    let start = Instant::now();
    let problem = loop {
        let time = timeouts.body + Duration::from_secs_f64(bytes.len() as f64 / MIN_RATE);
        let frame = timeout_at(start + time, timeout(timeouts.body_idle, body.frame())).await;
        let Ok(Ok(frame)) = frame else {
            // Whoever is slow will not be drained: that would be waiting once more.
            return Err(Problem::new(
                Code::BodyTimeout,
                "the rest of the body did not arrive in time",
            ));
        };
        let data = match frame {
            None => {
                let bytes = Bytes::from(bytes);
                return Ok(Received {
                    bytes,
                    _permit: permit,
                });
            }
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) if is_malformed(&error) => {
                let detail = "the body's chunks are malformed";
                return Err(Problem::new(Code::LengthInvalid, detail));
            }
            Some(Err(_)) => {
                let detail = "the client went away before the end of the body";
                return Err(Problem::new(Code::Cancelled, detail));
            }
        };
        let total = bytes.len() + data.len();
        if total > limits.body_bytes {
            break too_large(limits);
        }
        if !budget.extend(&mut permit, total) {
            let detail = "the memory for requests is used up; try again later";
            break Problem::new(Code::QueueFull, detail).retry_after(5);
        }
        bytes.extend_from_slice(&data);
    };
    drop((bytes, permit));
    read_and_forget(body).await;
    Err(problem)
}

/// Whether the body itself is wrong, and not just over too soon.
fn is_malformed(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref().map(io::Error::kind);
        if let Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) = kind {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The refusal of a body.
pub(crate) fn too_large(limits: &Limits) -> Problem {
    let detail = format!(
        "a request may have {} at most; whoever runs the service can raise that (--max-body-mib)",
        binary_size(limits.body_bytes)
    );
    Problem::new(Code::TooLarge, detail)
}

/// Bytes in words.
fn binary_size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ if bytes.is_multiple_of(0x10_0000) => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// After a refusal: reads and forgets what comes soon, unless the client waits to be asked for it.
pub(crate) async fn drain(headers: &HeaderMap, body: Body) {
    if !headers.contains_key(header::EXPECT) {
        read_and_forget(body).await;
    }
}

async fn read_and_forget(mut body: Body) {
    let read = async {
        let mut total = 0;
        while let Some(Ok(frame)) = body.frame().await {
            total += frame.data_ref().map_or(0, Bytes::len);
            if total > MAX_DRAIN {
                break;
            }
        }
    };
    // Running out of time is what it is bounded for.
    let _ = timeout(DRAIN_TIME, read).await;
}

/// An answer that keeps its slot until it has been taken off our hands, so that slow readers
/// cannot pile up results in memory.
#[derive(Debug)]
pub(crate) struct SlotBody {
    rest: Bytes,
    _slot: Slot,
}

impl SlotBody {
    /// Handed over in parts: the connection asks for the next one when the last has gone.
    const PART: usize = 64 << 10;

    pub(crate) fn new(bytes: impl Into<Bytes>, slot: Slot) -> Self {
        Self {
            rest: bytes.into(),
            _slot: slot,
        }
    }
}

impl HttpBody for SlotBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(Self::PART);
        let part = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_totals_not_parts() {
        let budget = Budget::new(2 * UNIT);
        let mut held = None;
        for total in 1..=2 * UNIT {
            assert!(budget.extend(&mut held, total));
        }
        assert!(!budget.extend(&mut held, 2 * UNIT + 1));
        assert!(!budget.extend(&mut None, 1));
        drop(held);
        assert!(budget.extend(&mut None, 2 * UNIT));
    }
}
