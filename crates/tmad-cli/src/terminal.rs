//! What the user sees: notes, warnings, errors and progress, all on standard error, so that
//! standard output holds results only.

use crate::interrupt::Interrupted;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Standard error.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    quiet: bool,
}

impl Terminal {
    /// `quiet` leaves errors only.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether only errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Something that the user may want to know.
    pub fn note(&self, message: impl fmt::Display) {
        if !self.quiet {
            eprintln!("{message}");
        }
    }

    /// Something that may not be what the user wants.
    pub fn warn(&self, message: impl fmt::Display) {
        self.note(format_args!("warning: {message}"));
    }

    /// Why the command failed.
    pub fn error(&self, error: &anyhow::Error) {
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
        eprintln!("error: {message}");
    }

    /// A bar of `length` steps that is gone when finished; shown on a terminal only.
    pub fn progress_bar(&self, length: u64, template: &str) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(template).expect("templates are constants");
        // Indicatif itself draws nothing when standard error is no terminal.
        ProgressBar::new(length).with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
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
