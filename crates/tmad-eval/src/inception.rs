//! Inception-v3 as pytorch-fid has it: features for FID, KID and the inception discriminative
//! scores.

use std::path::Path;

use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::RgbImage;
use serde::{Deserialize, Serialize};
use tmad::tensors::tensor_values;
use tmad::weights::WeightsFile;
use tmad_ops::{Conv2dOptions, MaxPool};

use crate::EvalError;
use crate::files::read;
use crate::resize::{Filter, Levels, bicubic, bilinear};
use crate::tensors_by_name::values_in;

/// Length of a picture's feature vector.
pub const NUM_FEATURES: usize = 2048;
/// Side to which pictures are scaled ahead of the network.
const SIDE: usize = 299;
/// Of batch normalisation.
const EPSILON: f64 = 1e-3;

/// What happens to a picture ahead of the network. It changes the FID by several percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InceptionResize {
    /// pytorch-fid's: bilinear without antialiasing, then 2x − 1 for x in [0, 1].
    #[default]
    PytorchFid,
    /// clean-fid's: Pillow's bicubic filter with antialiasing on floating point channels, then
    /// (x − 128) / 128 for x in [0, 255].
    CleanFid,
}

/// The network (Szegedy et al., *Rethinking the Inception Architecture for Computer Vision*, CVPR
/// 2016) in the version of TensorFlow's 2015 checkpoint, which FID is defined by: averages leave
/// out padding, and the last module has a maximum in an average's place.
#[derive(Debug, Clone)]
pub struct Inception {
    stem: [Conv; 5],
    a: [BlockA; 3],
    b: [Conv; 4],
    c: [BlockC; 4],
    d: [Conv; 6],
    e: [BlockE; 2],
    device: Device,
}

impl Inception {
    /// Reads pytorch-fid's weights (`Conv2d_1a_3x3.conv.weight`, …), converted to safetensors.
    ///
    /// # Errors
    ///
    /// [`EvalError::Read`] or [`EvalError::Weights`] with the file's path.
    pub fn load(path: &Path, device: &Device) -> Result<Self, EvalError> {
        let bytes = read(path)?;
        let failed = |source| EvalError::Weights {
            path: path.to_owned(),
            source,
        };
        let file = WeightsFile::parse(&bytes).map_err(failed)?;
        Self::from_values(device, |name, shape| values_in(&file, name, shape)).map_err(failed)
    }

    /// With weights from a function of name and shape.
    ///
    /// # Errors
    ///
    /// Those of `values`.
    ///
    /// # Panics
    ///
    /// If `values` returns another number of values than the shape asks for.
    pub fn from_values<E>(
        device: &Device,
        values: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut from = Builder { values, device };
        let square = |kernel| Geometry::new([kernel; 2], 1);
        let stem = [
            from.conv("Conv2d_1a_3x3", [3, 32], Geometry::shrinking())?,
            from.conv("Conv2d_2a_3x3", [32, 32], Geometry::unpadded(3))?,
            from.conv("Conv2d_2b_3x3", [32, 64], square(3))?,
            from.conv("Conv2d_3b_1x1", [64, 80], square(1))?,
            from.conv("Conv2d_4a_3x3", [80, 192], Geometry::unpadded(3))?,
        ];
        Ok(Self {
            stem,
            a: [
                from.block_a("Mixed_5b", 192, 32)?,
                from.block_a("Mixed_5c", 256, 64)?,
                from.block_a("Mixed_5d", 288, 64)?,
            ],
            b: [
                from.conv("Mixed_6a.branch3x3", [288, 384], Geometry::shrinking())?,
                from.conv("Mixed_6a.branch3x3dbl_1", [288, 64], square(1))?,
                from.conv("Mixed_6a.branch3x3dbl_2", [64, 96], square(3))?,
                from.conv("Mixed_6a.branch3x3dbl_3", [96, 96], Geometry::shrinking())?,
            ],
            c: [
                from.block_c("Mixed_6b", 128)?,
                from.block_c("Mixed_6c", 160)?,
                from.block_c("Mixed_6d", 160)?,
                from.block_c("Mixed_6e", 192)?,
            ],
            d: [
                from.conv("Mixed_7a.branch3x3_1", [768, 192], square(1))?,
                from.conv("Mixed_7a.branch3x3_2", [192, 320], Geometry::shrinking())?,
                from.conv("Mixed_7a.branch7x7x3_1", [768, 192], square(1))?,
                from.conv(
                    "Mixed_7a.branch7x7x3_2",
                    [192, 192],
                    Geometry::new([1, 7], 1),
                )?,
                from.conv(
                    "Mixed_7a.branch7x7x3_3",
                    [192, 192],
                    Geometry::new([7, 1], 1),
                )?,
                from.conv("Mixed_7a.branch7x7x3_4", [192, 192], Geometry::shrinking())?,
            ],
            e: [
                from.block_e("Mixed_7b", 1280)?,
                from.block_e("Mixed_7c", 2048)?,
            ],
            device: device.clone(),
        })
    }

