//! The `tmad` command.
fn main() {}
