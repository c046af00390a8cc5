//! What the user sees: notes, warnings, errors and progress, all on standard error, so that
//! standard output holds results only.

use crate::interrupt::Interrupted;
use anstream::eprintln;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use inpaint_core::Control;
use std::fmt;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// How much the user wants to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// No notes, no progress.
    Errors,
    /// What a user may want to know.
    Notes,
    /// Also what computes and how long it takes.
    Details,
}

/// Standard error. Colours are for terminals, unless `--color` or the environment (`NO_COLOR`,
/// `CLICOLOR_FORCE`) decides otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    verbosity: Verbosity,
}

impl Terminal {
    /// Says as much as this.
    pub fn new(verbosity: Verbosity) -> Self {
        Self { verbosity }
    }

    /// How much is wanted.
    #[cfg(feature = "serve")]
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Something for those who ask for details.
    pub fn detail(&self, message: impl fmt::Display) {
        if self.verbosity >= Verbosity::Details {
            eprintln!("{message}");
        }
    }

    /// Something that the user may want to know.
    pub fn note(&self, message: impl fmt::Display) {
        if self.verbosity >= Verbosity::Notes {
            eprintln!("{message}");
        }
    }

    /// Something that may not be what the user wants.
    pub fn warn(&self, message: impl fmt::Display) {
        self.note(format_args!("{WARNING}warning:{WARNING:#} {message}"));
    }

    /// Why the command failed.
    pub fn error(&self, error: &anyhow::Error) {
        eprintln!("{ERROR}error:{ERROR:#} {}", Self::words(error));
    }

    /// An error and its causes on one line.
    pub fn words(error: &anyhow::Error) -> String {
        // Many errors repeat their cause in their own words; say it once.
        let mut message = String::new();
        for cause in error.chain().map(|cause| cause.to_string()) {
            let cause = cause.trim();
            if message.is_empty() {
                message.push_str(cause);
            } else if !message.contains(cause) {
                message.push_str(": ");
                message.push_str(cause);
            }
        }
        message
    }

    /// A bar of `length` steps that is gone when finished; shown on a terminal only.
    pub fn progress_bar(&self, length: u64, template: &str) -> ProgressBar {
        if self.verbosity < Verbosity::Notes {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(template).expect("templates are constants");
        // Indicatif itself draws nothing when standard error is no terminal.
        ProgressBar::new(length).with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
    }

    /// For work on one picture: with a seed, ended by `stop`, its progress shown by a bar, which
    /// the caller has to clear. Details are the time of every stage.
    pub fn control(&self, seed: u64, stop: Arc<AtomicBool>) -> (Control, ProgressBar) {
        let bar = self.progress_bar(1000, "{msg:24} {wide_bar} {percent:>3} % {eta:>4}");
        let shown = bar.clone();
        let terminal = *self;
        let last = Mutex::new((String::new(), Instant::now()));
        let control =
            Control::with_seed(seed)
                .with_cancel_flag(stop)
                .on_progress(move |fraction, stage| {
                    shown.set_message(stage.to_owned());
                    shown.set_position((fraction * 1000.0) as u64);
                    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                    let (begun, start) = &mut *last;
                    if begun != stage || fraction >= 1.0 {
                        if !begun.is_empty() {
                            let seconds = start.elapsed().as_secs_f64();
                            let done = format!("{begun}: {seconds:.2} s");
                            shown.suspend(|| terminal.detail(done));
                        }
                        *last = (stage.to_owned(), Instant::now());
                    }
                });
        (control, bar)
    }
}

/// The arguments parse, but make no sense together or here: exit code 2, as for those that clap
/// refuses.
#[derive(Debug)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Whether whoever reads standard output has seen enough, such as `head`: no failure.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// 2 for wrong usage, 130 after Ctrl-C (128 + SIGINT, as shells expect), 1 otherwise.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<UsageError>() {
        ExitCode::from(2)
    } else if error.is::<Interrupted>() {
        ExitCode::from(crate::interrupt::EXIT_CODE)
    } else {
        ExitCode::FAILURE
    }
}
