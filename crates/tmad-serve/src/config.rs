//! What a service is told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Address, access, size of the machinery, and every bound.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub addr: SocketAddr,
    /// What clients have to send as `Authorization: Bearer …`; `None` asks for nothing.
    pub token: Option<String>,
    /// Listens on an address that other machines reach even though there is no token.
    pub allow_public: bool,
    /// Origins of other web pages that may use the API, such as `https://example.org`; `*` is any.
    pub cors: Vec<String>,
    /// Number of requests that are worked on at the same time.
    pub workers: usize,
    /// Number of requests that may wait for a worker; further ones are answered with 429.
    pub queue: usize,
    /// Bounds on memory.
    pub limits: Limits,
    /// Bounds on time.
    pub timeouts: Timeouts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: (Ipv4Addr::LOCALHOST, 8080).into(),
            token: None,
            allow_public: false,
            cors: Vec::new(),
            workers: 2,
            queue: 32,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// How much a service takes in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Largest body of a request in bytes.
    pub body_bytes: usize,
    /// Bytes of all bodies that are held at the same time.
    pub buffered_bytes: usize,
    /// Most pixels of a picture.
    pub pixels: u64,
    /// Longest side of a picture in pixels.
    pub side: u32,
    /// Most bytes that decoding one picture may take.
    pub decode_bytes: u64,
    /// Number of open connections.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            buffered_bytes: 256 << 20,
            pixels: 50_000_000,
            side: 20_000,
            decode_bytes: 800_000_000,
            connections: 512,
        }
    }
}

/// How long a service waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For the head of a request; idle connections are closed after as long.
    pub head: Duration,
    /// Between two parts of a body.
    pub body_idle: Duration,
    /// For a whole body, on top of a second for every 16 KiB received.
    pub body: Duration,
    /// For a client to take the next part of an answer.
    pub write: Duration,
    /// From the end of the body to the answer, including the wait for a worker.
    pub work: Duration,
    /// For requests that are being worked on when the service is asked to stop.
    pub shutdown: Duration,
    /// For a job to appear whose events somebody wants to see.
    pub job_appears: Duration,
    /// How long the final state of a job can be asked for.
    pub job_kept: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(30),
            body_idle: Duration::from_secs(15),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            work: Duration::from_secs(600),
            shutdown: Duration::from_secs(60),
            job_appears: Duration::from_secs(5),
            job_kept: Duration::from_secs(60),
        }
    }
}

/// Why a service cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Anyone could use the service.
    #[error(
        "{0} can be reached from other machines and there is no token, so anyone could use the \
         service; set a token, or allow it explicitly"
    )]
    Public(SocketAddr),
    /// A token that cannot be sent.
    #[error("a token needs at least one character, all of them printable ASCII without spaces")]
    Token,
    /// Not an origin.
    #[error("{0} is no origin; write it as https://example.org or http://localhost:3000, or *")]
    Origin(String),
    /// Nobody would work.
    #[error("a service needs at least one worker")]
    Workers,
    /// There is nothing to serve.
    #[error("a service needs at least one method, each with a name of its own")]
    Methods,
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The threads cannot be started.
    #[error("cannot start the service's threads: {0}")]
    Threads(#[source] std::io::Error),
}

impl Config {
    /// What [`Server::bind`](crate::Server::bind) checks first.
    ///
    /// # Errors
    ///
    /// If the service would be unsafe or useless.
    pub fn check(&self) -> Result<(), ServeError> {
        if let Some(token) = &self.token {
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ServeError::Token);
            }
        } else if !self.addr.ip().is_loopback() && !self.allow_public {
            return Err(ServeError::Public(self.addr));
        }
        if self.workers == 0 {
            return Err(ServeError::Workers);
        }
        match self.cors.iter().find(|origin| !is_origin(origin)) {
            Some(origin) => Err(ServeError::Origin(origin.clone())),
            None => Ok(()),
        }
    }
}

fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, authority)) = text.split_once("://") else {
        return false;
    };
    matches!(scheme, "http" | "https")
        && !authority.is_empty()
        && (authority.bytes())
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(token: Option<&str>, allow_public: bool) -> Config {
        Config {
            addr: ([0, 0, 0, 0], 0).into(),
            token: token.map(str::to_owned),
            allow_public,
            ..Config::default()
        }
    }

    #[test]
    fn a_public_address_needs_a_token_or_a_word() {
        assert!(matches!(
            public(None, false).check(),
            Err(ServeError::Public(_))
        ));
        assert!(public(None, true).check().is_ok());
        assert!(public(Some("s3cret"), false).check().is_ok());
        assert!(Config::default().check().is_ok());
    }

    #[test]
    fn tokens_and_origins_that_cannot_be_sent_are_refused() {
        for token in ["", "two words", "ümlaut"] {
            let error = public(Some(token), false).check().unwrap_err();
            assert!(matches!(error, ServeError::Token), "{token}");
        }
        for (origin, is_good) in [
            ("*", true),
            ("https://example.org", true),
            ("http://localhost:3000", true),
            ("example.org", false),
            ("https://example.org/", false),
            ("https://", false),
        ] {
            let config = Config {
                cors: vec![origin.to_owned()],
                ..Config::default()
            };
            assert_eq!(config.check().is_ok(), is_good, "{origin}");
        }
    }
}
