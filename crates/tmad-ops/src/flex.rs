//! The operations on Flex, Burn's pure-Rust CPU backend, with this crate's kernels.

use crate::backend::TmadOps;
use crate::kernels::{self, Activation, CarafeShape, Conv2dShape, Weights, filled};
use crate::{Conv2dOptions, KeptWeights, MaxPool};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData};

#[cfg(feature = "train")]
mod training;

fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.layout().shape().dims()
}

/// The values of a tensor made contiguous before.
fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("contiguous f32")
}

fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, Shape::from(dims)))
}

fn conv2d_shape(x: &FlexTensor, weight: &FlexTensor, options: Conv2dOptions) -> Conv2dShape {
    let [batch, in_channels, height, width] = dims(x);
    let [out_channels, _, kernel, _] = dims(weight);
    Conv2dShape {
        batch,
        in_channels,
        out_channels,
        height,
        width,
        kernel,
        stride: options.stride,
        dilation: options.dilation,
        padding: options.padding,
    }
}

fn output_dims(shape: &Conv2dShape) -> [usize; 4] {
    [
        shape.batch,
        shape.out_channels,
        shape.out_height(),
        shape.out_width(),
    ]
}

fn carafe_shape(x: &FlexTensor) -> CarafeShape {
    let [batch, channels, height, width] = dims(x);
    CarafeShape {
        batch,
        channels,
        height,
        width,
    }
}

/// See [`crate::conv2d_fused`].
fn conv2d(
    x: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    residual: Option<FlexTensor>,
    options: Conv2dOptions,
    kept: Option<KeptWeights>,
) -> FlexTensor {
    let (x, weight, bias) = (
        x.to_contiguous(),
        weight.to_contiguous(),
        bias.to_contiguous(),
    );
    let residual = residual.map(|residual| residual.to_contiguous());
    let shape = conv2d_shape(&x, &weight, options);
    let activation = match options.negative_slope {
        Some(slope) => Activation::LeakyRelu(slope),
        None => Activation::None,
    };
    let panels = kept.and_then(|kept| kept.panels(&weight));
    let weights = match &panels {
        Some(panels) => Weights::Kept(values(&weight), panels),
        None => Weights::Plain(values(&weight)),
    };
    let out = filled(shape.output_len(), |out| {
        kernels::conv2d(
            &shape,
            values(&x),
            weights,
            Some(values(&bias)),
            residual.as_ref().map(values),
            activation,
            out,
        )
    });
    tensor(out, output_dims(&shape))
}

impl TmadOps for Flex {
    fn conv2d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FlexTensor {
        conv2d(x, weight, bias, None, options, kept)
    }

    fn conv2d_residual(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        residual: FlexTensor,
        options: Conv2dOptions,
        kept: Option<KeptWeights>,
    ) -> FlexTensor {
        conv2d(x, weight, bias, Some(residual), options, kept)
    }

    fn carafe(x: FlexTensor, logits: FlexTensor) -> FlexTensor {
        let (x, logits) = (x.to_contiguous(), logits.to_contiguous());
        let shape = carafe_shape(&x);
        let out = filled(shape.output_len(), |out| {
            kernels::carafe_from_logits(&shape, values(&x), values(&logits), out)
        });
        let CarafeShape {
            batch,
            channels,
            height,
            width,
        } = shape;
        tensor(out, [batch, channels, 2 * height, 2 * width])
    }

    fn matmul_bt(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let (a, b) = (a.to_contiguous(), b.to_contiguous());
        let ([m, k], [n, _]) = (dims(&a), dims(&b));
        let out = filled(m * n, |out| {
            kernels::matmul_bt(m, n, k, values(&a), values(&b), out)
        });
        tensor(out, [m, n])
    }

    fn square_sums(a: FlexTensor) -> FlexTensor {
        let a = a.to_contiguous();
        let [m, k] = dims(&a);
        let sums = filled(m, |sums| kernels::square_sums(m, k, values(&a), sums));
        tensor(sums, [m, 1])
    }

    fn box_means(x: FlexTensor, side: usize) -> FlexTensor {
        let x = x.to_contiguous();
        let [batch, channels, height, width] = dims(&x);
        let shape = [batch * channels, height, width];
        let means = filled(batch * channels * height * width, |out| {
            kernels::box_means(shape, side, values(&x), out)
        });
        tensor(means, dims::<4>(&x))
    }

    fn max_pool(x: FlexTensor, pool: MaxPool) -> FlexTensor {
        let x = x.to_contiguous();
        let [batch, channels, height, width] = dims(&x);
        let [out_height, out_width] = [height, width].map(|side| pool.output_size(side));
        let shape = [batch * channels, height, width];
        let mut largest = vec![0.0; batch * channels * out_height * out_width];
        kernels::max_pool(shape, pool, values(&x), &mut largest);
        tensor(largest, [batch, channels, out_height, out_width])
    }
}
