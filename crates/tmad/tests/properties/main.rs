//! What holds for every input: sizes, places, retrieval, whole pictures, gradients.

#[path = "../common/mod.rs"]
mod common;

mod gradients;
mod grid;
mod memory;
mod parameters;
mod photos;
mod pictures;
mod prior;
mod retrieval;
mod tiny;
mod views;
