//! Between NCHW, which callers have, and channels-last rows, which the kernels compute on.
//!
//! With the channels innermost a vector holds output channels and pixels are scalars, so
//! narrow pictures, strides and dilations cost nothing.

use super::shape::Activation;
use super::simd::{MAX_LANES, Vector};

/// What is done to a result on its way into the output: `act(value + bias + residual)`.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue {
    /// One value per channel, or null.
    pub bias: *const f32,
    /// Same layout as the output, or null.
    pub residual: *const f32,
    pub act: Activation,
}

impl Epilogue {
    pub(crate) fn new(bias: Option<&[f32]>, residual: Option<&[f32]>, act: Activation) -> Self {
        let ptr = |slice: Option<&[f32]>| slice.map_or(std::ptr::null(), <[f32]>::as_ptr);
        Self {
            bias: ptr(bias),
            residual: ptr(residual),
            act,
        }
    }

    /// Nothing is done.
    pub(crate) fn none() -> Self {
        Self::new(None, None, Activation::None)
    }

    /// The same for the part of the output that starts `offset` elements later, at `channel`.
    pub(crate) fn at(self, channel: usize, offset: usize) -> Self {
        let add = |ptr: *const f32, n| {
            if ptr.is_null() {
                ptr
            } else {
                ptr.wrapping_add(n)
            }
        };
        Self {
            bias: add(self.bias, channel),
            residual: add(self.residual, offset),
            ..self
        }
    }
}

// SAFETY: the pointers are only read, and the slices behind them outlive the tasks.
unsafe impl Send for Epilogue {}
// SAFETY: as above.
unsafe impl Sync for Epilogue {}

/// Channels between two pixels of a channels-last buffer: whole vectors, except for maps so
/// thin that padding would multiply the work.
pub(crate) fn channel_pitch(channels: usize, lanes: usize) -> usize {
    if channels < lanes {
        channels
    } else {
        channels.next_multiple_of(lanes)
    }
}

/// `dst[x·pitch + c] = src[c·plane + x]` for one row; channels up to `pitch` become 0.
///
/// # Safety
/// The CPU has `V`; `src` is readable for `channels` planes of `width`, `dst` writable for
/// `width · pitch`, where `pitch` is [`channel_pitch`] of `channels`.
#[inline(always)]
pub(crate) unsafe fn pack_row<V: Vector>(
    src: *const f32,
    plane: usize,
    channels: usize,
    width: usize,
    dst: *mut f32,
    pitch: usize,
) {
    // SAFETY: blocks stay inside `width` and `pitch`; where a whole block would not fit it
    // goes through `rows` and `columns`, which hold the largest block.
    unsafe {
        if channels < V::LANES {
            for c in 0..channels {
                for x in 0..width {
                    *dst.add(x * pitch + c) = *src.add(c * plane + x);
                }
            }
            return;
        }
        let mut rows = [0.0f32; MAX_LANES * MAX_LANES];
        let mut columns = [0.0f32; MAX_LANES * MAX_LANES];
        for c in (0..channels).step_by(V::LANES) {
            for x in (0..width).step_by(V::LANES) {
                let count = V::LANES.min(width - x);
                let (src, dst) = (src.add(c * plane + x), dst.add(x * pitch + c));
                let depth = V::LANES.min(channels - c);
                if count == V::LANES && depth == V::LANES {
                    V::transpose(src, plane, dst, pitch);
                    continue;
                }
                for i in 0..depth {
                    let row = src.add(i * plane);
                    let row = if count == V::LANES {
                        V::load(row)
                    } else {
                        V::load_partial(row, count)
                    };
                    row.store(rows.as_mut_ptr().add(i * V::LANES));
                }
                for i in depth..V::LANES {
                    V::splat(0.0).store(rows.as_mut_ptr().add(i * V::LANES));
                }
                V::transpose(rows.as_ptr(), V::LANES, columns.as_mut_ptr(), V::LANES);
                for i in 0..count {
                    V::load(columns.as_ptr().add(i * V::LANES)).store(dst.add(i * pitch));
                }
            }
        }
    }
}

/// `dst[c·plane + x] = epilogue(src[x·pitch + c])` for `width` pixels.
///
/// # Safety
/// The CPU has `V`; `src` is readable for `width` rounded up to whole vectors times `pitch`,
/// which is a multiple of the vector; `dst` is writable, and the residual readable, for
/// `channels` planes of `width`; the bias is readable for `channels`.
#[inline(always)]
pub(crate) unsafe fn unpack_row<V: Vector>(
    src: *const f32,
    pitch: usize,
    channels: usize,
    width: usize,
    dst: *mut f32,
    plane: usize,
    epilogue: Epilogue,
) {
    // SAFETY: blocks are read whole, as the caller allows, and written as far as `width` and
    // `channels` go; `block` holds the largest one.
    unsafe {
        let mut block = [0.0f32; MAX_LANES * MAX_LANES];
        let (zero, slope) = (V::splat(0.0), V::splat(epilogue.act.slope()));
        for c in (0..channels).step_by(V::LANES) {
            for x in (0..width).step_by(V::LANES) {
                let count = V::LANES.min(width - x);
                V::transpose(src.add(x * pitch + c), pitch, block.as_mut_ptr(), V::LANES);
                for i in 0..V::LANES.min(channels - c) {
                    let mut value = V::load(block.as_ptr().add(i * V::LANES));
                    let offset = (c + i) * plane + x;
                    if !epilogue.bias.is_null() {
                        value = value.add(V::splat(*epilogue.bias.add(c + i)));
                    }
                    if !epilogue.residual.is_null() {
                        let residual = epilogue.residual.add(offset);
                        value = value.add(if count == V::LANES {
                            V::load(residual)
                        } else {
                            V::load_partial(residual, count)
                        });
                    }
                    if epilogue.act != Activation::None {
                        value = zero.max(value).add_mul(zero.min(value), slope);
                    }
                    if count == V::LANES {
                        value.store(dst.add(offset));
                    } else {
                        value.store_partial(dst.add(offset), count);
                    }
                }
            }
        }
    }
}

/// Fills `count` elements with zeros.
///
/// # Safety
/// `dst` is writable for `count` elements.
#[inline(always)]
pub(crate) unsafe fn clear(dst: *mut f32, count: usize) {
    // SAFETY: the caller's promise; zero bytes are 0.0.
    unsafe { std::ptr::write_bytes(dst, 0, count) }
}
