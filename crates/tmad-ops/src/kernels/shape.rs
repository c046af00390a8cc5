//! Sizes of a convolution and what happens to its result before it is stored.

use std::cell::RefCell;
use std::ops::Range;

/// What the kernels were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Floating point operations of the plain algorithms, two per multiply-add.
    pub flops: u64,
    /// The convolutions, without those of backward passes.
    pub convolutions: Vec<Conv2dShape>,
}

thread_local! {
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// Adds to what [`recording`] notes down on this thread.
pub(crate) fn note(flops: u64, convolution: Option<&Conv2dShape>) {
    RECORD.with_borrow_mut(|record| {
        if let Some(record) = record {
            record.flops += flops;
            record.convolutions.extend(convolution);
        }
    });
}

/// Runs `f` and notes down which kernels this thread calls meanwhile, for benchmarks.
pub fn recording<R>(f: impl FnOnce() -> R) -> (R, Record) {
    let outer = RECORD.replace(Some(Record::default()));
    let result = f();
    let record = RECORD.replace(outer).unwrap_or_default();
    (result, record)
}

/// Sizes of one 2-D convolution: zero padding, one group, square kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv2dShape {
    /// Number of images.
    pub batch: usize,
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Rows and columns of the kernel; the networks use 1, 3 and 4.
    pub kernel: usize,
    /// Step between output positions, in input pixels.
    pub stride: usize,
    /// Distance between kernel taps, in input pixels.
    pub dilation: usize,
    /// Zeros added on each of the four sides.
    pub padding: usize,
}

impl Conv2dShape {
    /// Rows of the output; 0 where the kernel is larger than the padded input.
    pub fn out_height(&self) -> usize {
        self.out_size(self.height)
    }

    /// Columns of the output; 0 where the kernel is larger than the padded input.
    pub fn out_width(&self) -> usize {
        self.out_size(self.width)
    }

    fn out_size(&self, size: usize) -> usize {
        let span = self.dilation * (self.kernel - 1) + 1;
        match (size + 2 * self.padding).checked_sub(span) {
            Some(room) if size > 0 => room / self.stride + 1,
            _ => 0,
        }
    }

    /// Elements of the input, `[batch, in_channels, height, width]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.in_channels * self.height * self.width
    }

    /// Elements of the output, `[batch, out_channels, out_height, out_width]`.
    pub fn output_len(&self) -> usize {
        self.batch * self.out_channels * self.out_height() * self.out_width()
    }

    /// Elements of the weight, `[out_channels, in_channels, kernel, kernel]`.
    pub fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }

    /// Floating point operations of the plain convolution, two per multiply-add.
    pub fn flops(&self) -> u64 {
        2 * self.output_len() as u64 * (self.in_channels * self.kernel * self.kernel) as u64
    }

    /// # Panics
    /// If the kernel, the stride or the dilation is 0.
    pub(crate) fn check(&self) {
        assert!(self.kernel > 0, "the kernel size must not be 0");
        assert!(self.stride > 0, "the stride must not be 0");
        assert!(self.dilation > 0, "the dilation must not be 0");
    }
}

/// What is applied to `conv + bias + residual`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Activation {
    /// The identity.
    #[default]
    None,
    /// `max(x, 0) + slope · min(x, 0)`.
    LeakyRelu(f32),
}

impl Activation {
    /// The factor of negative values; 1 for the identity.
    pub(crate) fn slope(self) -> f32 {
        match self {
            Self::None => 1.0,
            Self::LeakyRelu(slope) => slope,
        }
    }

    /// The activation of one value.
    pub fn apply(self, value: f32) -> f32 {
        if value < 0.0 {
            value * self.slope()
        } else {
            value
        }
    }
}

/// Sizes of a CARAFE ×2 reassembly with 5×5 kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CarafeShape {
    /// Number of images.
    pub batch: usize,
    /// Channels of the feature map.
    pub channels: usize,
    /// Rows of the input; the output has twice as many.
    pub height: usize,
    /// Columns of the input; the output has twice as many.
    pub width: usize,
}

/// Taps of a CARAFE kernel, row by row.
pub const CARAFE_TAPS: usize = 25;

impl CarafeShape {
    /// Elements of the input, `[batch, channels, height, width]`.
    pub fn input_len(&self) -> usize {
        self.batch * self.channels * self.height * self.width
    }

    /// Elements of the output, `[batch, channels, 2·height, 2·width]`.
    pub fn output_len(&self) -> usize {
        4 * self.input_len()
    }

    /// Floating point operations of the reassembly, two per multiply-add.
    pub fn flops(&self) -> u64 {
        2 * (CARAFE_TAPS * self.output_len()) as u64
    }

    /// Elements of the kernels, `[batch, 25, 2·height, 2·width]`.
    pub fn kernels_len(&self) -> usize {
        4 * self.batch * CARAFE_TAPS * self.height * self.width
    }
}

/// Square windows of which a max pooling takes the largest value; without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool {
    /// Side of a window, in pixels.
    pub side: usize,
    /// Step between windows, in both directions; at least 1 and at most `side`.
    pub stride: usize,
    /// Whether a last window that reaches beyond the picture counts, too.
    pub ceil_mode: bool,
}

impl MaxPool {
    /// Number of windows along an axis of `input` pixels.
    ///
    /// # Panics
    ///
    /// If there is no window, or windows would leave pixels out.
    pub fn output_size(self, input: usize) -> usize {
        let Self { side, stride, .. } = self;
        assert!(
            (1..=side).contains(&stride),
            "windows of {side} px every {stride} px"
        );
        let fits = if self.ceil_mode { 1 } else { side };
        assert!(input >= fits, "no window of {side} px in {input} px");
        let steps = input.saturating_sub(side);
        1 + if self.ceil_mode {
            steps.div_ceil(stride)
        } else {
            steps / stride
        }
    }

    /// Pixels of window `index` along an axis of `input` pixels.
    pub(crate) fn window(self, index: usize, input: usize) -> Range<usize> {
        let start = index * self.stride;
        start..(start + self.side).min(input)
    }
}

/// Panics with both lengths unless a slice has the length its shape asks for.
pub(crate) fn check_len(name: &str, actual: usize, expected: usize) {
    assert_eq!(
        actual, expected,
        "{name} has {actual} elements, its shape {expected}"
    );
}
