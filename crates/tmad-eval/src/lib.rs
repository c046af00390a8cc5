//! Evaluation of inpainting.
