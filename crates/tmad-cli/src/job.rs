//! Filling one picture, from bytes to bytes.

use crate::interrupt::Interrupted;
use crate::mask_file::{MaskArgs, Masks};
use crate::method::{EngineArgs, Method};
use crate::photo::about;
use anyhow::{Result, anyhow, bail};
use inpaint_core::{Control, InpaintError, Inpainter};
use inpaint_photo::{EncodeOptions, ImageFormat, Limits, Photo, num_half_transparent};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// The method, made ready when the first picture needs it, and one for all of them.
pub struct Engine<'a> {
    args: &'a EngineArgs,
    method: Method,
    coarse_model: Option<&'a Path>,
    loaded: OnceLock<Box<dyn Inpainter>>,
    loading: Mutex<()>,
}

impl<'a> Engine<'a> {
    /// Nothing is loaded yet.
    pub fn new(args: &'a EngineArgs, method: Method, coarse_model: Option<&'a Path>) -> Self {
        Self {
            args,
            method,
            coarse_model,
            loaded: OnceLock::new(),
            loading: Mutex::new(()),
        }
    }

    /// The method.
    ///
    /// # Errors
    ///
    /// If weights or device cannot be used.
    pub fn get(&self) -> Result<&dyn Inpainter> {
        let _one_at_a_time = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.loaded.get().is_none() {
            let _ = self.loaded.set(match self.coarse_model {
                Some(path) => self.args.load_with_network(self.method, path)?,
                None => self.args.load(self.method)?,
            });
        }
        let loaded = self.loaded.get();
        loaded
            .map(|method| &**method)
            .ok_or_else(|| anyhow!("the method is not loaded"))
    }
}

/// What is the same for all pictures of a run.
pub struct Job<'a> {
    pub engine: Engine<'a>,
    pub mask_args: &'a MaskArgs,
    pub masks: Masks<'a>,
    pub limits: Limits,
    pub options: EncodeOptions,
}

/// A part of a picture in words; whatever is left of the rest, it is not 100 %.
fn percent_of_most(fraction: f64) -> String {
    if fraction > 0.99 {
        "more than 99 %".to_owned()
    } else {
        format!("{:.0} %", 100.0 * fraction)
    }
}

/// The result for one picture.
pub struct Filled {
    /// The file to write.
    pub bytes: Vec<u8>,
    /// Pixels of the hole; 0 if there was none and the picture is as it was.
    pub num_pixels: usize,
    /// Part of the picture that the hole takes up, 0 to 1.
    pub fraction: f64,
    /// What the user may want to know.
    pub warnings: Vec<String>,
}

impl Job<'_> {
    /// Decodes, fills and encodes. `name` is for messages and finds the mask, `target` is the
    /// result's name for messages; without a `format` the picture keeps its own.
    ///
    /// # Errors
    ///
    /// If anything cannot be read, filled or encoded.
    pub fn run(
        &self,
        name: &str,
        file: Vec<u8>,
        target: &str,
        format: Option<ImageFormat>,
        control: &Control,
    ) -> Result<Filled> {
        let mut photo = Photo::decode(&file, &self.limits).map_err(|error| about(name, &error))?;
        control.check_cancelled().map_err(|_| Interrupted)?;
        let (hole, note) = self.masks.hole(name, &photo, &self.limits)?;
        let mask = hole.mask();
        let mut warnings: Vec<String> = note.into_iter().collect();
        if mask.is_empty() {
            warnings.push(format!(
                "the mask marks nothing, so the output is the input ({})",
                self.mask_args.inversion_hint()
            ));
            let keeps_format = format.is_none_or(|format| format == photo.format());
            // Byte by byte if nothing else is asked for, so that a JPEG loses nothing.
            let bytes = if keeps_format && self.options == EncodeOptions::default() {
                file
            } else {
                self.encode(target, &photo, format, &mut warnings)?
            };
            return Ok(Filled {
                bytes,
                num_pixels: 0,
                fraction: 0.0,
                warnings,
            });
        }
        // Not needed any more, and as large as a photo in memory if it is stored plainly.
        drop(file);
        if mask.is_full() {
            bail!(
                "the mask covers the whole picture, so there is nothing to fill it from; {}",
                self.mask_args.inversion_hint()
            );
        }
        let fraction = mask.hole_fraction();
        if fraction > 0.5 {
            warnings.push(format!(
                "{} of the picture will be replaced; {}",
                percent_of_most(fraction),
                self.mask_args.inversion_hint()
            ));
        }
        let method = self.engine.get()?;
        match photo.complete(&hole, |image, mask| method.inpaint(image, mask, control)) {
            Err(InpaintError::Cancelled) => return Err(Interrupted.into()),
            completed => completed?,
        }
        let half = num_half_transparent(&photo, &hole);
        if hole.is_transparent_area() && half > 0 {
            warnings.push(format!(
                "{half} pixels are still half transparent, as a soft eraser leaves them; \
                 --mask-threshold 1 fills them, too"
            ));
        }
        Ok(Filled {
            bytes: self.encode(target, &photo, format, &mut warnings)?,
            num_pixels: mask.hole_area(),
            fraction,
            warnings,
        })
    }

    fn encode(
        &self,
        target: &str,
        photo: &Photo,
        format: Option<ImageFormat>,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<u8>> {
        let encoded = photo.encode(format, &self.options);
        let encoded =
            encoded.map_err(|error| anyhow!("cannot encode {target}: the picture {error}"))?;
        warnings.extend(encoded.warnings.iter().map(ToString::to_string));
        Ok(encoded.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_is_called_the_whole() {
        assert_eq!(percent_of_most(0.876), "88 %");
        assert_eq!(percent_of_most(0.99), "99 %");
        for fraction in [0.991, 0.996, 0.999_99] {
            assert_eq!(percent_of_most(fraction), "more than 99 %");
        }
    }
}
