//! Another method's guess in the coarse network's place.

use crate::pipeline::TMad;
use inpaint_core::{Control, InpaintError, Inpainter, Mask, RgbImage, TextureMethod};
use std::sync::Arc;

/// A guess of the structure by any method, with T-MAD's texture.
pub struct WithTexture {
    name: String,
    coarse: Arc<dyn Inpainter>,
    texture: Arc<TMad>,
}

impl WithTexture {
    /// Both in one.
    pub fn new(coarse: Arc<dyn Inpainter>, texture: Arc<TMad>) -> Self {
        Self {
            name: format!("{}+tmad", coarse.name()),
            coarse,
            texture,
        }
    }
}

impl Inpainter for WithTexture {
    fn name(&self) -> &str {
        &self.name
    }

    fn inpaint(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError> {
        let guess = self.coarse.inpaint(image, mask, &control.part(0.0, 0.5))?;
        self.texture
            .refine(image, &guess, mask, &control.part(0.5, 0.5))
    }
}
