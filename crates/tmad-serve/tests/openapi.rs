//! The service's description of itself against what it does.

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::client::{FORM, Reply, form, request};
use common::{Gate, TestServer, config, encode, mask, numbered, start};
use inpaint_core::image::ImageFormat;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tmad_serve::{Config, Limits, Timeouts};

/// Checks `value` against the part of JSON Schema that the document uses; whatever else it may use
/// one day fails here, so that nothing goes unchecked.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = schema.as_object().unwrap();
    for (keyword, argument) in schema {
        match keyword.as_str() {
            "$ref" => {
                let pointer = argument.as_str().unwrap().strip_prefix('#').unwrap();
                check(document, document.pointer(pointer).unwrap(), value, at);
            }
            "type" => assert!(has_type(value, argument.as_str().unwrap()), "{at}: {value}"),
            "enum" => assert!(
                argument.as_array().unwrap().contains(value),
                "{at}: {value}"
            ),
            "required" => {
                for name in argument.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    assert!(value.get(name).is_some(), "{at}: no {name} in {value}");
                }
            }
            "properties" => {
                for (name, schema) in argument.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(document, schema, value, &format!("{at}/{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let empty = Map::new();
                let known = schema
                    .get("properties")
                    .and_then(Value::as_object)
                    .unwrap_or(&empty);
                for (name, value) in value.as_object().unwrap() {
                    match argument {
                        _ if known.contains_key(name) => {}
                        Value::Bool(allowed) => assert!(*allowed, "{at}: {name} is not described"),
                        schema => check(document, schema, value, &format!("{at}/{name}")),
                    }
                }
            }
            "items" => {
                for (i, value) in value.as_array().unwrap().iter().enumerate() {
                    check(document, argument, value, &format!("{at}/{i}"));
                }
            }
            "minItems" => {
                assert!(
                    value.as_array().unwrap().len() as u64 >= argument.as_u64().unwrap(),
                    "{at}"
                );
            }
            "minimum" => assert!(value.as_f64() >= argument.as_f64(), "{at}: {value}"),
            "maximum" => assert!(value.as_f64() <= argument.as_f64(), "{at}: {value}"),
            "minLength" | "maxLength" => {}
            "pattern" => {
                let text = value.as_str().unwrap();
                let is_met = match argument.as_str().unwrap() {
                    "^urn:tmad:problem:[a-z_]+$" => text.starts_with("urn:tmad:problem:"),
                    "^data:image/png;base64," => text.starts_with("data:image/png;base64,"),
                    pattern => panic!("{at}: the check does not know {pattern}"),
                };
                assert!(is_met, "{at}: {text}");
            }
            "description" | "default" => {}
            other => panic!("{at}: the check does not know {other}"),
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the check does not know the type {other}"),
    }
}

/// Follows a `$ref`.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document
            .pointer(reference.strip_prefix('#').unwrap())
            .unwrap(),
        None => value,
    }
}

/// Checks that an answer is one of those that the document promises for `path`.
fn check_reply(document: &Value, method: &str, path: &str, reply: &Reply) {
    let at = format!("{method} {path} {}", reply.status);
    let operation = &document["paths"][path][method.to_lowercase()];
    let described = &operation["responses"][reply.status.to_string()];
    assert!(described.is_object(), "{at} is not described");
    let described = resolved(document, described);
    if let Some(headers) = described.get("headers").and_then(Value::as_object) {
        for (name, header) in headers {
            let is_required = header["required"] == true;
            assert!(
                !is_required || reply.header(name).is_some(),
                "{at}: no {name}"
            );
        }
    }
    let Some(contents) = described.get("content").and_then(Value::as_object) else {
        assert!(reply.body.is_empty(), "{at}: a body is not described");
        return;
    };
    let content_type = reply.header("content-type").unwrap();
    let content = contents
        .get(content_type)
        .unwrap_or_else(|| panic!("{at}: {content_type} is not described"));
    if content_type.ends_with("json") {
        check(document, &content["schema"], &reply.json(), &at);
    }
}

