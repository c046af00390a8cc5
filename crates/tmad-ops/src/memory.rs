//! A global allocator that keeps large blocks.
//!
//! Every layer's output is a fresh block of megabytes. The usual allocators give such blocks back
//! to the kernel as soon as they are free, so that each pass through a network pays for its memory
//! again, page by page: a quarter of the time of inference on a large picture. [`Keeping`] takes
//! blocks of [`LARGE`] bytes and more from one reserved range of addresses, reuses what was freed,
//! and asks for huge pages, which also spares the kernels most misses when they walk through many
//! planes at once.
//!
//! What a program has used at its peak it keeps until it ends. Blocks lie as low in the range as
//! they fit, so that the peak is little more than what is alive at once.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::NonNull;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Smallest block that is kept; smaller ones are the system's business.
pub const LARGE: usize = 128 << 10;
/// Sizes are rounded up to this, and blocks aligned to it.
const UNIT: usize = 16 << 10;
/// Addresses to reserve. Memory is only taken for what is used.
const RESERVED: usize = 64 << 30;
/// Free runs between blocks at most; beyond, freed blocks are lost.
const MAX_RUNS: usize = 4096;

/// The allocator; to be the program's `#[global_allocator]`.
///
/// Only Linux has the range of addresses; elsewhere, and where the kernel refuses it, it is the
/// system's allocator.
#[derive(Debug, Default)]
pub struct Keeping;

static RANGE: OnceLock<Option<Range>> = OnceLock::new();

fn range() -> Option<&'static Range> {
    RANGE.get_or_init(Range::reserve).as_ref()
}

/// Whether [`Keeping`] takes a new block from the range.
fn is_kept(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= UNIT
}

