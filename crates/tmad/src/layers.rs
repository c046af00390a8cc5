//! The blocks that both networks are made of (spec of the paper's Section III, PGGAN's blocks,
//! CARAFE's upsampling).
//!
//! Every convolution has a bias and zero padding that keeps the size (before striding). Leaky
//! ReLU follows every convolution except where [`Conv2d::linear`] says otherwise.

use crate::tensors::tensor_values;
use burn::module::{Module, Param};
use burn::tensor::ops::PadMode;
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::Random;
use tmad_ops::{CARAFE_TAPS, Conv2dOptions, KeptWeights, conv2d_fused};

/// Slope of every leaky ReLU for negative values (Section III-A).
pub const NEGATIVE_SLOPE: f32 = 0.2;

/// Where a network's initial weights come from: one seeded sequence, drawn in the order in which
/// the layers are created, on the CPU, so that a seed means the same network on every device.
pub struct Initializer<'a> {
    /// `None` for zeros.
    random: Option<Random>,
    device: &'a Device,
}

impl<'a> Initializer<'a> {
    /// Starts the sequence of `seed` for parameters on `device`.
    pub fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            random: Some(Random::new(seed)),
            device,
        }
    }

    /// Zeros everywhere, for networks whose weights are about to be loaded: millions of normally
    /// distributed numbers take as long as a whole small picture.
    pub fn zeros(device: &'a Device) -> Self {
        Self {
            random: None,
            device,
        }
    }

    fn parameter<const D: usize>(
        &mut self,
        shape: [usize; D],
        mut draw: impl FnMut(&mut Random) -> f64,
    ) -> Param<Tensor<D>> {
        let len = shape.iter().product::<usize>();
        let values: Vec<f32> = match &mut self.random {
            Some(random) => (0..len).map(|_| draw(random) as f32).collect(),
            None => vec![0.0; len],
        };
        Param::from_data(TensorData::new(values, shape), self.device)
    }
}

/// A square convolution.
#[derive(Module, Debug)]
pub struct Conv2d {
    /// `[out_channels, in_channels, k, k]`
    pub weight: Param<Tensor<4>>,
    /// `[out_channels]`
    pub bias: Param<Tensor<1>>,
    #[module(skip)]
    options: Conv2dOptions,
    #[module(skip)]
    kept: KeptWeights,
}

impl Conv2d {
    /// `in_channels` → `out_channels` with a `kernel` × `kernel` window, He-initialised for leaky
    /// ReLU: normal with standard deviation √(2 / (1.04 · fan-in)), zero bias.
    pub fn new(
        init: &mut Initializer,
        in_channels: usize,
        out_channels: usize,
        kernel: usize,
    ) -> Self {
        let fan_in = (in_channels * kernel * kernel) as f64;
        let slope = NEGATIVE_SLOPE as f64;
        let deviation = (2.0 / ((1.0 + slope * slope) * fan_in)).sqrt();
        Self::with_weight(
            init,
            [out_channels, in_channels, kernel, kernel],
            |random| deviation * random.normal(),
        )
    }

    fn with_weight(
        init: &mut Initializer,
        shape: [usize; 4],
        draw: impl FnMut(&mut Random) -> f64,
    ) -> Self {
        Self {
            weight: init.parameter(shape, draw),
            bias: init.parameter([shape[0]], |_| 0.0),
            options: Conv2dOptions {
                stride: 1,
                padding: shape[2] / 2,
                dilation: 1,
                negative_slope: Some(NEGATIVE_SLOPE),
            },
            kept: KeptWeights::default(),
        }
    }

    /// Without leaky ReLU.
    pub fn linear(mut self) -> Self {
        self.options.negative_slope = None;
        self
    }

    /// With all weights zero, so that the output starts at zero.
    pub fn zeroed(mut self) -> Self {
        self.weight = self.weight.map(|weight| {
            let zeros = Tensor::zeros_like(&weight);
            if weight.is_require_grad() {
                zeros.require_grad()
            } else {
                zeros
            }
        });
        self
    }

