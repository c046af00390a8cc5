//! T-MAD in a browser: what a page's worker calls.
//!
//! [`Engine`] does what the service does for a request, with the same [`inpaint_photo`] around the
//! same [`tmad`], on one thread and without a network. `tools/site` makes a static site of it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod engine;

pub use engine::{EngineError, Filled, Options};

use inpaint_core::Control;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Given by the worker: the finished fraction, 0 to 1, and the stage.
    #[wasm_bindgen(js_name = tmadProgress)]
    fn report_progress(fraction: f32, stage: &str);

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn log_error(text: &str);
}

/// All methods, ready to fill holes.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Engine(engine::Engine);

#[wasm_bindgen]
impl Engine {
    /// Reads the built-in weights.
    ///
    /// # Errors
    ///
    /// None in practice; the weights are checked by tests.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Self, String> {
        // A panic ends the worker; its reason would be lost without this.
        std::panic::set_hook(Box::new(|panic| log_error(&panic.to_string())));
        engine::Engine::new()
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// The methods as JSON, in the form of the service's `GET /v1/models`.
    pub fn models(&self) -> String {
        self.0.models().to_string()
    }

    /// Fills the hole of a picture file; `options` is JSON ([`Options`]).
    ///
    /// # Errors
    ///
    /// What is wrong with the picture, the mask or the options, for people.
    pub fn inpaint(&self, image: &[u8], mask: &[u8], options: &str) -> Result<Picture, String> {
        let result = Options::parse(options)
            .and_then(|options| self.0.inpaint(image, mask, &options, &control(&options)));
        result.map(Picture).map_err(|error| error.to_string())
    }

    /// Grows marks on a thing to its border; a PNG of its mask. `bounds` are x, y, width and height
    /// of the part of the picture in which it lies, or empty.
    ///
    /// # Errors
    ///
    /// As [`Self::inpaint`].
    pub fn select(&self, image: &[u8], mask: &[u8], bounds: &[u32]) -> Result<Vec<u8>, String> {
        engine::Engine::select(image, mask, bounds, &Control::default())
            .map_err(|error| error.to_string())
    }

    /// Says where the texture of the hole comes from, as JSON in the form of the service's
    /// `POST /v1/explain`.
    ///
    /// # Errors
    ///
    /// As [`Self::inpaint`], and for methods that look nothing up.
    pub fn explain(&self, image: &[u8], mask: &[u8], options: &str) -> Result<String, String> {
        let result = Options::parse(options)
            .and_then(|options| self.0.explain(image, mask, &options, &control(&options)));
        result
            .map(|json| json.to_string())
            .map_err(|error| error.to_string())
    }
}

fn control(options: &Options) -> Control {
    Control::with_seed(options.seed).on_progress(report_progress)
}

/// A filled picture file.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Picture(Filled);

#[wasm_bindgen]
impl Picture {
    /// The media type.
    #[wasm_bindgen(getter)]
    pub fn content_type(&self) -> String {
        self.0.content_type.to_owned()
    }

    /// What may not be expected; empty if nothing.
    #[wasm_bindgen(getter)]
    pub fn warning(&self) -> String {
        self.0.warnings.join("; ")
    }

    /// The file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.bytes
    }
}
