//! A file per subcommand: its arguments and what it does with them.

pub mod inpaint;
pub mod masks;
