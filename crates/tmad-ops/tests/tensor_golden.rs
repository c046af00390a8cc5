//! The convolution on tensors against PyTorch's, forward and backward; both the kernels and the
//! plain composition of Burn's operations.

#[path = "../../tmad/tests/common/golden.rs"]
mod golden;
#[path = "../../tmad/tests/common/tensors.rs"]
mod tensors;

use burn::tensor::Tensor;
use golden::Golden;
use tensors::{autodiff, device, values};
use tmad_ops::{Conv2dOptions, composed};

/// Five times what PyTorch's own f32 loses against its f64 (`tools/golden/README.md`):
/// 3e-7 for outputs, 2e-6 for gradients, relative to the largest value.
const OUTPUT: f64 = 1.5e-6;
const GRADIENT: f64 = 1e-5;

type Convolution = fn(Tensor<4>, Tensor<4>, Tensor<1>, Conv2dOptions) -> Tensor<4>;

/// Prefix in the file, stride, padding, dilation.
const CASES: [(&str, usize, usize, usize); 8] = [
    ("k3s1", 1, 1, 1),
    ("k3s2", 2, 1, 1),
    ("k3s2_odd", 2, 1, 1),
    ("k3d2", 1, 2, 2),
    ("k1", 1, 0, 1),
    ("k4s2", 2, 1, 1),
    ("k4s1", 1, 1, 1),
    ("wide", 1, 1, 1),
];

fn check(conv2d: Convolution) {
    let golden = Golden::open("conv");
    for (case, stride, padding, dilation) in CASES {
        for (activation, negative_slope) in [("linear", None), ("leaky", Some(0.2))] {
            let options = Conv2dOptions {
                stride,
                padding,
                dilation,
                negative_slope,
            };
            let prefix = format!("{case}.{activation}.");
            let plain = conv2d(
                golden.tensor(&format!("{case}.input"), &device()),
                golden.tensor(&format!("{case}.weight"), &device()),
                golden.tensor(&format!("{case}.bias"), &device()),
                options,
            );
            golden.assert_close(&format!("{prefix}output"), &values(plain), OUTPUT);

            let x: Tensor<4> = golden.tensor(&format!("{case}.input"), &autodiff());
            let weight: Tensor<4> = golden.tensor(&format!("{case}.weight"), &autodiff());
            let bias: Tensor<1> = golden.tensor(&format!("{case}.bias"), &autodiff());
            let (x, weight, bias) = (x.require_grad(), weight.require_grad(), bias.require_grad());
            let y = conv2d(x.clone(), weight.clone(), bias.clone(), options);
            golden.assert_close(&format!("{prefix}output"), &values(y.clone()), OUTPUT);
            let cotangent = golden.tensor(&format!("{prefix}cotangent"), &autodiff());
            let grads = (y * cotangent).sum().backward();
            let found = [
                ("input", x.grad(&grads).map(values)),
                ("weight", weight.grad(&grads).map(values)),
                ("bias", bias.grad(&grads).map(values)),
            ];
            for (name, grad) in found {
                let grad = grad.expect("all arguments are tracked");
                golden.assert_close(&format!("{prefix}grad.{name}"), &grad, GRADIENT);
            }
        }
    }
}

#[test]
fn kernels_agree_with_pytorch() {
    check(tmad_ops::conv2d);
}

#[test]
fn composition_agrees_with_pytorch() {
    check(composed::conv2d);
}
