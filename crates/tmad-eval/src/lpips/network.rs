//! The classifiers in whose features LPIPS compares.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use tmad::perceptual::{SqueezeNet, TAP_CHANNELS, Tap, imagenet_normalized};
use tmad::weights::{WeightsError, WeightsFile};
use tmad_ops::{Conv2dOptions, MaxPool};

use crate::metric::Metric;
use crate::tensors_by_name::values_in;

/// A classifier that LPIPS 0.1 has linear layers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LpipsNetwork {
    /// SqueezeNet 1.1 (`net="squeeze"`).
    Squeeze,
    /// AlexNet (`net="alex"`), the package's default.
    Alex,
    /// VGG-16 (`net="vgg"`).
    Vgg,
}

impl LpipsNetwork {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Squeeze, Self::Alex, Self::Vgg];

    /// The metric that it makes.
    pub fn metric(self) -> Metric {
        match self {
            Self::Squeeze => Metric::LpipsSqueeze,
            Self::Alex => Metric::LpipsAlex,
            Self::Vgg => Metric::LpipsVgg,
        }
    }

    /// Name of the file with the classifier's weights, torchvision's names inside.
    pub fn backbone_file(self) -> &'static str {
        match self {
            Self::Squeeze => "squeezenet1_1.safetensors",
            Self::Alex => "alexnet.safetensors",
            Self::Vgg => "vgg16.safetensors",
        }
    }

    /// Name of the file with the linear layers.
    pub fn linear_file(self) -> &'static str {
        match self {
            Self::Squeeze => "lpips_squeeze_v0_1.safetensors",
            Self::Alex => "lpips_alex_v0_1.safetensors",
            Self::Vgg => "lpips_vgg_v0_1.safetensors",
        }
    }

    /// Channels of its feature maps, finest first.
    pub fn tap_channels(self) -> &'static [usize] {
        match self {
            Self::Squeeze => &TAP_CHANNELS,
            Self::Alex => &[64, 192, 384, 256, 256],
            Self::Vgg => &[64, 128, 256, 512, 512],
        }
    }

    /// Shortest side of a picture that leaves something of every feature map.
    pub fn min_side_px(self) -> u32 {
        match self {
            Self::Squeeze => SqueezeNet::MIN_SIDE_PX as u32,
            Self::Alex => 31,
            Self::Vgg => 16,
        }
    }

    fn layers(self) -> &'static [Layer] {
        match self {
            Self::Squeeze => &[],
            Self::Alex => &ALEX,
            Self::Vgg => &VGG,
        }
    }
}

/// A layer as torchvision's `features` has it; every convolution is followed by a ReLU.
#[derive(Debug, Clone, Copy)]
pub(super) enum Layer {
    Conv {
        index: usize,
        channels: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        is_tap: bool,
    },
    Pool {
        kernel: usize,
    },
}

const fn conv(index: usize, channels: usize, kernel: usize, is_tap: bool) -> Layer {
    Layer::Conv {
        index,
        channels,
        kernel,
        stride: 1,
        padding: kernel / 2,
        is_tap,
    }
}

const ALEX: [Layer; 7] = [
    Layer::Conv {
        index: 0,
        channels: 64,
        kernel: 11,
        stride: 4,
        padding: 2,
        is_tap: true,
    },
    Layer::Pool { kernel: 3 },
    conv(3, 192, 5, true),
    Layer::Pool { kernel: 3 },
    conv(6, 384, 3, true),
    conv(8, 256, 3, true),
    conv(10, 256, 3, true),
];

const VGG: [Layer; 17] = [
    conv(0, 64, 3, false),
    conv(2, 64, 3, true),
    Layer::Pool { kernel: 2 },
    conv(5, 128, 3, false),
    conv(7, 128, 3, true),
    Layer::Pool { kernel: 2 },
    conv(10, 256, 3, false),
    conv(12, 256, 3, false),
    conv(14, 256, 3, true),
    Layer::Pool { kernel: 2 },
    conv(17, 512, 3, false),
    conv(19, 512, 3, false),
    conv(21, 512, 3, true),
    Layer::Pool { kernel: 2 },
    conv(24, 512, 3, false),
    conv(26, 512, 3, false),
    conv(28, 512, 3, true),
];

/// A network with its weights.
#[derive(Debug, Clone)]
pub(super) enum Backbone {
    Squeeze(Box<SqueezeNet>),
    /// Weights and biases of the convolutions in their order.
    Plain(&'static [Layer], Vec<(Tensor<4>, Tensor<1>)>),
}

impl Backbone {
    pub fn load(
        network: LpipsNetwork,
        file: &WeightsFile<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        match network {
            LpipsNetwork::Squeeze => {
                let network = SqueezeNet::load(file, device)?;
                Ok(Self::Squeeze(Box::new(network)))
            }
            _ => Self::plain(network, device, |name, shape| values_in(file, name, shape)),
        }
    }

    /// AlexNet or VGG-16 with the values that `values` gives for torchvision's names.
    pub fn plain<E>(
        network: LpipsNetwork,
        device: &Device,
        mut values: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut convs = Vec::new();
        let mut input = 3;
        for layer in network.layers() {
            if let Layer::Conv {
                index,
                channels,
                kernel,
                ..
            } = *layer
            {
                let shape = [channels, input, kernel, kernel];
                let weight = values(&format!("features.{index}.weight"), &shape)?;
                let bias = values(&format!("features.{index}.bias"), &[channels])?;
                convs.push((
                    Tensor::from_data(TensorData::new(weight, shape), device),
                    Tensor::from_data(TensorData::new(bias, [channels]), device),
                ));
                input = channels;
            }
        }
        Ok(Self::Plain(network.layers(), convs))
    }

    /// Feature maps behind their ReLU; `x` is in [-1, 1].
    pub fn taps(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let (layers, convs) = match self {
            Self::Squeeze(network) => return network.taps(x, Tap::AfterRelu),
            Self::Plain(layers, convs) => (layers, convs),
        };
        let mut convs = convs.iter();
        let mut x = imagenet_normalized(x);
        let mut taps = Vec::new();
        for layer in *layers {
            match *layer {
                Layer::Pool { kernel } => {
                    let windows = MaxPool {
                        side: kernel,
                        stride: 2,
                        ceil_mode: false,
                    };
                    x = tmad_ops::max_pool(x, windows);
                }
                Layer::Conv {
                    stride,
                    padding,
                    is_tap,
                    ..
                } => {
                    let (weight, bias) = convs.next().expect("as many as convolutions");
                    let options = Conv2dOptions {
                        stride,
                        padding,
                        dilation: 1,
                        negative_slope: None,
                    };
                    x = relu(tmad_ops::conv2d(x, weight.clone(), bias.clone(), options));
                    if is_tap {
                        taps.push(x.clone());
                    }
                }
            }
        }
        taps
    }
}
