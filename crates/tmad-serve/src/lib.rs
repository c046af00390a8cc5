//! An HTTP service and a web page for inpainting.
//!
//! It knows methods as [`inpaint_core::Inpainter`] and [`inpaint_core::TextureMethod`] only.
//! Everything is bounded: bodies, pictures, memory, waiting requests, and time. Nothing is written
//! to disk, nothing that a client sends becomes the path of a file, and pictures do not appear in
//! the log. `docs/api.md` of the repository describes the interface, as does the service itself at
//! `/v1/openapi.json`.
//!
//! ```no_run
//! use inpaint_core::patchmatch::PatchMatch;
//! use std::sync::Arc;
//! use tmad_serve::{Config, Model};
//!
//! # fn main() -> Result<(), tmad_serve::ServeError> {
//! let method = Arc::new(PatchMatch::default());
//! let models = vec![Model::inpainter(method, "patches copied from the rest of the picture")];
//! tmad_serve::run(Config::default(), models, |addr| println!("http://{addr}"))
//! # }
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod body;
mod config;
mod connection;
mod events;
mod form;
mod iopaint;
mod jobs;
mod metrics;
mod models;
mod multipart;
#[cfg(test)]
mod mutation_tests;
mod page;
mod problem;
mod queue;
mod routes;
mod select;
mod server;
mod submit;
mod work;

pub use config::{Config, Limits, ServeError, Timeouts};
pub use models::Model;
pub use server::Server;

use std::net::SocketAddr;

/// Serves until Ctrl-C or SIGTERM, then finishes what has begun; a second Ctrl-C ends that, too.
/// `on_ready` gets the address when clients can connect.
///
/// # Errors
///
/// If the configuration is unsafe or useless, or the service cannot start.
pub fn run(
    config: Config,
    models: Vec<Model>,
    on_ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The work is done by the workers; these only pass bytes on.
        .worker_threads(2)
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(ServeError::Threads)?;
    runtime.block_on(async {
        let server = Server::bind(config, models).await?;
        let mut signals = Signals::new().map_err(ServeError::Threads)?;
        let mut again = Signals::new().map_err(ServeError::Threads)?;
        on_ready(server.addr());
        let hurry = async {
            again.next().await;
            again.next().await;
        };
        server.run(signals.next(), hurry).await;
        Ok(())
    })
}

/// Requests to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        // Without it there is no way to stop but to end the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
