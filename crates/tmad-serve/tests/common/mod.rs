//! A service with made-up methods, for tests.

// Every test program uses its part of this.
#![allow(dead_code)]

pub mod client;

use inpaint_core::image::{GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use inpaint_core::{
    Control, ExplainedCandidate, ExplainedPatch, Explanation, InpaintError, Inpainter, Mask,
    Origin, OriginKind, Square, TextureMethod, check_sizes, composite,
};
use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tmad_serve::{Config, Model, Server};
use tokio::sync::oneshot;

/// A service of its own, on a free port.
pub struct TestServer {
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub fn start(config: Config, models: Vec<Model>) -> Self {
        let (send_addr, addr) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::bind(config, models).await.unwrap();
                send_addr.send(server.addr()).unwrap();
                let stop = async { drop(stopped.await) };
                server.run(stop, std::future::pending()).await;
            });
        });
        Self {
            addr: addr.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Asks the service to stop, without waiting for it.
    pub fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the end.
    pub fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.ask_to_stop();
        if !thread::panicking() {
            self.join();
        }
    }
}

/// A configuration with a free port.
pub fn config() -> Config {
    Config {
        addr: (Ipv4Addr::LOCALHOST, 0).into(),
        ..Config::default()
    }
}

/// A service with [`Corner`] and [`FakeTexture`].
pub fn start(config: Config) -> TestServer {
    let corner = Model::inpainter(Arc::new(Corner), "the colour of the first pixel");
    let texture = Model::texture(Arc::new(FakeTexture), "the guess, or red")
        .with_provenance([("data", "none")]);
    TestServer::start(config, vec![corner, texture])
}

/// Fills the hole with the colour of the first pixel.
pub struct Corner;

impl Inpainter for Corner {
    fn name(&self) -> &str {
        "corner"
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        check_sizes(image, mask)?;
        control.report(0.5, "filling");
        let (width, height) = image.dimensions();
        composite(
            image,
            &RgbImage::from_pixel(width, height, *image.get_pixel(0, 0)),
            mask,
        )
    }
}

/// Refines to the guess, and explains with one patch.
pub struct FakeTexture;

impl Inpainter for FakeTexture {
    fn name(&self) -> &str {
        "texture"
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        _: &Control,
    ) -> Result<RgbImage, InpaintError> {
        let (width, height) = image.dimensions();
        let red = RgbImage::from_pixel(width, height, Rgb([255, 0, 0]));
        composite(image, &red, mask)
    }
}

impl TextureMethod for FakeTexture {
    fn refine(
        &self,
        image: &RgbImage,
        guess: &RgbImage,
        mask: &Mask,
        _: &Control,
    ) -> Result<RgbImage, InpaintError> {
        composite(image, guess, mask)
    }

    fn explain(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<Explanation, InpaintError> {
        let completed = self.inpaint(image, mask, control)?;
        let square = |x, y| Square { x, y, side: 32 };
        let candidate = |x, score| ExplainedCandidate {
            source: square(x, 3),
            score,
        };
        Ok(Explanation {
            coarse: image.clone(),
            completed,
            patches: vec![ExplainedPatch {
                place: square(-4, 0),
                candidates: vec![candidate(7, 0.75), candidate(9, 0.5)],
            }],
            origins: [OriginKind::Copy, OriginKind::Copy, OriginKind::Window]
                .map(|kind| Some(Origin { kind, x: 1, y: 2 }))
                .into_iter()
                .chain([None])
                .collect(),
        })
    }
}

/// Works until it is let go or cancelled.
#[derive(Default)]
pub struct Gate {
    pub is_open: AtomicBool,
    pub running: AtomicUsize,
    pub cancelled: AtomicUsize,
    pub finished: AtomicUsize,
}

impl Gate {
    pub fn open(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    pub fn model(self: &Arc<Self>) -> Model {
        let gate: Arc<dyn Inpainter> = self.clone();
        Model::inpainter(gate, "waits")
    }
}

impl Inpainter for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        self.running.fetch_add(1, Ordering::SeqCst);
        control.report(0.25, "waiting for the gate");
        let cancelled = loop {
            if control.is_cancelled() {
                break true;
            }
            if self.is_open.load(Ordering::SeqCst) {
                break false;
            }
            thread::sleep(Duration::from_millis(1));
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        if cancelled {
            self.cancelled.fetch_add(1, Ordering::SeqCst);
            return Err(InpaintError::Cancelled);
        }
        self.finished.fetch_add(1, Ordering::SeqCst);
        Corner.inpaint(image, mask, control)
    }
}

/// Waits for a condition; fails when it does not come about.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "not in time: {what}"
        );
        thread::sleep(Duration::from_millis(2));
    }
}

pub fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture whose every pixel tells `number`.
pub fn numbered(number: u32, width: u32, height: u32) -> RgbImage {
    let [_, r, g, b] = number.to_be_bytes();
    RgbImage::from_pixel(width, height, Rgb([r, g, b]))
}

/// A mask with a hole in columns and rows 4 to 7.
pub fn mask(width: u32, height: u32) -> Vec<u8> {
    let mask = GrayImage::from_fn(width, height, |x, y| {
        Luma([255 * u8::from((4..8).contains(&x) && (4..8).contains(&y))])
    });
    let mut bytes = Cursor::new(Vec::new());
    mask.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub fn decode(bytes: &[u8]) -> RgbImage {
    inpaint_core::image::load_from_memory(bytes)
        .unwrap()
        .to_rgb8()
}