    /// The features of a picture, [`NUM_FEATURES`] of them: averages of the last feature maps.
    ///
    /// # Panics
    ///
    /// If the picture has no pixels.
    pub fn features(&self, picture: &RgbImage, resize: InceptionResize) -> Vec<f32> {
        let input = inception_input(picture, resize);
        let shape = [1, 3, SIDE, SIDE];
        let x = Tensor::from_data(TensorData::new(input, shape), &self.device);
        let maps = self.forward(x);
        tensor_values(maps.mean_dim(3).mean_dim(2))
    }

    fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        for (i, conv) in self.stem.iter().enumerate() {
            x = conv.forward(x);
            if i == 2 || i == 4 {
                x = halved(x);
            }
        }
        for block in &self.a {
            x = block.forward(x);
        }
        let [b3x3, b3x3dbl @ ..] = &self.b;
        x = Tensor::cat(
            vec![
                b3x3.forward(x.clone()),
                chain(b3x3dbl, x.clone()),
                halved(x),
            ],
            1,
        );
        for block in &self.c {
            x = block.forward(x);
        }
        let (b3x3, b7x7x3) = self.d.split_at(2);
        x = Tensor::cat(
            vec![chain(b3x3, x.clone()), chain(b7x7x3, x.clone()), halved(x)],
            1,
        );
        let [first, last] = &self.e;
        let pooled = averaged(x.clone());
        x = first.forward(x, pooled);
        let options = MaxPoolOptions::new([3, 3])
            .with_stride([1, 1])
            .with_padding([1, 1]);
        let pooled = max_pool2d(x.clone(), options);
        last.forward(x, pooled)
    }
}

/// A picture as the network sees it, `[3, 299, 299]`.
///
/// # Panics
///
/// If the picture has no pixels.
pub fn inception_input(picture: &RgbImage, resize: InceptionResize) -> Vec<f32> {
    let (width, height) = picture.dimensions();
    let levels = Levels::of(picture, [0, 0, width, height]);
    let filter: Filter = match resize {
        InceptionResize::PytorchFid => bilinear,
        InceptionResize::CleanFid => bicubic,
    };
    let normalised = |v: f32| match resize {
        InceptionResize::PytorchFid => 2.0 * (v / 255.0) - 1.0,
        InceptionResize::CleanFid => (v.clamp(0.0, 255.0) - 128.0) / 128.0,
    };
    let scaled = levels.resized(SIDE, SIDE, filter);
    (0..3)
        .flat_map(|channel| scaled.values[channel..].iter().step_by(3))
        .map(|&v| normalised(v))
        .collect()
}

fn chain(convs: &[Conv], x: Tensor<4>) -> Tensor<4> {
    convs.iter().fold(x, |x, conv| conv.forward(x))
}

fn halved(x: Tensor<4>) -> Tensor<4> {
    let windows = MaxPool {
        side: 3,
        stride: 2,
        ceil_mode: false,
    };
    tmad_ops::max_pool(x, windows)
}

