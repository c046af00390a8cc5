//! Inputs and outputs of a benchmark as files, so that other implementations can be compared.

use super::stages::Stages;
use crate::output::write_file;
use anyhow::Result;
use burn::tensor::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tmad::model::Model;
use tmad::patches::Position;
use tmad::pipeline::CONFIG_KEY;
use tmad::tensors::tensor_values;
use tmad::weights::{self, Precision};

/// Writes `bench.safetensors` and `weights.safetensors` into `folder`, which is created.
///
/// Positions are rows of (y, x).
///
/// # Errors
///
/// If files cannot be written.
pub fn write(folder: &Path, stages: &Stages, model: &Model) -> Result<()> {
    fs::create_dir_all(folder)?;
    let outcome = stages.forward();
    let mut entries = Vec::new();
    let mut add = |name: &'static str, tensor: Tensor<4>| {
        let shape = tensor.dims().to_vec();
        let values = tensor_values(tensor);
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        entries.push((name, Dtype::F32, shape, bytes.collect::<Vec<u8>>()));
    };
    add("image", stages.inputs.image.clone());
    add("mask", stages.inputs.mask.clone());
    add("prior", stages.inputs.prior.clone());
    add("guess", outcome.guess);
    add("patches", outcome.patches);
    add("completed", outcome.completed);
    let mut add = |name: &'static str, width: usize, numbers: Vec<i64>| {
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes());
        let shape = vec![numbers.len() / width, width];
        entries.push((name, Dtype::I64, shape, bytes.collect()));
    };
    let corners = |positions: &[Position]| -> Vec<i64> {
        let pairs = positions.iter().flat_map(|p| [p.y, p.x]);
        pairs.map(i64::from).collect()
    };
    add("cells", 2, corners(&stages.layout.cells));
    add("windows", 2, corners(&stages.layout.windows[0]));
    let ranking = outcome.ranking.iter().flatten().map(|&i| i as i64);
    let num_candidates = model.config().memory.num_candidates;
    add("ranking", num_candidates, ranking.collect());
    let views = entries.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("bytes follow the shape");
        (*name, view)
    });
    write_file(
        &folder.join("bench.safetensors"),
        &safetensors::serialize(views, None)?,
    )?;
    let config = serde_json::to_string(model.config())?;
    let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config)]);
    let bytes = weights::to_bytes(model, Precision::F32, &metadata)?;
    write_file(&folder.join("weights.safetensors"), &bytes)
}
