//! `tmad inpaint` on a folder: every picture on its own, one method in memory for all.

use crate::commands::inpaint::Report;
use crate::interrupt::Interrupted;
use crate::job::{Filled, Job};
use crate::location::{Location, extension};
use crate::mask_names::is_mask_name;
use crate::shard::Shard;
use crate::terminal::{Terminal, UsageError};
use anyhow::{Result, bail};
use clap::Args;
use inpaint_core::Control;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Extensions of pictures. Those that cannot be read are tried, too: better a failure with the
/// reason than a photo that is missing without a word.
const PICTURES: [&str; 16] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "tif", "tiff", "bmp", "heic", "heif", "avif",
    "jxl", "gif", "jp2", "psd",
];

/// Options for folders of photos.
#[derive(Debug, Args)]
#[command(next_help_heading = "Folders")]
pub struct FolderArgs {
    /// Photos in the folders below, too
    #[arg(short, long)]
    recursive: bool,
    /// Pictures at the same time; each needs memory of its own
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Leave results alone that are there already
    #[arg(long)]
    skip_existing: bool,
    /// Stop at the first picture that fails
    #[arg(long, conflicts_with = "keep_going")]
    fail_fast: bool,
    /// Go on behind a picture that fails, and report it at the end; the default
    #[arg(long)]
    keep_going: bool,
    /// Take only one of N parts of the folder, I from 0 to N−1. `auto/N` and `auto` take the
    /// numbers from a Kubernetes indexed job or a Slurm array
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
}

impl FolderArgs {
    /// Whether results that are there already are left alone.
    pub fn skips_existing(&self) -> bool {
        self.skip_existing
    }

    /// Whether an option says that a folder is meant.
    pub fn is_batch(&self) -> bool {
        let is_any_set = self.recursive || self.skip_existing || self.fail_fast || self.keep_going;
        is_any_set || self.jobs.is_some() || self.shard.is_some()
    }

    /// Refuses options that mean nothing for one photo.
    ///
    /// # Errors
    ///
    /// If `--recursive` or `--shard` is given: the photo is not what the user believes.
    pub fn refuse(&self, photo: &str) -> Result<(), UsageError> {
        if self.recursive || self.shard.is_some() {
            let message = format!("--recursive and --shard are for folders; {photo} is none");
            return Err(UsageError(message));
        }
        Ok(())
    }
}

/// What became of the pictures.
#[derive(Default)]
struct Tally {
    num_written: AtomicUsize,
    num_skipped: AtomicUsize,
    failures: Mutex<Vec<(String, anyhow::Error)>>,
}

/// A photo and where its result goes.
struct Item {
    /// Below the folder; finds the mask.
    name: String,
    photo: Location,
    result: Location,
}

/// The pictures of a run.
pub struct Items {
    items: Vec<Item>,
    /// Of all shards.
    num_all: usize,
}

impl Items {
    /// All pictures of a folder, or this run's shard of them.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or holds no picture.
    pub fn of_folder(
        args: &FolderArgs,
        job: &Job,
        photos: &Location,
        results: &Location,
    ) -> Result<Self> {
        results.check_result_folder(photos)?;
        let masks = job.mask_args.location()?;
        let skip: Vec<&Location> = [Some(results), masks.as_ref()]
            .into_iter()
            .flatten()
            .collect();
        let mut names = photos.list(args.recursive, &skip)?;
        names.retain(|name| PICTURES.contains(&extension(name).to_ascii_lowercase().as_str()));
        // Masks may lie beside their photos.
        if job.masks.is_folder() {
            names.retain(|name| !is_mask_name(name));
        }
        if names.is_empty() {
            let hint = if args.recursive {
                ""
            } else {
                "; --recursive looks into the folders below"
            };
            bail!("there are no photos in {photos}{hint}");
        }
        let num_all = names.len();
        if let Some(shard) = args.shard {
            names.retain(|name| shard.holds(name));
        }
        let item = |name: String| Item {
            photo: photos.join(&name),
            result: results.join(&name),
            name,
        };
        Ok(Self {
            items: names.into_iter().map(item).collect(),
            num_all,
        })
    }

