//! The compiled half of the Python package `tmad`, its module `tmad._native`.
//!
//! It takes NumPy arrays and bytes, and knows neither PIL nor files; the functions that people
//! call are in `python/tmad`, where they are documented.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arrays;
mod coarse_model;
mod engine;
mod explained;
mod failure;
mod file;
mod metrics;
mod pools;
mod work;

#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::coarse_model::run_network;
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::explained::Explained;
    #[pymodule_export]
    use super::metrics::{Inception, Lpips, compare, set_distance, sliced_wasserstein};
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
