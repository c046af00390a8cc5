//! Ctrl-C: the first asks the running work to stop, the second ends the program at once, but
//! never in the middle of writing a file.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// 128 + SIGINT.
pub const EXIT_CODE: u8 = 130;

/// Reading a large file, for instance, is not interrupted. Whoever still waits after this time is
/// told how to end it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Held while a temporary file exists.
static WRITING: Mutex<()> = Mutex::new(());

/// The command stopped because the user asked for it.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; nothing is half-written")
    }
}

impl std::error::Error for Interrupted {}

/// From now on Ctrl-C (and SIGTERM, SIGHUP) sets the returned flag.
pub fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let installed = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            let _finished = while_writing();
            process::exit(EXIT_CODE.into());
        }
        thread::spawn(tell_how_to_end);
    });
    // Without a handler Ctrl-C ends the program at once, which loses nothing but the tidiness.
    drop(installed);
    stop
}

fn tell_how_to_end() {
    thread::sleep(PATIENCE);
    if stderr().is_terminal() {
        eprintln!("stopping as soon as this step is done; Ctrl-C again ends the program now");
    }
}

/// Keeps the program alive until the guard is dropped.
pub fn while_writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}
