//! Evaluates PatchMatch on a folder of pictures and prints the table:
//! `cargo run --release -p tmad-eval --example patchmatch -- DATA PROTOCOL [OUT [WEIGHTS]]`.

use std::error::Error;
use std::path::PathBuf;

use inpaint_core::patchmatch::PatchMatch;
use tmad_eval::{EvalOptions, evaluate};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: patchmatch DATA PROTOCOL [OUT [WEIGHTS]]";
    let (data, protocol) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let out = arguments.next().map(PathBuf::from);
    let weights = arguments.next().map(PathBuf::from);
    let options = EvalOptions {
        data: data.into(),
        protocol: protocol.parse()?,
        save_images: out.is_some(),
        out,
        weights,
        ..EvalOptions::default()
    };
    let report = evaluate(&options, &[&PatchMatch::default()], &[], &mut |progress| {
        eprint!("\r{} of {}", progress.done, progress.total);
    })?;
    eprintln!();
    println!("{}", report.to_markdown());
    Ok(())
}
