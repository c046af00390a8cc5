//! The errors of this crate.

use std::path::PathBuf;

use inpaint_core::{InpaintError, Size};
use tmad::weights::WeightsError;

/// Why an evaluation could not be done or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A picture cannot be decoded.
    #[error("cannot decode {}: {source}", path.display())]
    Decode {
        /// The picture.
        path: PathBuf,
        /// The decoder's reason.
        source: image::ImageError,
    },
    /// A picture cannot be encoded.
    #[error("cannot encode {}: {source}", path.display())]
    Encode {
        /// The picture.
        path: PathBuf,
        /// The encoder's reason.
        source: image::ImageError,
    },
    /// A folder without pictures.
    #[error("{} holds no picture (PNG, JPEG, WebP, BMP or PNM, searched recursively)", folder.display())]
    NoPictures {
        /// The folder.
        folder: PathBuf,
    },
    /// Two pictures that only differ in their extension: results could not be told apart.
    #[error("{} and {} have one name; rename or remove one", first.display(), second.display())]
    SameName {
        /// The first.
        first: PathBuf,
        /// The second.
        second: PathBuf,
    },
    /// A file of network weights does not fit.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: WeightsError,
    },
    /// Not the name of a protocol.
    #[error("`{given}` is neither a protocol (centre, rectangle, free-form) nor a folder of masks")]
    UnknownProtocol {
        /// What was given.
        given: String,
    },
    /// A setting lies outside its range.
    #[error("{name} is {value}, allowed is {allowed}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Value handed in.
        value: String,
        /// Allowed values in words.
        allowed: &'static str,
    },
    /// Some pictures have a mask of their name, others have none.
    #[error(
        "{} has masks for {matched} of {pictures} pictures, none for `{missing}`; give every picture \
         a mask of its name, or name no mask after a picture (then they are taken in turn)",
        folder.display()
    )]
    SomeMasksMissing {
        /// Folder of the masks.
        folder: PathBuf,
        /// Pictures with a mask.
        matched: usize,
        /// Pictures.
        pictures: usize,
        /// The first picture without one.
        missing: String,
    },
    /// A mask without a hole: nothing could be measured.
    #[error("the mask of `{picture}` has no hole at {size}; masks are white where the hole is")]
    EmptyMask {
        /// Name of the picture.
        picture: String,
        /// Size of the mask after scaling.
        size: Size,
    },
    /// Two methods share a name, or a name cannot be a folder's.
    #[error("`{name}` cannot name a method: {reason}")]
    MethodName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A folder of results lacks a picture.
    #[error("{} has no result for `{picture}` (any extension)", folder.display())]
    MissingResult {
        /// Folder of the results.
        folder: PathBuf,
        /// Name of the picture.
        picture: String,
    },
    /// A result is not of the size that is evaluated.
    #[error("{} is {found}, the picture is evaluated at {expected}", path.display())]
    ResultSize {
        /// The result.
        path: PathBuf,
        /// Its size.
        found: Size,
        /// The size it must have.
        expected: Size,
    },
    /// A method failed.
    #[error("{method} failed on `{picture}`: {source}")]
    Method {
        /// Name of the method.
        method: String,
        /// Name of the picture.
        picture: String,
        /// The method's reason.
        source: InpaintError,
    },
    /// A metric cannot be measured on these pictures.
    #[error(transparent)]
    Metric(#[from] InpaintError),
    /// The report folder belongs to an evaluation with other settings.
    #[error(
        "{} belongs to an evaluation with other settings: {setting} is {found} there, {expected} here; \
         give another folder, or the same settings to continue",
        folder.display()
    )]
    OtherRun {
        /// The report folder.
        folder: PathBuf,
        /// The setting that differs.
        setting: &'static str,
        /// Its value in the folder.
        found: String,
        /// Its value now.
        expected: String,
    },
    /// A file of the report folder cannot be understood.
    #[error("{} line {line}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's reason.
        reason: String,
    },
}
