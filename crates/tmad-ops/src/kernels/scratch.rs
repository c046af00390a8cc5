//! Buffers that survive between calls, one pool per thread.
//!
//! Kernels need temporary memory of the same sizes in every call. Fresh memory costs page
//! faults, which on the thin layers take longer than the arithmetic.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Floats of a cache line.
pub(crate) const LINE: usize = 16;

/// One cache line, so that buffers are aligned for every vector.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A buffer of f32 aligned to a cache line.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlignedBuf {
    lines: Vec<Line>,
}

impl AlignedBuf {
    /// A buffer of at least `len` zeros.
    pub(crate) fn zeroed(len: usize) -> Self {
        let mut buf = Self::default();
        buf.grow(len);
        buf
    }

    fn grow(&mut self, len: usize) {
        let lines = len.div_ceil(LINE);
        if lines > self.lines.len() {
            self.lines.resize(lines, Line([0.0; LINE]));
        }
    }

    /// The elements.
    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is sixteen f32 without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    /// The elements.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: a `Line` is sixteen f32 without padding.
        unsafe {
            std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LINE)
        }
    }
}

thread_local! {
    static POOL: RefCell<Vec<AlignedBuf>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with a buffer of exactly `len` elements, aligned to a cache line, with whatever
/// an earlier user left in it.
///
/// The buffer is taken out of the pool for the call: a thread that waits inside `f` may start
/// another task of the same kind, which then gets another one.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buf = POOL.with_borrow_mut(Vec::pop).unwrap_or_default();
    buf.grow(len);
    let result = f(&mut buf.as_mut_slice()[..len]);
    POOL.with_borrow_mut(|pool| pool.push(buf));
    result
}

/// Where a kernel puts its result. Every element is written and none is read before, so the memory
/// need not be initialised: on the thin layers, filling it with zeros first would be a tenth of
/// the work.
#[derive(Debug)]
pub struct Output<'a> {
    start: *mut f32,
    len: usize,
    slice: PhantomData<&'a mut [f32]>,
}

impl Output<'_> {
    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The start, for tasks to share.
    pub(crate) fn shared(&mut self) -> SharedMut {
        SharedMut(self.start)
    }
}

impl<'a> From<&'a mut [f32]> for Output<'a> {
    fn from(slice: &'a mut [f32]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            slice: PhantomData,
        }
    }
}

impl<'a> From<&'a mut Vec<f32>> for Output<'a> {
    fn from(values: &'a mut Vec<f32>) -> Self {
        values.as_mut_slice().into()
    }
}

impl<'a, const N: usize> From<&'a mut [f32; N]> for Output<'a> {
    fn from(values: &'a mut [f32; N]) -> Self {
        values.as_mut_slice().into()
    }
}

impl<'a> From<&'a mut [MaybeUninit<f32>]> for Output<'a> {
    fn from(slice: &'a mut [MaybeUninit<f32>]) -> Self {
        Self {
            start: slice.as_mut_ptr().cast(),
            len: slice.len(),
            slice: PhantomData,
        }
    }
}

/// A vector of `len` elements that `fill`, a kernel, writes.
pub(crate) fn filled(len: usize, fill: impl FnOnce(Output)) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    fill((&mut values.spare_capacity_mut()[..len]).into());
    // SAFETY: kernels write every element of their output.
    unsafe { values.set_len(len) };
    values
}

/// A pointer that tasks on several threads share; each writes its own part.
#[derive(Clone, Copy)]
pub(crate) struct SharedMut(*mut f32);

// SAFETY: it is only a number; the users of the pointer answer for disjoint writes.
unsafe impl Send for SharedMut {}
// SAFETY: as above.
unsafe impl Sync for SharedMut {}

impl SharedMut {
    /// The start of `slice`, which stays borrowed by the caller for as long as tasks run.
    pub(crate) fn new(slice: &mut [f32]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// The pointer.
    pub(crate) fn get(self) -> *mut f32 {
        self.0
    }
}

/// Runs `task` for `0..count`, on the pool when the work is worth waking threads for.
pub(crate) fn for_each_task(count: usize, flops: u64, task: impl Fn(usize) + Send + Sync) {
    use rayon::prelude::*;
    // A wake-up costs some microseconds, in which one core does this many operations.
    const WORTH_A_THREAD: u64 = 500_000;
    if count < 2 || flops < WORTH_A_THREAD {
        (0..count).for_each(task);
    } else {
        (0..count).into_par_iter().with_max_len(1).for_each(task);
    }
}
