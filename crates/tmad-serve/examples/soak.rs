//! Many clients for a long time, most of them good and some of them not, against a running
//! service:
//!
//! ```sh
//! tmad serve --log off & cargo run --release -p tmad-serve --example soak -- 127.0.0.1:8080 $! 10
//! ```
//!
//! The arguments are the address, the process whose memory is watched (Linux), the minutes, and
//! optionally the method. Ends with 1 if a good request failed or a bad one was not refused as it
//! should be.

#[allow(dead_code)]
#[path = "../tests/common/client.rs"]
mod client;

use client::{Client, FORM, form};
use inpaint_core::image::{self, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use inpaint_core::random::Random;
use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 32;

#[derive(Default)]
struct Tally {
    /// Milliseconds of good requests.
    latencies: Mutex<Vec<f64>>,
    outcomes: Mutex<BTreeMap<String, u64>>,
    failures: AtomicU64,
}

impl Tally {
    fn count(&self, outcome: impl Into<String>) {
        *self
            .outcomes
            .lock()
            .unwrap()
            .entry(outcome.into())
            .or_default() += 1;
    }

    fn fail(&self, what: &str, detail: impl std::fmt::Display) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.count(format!("FAILED {what}"));
        eprintln!("FAILED {what}: {detail}");
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next();
    let (Some(addr), Some(pid), Some(minutes)) = (next(), next(), next()) else {
        eprintln!("usage: soak ADDR PID MINUTES [METHOD]");
        return ExitCode::from(2);
    };
    let addr: SocketAddr = addr.parse().expect("an address such as 127.0.0.1:8080");
    let minutes: f64 = minutes.parse().expect("a number of minutes");
    let method = next().unwrap_or_else(|| "patchmatch".to_owned());
    let tally = Arc::new(Tally::default());
    let start = Instant::now();
    let until = start + Duration::from_secs_f64(minutes * 60.0);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|seed| {
            let (tally, method) = (Arc::clone(&tally), method.clone());
            thread::spawn(move || {
                let mut random = Random::new(seed);
                while Instant::now() < until {
                    if random.below(10) < 7 {
                        good(addr, &method, &mut random, &tally);
                    } else {
                        bad(addr, &method, &mut random, &tally);
                    }
                }
            })
        })
        .collect();
    let mut next_line = start;
    while Instant::now() < until {
        if Instant::now() >= next_line {
            let count = tally.latencies.lock().unwrap().len();
            println!(
                "{:5.0} s: {} MiB, {count} good answers",
                start.elapsed().as_secs_f64(),
                resident_mib(&pid)
            );
            next_line += Duration::from_secs(30);
        }
        thread::sleep(Duration::from_millis(200));
    }
    for client in clients {
        client.join().expect("clients do not panic");
    }
    println!(
        "{:5.0} s: {} MiB",
        start.elapsed().as_secs_f64(),
        resident_mib(&pid)
    );
    for (outcome, count) in tally.outcomes.lock().unwrap().iter() {
        println!("{count:8} {outcome}");
    }
    let mut latencies = tally.latencies.lock().unwrap();
    latencies.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        latencies
            .get((latencies.len() as f64 * q) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    println!(
        "{} good answers, {:.1} per second; p50 {:.0} ms, p99 {:.0} ms; {} failures",
        latencies.len(),
        latencies.len() as f64 / start.elapsed().as_secs_f64(),
        quantile(0.5),
        quantile(0.99),
        tally.failures.load(Ordering::Relaxed)
    );
    ExitCode::from(u8::from(tally.failures.load(Ordering::Relaxed) > 0))
}

/// Memory that the process occupies.
fn resident_mib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0) / 1024
}

struct Good {
    picture: RgbImage,
    image: Vec<u8>,
    mask: Vec<u8>,
    options: String,
    is_lossless: bool,
}

impl Good {
    /// A picture of one colour that nobody else has, with a white hole in it.
    fn new(method: &str, random: &mut Random) -> Self {
        let (width, height) = (random.between(40, 200), random.between(40, 200));
        let colour = Rgb([(); 3].map(|()| random.below(200) as u8));
        let picture = RgbImage::from_pixel(width, height, colour);
        let (left, top) = (
            random.between(4, width - 24),
            random.between(4, height - 24),
        );
        let in_hole =
            |x: u32, y: u32| (left..left + 16).contains(&x) && (top..top + 16).contains(&y);
        let mut damaged = picture.clone();
        for (x, y, pixel) in damaged.enumerate_pixels_mut() {
            if in_hole(x, y) {
                *pixel = Rgb([255; 3]);
            }
        }
        let mask = GrayImage::from_fn(width, height, |x, y| Luma([255 * u8::from(in_hole(x, y))]));
        let formats = [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::WebP,
            ImageFormat::Tiff,
        ];
        let format = formats[random.below(4) as usize];
        Self {
            image: encoded(damaged.into(), format),
            mask: encoded(mask.into(), ImageFormat::Png),
            options: format!(r#"{{"method":"{method}"}}"#),
            is_lossless: format != ImageFormat::Jpeg && method == "patchmatch",
            picture,
        }
    }

    fn form(&self) -> Vec<u8> {
        form(&[
            ("image", &self.image),
            ("mask", &self.mask),
            ("options", self.options.as_bytes()),
        ])
    }

    /// Whether the answer is this picture and nobody else's.
    fn is_answer(&self, body: &[u8]) -> Result<(), String> {
        let answer = image::load_from_memory(body)
            .map_err(|error| error.to_string())?
            .to_rgb8();
        if answer.dimensions() != self.picture.dimensions() {
            return Err(format!(
                "{:?}, not {:?}",
                answer.dimensions(),
                self.picture.dimensions()
            ));
        }
        let tolerance = if self.is_lossless { 0 } else { 48 };
        let differ = |(a, b): (&u8, &u8)| a.abs_diff(*b) > tolerance;
        // What a network puts into the hole is not known; the first rows are outside of it.
        let known = if self.is_lossless {
            usize::MAX
        } else {
            self.picture.width() as usize * 3 * 3
        };
        match answer
            .iter()
            .zip(self.picture.iter())
            .take(known)
            .position(differ)
        {
            Some(at) => Err(format!("sample {at} is another")),
            None => Ok(()),
        }
    }
}

fn encoded(picture: image::DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, format)
        .expect("memory can be written to");
    bytes.into_inner()
}

