//! The addresses of IOPaint and of lama-cleaner, its former name, for the clients that speak to
//! those: under the same limits, access and errors as the service's own.
//!
//! Learnt from IOPaint 1.6.0 (`schema.py`, `api.py`, its web page) and lama-cleaner 0.37.1
//! (`server.py`). What only other models use (prompts, samplers, cropping, sizes to work at) is
//! ignored, as it is there by models that erase.

use crate::body::{drain, receive};
use crate::config::Limits;
use crate::form::{Hole, MAX_GROW, Options, Submission, parse_object};
use crate::models::{Model, Models, Operation};
use crate::multipart;
use crate::problem::{Code, Problem};
use crate::routes::{Service, json_response};
use crate::submit::{Language, submit};
use crate::work::{self, Answer, Timing, photo_problem};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use inpaint_core::image::{Rgba, RgbaImage};
use inpaint_photo::MaskOptions;
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

/// More fields than lama-cleaner's page sends.
const MAX_FIELDS: usize = 64;
/// Longest name of a model, with what is around it, in bytes.
const MAX_SWITCH: usize = 4096;
/// What IOPaint's page takes for marked when it gets a mask.
const BRUSH: Rgba<u8> = Rgba([255, 203, 0, 186]);
/// Brightness from which on `adjust_mask` takes a pixel for white; one less than elsewhere.
const ADJUST_THRESHOLD: u8 = 127;
/// IOPaint's default for `sd_seed`; −1 asks for a random one, of at most [`MAX_SEED`].
const SEED: i64 = 42;
const MAX_SEED: u64 = 99_999_999;
/// With or without padding, as clients send it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The routes; their problems carry the text for which IOPaint's page looks.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/inpaint", post(lama_cleaner))
        .route("/api/v1/inpaint", post(inpaint))
        .route("/api/v1/adjust_mask", post(adjust_mask))
        .route("/api/v1/model", get(model).post(switch_model))
        .route("/api/v1/server-config", get(server_config))
        .route("/api/v1/samplers", get(samplers))
        .route("/api/v1/inputimage", get(input_image))
        .route("/api/v1/gen-info", post(gen_info))
        .layer(middleware::map_response(with_errors))
}

/// Whether `path` is one of these addresses.
pub(crate) fn is_route(path: &str) -> bool {
    path == "/inpaint" || path.starts_with("/api/")
}

async fn with_errors(response: Response) -> Response {
    let Some(problem) = response.extensions().get::<Problem>() else {
        return response;
    };
    let mut document = problem.to_json();
    document["errors"] = document["detail"].clone();
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, Body::from(document.to_string()))
}

async fn lama_cleaner(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::LamaCleaner, request).await
}

async fn inpaint(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::IoPaint, request).await
}

async fn adjust_mask(State(service): State<Arc<Service>>, request: Request) -> Response {
    submit(service, Language::AdjustMask, request).await
}

async fn model(State(service): State<Arc<Service>>) -> Response {
    json_response(model_info(&service.models.switched()).to_string())
}

/// Changes the method of every client of these addresses, as IOPaint does.
async fn switch_model(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response, Problem> {
    #[derive(Deserialize)]
    struct Switch {
        name: String,
    }
    let bytes = axum::body::to_bytes(request.into_body(), MAX_SWITCH).await;
    let switch: Switch = bytes
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| {
            let detail = r#"send the name of a model as JSON: {"name": "…"}"#;
            Problem::new(Code::InvalidOptions, detail)
        })?;
    let model = service.models.switch(&switch.name)?;
    Ok(json_response(model_info(&model).to_string()))
}

/// IOPaint's `ModelInfo`.
fn model_info(model: &Model) -> Value {
    json!({
        "name": model.name(),
        "path": model.name(),
        "model_type": "inpaint",
        "is_single_file_diffusers": false,
        "need_prompt": false,
        "controlnets": [],
        "brushnets": [],
        "support_strength": false,
        "support_outpainting": false,
        "support_lcm_lora": false,
        "support_controlnet": false,
        "support_brushnet": false,
        "support_powerpaint_v2": false,
    })
}

/// IOPaint's `ServerConfigResponse`: no plug-ins, no folders of the server's.
async fn server_config(State(service): State<Arc<Service>>) -> Response {
    let models = service.models.all().iter().map(|model| model_info(model));
    let document = json!({
        "plugins": [],
        "modelInfos": models.collect::<Vec<_>>(),
        // The page wants a text here even where there is nothing to choose from.
        "removeBGModel": "",
        "removeBGModels": [],
        "realesrganModel": "",
        "realesrganModels": [],
        "interactiveSegModel": "",
        "interactiveSegModels": [],
        "enableFileManager": false,
        "enableAutoSaving": false,
        "enableControlnet": false,
        "controlnetMethod": null,
        "disableModelSwitch": false,
        "isDesktop": false,
        "samplers": [],
    });
    json_response(document.to_string())
}

async fn samplers() -> Response {
    json_response("[]")
}