#[test]
fn answers_are_as_described() {
    let server = start(Config {
        timeouts: Timeouts {
            job_appears: Duration::from_millis(50),
            body_idle: Duration::from_millis(200),
            ..Timeouts::default()
        },
        ..config()
    });
    let document = request(server.addr, "GET", "/v1/openapi.json", &[], &[]).json();
    let image = encode(&numbered(1, 16, 16), ImageFormat::Png);
    let mask = mask(16, 16);
    let white = encode(&numbered(0xFF_FFFF, 16, 16), ImageFormat::Png);
    let good = [("image", &image[..]), ("mask", &mask), ("guess", &image)];
    let mut seen = Vec::new();
    let mut exchange = |method: &str, path: &str, url: &str, headers: &[&str], body: &[u8]| {
        let reply = request(server.addr, method, url, headers, body);
        check_reply(&document, method, path, &reply);
        seen.push((method.to_lowercase(), path.to_owned(), reply.status));
    };
    for path in ["/v1/inpaint", "/v1/refine", "/v1/explain"] {
        let fields = &good[..if path == "/v1/refine" { 3 } else { 2 }];
        exchange("POST", path, path, &[FORM], &form(fields));
        for format in ["png", "jpeg", "webp", "tiff", "bmp"] {
            let options = format!(r#"{{"format":"{format}","images":true}}"#);
            let fields = [fields, &[("options", options.as_bytes())]].concat();
            exchange("POST", path, path, &[FORM], &form(&fields));
        }
        exchange("POST", path, path, &[FORM], b"nonsense");
        exchange("POST", path, path, &[], b"nonsense");
        exchange(
            "POST",
            path,
            path,
            &[FORM, "Host: evil.example"],
            b"nonsense",
        );
        exchange("POST", path, path, &[FORM], &form(&vec![fields[0]; 100]));
        let fields = [("mask", &white[..]), fields[0], *fields.last().unwrap()];
        let fields = if path == "/v1/refine" {
            &fields[..]
        } else {
            &fields[..2]
        };
        exchange("POST", path, path, &[FORM], &form(fields));
    }
    for path in [
        "/v1/models",
        "/v1/openapi.json",
        "/health",
        "/ready",
        "/metrics",
    ] {
        exchange("GET", path, path, &[], &[]);
    }
    let (job, events) = ("/v1/jobs/{job}", "/v1/jobs/{job}/events");
    for name in ["short", "0123456789abcdef"] {
        exchange("DELETE", job, &format!("/v1/jobs/{name}"), &[], &[]);
        exchange("GET", events, &format!("/v1/jobs/{name}/events"), &[], &[]);
    }
    let named = "/v1/inpaint?job=0123456789abcdef";
    exchange("POST", "/v1/inpaint", named, &[FORM], &form(&good[..2]));
    exchange("DELETE", job, "/v1/jobs/0123456789abcdef", &[], &[]);
    exchange("GET", events, "/v1/jobs/0123456789abcdef/events", &[], &[]);
    let json = "Content-Type: application/json";
    let base64 = |bytes: &[u8]| BASE64.encode(bytes);
    let inpaint = json!({ "image": base64(&image), "mask": base64(&mask) });
    let adjust = json!({ "mask": base64(&mask), "operate": "reverse" });
    let switch = json!({ "name": "corner" });
    for (path, document) in [
        ("/api/v1/inpaint", inpaint),
        ("/api/v1/adjust_mask", adjust),
        ("/api/v1/model", switch),
    ] {
        let document = document.to_string();
        exchange("POST", path, path, &[json], document.as_bytes());
        exchange("POST", path, path, &[json], b"nonsense");
    }
    for path in ["/v1/select", "/inpaint"] {
        exchange("POST", path, path, &[FORM], &form(&good[..2]));
        exchange("POST", path, path, &[FORM], b"nonsense");
    }
    let prompts = "/api/v1/gen-info";
    exchange("POST", prompts, prompts, &[FORM], &form(&good[..1]));
    for name in ["model", "server-config", "samplers", "inputimage"] {
        let path = format!("/api/v1/{name}");
        exchange("GET", &path, &path, &[], &[]);
    }
    // Whatever is described as possible without an error has happened.
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods
            .as_object()
            .unwrap()
            .keys()
            .filter(|&key| key != "parameters")
        {
            let is_seen = |&(ref m, ref p, status): &(String, String, u16)| {
                m == method && p == path && status < 300
            };
            assert!(seen.iter().any(is_seen), "{method} {path}");
        }
    }
}

#[test]
fn progress_is_as_described() {
    let gate = Arc::new(Gate::default());
    let server = TestServer::start(config(), vec![gate.model()]);
    let document = request(server.addr, "GET", "/v1/openapi.json", &[], &[]).json();
    let addr = server.addr;
    let watcher =
        thread::spawn(move || request(addr, "GET", "/v1/jobs/0123456789abcdef/events", &[], &[]));
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(150));
        gate.open();
    });
    let image = encode(&numbered(1, 16, 16), ImageFormat::Png);
    let body = form(&[("image", &image), ("mask", &mask(16, 16))]);
    request(
        server.addr,
        "POST",
        "/v1/inpaint?job=0123456789abcdef",
        &[FORM],
        &body,
    );
    opener.join().unwrap();
    let text = String::from_utf8(watcher.join().unwrap().body).unwrap();
    let schema = &document["components"]["schemas"]["Progress"];
    let mut count = 0;
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        check(
            &document,
            schema,
            &serde_json::from_str(data).unwrap(),
            "Progress",
        );
        count += 1;
    }
    assert!(count >= 2, "{text}");
}

#[test]
fn busy_and_closed_services_answer_as_described() {
    let gate = Arc::new(Gate::default());
    let config = Config {
        token: Some("s3cret".to_owned()),
        limits: Limits {
            buffered_bytes: 0,
            ..Limits::default()
        },
        ..config()
    };
    let server = TestServer::start(config, vec![gate.model()]);
    let token = "Authorization: Bearer s3cret";
    let document = request(server.addr, "GET", "/v1/openapi.json", &[token], &[]).json();
    let body = form(&[("image", b"x"), ("mask", b"x")]);
    for (headers, path, status) in [
        (&[FORM][..], "/v1/inpaint", 401),
        (&[FORM, token], "/v1/inpaint", 429),
    ] {
        let reply = request(server.addr, "POST", path, headers, &body);
        assert_eq!(reply.status, status);
        check_reply(&document, "POST", path, &reply);
    }
    for path in ["/v1/models", "/metrics", "/v1/openapi.json"] {
        check_reply(
            &document,
            "GET",
            path,
            &request(server.addr, "GET", path, &[], &[]),
        );
    }
}
