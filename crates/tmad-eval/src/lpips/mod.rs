//! LPIPS: how different two pictures look, measured in the features of a classifier.

mod network;

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::RgbImage;
use tmad::tensors::{images_to_tensor, tensor_values};
use tmad::weights::WeightsFile;

use crate::EvalError;
use crate::files::read;
use crate::tensors_by_name::values_in;
use network::Backbone;

pub use network::LpipsNetwork;

/// LPIPS 0.1 (Zhang, Isola, Efros, Shechtman and Wang, *The Unreasonable Effectiveness of Deep
/// Features as a Perceptual Metric*, CVPR 2018), as the package lpips 0.1.4 computes it.
///
/// Σ over the network's taps of the mean over positions of Σ_c w_c (x̂_c − ŷ_c)², where x̂ = x /
/// (√(Σ_c x_c²) + 1e-10) is the feature vector of a position. 0 for equal pictures; not bounded
/// above, usually below 1.
#[derive(Debug, Clone)]
pub struct Lpips {
    network: LpipsNetwork,
    backbone: Backbone,
    linear: Vec<Tensor<4>>,
    device: Device,
}

impl Lpips {
    /// Reads the classifier's weights, with torchvision's names, and the linear layers
    /// (`lin0.weight`, … each `[1, channels, 1, 1]`): safetensors in f32 or f16. Neither file is
    /// part of this project.
    ///
    /// # Errors
    ///
    /// [`EvalError::Read`] or [`EvalError::Weights`], each with the file's path.
    pub fn load(
        network: LpipsNetwork,
        backbone: &Path,
        linear: &Path,
        device: &Device,
    ) -> Result<Self, EvalError> {
        let (backbone_bytes, linear_bytes) = (read(backbone)?, read(linear)?);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| EvalError::Weights { path, source }
        };
        let file = WeightsFile::parse(&backbone_bytes).map_err(failed(backbone))?;
        let loaded = Backbone::load(network, &file, device).map_err(failed(backbone))?;
        let file = WeightsFile::parse(&linear_bytes).map_err(failed(linear))?;
        // The package's own files call them `lin0.model.1.weight`: ahead of the layer stands
        // dropout.
        let is_original = file.names().contains(&"lin0.model.1.weight");
        let layers = linear_layers(network, device, |name, shape| {
            let original = name.replace(".weight", ".model.1.weight");
            values_in(&file, if is_original { &original } else { name }, shape)
        });
        Ok(Self {
            network,
            backbone: loaded,
            linear: layers.map_err(failed(linear))?,
            device: device.clone(),
        })
    }

    /// AlexNet or VGG-16 with weights from a function of name and shape, for tests of the
    /// plumbing. The linear layers are `lin0.weight` and so on.
    ///
    /// # Errors
    ///
    /// Those of `values`.
    ///
    /// # Panics
    ///
    /// If `values` returns another number of values than the shape asks for.
    pub fn from_values<E>(
        network: LpipsNetwork,
        device: &Device,
        mut values: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        Ok(Self {
            network,
            backbone: Backbone::plain(network, device, &mut values)?,
            linear: linear_layers(network, device, &mut values)?,
            device: device.clone(),
        })
    }

    /// The network that it looks through.
    pub fn network(&self) -> LpipsNetwork {
        self.network
    }

    /// The parts of the taps; their sum is the distance.
    ///
    /// # Shapes
    ///
    /// `a` and `b` are `[batch, 3, height, width]` in [-1, 1]; each part is `[batch, 1, 1, 1]`.
    ///
    /// # Panics
    ///
    /// If the shapes differ, or a side is below [`LpipsNetwork::min_side_px`].
    pub fn parts(&self, a: Tensor<4>, b: Tensor<4>) -> Vec<Tensor<4>> {
        assert_eq!(a.dims(), b.dims(), "pictures of one size");
        let taps = (self.backbone.taps(a).into_iter()).zip(self.backbone.taps(b));
        taps.zip(&self.linear)
            .map(|((a, b), weights)| {
                let difference = (unit_length(a) - unit_length(b)).square();
                let weighted = difference * weights.clone();
                weighted.sum_dim(1).mean_dim(2).mean_dim(3)
            })
            .collect()
    }

    /// The distance of two pictures of one size.
    ///
    /// # Errors
    ///
    /// [`EvalError::Metric`] when the sizes differ or a side is below
    /// [`LpipsNetwork::min_side_px`].
    pub fn distance(&self, a: &RgbImage, b: &RgbImage) -> Result<f64, EvalError> {
        let size = a.dimensions();
        if size != b.dimensions() {
            return Err(EvalError::Metric(inpaint_core::InpaintError::ImageSize {
                completed: b.dimensions().into(),
                reference: size.into(),
            }));
        }
        let minimum = self.network.min_side_px();
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

fn linear_layers<E>(
    network: LpipsNetwork,
    device: &Device,
    mut values: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
) -> Result<Vec<Tensor<4>>, E> {
    (network.tap_channels().iter().enumerate())
        .map(|(i, &channels)| {
            let shape = [1, channels, 1, 1];
            let values = values(&format!("lin{i}.weight"), &shape)?;
            Ok(Tensor::from_data(TensorData::new(values, shape), device))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use inpaint_core::random::Random;
    use std::convert::Infallible;
    use tmad::perceptual::SqueezeNet;

    fn random_lpips(device: &Device) -> Lpips {
        let mut random = Random::new(9);
        let linear = linear_layers(LpipsNetwork::Squeeze, device, |_, shape| {
            let count: usize = shape.iter().product();
            Ok::<_, Infallible>((0..count).map(|_| random.unit() as f32).collect())
        });
        Lpips {
            network: LpipsNetwork::Squeeze,
            backbone: Backbone::Squeeze(Box::new(SqueezeNet::random(5, device))),
            linear: linear.unwrap(),
            device: device.clone(),
        }
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
        let [x, y] = (tensors.clone()).map(|t| lpips.backbone.taps(t).swap_remove(2));
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