/// IOPaint says so with status 200 when it was started without a picture.
async fn input_image() -> Response {
    json_response(r#"{"detail":"No input image configured"}"#)
}

/// The prompts in a picture's metadata, for which IOPaint's page asks whenever it opens one. There
/// are none for methods without prompts, so the picture is received and forgotten.
async fn gen_info(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(problem) = service.check_open() {
        drain(&head.headers, body).await;
        return problem.into_response();
    }
    let config = &service.config;
    match receive(body, 0, &service.budget, &config.limits, &config.timeouts).await {
        Ok(_) => json_response(r#"{"prompt":"","negative_prompt":""}"#),
        Err(problem) => problem.into_response(),
    }
}

/// The part of IOPaint's `InpaintRequest` that concerns methods without prompts.
#[derive(Deserialize)]
struct InpaintRequest<'a> {
    #[serde(borrow, default)]
    image: Cow<'a, str>,
    #[serde(borrow, default)]
    mask: Cow<'a, str>,
    #[serde(default = "default_seed")]
    sd_seed: i64,
}

fn default_seed() -> i64 {
    SEED
}

/// Understands the body of `POST /api/v1/inpaint`.
///
/// # Errors
///
/// If it is no such request.
pub(crate) fn parse_inpaint(body: &[u8], models: &Models) -> Result<Submission, Problem> {
    let request: InpaintRequest<'_> = parse_object(body, "the body")?;
    let image = picture(&request.image, "image")?;
    let mask = picture(&request.mask, "mask")?;
    Ok(submission(models, image, mask, request.sd_seed))
}

/// Understands the body of lama-cleaner's `POST /inpaint`.
///
/// # Errors
///
/// If it is no such form.
pub(crate) fn parse_form(
    body: &Bytes,
    boundary: &str,
    models: &Models,
) -> Result<Submission, Problem> {
    let fields = multipart::parse(body, boundary, MAX_FIELDS)?;
    let field = |name: &str| fields.iter().find(|field| field.name == name);
    let file = |name| {
        let missing = || Problem::new(Code::FieldMissing, format!("the field {name} is needed"));
        field(name)
            .map(|field| field.content.clone())
            .ok_or_else(missing)
    };
    let seed = match field("sdSeed") {
        None => SEED,
        Some(field) => (std::str::from_utf8(&field.content).ok())
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| Problem::new(Code::InvalidOptions, "sdSeed must be a number"))?,
    };
    Ok(submission(models, file("image")?, file("mask")?, seed))
}

fn submission(models: &Models, image: Bytes, mask: Bytes, seed: i64) -> Submission {
    let random = || 1 + RandomState::new().build_hasher().finish() % MAX_SEED;
    Submission {
        operation: Operation::Inpaint,
        model: models.switched(),
        image,
        hole: Hole::Mask(mask),
        guess: None,
        options: Options {
            seed: u64::try_from(seed).unwrap_or_else(|_| random()),
            ..Options::default()
        },
    }
}

/// The file in a text of base64, as a data URL or not.
fn picture(text: &str, name: &str) -> Result<Bytes, Problem> {
    if text.is_empty() {
        let detail = format!("the field {name} is needed: a picture file as base64");
        return Err(Problem::new(Code::FieldMissing, detail));
    }
    let base64 = match text.strip_prefix("data:") {
        Some(url) => url.split_once(',').map_or("", |(_, base64)| base64),
        None => text,
    };
    // Some programs break the lines.
    let base64 = if base64.bytes().any(|byte| byte.is_ascii_whitespace()) {
        Cow::Owned(base64.split_ascii_whitespace().collect())
    } else {
        Cow::Borrowed(base64)
    };
    BASE64.decode(&*base64).map(Bytes::from).map_err(|error| {
        let detail = format!("the field {name} is no base64: {error}");
        Problem::new(Code::ImageUnreadable, detail)
    })
}

/// IOPaint's `AdjustMaskRequest`.
#[derive(Debug)]
pub(crate) struct AdjustMask {
    mask: Bytes,
    operation: MaskOperation,
    radius_px: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MaskOperation {
    Expand,
    Shrink,
    Reverse,
}

/// Understands the body of `POST /api/v1/adjust_mask`.
///
/// # Errors
///
/// If it is no such request.
pub(crate) fn parse_adjust_mask(body: &[u8]) -> Result<AdjustMask, Problem> {
    #[derive(Deserialize)]
    struct AdjustMaskRequest<'a> {
        #[serde(borrow, default)]
        mask: Cow<'a, str>,
        operate: MaskOperation,
        #[serde(default = "default_kernel_size")]
        kernel_size: u32,
    }
    fn default_kernel_size() -> u32 {
        5
    }
    let request: AdjustMaskRequest<'_> = parse_object(body, "the body")?;
    if request.kernel_size > MAX_GROW {
        let size = request.kernel_size;
        let detail = format!("kernel_size is {size}, allowed is 0 to {MAX_GROW}");
        return Err(Problem::new(Code::InvalidOptions, detail));
    }
    Ok(AdjustMask {
        mask: picture(&request.mask, "mask")?,
        operation: request.operate,
        radius_px: request.kernel_size,
    })
}

impl AdjustMask {
    /// Grows or shrinks the mask by a disc, or exchanges its sides.
    ///
    /// # Errors
    ///
    /// If the mask cannot be decoded.
    pub(crate) fn run(self, limits: &Limits) -> Result<Answer, Problem> {
        let start = Instant::now();
        let limits = work::photo_limits(limits);
        let file = work::decode(&self.mask, "the mask", &limits)?;
        let options = MaskOptions {
            threshold: ADJUST_THRESHOLD,
            ..MaskOptions::default()
        };
        let mask = (options.mask(&self.mask, &file, &limits))
            .map_err(|error| photo_problem("the mask", &error))?;
        let mask = match self.operation {
            MaskOperation::Expand => mask.dilated(self.radius_px),
            MaskOperation::Shrink => mask.inverted().dilated(self.radius_px).inverted(),
            MaskOperation::Reverse => mask.inverted(),
        };
        let timing = Timing {
            decode: start.elapsed(),
            ..Timing::default()
        };
        let colour = |x, y| {
            if mask.is_hole(x, y) {
                BRUSH
            } else {
                Rgba([0; 4])
            }
        };
        Answer::png(
            RgbaImage::from_fn(mask.width(), mask.height(), colour),
            timing,
        )
    }
}