    /// With this many more input channels, which have no effect yet.
    pub fn widened(mut self, more: usize) -> Self {
        self.weight = self.weight.map(|weight| {
            let ([out, channels, height, width], device) = (weight.dims(), weight.device());
            let is_trained = weight.is_require_grad();
            let old = tensor_values(weight);
            let mut values = Vec::with_capacity(out * (channels + more) * height * width);
            for kernel in old.chunks_exact(channels * height * width) {
                values.extend_from_slice(kernel);
                values.resize(values.len() + more * height * width, 0.0);
            }
            let shape = [out, channels + more, height, width];
            let wider = Tensor::from_data(TensorData::new(values, shape), &device);
            if is_trained {
                wider.require_grad()
            } else {
                wider
            }
        });
        self
    }

    /// With these biases.
    ///
    /// # Panics
    ///
    /// If there is not one per output channel.
    pub fn biased(mut self, biases: &[f32]) -> Self {
        self.bias = self.bias.map(|bias| {
            assert_eq!(bias.dims(), [biases.len()], "one bias per output channel");
            let data = TensorData::new(biases.to_vec(), [biases.len()]);
            let tensor = Tensor::from_data(data, &bias.device());
            if bias.is_require_grad() {
                tensor.require_grad()
            } else {
                tensor
            }
        });
        self
    }

    /// With this step between outputs.
    pub fn stride(mut self, stride: usize) -> Self {
        self.options.stride = stride;
        self
    }

    /// With this zero padding on each side instead of half the kernel.
    pub fn padding(mut self, padding: usize) -> Self {
        self.options.padding = padding;
        self
    }

    /// With this distance between kernel taps, and the padding that keeps the size of a 3×3
    /// convolution.
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.options.dilation = dilation;
        self.options.padding = dilation;
        self
    }

    /// Applies the convolution and, unless linear, leaky ReLU.
    ///
    /// # Shapes
    ///
    /// `[batch, in_channels, height, width]` → `[batch, out_channels, height', width']`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, None)
    }

    /// As [`Conv2d::forward`], with `residual`, of the result's shape, added in front of the
    /// activation.
    pub fn forward_onto(&self, x: Tensor<4>, residual: Tensor<4>) -> Tensor<4> {
        self.run(x, Some(residual))
    }

    fn run(&self, x: Tensor<4>, residual: Option<Tensor<4>>) -> Tensor<4> {
        conv2d_fused(
            x,
            self.weight.val(),
            self.bias.val(),
            residual,
            self.options,
            Some(&self.kept),
        )
    }
}

/// Halves the resolution: 3×3 a→a, then 3×3 a→b of which every second pixel is kept (PGGAN's
/// discriminator block with nearest-neighbour halving).
///
/// The halving is done as a stride of the second convolution, which is the same for even sides.
#[derive(Module, Debug)]
pub struct Down {
    conv1: Conv2d,
    conv2: Conv2d,
}

impl Down {
    /// `in_channels` → `out_channels`.
    pub fn new(init: &mut Initializer, in_channels: usize, out_channels: usize) -> Self {
        Self {
            conv1: Conv2d::new(init, in_channels, in_channels, 3),
            conv2: Conv2d::new(init, in_channels, out_channels, 3).stride(2),
        }
    }

    /// With zeros as its output, whatever the input.
    #[cfg(test)]
    pub fn silenced(mut self) -> Self {
        self.conv2 = self.conv2.zeroed();
        self
    }

    /// `[batch, a, height, width]` → `[batch, b, ⌈height/2⌉, ⌈width/2⌉]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv2.forward(self.conv1.forward(x))
    }
}

/// Residual block of EdgeConnect: x + conv(lrelu(dilated conv(x))).
#[derive(Module, Debug)]
pub struct Residual {
    conv1: Conv2d,
    conv2: Conv2d,
}

impl Residual {
    /// `channels` → `channels`; the second convolution starts at a tenth of He's deviation, so
    /// that a deep stack starts near the identity.
    pub fn new(init: &mut Initializer, channels: usize, dilation: usize) -> Self {
        let deviation = 0.1 * (2.0 / (1.04 * (channels * 9) as f64)).sqrt();
        Self {
            conv1: Conv2d::new(init, channels, channels, 3).dilation(dilation),
            conv2: Conv2d::with_weight(init, [channels, channels, 3, 3], |random| {
                deviation * random.normal()
            })
            .linear(),
        }
    }

