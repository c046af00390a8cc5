//! The weight of a convolution, and what the algorithms make of it.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::panels::Panels;
use super::shape::{Conv2dShape, check_len};
use super::simd::Level;

/// What the algorithms make of a convolution's weight: each part is computed at its first use and
/// kept, for the instruction set that was current when this was created.
#[derive(Debug, Clone)]
pub struct WeightPanels {
    level: Level,
    pub(super) direct: OnceLock<Panels>,
    /// The same with products of bf16.
    pub(super) direct_halves: OnceLock<Panels>,
    /// For stride 1 by Winograd's algorithm.
    pub(super) winograd: OnceLock<Panels>,
    /// The same with products of bf16.
    pub(super) winograd_halves: OnceLock<Panels>,
    /// For stride 2 by Winograd's algorithm.
    pub(super) strided: OnceLock<Panels>,
}

impl WeightPanels {
    /// Nothing computed yet.
    pub fn new() -> Self {
        Self {
            level: Level::current(),
            direct: OnceLock::new(),
            direct_halves: OnceLock::new(),
            winograd: OnceLock::new(),
            winograd_halves: OnceLock::new(),
            strided: OnceLock::new(),
        }
    }

    /// The instruction set that the panels are for.
    pub fn level(&self) -> Level {
        self.level
    }
}

impl Default for WeightPanels {
    fn default() -> Self {
        Self::new()
    }
}

/// Convolution weights prepared once, when a model is loaded.
#[derive(Debug, Clone)]
pub struct PackedWeights {
    out_channels: usize,
    in_channels: usize,
    kernel: usize,
    plain: Vec<f32>,
    panels: WeightPanels,
}

impl PackedWeights {
    /// Prepares `weight`, `[out_channels, in_channels, kernel, kernel]`.
    ///
    /// # Panics
    /// If the slice does not have that many elements.
    pub fn new(weight: &[f32], out_channels: usize, in_channels: usize, kernel: usize) -> Self {
        check_len(
            "weight",
            weight.len(),
            out_channels * in_channels * kernel * kernel,
        );
        Self {
            out_channels,
            in_channels,
            kernel,
            plain: weight.to_vec(),
            panels: WeightPanels::new(),
        }
    }
}

/// The weight of a convolution, `[out_channels, in_channels, kernel, kernel]`.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// As it is stored in a model; packed again in every call.
    Plain(&'a [f32]),
    /// Prepared before.
    Packed(&'a PackedWeights),
    /// As it is stored in a model, with the panels that belong to it.
    Kept(&'a [f32], &'a WeightPanels),
}

impl<'a> From<&'a [f32]> for Weights<'a> {
    fn from(weight: &'a [f32]) -> Self {
        Self::Plain(weight)
    }
}

impl<'a> From<&'a PackedWeights> for Weights<'a> {
    fn from(weight: &'a PackedWeights) -> Self {
        Self::Packed(weight)
    }
}

impl<'a> Weights<'a> {
    /// The instruction set that the weight is used with.
    ///
    /// # Panics
    /// If the weight is of another shape.
    pub(super) fn check(self, shape: &Conv2dShape) -> Level {
        match self {
            Self::Plain(weight) => {
                check_len("weight", weight.len(), shape.weight_len());
                Level::current()
            }
            Self::Kept(weight, panels) => {
                check_len("weight", weight.len(), shape.weight_len());
                panels.level
            }
            Self::Packed(packed) => {
                assert_eq!(
                    (packed.out_channels, packed.in_channels, packed.kernel),
                    (shape.out_channels, shape.in_channels, shape.kernel),
                    "the weights were packed for another shape"
                );
                packed.panels.level
            }
        }
    }

    /// The weight as it is stored in a model.
    pub(super) fn plain(self) -> &'a [f32] {
        match self {
            Self::Plain(weight) | Self::Kept(weight, _) => weight,
            Self::Packed(packed) => &packed.plain,
        }
    }

    /// The panels kept in `cell`, or new ones.
    pub(super) fn panels(
        self,
        cell: impl Fn(&WeightPanels) -> &OnceLock<Panels>,
        make: impl FnOnce(&[f32]) -> Panels,
    ) -> Cow<'a, Panels> {
        let (weight, panels) = match self {
            Self::Plain(weight) => return Cow::Owned(make(weight)),
            Self::Packed(packed) => (packed.plain.as_slice(), &packed.panels),
            Self::Kept(weight, panels) => (weight, panels),
        };
        Cow::Borrowed(cell(panels).get_or_init(|| make(weight)))
    }
}
