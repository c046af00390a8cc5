//! Parameters and their gradients by name.

use super::golden::Golden;
use super::tensors::values;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use tmad::weights::{Precision, WeightsFile, to_bytes};

/// Names and shapes of a module's parameters, in the order of their names.
pub fn parameter_shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let bytes = to_bytes(module, Precision::F32, &BTreeMap::new()).expect("finite weights");
    let file = SafeTensors::deserialize(&bytes).expect("a file just written");
    let mut shapes: Vec<_> = (file.iter())
        .map(|(name, view)| (name.to_owned(), view.shape().to_vec()))
        .collect();
    shapes.sort();
    shapes
}

/// The module with every parameter set to what `values` says for its name and shape, through a
/// weights file in memory.
pub fn with_parameters<M: Module>(
    module: M,
    mut values: impl FnMut(&str, &[usize]) -> Vec<f32>,
) -> M {
    let encoded: Vec<_> = parameter_shapes(&module)
        .into_iter()
        .map(|(name, shape)| {
            let bytes: Vec<u8> = (values(&name, &shape).iter())
                .flat_map(|v| v.to_le_bytes())
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views = encoded.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).expect("one value each");
        (name, view)
    });
    let bytes = safetensors::serialize(views, None).expect("a file in memory");
    WeightsFile::parse(&bytes)
        .and_then(|file| file.load(module))
        .expect("the module's own names")
}

/// Gradients of all parameters by name.
pub fn gradients<M: Module>(module: &M, grads: &Gradients) -> HashMap<String, Vec<f32>> {
    let mut collector = Collector {
        grads,
        path: Vec::new(),
        found: HashMap::new(),
    };
    module.visit(&mut collector);
    collector.found
}

/// Compares the gradients of all parameters of `module` with the stored `PREFIX…`, and
/// fails if the file has one that the module lacks.
#[track_caller]
pub fn assert_gradients<M: Module>(
    module: &M,
    grads: &Gradients,
    golden: &Golden,
    prefix: &str,
    tolerance: f64,
) {
    let found = gradients(module, grads);
    assert_eq!(
        found.len(),
        parameter_shapes(module).len(),
        "every parameter has a gradient"
    );
    for (name, values) in &found {
        golden.assert_close(&format!("{prefix}{name}"), values, tolerance);
    }
    for stored in golden.names(prefix) {
        let name = stored.trim_start_matches(prefix);
        let name = name.trim_end_matches(".sample").trim_end_matches(".norm");
        let is_input = !name.contains('.');
        assert!(
            is_input || found.contains_key(name),
            "{name} has no counterpart"
        );
    }
}

struct Collector<'a> {
    grads: &'a Gradients,
    path: Vec<String>,
    found: HashMap<String, Vec<f32>>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(grad) = param.val().grad(self.grads) {
            self.found.insert(self.path.join("."), values(grad));
        }
    }
}
