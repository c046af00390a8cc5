//! Coarse network (Section III-A): guesses the structure of the hole.

use crate::config_error::ConfigError;
use crate::layers::{Conv2d, Down, Initializer, Residual, Up, encode_decode, padded};
use crate::patch_synthesis::average_cells;
use crate::tensors::map_planes;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;
use serde::{Deserialize, Serialize};
use tmad_ops::is_plain_memory;

pub use crate::prior::Prior;

/// Sizes of the coarse network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoarseConfig {
    /// Channels from full resolution down to the bottleneck; each step halves the resolution.
    /// Default 16, 32, 64, 128.
    pub widths: Vec<usize>,
    /// Residual blocks at the bottleneck. Default 8 (as EdgeConnect).
    pub num_residual: usize,
    /// Dilation of the residual blocks. Default 2 (as EdgeConnect).
    pub dilation: usize,
    /// Channels from which CARAFE predicts its kernels. Default 64 (as mmcv).
    pub carafe_channels: usize,
    /// What stands in the hole of the network's input. Default `none` (the paper's).
    pub prior: Prior,
    /// How often the picture's sides are halved before the network sees it; its output is
    /// enlarged again. A guess is smooth anyway, and each halving makes the network four times
    /// faster and lets it see twice as far. Default 0 (the paper's).
    pub num_halvings: usize,
    /// Widest hole in pixels, at the scale at which the network was trained: wider ones are reduced
    /// to it. Default 128 (the paper's).
    pub trained_hole_px: u32,
    /// Whether the decoder sees the encoder's maps of its scale, too. Of a hole filled by
    /// [`Prior::PatchMatch`] they tell what fits and what does not, where the bottleneck only
    /// knows cells of several pixels. Default `false` (the paper's).
    pub skips: bool,
}

impl Default for CoarseConfig {
    fn default() -> Self {
        Self {
            widths: vec![16, 32, 64, 128],
            num_residual: 8,
            dilation: 2,
            carafe_channels: 64,
            prior: Prior::None,
            num_halvings: 0,
            trained_hole_px: 128,
            skips: false,
        }
    }
}

impl CoarseConfig {
    /// Checks what the types cannot.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_widths("coarse.widths", &self.widths)?;
        check_widths("coarse.carafe_channels", &[self.carafe_channels])?;
        check_count("coarse.num_residual", self.num_residual)?;
        if self.num_halvings > 3 {
            return Err(ConfigError::new(
                "coarse.num_halvings",
                format!("{} is more than 3", self.num_halvings),
            ));
        }
        check_trained_hole("coarse.trained_hole_px", self.trained_hole_px)?;
        if !(1..=64).contains(&self.dilation) {
            return Err(ConfigError::new(
                "coarse.dilation",
                format!("{} is not in 1..=64", self.dilation),
            ));
        }
        Ok(())
    }
}

/// Bounds far above any sensible network keep a damaged configuration from exhausting the memory.
pub(crate) fn check_widths(field: &str, widths: &[usize]) -> Result<(), ConfigError> {
    if widths.is_empty() || widths.len() > 8 {
        return Err(ConfigError::new(
            field,
            format!("1 to 8 numbers are needed, not {}", widths.len()),
        ));
    }
    match widths.iter().find(|width| !(1..=1024).contains(*width)) {
        Some(width) => Err(ConfigError::new(
            field,
            format!("{width} is not in 1..=1024"),
        )),
        None => Ok(()),
    }
}

/// Whether a size of holes makes sense.
pub(crate) fn check_trained_hole(field: &str, px: u32) -> Result<(), ConfigError> {
    if !(8..=4096).contains(&px) {
        return Err(ConfigError::new(field, format!("{px} is not in 8..=4096")));
    }
    Ok(())
}

/// See [`check_widths`].
pub(crate) fn check_count(field: &str, count: usize) -> Result<(), ConfigError> {
    if count > 64 {
        return Err(ConfigError::new(field, format!("{count} is more than 64")));
    }
    Ok(())
}