// SAFETY: every block comes from the system's allocator or from the range, whose free runs do not
// overlap with blocks, and goes back to where its address says that it came from.
unsafe impl GlobalAlloc for Keeping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let kept = is_kept(layout)
            .then(|| range()?.take(layout.size()))
            .flatten();
        match kept {
            Some((block, _)) => block.as_ptr(),
            // SAFETY: the caller's promise.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let kept = is_kept(layout)
            .then(|| range()?.take(layout.size()))
            .flatten();
        match kept {
            Some((block, num_used)) => {
                // SAFETY: the block is that long; the rest of it was never touched.
                unsafe { block.write_bytes(0, num_used.min(layout.size())) };
                block.as_ptr()
            }
            // SAFETY: the caller's promise.
            None => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match RANGE.get() {
            Some(Some(range)) if range.contains(block) => range.give_back(block, layout.size()),
            // SAFETY: the caller's promise; the block does not come from the range.
            _ => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let is_ours = range_if_reserved().is_some_and(|range| range.contains(block));
        if is_ours && rounded(new_size) == rounded(layout.size()) {
            return block;
        }
        if !is_ours && new_size < LARGE {
            // SAFETY: the caller's promise; the block does not come from the range.
            return unsafe { System.realloc(block, layout, new_size) };
        }
        // SAFETY: the caller promises that the new size is a valid one for the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        // SAFETY: both blocks are as long as what is copied.
        unsafe {
            let moved = self.alloc(new_layout);
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

fn range_if_reserved() -> Option<&'static Range> {
    RANGE.get()?.as_ref()
}

fn rounded(size: usize) -> usize {
    size.next_multiple_of(UNIT)
}

/// The reserved addresses.
struct Range {
    base: NonNull<u8>,
    runs: Mutex<Runs>,
}

// SAFETY: the base is only a number; the lock guards who gets which part.
unsafe impl Send for Range {}
// SAFETY: as above.
unsafe impl Sync for Range {}

impl Range {
    #[cfg(target_os = "linux")]
    fn reserve() -> Option<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                RESERVED,
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return None;
        }
        // A hint: without huge pages everything works, only more slowly.
        // SAFETY: the mapping made above.
        unsafe { libc::madvise(base, RESERVED, libc::MADV_HUGEPAGE) };
        Some(Self {
            base: NonNull::new(base.cast())?,
            runs: Mutex::new(Runs::new(RESERVED)),
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn reserve() -> Option<Self> {
        None
    }

    fn contains(&self, block: *const u8) -> bool {
        (block as usize).wrapping_sub(self.base.as_ptr() as usize) < RESERVED
    }

    /// A block, and how many of its bytes were in use before; `None` where there is no room.
    fn take(&self, size: usize) -> Option<(NonNull<u8>, usize)> {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let (offset, num_used) = runs.take(size.checked_next_multiple_of(UNIT)?)?;
        // SAFETY: runs lie in the range.
        Some((unsafe { self.base.add(offset) }, num_used))
    }

    fn give_back(&self, block: *const u8, size: usize) {
        let offset = block as usize - self.base.as_ptr() as usize;
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.give_back(offset, rounded(size));
    }
}

/// Free parts of the range, in their order.
struct Runs {
    /// Start and length; an array, because a list that grows would need an allocator.
    runs: [(usize, usize); MAX_RUNS],
    num_runs: usize,
    /// Nothing from here on was ever in use.
    untouched: usize,
}

impl Runs {
    #[cfg(any(target_os = "linux", test))]
    fn new(len: usize) -> Self {
        let mut runs = [(0, 0); MAX_RUNS];
        runs[0] = (0, len);
        Self {
            runs,
            num_runs: 1,
            untouched: 0,
        }
    }

    /// The lowest place where `size` bytes fit, and how many of them were in use before.
    fn take(&mut self, size: usize) -> Option<(usize, usize)> {
        let index = (self.runs[..self.num_runs].iter()).position(|&(_, len)| len >= size)?;
        let (start, len) = self.runs[index];
        if len == size {
            self.runs.copy_within(index + 1..self.num_runs, index);
            self.num_runs -= 1;
        } else {
            self.runs[index] = (start + size, len - size);
        }
        let num_used = self.untouched.saturating_sub(start).min(size);
        self.untouched = self.untouched.max(start + size);
        Some((start, num_used))
    }

    fn give_back(&mut self, start: usize, size: usize) {
        let next = self.runs[..self.num_runs].partition_point(|&(other, _)| other < start);
        let joins_next = next < self.num_runs && self.runs[next].0 == start + size;
        let joins_last = next > 0 && self.runs[next - 1].0 + self.runs[next - 1].1 == start;
        match (joins_last, joins_next) {
            (true, true) => {
                self.runs[next - 1].1 += size + self.runs[next].1;
                self.runs.copy_within(next + 1..self.num_runs, next);
                self.num_runs -= 1;
            }
            (true, false) => self.runs[next - 1].1 += size,
            (false, true) => self.runs[next] = (start, size + self.runs[next].1),
            (false, false) if self.num_runs < MAX_RUNS => {
                self.runs.copy_within(next..self.num_runs, next + 1);
                self.runs[next] = (start, size);
                self.num_runs += 1;
            }
            (false, false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_freed_block_is_reused_and_neighbours_join() {
        let mut runs = Runs::new(100);
        assert_eq!(runs.take(10), Some((0, 0)));
        assert_eq!(runs.take(20), Some((10, 0)));
        assert_eq!(runs.take(30), Some((30, 0)));
        runs.give_back(10, 20);
        assert_eq!(runs.take(15), Some((10, 15)));
        runs.give_back(0, 10);
        runs.give_back(10, 15);
        runs.give_back(30, 30);
        assert_eq!((runs.num_runs, runs.runs[0]), (1, (0, 100)));
        assert_eq!(runs.take(70), Some((0, 60)));
        assert_eq!(runs.take(31), None);
    }

    /// Allocations, reallocations and frees by number of the block.
    #[derive(Debug, Clone)]
    enum Step {
        Take { size: usize, zeroed: bool },
        Resize { which: usize, size: usize },
        GiveBack { which: usize },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let size = || prop_oneof![1..LARGE, LARGE..(20 * UNIT), Just(LARGE), Just(40 * UNIT)];
        let step = prop_oneof![
            (size(), any::<bool>()).prop_map(|(size, zeroed)| Step::Take { size, zeroed }),
            (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize { which, size }),
            any::<usize>().prop_map(|which| Step::GiveBack { which }),
        ];
        proptest::collection::vec(step, 1..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn blocks_keep_their_content(steps in steps()) {
            let layout = |size| Layout::from_size_align(size, 64).unwrap();
            let mut blocks: Vec<(*mut u8, usize, u8)> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let mark = number as u8 + 1;
                // SAFETY: sizes are not 0; blocks are used and freed with their own layout.
                unsafe {
                    match step {
                        Step::Take { size, zeroed } => {
                            let block = if zeroed {
                                Keeping.alloc_zeroed(layout(size))
                            } else {
                                Keeping.alloc(layout(size))
                            };
                            prop_assert!(!block.is_null() && (block as usize).is_multiple_of(64));
                            let bytes = std::slice::from_raw_parts_mut(block, size);
                            prop_assert!(!zeroed || bytes.iter().all(|&byte| byte == 0));
                            bytes.fill(mark);
                            blocks.push((block, size, mark));
                        }
                        Step::Resize { which, size } if !blocks.is_empty() => {
                            let index = which % blocks.len();
                            let (block, old_size, old_mark) = blocks[index];
                            let block = Keeping.realloc(block, layout(old_size), size);
                            let bytes = std::slice::from_raw_parts_mut(block, size);
                            let kept = &bytes[..size.min(old_size)];
                            prop_assert!(kept.iter().all(|&byte| byte == old_mark));
                            bytes.fill(mark);
                            blocks[index] = (block, size, mark);
                        }
                        Step::GiveBack { which } if !blocks.is_empty() => {
                            let (block, size, mark) = blocks.swap_remove(which % blocks.len());
                            let bytes = std::slice::from_raw_parts(block, size);
                            prop_assert!(bytes.iter().all(|&byte| byte == mark));
                            Keeping.dealloc(block, layout(size));
                        }
                        _ => {}
                    }
                }
            }
            for (block, size, mark) in blocks {
                // SAFETY: as above.
                unsafe {
                    let bytes = std::slice::from_raw_parts(block, size);
                    prop_assert!(bytes.iter().all(|&byte| byte == mark));
                    Keeping.dealloc(block, layout(size));
                }
            }
        }
    }
}
