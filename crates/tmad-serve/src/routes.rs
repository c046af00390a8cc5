//! What is where, and what happens around every request.

use crate::access::{Access, allow_origin, is_preflight};
use crate::body::{Budget, drain};
use crate::config::{Config, ServeError};
use crate::events;
use crate::iopaint;
use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::models::{Model, Models, Operation};
use crate::page;
use crate::problem::{Code, Problem};
use crate::queue::Queue;
use crate::submit::{Language, submit};
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const OPENAPI: &str = include_str!("openapi.json");

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) models: Models,
    pub(crate) queue: Queue,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) budget: Budget,
    pub(crate) metrics: Metrics,
    pub(crate) is_stopping: AtomicBool,
    access: Access,
}

impl Service {
    pub(crate) fn new(config: Config, models: Vec<Model>) -> Result<Arc<Self>, ServeError> {
        config.check()?;
        Ok(Arc::new(Self {
            models: Models::new(models)?,
            queue: Queue::start(config.workers, config.queue)?,
            jobs: Jobs::new(config.timeouts.job_kept),
            budget: Budget::new(config.limits.buffered_bytes),
            metrics: Metrics::default(),
            is_stopping: AtomicBool::new(false),
            access: Access::new(&config),
            config,
        }))
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// # Errors
    ///
    /// [`Code::ShuttingDown`].
    pub(crate) fn check_open(&self) -> Result<(), Problem> {
        if self.is_stopping() {
            let detail = "the service is about to stop and takes no new work";
            return Err(Problem::new(Code::ShuttingDown, detail).retry_after(10));
        }
        Ok(())
    }
}

/// All routes.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/inpaint", post(inpaint))
        .route("/v1/refine", post(refine))
        .route("/v1/explain", post(explain))
        .route("/v1/select", post(select))
        .route("/v1/models", get(models))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/jobs/{job}", delete(events::cancel))
        .route("/v1/jobs/{job}/events", get(events::events))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .merge(iopaint::routes())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(page::serve)
        .layer(middleware::from_fn_with_state(Arc::clone(&service), around))
        .with_state(service)
}

async fn inpaint(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::Form(Operation::Inpaint), request).await
}

async fn refine(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::Form(Operation::Refine), request).await
}

async fn explain(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::Form(Operation::Explain), request).await
}

async fn select(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::Select, request).await
}

/// The methods, and the limits that a client may want to know before it sends something.
async fn models(State(service): State<Arc<Service>>) -> Response {
    let limits = &service.config.limits;
    json_response(
        json!({
            "models": service.models.to_json(),
            "limits": {
                "body_bytes": limits.body_bytes,
                "pixels": limits.pixels,
                "side": limits.side,
            },
        })
        .to_string(),
    )
}

async fn openapi() -> Response {
    json_response(OPENAPI)
}

pub(crate) fn json_response(document: impl Into<Body>) -> Response {
    let content_type = (
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    ([content_type], document.into()).into_response()
}

/// Whether the program lives.
async fn health() -> Response {
    json_response(r#"{"status":"ok"}"#)
}

/// Whether it is sensible to send work: not when stopping, and not when the queue is full.
async fn ready(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    service.check_open()?;
    if !service.queue.has_room() {
        return Err(Problem::new(Code::NotReady, "the queue is full").retry_after(1));
    }
    Ok(json_response(r#"{"status":"ready"}"#))
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.metrics.to_text(service.queue.lengths());
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

async fn method_not_allowed() -> Problem {
    let detail = "this address exists, but not for this HTTP method; the Allow header has those";
    Problem::new(Code::MethodNotAllowed, detail)
}

/// Around every request: access before it; headers, log and numbers after it.
async fn around(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    // The route, not the path: a path holds what the client likes, such as names of jobs.
    let route = (request.extensions().get::<MatchedPath>())
        .map_or("page", MatchedPath::as_str)
        .to_owned();
    let origin = service.access.allowed_origin(request.headers());
    let preflight = is_preflight(&method, request.headers());

    let mut response = if let Err(problem) = admit(&service, &route, preflight, &request) {
        let (head, body) = request.into_parts();
        drain(&head.headers, body).await;
        problem.into_response()
    } else if preflight && origin.is_some() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };

    let is_page = route == "page";
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-security-policy", page::CONTENT_SECURITY_POLICY),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if !is_page {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Some(origin) = origin {
        allow_origin(headers, origin, preflight);
    }
    if service.is_stopping() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }

    let time = start.elapsed();
    let status = response.status().as_u16();
    let code = (response.extensions().get::<Problem>()).map(|problem| problem.code);
    service.metrics.answered(&route, status, code, time);
    tracing::info!(
        method = method.as_str(),
        route,
        status,
        code = code.map(Code::name),
        ms = time.as_secs_f64() * 1e3,
        "answered"
    );
    response
}

fn admit(
    service: &Service,
    route: &str,
    preflight: bool,
    request: &Request,
) -> Result<(), Problem> {
    let headers = request.headers();
    service.access.check_host(headers)?;
    let path = request.uri().path();
    let is_api = path.starts_with("/v1/") || iopaint::is_route(path) || route == "/metrics";
    if !is_api {
        return Ok(());
    }
    service.access.check_origin(headers)?;
    // Browsers ask for permission without the token.
    if preflight {
        return Ok(());
    }
    service.access.check_token(headers)
}