/// Encoder, dilated residual blocks and CARAFE decoder; with skip connections if
/// [`CoarseConfig::skips`].
#[derive(Module, Debug)]
pub struct Coarse {
    input: Conv2d,
    down: Vec<Down>,
    res: Vec<Residual>,
    up: Vec<Up>,
    output: Conv2d,
    num_halvings: usize,
    skips: bool,
}

impl Coarse {
    /// Creates the network with fresh weights.
    ///
    /// # Panics
    ///
    /// If `config.widths` is empty.
    pub fn new(config: &CoarseConfig, init: &mut Initializer) -> Self {
        let widths = &config.widths;
        let bottleneck = *widths.last().expect("the coarse network needs a width");
        Self {
            input: Conv2d::new(init, config.prior.num_channels() + 1, widths[0], 1),
            down: (widths.windows(2))
                .map(|pair| Down::new(init, pair[0], pair[1]))
                .collect(),
            res: (0..config.num_residual)
                .map(|_| Residual::new(init, bottleneck, config.dilation))
                .collect(),
            up: (widths.windows(2).rev())
                .map(|pair| {
                    let skip = if config.skips { pair[0] } else { 0 };
                    Up::new(init, pair[1], skip, pair[0], 2, config.carafe_channels)
                })
                .collect(),
            output: config.prior.output_layer(init, widths[0]),
            num_halvings: config.num_halvings,
            skips: config.skips,
        }
    }

    /// Computes what [`Prior`] makes a guess of: the whole picture I_s, or its difference to the
    /// prior; only the hole is used.
    ///
    /// # Shapes
    ///
    /// `masked_image` `[batch, 3, height, width]` (6 channels with [`Prior::PatchMatch`]) in
    /// [-1, 1] with the prior in the hole, `mask` `[batch, 1, height, width]` with 1 in the hole;
    /// the result is `[batch, 3, height, width]` (or 4). Any size: the sides are padded to a
    /// multiple of the network's stride by repeating the border, and cropped afterwards.
    pub fn forward(&self, masked_image: Tensor<4>, mask: Tensor<4>) -> Tensor<4> {
        let [batch, _, height, width] = masked_image.dims();
        let stride = 1 << (self.down.len() + self.num_halvings);
        let mut x = padded(Tensor::cat(vec![masked_image, mask], 1), stride);
        if self.num_halvings > 0 {
            x = average_cells(x, 1 << self.num_halvings);
        }
        x = self.input.forward(x);
        x = encode_decode(x, (&self.down, &self.res, &self.up), self.skips);
        x = self.output.forward(x);
        for _ in 0..self.num_halvings {
            x = doubled(x);
        }
        let channels = x.dims()[1];
        x.slice([0..batch, 0..channels, 0..height, 0..width])
    }
}

/// Twice the size, bilinear with pixel centres in the middle (align_corners = false).
fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [n, channels, height, width] = x.dims();
    if is_plain_memory(&x.device()) {
        return map_planes(x, [2 * height, 2 * width], |values, plane| {
            double_plane(values, width, plane);
        });
    }
    // Along one axis: every sample twice, then weights 1/4, 1/2, 1/4, which is 3/4 of the nearer
    // sample and 1/4 of the farther one.
    let x = x
        .reshape([n * channels, height, 1, width, 1])
        .expand([n * channels, height, 2, width, 2])
        .reshape([n, channels, 2 * height, 2 * width])
        .pad([(1, 1); 2], PadMode::Edge);
    let blurred = |x: Tensor<4>, axis: usize, side: usize| {
        let at = |start: usize| x.clone().narrow(axis, start, side);
        (at(0) + at(2)) * 0.25 + at(1) * 0.5
    };
    blurred(blurred(x, 2, 2 * height), 3, 2 * width)
}

