//! LPIPS: how different two pictures look, measured in the features of a classifier.

use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use inpaint_core::RgbImage;
use tmad::perceptual::{NUM_TAPS, SqueezeNet, TAP_CHANNELS, Tap};
use tmad::tensors::{images_to_tensor, tensor_values};
use tmad::weights::{WeightsError, WeightsFile};

use crate::EvalError;
use crate::files::read;

/// The two files that LPIPS needs. Neither is part of this project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LpipsWeights {
    /// SqueezeNet 1.1 with torchvision's names, safetensors, f32 or f16.
    pub backbone: PathBuf,
    /// The linear layers of LPIPS 0.1 for it: `lin0.weight` … `lin6.weight`, each
    /// `[1, channels, 1, 1]`, safetensors, f32 or f16.
    pub linear: PathBuf,
}

/// LPIPS 0.1 with SqueezeNet 1.1 ("squeeze"; Zhang, Isola, Efros, Shechtman and Wang, *The
/// Unreasonable Effectiveness of Deep Features as a Perceptual Metric*, CVPR 2018), as the
/// package lpips 0.1.4 computes it.
///
/// Σ over the seven taps of the mean over positions of Σ_c w_c (x̂_c − ŷ_c)², where x̂ = x /
/// (√(Σ_c x_c²) + 1e-10) is the feature vector of a position. 0 for equal pictures; not bounded
/// above, usually below 1.
#[derive(Debug, Clone)]
pub struct Lpips {
    backbone: SqueezeNet,
    linear: Vec<Tensor<4>>,
    device: Device,
}

impl Lpips {
    /// Reads the weights.
    ///
    /// # Errors
    ///
    /// [`EvalError::Read`] or [`EvalError::Weights`], each with the file's path.
    pub fn load(weights: &LpipsWeights, device: &Device) -> Result<Self, EvalError> {
        let backbone_bytes = read(&weights.backbone)?;
        let linear_bytes = read(&weights.linear)?;
        let in_backbone = |source| EvalError::Weights {
            path: weights.backbone.clone(),
            source,
        };
        let in_linear = |source| EvalError::Weights {
            path: weights.linear.clone(),
            source,
        };
        let backbone = WeightsFile::parse(&backbone_bytes).map_err(in_backbone)?;
        let linear = WeightsFile::parse(&linear_bytes).map_err(in_linear)?;
        Ok(Self {
            backbone: SqueezeNet::load(&backbone, device).map_err(in_backbone)?,
            linear: linear_layers(&linear, device).map_err(in_linear)?,
            device: device.clone(),
        })
    }

    /// From a network and its seven linear layers, `[1, TAP_CHANNELS[i], 1, 1]` each.
    ///
    /// # Panics
    ///
    /// If there are not seven layers, or a shape differs.
    pub fn new(backbone: SqueezeNet, linear: Vec<Tensor<4>>, device: &Device) -> Self {
        let shapes: Vec<_> = linear.iter().map(Tensor::dims).collect();
        assert_eq!(shapes, TAP_CHANNELS.map(|channels| [1, channels, 1, 1]));
        Self {
            backbone,
            linear,
            device: device.clone(),
        }
    }

    /// The parts of the seven taps; their sum is the distance.
    ///
    /// # Shapes
    ///
    /// `a` and `b` are `[batch, 3, height, width]` in [-1, 1]; each part is `[batch, 1, 1, 1]`.
    ///
    /// # Panics
    ///
    /// If the shapes differ, or a side is below [`SqueezeNet::MIN_SIDE_PX`].
    pub fn parts(&self, a: Tensor<4>, b: Tensor<4>) -> [Tensor<4>; NUM_TAPS] {
        assert_eq!(a.dims(), b.dims(), "pictures of one size");
        let mut a = self.backbone.taps(a, Tap::AfterRelu).into_iter();
        let mut b = self.backbone.taps(b, Tap::AfterRelu).into_iter();
        std::array::from_fn(|tap| {
            let (a, b) = (a.next().expect("seven taps"), b.next().expect("seven taps"));
            let difference = (unit_length(a) - unit_length(b)).square();
            let weighted = difference * self.linear[tap].clone();
            weighted.sum_dim(1).mean_dim(2).mean_dim(3)
        })
    }

