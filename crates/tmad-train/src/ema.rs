//! Exponential moving average of a network's weights.

use burn::backend::DispatchTensor;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use std::collections::HashMap;

/// Moves `average` a step towards `model`: average ← decay·average + (1 − decay)·model.
///
/// `average` is a clone of `model` (same parameter ids) on the same device without autodiff;
/// parameters with other ids stay as they are.
pub fn update<M: Module>(average: M, model: &M, decay: f64) -> M {
    let mut current = Collector::default();
    model.visit(&mut current);
    average.map(&mut Averager {
        current: current.tensors,
        decay,
    })
}

/// Decay for the average of `steps` steps: at most `decay`, and so small in the beginning that the
/// initial weights are soon forgotten.
pub fn decay_at(steps: u64, decay: f64) -> f64 {
    let steps = steps as f64;
    decay.min((1.0 + steps) / (10.0 + steps))
}

/// Parameters of any rank by their ids.
#[derive(Default)]
struct Collector {
    tensors: HashMap<ParamId, DispatchTensor>,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        (self.tensors).insert(param.id, param.val().inner().into_dispatch());
    }
}

struct Averager {
    current: HashMap<ParamId, DispatchTensor>,
    decay: f64,
}

impl ModuleMapper for Averager {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(current) = self.current.remove(&param.id) else {
            return param;
        };
        let current = Tensor::<D>::from_dispatch(current);
        let decay = self.decay;
        // In this form, what training leaves alone stays as it is, bit by bit.
        param.map(|average| average.clone() + (current - average) * (1.0 - decay))
    }
}
