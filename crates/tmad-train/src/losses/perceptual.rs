//! L_percep of Eq. (8).

use burn::tensor::Tensor;

/// Σ over the layers of mean |difference of the features| (weights 1, as mmediting).
///
/// # Shapes
///
/// Feature maps of a network, in the same order for both; the result is a scalar `[1]`. The
/// truth's features get no gradient.
///
/// # Panics
///
/// If there is no feature map.
pub fn perceptual(features: Vec<Tensor<4>>, truth: Vec<Tensor<4>>) -> Tensor<1> {
    (features.into_iter().zip(truth))
        .map(|(found, wanted)| (found - wanted.detach()).abs().mean())
        .reduce(|a, b| a + b)
        .expect("a feature network has layers")
}

/// Σ over the layers of the mean squared distance of the features, each scaled to unit length over
/// its channels, as LPIPS compares them (Zhang et al., *The Unreasonable Effectiveness of Deep
/// Features as a Perceptual Metric*, CVPR 2018), but for its learned weights.
///
/// # Shapes
///
/// As for [`perceptual`].
///
/// # Panics
///
/// If there is no feature map.
pub fn perceptual_of_unit_length(features: Vec<Tensor<4>>, truth: Vec<Tensor<4>>) -> Tensor<1> {
    let unit = |x: Tensor<4>| {
        // Under the root, since its slope at 0 is infinite.
        let length = (x.clone().square().sum_dim(1) + 1e-6).sqrt();
        x / length
    };
    (features.into_iter().zip(truth))
        .map(|(found, wanted)| {
            let channels = found.dims()[1] as f64;
            (unit(found) - unit(wanted.detach())).square().mean() * channels
        })
        .reduce(|a, b| a + b)
        .expect("a feature network has layers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Whatever the length, orthogonal features are √2 apart.
    #[test]
    fn length_does_not_count() {
        let device = Device::flex();
        let map = |values: [f32; 2]| {
            let map = Tensor::<1>::from_floats(values, &device).reshape([1, 2, 1, 1]);
            vec![map.expand([3, 2, 4, 5])]
        };
        let loss = |a, b| perceptual_of_unit_length(map(a), map(b)).into_scalar::<f32>();
        assert!((loss([3.0, 0.0], [0.0, 0.7]) - 2.0).abs() < 1e-5);
        assert!(loss([3.0, 4.0], [0.6, 0.8]) < 1e-6);
        assert!(loss([0.0, 0.0], [0.0, 0.0]).is_finite());
    }
}
