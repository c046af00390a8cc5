//! The blocks of [`crate::layers`] as ONNX nodes. Weights are found by the names that they have in
//! a file of weights, such as `coarse.down.0.conv1.weight`.

use super::graph::Attribute::{Float, Int, Ints, Text};
use super::graph::Graph;
use crate::layers::NEGATIVE_SLOPE;
use std::collections::BTreeMap;
use tmad_ops::{CARAFE_KERNEL, CARAFE_TAPS};

/// Shapes and values of a model's parameters by name.
pub type Parameters = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A graph, and the weights of which it takes what it needs.
pub struct Builder<'a> {
    pub graph: Graph,
    parameters: &'a Parameters,
}

/// How a convolution departs from one of stride 1 with leaky ReLU.
#[derive(Debug, Clone, Copy)]
pub struct How {
    stride: usize,
    dilation: usize,
    is_linear: bool,
}

impl How {
    /// Stride 1, leaky ReLU.
    pub const PLAIN: Self = Self {
        stride: 1,
        dilation: 1,
        is_linear: false,
    };
    /// Without leaky ReLU.
    pub const LINEAR: Self = Self {
        is_linear: true,
        ..Self::PLAIN
    };
    const HALVING: Self = Self {
        stride: 2,
        ..Self::PLAIN
    };
}

impl<'a> Builder<'a> {
    /// An empty graph.
    pub fn new(parameters: &'a Parameters) -> Self {
        Self {
            graph: Graph::default(),
            parameters,
        }
    }

    /// Shape of a layer's weight.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn shape(&self, layer: &str) -> &'a [usize] {
        &self.parameters[&format!("{layer}.weight")].0
    }

    fn parameter(&mut self, name: &str) -> String {
        let (shape, values) = &self.parameters[name];
        self.graph.floats(name, shape, values)
    }

    /// A convolution with zero padding that keeps the size (before striding).
    pub fn conv(&mut self, x: &str, layer: &str, how: How) -> String {
        let kernel = self.shape(layer)[2];
        let weight = self.parameter(&format!("{layer}.weight"));
        let bias = self.parameter(&format!("{layer}.bias"));
        let [side, step, distance, border] = [
            kernel,
            how.stride,
            how.dilation,
            how.dilation * (kernel / 2),
        ]
        .map(|n| n as i64);
        let attributes = [
            Ints("kernel_shape", &[side; 2]),
            Ints("strides", &[step; 2]),
            Ints("dilations", &[distance; 2]),
            Ints("pads", &[border; 4]),
        ];
        let made = self.graph.node("Conv", &[x, &weight, &bias], &attributes);
        match how.is_linear {
            true => made,
            false => (self.graph).node("LeakyRelu", &[&made], &[Float("alpha", NEGATIVE_SLOPE)]),
        }
    }

    /// Names of the blocks of a kind (`down`, `res`, `up`).
    pub fn blocks(&self, network: &str, kind: &str) -> Vec<String> {
        let names = (0..).map(|index| format!("{network}.{kind}.{index}"));
        let exists =
            |block: &String| (self.parameters).contains_key(&format!("{block}.conv1.weight"));
        names.take_while(exists).collect()
    }

    /// [`crate::layers::Down`].
    pub fn down(&mut self, x: &str, block: &str) -> String {
        let x = self.conv(x, &format!("{block}.conv1"), How::PLAIN);
        self.conv(&x, &format!("{block}.conv2"), How::HALVING)
    }

    /// [`crate::layers::Residual`].
    pub fn residual(&mut self, x: &str, block: &str, dilation: usize) -> String {
        let how = How {
            dilation,
            ..How::PLAIN
        };
        let made = self.conv(x, &format!("{block}.conv1"), how);
        let made = self.conv(&made, &format!("{block}.conv2"), How::LINEAR);
        self.graph.node("Add", &[x, &made], &[])
    }

    /// The first step of [`crate::layers::Up`].
    pub fn upsample(&mut self, x: &str, block: &str) -> String {
        let layer = format!("{block}.carafe");
        match self.scale(block) {
            1 => x.to_owned(),
            _ => self.carafe(x, &layer),
        }
    }

    /// How much a block of [`crate::layers::Up`] enlarges: 1 or 2.
    pub fn scale(&self, block: &str) -> usize {
        let kernels = format!("{block}.carafe.encoder.weight");
        1 + usize::from(self.parameters.contains_key(&kernels))
    }

    /// The rest of [`crate::layers::Up`].
    pub fn convolve(&mut self, x: &str, block: &str) -> String {
        let x = self.conv(x, &format!("{block}.conv1"), How::PLAIN);
        self.conv(&x, &format!("{block}.conv2"), How::PLAIN)
    }

    /// [`tmad_ops::carafe`]: a sum of 25 shifted maps at the doubled size, since there is no
    /// operator that takes windows out of a picture of free size.
    fn carafe(&mut self, x: &str, layer: &str) -> String {
        let logits = self.conv(x, &format!("{layer}.compressor"), How::LINEAR);
        let logits = self.conv(&logits, &format!("{layer}.encoder"), How::LINEAR);
        let graph = &mut self.graph;
        let shuffle = [Int("blocksize", 2), Text("mode", "CRD")];
        let logits = graph.node("DepthToSpace", &[&logits], &shuffle);
        let kernels = graph.node("Softmax", &[&logits], &[Int("axis", 1)]);
        let radius = CARAFE_KERNEL / 2;
        let framed = graph.pad(x, [radius; 4], "constant");
        let framed = graph.doubled(&framed, false);
        let last = CARAFE_KERNEL as i64 - 1;
        let end = |start: i64| match start == last {
            true => i64::MAX,
            false => 2 * (start - last),
        };
        let terms = (0..CARAFE_TAPS).map(|tap| {
            let (row, column) = (tap / CARAFE_KERNEL, tap % CARAFE_KERNEL);
            let (row, column) = (row as i64, column as i64);
            let starts = [2 * row, 2 * column];
            let shifted = graph.slice(&framed, &[2, 3], &starts, &[end(row), end(column)]);
            let weights = graph.channels(&kernels, tap, 1);
            graph.node("Mul", &[&shifted, &weights], &[])
        });
        let terms: Vec<_> = terms.collect();
        self.sum(terms)
    }

    /// The sum of some values.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn sum(&mut self, terms: Vec<String>) -> String {
        let add = |sum: String, term: String| self.graph.node("Add", &[&sum, &term], &[]);
        terms.into_iter().reduce(add).expect("at least one term")
    }

    /// [`crate::layers::encode_decode`].
    pub fn encode_decode(
        &mut self,
        mut x: String,
        network: &str,
        dilation: usize,
        has_skips: bool,
    ) -> String {
        let mut maps = Vec::new();
        for block in self.blocks(network, "down") {
            if has_skips {
                maps.push(x.clone());
            }
            x = self.down(&x, &block);
        }
        for block in self.blocks(network, "res") {
            x = self.residual(&x, &block, dilation);
        }
        for block in self.blocks(network, "up") {
            x = self.upsample(&x, &block);
            if let Some(map) = maps.pop() {
                x = self.graph.concat(&[&x, &map]);
            }
            x = self.convolve(&x, &block);
        }
        x
    }
}
