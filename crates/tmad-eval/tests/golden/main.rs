//! Metrics against values of their reference implementations (`tools/golden`).

mod distances;
mod formula;
mod inception;
mod lpips;