/// As often as needed: full queues are no failure.
fn good(addr: SocketAddr, method: &str, random: &mut Random, tally: &Tally) {
    let good = Good::new(method, random);
    let body = good.form();
    loop {
        let start = Instant::now();
        let reply = Client::connect(addr)
            .and_then(|mut client| client.request("POST", "/v1/inpaint", &[FORM], &body));
        match reply {
            Ok(reply) if reply.status == 200 => {
                let ms = start.elapsed().as_secs_f64() * 1e3;
                tally.latencies.lock().unwrap().push(ms);
                tally.count("good: 200");
                if let Err(difference) = good.is_answer(&reply.body) {
                    tally.fail("good", difference);
                }
                return;
            }
            Ok(reply) if reply.status == 429 => {
                tally.count("good: 429, tried again");
                thread::sleep(Duration::from_millis(random.below(500)));
            }
            Ok(reply) => {
                return tally.fail(
                    "good",
                    format!("{}: {}", reply.status, String::from_utf8_lossy(&reply.body)),
                );
            }
            Err(error) => return tally.fail("good", error),
        }
    }
}

fn bad(addr: SocketAddr, method: &str, random: &mut Random, tally: &Tally) {
    let good = Good::new(method, random);
    let body = good.form();
    let mut garbage = body.clone();
    for _ in 0..20 {
        let at = random.below(garbage.len() as u64) as usize;
        garbage[at] = random.bits() as u8;
    }
    let mut huge = good.image.clone();
    if huge.starts_with(b"\x89PNG") {
        huge[16..20].copy_from_slice(&[0, 1, 0, 0]);
    }
    let small = encoded(GrayImage::new(8, 8).into(), ImageFormat::Png);
    let length = format!("Content-Length: {}", body.len());
    let post = |headers: &[&str], body: &[u8]| {
        Client::connect(addr)?.request("POST", "/v1/inpaint", headers, body)
    };
    // A refusal that was expected, or being sent away because of the load.
    let expect = |what: &str, reply: io::Result<client::Reply>, allowed: &[u16]| match reply {
        Ok(reply) if allowed.contains(&reply.status) || reply.status == 429 => {
            tally.count(format!("{what}: {}", reply.status));
        }
        Ok(reply) => tally.fail(what, reply.status),
        Err(error) => tally.fail(what, error),
    };
    match random.below(9) {
        0 => expect(
            "damaged",
            post(&[FORM], &garbage),
            &[200, 400, 413, 415, 422, 501],
        ),
        1 => expect(
            "wrong type",
            post(&["Content-Type: text/plain"], &body),
            &[415],
        ),
        2 => {
            let fields = vec![("image", &b"x"[..]); 1000];
            expect("many fields", post(&[FORM], &form(&fields)), &[413]);
        }
        3 => {
            let fields = [("image", &huge[..]), ("mask", &good.mask)];
            expect(
                "false size",
                post(&[FORM], &form(&fields)),
                &[200, 413, 422],
            );
        }
        4 => {
            let fields = [("image", &good.image[..]), ("mask", &small)];
            expect("small mask", post(&[FORM], &form(&fields)), &[422]);
        }
        5 => {
            let headers = [FORM, "Content-Length: 99999999999"];
            let reply = Client::connect(addr).and_then(|mut client| {
                client.send_head("POST", "/v1/inpaint", &headers)?;
                client.reply()
            });
            expect("huge", reply, &[413]);
        }
        6 => {
            // Goes away in the middle of the body.
            let sent = Client::connect(addr).and_then(|mut client| {
                client.send_head("POST", "/v1/inpaint", &[FORM, &length])?;
                client.send_raw(&body[..body.len() / 2])
            });
            tally.count(format!("left while sending: {}", sent.is_ok()));
        }
        7 => {
            // Goes away without waiting for the answer.
            let sent = Client::connect(addr).and_then(|mut client| {
                client.send_head("POST", "/v1/inpaint", &[FORM, &length])?;
                client.send_raw(&body)
            });
            thread::sleep(Duration::from_millis(random.below(50)));
            tally.count(format!("left while waiting: {}", sent.is_ok()));
        }
        _ => {
            let job = format!("{:016x}{:016x}", random.bits(), random.bits());
            let sent = Client::connect(addr).and_then(|mut client| {
                let path = format!("/v1/inpaint?job={job}");
                client.send_head("POST", &path, &[FORM, &length])?;
                client.send_raw(&body)?;
                let path = format!("/v1/jobs/{job}");
                Client::connect(addr)?.request("DELETE", &path, &[], &[])?;
                client.reply()
            });
            expect("cancelled", sent, &[200, 409]);
        }
    }
}
