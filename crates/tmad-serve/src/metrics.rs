//! Numbers for Prometheus.

use crate::problem::Code;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram's buckets in seconds.
const BUCKETS: [f64; 12] = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0,
];

/// Counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    problems: Mutex<BTreeMap<&'static str, u64>>,
    durations: Mutex<BTreeMap<String, Histogram>>,
    pub(crate) received_bytes: AtomicU64,
    pub(crate) connections: AtomicI64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum_s: f64,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// A request was answered. `route` is one of ours, never what the client sent.
    pub(crate) fn answered(&self, route: &str, status: u16, code: Option<Code>, time: Duration) {
        *lock(&self.requests)
            .entry((route.to_owned(), status))
            .or_default() += 1;
        if let Some(code) = code {
            *lock(&self.problems).entry(code.name()).or_default() += 1;
        }
        let seconds = time.as_secs_f64();
        let mut durations = lock(&self.durations);
        let histogram = durations.entry(route.to_owned()).or_default();
        for (count, bound) in histogram.counts.iter_mut().zip(BUCKETS) {
            *count += u64::from(seconds <= bound);
        }
        histogram.count += 1;
        histogram.sum_s += seconds;
    }

    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn to_text(&self, (waiting, running): (usize, usize)) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(
            &mut text,
            "tmad_requests_total",
            "counter",
            "Answered requests.",
        );
        for ((route, status), count) in lock(&self.requests).iter() {
            let _ = writeln!(
                text,
                "tmad_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}"
            );
        }
        head(
            &mut text,
            "tmad_problems_total",
            "counter",
            "Refusals and failures by code.",
        );
        for (code, count) in lock(&self.problems).iter() {
            let _ = writeln!(text, "tmad_problems_total{{code=\"{code}\"}} {count}");
        }
        let name = "tmad_request_duration_seconds";
        head(
            &mut text,
            name,
            "histogram",
            "Time from the head of a request to that of its answer.",
        );
        for (route, histogram) in lock(&self.durations).iter() {
            for (count, bound) in histogram.counts.iter().zip(BUCKETS) {
                let _ = writeln!(
                    text,
                    "{name}_bucket{{route=\"{route}\",le=\"{bound}\"}} {count}"
                );
            }
            let Histogram { count, sum_s, .. } = histogram;
            let _ = writeln!(
                text,
                "{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {count}"
            );
            let _ = writeln!(text, "{name}_sum{{route=\"{route}\"}} {sum_s}");
            let _ = writeln!(text, "{name}_count{{route=\"{route}\"}} {count}");
        }
        let received = self.received_bytes.load(Ordering::Relaxed);
        head(
            &mut text,
            "tmad_received_bytes_total",
            "counter",
            "Bytes of received bodies.",
        );
        let _ = writeln!(text, "tmad_received_bytes_total {received}");
        let connections = self.connections.load(Ordering::Relaxed);
        for (name, help, value) in [
            ("tmad_connections", "Open connections.", connections),
            (
                "tmad_queue_waiting",
                "Requests that wait for a worker.",
                waiting as i64,
            ),
            (
                "tmad_queue_running",
                "Requests that are worked on.",
                running as i64,
            ),
        ] {
            head(&mut text, name, "gauge", help);
            let _ = writeln!(text, "{name} {value}");
        }
        text
    }
}
