//! Spectral normalisation (Miyato et al., ICLR 2018): a weight divided by its largest singular
//! value, so that a discriminator's slope stays bounded. The paper does not say how its
//! discriminators are normalised; DeepFillv2 and EdgeConnect do it so.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use inpaint_core::random::Random;

/// Keeps the quotient of a zero vector finite.
const EPSILON: f64 = 1e-12;

/// Running estimates of a weight's largest singular value's two vectors. They are part of a
/// discriminator's state, not of what it learns.
#[derive(Module, Debug)]
pub struct SpectralNorm {
    /// Left vector, `[rows]`.
    pub left: Param<Tensor<1>>,
    /// Right vector, `[columns]`.
    pub right: Param<Tensor<1>>,
}

impl SpectralNorm {
    /// Starts from a random left vector for matrices of `rows` × `columns`. Before the first
    /// [`SpectralNorm::iterated`] the right vector is zero.
    pub fn new(rows: usize, columns: usize, random: &mut Random, device: &Device) -> Self {
        let left: Vec<f32> = (0..rows).map(|_| random.normal() as f32).collect();
        let fixed = |values: Vec<f32>| {
            let shape = [values.len()];
            Param::from_data(TensorData::new(values, shape), device).set_require_grad(false)
        };
        let norm = Self {
            left: fixed(left),
            right: fixed(vec![0.0; columns]),
        };
        Self {
            left: norm.left.map(unit),
            ..norm
        }
    }

    /// One power iteration with the current weight, `[rows, columns]`.
    #[must_use]
    pub fn iterated(self, weight: Tensor<2>) -> Self {
        let weight = weight.detach();
        let right = unit(times(weight.clone().transpose(), self.left.val()));
        let left = unit(times(weight, right.clone()));
        Self {
            left: self.left.map(|_| left.set_require_grad(false)),
            right: self.right.map(|_| right.set_require_grad(false)),
        }
    }

    /// The estimate of the largest singular value, uᵀWv, `[1]`. Its gradient reaches the weight
    /// only.
    pub fn sigma(&self, weight: Tensor<2>) -> Tensor<1> {
        let product = times(weight, self.right.val().detach());
        (product * self.left.val().detach()).sum()
    }
}

/// `[rows, columns]` × `[columns]` → `[rows]`.
fn times(matrix: Tensor<2>, vector: Tensor<1>) -> Tensor<1> {
    let [rows, columns] = matrix.dims();
    matrix.matmul(vector.reshape([columns, 1])).reshape([rows])
}

fn unit(vector: Tensor<1>) -> Tensor<1> {
    let length = vector.clone().square().sum().sqrt().clamp_min(EPSILON);
    vector / length
}