    /// The distance of two pictures of one size.
    ///
    /// # Errors
    ///
    /// [`EvalError::Metric`] when the sizes differ or a side is below
    /// [`SqueezeNet::MIN_SIDE_PX`].
    pub fn distance(&self, a: &RgbImage, b: &RgbImage) -> Result<f64, EvalError> {
        let size = a.dimensions();
        if size != b.dimensions() {
            return Err(EvalError::Metric(inpaint_core::InpaintError::ImageSize {
                completed: b.dimensions().into(),
                reference: size.into(),
            }));
        }
        let minimum = SqueezeNet::MIN_SIDE_PX as u32;
        if size.0.min(size.1) < minimum {
            return Err(EvalError::Metric(inpaint_core::InpaintError::TooSmall {
                metric: "LPIPS",
                minimum,
                size: size.into(),
            }));
        }
        let tensor = |picture| images_to_tensor(&[picture], &self.device);
        let parts = self.parts(tensor(a), tensor(b));
        Ok(parts
            .into_iter()
            .map(|part| f64::from(tensor_values(part)[0]))
            .sum())
    }
}

/// Features scaled to length 1 per position. The epsilon stands outside the root, unlike
/// `normalize`'s in most frameworks.
fn unit_length(x: Tensor<4>) -> Tensor<4> {
    let length = x.clone().square().sum_dim(1).sqrt();
    x / (length + 1e-10)
}

fn linear_layers(file: &WeightsFile<'_>, device: &Device) -> Result<Vec<Tensor<4>>, WeightsError> {
    // The package's own files call them `lin0.model.1.weight`: ahead of the layer stands dropout.
    let is_original = file.names().contains(&"lin0.model.1.weight");
    let infix = if is_original { "model.1." } else { "" };
    (TAP_CHANNELS.iter().enumerate())
        .map(|(i, &channels)| {
            file.tensor(
                &format!("lin{i}.{infix}weight"),
                [1, channels, 1, 1],
                device,
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use inpaint_core::random::Random;

    fn random_lpips(device: &Device) -> Lpips {
        let mut random = Random::new(9);
        let linear = TAP_CHANNELS.map(|channels| {
            let values = (0..channels).map(|_| random.unit() as f32).collect();
            Tensor::from_data(TensorData::new(values, [1, channels, 1, 1]), device)
        });
        Lpips::new(SqueezeNet::random(5, device), linear.to_vec(), device)
    }

    fn noise(width: u32, height: u32, seed: u64) -> RgbImage {
        let mut random = Random::new(seed);
        RgbImage::from_fn(width, height, |_, _| {
            image::Rgb([0; 3].map(|_: u8| random.below(256) as u8))
        })
    }

    #[test]
    fn a_distance_is_zero_for_equal_pictures_symmetric_and_positive() {
        let lpips = random_lpips(&Device::flex());
        let (a, b) = (noise(40, 33, 1), noise(40, 33, 2));
        assert_eq!(lpips.distance(&a, &a).unwrap(), 0.0);
        let forth = lpips.distance(&a, &b).unwrap();
        assert!(forth > 0.0 && forth == lpips.distance(&b, &a).unwrap());
    }

    #[test]
    fn a_part_is_the_weighted_mean_over_positions() {
        let device = Device::flex();
        let lpips = random_lpips(&device);
        let tensors = [1, 2].map(|seed| images_to_tensor(&[&noise(24, 20, seed)], &device));
        let [x, y] =
            (tensors.clone()).map(|t| lpips.backbone.taps(t, Tap::AfterRelu).swap_remove(2));
        let [_, channels, height, width] = x.dims();
        let positions = height * width;
        let (x, y, weights) = (
            tensor_values(x),
            tensor_values(y),
            tensor_values(lpips.linear[2].clone()),
        );
        let mut expected = 0.0;
        for at in 0..positions {
            let vector = |values: &[f32]| -> Vec<f64> {
                let raw: Vec<f64> = (0..channels)
                    .map(|c| f64::from(values[c * positions + at]))
                    .collect();
                let length = raw.iter().map(|v| v * v).sum::<f64>().sqrt() + 1e-10;
                raw.iter().map(|v| v / length).collect()
            };
            let terms = vector(&x).into_iter().zip(vector(&y)).zip(&weights);
            expected += terms
                .map(|((x, y), &w)| f64::from(w) * (x - y).powi(2))
                .sum::<f64>();
        }
        expected /= positions as f64;
        let [a, b] = tensors;
        let part = f64::from(tensor_values(lpips.parts(a, b)[2].clone())[0]);
        // f32 sums over 256 channels and some positions: a few times 1e-7, relatively.
        assert!(
            (part - expected).abs() < 3e-6 * expected,
            "{part} {expected}"
        );
    }

    #[test]
    fn sizes_that_do_not_work_are_errors() {
        let lpips = random_lpips(&Device::flex());
        assert!(
            lpips
                .distance(&noise(20, 20, 1), &noise(20, 21, 1))
                .is_err()
        );
        assert!(
            lpips
                .distance(&noise(16, 20, 1), &noise(16, 20, 1))
                .is_err()
        );
    }
}
