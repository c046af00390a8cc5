//! A network in a process of its own, whose time and memory are bounded.
//!
//! A model is a program: it can ask for any amount of memory and never end, and a process cannot
//! be protected against that from within. The program that wants a [`Sandbox`] starts itself
//! again in a mode in which it does nothing but call [`serve`].

use crate::OnnxError;
use crate::coarse::RunNetwork;
use crate::descriptor::Descriptor;
use crate::network::Network;
use crate::worker::{POLL, Worker};
use inpaint_core::{Control, Mask, RgbImage};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::Duration;

/// What a network may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space of its process. Enforced on Linux; elsewhere, most systems do not.
    pub memory_bytes: u64,
    /// Longest time for reading the file, and for every run.
    pub time: Duration,
    /// Threads on which it computes; one per core if not given. The result is the same.
    pub threads: Option<usize>,
}

impl Default for Limits {
    /// 8 GiB and five minutes: several times what the known networks need at 512 × 512.
    fn default() -> Self {
        Self {
            memory_bytes: 8 << 30,
            time: Duration::from_secs(300),
            threads: None,
        }
    }
}

/// What the process is told first.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Start {
    path: PathBuf,
    descriptor: Option<String>,
    limits: Limits,
}

/// What it answers when the network is ready.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    family: Option<String>,
    descriptor: Descriptor,
}

/// A network in a process of its own. The process stays for the next picture; after a failure it
/// is started anew. One picture is filled at a time.
pub struct Sandbox {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    start: Start,
    ready: Ready,
    worker: Mutex<Option<Worker>>,
}

impl Sandbox {
    /// Reads a network's file, as [`Network::load`], in a process that `command` starts and that
    /// calls [`serve`].
    ///
    /// # Errors
    ///
    /// [`OnnxError`] says what is wrong with the file or the descriptor, or that reading it took
    /// too much time or memory.
    pub fn load(
        command: impl Fn() -> Command + Send + Sync + 'static,
        path: &Path,
        descriptor: Option<&str>,
        limits: Limits,
    ) -> Result<Self, OnnxError> {
        let start = Start {
            path: path.to_owned(),
            descriptor: descriptor.map(str::to_owned),
            limits,
        };
        let (worker, ready) = begin(&command, &start, &Control::default())?;
        Ok(Self {
            command: Box::new(command),
            start,
            ready,
            worker: Mutex::new(Some(worker)),
        })
    }

    /// What the network was recognised as.
    pub fn family(&self) -> Option<&str> {
        self.ready.family.as_deref()
    }

    /// The worker, when it is done with other pictures.
    fn wait_for_turn(
        &self,
        control: &Control,
    ) -> Result<MutexGuard<'_, Option<Worker>>, OnnxError> {
        loop {
            match self.worker.try_lock() {
                Ok(place) => return Ok(place),
                // A thread that panicked has left no worker that could be in the middle of something.
                Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => thread::sleep(POLL),
            }
            if control.is_cancelled() {
                return Err(OnnxError::Cancelled);
            }
        }
    }
}

fn begin(
    command: &dyn Fn() -> Command,
    start: &Start,
    control: &Control,
) -> Result<(Worker, Ready), OnnxError> {
    let text = serde_json::to_vec(start).map_err(|error| OnnxError::Run(error.to_string()))?;
    let mut worker = Worker::start(command(), start.limits)?;
    let ready = worker.ask(&[&text], control)?;
    let ready = serde_json::from_slice(&ready).map_err(|error| {
        let hint = "the program that was started runs no networks";
        OnnxError::Stopped(format!("{hint}: {error}"))
    })?;
    Ok((worker, ready))
}

impl RunNetwork for Sandbox {
    fn descriptor(&self) -> &Descriptor {
        &self.ready.descriptor
    }

