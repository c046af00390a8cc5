//! Evaluation of inpainting that others can repeat.
//!
//! [`evaluate`] runs methods on the same pictures and masks, scores folders of results made
//! elsewhere beside them, and gives every metric in both conventions, over the hole and over the
//! whole picture.
//!
//! The report folder:
//!
//! | file | what it is |
//! |---|---|
//! | `run.json` | the [`Settings`] that all its results share |
//! | `results.jsonl` | a [`Score`] per picture and method, written one by one |
//! | `summary.json` | the [`Report`]: means, 95 % intervals, by size of the hole |
//! | `report.html` | the same for reading, with a gallery of saved pictures; needs nothing else |
//! | `masks/NAME.png` | the masks, white is hole |
//! | `truths/`, `inputs/`, `results/METHOD/` | the pictures, with [`EvalOptions::save_images`] |
//! | `features/` | Inception features, where its weights were given: the next run needs them |
//! | `contact_sheet.png` | the first of them: input, results, truth |

mod columns;
pub mod distances;
mod error;
mod feature_sets;
mod files;
mod html;
mod inception;
mod linalg;
mod lpips;
mod meters;
mod metric;
pub mod paper;
mod protocol;
mod report;
mod resize;
mod run;
mod sheet;
mod source;
mod statistics;
mod store;
mod svm;
mod tensors_by_name;
mod textures;

pub use error::EvalError;
pub use inception::{Inception, InceptionResize, NUM_FEATURES, inception_input};
pub use lpips::{Lpips, LpipsNetwork};
pub use meters::INCEPTION_FILE;
pub use metric::{Better, Metric, Metrics, PERFECT_PSNR_DB, measure};
pub use protocol::{Protocol, centre_square};
pub use report::{HoleSizeBin, MethodSummary, Report, TextureDistance};
pub use run::{EvalOptions, Progress, evaluate};
pub use sheet::{SheetRow, contact_sheet};
pub use source::Output;
pub use statistics::Estimate;
pub use store::{Score, Settings};
pub use svm::LinearSvm;
