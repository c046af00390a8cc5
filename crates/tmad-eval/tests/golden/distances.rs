//! Distances between sets of features against SciPy, clean-fid's formula and scikit-learn.

use tmad_eval::LinearSvm;
use tmad_eval::distances::{Features, discriminative_scores, frechet_distance, kernel_distance};

use crate::formula::Vectors;

#[test]
fn equal_their_references() {
    let golden = Vectors::open("set_distances");
    for (name, length) in [("few", 12), ("many", 80)] {
        let set = |which: &str| golden.values(&format!("{name}.{which}"), [60, length]);
        let (a, b) = (
            Features::new(length, set("a")),
            Features::new(length, set("b")),
        );
        let value = |which: &str| golden.values(&format!("{name}.{which}"), [1])[0];
        // Stored in f32 (6e-8). The root of an eigenvalue that should be 0 is that of its
        // rounding, √(1e-16) of the largest, here and in SciPy's matrix root; there are 21 of 80.
        let fid = frechet_distance(&a, &b);
        assert!(
            (fid - value("fid")).abs() < 1e-6 * value("fid"),
            "{name}: {fid} {}",
            value("fid")
        );
        // Differences of sums of about 1, in f64, stored in f32.
        let kid = kernel_distance(&a, &b);
        assert!(
            (kid - value("kid")).abs() < 1e-7 * value("kid").abs() + 1e-12,
            "{name}: {kid}"
        );

        let (paired, unpaired) = discriminative_scores(&a, &b);
        let expected = golden.values(&format!("{name}.ids"), [2]);
        // Counts of 60 and 120.
        assert!(
            (paired - expected[0]).abs() < 1e-6,
            "{name}: {paired} {}",
            expected[0]
        );
        assert!(
            (unpaired - expected[1]).abs() < 1e-6,
            "{name}: {unpaired} {}",
            expected[1]
        );
        let rows = |which: &str| -> Vec<Vec<f64>> {
            set(which)
                .chunks_exact(length)
                .map(<[f64]>::to_vec)
                .collect()
        };
        let (real, made) = (rows("a"), rows("b"));
        let machine = LinearSvm::fit(&real, &made);
        let expected = golden.values(&format!("{name}.decisions"), [120]);
        for (row, expected) in real.iter().chain(&made).zip(expected) {
            // Either solver ends within 1e-8 of its first gradient, some 100; the function's
            // curvature is 1 or more.
            assert!((machine.decide(row) - expected).abs() < 1e-5, "{name}");
        }
    }
}
