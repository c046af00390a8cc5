//! The way of a request: received, understood, queued, worked on, answered.

use crate::body::{Received, SlotBody, drain, receive, too_large};
use crate::config::Limits;
use crate::form::{self, Submission};
use crate::iopaint::{self, AdjustMask};
use crate::jobs::Job;
use crate::models::{Models, Operation};
use crate::multipart;
use crate::problem::{Code, Problem};
use crate::queue::Slot;
use crate::routes::Service;
use crate::select::{self, Select};
use crate::work::{self, Answer};
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use inpaint_core::Control;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How the bodies of an address are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// The service's own forms.
    Form(Operation),
    /// The form of `/v1/select`.
    Select,
    /// The form of lama-cleaner's `/inpaint`.
    LamaCleaner,
    /// The JSON of IOPaint's `/api/v1/inpaint`.
    IoPaint,
    /// The JSON of IOPaint's `/api/v1/adjust_mask`.
    AdjustMask,
}

impl Language {
    fn is_json(self) -> bool {
        matches!(self, Self::IoPaint | Self::AdjustMask)
    }

    /// Understands a body; `boundary` is for forms.
    fn parse(self, body: &Bytes, boundary: &str, models: &Models) -> Result<Task, Problem> {
        match self {
            Self::Form(operation) => form::parse(body, boundary, operation, models).map(Task::Fill),
            Self::Select => select::parse(body, boundary).map(Task::Select),
            Self::LamaCleaner => iopaint::parse_form(body, boundary, models).map(Task::Fill),
            Self::IoPaint => iopaint::parse_inpaint(body, models).map(Task::Fill),
            Self::AdjustMask => iopaint::parse_adjust_mask(body).map(Task::AdjustMask),
        }
    }
}

/// What a worker does.
#[derive(Debug)]
enum Task {
    Fill(Submission),
    Select(Select),
    AdjustMask(AdjustMask),
}

impl Task {
    fn seed(&self) -> u64 {
        match self {
            Self::Fill(submission) => submission.options.seed,
            Self::Select(_) | Self::AdjustMask(_) => 0,
        }
    }

    fn run(self, limits: &Limits, control: &Control) -> Result<Answer, Problem> {
        match self {
            Self::Fill(submission) => work::run(submission, limits, control),
            Self::Select(task) => task.run(limits, control),
            Self::AdjustMask(task) => task.run(limits),
        }
    }
}

/// Answers a request for work. When the client goes away, this
/// future is dropped, and with it the job and its place in the queue.
pub(crate) async fn submit(
    service: Arc<Service>,
    language: Language,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let guard = match service.jobs.start(job_name(&head)) {
        Ok(guard) => guard,
        Err(problem) => {
            drain(&head.headers, body).await;
            return problem.into_response();
        }
    };
    let job = &guard.job;
    let answered = tokio::select! {
        // First the end: whatever the work says after it has been stopped is not the reason.
        biased;
        code = job.ended() => Err(Problem::new(code, match code {
            Code::ShuttingDown => "the service stopped before the work was done",
            _ => "the job was cancelled",
        })),
        answered = answer(&service, language, &head, body, job) => answered,
    };
    match answered {
        Ok((answer, queued, slot)) => {
            job.ends(Ok(()));
            respond(answer, queued, slot)
        }
        Err(problem) => {
            job.ends(Err(problem.code));
            problem.into_response()
        }
    }
}

fn job_name(head: &Parts) -> Option<&str> {
    let pairs = head.uri.query()?.split('&');
    let mut values = pairs.filter_map(|pair| pair.strip_prefix("job="));
    values.next()
}

async fn answer(
    service: &Arc<Service>,
    language: Language,
    head: &Parts,
    body: Body,
    job: &Arc<Job>,
) -> Result<(Answer, Duration, Slot), Problem> {
    let (boundary, declared) = match check_head(service, language, &head.headers) {
        Ok(checked) => checked,
        Err(problem) => {
            drain(&head.headers, body).await;
            return Err(problem);
        }
    };
    let config = &service.config;
    let mut received = receive(
        body,
        declared,
        &service.budget,
        &config.limits,
        &config.timeouts,
    )
    .await?;
    let received_bytes = received.bytes.len();
    (service.metrics.received_bytes).fetch_add(received_bytes as u64, Ordering::Relaxed);
    let task = language.parse(&received.bytes, &boundary, &service.models)?;
    if language.is_json() {
        // Its pictures have been decoded from it, and take their part of the budget from now on.
        received.bytes.clear();
    }
    let seed = task.seed();
    service.check_open()?;
    let slot = service.queue.reserve()?;
    let work = enqueue(service, job, task, received);
    let Ok(done) = tokio::time::timeout(config.timeouts.work, work).await else {
        let detail = format!(
            "the work was not done within {} s; try a smaller picture or a faster method",
            config.timeouts.work.as_secs()
        );
        return Err(Problem::new(Code::Timeout, detail));
    };
    let (mut answer, queued) = done?;
    answer.seed = matches!(language, Language::LamaCleaner | Language::IoPaint).then_some(seed);
    Ok((answer, queued, slot))
}

