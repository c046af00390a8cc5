//! Speed of CARAFE and of the matrix products of the retrieval, in GFLOP/s.

use std::time::{Duration, Instant};

use tmad_ops::kernels::{CarafeShape, Level, carafe, carafe_backward, matmul, matmul_bt};

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

fn values(len: usize) -> Vec<f32> {
    (0..len)
        .map(|i| (i.wrapping_mul(7919) % 1000) as f32 * 1e-3 - 0.5)
        .collect()
}

fn main() {
    println!(
        "{}, {} threads, GFLOP/s",
        Level::current().name(),
        rayon::current_num_threads()
    );
    println!("{:34} {:>9} {:>9}", "", "forward", "backward");
    for [batch, channels, size] in [
        [1, 128, 32],
        [1, 64, 64],
        [1, 32, 128],
        [16, 64, 8],
        [16, 64, 16],
    ] {
        let s = CarafeShape {
            batch,
            channels,
            height: size,
            width: size,
        };
        let (x, kernels) = (values(s.input_len()), values(s.kernels_len()));
        let grad_out = values(s.output_len());
        let (mut out, mut grad_x) = (values(s.output_len()), values(s.input_len()));
        let mut grad_kernels = values(s.kernels_len());
        let forward = seconds(|| carafe(&s, &x, &kernels, &mut out));
        let backward = seconds(|| {
            carafe_backward(&s, &x, &kernels, &grad_out, &mut grad_x, &mut grad_kernels)
        });
        let gflop = s.flops() as f64 * 1e-9;
        let name = format!("CARAFE {batch:2}× {channels:3} {size:3}²");
        println!(
            "{name:34} {:9.1} {:9.1}",
            gflop / forward,
            2.0 * gflop / backward
        );
    }
    println!("{:34} {:>9} {:>9}", "", "a · bᵀ", "a · b");
    for [m, n, k] in [
        [16, 100, 16384],
        [96, 1457, 16384],
        [96, 1457, 1024],
        [512, 512, 512],
    ] {
        let (a, b, mut c) = (values(m * k), values(n * k), values(m * n));
        let gflop = 2e-9 * (m * n * k) as f64;
        let transposed = seconds(|| matmul_bt(m, n, k, &a, &b, &mut c));
        let plain = seconds(|| matmul(m, n, k, &a, &b, &mut c));
        let name = format!("{m:3} × {n:4}, {k:5} terms");
        println!("{name:34} {:9.1} {:9.1}", gflop / transposed, gflop / plain);
    }
}
