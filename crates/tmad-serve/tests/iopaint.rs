//! The addresses of IOPaint and lama-cleaner, with bodies as their clients write them.

mod common;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use common::client::{FORM, Reply, form, post, request};
use common::{config, decode, encode, mask, numbered, start};
use inpaint_core::image::{self, ImageFormat, Rgb};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tmad_serve::{Config, Limits};

const JSON: &str = "Content-Type: application/json";

fn post_json(addr: SocketAddr, path: &str, document: &Value) -> Reply {
    let body = document.to_string();
    request(addr, "POST", path, &[JSON], body.as_bytes())
}

fn png() -> Vec<u8> {
    encode(&numbered(0x0A_0B_0C, 16, 12), ImageFormat::Png)
}

/// What IOPaint 1.6's page sends, without the settings of other models.
fn from_the_page(image: &[u8], mask: &[u8]) -> Value {
    let url = |bytes: &[u8]| format!("data:image/png;base64,{}", BASE64.encode(bytes));
    json!({
        "image": url(image),
        "mask": url(mask),
        "ldm_steps": 30,
        "ldm_sampler": "ddim",
        "hd_strategy": "Crop",
        "hd_strategy_crop_triger_size": 640,
        "prompt": "",
        "use_croper": false,
        "croper_x": 0,
        "sd_seed": -1,
        "paint_by_example_example_image": null,
        "powerpaint_task": "text-guided",
    })
}

#[test]
fn iopaints_page_gets_the_filled_picture_in_its_format() {
    let server = start(config());
    for format in [ImageFormat::Png, ImageFormat::Bmp] {
        let mut picture = numbered(0x0A_0B_0C, 16, 12);
        picture.put_pixel(5, 5, Rgb([255; 3]));
        let document = from_the_page(&encode(&picture, format), &mask(16, 12));
        let reply = post_json(server.addr, "/api/v1/inpaint", &document);
        assert_eq!(reply.status, 200);
        assert_eq!(decode(&reply.body), numbered(0x0A_0B_0C, 16, 12));
        let is_seed = |seed: u64| (1..=99_999_999).contains(&seed);
        let seed = reply.header("x-seed").unwrap().parse().unwrap();
        assert!(is_seed(seed), "{seed}");
    }
}

#[test]
fn scripts_may_leave_out_prefix_padding_and_settings() {
    let server = start(config());
    let broken_in_lines = |bytes: &[u8]| {
        let text = STANDARD_NO_PAD.encode(bytes);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(76)
            .map(String::from_utf8_lossy)
            .collect();
        lines.join("\n")
    };
    let document =
        json!({ "image": broken_in_lines(&png()), "mask": broken_in_lines(&mask(16, 12)) });
    let reply = post_json(server.addr, "/api/v1/inpaint", &document);
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    assert_eq!(reply.header("x-seed"), Some("42"));
    assert_eq!(reply.header("content-type"), Some("image/png"));
}

#[test]
fn lama_cleaners_form_is_understood() {
    let server = start(config());
    let (png, mask) = (png(), mask(16, 12));
    let settings = ["ldmSteps", "hdStrategy", "sizeLimit", "prompt", "cv2Radius"];
    let mut fields = vec![("image", &png[..]), ("mask", &mask), ("sdSeed", b"7")];
    fields.extend(settings.map(|name| (name, &b"20"[..])));
    let reply = post(server.addr, "/inpaint", &fields);
    assert_eq!((reply.status, reply.header("x-seed")), (200, Some("7")));
    assert_eq!(decode(&reply.body), numbered(0x0A_0B_0C, 16, 12));
}

