//! Pictures in object stores, with folders of this machine by `file://`, and with a real server
//! that speaks S3: moto, a Python package. Its test is skipped where
//! `python3 -m moto.server` does not run; `MOTO_PYTHON` names another interpreter.

#![cfg(feature = "object-store")]

mod common;

use common::{Folder, assert_known_equal, hole_changed, middle, picture};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn folders_of_this_machine_by_url() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("photos/below")).unwrap();
    for name in ["photos/a.png", "photos/below/b.jpg"] {
        folder.save(name, &picture(40, 30));
    }
    folder.save_mask("mask.png", &middle(40, 30));
    let base = format!("file://{}", folder.path("").display());
    let run = format!("inpaint {base}photos -m {base}mask.png --method patchmatch -o {base}out");
    let said = folder.succeeds(&format!("{run} --recursive"));
    assert!(said.contains("2 written"), "{said}");
    let (before, after) = (folder.open("photos/a.png"), folder.open("out/a.png"));
    assert_known_equal(&before, &after, &middle(40, 30));
    assert_eq!(folder.open("out/below/b.jpg").width(), 40);
    let said = folder.succeeds(&format!("{run} --recursive --skip-existing"));
    assert!(said.contains("0 written, 2 there already"), "{said}");
    let run = format!("inpaint {base}gone.png -m mask.png -o out.png");
    folder.fails(&run, 1, &["gone.png does not exist"]);
    folder.fails(
        "inpaint ftp://a/b.png -m mask.png -o out.png",
        2,
        &["ftp://a/b.png"],
    );
}

/// A server on a free port, ended with the test.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start() -> Option<Self> {
        let python = std::env::var("MOTO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let is_there = Command::new(&python)
            .args(["-c", "import moto.server"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_there {
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .ok()?
            .local_addr()
            .ok()?
            .port();
        let process = Command::new(&python)
            .args([
                "-m",
                "moto.server",
                "-H",
                "127.0.0.1",
                "-p",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let server = Self { process, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the server does not start"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(server)
    }

    /// One request without a library; returns the status and the body.
    fn request(&self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=key/20240101/us-east-1/s3/aws4_request\r\n\
             Connection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
        (status, answer.split_off(end + 4))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_server_that_speaks_s3() {
    let Some(server) = Server::start() else {
        println!("SKIPPED: moto is not installed (pip install 'moto[s3,server]')");
        return;
    };
    let folder = Folder::with_photo(40, 30);
    let photo = folder.read("photo.png");
    assert_eq!(server.request("PUT", "/pictures", b"").0, 200);
    for (path, bytes) in [
        ("/pictures/in/a.png", &photo),
        ("/pictures/in/below/b.png", &photo),
        ("/pictures/mask.png", &folder.read("mask.png")),
    ] {
        assert_eq!(server.request("PUT", path, bytes).0, 200, "{path}");
    }
    let tmad = |arguments: &str| {
        let mut command = folder.tmad(arguments);
        command
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ENDPOINT", format!("http://127.0.0.1:{}", server.port));
        command.assert()
    };
    let run = "inpaint s3://pictures/in -m s3://pictures/mask.png --method patchmatch";
    let assert = tmad(&format!("{run} -o s3://pictures/out --recursive --json")).success();
    let lines = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert!(lines.contains("s3://pictures/out/below/b.png"), "{lines}");
    let (status, bytes) = server.request("GET", "/pictures/out/below/b.png", b"");
    assert_eq!(status, 200);
    folder.write("result.png", &bytes);
    let (before, after) = (folder.open("photo.png"), folder.open("result.png"));
    assert_known_equal(&before, &after, &middle(40, 30));
    assert!(hole_changed(&before, &after, &middle(40, 30)));

    // From the store to the disk and back, one picture.
    let run = "inpaint s3://pictures/in/a.png -m mask.png --method patchmatch";
    tmad(&format!("{run} -o single.png")).success();
    assert_eq!(folder.read("single.png"), bytes);
    let run = "inpaint photo.png -m mask.png --method patchmatch -o s3://pictures/up.png";
    tmad(run).success();
    assert_eq!(server.request("GET", "/pictures/up.png", b"").1, bytes);
    let assert = tmad("inpaint s3://pictures/gone.png -m mask.png -o x.png").code(1);
    let said = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains("s3://pictures/gone.png does not exist"),
        "{said}"
    );
}
