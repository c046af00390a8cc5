//! The averaged networks on pictures that are kept away from training.

use crate::config::{DataConfig, Networks, TrainConfig};
use crate::data::{self, Pictures, Sample, Sampler};
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use std::sync::Arc;
use tmad::model::{Inputs, Model};
use tmad::patches::select_hole;
use tmad::tensors::{tensor_to_images, tensor_values};

/// Seed of validation crops and masks.
const SEED: u64 = 0x7A11_DA7E;
/// Crops per batch.
const BATCH_SIZE: usize = 4;
/// Rows of a preview.
const NUM_PREVIEWS: usize = 6;

/// The validation samples: of the size that the last stage trains on, and but for that and the
/// kinds of masks the same for every run on the same pictures, however they are augmented.
pub fn samples(config: &TrainConfig, pictures: &Arc<Pictures>) -> Vec<Sample> {
    let first = pictures.len() - config.num_validation;
    let range = first..pictures.len();
    let data = DataConfig {
        rectangle_fraction: config.data.rectangle_fraction,
        ..DataConfig::default()
    };
    let size_px = config.stages.last().map_or(256, |stage| stage.size_px);
    let sampler = Sampler::new(
        pictures.clone(),
        range,
        data,
        config.model.coarse.prior,
        size_px,
        SEED,
    );
    (0..config.num_validation as u64)
        .filter_map(|index| sampler.sample(index))
        .collect()
}

/// Mean PSNR over the hole by output, and rows of input | coarse | (completed) | truth.
pub fn measure(
    model: &Model,
    samples: &[Sample],
    networks: Networks,
    device: &Device,
) -> (Vec<(String, f64)>, Option<RgbImage>) {
    let mut sums = [(0.0, "coarse"), (0.0, "completed")];
    let mut count = 0.0;
    let mut rows = Vec::new();
    for samples in samples.chunks(BATCH_SIZE) {
        let inputs = data::inputs(samples, model.config(), device);
        let mut outputs = Vec::new();
        match networks {
            Networks::Coarse => outputs.push(model.guess(&inputs)),
            Networks::Joint | Networks::Patches => {
                let output = model.forward(&inputs, model.layout(&inputs.masks));
                outputs.extend([output.coarse, output.synthesis.completed]);
            }
        }
        for ((sum, _), output) in sums.iter_mut().zip(&outputs) {
            let psnr = psnr_over_hole(output.clone(), &inputs);
            *sum += psnr.iter().sum::<f64>();
        }
        count += samples.len() as f64;
        if rows.len() < NUM_PREVIEWS {
            rows.extend(preview_rows(&inputs, outputs));
        }
    }
    rows.truncate(NUM_PREVIEWS);
    let num_outputs = if networks.synthesise() { 2 } else { 1 };
    let psnr = (sums.iter().take(num_outputs))
        .map(|(sum, name)| ((*name).to_owned(), sum / f64::max(count, 1.0)))
        .collect();
    (psnr, (!rows.is_empty()).then(|| stacked(&rows)))
}

/// PSNR over the hole in dB, peak 1 on the scale [0, 1], of every picture of a batch.
fn psnr_over_hole(output: Tensor<4>, inputs: &Inputs) -> Vec<f64> {
    let sum = |t: Tensor<4>| tensor_values(t.sum_dim(3).sum_dim(2).sum_dim(1));
    let error = (output - inputs.image.clone()) / 2.0;
    let squared = sum(error.square() * inputs.mask.clone());
    let area = sum(inputs.mask.clone());
    (squared.iter().zip(area))
        .map(|(&squared, area)| -10.0 * f64::from(squared / (3.0 * area)).log10())
        .collect()
}

fn preview_rows(inputs: &Inputs, outputs: Vec<Tensor<4>>) -> Vec<Vec<RgbImage>> {
    let mask = inputs.mask.clone();
    let grey = Tensor::zeros_like(&inputs.image);
    let mut columns = vec![select_hole(mask.clone(), grey, inputs.image.clone())];
    columns.extend(
        (outputs.into_iter()).map(|output| select_hole(mask.clone(), output, inputs.image.clone())),
    );
    columns.push(inputs.image.clone());
    let columns: Vec<_> = columns.into_iter().map(tensor_to_images).collect();
    (0..inputs.masks.len())
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect()
}

fn stacked(rows: &[Vec<RgbImage>]) -> RgbImage {
    let (width, height) = rows[0][0].dimensions();
    let mut sheet = RgbImage::new(rows[0].len() as u32 * width, rows.len() as u32 * height);
    for (y, row) in rows.iter().enumerate() {
        for (x, picture) in row.iter().enumerate() {
            let (left, top) = (x as i64 * i64::from(width), y as i64 * i64::from(height));
            image::imageops::replace(&mut sheet, picture, left, top);
        }
    }
    sheet
}
