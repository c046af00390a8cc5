//! A plain HTTP/1.1 client that can also behave badly.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_of(name).next()
    }

    /// All headers of this name.
    pub fn headers_of(&self, name: &str) -> impl Iterator<Item = &str> {
        (self.headers.iter())
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// A connection.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    /// Sends the head of a request; `headers` are whole lines.
    pub fn send_head(&mut self, method: &str, path: &str, headers: &[&str]) -> io::Result<()> {
        let host = self.0.get_ref().peer_addr()?;
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|line| line.starts_with("Host:")) {
            head += &format!("Host: {host}\r\n");
        }
        for line in headers {
            head += line;
            head += "\r\n";
        }
        self.send_raw((head + "\r\n").as_bytes())
    }

    /// A whole exchange.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> io::Result<Reply> {
        let length = format!("Content-Length: {}", body.len());
        let mut lines = headers.to_vec();
        if !body.is_empty() {
            lines.push(&length);
        }
        self.send_head(method, path, &lines)?;
        // A refusal may come before everything has been sent.
        let sent = self.send_raw(body);
        self.reply().or_else(|error| sent.and(Err(error)))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// The head of an answer, without its body.
    pub fn reply_head(&mut self) -> io::Result<Reply> {
        let invalid = |line: &str| io::Error::new(io::ErrorKind::InvalidData, line.to_owned());
        loop {
            let line = self.line()?;
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            let status: u16 = status.ok_or_else(|| invalid(&line))?;
            let mut headers = Vec::new();
            loop {
                let line = self.line()?;
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(':').ok_or_else(|| invalid(&line))?;
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            if status != 100 {
                return Ok(Reply {
                    status,
                    headers,
                    body: Vec::new(),
                });
            }
        }
    }

    /// The next part of a chunked body; empty at its end.
    pub fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.line()?;
        let length = usize::from_str_radix(&line, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, line))?;
        let mut chunk = vec![0; length + 2];
        self.0.read_exact(&mut chunk)?;
        chunk.truncate(length);
        Ok(chunk)
    }

    /// A whole answer.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut reply = self.reply_head()?;
        if reply.header("transfer-encoding") == Some("chunked") {
            loop {
                let chunk = self.chunk()?;
                if chunk.is_empty() {
                    return Ok(reply);
                }
                reply.body.extend(chunk);
            }
        }
        let length = reply.header("content-length").and_then(|n| n.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.0.read_exact(&mut body)?;
        reply.body = body;
        Ok(reply)
    }

    /// Whether the other end has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// One exchange on a connection of its own.
pub fn request(addr: SocketAddr, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Reply {
    let mut client = Client::connect(addr).expect("the service listens");
    client
        .request(method, path, headers, body)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

pub const FORM: &str = "Content-Type: multipart/form-data; boundary=the-boundary";

/// A form with these fields.
pub fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in fields {
        body.extend(
            format!(
                "--the-boundary\r\nContent-Disposition: form-data; name=\"{name}\"; \
                 filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            )
            .bytes(),
        );
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--the-boundary--\r\n");
    body
}

/// Posts a form.
pub fn post(addr: SocketAddr, path: &str, fields: &[(&str, &[u8])]) -> Reply {
    request(addr, "POST", path, &[FORM], &form(fields))
}
