//! Reading the golden vectors of `tools/golden` (its README.md describes the files).

#![allow(dead_code)] // Each test binary uses its own part.

use super::tensors::{assert_close, tensor};
use burn::tensor::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;
use std::path::Path;

/// 24 uniform bits for index `index` of the sequence `name`.
pub fn hash_bits(name: &str, index: u32) -> u32 {
    let start = name.bytes().fold(0x811C_9DC5u32, |h, byte| {
        (h ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let mut x = index.wrapping_mul(0x9E37_79B9).wrapping_add(start);
    x ^= x >> 16;
    x = x.wrapping_mul(0x85EB_CA6B);
    x ^= x >> 13;
    x = x.wrapping_mul(0xC2B2_AE35);
    x ^= x >> 16;
    x >> 8
}

/// Values in [-`bound`, `bound`) that the files do not store.
pub fn formula(name: &str, len: usize, bound: f32) -> Vec<f32> {
    (0..len as u32)
        .map(|i| bound * (hash_bits(name, i) as f32 / (1 << 23) as f32 - 1.0))
        .collect()
}

/// An input or a cotangent by the formula, bound 1.
pub fn formula_tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    tensor(formula(name, shape.iter().product(), 1.0), shape, device)
}

/// The formula's value of a network's parameter.
pub fn formula_parameter(name: &str, shape: &[usize]) -> Vec<f32> {
    let fan_in: usize = shape[1..].iter().product();
    let bound = if name.ends_with("bias") {
        0.1
    } else {
        (6.0 / (1.04 * fan_in as f64)).sqrt() as f32
    };
    formula(name, shape.iter().product(), bound)
}

struct Entry {
    shape: Vec<usize>,
    dtype: Dtype,
    bytes: Vec<u8>,
}

/// One file of vectors.
pub struct Golden {
    name: String,
    entries: HashMap<String, Entry>,
}

impl Golden {
    /// Reads `tools/golden/vectors/NAME.safetensors`.
    pub fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../tools/golden/vectors")
            .join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let entries = (file.iter())
            .map(|(name, view)| {
                let entry = Entry {
                    shape: view.shape().to_vec(),
                    dtype: view.dtype(),
                    bytes: view.data().to_vec(),
                };
                (name.to_owned(), entry)
            })
            .collect();
        Self {
            name: name.to_owned(),
            entries,
        }
    }

    fn entry(&self, name: &str) -> &Entry {
        let entry = self.entries.get(name);
        entry.unwrap_or_else(|| panic!("{} holds no {name}", self.name))
    }

    /// Names of all tensors that start with `prefix`, sorted.
    pub fn names(&self, prefix: &str) -> Vec<&str> {
        let mut names: Vec<_> = (self.entries.keys().map(String::as_str))
            .filter(|name| name.starts_with(prefix))
            .collect();
        names.sort_unstable();
        names
    }

    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.entry(name).shape
    }

    /// A float tensor's values.
    pub fn values(&self, name: &str) -> Vec<f32> {
        let entry = self.entry(name);
        assert_eq!(entry.dtype, Dtype::F32, "{name}");
        (entry.bytes.chunks_exact(4))
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    }

    /// A whole-number tensor's values.
    pub fn integers(&self, name: &str) -> Vec<i64> {
        let entry = self.entry(name);
        assert_eq!(entry.dtype, Dtype::I64, "{name}");
        (entry.bytes.chunks_exact(8))
            .map(|b| i64::from_le_bytes(b.try_into().unwrap()))
            .collect()
    }

    /// A whole-number matrix, row by row.
    pub fn rows<const N: usize>(&self, name: &str) -> Vec<[i64; N]> {
        assert_eq!(*self.shape(name).last().unwrap(), N, "{name}");
        let rows = self.integers(name);
        rows.chunks_exact(N)
            .map(|row| row.try_into().unwrap())
            .collect()
    }

    /// A float tensor.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let shape = self.shape(name).try_into().expect("the tensor's rank");
        tensor(self.values(name), shape, device)
    }

    /// Compares with a tensor stored whole or, if it is large, as norm and samples.
    #[track_caller]
    pub fn assert_close(&self, name: &str, found: &[f32], tolerance: f64) {
        let what = format!("{}: {name}", self.name);
        if self.entries.contains_key(name) {
            return assert_close(found, &self.values(name), tolerance, &what);
        }
        let expected = self.values(&format!("{name}.sample"));
        let step = found.len().div_ceil(256);
        let sample: Vec<f32> = found.iter().step_by(step).copied().collect();
        assert_close(&sample, &expected, tolerance, &what);
        // In f64: a sum of squares in f32 alone costs 1e-5.
        let norm = found
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt();
        let expected = f64::from(self.values(&format!("{name}.norm"))[0]);
        let error = (norm - expected).abs() / expected;
        assert!(error <= tolerance, "{what}: the norm is off by {error:.2e}");
    }
}

/// The README's check values: without them a wrong formula would look like a wrong network.
#[test]
fn formula_gives_the_documented_values() {
    let bits = [0, 1, 2, 3].map(|i| hash_bits("check", i));
    assert_eq!(bits, [1_627_800, 15_542_286, 15_991_729, 1_383_747]);
    let expected = [-0.8059511, 0.85278487, 0.90636265, -0.8350445];
    assert_eq!(formula("check", 4, 1.0), expected);
}