/// [`doubled`] for one plane with rows of `width` pixels.
fn double_plane(values: &[f32], width: usize, plane: &mut [f32]) {
    let height = values.len() / width;
    let mut mixed = vec![0.0f32; width];
    for (y, row) in plane.chunks_exact_mut(2 * width).enumerate() {
        let near = y / 2;
        let far = if y % 2 == 0 {
            near.saturating_sub(1)
        } else {
            (near + 1).min(height - 1)
        };
        let [near, far] = [near, far].map(|y| &values[y * width..][..width]);
        for ((mixed, near), far) in mixed.iter_mut().zip(near).zip(far) {
            *mixed = 0.75 * near + 0.25 * far;
        }
        for (x, pair) in row.chunks_exact_mut(2).enumerate() {
            let (before, behind) = (x.saturating_sub(1), (x + 1).min(width - 1));
            pair[0] = 0.75 * mixed[x] + 0.25 * mixed[before];
            pair[1] = 0.75 * mixed[x] + 0.25 * mixed[behind];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::tensor_values;
    use burn::tensor::{Device, TensorData};

    /// Sides that are no multiple of the stride, at every scale.
    #[test]
    fn a_reduced_scale_fits_all_sizes() {
        let device = Device::flex();
        for (num_halvings, skips) in [(0, false), (1, false), (2, false), (0, true), (2, true)] {
            let config = CoarseConfig {
                widths: vec![4, 5, 6],
                num_residual: 1,
                carafe_channels: 4,
                num_halvings,
                skips,
                ..CoarseConfig::default()
            };
            let net = Coarse::new(&config, &mut Initializer::new(1, &device));
            for [height, width] in [[1, 1], [13, 22], [16, 24]] {
                let image = Tensor::zeros([2, 3, height, width], &device);
                let mask = Tensor::ones([2, 1, height, width], &device);
                let found = net.forward(image, mask);
                assert_eq!(found.dims(), [2, 3, height, width]);
                assert!(tensor_values(found).iter().all(|v| v.is_finite()));
            }
        }
    }

    /// The network sees the mean of every cell: what cancels within one, it cannot see.
    #[test]
    fn a_reduced_scale_sees_means() {
        let device = Device::flex();
        let config = CoarseConfig {
            widths: vec![4, 4],
            num_residual: 1,
            carafe_channels: 4,
            num_halvings: 1,
            ..CoarseConfig::default()
        };
        let net = Coarse::new(&config, &mut Initializer::new(1, &device));
        let guess = |contrast: f32| {
            let values = (0..3 * 64).map(|i| {
                if (i + i / 8) % 2 == 0 {
                    contrast
                } else {
                    -contrast
                }
            });
            let image = TensorData::new(values.collect(), [1, 3, 8, 8]);
            let mask = Tensor::zeros([1, 1, 8, 8], &device);
            tensor_values(net.forward(Tensor::from_data(image, &device), mask))
        };
        assert_eq!(guess(0.5), guess(0.0));
        assert!(guess(0.0).iter().all(|v| v.is_finite()));
    }

    /// What the encoder saw reaches the output past a bottleneck that lets nothing through.
    #[test]
    fn skips_lead_past_the_bottleneck() {
        let device = Device::flex();
        let guess = |skips: bool, brightness: f32| {
            let config = CoarseConfig {
                widths: vec![4, 4],
                num_residual: 1,
                carafe_channels: 4,
                skips,
                ..CoarseConfig::default()
            };
            let mut net = Coarse::new(&config, &mut Initializer::new(1, &device));
            net.down = (net.down.into_iter()).map(Down::silenced).collect();
            let image = Tensor::full([1, 3, 8, 8], brightness, &device);
            tensor_values(net.forward(image, Tensor::zeros([1, 1, 8, 8], &device)))
        };
        assert_eq!(guess(false, 0.5), guess(false, -0.5));
        assert_ne!(guess(true, 0.5), guess(true, -0.5));
    }

    #[test]
    fn doubling_is_bilinear() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let x = TensorData::new(vec![0.0f32, 4.0, 8.0, 12.0], [1, 1, 2, 2]);
            let y = tensor_values(doubled(Tensor::from_data(x, &device)));
            let rows = [
                [0., 1., 3., 4.],
                [2., 3., 5., 6.],
                [6., 7., 9., 10.],
                [8., 9., 11., 12.],
            ];
            assert_eq!(y, rows.concat());
        }
    }
}
