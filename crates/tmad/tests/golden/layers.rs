//! Blocks: everything is stored, including the parameters.

use crate::common::golden::Golden;
use crate::common::parameters::{assert_gradients, with_parameters};
use crate::common::tensors::{assert_close, autodiff, device, tensor, values};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use tmad::layers::{Carafe, Down, Initializer, Residual, Up};
use tmad_ops::kernels::{CarafeShape, carafe, carafe_backward};

/// Single layers lose 3e-7 (outputs) and 2e-6 (gradients) in f32.
const OUTPUT: f64 = 1.5e-6;
const GRADIENT: f64 = 1e-5;

/// Runs a block with the stored parameters, with and without autodiff, and compares the output
/// and all gradients. `inputs` are names behind the prefix.
fn check<M: Module>(
    file: &str,
    prefix: &str,
    inputs: &[&str],
    build: impl Fn(&mut Initializer) -> M,
    forward: impl Fn(&M, Vec<Tensor<4>>) -> Tensor<4>,
) {
    let golden = Golden::open(file);
    let load = |device: &Device| {
        with_parameters(build(&mut Initializer::new(1, device)), |name, _| {
            golden.values(&format!("{prefix}{name}"))
        })
    };
    let arguments = |device: &Device| -> Vec<Tensor<4>> {
        let names = inputs.iter().map(|name| format!("{prefix}{name}"));
        names.map(|name| golden.tensor(&name, device)).collect()
    };
    let output = format!("{prefix}output");
    let plain = forward(&load(&device()), arguments(&device()));
    golden.assert_close(&output, &values(plain), OUTPUT);

    let module = load(&autodiff());
    let tracked: Vec<_> = (arguments(&autodiff()).into_iter())
        .map(Tensor::require_grad)
        .collect();
    let y = forward(&module, tracked.clone());
    golden.assert_close(&output, &values(y.clone()), OUTPUT);
    let cotangent = golden.tensor(&format!("{prefix}cotangent"), &autodiff());
    let grads = (y * cotangent).sum().backward();
    for (name, x) in inputs.iter().zip(&tracked) {
        let grad = x.grad(&grads).expect("the input is tracked");
        golden.assert_close(&format!("{prefix}grad.{name}"), &values(grad), GRADIENT);
    }
    assert_gradients(
        &module,
        &grads,
        &golden,
        &format!("{prefix}grad."),
        GRADIENT,
    );
}

#[test]
fn down_block() {
    check(
        "down",
        "nearest.",
        &["input"],
        |init| Down::new(init, 4, 6),
        |block, x| block.forward(x[0].clone()),
    );
}

#[test]
fn residual_blocks() {
    for dilation in [1, 2] {
        let build = |init: &mut Initializer| Residual::new(init, 4, dilation);
        check(
            "res",
            &format!("d{dilation}."),
            &["input"],
            build,
            |block, x| block.forward(x[0].clone()),
        );
    }
}

#[test]
fn carafe_block() {
    check(
        "carafe",
        "",
        &["input"],
        |init| Carafe::new(init, 6, 4),
        |block, x| block.forward(x[0].clone()),
    );
}

/// As the networks use it: upsampled channels first, the skip connection behind them.
fn up(block: &Up, x: Vec<Tensor<4>>) -> Tensor<4> {
    let mut maps = vec![block.upsample(x[0].clone())];
    maps.extend(x.into_iter().skip(1));
    block.convolve(Tensor::cat(maps, 1))
}

#[test]
fn up_block_with_skip() {
    check(
        "up",
        "skip.",
        &["input", "skip"],
        |init| Up::new(init, 6, 3, 4, 2, 3),
        up,
    );
}

#[test]
fn up_block_without_skip() {
    check(
        "up",
        "plain.",
        &["input"],
        |init| Up::new(init, 6, 0, 4, 2, 3),
        up,
    );
}

#[test]
fn up_block_without_upsampling() {
    check(
        "up",
        "scale1.",
        &["input", "skip"],
        |init| Up::new(init, 6, 3, 4, 1, 3),
        up,
    );
}

/// The reassembly alone, whose kernels need not sum to one: it must not renormalise.
#[test]
fn bare_reassembly() {
    let golden = Golden::open("carafe");
    let [batch, channels, height, width] = (golden.shape("reassemble.input").try_into()).unwrap();
    let shape = CarafeShape {
        batch,
        channels,
        height,
        width,
    };
    let x = golden.values("reassemble.input");
    let kernels = golden.values("reassemble.weights");
    let mut out = vec![f32::NAN; shape.output_len()];
    carafe(&shape, &x, &kernels, &mut out);
    golden.assert_close("reassemble.output", &out, OUTPUT);

    let mut grad_x = vec![f32::NAN; shape.input_len()];
    let mut grad_kernels = vec![f32::NAN; shape.kernels_len()];
    let cotangent = golden.values("reassemble.cotangent");
    carafe_backward(
        &shape,
        &x,
        &kernels,
        &cotangent,
        &mut grad_x,
        &mut grad_kernels,
    );
    golden.assert_close("reassemble.grad.input", &grad_x, GRADIENT);
    golden.assert_close("reassemble.grad.weights", &grad_kernels, GRADIENT);
}

/// Halving as a stride of the second convolution is the convolution followed by [::2, ::2].
#[test]
fn a_stride_keeps_every_second_pixel() {
    use tmad::layers::Conv2d;
    let build = |init: &mut Initializer| Conv2d::new(init, 3, 5, 3);
    let device = device();
    let full = build(&mut Initializer::new(7, &device));
    let strided = build(&mut Initializer::new(7, &device)).stride(2);
    for [height, width] in [[8, 10], [7, 9], [2, 3]] {
        let x: Vec<f32> = (0..2 * 3 * height * width)
            .map(|i| (i as f32).sin())
            .collect();
        let x = tensor(x, [2, 3, height, width], &device);
        let y = values(full.forward(x.clone()));
        let kept: Vec<f32> = (y.chunks_exact(width).enumerate())
            .filter(|(row, _)| row % height % 2 == 0)
            .flat_map(|(_, row)| row.iter().step_by(2).copied())
            .collect();
        // Two algorithms of the convolution, a sum of 27 products each.
        assert_close(&values(strided.forward(x)), &kept, OUTPUT, "stride 2");
    }
}