#[test]
fn the_models_method_can_be_switched() {
    let server = start(config());
    let get = |path| request(server.addr, "GET", path, &[], &[]).json();
    let offered = get("/api/v1/server-config")["modelInfos"].clone();
    let names: Vec<_> = (offered.as_array().unwrap().iter())
        .map(|model| model["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["corner", "texture"]);
    assert_eq!(get("/api/v1/model"), offered[0]);

    let switch = |name: &str| post_json(server.addr, "/api/v1/model", &json!({ "name": name }));
    assert_eq!(switch("texture").json(), offered[1]);
    assert_eq!(get("/api/v1/model"), offered[1]);
    let document = from_the_page(&png(), &mask(16, 12));
    let reply = post_json(server.addr, "/api/v1/inpaint", &document);
    assert_eq!(reply.header("x-tmad-method"), Some("texture"));
    assert_eq!(*decode(&reply.body).get_pixel(5, 5), Rgb([255, 0, 0]));

    let reply = switch("lama");
    assert_eq!(
        (reply.status, &reply.json()["code"]),
        (422, &json!("method_unknown"))
    );
    assert_eq!(get("/api/v1/model"), offered[1]);
}

#[test]
fn masks_grow_shrink_and_turn_over() {
    let server = start(config());
    let mask = BASE64.encode(mask(16, 12));
    let marked = |operation: &str, size: u32| {
        let document = json!({ "mask": mask, "operate": operation, "kernel_size": size });
        let reply = post_json(server.addr, "/api/v1/adjust_mask", &document);
        assert_eq!(reply.status, 200);
        let pixels = image::load_from_memory(&reply.body).unwrap().to_rgba8();
        for pixel in pixels.pixels() {
            assert!([[255, 203, 0, 186], [0; 4]].contains(&pixel.0), "{pixel:?}");
        }
        pixels.pixels().filter(|pixel| pixel.0[3] > 0).count()
    };
    // A square of 4 px: its sides move by the radius, its corners are rounded.
    assert_eq!(marked("expand", 0), 16);
    assert_eq!(marked("expand", 1), 16 + 4 * 4);
    assert_eq!(marked("expand", 2), 16 + 4 * 8 + 4);
    assert_eq!(marked("shrink", 1), 4);
    assert_eq!(marked("reverse", 5), 16 * 12 - 16);
}

#[test]
fn what_the_page_asks_for_when_it_starts_is_there() {
    let server = start(config());
    let get = |path| request(server.addr, "GET", path, &[], &[]).json();
    assert_eq!(get("/api/v1/samplers"), json!([]));
    // It shows whatever comes here as image/….
    assert!(get("/api/v1/inputimage")["detail"].is_string());
    let prompts = post(server.addr, "/api/v1/gen-info", &[("file", &png())]).json();
    assert_eq!(prompts, json!({ "prompt": "", "negative_prompt": "" }));
}

#[test]
fn problems_carry_the_text_that_the_page_shows() {
    let server = start(config());
    let (png, mask) = (png(), mask(16, 12));
    let good = from_the_page(&png, &mask);
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        document
    };
    let other_size = BASE64.encode(common::mask(10, 10));
    let full = BASE64.encode(encode(&numbered(0xFF_FF_FF, 16, 12), ImageFormat::Png));
    for (document, status, code) in [
        (with("image", json!("")), 400, "field_missing"),
        (with("mask", json!(null)), 400, "invalid_options"),
        (json!([1, 2]), 400, "invalid_options"),
        (
            with("image", json!("data:image/png;base64,!")),
            422,
            "image_unreadable",
        ),
        (
            with("image", json!("data:image/png")),
            422,
            "image_unreadable",
        ),
        (
            with("image", json!(BASE64.encode(b"no picture"))),
            422,
            "image_unreadable",
        ),
        (with("mask", json!(other_size)), 422, "mask_size_mismatch"),
        (with("mask", json!(full)), 422, "mask_covers_all"),
    ] {
        let reply = post_json(server.addr, "/api/v1/inpaint", &document);
        let problem = reply.json();
        assert_eq!((reply.status, &problem["code"]), (status, &json!(code)));
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert!(problem["errors"].is_string() && problem["errors"] == problem["detail"]);
    }
    let as_text = ["Content-Type: text/plain"];
    let body = good.to_string();
    let reply = request(
        server.addr,
        "POST",
        "/api/v1/inpaint",
        &as_text,
        body.as_bytes(),
    );
    assert_eq!(reply.json()["code"], "unsupported_media_type");
    for (document, code) in [
        (json!({ "mask": "", "operate": "expand" }), "field_missing"),
        (json!({ "mask": "x", "operate": "melt" }), "invalid_options"),
        (
            json!({ "mask": "x", "operate": "expand", "kernel_size": 2000 }),
            "invalid_options",
        ),
    ] {
        let reply = post_json(server.addr, "/api/v1/adjust_mask", &document);
        assert_eq!(reply.json()["code"], code);
    }
    for (fields, code) in [
        (&[("image", &png[..])][..], "field_missing"),
        (
            &[("image", &png), ("mask", &mask), ("sdSeed", b"many")],
            "invalid_options",
        ),
    ] {
        assert_eq!(post(server.addr, "/inpaint", fields).json()["code"], code);
    }
    assert_eq!(
        post_json(server.addr, "/api/v1/model", &json!({})).status,
        400
    );
}

#[test]
fn limits_and_access_are_the_services_own() {
    let server = start(Config {
        token: Some("s3cret".to_owned()),
        limits: Limits {
            body_bytes: 4000,
            pixels: 100,
            ..Limits::default()
        },
        ..config()
    });
    let token = "Authorization: Bearer s3cret";
    let document = from_the_page(&png(), &mask(16, 12)).to_string();
    let form_body = form(&[("image", &png()), ("mask", &mask(16, 12))]);
    for (path, content_type, body) in [
        ("/api/v1/inpaint", JSON, document.as_bytes()),
        ("/inpaint", FORM, &form_body),
    ] {
        let code = |headers: &[&str], body: &[u8]| {
            request(server.addr, "POST", path, headers, body).json()["code"].clone()
        };
        assert_eq!(code(&[content_type], body), "unauthorized");
        assert_eq!(code(&[content_type, token], body), "image_too_large");
        assert_eq!(code(&[content_type, token], &[b' '; 4001]), "too_large");
        let foreign = "Origin: https://evil.example";
        assert_eq!(
            code(&[content_type, token, foreign], body),
            "forbidden_origin"
        );
    }
    for path in ["/api/v1/model", "/api/v1/server-config"] {
        assert_eq!(request(server.addr, "GET", path, &[], &[]).status, 401);
    }
    let too_large = request(
        server.addr,
        "POST",
        "/api/v1/gen-info",
        &[token],
        &[0; 4001],
    );
    assert_eq!(too_large.json()["code"], "too_large");
}
