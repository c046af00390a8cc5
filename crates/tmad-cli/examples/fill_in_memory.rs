//! Fills a hole of a picture in memory, as README.md shows it:
//! `cargo run --release -p tmad-cli --example fill_in_memory`.

use tmad::{Control, Device, Inpainter, Mask, TMad};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (photo, _) = inpaint_core::scene::render_scene(768, 512, 0);
    // README: from here
    let (width, height) = photo.dimensions();
    let in_hole = |x: u32, y: u32| x.abs_diff(348) < 48 && y.abs_diff(208) < 48;
    let mask = Mask::from_fn(width, height, in_hole);
    let tmad = TMad::built_in(&Device::flex())?;
    let filled = tmad.inpaint(&photo, &mask, &Control::default())?;
    filled.save("filled.png")?;
    // README: to here
    Ok(())
}
