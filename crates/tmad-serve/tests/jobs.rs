//! Waiting, watching, cancelling, going away, and the end of the service.

mod common;

use common::client::{Client, FORM, Reply, form, request};
use common::{Gate, TestServer, config, decode, encode, eventually, mask, numbered};
use inpaint_core::image::ImageFormat;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tmad_serve::{Config, Model, Timeouts};

const JOB: &str = "job-0123456789abcdef";

fn start(config: Config) -> (TestServer, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    (TestServer::start(config, vec![gate.model()]), gate)
}

fn small_form() -> Vec<u8> {
    let image = encode(&numbered(5, 12, 12), ImageFormat::Png);
    form(&[("image", &image), ("mask", &mask(12, 12))])
}

/// Sends a request and leaves its answer to come.
fn post(addr: SocketAddr, path: &str) -> Client {
    let body = small_form();
    let mut client = Client::connect(addr).unwrap();
    let length = format!("Content-Length: {}", body.len());
    client.send_head("POST", path, &[FORM, &length]).unwrap();
    client.send_raw(&body).unwrap();
    client
}

fn code(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or("none").to_owned()
}

/// Collects the progress of a job until the service ends the stream.
fn watch(addr: SocketAddr, job: &str) -> JoinHandle<Vec<Value>> {
    let path = format!("/v1/jobs/{job}/events");
    thread::spawn(move || {
        let reply = request(addr, "GET", &path, &[], &[]);
        assert_eq!(
            reply.status,
            200,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        assert_eq!(reply.header("content-type"), Some("text/event-stream"));
        let text = String::from_utf8(reply.body).unwrap();
        text.split_terminator("\n\n")
            .filter_map(|event| event.strip_prefix("event: progress\ndata: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    })
}

fn metric(addr: SocketAddr, name: &str) -> f64 {
    let text = String::from_utf8(request(addr, "GET", "/metrics", &[], &[]).body).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn beyond_the_queue_clients_are_sent_away() {
    let (server, gate) = start(Config {
        workers: 1,
        queue: 2,
        ..config()
    });
    let mut clients: Vec<_> = (0..3).map(|_| post(server.addr, "/v1/inpaint")).collect();
    eventually("one runs, two wait", || {
        gate.running.load(SeqCst) == 1 && metric(server.addr, "tmad_queue_waiting ") == 2.0
    });
    let refused = post(server.addr, "/v1/inpaint").reply().unwrap();
    assert_eq!(
        (refused.status, code(&refused)),
        (429, "queue_full".to_owned())
    );
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=120).contains(&seconds));
    let ready = request(server.addr, "GET", "/ready", &[], &[]);
    assert_eq!((ready.status, code(&ready)), (503, "not_ready".to_owned()));
    gate.open();
    for client in &mut clients {
        let reply = client.reply().unwrap();
        assert_eq!(
            (reply.status, decode(&reply.body)),
            (200, numbered(5, 12, 12))
        );
    }
    eventually("ready again", || {
        request(server.addr, "GET", "/ready", &[], &[]).status == 200
    });
}

#[test]
fn progress_is_told_from_before_the_request_to_its_end() {
    let (server, gate) = start(Config {
        workers: 1,
        ..config()
    });
    let watcher = watch(server.addr, JOB);
    thread::sleep(Duration::from_millis(50));
    let mut first = post(server.addr, "/v1/inpaint");
    eventually("the first runs", || gate.running.load(SeqCst) == 1);
    let mut second = post(server.addr, &format!("/v1/inpaint?job={JOB}"));
    eventually("the second waits", || {
        metric(server.addr, "tmad_queue_waiting ") == 1.0
    });
    // The same name again is refused, and does not disturb the first.
    let twice = post(server.addr, &format!("/v1/inpaint?job={JOB}"))
        .reply()
        .unwrap();
    assert_eq!((twice.status, code(&twice)), (409, "job_exists".to_owned()));
    thread::sleep(Duration::from_millis(400));
    gate.open();
    assert_eq!(first.reply().unwrap().status, 200);
    assert_eq!(second.reply().unwrap().status, 200);
    let events = watcher.join().unwrap();
    let states: Vec<_> = events
        .iter()
        .map(|event| event["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.last(), Some(&"done"), "{events:?}");
    assert!(
        events.iter().any(|event| event["queue_position"] == 1),
        "{events:?}"
    );
    let fractions: Vec<_> = events
        .iter()
        .map(|event| event["fraction"].as_f64().unwrap())
        .collect();
    assert!(
        fractions.is_sorted() && fractions.last() == Some(&1.0),
        "{events:?}"
    );
    // The end can be asked for later, too.
    let late = watch(server.addr, JOB).join().unwrap();
    assert_eq!((late.len(), &late[0]["state"]), (1, &"done".into()));
}

#[test]
fn a_running_job_can_be_cancelled() {
    let (server, gate) = start(config());
    let mut client = post(server.addr, &format!("/v1/inpaint?job={JOB}"));
    eventually("it runs", || gate.running.load(SeqCst) == 1);
    let watcher = watch(server.addr, JOB);
    let path = format!("/v1/jobs/{JOB}");
    assert_eq!(request(server.addr, "DELETE", &path, &[], &[]).status, 204);
    let reply = client.reply().unwrap();
    assert_eq!((reply.status, code(&reply)), (409, "cancelled".to_owned()));
    eventually("the method stopped", || gate.cancelled.load(SeqCst) == 1);
    assert_eq!(
        watcher.join().unwrap().last().unwrap()["state"],
        "cancelled"
    );
    // Once more is no error.
    assert_eq!(request(server.addr, "DELETE", &path, &[], &[]).status, 204);
}

#[test]
fn a_waiting_job_can_be_cancelled() {
    let (server, gate) = start(Config {
        workers: 1,
        ..config()
    });
    let mut first = post(server.addr, "/v1/inpaint");
    eventually("the first runs", || gate.running.load(SeqCst) == 1);
    let mut second = post(server.addr, &format!("/v1/inpaint?job={JOB}"));
    eventually("the second waits", || {
        metric(server.addr, "tmad_queue_waiting ") == 1.0
    });
    let path = format!("/v1/jobs/{JOB}");
    assert_eq!(request(server.addr, "DELETE", &path, &[], &[]).status, 204);
    assert_eq!(second.reply().unwrap().status, 409);
    assert_eq!(metric(server.addr, "tmad_queue_waiting "), 0.0);
    gate.open();
    assert_eq!(first.reply().unwrap().status, 200);
    assert_eq!(gate.finished.load(SeqCst), 1);
}

#[test]
fn whoever_goes_away_frees_the_place() {
    let (server, gate) = start(Config {
        workers: 1,
        queue: 1,
        ..config()
    });
    let running = post(server.addr, "/v1/inpaint");
    eventually("it runs", || gate.running.load(SeqCst) == 1);
    let waiting = post(server.addr, "/v1/inpaint");
    eventually("it waits", || {
        metric(server.addr, "tmad_queue_waiting ") == 1.0
    });
    drop(waiting);
    eventually("its place is free", || {
        metric(server.addr, "tmad_queue_waiting ") == 0.0
    });
    drop(running);
    eventually("the method stopped", || gate.cancelled.load(SeqCst) == 1);
    gate.open();
    eventually("all is free", || {
        post(server.addr, "/v1/inpaint").reply().unwrap().status == 200
    });
    eventually("nobody is left", || {
        metric(server.addr, "tmad_connections ") == 1.0
    });
}

#[test]
fn whoever_goes_away_while_sending_leaves_nothing_behind() {
    let (server, _gate) = start(config());
    for number in 0..20 {
        let job = format!("{JOB}-{number}");
        let mut client = Client::connect(server.addr).unwrap();
        let headers = [FORM, "Content-Length: 1000000"];
        client
            .send_head("POST", &format!("/v1/inpaint?job={job}"), &headers)
            .unwrap();
        client.send_raw(b"--the-boundary\r\n").unwrap();
        let path = format!("/v1/jobs/{job}/events");
        let mut watcher = Client::connect(server.addr).unwrap();
        watcher.send_head("GET", &path, &[]).unwrap();
        assert_eq!(watcher.reply_head().unwrap().status, 200);
        assert!(!watcher.chunk().unwrap().is_empty());
        drop(client);
        let end = String::from_utf8(watcher.chunk().unwrap()).unwrap();
        assert!(end.contains("cancelled"), "{end}");
    }
    eventually("nobody is left", || {
        metric(server.addr, "tmad_connections ") == 1.0
    });
}

#[test]
fn a_job_can_be_cancelled_while_its_body_arrives() {
    let (server, _gate) = start(config());
    let mut client = Client::connect(server.addr).unwrap();
    let headers = [FORM, "Content-Length: 1000000"];
    client
        .send_head("POST", &format!("/v1/inpaint?job={JOB}"), &headers)
        .unwrap();
    client.send_raw(b"--the-boundary\r\n").unwrap();
    let path = format!("/v1/jobs/{JOB}");
    eventually("the job is known", || {
        request(server.addr, "DELETE", &path, &[], &[]).status == 204
    });
    let reply = client.reply().unwrap();
    assert_eq!((reply.status, code(&reply)), (409, "cancelled".to_owned()));
}

#[test]
fn work_that_takes_too_long_is_given_up() {
    let (server, gate) = start(Config {
        timeouts: Timeouts {
            work: Duration::from_millis(200),
            ..Timeouts::default()
        },
        ..config()
    });
    let reply = post(server.addr, "/v1/inpaint").reply().unwrap();
    assert_eq!((reply.status, code(&reply)), (503, "timeout".to_owned()));
    eventually("the method stopped", || gate.cancelled.load(SeqCst) == 1);
}

#[test]
fn jobs_that_never_come_are_not_waited_for_long() {
    let (server, _gate) = start(Config {
        timeouts: Timeouts {
            job_appears: Duration::from_millis(100),
            ..Timeouts::default()
        },
        ..config()
    });
    let path = format!("/v1/jobs/{JOB}/events");
    let reply = request(server.addr, "GET", &path, &[], &[]);
    assert_eq!(
        (reply.status, code(&reply)),
        (404, "job_unknown".to_owned())
    );
}

#[test]
fn what_has_begun_is_finished_before_the_end() {
    let (mut server, gate) = start(Config {
        workers: 1,
        ..config()
    });
    let mut idle = Client::connect(server.addr).unwrap();
    idle.request("GET", "/health", &[], &[]).unwrap();
    let mut running = post(server.addr, "/v1/inpaint");
    eventually("it runs", || gate.running.load(SeqCst) == 1);
    let mut waiting = post(server.addr, &format!("/v1/inpaint?job={JOB}"));
    eventually("it waits", || {
        metric(server.addr, "tmad_queue_waiting ") == 1.0
    });
    let watcher = watch(server.addr, JOB);
    thread::sleep(Duration::from_millis(100));
    server.ask_to_stop();
    assert!(idle.is_closed());
    eventually("no new clients", || Client::connect(server.addr).is_err());
    thread::sleep(Duration::from_millis(100));
    gate.open();
    assert_eq!(running.reply().unwrap().status, 200);
    assert_eq!(waiting.reply().unwrap().status, 200);
    assert_eq!(watcher.join().unwrap().last().unwrap()["state"], "done");
    server.join();
    assert_eq!(gate.finished.load(SeqCst), 2);
}

#[test]
fn the_end_is_not_put_off_for_ever() {
    let (mut server, gate) = start(Config {
        timeouts: Timeouts {
            shutdown: Duration::from_millis(200),
            ..Timeouts::default()
        },
        ..config()
    });
    let mut running = post(server.addr, "/v1/inpaint");
    eventually("it runs", || gate.running.load(SeqCst) == 1);
    let start = Instant::now();
    server.ask_to_stop();
    let reply = running.reply().unwrap();
    assert_eq!(
        (reply.status, code(&reply)),
        (503, "shutting_down".to_owned())
    );
    server.join();
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(gate.cancelled.load(SeqCst), 1);
}

#[test]
fn a_method_that_panics_costs_its_own_client_only() {
    struct Panics;
    impl Inpainter for Panics {
        fn name(&self) -> &str {
            "panics"
        }

        fn inpaint(&self, _: &RgbImage, _: &Mask, _: &Control) -> Result<RgbImage, InpaintError> {
            // Without the message that a panic would print.
            std::panic::resume_unwind(Box::new("on purpose"))
        }
    }
    let panics = Model::inpainter(Arc::new(Panics), "breaks its contract");
    let corner = Model::inpainter(Arc::new(common::Corner), "the colour of the first pixel");
    let config = Config {
        workers: 1,
        ..config()
    };
    let server = TestServer::start(config, vec![corner, panics]);
    let image = encode(&numbered(5, 12, 12), ImageFormat::Png);
    let mask = mask(12, 12);
    for (method, status) in [
        ("panics", 500),
        ("corner", 200),
        ("panics", 500),
        ("corner", 200),
    ] {
        let options = format!(r#"{{"method":"{method}"}}"#);
        let fields = [
            ("image", &image[..]),
            ("mask", &mask),
            ("options", options.as_bytes()),
        ];
        let reply = common::client::post(server.addr, "/v1/inpaint", &fields);
        assert_eq!(reply.status, status);
    }
    assert_eq!(metric(server.addr, "tmad_queue_running "), 0.0);
}