    /// Same shape in and out.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.conv1.forward(x.clone());
        self.conv2.forward_onto(y, x)
    }
}

/// Content-aware upsampling ×2 (CARAFE, Wang et al., ICCV 2019, as mmcv implements it): a small
/// branch predicts, for every output pixel, the 5×5 kernel that reassembles it.
#[derive(Module, Debug)]
pub struct Carafe {
    compressor: Conv2d,
    encoder: Conv2d,
}

impl Carafe {
    /// Upsamples `channels`, predicting the kernels from `compressed_channels`.
    pub fn new(init: &mut Initializer, channels: usize, compressed_channels: usize) -> Self {
        // Xavier-uniform and N(0, 0.001), as mmcv: the first kernels are nearly box filters.
        let bound = (6.0 / (channels + compressed_channels) as f64).sqrt();
        Self {
            compressor: Conv2d::with_weight(
                init,
                [compressed_channels, channels, 1, 1],
                |random| bound * (2.0 * random.unit() - 1.0),
            )
            .linear(),
            encoder: Conv2d::with_weight(
                init,
                [4 * CARAFE_TAPS, compressed_channels, 3, 3],
                |random| 0.001 * random.normal(),
            )
            .linear(),
        }
    }

    /// `[batch, channels, height, width]` → `[batch, channels, 2·height, 2·width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let logits = self.encoder.forward(self.compressor.forward(x.clone()));
        tmad_ops::carafe(x, logits)
    }
}

/// Up-block of PGGAN's generator with CARAFE in the place of nearest-neighbour doubling:
/// upsample (if the scale is 2), concatenate a skip connection (if there is one), 3×3, 3×3.
#[derive(Module, Debug)]
pub struct Up {
    carafe: Option<Carafe>,
    conv1: Conv2d,
    conv2: Conv2d,
}

impl Up {
    /// `in_channels` (upsampled if `scale` is 2) plus `skip_channels` → `out_channels`.
    ///
    /// # Panics
    ///
    /// If `scale` is neither 1 nor 2.
    pub fn new(
        init: &mut Initializer,
        in_channels: usize,
        skip_channels: usize,
        out_channels: usize,
        scale: usize,
        carafe_channels: usize,
    ) -> Self {
        assert!(
            matches!(scale, 1 | 2),
            "an up-block scales by 1 or 2, not {scale}"
        );
        Self {
            carafe: (scale == 2).then(|| Carafe::new(init, in_channels, carafe_channels)),
            conv1: Conv2d::new(init, in_channels + skip_channels, out_channels, 3),
            conv2: Conv2d::new(init, out_channels, out_channels, 3),
        }
    }

    /// The first step: doubles the resolution if this block does.
    pub fn upsample(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.carafe {
            Some(carafe) => carafe.forward(x),
            None => x,
        }
    }

    /// The rest: both convolutions, on the upsampled map with its skip connection behind it.
    pub fn convolve(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv2.forward(self.conv1.forward(x))
    }
}

/// The sides padded to multiples of `stride` behind, by repeating the border.
pub(crate) fn padded(x: Tensor<4>, stride: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let padding = [height, width].map(|side| (0, side.next_multiple_of(stride) - side));
    match padding {
        [(0, 0), (0, 0)] => x,
        _ => x.pad(padding, PadMode::Edge),
    }
}

/// An encoder, residual blocks and a decoder in a row; with `has_skips`, the decoder sees the
/// encoder's maps of its scale, too.
pub(crate) fn encode_decode(
    mut x: Tensor<4>,
    (down, res, up): (&[Down], &[Residual], &[Up]),
    has_skips: bool,
) -> Tensor<4> {
    let mut maps = Vec::new();
    for block in down {
        if has_skips {
            maps.push(x.clone());
        }
        x = block.forward(x);
    }
    for block in res {
        x = block.forward(x);
    }
    for block in up {
        x = block.upsample(x);
        if let Some(map) = maps.pop() {
            x = Tensor::cat(vec![x, map], 1);
        }
        x = block.convolve(x);
    }
    x
}
