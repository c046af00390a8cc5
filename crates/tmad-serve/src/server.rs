//! Listening, and stopping without dropping anybody.

use crate::config::{Config, ServeError};
use crate::connection::Patient;
use crate::models::Model;
use crate::problem::Code;
use crate::routes::{Service, router};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Longest head of a request in bytes.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 64;

/// A service that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    service: Arc<Service>,
}

impl Server {
    /// Starts listening and the workers. The first of `models` is what clients get who ask for
    /// none.
    ///
    /// # Errors
    ///
    /// If the configuration is unsafe or useless, or the address cannot be listened on.
    pub async fn bind(config: Config, models: Vec<Model>) -> Result<Self, ServeError> {
        let addr = config.addr;
        let service = Service::new(config, models)?;
        let listen = |source| ServeError::Listen { addr, source };
        let listener = TcpListener::bind(addr).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        Ok(Self {
            listener,
            addr,
            service,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until `stop` is ready, then finishes what has begun within
    /// [`Timeouts::shutdown`](crate::Timeouts::shutdown), or until `hurry` is ready.
    pub async fn run(self, stop: impl Future<Output = ()>, hurry: impl Future<Output = ()>) {
        let Self {
            listener, service, ..
        } = self;
        let app = router(Arc::clone(&service));
        let limit = service.config.limits.connections;
        let connections = Arc::new(Semaphore::new(limit));
        let (closing, closed) = watch::channel(false);
        let mut stop = pin!(stop);
        loop {
            let accepted = async {
                // Beyond the limit, clients wait in the system's own queue.
                let permit = Arc::clone(&connections).acquire_owned().await;
                (listener.accept().await, permit)
            };
            let (accepted, permit) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let connection =
                        serve(stream, app.clone(), Arc::clone(&service), closed.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Such as no file descriptors left: nothing to do but to wait for some.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }

        drop(listener);
        service.is_stopping.store(true, Ordering::Relaxed);
        closing.send_replace(true);
        let (waiting, running) = service.queue.lengths();
        tracing::info!(waiting, running, "stopping");
        let all_closed = || async {
            let permits = u32::try_from(limit).unwrap_or(u32::MAX);
            drop(connections.acquire_many(permits).await);
        };
        tokio::select! {
            () = all_closed() => {}
            () = sleep(service.config.timeouts.shutdown) => {}
            () = hurry => {}
        }
        service.queue.end_all(Code::ShuttingDown);
        // Time to say so to those who still wait.
        let is_clean = timeout(Duration::from_secs(2), all_closed()).await.is_ok();
        let queue = Arc::clone(&service);
        let close = move || queue.queue.close(Duration::from_secs(2));
        if tokio::task::spawn_blocking(close).await.is_err() {
            tracing::error!("cannot wait for the workers");
        }
        tracing::info!(is_clean, "stopped");
    }
}

/// Speaks HTTP/1.1 until the other end, a timeout, or the end of the service closes the
/// connection.
async fn serve(
    stream: TcpStream,
    app: Router,
    service: Arc<Service>,
    mut closed: watch::Receiver<bool>,
) {
    // Events are small and wanted at once. A failure only makes them later.
    let _ = stream.set_nodelay(true);
    let timeouts = &service.config.timeouts;
    let stream = TokioIo::new(Patient::new(stream, timeouts.write));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timeouts.head)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(stream, TowerToHyperService::new(app))
    );
    service.metrics.connections.fetch_add(1, Ordering::Relaxed);
    let closing = async { drop(closed.wait_for(|&closed| closed).await) };
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closing => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    service.metrics.connections.fetch_sub(1, Ordering::Relaxed);
    if let Err(error) = result {
        // Clients that go away or are too slow: their affair, of interest when searching a fault.
        tracing::debug!(%error, "connection failed");
    }
}