/// Averages of 3×3 pixels that leave out what lies outside.
fn averaged(x: Tensor<4>) -> Tensor<4> {
    let options = AvgPoolOptions::new([3, 3])
        .with_stride([1, 1])
        .with_padding([1, 1])
        .with_count_include_pad(false);
    avg_pool2d(x, options)
}

#[derive(Debug, Clone, Copy)]
struct Geometry {
    kernel: [usize; 2],
    stride: usize,
    padding: [usize; 2],
}

impl Geometry {
    /// Padded so that a stride of 1 keeps the size.
    fn new(kernel: [usize; 2], stride: usize) -> Self {
        Self {
            kernel,
            stride,
            padding: kernel.map(|k| k / 2),
        }
    }

    fn unpadded(kernel: usize) -> Self {
        Self {
            padding: [0; 2],
            ..Self::new([kernel; 2], 1)
        }
    }

    /// 3×3, every second pixel.
    fn shrinking() -> Self {
        Self {
            stride: 2,
            ..Self::unpadded(3)
        }
    }
}

/// Convolution, batch normalisation (folded into it) and ReLU.
#[derive(Debug, Clone)]
struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    geometry: Geometry,
}

impl Conv {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let Geometry {
            kernel,
            stride,
            padding,
        } = self.geometry;
        let (weight, bias) = (self.weight.clone(), self.bias.clone());
        if kernel[0] == kernel[1] {
            let options = Conv2dOptions {
                stride,
                padding: padding[0],
                dilation: 1,
                negative_slope: Some(0.0),
            };
            return tmad_ops::conv2d(x, weight, bias, options);
        }
        let options = ConvOptions::new([stride; 2], padding, [1, 1], 1);
        relu(conv2d(x, weight, Some(bias), options))
    }
}

/// pytorch-fid's `FIDInceptionA`.
#[derive(Debug, Clone)]
struct BlockA {
    b1x1: Conv,
    b5x5: [Conv; 2],
    b3x3dbl: [Conv; 3],
    pool: Conv,
}

impl BlockA {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::cat(
            vec![
                self.b1x1.forward(x.clone()),
                chain(&self.b5x5, x.clone()),
                chain(&self.b3x3dbl, x.clone()),
                self.pool.forward(averaged(x)),
            ],
            1,
        )
    }
}

/// pytorch-fid's `FIDInceptionC`.
#[derive(Debug, Clone)]
struct BlockC {
    b1x1: Conv,
    b7x7: [Conv; 3],
    b7x7dbl: [Conv; 5],
    pool: Conv,
}

impl BlockC {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        Tensor::cat(
            vec![
                self.b1x1.forward(x.clone()),
                chain(&self.b7x7, x.clone()),
                chain(&self.b7x7dbl, x.clone()),
                self.pool.forward(averaged(x)),
            ],
            1,
        )
    }
}

/// pytorch-fid's `FIDInceptionE_1` and `FIDInceptionE_2`, which differ in their pooling.
#[derive(Debug, Clone)]
struct BlockE {
    b1x1: Conv,
    b3x3: Conv,
    b3x3_split: [Conv; 2],
    b3x3dbl: [Conv; 2],
    b3x3dbl_split: [Conv; 2],
    pool: Conv,
}

impl BlockE {
    fn forward(&self, x: Tensor<4>, pooled: Tensor<4>) -> Tensor<4> {
        let wide = self.b3x3.forward(x.clone());
        let deep = chain(&self.b3x3dbl, x.clone());
        let [wide_a, wide_b] = &self.b3x3_split;
        let [deep_a, deep_b] = &self.b3x3dbl_split;
        Tensor::cat(
            vec![
                self.b1x1.forward(x),
                wide_a.forward(wide.clone()),
                wide_b.forward(wide),
                deep_a.forward(deep.clone()),
                deep_b.forward(deep),
                self.pool.forward(pooled),
            ],
            1,
        )
    }
}

struct Builder<'a, F> {
    values: F,
    device: &'a Device,
}