    fn run(&self, image: &RgbImage, mask: &Mask, control: &Control) -> Result<RgbImage, OnnxError> {
        let mut place = self.wait_for_turn(control)?;
        let mut worker = match place.take() {
            Some(worker) => worker,
            None => begin(&*self.command, &self.start, control)?.0,
        };
        let (width, height) = image.dimensions();
        let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
        let answer = worker.ask(&[&size, image.as_raw(), mask.as_bytes()], control);
        let is_alive = matches!(answer, Ok(_) | Err(OnnxError::Answer(_)));
        *place = is_alive.then_some(worker);
        RgbImage::from_raw(width, height, answer?)
            .ok_or_else(|| OnnxError::Output("the picture has another size".to_owned()))
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("start", &self.start)
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

/// The other side of a [`Sandbox`]: bounds this process, reads the network that `input` names, and
/// fills pictures until `input` ends.
///
/// # Errors
///
/// When `input` or `output` fail; what is wrong with a network or a picture is answered instead.
pub fn serve(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let start = read_frame(&mut input)?;
    let Start {
        path,
        descriptor,
        limits,
    } = serde_json::from_slice(&start)?;
    limit_memory(limits.memory_bytes)?;
    let watchdog = Watchdog::new(2 * limits.time);
    watchdog.begin();
    let network = match Network::load(&path, descriptor.as_deref()) {
        Ok(network) => match limits.threads {
            Some(threads) => network.with_threads(threads),
            None => network,
        },
        Err(error) => return answer(&mut output, Err(error)),
    };
    watchdog.end();
    let ready = serde_json::to_vec(&Ready {
        family: network.family().map(str::to_owned),
        descriptor: network.descriptor().clone(),
    })?;
    answer(&mut output, Ok(ready))?;
    loop {
        let request = match read_frame(&mut input) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            request => request?,
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a damaged request");
        let (image, mask) = picture(&request).ok_or_else(damaged)?;
        watchdog.begin();
        let filled = network.run(&image, &mask, &Control::default());
        watchdog.end();
        answer(&mut output, filled.map(RgbImage::into_raw))?;
    }
}

fn picture(request: &[u8]) -> Option<(RgbImage, Mask)> {
    let (size, rest) = request.split_at_checked(8)?;
    let side = |bytes: &[u8]| bytes.try_into().ok().map(u32::from_le_bytes);
    let (width, height) = (side(&size[..4])?, side(&size[4..])?);
    let num_bytes = (width as usize)
        .checked_mul(height as usize)?
        .checked_mul(3)?;
    let (colours, holes) = rest.split_at_checked(num_bytes)?;
    let image = RgbImage::from_raw(width, height, colours.to_vec())?;
    let mask = Mask::from_bytes(width, height, holes.to_vec()).ok()?;
    Some((image, mask))
}

/// The length of what follows, in little-endian order, and what follows.
fn read_frame(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let mut frame = Vec::new();
    let length = u64::from_le_bytes(length);
    if input.take(length).read_to_end(&mut frame)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame)
}

/// As a request, after a byte that is 1 for an error.
fn answer(output: &mut impl Write, answer: Result<Vec<u8>, OnnxError>) -> io::Result<()> {
    let (is_error, bytes) = match answer {
        Ok(bytes) => (0, bytes),
        Err(error) => (1, error.to_string().into_bytes()),
    };
    output.write_all(&[is_error])?;
    output.write_all(&(bytes.len() as u64).to_le_bytes())?;
    output.write_all(&bytes)?;
    output.flush()
}

#[cfg(unix)]
fn limit_memory(bytes: u64) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::As).maximum;
    let limit = Rlimit {
        current: Some(maximum.map_or(bytes, |maximum| maximum.min(bytes))),
        maximum,
    };
    Ok(setrlimit(Resource::As, limit)?)
}

#[cfg(not(unix))]
fn limit_memory(_: u64) -> io::Result<()> {
    Ok(())
}

/// Ends this process when something takes too long and nobody is left to end it.
struct Watchdog {
    begins: SyncSender<bool>,
}

impl Watchdog {
    fn new(time: Duration) -> Self {
        let (begins, heard) = sync_channel(0);
        thread::spawn(move || {
            while let Ok(begins) = heard.recv() {
                let is_late = begins && heard.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
                if is_late {
                    std::process::exit(1);
                }
            }
        });
        Self { begins }
    }

    fn begin(&self) {
        // The thread ends with this value only.
        let _ = self.begins.send(true);
    }

    fn end(&self) {
        let _ = self.begins.send(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_requests_are_refused() {
        let mut request = [2u32.to_le_bytes(), 1u32.to_le_bytes()].concat();
        request.extend([1, 2, 3, 4, 5, 6, 0, 1]);
        let (image, mask) = picture(&request).unwrap();
        assert_eq!(image.as_raw(), &[1, 2, 3, 4, 5, 6]);
        assert_eq!(mask.as_bytes(), [0, 1]);
        for length in 0..request.len() {
            assert!(picture(&request[..length]).is_none(), "{length} bytes");
        }
        let huge = [u32::MAX.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
        assert!(picture(&huge).is_none());
        let mut short = 9u64.to_le_bytes().to_vec();
        short.extend([1, 2]);
        assert!(read_frame(&mut short.as_slice()).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_answered() {
        let start = Start {
            path: "there/is/no.onnx".into(),
            descriptor: None,
            limits: Limits {
                // The limit holds for the process of the tests.
                memory_bytes: u64::MAX >> 1,
                ..Limits::default()
            },
        };
        let text = serde_json::to_vec(&start).unwrap();
        let request = [(text.len() as u64).to_le_bytes().to_vec(), text].concat();
        let mut output = Vec::new();
        serve(request.as_slice(), &mut output).unwrap();
        assert_eq!(output[0], 1);
        assert!(String::from_utf8_lossy(&output[9..]).contains("cannot read there/is/no.onnx"));
    }
}
