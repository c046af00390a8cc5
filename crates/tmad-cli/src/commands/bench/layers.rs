//! The convolutions of a network, each by itself.

use super::Measured;
use serde::Serialize;
use tmad_ops::kernels::{Activation, Conv2dShape, PackedWeights, Record, conv2d};

/// A convolution shape of the network.
#[derive(Debug, Serialize)]
pub struct Layer {
    batch: usize,
    in_channels: usize,
    out_channels: usize,
    height: usize,
    width: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    /// How often a forward pass computes it.
    count: usize,
    #[serde(flatten)]
    pub measured: Measured,
}

impl Layer {
    /// For a table.
    pub fn name(&self) -> String {
        format!(
            "{:2}: {}× {}→{} {}×{} k{} s{} d{}",
            self.count,
            self.batch,
            self.in_channels,
            self.out_channels,
            self.height,
            self.width,
            self.kernel,
            self.stride,
            self.dilation
        )
    }
}

/// Medians for every shape in `record`, in the order of their first use.
pub fn measure(record: &Record, runs: u16) -> Vec<Layer> {
    let mut shapes: Vec<(Conv2dShape, usize)> = Vec::new();
    for shape in &record.convolutions {
        match shapes.iter_mut().find(|(other, _)| other == shape) {
            Some((_, count)) => *count += 1,
            None => shapes.push((*shape, 1)),
        }
    }
    shapes
        .iter()
        .map(|(shape, count)| time(shape, *count, runs))
        .collect()
}

fn time(shape: &Conv2dShape, count: usize, runs: u16) -> Layer {
    // Numbers without a pattern that an algorithm could profit from.
    let values = |len: usize| -> Vec<f32> {
        (0..len)
            .map(|i| (i.wrapping_mul(7919) % 1000) as f32 * 1e-3 - 0.5)
            .collect()
    };
    let s = shape;
    let (x, weight, bias) = (
        values(s.input_len()),
        values(s.weight_len()),
        values(s.out_channels),
    );
    let packed = PackedWeights::new(&weight, s.out_channels, s.in_channels, s.kernel);
    let mut out = vec![0.0; s.output_len()];
    let act = Activation::LeakyRelu(0.2);
    let measured = Measured::median_of(runs, || {
        conv2d(s, &x, &packed, Some(&bias), None, act, &mut out);
    });
    Layer {
        batch: s.batch,
        in_channels: s.in_channels,
        out_channels: s.out_channels,
        height: s.height,
        width: s.width,
        kernel: s.kernel,
        stride: s.stride,
        dilation: s.dilation,
        count,
        measured,
    }
}