impl<F, E> Builder<'_, F>
where
    F: FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
{
    fn conv(
        &mut self,
        name: &str,
        [input, output]: [usize; 2],
        geometry: Geometry,
    ) -> Result<Conv, E> {
        let shape = [output, input, geometry.kernel[0], geometry.kernel[1]];
        let mut weight = (self.values)(&format!("{name}.conv.weight"), &shape)?;
        let mut norm = |what: &str| (self.values)(&format!("{name}.bn.{what}"), &[output]);
        let (scale, shift) = (norm("weight")?, norm("bias")?);
        let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
        let mut bias = Vec::with_capacity(output);
        let taps = weight.len() / output;
        for (at, kernel) in weight.chunks_exact_mut(taps).enumerate() {
            let factor = f64::from(scale[at]) / (f64::from(variance[at]) + EPSILON).sqrt();
            for tap in kernel {
                *tap = (f64::from(*tap) * factor) as f32;
            }
            bias.push((f64::from(shift[at]) - factor * f64::from(mean[at])) as f32);
        }
        Ok(Conv {
            weight: Tensor::from_data(TensorData::new(weight, shape), self.device),
            bias: Tensor::from_data(TensorData::new(bias, [output]), self.device),
            geometry,
        })
    }

    fn block_a(&mut self, name: &str, input: usize, pool: usize) -> Result<BlockA, E> {
        let mut conv = |branch: &str, channels, kernel| {
            let geometry = Geometry::new([kernel; 2], 1);
            self.conv(&format!("{name}.branch{branch}"), channels, geometry)
        };
        Ok(BlockA {
            b1x1: conv("1x1", [input, 64], 1)?,
            b5x5: [conv("5x5_1", [input, 48], 1)?, conv("5x5_2", [48, 64], 5)?],
            b3x3dbl: [
                conv("3x3dbl_1", [input, 64], 1)?,
                conv("3x3dbl_2", [64, 96], 3)?,
                conv("3x3dbl_3", [96, 96], 3)?,
            ],
            pool: conv("_pool", [input, pool], 1)?,
        })
    }

    fn block_c(&mut self, name: &str, inner: usize) -> Result<BlockC, E> {
        let mut conv = |branch: &str, channels, kernel| {
            let geometry = Geometry::new(kernel, 1);
            self.conv(&format!("{name}.branch{branch}"), channels, geometry)
        };
        let (point, row, column) = ([1, 1], [1, 7], [7, 1]);
        Ok(BlockC {
            b1x1: conv("1x1", [768, 192], point)?,
            b7x7: [
                conv("7x7_1", [768, inner], point)?,
                conv("7x7_2", [inner, inner], row)?,
                conv("7x7_3", [inner, 192], column)?,
            ],
            b7x7dbl: [
                conv("7x7dbl_1", [768, inner], point)?,
                conv("7x7dbl_2", [inner, inner], column)?,
                conv("7x7dbl_3", [inner, inner], row)?,
                conv("7x7dbl_4", [inner, inner], column)?,
                conv("7x7dbl_5", [inner, 192], row)?,
            ],
            pool: conv("_pool", [768, 192], point)?,
        })
    }

    fn block_e(&mut self, name: &str, input: usize) -> Result<BlockE, E> {
        let mut conv = |branch: &str, channels, kernel| {
            let geometry = Geometry::new(kernel, 1);
            self.conv(&format!("{name}.branch{branch}"), channels, geometry)
        };
        let (point, row, column) = ([1, 1], [1, 3], [3, 1]);
        Ok(BlockE {
            b1x1: conv("1x1", [input, 320], point)?,
            b3x3: conv("3x3_1", [input, 384], point)?,
            b3x3_split: [
                conv("3x3_2a", [384, 384], row)?,
                conv("3x3_2b", [384, 384], column)?,
            ],
            b3x3dbl: [
                conv("3x3dbl_1", [input, 448], point)?,
                conv("3x3dbl_2", [448, 384], [3, 3])?,
            ],
            b3x3dbl_split: [
                conv("3x3dbl_3a", [384, 384], row)?,
                conv("3x3dbl_3b", [384, 384], column)?,
            ],
            pool: conv("_pool", [input, 192], point)?,
        })
    }
}
