//! What good requests get.

mod common;

use common::client::{FORM, form, post, request};
use common::{config, decode, encode, mask, numbered, start};
use inpaint_core::image::{ImageFormat, Rgb, RgbImage};
use std::collections::HashSet;
use std::thread;
use tmad_serve::Config;

#[test]
fn pictures_of_200_clients_do_not_mix() {
    let server = start(Config {
        queue: 256,
        ..config()
    });
    let addr = server.addr;
    let clients: Vec<_> = (0..200u32)
        .map(|number| {
            thread::spawn(move || {
                // Sizes differ, too, and the hole is of another colour than the rest.
                let (width, height) = (16 + number % 7, 16 + number % 5);
                let mut picture = numbered(number + 1, width, height);
                for y in 4..8 {
                    for x in 4..8 {
                        picture.put_pixel(x, y, Rgb([255; 3]));
                    }
                }
                let image = encode(&picture, ImageFormat::Png);
                let fields = [("image", &image[..]), ("mask", &mask(width, height))];
                let reply = post(addr, "/v1/inpaint", &fields);
                assert_eq!(
                    reply.status,
                    200,
                    "{}",
                    String::from_utf8_lossy(&reply.body)
                );
                assert_eq!(decode(&reply.body), numbered(number + 1, width, height));
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn marks_grow_to_the_border_of_the_thing_within_bounds() {
    let server = start(config());
    let picture = RgbImage::from_fn(64, 48, |x, y| {
        let is_thing = (20..40).contains(&x) && (10..30).contains(&y);
        Rgb(if is_thing {
            [200, 30, 30]
        } else {
            [40, 90, 60]
        })
    });
    let marks = RgbImage::from_fn(64, 48, |x, y| {
        Rgb([255 * u8::from((26..32).contains(&x) && (18..22).contains(&y)); 3])
    });
    let image = encode(&picture, ImageFormat::Png);
    let marks = encode(&marks, ImageFormat::Png);
    let selected = |options: &str| {
        let options = ("options", options.as_bytes());
        let fields = [("image", &image[..]), ("mask", &marks), options];
        let reply = post(server.addr, "/v1/select", &fields);
        assert_eq!(reply.header("content-type"), Some("image/png"));
        let mask = decode(&reply.body);
        let white = mask
            .enumerate_pixels()
            .filter(|(_, _, pixel)| pixel.0[0] == 255);
        white.map(|(x, y, _)| (x, y)).collect::<HashSet<_>>()
    };
    let thing: HashSet<_> = (20..40)
        .flat_map(|x| (10..30).map(move |y| (x, y)))
        .collect();
    assert_eq!(selected("{}"), thing);
    let part = selected(r#"{"bounds":[0,0,35,48]}"#);
    assert!(part.iter().all(|&(x, _)| x < 35) && part.len() > 200);
}

#[test]
fn the_answer_has_the_format_of_the_picture_or_the_one_asked_for() {
    let server = start(config());
    let picture = numbered(0x102030, 20, 16);
    let mask = mask(20, 16);
    let bmp = encode(&picture, ImageFormat::Bmp);
    let fields = [("image", &bmp[..]), ("mask", &mask)];
    let reply = post(server.addr, "/v1/inpaint", &fields);
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("image/bmp"))
    );
    assert_eq!(decode(&reply.body), picture);
    assert_eq!(reply.header("x-tmad-method"), Some("corner"));
    let timing = reply.header("server-timing").unwrap();
    for step in ["queue", "decode", "inpaint", "encode"] {
        assert!(timing.contains(&format!("{step};dur=")), "{timing}");
    }
    for (format, content_type) in [
        ("png", "image/png"),
        ("jpeg", "image/jpeg"),
        ("webp", "image/webp"),
        ("tiff", "image/tiff"),
    ] {
        let options = format!(r#"{{"format":"{format}"}}"#);
        let fields = [fields[0], fields[1], ("options", options.as_bytes())];
        let reply = post(server.addr, "/v1/inpaint", &fields);
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!(decode(&reply.body).dimensions(), (20, 16));
    }
}

#[test]
fn holes_come_from_polygons_and_from_inverted_masks() {
    let server = start(config());
    let mut picture = RgbImage::from_pixel(16, 16, Rgb([9, 9, 9]));
    picture.put_pixel(0, 0, Rgb([1, 2, 3]));
    let image = encode(&picture, ImageFormat::Png);
    let filled = |name: &str, hole: &[u8], options: &str| {
        let fields = [
            ("image", &image[..]),
            (name, hole),
            ("options", options.as_bytes()),
        ];
        let reply = post(server.addr, "/v1/inpaint", &fields);
        assert_eq!(
            reply.status,
            200,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        let result = decode(&reply.body);
        let is_filled = |&(x, y): &(u32, u32)| *result.get_pixel(x, y) == Rgb([1, 2, 3]);
        let all = (0..16).flat_map(|y| (0..16).map(move |x| (x, y)));
        let pixels: HashSet<_> = all.filter(is_filled).collect();
        (pixels, reply.headers_of("x-tmad-warning").count())
    };
    let area = |x0: u32, y0: u32, x1: u32, y1: u32| -> HashSet<(u32, u32)> {
        let corner = std::iter::once((0, 0));
        corner
            .chain((y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y))))
            .collect()
    };
    assert_eq!(
        filled("polygon", b"[[2,3],[6,3],[6,9],[2,9]]", "{}"),
        (area(2, 3, 6, 9), 0)
    );
    let two = filled(
        "polygon",
        b"[[[2,3],[6,3],[6,9],[2,9]],[[6,3],[8,3],[8,9],[6,9]]]",
        "{}",
    );
    assert_eq!(two, (area(2, 3, 8, 9), 0));
    let mask = mask(16, 16);
    assert_eq!(filled("mask", &mask, "{}"), (area(4, 4, 8, 8), 0));
    let (inverted, warnings) = filled("mask", &mask, r#"{"invert_mask":true}"#);
    assert_eq!((inverted.len(), warnings), (16 * 16 - 16, 1));
    assert!(!inverted.contains(&(4, 4)));
    let grown = filled("polygon", b"[[5,5],[6,5],[6,6],[5,6]]", r#"{"grow_px":1}"#);
    assert_eq!(
        grown.0,
        HashSet::from([(0, 0), (5, 5), (4, 5), (6, 5), (5, 4), (5, 6)])
    );
}

#[test]
fn an_empty_mask_gives_the_file_back() {
    let server = start(config());
    let image = encode(&numbered(7, 16, 16), ImageFormat::Jpeg);
    let fields = [
        ("image", &image[..]),
        ("polygon", b"[[90,90],[99,90],[99,99]]"),
    ];
    let reply = post(server.addr, "/v1/inpaint", &fields);
    assert_eq!((reply.status, &reply.body), (200, &image));
    let warning = reply.header("x-tmad-warning").unwrap();
    assert!(warning.contains("marks nothing"), "{warning}");
}

#[test]
fn refining_starts_from_the_guess() {
    let server = start(config());
    let image = encode(&numbered(1, 16, 16), ImageFormat::Png);
    let guess = encode(&numbered(0xA0B0C0, 16, 16), ImageFormat::Png);
    let mask = mask(16, 16);
    let fields = [("image", &image[..]), ("mask", &mask), ("guess", &guess)];
    let reply = post(server.addr, "/v1/refine", &fields);
    assert_eq!(
        (reply.status, reply.header("x-tmad-method")),
        (200, Some("texture"))
    );
    let result = decode(&reply.body);
    assert_eq!(result.get_pixel(4, 4), &Rgb([0xA0, 0xB0, 0xC0]));
    assert_eq!(result.get_pixel(3, 4), &Rgb([0, 0, 1]));
}

#[test]
fn explaining_tells_sources_and_shows_pictures_if_wanted() {
    let server = start(config());
    let image = encode(&numbered(1, 16, 12), ImageFormat::Png);
    let mask = mask(16, 12);
    let fields = [("image", &image[..]), ("mask", &mask)];
    let reply = post(server.addr, "/v1/explain", &fields);
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("application/json"))
    );
    let document = reply.json();
    assert_eq!(
        (&document["width"], &document["height"]),
        (&16.into(), &12.into())
    );
    assert_eq!(document["patches"][0]["place"]["x"], -4);
    assert_eq!(document["patches"][0]["candidates"][1]["source"]["x"], 9);
    let share = |kind: &str| document["chosen"][kind].as_f64().unwrap();
    assert_eq!(share("copy") + share("window"), 1.0);
    assert_eq!(share("copy"), 2.0 * share("window"));
    assert!(document.get("coarse").is_none());
    let options = br#"{"images":true}"#;
    let fields = [fields[0], fields[1], ("options", &options[..])];
    let document = post(server.addr, "/v1/explain", &fields).json();
    for name in ["coarse", "completed"] {
        let url = document[name].as_str().unwrap();
        assert!(url.starts_with("data:image/png;base64,iVBOR"), "{url}");
    }
}

#[test]
fn connections_are_used_again() {
    let server = start(config());
    let mut client = common::client::Client::connect(server.addr).unwrap();
    for number in 1..4 {
        let picture = numbered(number, 12, 12);
        let image = encode(&picture, ImageFormat::Png);
        let body = form(&[("image", &image), ("mask", &mask(12, 12))]);
        let reply = client
            .request("POST", "/v1/inpaint", &[FORM], &body)
            .unwrap();
        assert_eq!(decode(&reply.body), picture);
        let health = client.request("GET", "/health", &[], &[]).unwrap();
        assert_eq!(health.json()["status"], "ok");
    }
}

#[test]
fn the_page_is_served_under_a_strict_policy() {
    let server = start(config());
    let reply = request(server.addr, "GET", "/", &[], &[]);
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(reply.body.starts_with(b"<!doctype html>"));
    let policy = reply.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let tag = format!("If-None-Match: {}", reply.header("etag").unwrap());
    assert_eq!(request(server.addr, "GET", "/", &[&tag], &[]).status, 304);
    let mut client = common::client::Client::connect(server.addr).unwrap();
    client.send_head("HEAD", "/index.html", &[]).unwrap();
    assert_eq!(client.reply_head().unwrap().status, 200);
    for path in [
        "/../Cargo.toml",
        "/..%2fCargo.toml",
        "//etc/passwd",
        "/web/index.html",
        "/v1/x",
    ] {
        assert_eq!(
            request(server.addr, "GET", path, &[], &[]).status,
            404,
            "{path}"
        );
    }
}

#[test]
fn numbers_are_counted() {
    let server = start(config());
    let image = encode(&numbered(1, 12, 12), ImageFormat::Png);
    post(
        server.addr,
        "/v1/inpaint",
        &[("image", &image), ("mask", &mask(12, 12))],
    );
    post(server.addr, "/v1/inpaint", &[("image", &image)]);
    let text = String::from_utf8(request(server.addr, "GET", "/metrics", &[], &[]).body).unwrap();
    for line in [
        "tmad_requests_total{route=\"/v1/inpaint\",status=\"200\"} 1",
        "tmad_requests_total{route=\"/v1/inpaint\",status=\"400\"} 1",
        "tmad_problems_total{code=\"field_missing\"} 1",
        "tmad_request_duration_seconds_count{route=\"/v1/inpaint\"} 2",
        "tmad_queue_running 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(
            name.starts_with("tmad_") && value.parse::<f64>().is_ok(),
            "{line}"
        );
    }
}
