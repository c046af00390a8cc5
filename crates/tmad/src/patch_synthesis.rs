//! Patch synthesis network (Section III-C): from the coarse guess around a hole patch and its
//! retrieved candidates to the patch.

use crate::coarse::{check_count, check_widths};
use crate::config_error::ConfigError;
use crate::layers::{Conv2d, Down, Initializer, Residual, Up};
use crate::patches::centre;
use crate::tensors::map_planes;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;
use serde::{Deserialize, Serialize};
use tmad_ops::is_plain_memory;

/// Sizes of the patch synthesis network. The defaults are reading R1 of the paper's Table I;
/// `up_scales`, the widths and `crop_margin` give the others (PAPER.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchSynthesisConfig {
    /// Channels of the backbone's encoder; each step halves the resolution. Default 32, 64, 64.
    pub encoder_widths: Vec<usize>,
    /// Residual blocks of the backbone. Default 5.
    pub num_residual: usize,
    /// Channels of the decoder's blocks. Default 64, 64, 32.
    pub decoder_widths: Vec<usize>,
    /// Upsampling of the decoder's blocks, 1 or 2. Default 1, 2, 2.
    pub up_scales: Vec<usize>,
    /// Cells of the innermost map kept around the patch until the end. Default 0 (the paper's).
    pub crop_margin: usize,
    /// Channels of the candidates' encoder at full, half and quarter resolution.
    /// Default 32, 64, 64.
    pub feature_widths: [usize; 3],
    /// Residual blocks of the candidates' encoder. Default 2.
    pub num_feature_residual: usize,
    /// Channels from which CARAFE predicts its kernels. Default 64.
    pub carafe_channels: usize,
    /// Whether the mask is a fourth input plane of the backbone. Default off (the paper's).
    pub mask_plane: bool,
    /// Whether the network predicts the difference to the coarse patch instead of the patch.
    /// Default off (the paper's).
    pub residual_output: bool,
}

impl Default for PatchSynthesisConfig {
    fn default() -> Self {
        Self {
            encoder_widths: vec![32, 64, 64],
            num_residual: 5,
            decoder_widths: vec![64, 64, 32],
            up_scales: vec![1, 2, 2],
            crop_margin: 0,
            feature_widths: [32, 64, 64],
            num_feature_residual: 2,
            carafe_channels: 64,
            mask_plane: false,
            residual_output: false,
        }
    }
}

impl PatchSynthesisConfig {
    /// Checks what the types cannot, for patches of side `patch_px`.
    ///
    /// # Errors
    ///
    /// What is wrong, and with which field.
    pub fn check(&self, patch_px: usize) -> Result<(), ConfigError> {
        check_widths("synthesis.encoder_widths", &self.encoder_widths)?;
        check_widths("synthesis.decoder_widths", &self.decoder_widths)?;
        check_widths("synthesis.feature_widths", &self.feature_widths)?;
        check_widths("synthesis.carafe_channels", &[self.carafe_channels])?;
        check_count("synthesis.num_residual", self.num_residual)?;
        check_count("synthesis.num_feature_residual", self.num_feature_residual)?;
        if self.up_scales.len() != self.decoder_widths.len() {
            return Err(ConfigError::new(
                "synthesis",
                format!(
                    "{} up_scales for {} decoder_widths",
                    self.up_scales.len(),
                    self.decoder_widths.len()
                ),
            ));
        }
        if let Some(scale) = self.up_scales.iter().find(|scale| !matches!(scale, 1 | 2)) {
            return Err(ConfigError::new(
                "synthesis.up_scales",
                format!("{scale} is neither 1 nor 2"),
            ));
        }
        let factor = 1 << (self.encoder_widths.len() - 1);
        let innermost = patch_px / factor;
        let side = innermost * self.up_scales.iter().product::<usize>();
        if !patch_px.is_multiple_of(factor) || !(patch_px..=4 * patch_px).contains(&side) {
            return Err(ConfigError::new(
                "synthesis",
                format!("from {patch_px} px, encoder_widths and up_scales lead to {side} px"),
            ));
        }
        // The encoder sees a patch more on each side.
        if self.crop_margin > innermost {
            return Err(ConfigError::new(
                "synthesis.crop_margin",
                format!(
                    "{} cells are more than the {innermost} around a patch",
                    self.crop_margin
                ),
            ));
        }
        Ok(())
    }
}

/// The candidates' features at the two scales where the backbone takes them in.
#[derive(Debug, Clone)]
pub struct CandidateFeatures {
    /// F1, `[n, channels, k/2, k/2]`.
    pub half: Tensor<4>,
    /// F2, `[n, channels, k/4, k/4]`.
    pub quarter: Tensor<4>,
}

/// Encoder of the candidates (PSNet-FeatEnc).
#[derive(Module, Debug)]
pub struct FeatureEncoder {
    input: Conv2d,
    down: Vec<Down>,
    res: Vec<Residual>,
}

impl FeatureEncoder {
    /// Creates the network with fresh weights.
    pub fn new(
        config: &PatchSynthesisConfig,
        num_candidates: usize,
        init: &mut Initializer,
    ) -> Self {
        let widths = config.feature_widths;
        Self {
            input: Conv2d::new(init, 3 * num_candidates, widths[0], 1),
            down: (widths.windows(2))
                .map(|pair| Down::new(init, pair[0], pair[1]))
                .collect(),
            res: (0..config.num_feature_residual)
                .map(|_| Residual::new(init, widths[2], 1))
                .collect(),
        }
    }