/// What can be refused before the body has arrived; otherwise its boundary and its length.
fn check_head(
    service: &Service,
    language: Language,
    headers: &HeaderMap,
) -> Result<(String, usize), Problem> {
    service.check_open()?;
    if headers.contains_key(header::CONTENT_ENCODING) {
        let detail = "send the body as it is; pictures are compressed already";
        return Err(Problem::new(Code::UnsupportedContentEncoding, detail));
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let wrong_type = |detail| Problem::new(Code::UnsupportedMediaType, detail);
    let boundary = if language.is_json() {
        let essence = content_type.split(';').next().unwrap_or_default();
        if !essence.trim().eq_ignore_ascii_case("application/json") {
            return Err(wrong_type("send JSON with Content-Type: application/json"));
        }
        String::new()
    } else {
        multipart::boundary(content_type)
            .ok_or_else(|| wrong_type("send a form with Content-Type: multipart/form-data"))??
    };
    if !service.queue.has_room() {
        return Err(service.queue.full());
    }
    // What is no number has been refused by the HTTP library; what is too large for usize is too
    // large for us.
    let declared = text(header::CONTENT_LENGTH).map(|n| n.parse().unwrap_or(usize::MAX));
    let limits = &service.config.limits;
    if declared.is_some_and(|declared| declared > limits.body_bytes) {
        return Err(too_large(limits));
    }
    Ok((boundary, declared.unwrap_or(0)))
}

/// Queues the work and waits for its result. Dropping this takes it out of the queue, and asks
/// it to stop if it runs.
async fn enqueue(
    service: &Arc<Service>,
    job: &Arc<Job>,
    task: Task,
    received: Received,
) -> Result<(Answer, Duration), Problem> {
    let (reply, result) = oneshot::channel();
    let queued_at = Instant::now();
    let seed = task.seed();
    let limits = service.config.limits;
    let for_work = Arc::clone(job);
    let _in_queue = service.queue.push(job, move || {
        let queued = queued_at.elapsed();
        if for_work.is_stopped() {
            return;
        }
        let told = Arc::clone(&for_work);
        let control = Control::with_seed(seed)
            .with_cancel_flag(for_work.stop_flag())
            .on_progress(move |fraction, stage| told.runs(fraction, stage));
        let done = task.run(&limits, &control);
        // The pictures' bytes are gone now, so their memory can be given back.
        drop(received);
        // Nobody waits any more if the client went away meanwhile.
        let _ = reply.send(done.map(|answer| (answer, queued)));
    });
    result.await.unwrap_or_else(|_| {
        let detail = "the method failed unexpectedly; the service's log has more";
        Err(Problem::new(Code::Internal, detail))
    })
}

fn respond(answer: Answer, queued: Duration, slot: Slot) -> Response {
    let timing = &answer.timing;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let server_timing = format!(
        "queue;dur={:.1}, decode;dur={:.1}, inpaint;dur={:.1}, encode;dur={:.1}",
        ms(queued),
        ms(timing.decode),
        ms(timing.inpaint),
        ms(timing.encode),
    );
    let mut response = Response::new(Body::new(SlotBody::new(answer.body, slot)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(answer.content_type),
    );
    headers.insert(
        HeaderName::from_static("server-timing"),
        header_text(&server_timing),
    );
    if let Some(method) = &answer.method {
        let name = HeaderName::from_static("x-tmad-method");
        headers.insert(name, header_text(method));
    }
    if let Some(seed) = answer.seed {
        headers.insert(HeaderName::from_static("x-seed"), seed.into());
    }
    for warning in &answer.warnings {
        headers.append(
            HeaderName::from_static("x-tmad-warning"),
            header_text(warning),
        );
    }
    response
}

/// Header values are ASCII for everyone to read the same.
fn header_text(text: &str) -> HeaderValue {
    let ascii: String = text
        .chars()
        .map(|c| match c {
            '×' => 'x',
            '–' | '—' => '-',
            '“' | '”' => '"',
            '’' => '\'',
            ' '..='~' => c,
            _ => '?',
        })
        .collect();
    HeaderValue::from_str(&ascii).unwrap_or_else(|_| HeaderValue::from_static("?"))
}
