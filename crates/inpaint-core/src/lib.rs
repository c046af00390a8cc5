//! Images, masks and the classical side of inpainting.
