//! A file per subcommand: its arguments and what it does with them.

pub mod bench;
#[cfg(feature = "eval")]
pub mod eval;
pub mod explain;
#[cfg(feature = "train")]
pub mod export;
pub mod info;
pub mod inpaint;
pub mod inpaint_folder;
pub mod masks;
#[cfg(feature = "train")]
pub mod pack;
pub mod refine;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shell;
#[cfg(feature = "train")]
pub mod train;
