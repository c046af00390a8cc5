//! What bad requests get: the right status and code, soon, and without harm to others.

mod common;

use common::client::{Client, FORM, Reply, form, post, request};
use common::{config, encode, mask, numbered, start};
use inpaint_core::image::ImageFormat;
use std::time::{Duration, Instant};
use tmad_serve::{Config, Limits, Timeouts};

fn assert_problem(reply: &Reply, status: u16, code: &str) {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{text}");
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json")
    );
    let document = reply.json();
    assert_eq!(document["code"], code, "{text}");
    assert_eq!(document["status"], status);
    assert_eq!(document["type"], format!("urn:tmad:problem:{code}"));
    assert!(!document["detail"].as_str().unwrap().is_empty());
}

fn png(number: u32, width: u32, height: u32) -> Vec<u8> {
    encode(&numbered(number, width, height), ImageFormat::Png)
}

/// A PNG file of a few bytes that claims to be a large picture.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut file = png(0, 16, 16);
    let mut header = Vec::from(*b"IHDR");
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let crc = header.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    });
    file[12..29].copy_from_slice(&header);
    file[29..33].copy_from_slice(&(!crc).to_be_bytes());
    file
}

#[test]
fn pictures_that_cannot_be_used() {
    let server = start(Config {
        limits: Limits {
            pixels: 1_000_000,
            side: 2_000,
            decode_bytes: 16 << 20,
            ..Limits::default()
        },
        ..config()
    });
    let image = png(1, 16, 16);
    let mask = mask(16, 16);
    let text = b"Dear Sir or Madam, this is no picture at all.".to_vec();
    let gif = b"GIF89a\x10\0\x10\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\0\0\0\0\0,".to_vec();
    let white = encode(&numbered(0xFF_FFFF, 16, 16), ImageFormat::Png);
    for (image, mask, status, code) in [
        (&text, &mask, 422, "image_unreadable"),
        (&Vec::new(), &mask, 422, "image_unreadable"),
        (&image[..60].to_vec(), &mask, 422, "image_unreadable"),
        (&gif, &mask, 415, "image_format_unsupported"),
        (&bomb(60_000, 60_000), &mask, 413, "image_too_large"),
        (&bomb(1_001, 1_000), &mask, 413, "image_too_large"),
        (&bomb(2_001, 16), &mask, 413, "image_too_large"),
        (&bomb(0, 16), &mask, 422, "image_unreadable"),
        (&image, &text, 422, "image_unreadable"),
        (&image, &bomb(60_000, 60_000), 413, "image_too_large"),
        (&image, &png(0, 15, 16), 422, "mask_size_mismatch"),
        (&image, &white, 422, "mask_covers_all"),
    ] {
        let start = Instant::now();
        let reply = post(
            server.addr,
            "/v1/inpaint",
            &[("image", image), ("mask", mask)],
        );
        assert_problem(&reply, status, code);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    let guess = png(0, 17, 16);
    let fields = [("image", &image[..]), ("mask", &mask), ("guess", &guess)];
    let reply = post(server.addr, "/v1/refine", &fields);
    assert_problem(&reply, 422, "guess_size_mismatch");
}

#[test]
fn forms_that_make_no_sense() {
    let server = start(config());
    let image = &png(1, 16, 16)[..];
    let mask = &mask(16, 16)[..];
    let square = &b"[[4,4],[8,4],[8,8],[4,8]]"[..];
    type Fields<'a> = &'a [(&'a str, &'a [u8])];
    let cases: &[(Fields, u16, &str)] = &[
        (&[], 400, "field_missing"),
        (&[("mask", mask)], 400, "field_missing"),
        (&[("image", image)], 400, "field_missing"),
        (
            &[("image", image), ("mask", mask), ("polygon", square)],
            400,
            "duplicate_field",
        ),
        (
            &[("image", image), ("image", image), ("mask", mask)],
            400,
            "duplicate_field",
        ),
        (
            &[("image", image), ("mask", mask), ("file", mask)],
            400,
            "field_unknown",
        ),
        (
            &[("image", image), ("mask", mask), ("guess", image)],
            400,
            "field_unknown",
        ),
        (
            &[("image", image), ("polygon", b"[[1,2],[3,4]]")],
            400,
            "invalid_polygon",
        ),
        (
            &[("image", image), ("polygon", b"[]")],
            400,
            "invalid_polygon",
        ),
        (
            &[("image", image), ("polygon", b"nonsense")],
            400,
            "invalid_polygon",
        ),
        (
            &[("image", image), ("polygon", b"[[1,2],[3,4],[5]]")],
            400,
            "invalid_polygon",
        ),
        (
            &[("image", image), ("polygon", b"[[1,2],[3,4],[5,1e999]]")],
            400,
            "invalid_polygon",
        ),
        (
            &[("image", image), ("polygon", b"[[1,2],[3,4],[5,1e99]]")],
            400,
            "invalid_polygon",
        ),
    ];
    for (fields, status, code) in cases {
        assert_problem(&post(server.addr, "/v1/inpaint", fields), *status, code);
    }
    let deep = "[".repeat(100_000);
    let fields = [("image", image), ("polygon", deep.as_bytes())];
    assert_problem(
        &post(server.addr, "/v1/inpaint", &fields),
        400,
        "invalid_polygon",
    );
    let corners = format!("[{}[1,1]]", "[1,2],".repeat(30_000));
    let fields = [("image", image), ("polygon", corners.as_bytes())];
    assert_problem(
        &post(server.addr, "/v1/inpaint", &fields),
        400,
        "invalid_polygon",
    );
    let reply = post(
        server.addr,
        "/v1/refine",
        &[("image", image), ("mask", mask)],
    );
    assert_problem(&reply, 400, "field_missing");
    for (options, status, code) in [
        ("", 400, "invalid_options"),
        ("[]", 400, "invalid_options"),
        (r#"{"seed":-1}"#, 400, "invalid_options"),
        (r#"{"sead":1}"#, 400, "invalid_options"),
        (r#"{"mask_threshold":0}"#, 400, "invalid_options"),
        (r#"{"mask_threshold":256}"#, 400, "invalid_options"),
        (r#"{"grow_px":1001}"#, 400, "invalid_options"),
        (r#"{"jpeg_quality":0}"#, 400, "invalid_options"),
        (r#"{"format":"gif"}"#, 400, "invalid_options"),
        (r#"{"method":"magic"}"#, 422, "method_unknown"),
    ] {
        let fields = [
            ("image", image),
            ("mask", mask),
            ("options", options.as_bytes()),
        ];
        assert_problem(&post(server.addr, "/v1/inpaint", &fields), status, code);
    }
    let options = br#"{"method":"corner"}"#;
    let fields = [("image", image), ("mask", mask), ("options", &options[..])];
    assert_problem(
        &post(server.addr, "/v1/explain", &fields),
        422,
        "unsupported_by_method",
    );
}

#[test]
fn bodies_that_are_no_forms() {
    let server = start(config());
    let post = |content_type: &str, body: &[u8]| {
        request(server.addr, "POST", "/v1/inpaint", &[content_type], body)
    };
    let good = form(&[("image", &png(1, 16, 16)), ("mask", &mask(16, 16))]);
    for content_type in [
        "X-None: 1",
        "Content-Type: application/json",
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Type: multipart/mixed; boundary=the-boundary",
        "Content-Type: multipart/form-data-not; boundary=the-boundary",
    ] {
        assert_problem(&post(content_type, &good), 415, "unsupported_media_type");
    }
    for content_type in [
        "Content-Type: multipart/form-data",
        "Content-Type: multipart/form-data; boundary=",
        "Content-Type: multipart/form-data; boundary=another",
    ] {
        assert_problem(&post(content_type, &good), 400, "malformed_multipart");
    }
    for body in [&b""[..], b"x", b"--the-boundary", &good[..good.len() - 20]] {
        assert_problem(&post(FORM, body), 400, "malformed_multipart");
    }
    let encoded = request(
        server.addr,
        "POST",
        "/v1/inpaint",
        &[FORM, "Content-Encoding: gzip"],
        &good,
    );
    assert_problem(&encoded, 415, "unsupported_content_encoding");
}

#[test]
fn chunks_that_are_malformed() {
    let server = start(config());
    let headers = [FORM, "Transfer-Encoding: chunked"];
    for chunks in [&b"xyz\r\n"[..], b"2\r\n--!!", b"fffffffffffffffffff\r\n"] {
        let mut client = Client::connect(server.addr).unwrap();
        client.send_head("POST", "/v1/inpaint", &headers).unwrap();
        client.send_raw(chunks).unwrap();
        assert_problem(&client.reply().unwrap(), 400, "length_invalid");
    }
}

#[test]
fn a_form_of_100_000_fields_is_refused() {
    let server = start(config());
    let fields = vec![("image", &b"x"[..]); 100_000];
    let start = Instant::now();
    let reply = post(server.addr, "/v1/inpaint", &fields);
    assert_problem(&reply, 413, "too_many_fields");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn large_and_endless_bodies_are_refused() {
    let limits = Limits {
        body_bytes: 1 << 20,
        ..Limits::default()
    };
    let server = start(Config { limits, ..config() });
    let large = form(&[("image", &vec![0; 2 << 20])]);
    let reply = request(server.addr, "POST", "/v1/inpaint", &[FORM], &large);
    assert_problem(&reply, 413, "too_large");

    // An announced length alone is enough to refuse.
    let mut client = Client::connect(server.addr).unwrap();
    let headers = [FORM, "Content-Length: 1844674407370955161"];
    client.send_head("POST", "/v1/inpaint", &headers).unwrap();
    assert_problem(&client.reply().unwrap(), 413, "too_large");

    // A client that asks before it sends is told so without a 100.
    let mut client = Client::connect(server.addr).unwrap();
    let headers = [FORM, "Content-Length: 2000000", "Expect: 100-continue"];
    client.send_head("POST", "/v1/inpaint", &headers).unwrap();
    assert_problem(&client.reply().unwrap(), 413, "too_large");

    let mut client = Client::connect(server.addr).unwrap();
    let headers = [FORM, "Transfer-Encoding: chunked"];
    client.send_head("POST", "/v1/inpaint", &headers).unwrap();
    let mut chunk = b"10000\r\n".to_vec();
    chunk.resize(7 + 0x10000, b'x');
    chunk.extend(b"\r\n");
    // The service stops listening at some point; it need not be a clean one for such a client.
    let sent = (0..1000)
        .take_while(|_| client.send_raw(&chunk).is_ok())
        .count();
    assert!(sent < 1000);
    if let Ok(reply) = client.reply() {
        assert_problem(&reply, 413, "too_large");
    }
}

#[test]
fn an_endless_body_is_answered_as_soon_as_it_is_too_large() {
    let limits = Limits {
        body_bytes: 1 << 20,
        ..Limits::default()
    };
    let server = start(Config { limits, ..config() });
    let mut client = Client::connect(server.addr).unwrap();
    let headers = [FORM, "Transfer-Encoding: chunked"];
    client.send_head("POST", "/v1/inpaint", &headers).unwrap();
    let mut chunk = b"10000\r\n".to_vec();
    chunk.resize(7 + 0x10000, b'x');
    chunk.extend(b"\r\n");
    for _ in 0..18 {
        client.send_raw(&chunk).unwrap();
    }
    assert_problem(&client.reply().unwrap(), 413, "too_large");
}

#[test]
fn the_memory_for_bodies_is_shared() {
    let server = start(Config {
        limits: Limits {
            buffered_bytes: 1 << 20,
            ..Limits::default()
        },
        ..config()
    });
    let large = form(&[("image", &vec![0; 2 << 20])]);
    let reply = request(server.addr, "POST", "/v1/inpaint", &[FORM], &large);
    assert_problem(&reply, 429, "queue_full");
    assert!(reply.header("retry-after").is_some());
    // And is given back.
    let fields = [("image", &png(1, 16, 16)[..]), ("mask", &mask(16, 16))];
    for _ in 0..50 {
        assert_eq!(post(server.addr, "/v1/inpaint", &fields).status, 200);
    }
}

#[test]
fn slow_clients_are_not_waited_for() {
    let server = start(Config {
        timeouts: Timeouts {
            head: Duration::from_millis(600),
            body_idle: Duration::from_millis(300),
            body: Duration::from_secs(1),
            ..Timeouts::default()
        },
        ..config()
    });
    let start = Instant::now();

    let mut silent = Client::connect(server.addr).unwrap();
    let mut half_head = Client::connect(server.addr).unwrap();
    half_head
        .send_raw(b"POST /v1/inpaint HTTP/1.1\r\nHost: local")
        .unwrap();
    let mut idle = Client::connect(server.addr).unwrap();
    idle.request("GET", "/health", &[], &[]).unwrap();
    let mut stalled = Client::connect(server.addr).unwrap();
    let headers = [FORM, "Content-Length: 100000"];
    stalled.send_head("POST", "/v1/inpaint", &headers).unwrap();
    stalled.send_raw(b"--the-boundary\r\n").unwrap();
    assert_problem(&stalled.reply().unwrap(), 408, "body_timeout");
    for client in [&mut silent, &mut half_head, &mut idle] {
        assert!(client.is_closed());
    }

    // Never idle for long, and never done.
    let mut dripping = Client::connect(server.addr).unwrap();
    dripping.send_head("POST", "/v1/inpaint", &headers).unwrap();
    while start.elapsed() < Duration::from_secs(10) {
        if dripping.send_raw(b"-").is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        if start.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    assert_problem(&dripping.reply().unwrap(), 408, "body_timeout");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn clients_that_do_not_take_their_answers_are_dropped() {
    let server = start(Config {
        workers: 1,
        queue: 0,
        timeouts: Timeouts {
            write: Duration::from_secs(2),
            ..Timeouts::default()
        },
        ..config()
    });
    // More than what the system keeps for a connection.
    let image = encode(&numbered(1, 3_000, 2_500), ImageFormat::Bmp);
    let body = form(&[("image", &image), ("polygon", b"[[1,1],[9,1],[9,9]]")]);
    let mut client = Client::connect(server.addr).unwrap();
    let length = format!("Content-Length: {}", body.len());
    client
        .send_head("POST", "/v1/inpaint", &[FORM, &length])
        .unwrap();
    client.send_raw(&body).unwrap();
    assert_eq!(client.reply_head().unwrap().status, 200);
    // Its answer occupies the only place until then.
    let is_ready = || request(server.addr, "GET", "/ready", &[], &[]).status == 200;
    assert!(!is_ready());
    common::eventually("the place is free", is_ready);
}

#[test]
fn heads_are_bounded() {
    let server = start(config());
    for head in [
        format!(
            "GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
            "x".repeat(1 << 20)
        ),
        format!(
            "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "x".repeat(1 << 20)
        ),
        format!(
            "GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
            "X: y\r\n".repeat(1000)
        ),
        "nonsense\r\n\r\n".to_owned(),
    ] {
        let mut client = Client::connect(server.addr).unwrap();
        let sent = client.send_raw(head.as_bytes());
        match client.reply_head() {
            Ok(reply) => assert!((400..500).contains(&reply.status), "{}", reply.status),
            // Closed while we were still sending.
            Err(_) => assert!(sent.is_err() || client.is_closed()),
        }
    }
    assert_eq!(request(server.addr, "GET", "/health", &[], &[]).status, 200);
}

#[test]
fn wrong_methods_and_addresses() {
    let server = start(config());
    for (method, path, status, code) in [
        ("GET", "/v1/inpaint", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/", 405, "method_not_allowed"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/v2/inpaint", 404, "not_found"),
        ("DELETE", "/v1/jobs/0123456789abcdef", 404, "job_unknown"),
        ("DELETE", "/v1/jobs/short", 400, "invalid_job_id"),
        ("GET", "/v1/jobs/%ff%fe/events", 400, "invalid_job_id"),
        (
            "GET",
            "/v1/jobs/..%2f..%2f..%2fetc%2fpasswd/events",
            400,
            "invalid_job_id",
        ),
        ("POST", "/v1/inpaint?job=short", 400, "invalid_job_id"),
    ] {
        let reply = request(server.addr, method, path, &[], &[]);
        assert_problem(&reply, status, code);
    }
    let reply = request(server.addr, "GET", "/v1/inpaint", &[], &[]);
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[test]
fn a_token_is_needed_where_one_is_set() {
    let server = start(Config {
        token: Some("s3cret".to_owned()),
        ..config()
    });
    let get = |path: &str, headers: &[&str]| request(server.addr, "GET", path, headers, &[]);
    for path in [
        "/v1/models",
        "/v1/openapi.json",
        "/v1/nothing",
        "/metrics",
        "/v1/jobs/0123456789abcdef/events",
    ] {
        let reply = get(path, &[]);
        assert_problem(&reply, 401, "unauthorized");
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer realm=\"tmad\"")
        );
        assert_problem(
            &get(path, &["Authorization: Bearer wrong"]),
            401,
            "unauthorized",
        );
    }
    let body = form(&[("image", &png(1, 16, 16)), ("mask", &mask(16, 16))]);
    let reply = request(server.addr, "POST", "/v1/inpaint", &[FORM], &body);
    assert_problem(&reply, 401, "unauthorized");
    let headers = [FORM, "Authorization: Bearer s3cret"];
    assert_eq!(
        request(server.addr, "POST", "/v1/inpaint", &headers, &body).status,
        200
    );
    assert_eq!(get("/v1/models", &headers).status, 200);
    for path in ["/", "/health", "/ready"] {
        assert_eq!(get(path, &[]).status, 200, "{path}");
    }
}

#[test]
fn web_pages_elsewhere_are_kept_out_unless_allowed() {
    let server = start(Config {
        cors: vec!["https://good.example".to_owned()],
        ..config()
    });
    let get = |headers: &[&str]| request(server.addr, "GET", "/v1/models", headers, &[]);
    assert_problem(&get(&["Host: evil.example"]), 403, "forbidden_host");
    assert_problem(
        &get(&["Origin: https://evil.example"]),
        403,
        "forbidden_origin",
    );
    assert_problem(
        &get(&["Sec-Fetch-Site: cross-site"]),
        403,
        "forbidden_origin",
    );
    let own = format!("Origin: http://{}", server.addr);
    assert_eq!(get(&[&own, "Sec-Fetch-Site: same-origin"]).status, 200);
    let allowed = ["Origin: https://good.example", "Sec-Fetch-Site: cross-site"];
    let reply = get(&allowed);
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://good.example")
    );

    let preflight = |origin: &str| {
        let headers = [origin, "Access-Control-Request-Method: POST"];
        request(server.addr, "OPTIONS", "/v1/inpaint", &headers, &[])
    };
    let reply = preflight("Origin: https://good.example");
    assert_eq!(reply.status, 204);
    assert!(
        reply
            .header("access-control-allow-headers")
            .unwrap()
            .contains("Authorization")
    );
    let reply = preflight("Origin: https://evil.example");
    assert_problem(&reply, 403, "forbidden_origin");
    assert_eq!(reply.header("access-control-allow-origin"), None);
}
