//! What a training sample is.

use serde::{Deserialize, Serialize};
use tmad::ConfigError;

/// Crops and masks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// Smallest side of a square crop, as a fraction of the picture's short side; the crop is
    /// then resized to the stage's size. Default 0.7.
    pub min_crop: f64,
    /// Largest side of a square crop, as a fraction of the picture's short side. With crops of
    /// 128 px from pictures of 384 px, 0.33 and 0.67 reduce by up to 2. Default 1.
    pub max_crop: f64,
    /// Fraction of crops that are cut as they are, pixel by pixel, neither resized nor stretched:
    /// photographs keep their sharpness and grain. Pictures smaller than a crop are resized as
    /// ever. Default 0.
    pub native_fraction: f64,
    /// Fraction of samples whose picture is drawn rather than cut from a photograph: screentones,
    /// stripes, windows of programs and the like, see [`draw`](inpaint_core::scene::drawings::draw).
    /// It is drawn at the sample's size, and keeps its colours, which are random already: exact
    /// edges stay exact, and equal steps stay equal. Default 0.
    pub drawn_fraction: f64,
    /// Largest quotient of a crop's sides, which makes it stretched or squeezed; at most 4.
    /// Default 1, square.
    pub max_aspect: f64,
    /// How far saturation, brightness and the balance of the colours may change, from 0 to 1:
    /// see [`augment::recolour`](crate::augment::recolour). Default 0, not at all.
    pub recolour: f64,
    /// How often a crop is used with its mask and what stands in its hole, each time flipped at
    /// random and with other colours, some hundred samples apart. What the worker threads do for a
    /// crop, PatchMatch above all, is then shared by so many samples. Default 1.
    pub repeats: u64,
    /// Fraction of masks that are drawn as people make them, around objects, along strokes and
    /// over specks: see [`ObjectMask`](inpaint_core::mask_generator::ObjectMask). Default 0.
    pub object_fraction: f64,
    /// Fraction of the other masks that are rectangles; the rest is free-form. Default 1.
    pub rectangle_fraction: f64,
    /// Memory for decoded pictures, in MiB; pictures beyond it are decoded anew each time.
    /// Default 2048.
    pub cache_mib: usize,
    /// Threads that decode, crop and draw masks. Default 2.
    pub num_workers: usize,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            min_crop: 0.7,
            max_crop: 1.0,
            native_fraction: 0.0,
            drawn_fraction: 0.0,
            max_aspect: 1.0,
            recolour: 0.0,
            repeats: 1,
            object_fraction: 0.0,
            rectangle_fraction: 1.0,
            cache_mib: 2048,
            num_workers: 2,
        }
    }
}

impl DataConfig {
    /// What is wrong, and with which field.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let error =
            |field: &str, problem: String| Err(ConfigError::new(format!("data.{field}"), problem));
        if !(0.0..=1.0).contains(&self.min_crop) || self.min_crop == 0.0 {
            return error("min_crop", format!("{} is not in (0, 1]", self.min_crop));
        }
        if !(self.min_crop..=1.0).contains(&self.max_crop) {
            let [min, max] = [self.min_crop, self.max_crop];
            let problem = format!("{max} is not in [min_crop, 1], min_crop being {min}");
            return error("max_crop", problem);
        }
        if !(1.0..=4.0).contains(&self.max_aspect) {
            return error(
                "max_aspect",
                format!("{} is not in [1, 4]", self.max_aspect),
            );
        }
        for (name, fraction) in [
            ("native_fraction", self.native_fraction),
            ("drawn_fraction", self.drawn_fraction),
            ("recolour", self.recolour),
            ("object_fraction", self.object_fraction),
            ("rectangle_fraction", self.rectangle_fraction),
        ] {
            if !(0.0..=1.0).contains(&fraction) {
                return error(name, format!("{fraction} is not in [0, 1]"));
            }
        }
        if self.repeats == 0 {
            return error("repeats", "it must not be 0".to_owned());
        }
        Ok(())
    }
}
