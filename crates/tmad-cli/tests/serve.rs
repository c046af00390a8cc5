//! `tmad serve` as a program: it starts, answers, and stops when asked to.

mod common;

#[allow(dead_code)]
#[path = "../../tmad-serve/tests/common/client.rs"]
mod client;

use client::{post, request};
use common::{Folder, assert_known_equal, hole_changed, middle};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Killed if a test fails.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // Both fail if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[cfg(unix)]
fn it_serves_every_method_until_it_is_told_to_stop() {
    let network = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tmad-onnx/tests/data/lama.onnx"
    );
    let (networks, expected): (&[_], &[_]) = match cfg!(feature = "onnx") {
        true => (
            &["--coarse-model", network],
            &[
                "lama.onnx+tmad",
                "tmad",
                "coarse",
                "patchmatch",
                "lama.onnx",
            ],
        ),
        false => (&[], &["tmad", "coarse", "patchmatch"]),
    };
    let child = Command::new(env!("CARGO_BIN_EXE_tmad"))
        .arg("serve")
        // As containers give options.
        .envs([("TMAD_ADDR", "127.0.0.1:0"), ("TMAD_LOG", "json")])
        .envs([("TMAD_MAX_MEGAPIXELS", "7"), ("TMAD_ALLOW_PUBLIC", "0")])
        .args(networks)
        .env_remove("TMAD_TOKEN")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut service = Service(child);
    let mut lines = BufReader::new(service.0.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let (_, rest) = line.split_once("http://").unwrap();
    let addr = rest.split(' ').next().unwrap().parse().unwrap();

    let models = request(addr, "GET", "/v1/models", &[], &[]).json();
    assert_eq!(models["limits"]["pixels"], 7_000_000);
    let models = models["models"].as_array().unwrap();
    let names: Vec<_> = models.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, expected);
    assert_eq!(models[0]["default"], true);

    let folder = Folder::with_photo(48, 40);
    let hole = middle(48, 40);
    let (photo, mask) = (folder.read("photo.png"), folder.read("mask.png"));
    for method in names {
        let options = format!(r#"{{"method":{method}}}"#);
        let fields = [
            ("image", &photo[..]),
            ("mask", &mask),
            ("options", options.as_bytes()),
        ];
        let reply = post(addr, "/v1/inpaint", &fields);
        assert_eq!(reply.status, 200, "{method}");
        let (before, after) = (
            folder.open("photo.png"),
            image::load_from_memory(&reply.body).unwrap(),
        );
        assert_known_equal(&before, &after, &hole);
        assert!(hole_changed(&before, &after, &hole), "{method}");
    }

    let terminate = Command::new("kill")
        .arg(service.0.id().to_string())
        .status();
    assert!(terminate.unwrap().success());
    assert!(service.0.wait().unwrap().success());
    // The log is an object per line, with the route and without what clients sent.
    let log: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(
        log.iter()
            .any(|line| line.contains(r#""route":"/v1/inpaint""#)),
        "{log:?}"
    );
    for line in log {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
}

#[test]
fn an_address_that_others_reach_needs_a_token() {
    let folder = Folder::new();
    folder.fails(
        "serve --addr 0.0.0.0:0",
        2,
        &["TMAD_TOKEN", "--allow-public"],
    );
}
