//! A process that is asked and answers, or is ended.

use crate::OnnxError;
use crate::sandbox::Limits;
use inpaint_core::Control;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is looked whether the caller wants to stop.
pub const POLL: Duration = Duration::from_millis(20);
/// Most of what the process writes to its standard error that is kept.
const MAX_COMPLAINTS: u64 = 64 << 10;
/// Longest answer; a picture of the largest size that a descriptor allows has 48 MiB.
const MAX_ANSWER: u64 = 64 << 20;

/// An answer, or what the process calls an error.
type Answer = Result<Vec<u8>, String>;

/// The process.
pub struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<io::Result<Answer>>,
    complaints: Option<JoinHandle<String>>,
    limits: Limits,
}

impl Worker {
    /// Starts it.
    pub fn start(mut command: Command, limits: Limits) -> Result<Self, OnnxError> {
        #[cfg(unix)]
        {
            // Ctrl-C is for the program that started it, which then ends it.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        let mut child = (command.stdin(Stdio::piped()).stdout(Stdio::piped()))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                let program = command.get_program().display();
                OnnxError::Stopped(format!("cannot start {program}: {error}"))
            })?;
        let input = child.stdin.take();
        let mut output = child.stdout.take().expect("it is piped");
        let errors = child.stderr.take().expect("it is piped");
        let (send, answers) = channel();
        thread::spawn(move || {
            loop {
                let answer = read_answer(&mut output);
                let is_last = answer.is_err();
                if send.send(answer).is_err() || is_last {
                    return;
                }
            }
        });
        let complaints = thread::spawn(move || {
            let mut errors = errors;
            let mut kept = Vec::new();
            // Whatever cannot be read any more is not missed.
            let _ = errors.by_ref().take(MAX_COMPLAINTS).read_to_end(&mut kept);
            let _ = io::copy(&mut errors, &mut io::sink());
            String::from_utf8_lossy(&kept).into_owned()
        });
        Ok(Self {
            child,
            input,
            answers,
            complaints: Some(complaints),
            limits,
        })
    }

    /// Sends a request, in parts, and waits for the answer. After an error other than
    /// [`OnnxError::Answer`] the worker is of no use any more.
    pub fn ask(&mut self, parts: &[&[u8]], control: &Control) -> Result<Vec<u8>, OnnxError> {
        let deadline = Instant::now() + self.limits.time;
        if self.send(parts).is_err() {
            return Err(self.stopped());
        }
        loop {
            match self.answers.recv_timeout(POLL) {
                Ok(Ok(answer)) => return answer.map_err(OnnxError::Answer),
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(self.stopped()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if control.is_cancelled() {
                return Err(OnnxError::Cancelled);
            }
            if Instant::now() > deadline {
                return Err(OnnxError::TimedOut(self.limits.time));
            }
        }
    }

    fn send(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let length: usize = parts.iter().map(|part| part.len()).sum();
        input.write_all(&(length as u64).to_le_bytes())?;
        parts.iter().try_for_each(|part| input.write_all(part))?;
        input.flush()
    }

    /// Why it ended by itself.
    fn stopped(&mut self) -> OnnxError {
        let status = self.end();
        let complaints = (self.complaints.take())
            .and_then(|complaints| complaints.join().ok())
            .unwrap_or_default();
        if complaints.contains("memory allocation of") || complaints.contains("Cannot allocate") {
            let most = self.limits.memory_bytes >> 20;
            return OnnxError::Stopped(format!("it needs more than {most} MiB of memory"));
        }
        let status = status.map_or("unknown".to_owned(), |status| status.to_string());
        match complaints
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
        {
            Some(line) => OnnxError::Stopped(format!("{line} ({status})")),
            None => OnnxError::Stopped(format!("its process ended ({status})")),
        }
    }

    /// Ends it, if it has not ended; how it ended.
    fn end(&mut self) -> Option<std::process::ExitStatus> {
        self.input = None;
        // What broke its answers may still be about to end it; its own end tells more.
        for _ in 0..10 {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(POLL),
                ended => return ended.ok().flatten(),
            }
        }
        // It may have ended in this moment.
        let _ = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_answer(output: &mut ChildStdout) -> io::Result<Answer> {
    let mut head = [0; 9];
    output.read_exact(&mut head)?;
    let [is_error, length @ ..] = head;
    let length = u64::from_le_bytes(length);
    if length > MAX_ANSWER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; length as usize];
    output.read_exact(&mut bytes)?;
    Ok(match is_error {
        0 => Ok(bytes),
        _ => Err(String::from_utf8_lossy(&bytes).into_owned()),
    })
}
