//! Speed of the convolutions of the networks, in GFLOP/s of the plain algorithm; a star marks
//! the algorithm that is chosen.
//!
//! `cargo bench --bench conv2d -- [part of a shape's name]`. Compare figures of one run only:
//! the minimum over some repetitions still drifts with the machine's clock.

use std::time::{Duration, Instant};

use tmad_ops::kernels::{
    Activation, Algorithm, Conv2dShape, Level, PackedWeights, Precision, conv2d_backward_input,
    conv2d_backward_weight, conv2d_with,
};

/// batch, in, out, size, kernel, stride, dilation.
const SHAPES: &[[usize; 7]] = &[
    // Coarse network at 256².
    [1, 4, 16, 256, 1, 1, 1],
    [1, 16, 16, 256, 3, 1, 1],
    [1, 16, 32, 256, 3, 2, 1],
    [1, 32, 32, 128, 3, 1, 1],
    [1, 32, 64, 128, 3, 2, 1],
    [1, 64, 64, 64, 3, 1, 1],
    [1, 64, 128, 64, 3, 2, 1],
    [1, 128, 128, 32, 3, 1, 2],
    [1, 128, 128, 32, 3, 1, 1],
    [1, 128, 64, 64, 3, 1, 1],
    [1, 64, 32, 128, 3, 1, 1],
    [1, 32, 16, 256, 3, 1, 1],
    [1, 128, 64, 32, 1, 1, 1],
    [1, 64, 64, 64, 1, 1, 1],
    [1, 32, 64, 128, 1, 1, 1],
    [1, 64, 100, 32, 3, 1, 1],
    [1, 64, 100, 64, 3, 1, 1],
    [1, 64, 100, 128, 3, 1, 1],
    [1, 16, 3, 256, 1, 1, 1],
    // Patch synthesis, 4 patches at a time.
    [4, 3, 32, 96, 1, 1, 1],
    [4, 32, 32, 96, 3, 1, 1],
    [4, 32, 64, 96, 3, 2, 1],
    [4, 64, 64, 48, 3, 1, 1],
    [4, 64, 64, 48, 3, 2, 1],
    [4, 64, 64, 24, 3, 1, 1],
    [4, 128, 64, 8, 3, 1, 1],
    [4, 64, 64, 8, 3, 1, 1],
    [4, 128, 64, 16, 3, 1, 1],
    [4, 64, 64, 16, 3, 1, 1],
    [4, 64, 64, 32, 3, 1, 1],
    [4, 64, 32, 32, 3, 1, 1],
    [4, 12, 32, 32, 1, 1, 1],
    [4, 32, 64, 32, 3, 2, 1],
    // Embeddings of 32 windows.
    [32, 3, 32, 32, 3, 1, 1],
    [32, 32, 16, 32, 1, 1, 1],
    // Global discriminator, batch 4.
    [4, 3, 64, 256, 4, 2, 1],
    [4, 64, 128, 128, 4, 2, 1],
    [4, 256, 512, 32, 4, 1, 1],
];

fn shape(s: &[usize; 7]) -> Conv2dShape {
    let [
        batch,
        in_channels,
        out_channels,
        size,
        kernel,
        stride,
        dilation,
    ] = *s;
    Conv2dShape {
        batch,
        in_channels,
        out_channels,
        height: size,
        width: size,
        kernel,
        stride,
        dilation,
        padding: dilation * (kernel - 1) / 2,
    }
}

fn seconds(mut f: impl FnMut()) -> f64 {
    f();
    let start = Instant::now();
    f();
    let once = start.elapsed().max(Duration::from_micros(1));
    let runs = (Duration::from_millis(100).div_duration_f64(once) as usize).clamp(3, 200);
    let times = (0..runs).map(|_| {
        let start = Instant::now();
        f();
        start.elapsed()
    });
    times.min().map_or(f64::NAN, |best| best.as_secs_f64())
}

fn main() {
    let filter = std::env::args()
        .skip(1)
        .find(|arg| !arg.starts_with('-'))
        .unwrap_or_default();
    let precisions = [Precision::F32, Precision::Bf16];
    println!(
        "{}, {} threads, GFLOP/s; below f32 bf16, where there is such a kernel",
        Level::current().name(),
        rayon::current_num_threads()
    );
    let [a, b, c, d] = Algorithm::ALL.map(|algorithm| format!("{algorithm:?}"));
    println!(
        "{:34} {a:>10} {b:>10} {c:>10} {d:>10} {:>8} {:>8}",
        "", "grad x", "grad w"
    );
    for s in SHAPES {
        let [batch, ci, co, size, kernel, stride, dilation] = s;
        let name = format!("{batch:3}× {ci:3}→{co:3} {size:3}² k{kernel} s{stride} d{dilation}");
        if !name.contains(&filter) {
            continue;
        }
        let s = shape(s);
        let values = |len: usize| -> Vec<f32> {
            (0..len)
                .map(|i| (i.wrapping_mul(7919) % 1000) as f32 * 1e-3 - 0.5)
                .collect()
        };
        let (x, weight) = (values(s.input_len()), values(s.weight_len()));
        let (bias, grad_out) = (values(s.out_channels), values(s.output_len()));
        let mut out = vec![0.0; s.output_len()];
        let mut grad_in = vec![0.0; s.input_len()];
        let mut grad_weight = vec![0.0; s.weight_len()];
        let packed = PackedWeights::new(&weight, s.out_channels, s.in_channels, s.kernel);
        let act = Activation::LeakyRelu(0.2);
        let speed = |seconds: f64| s.flops() as f64 * 1e-9 / seconds;

        for precision in precisions.into_iter().filter(|p| p.is_supported()) {
            precision.force(|| {
                match precision {
                    Precision::F32 => print!("{name:34}"),
                    Precision::Bf16 => print!("{:34}", ""),
                }
                let chosen = Algorithm::choose(&s, Level::current());
                for algorithm in Algorithm::ALL {
                    if !algorithm.supports(&s, Level::current()) {
                        print!(" {:>10}", "");
                        continue;
                    }
                    let bias = Some(bias.as_slice());
                    let forward = speed(seconds(|| {
                        conv2d_with(Some(algorithm), &s, &x, &packed, bias, None, act, &mut out)
                    }));
                    let mark = if algorithm == chosen { '*' } else { ' ' };
                    print!(" {forward:9.1}{mark}");
                }
                let grad_x = speed(seconds(|| {
                    conv2d_backward_input(&s, &grad_out, &weight, &mut grad_in)
                }));
                let grad_w = speed(seconds(|| {
                    conv2d_backward_weight(
                        &s,
                        &x,
                        &grad_out,
                        &mut grad_weight,
                        Some(&mut bias.clone()),
                    )
                }));
                println!(" {grad_x:8.1} {grad_w:8.1}");
            })
        }
    }
}
