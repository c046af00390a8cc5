//! Training of T-MAD.
pub mod config;
pub mod data;
pub mod ema;
pub mod losses;
pub mod trainer;
