//! Ctrl-C: the first asks the running work to stop, the second ends the program at once, but
//! never in the middle of writing a file.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// 128 + SIGINT.
pub const EXIT_CODE: u8 = 130;

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
    });
    // Without a handler Ctrl-C ends the program at once, which loses nothing but the tidiness.
    drop(installed);
    stop
}

/// Keeps the program alive until the guard is dropped.
pub fn while_writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}
