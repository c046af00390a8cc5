//! A file per subcommand: its arguments and what it does with them.

pub mod bench;
pub mod eval;
pub mod explain;
pub mod export;
pub mod info;
pub mod inpaint;
pub mod masks;
pub mod refine;
pub mod serve;
pub mod train;
