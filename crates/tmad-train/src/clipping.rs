//! Norms of gradients, and gradients scaled down to one.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

/// Norm of the gradient of all parameters of a module together, `[1]`, without autodiff; 0 if
/// none of them has one.
pub(crate) fn gradient_norm<M: Module>(
    module: &M,
    gradients: &GradientsParams,
    device: &Device,
) -> Tensor<1> {
    struct Squares<'a> {
        gradients: &'a GradientsParams,
        sum: Tensor<1>,
    }
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                self.sum = self.sum.clone() + gradient.square().sum();
            }
        }
    }
    let mut squares = Squares {
        gradients,
        sum: Tensor::zeros([1], device),
    };
    module.visit(&mut squares);
    squares.sum.sqrt()
}

/// The gradients of a module's parameters, all scaled by the factor that brings their common
/// `norm` down to `max_norm`; unchanged where it is smaller. The direction of the step stays, so
/// that one bad batch cannot ruin networks that have no normalisation.
pub(crate) fn clipped<M: Module>(
    module: &M,
    gradients: GradientsParams,
    norm: Tensor<1>,
    max_norm: f64,
) -> GradientsParams {
    struct Scaled {
        gradients: GradientsParams,
        factor: Tensor<1>,
        scaled: GradientsParams,
    }
    impl ModuleVisitor for Scaled {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.remove::<D>(param.id) {
                let factor = self.factor.clone().unsqueeze::<D>();
                self.scaled.register(param.id, gradient * factor);
            }
        }
    }
    // The smallest positive f32 instead of 0 keeps the quotient defined without a gradient.
    let factor = norm.clamp_min(f32::MIN_POSITIVE).recip() * max_norm;
    let mut scaled = Scaled {
        gradients,
        factor: factor.clamp_max(1.0),
        scaled: GradientsParams::new(),
    };
    module.visit(&mut scaled);
    scaled.scaled
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};

    #[test]
    fn the_norm_ends_at_the_bound_and_small_gradients_stay() {
        let device = Device::default().autodiff();
        let layer: Linear = LinearConfig::new(2, 1).init(&device);
        let plain = Device::default();
        let gradients = |scale: f64| {
            let x = Tensor::<2>::from_data([[3.0, 4.0]], &device) * scale;
            let mut all = layer.forward(x).sum().backward();
            GradientsParams::from_module(&mut all, &layer)
        };
        // Weights' gradient (3, 4), bias' gradient 1.
        let large = gradients(1.0);
        let norm = gradient_norm(&layer, &large, &plain);
        assert!((norm.clone().into_scalar::<f32>() - 26f32.sqrt()).abs() < 1e-6);
        let after = clipped(&layer, large, norm, 0.5);
        let weight = after.get::<2>(layer.weight.id).unwrap();
        let expected = 3.0 * 0.5 / 26f32.sqrt();
        assert!((weight.into_data().try_to_vec::<f32>().unwrap()[0] - expected).abs() < 1e-6);
        let norm = gradient_norm(&layer, &after, &plain).into_scalar::<f32>();
        assert!((norm - 0.5).abs() < 1e-6);

        let small = gradients(0.1);
        let before = small.get::<2>(layer.weight.id).unwrap().into_data();
        let norm = gradient_norm(&layer, &small, &plain);
        let after = clipped(&layer, small, norm, 10.0);
        (after.get::<2>(layer.weight.id).unwrap().into_data()).assert_eq(&before, true);
    }
}
