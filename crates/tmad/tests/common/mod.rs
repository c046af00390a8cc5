//! What the tests of several crates share: golden vectors, parameters by name, gradients by name,
//! comparisons with a stated tolerance.

#![allow(dead_code)] // Each test binary uses its own part.

pub mod golden;
pub mod masks;
pub mod parameters;
pub mod tensors;
