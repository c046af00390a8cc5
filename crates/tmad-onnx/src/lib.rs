//! Other projects' inpainting networks, read from ONNX files, as a guess of the structure.
//!
//! A [`Network`] runs at its own size; [`Coarse`] cuts the surroundings of every hole out of a
//! picture of any size, has the network fill them, and is an
//! [`Inpainter`](inpaint_core::Inpainter) of its own. What the network wants is said by a
//! [`Descriptor`], which known families do without. Files of unknown origin are best run in a
//! [`Sandbox`]: a process of its own whose time and memory are bounded.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod coarse;
mod descriptor;
mod error;
mod known;
mod network;
mod sandbox;
mod signature;
mod tensors;
mod windows;
mod worker;

pub use coarse::{Coarse, RunNetwork};
pub use descriptor::{Channels, Descriptor, Layout, MaskValues, Output, Plane};
pub use error::OnnxError;
pub use network::{Network, Raw};
pub use sandbox::{Limits, Sandbox, serve};