    /// `candidates` `[n, num_candidates · 3, k, k]` in rank order.
    pub fn forward(&self, candidates: Tensor<4>) -> CandidateFeatures {
        let half = self.down[0].forward(self.input.forward(candidates));
        let mut quarter = self.down[1].forward(half.clone());
        for block in &self.res {
            quarter = block.forward(quarter);
        }
        CandidateFeatures { half, quarter }
    }
}

/// The network itself (PSNet-Backbone).
#[derive(Module, Debug)]
pub struct Backbone {
    input: Conv2d,
    down: Vec<Down>,
    res: Vec<Residual>,
    up: Vec<Up>,
    output: Conv2d,
    crop_margin: usize,
}

/// The candidates' features that the decoder has not taken yet: each enters the first time that
/// the decoder holds a map of its size.
struct Skips {
    patch_px: usize,
    half: Option<Tensor<4>>,
    quarter: Option<Tensor<4>>,
}

impl Skips {
    /// Concatenates behind `x`, whose part without margin has side `side`, what belongs there.
    fn concatenate(&mut self, x: Tensor<4>, side: usize) -> Tensor<4> {
        let skip = if 4 * side == self.patch_px {
            self.quarter.take()
        } else if 2 * side == self.patch_px {
            self.half.take()
        } else {
            None
        };
        match skip {
            Some(skip) => {
                let margin = (x.dims()[2] - side) / 2;
                let padded = match margin {
                    0 => skip,
                    _ => skip.pad([(margin, margin); 2], PadMode::Constant(0.0)),
                };
                Tensor::cat(vec![x, padded], 1)
            }
            None => x,
        }
    }
}

impl Backbone {
    /// Creates the network with fresh weights, for patches of side `patch_px`.
    ///
    /// # Panics
    ///
    /// If the widths and scales of `config` do not fit together.
    pub fn new(config: &PatchSynthesisConfig, patch_px: usize, init: &mut Initializer) -> Self {
        let encoder = &config.encoder_widths;
        assert_eq!(
            config.decoder_widths.len(),
            config.up_scales.len(),
            "one scale per decoder block"
        );
        let innermost = *encoder.last().expect("the encoder needs a width");
        let planes = if config.mask_plane { 4 } else { 3 };
        let input = Conv2d::new(init, planes, encoder[0], 1);
        let down = (encoder.windows(2))
            .map(|pair| Down::new(init, pair[0], pair[1]))
            .collect();
        let res = (0..config.num_residual)
            .map(|_| Residual::new(init, innermost, 1))
            .collect();

        let [_, half, quarter] = config.feature_widths;
        let mut half = Some(half);
        let mut quarter = Some(quarter);
        let mut skip_channels = |side: usize| {
            let skip = if 4 * side == patch_px {
                quarter.take()
            } else if 2 * side == patch_px {
                half.take()
            } else {
                None
            };
            skip.unwrap_or(0)
        };
        let mut side = patch_px >> (encoder.len() - 1);
        let mut channels = innermost + skip_channels(side);
        let mut up = Vec::new();
        for (&width, &scale) in config.decoder_widths.iter().zip(&config.up_scales) {
            side *= scale;
            let skip = skip_channels(side);
            up.push(Up::new(
                init,
                channels,
                skip,
                width,
                scale,
                config.carafe_channels,
            ));
            channels = width;
        }
        let mut output = Conv2d::new(init, channels, 3, 1).linear();
        if config.residual_output {
            output = output.zeroed();
        }
        Self {
            input,
            down,
            res,
            up,
            output,
            crop_margin: config.crop_margin,
        }
    }

    /// Synthesises patches from the pictures around them.
    ///
    /// # Shapes
    ///
    /// `windows` `[n, 3 (or 4 with the mask plane), 3k, 3k]` and the candidates' features →
    /// `[n, 3, k, k]`.
    pub fn forward(&self, windows: Tensor<4>, features: CandidateFeatures) -> Tensor<4> {
        let mut x = self.input.forward(windows);
        for block in &self.down {
            x = block.forward(x);
        }
        for block in &self.res {
            x = block.forward(x);
        }
        let patch_px = 4 * features.quarter.dims()[2];
        let mut skips = Skips {
            patch_px,
            half: Some(features.half),
            quarter: Some(features.quarter),
        };
        let mut side = patch_px >> self.down.len();
        x = centre(x, side + 2 * self.crop_margin);
        x = skips.concatenate(x, side);
        for block in &self.up {
            let before = x.dims()[2];
            x = block.upsample(x);
            side = side * x.dims()[2] / before;
            x = skips.concatenate(x, side);
            x = block.convolve(x);
        }
        x = self.output.forward(x);
        if side > patch_px {
            x = average_cells(x, side / patch_px);
        }
        centre(x, patch_px)
    }
}

/// Means over `cell` × `cell` pixels.
pub(crate) fn average_cells(x: Tensor<4>, cell: usize) -> Tensor<4> {
    let [n, channels, height, width] = x.dims();
    let (rows, columns) = (height / cell, width / cell);
    if is_plain_memory(&x.device()) {
        let share = 1.0 / (cell * cell) as f32;
        return map_planes(x, [rows, columns], |values, plane| {
            let cell_rows = values.chunks_exact(cell * width);
            for (cell_rows, means) in cell_rows.zip(plane.chunks_exact_mut(columns.max(1))) {
                for row in cell_rows.chunks_exact(width) {
                    for (mean, cell) in means.iter_mut().zip(row.chunks_exact(cell)) {
                        *mean += cell.iter().sum::<f32>();
                    }
                }
                means.iter_mut().for_each(|mean| *mean *= share);
            }
        });
    }
    x.reshape([n * channels * rows, cell, columns, cell])
        .mean_dim(3)
        .mean_dim(1)
        .reshape([n, channels, rows, columns])
}
