//! Watching and cancelling jobs: `/v1/jobs/{job}`.

use crate::jobs::{Job, Progress, check_name};
use crate::problem::{Code, Problem};
use crate::routes::Service;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Least time between two events.
const PACE: Duration = Duration::from_millis(50);
/// A comment is sent after as long without an event, so that nothing between us and the client
/// takes the connection for dead, and we notice when the client is.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// `GET /v1/jobs/{job}/events`
pub(crate) async fn events(
    State(service): State<Arc<Service>>,
    name: JobName,
) -> Result<Response, Problem> {
    let name = checked(name)?;
    let patience = service.config.timeouts.job_appears;
    let job = (service.jobs.wait_for(&name, patience).await).ok_or_else(unknown_job)?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(tell(job, sender));
    let mut response = Response::new(Body::new(ChannelBody(receiver)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    Ok(response)
}

/// `DELETE /v1/jobs/{job}`
pub(crate) async fn cancel(
    State(service): State<Arc<Service>>,
    name: JobName,
) -> Result<StatusCode, Problem> {
    let name = checked(name)?;
    let job = service.jobs.find(&name).ok_or_else(unknown_job)?;
    job.ends(Err(Code::Cancelled));
    Ok(StatusCode::NO_CONTENT)
}

/// From the address; an error when that is no text.
type JobName = Result<Path<String>, PathRejection>;

fn checked(name: JobName) -> Result<String, Problem> {
    let name = name.map_or_else(|_| String::new(), |Path(name)| name);
    check_name(&name)?;
    Ok(name)
}

fn unknown_job() -> Problem {
    Problem::new(
        Code::JobUnknown,
        "no request with ?job= and this name is known; it may have ended a while ago",
    )
}

/// Sends the job's progress until its end, or until nobody listens.
async fn tell(job: Arc<Job>, sender: mpsc::Sender<Bytes>) {
    let mut watch = job.watch();
    drop(job);
    loop {
        let progress = watch.borrow_and_update().clone();
        let is_final = progress.state.is_final();
        if sender.send(event(&progress)).await.is_err() || is_final {
            return;
        }
        sleep(PACE).await;
        while timeout(KEEP_ALIVE, watch.changed()).await.is_err() {
            if sender.send(Bytes::from_static(b":\n\n")).await.is_err() {
                return;
            }
        }
    }
}

fn event(progress: &Progress) -> Bytes {
    let data = serde_json::to_string(progress).unwrap_or_default();
    format!("event: progress\ndata: {data}\n\n").into()
}

/// A body that somebody else writes.
struct ChannelBody(mpsc::Receiver<Bytes>);

impl HttpBody for ChannelBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.0.poll_recv(context);
        part.map(|part| part.map(|bytes| Ok(Frame::data(bytes))))
    }
}
