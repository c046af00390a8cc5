//! What a method that copies texture can tell about its work, and how it works after another one.

use crate::{Control, InpaintError, Inpainter, Mask, RgbImage};

/// Where the texture of a filled hole comes from (Fig. 7 of the paper).
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The coarse guess in the hole, the input elsewhere; the size of the input.
    pub coarse: RgbImage,
    /// The result, the input elsewhere.
    pub completed: RgbImage,
    /// The patches that the hole was cut into, row by row.
    pub patches: Vec<ExplainedPatch>,
    /// Where the texture of every pixel comes from, row by row over the picture; `None` outside
    /// the hole, and where a method does not copy single pixels.
    pub origins: Vec<Option<Origin>>,
}

impl Explanation {
    /// Share of the pixels that have an origin, by its kind, in the order of [`OriginKind::ALL`].
    pub fn shares(&self) -> [f64; OriginKind::ALL.len()] {
        let origins = || self.origins.iter().flatten();
        let all = origins().count().max(1) as f64;
        OriginKind::ALL.map(|kind| origins().filter(|o| o.kind == kind).count() as f64 / all)
    }
}

/// Where the texture of a pixel comes from, and what it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The kind of source that was chosen for the place, for the texture to follow.
    pub kind: OriginKind,
    /// Column of the pixel of the input that has the most weight in it.
    pub x: u32,
    /// Its row.
    pub y: u32,
}

/// What can be chosen for a pixel of the hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OriginKind {
    /// The pixel that most of the patches over the place agree on.
    Copy,
    /// The one with the second most votes.
    SecondCopy,
    /// The mean of the patches over the place.
    MeanOfCopies,
    /// A window that the texture memory retrieved.
    Window,
    /// The first copy with the colours of the coarse guess.
    RecolouredCopy,
}

impl OriginKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Copy,
        Self::SecondCopy,
        Self::MeanOfCopies,
        Self::Window,
        Self::RecolouredCopy,
    ];

    /// The kind's name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::SecondCopy => "second_copy",
            Self::MeanOfCopies => "mean_of_copies",
            Self::Window => "window",
            Self::RecolouredCopy => "recoloured_copy",
        }
    }
}

/// A patch of the hole and what was retrieved for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedPatch {
    /// Where it lies; it may reach beyond the picture.
    pub place: Square,
    /// The retrieved windows, best first. Never empty.
    pub candidates: Vec<ExplainedCandidate>,
}

/// A window of the picture that serves as texture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExplainedCandidate {
    /// Where it lies.
    pub source: Square,
    /// Its similarity to the patch; comparable within one patch only.
    pub score: f32,
}

/// A square in pixels of the input, whatever the scale at which the method worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    /// First column, below 0 left of the picture.
    pub x: i64,
    /// First row, below 0 above the picture.
    pub y: i64,
    /// Side.
    pub side: u32,
}

/// A method in two steps, a guess of the structure and its texture, of which the second can be
/// used by itself.
///
/// The contract of [`Inpainter`] holds for every function.
pub trait TextureMethod: Inpainter {
    /// Adds texture to what another method put into the hole.
    ///
    /// `guess` has the size of `image`; outside the hole it is not looked at.
    ///
    /// # Errors
    ///
    /// As [`Inpainter::inpaint`], and [`InpaintError::ImageSize`] when `guess` has another size.
    fn refine(
        &self,
        image: &RgbImage,
        guess: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<RgbImage, InpaintError>;

    /// Fills the hole as [`Inpainter::inpaint`] does, and says where the texture comes from.
    ///
    /// # Errors
    ///
    /// As [`Inpainter::inpaint`].
    fn explain(
        &self,
        image: &RgbImage,
        mask: &Mask,
        control: &Control,
    ) -> Result<Explanation, InpaintError>;
}