    /// These photos.
    ///
    /// # Errors
    ///
    /// If two of them have one name, or a result would take a photo's place.
    pub fn listed(photos: &[Location], results: &Location) -> Result<Self> {
        let mut items: Vec<Item> = Vec::new();
        for photo in photos {
            let name = photo.name();
            if let Some(other) = items.iter().find(|item| item.name == name) {
                let other = &other.photo;
                let message = format!("{other} and {photo} would have one result; rename one");
                return Err(UsageError(message).into());
            }
            let result = results.join(&name);
            if result.to_string() == photo.to_string() {
                let message = format!("{photo} would be written over; give another folder");
                return Err(UsageError(message).into());
            }
            let photo = photo.clone();
            items.push(Item {
                name,
                photo,
                result,
            });
        }
        let num_all = items.len();
        Ok(Self { items, num_all })
    }
}

/// Fills many pictures.
///
/// # Errors
///
/// If a picture fails, or the user interrupts.
pub fn run(
    args: &FolderArgs,
    job: &Job,
    Items { items, num_all }: &Items,
    control: &Control,
    stop: &AtomicBool,
    report: &Report,
) -> Result<()> {
    let num_jobs = args
        .jobs
        .map_or_else(default_jobs, usize::from)
        .min(items.len());
    let bar = report
        .terminal
        .progress_bar(items.len() as u64, "{pos}/{len} {wide_bar} {eta:>4}");
    let start = Instant::now();
    let tally = Tally::default();
    let next = AtomicUsize::new(0);
    let fail_fast = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..num_jobs {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if stop.load(Ordering::Relaxed) || fail_fast.load(Ordering::Relaxed) {
                        return;
                    }
                    let outcome = one(args, job, item, control);
                    let (photo, result) = (item.photo.to_string(), item.result.to_string());
                    bar.suspend(|| match outcome {
                        Ok(None) => {
                            tally.num_skipped.fetch_add(1, Ordering::Relaxed);
                            report.skipped(&photo, &result);
                        }
                        Ok(Some((filled, took))) => {
                            tally.num_written.fetch_add(1, Ordering::Relaxed);
                            report.done(&photo, &result, &filled, took);
                        }
                        Err(error) if error.is::<Interrupted>() => {}
                        Err(error) => {
                            report.failed(&photo, &error);
                            fail_fast.store(args.fail_fast, Ordering::Relaxed);
                            let mut failures =
                                (tally.failures.lock()).unwrap_or_else(PoisonError::into_inner);
                            failures.push((photo, error));
                        }
                    });
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    summarise(tally, items.len(), *num_all, start, stop, report.terminal)
}

fn default_jobs() -> usize {
    // Two, so that one picture is read while another is filled; more cost memory for little.
    thread::available_parallelism().map_or(1, |n| n.get().min(2))
}

/// Fills one picture; `None` if its result is there already.
fn one(
    args: &FolderArgs,
    job: &Job,
    item: &Item,
    control: &Control,
) -> Result<Option<(Filled, std::time::Duration)>> {
    let start = Instant::now();
    let result = &item.result;
    if args.skip_existing && result.exists()? {
        return Ok(None);
    }
    let file = item.photo.read()?;
    let mut filled = job.run(&item.name, file, &result.to_string(), None, control)?;
    control.check_cancelled().map_err(|_| Interrupted)?;
    result.create_parent()?;
    result.write(std::mem::take(&mut filled.bytes))?;
    Ok(Some((filled, start.elapsed())))
}

fn summarise(
    tally: Tally,
    num_names: usize,
    num_all: usize,
    start: Instant,
    stop: &AtomicBool,
    terminal: &Terminal,
) -> Result<()> {
    let written = tally.num_written.into_inner();
    let skipped = tally.num_skipped.into_inner();
    let mut failures = tally
        .failures
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    failures.sort_by(|a, b| a.0.cmp(&b.0));
    let seconds = start.elapsed().as_secs_f64();
    let mut parts = vec![format!("{written} written")];
    if skipped > 0 {
        parts.push(format!("{skipped} there already"));
    }
    if !failures.is_empty() {
        parts.push(format!("{} failed", failures.len()));
    }
    let left = num_names - written - skipped - failures.len();
    if left > 0 {
        parts.push(format!("{left} not tried"));
    }
    if num_names < num_all {
        parts.push(format!("{} left to other shards", num_all - num_names));
    }
    terminal.note(format_args!(
        "{} in {seconds:.1} s ({:.2} pictures per second)",
        parts.join(", "),
        written as f64 / seconds.max(1e-3),
    ));
    for (_, error) in &failures {
        terminal.error(error);
    }
    if stop.load(Ordering::Relaxed) {
        bail!(Interrupted);
    }
    if !failures.is_empty() {
        bail!("{} of {num_names} pictures failed", failures.len());
    }
    Ok(())
}
