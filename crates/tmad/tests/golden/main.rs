//! The networks against vectors computed by PyTorch in f64 (`tools/golden`).
//!
//! Tolerances are relative to a tensor's largest magnitude. They are five times what the
//! reference code itself loses when it runs in f32 (`tools/golden/README.md`, "Tolerances"):
//! a different order of summation may double or triple that.

#[path = "../common/mod.rs"]
mod common;

mod layers;
mod model;
mod networks;
mod perceptual;
mod places;
mod readings;
mod retrieval;
