//! Writes `scene.png` and `scene_mask.png` (white is the hole) into a folder:
//! `cargo run -p inpaint-core --example render_scene -- [FOLDER [SEED]]`.

use std::error::Error;
use std::path::PathBuf;

use inpaint_core::scene::render_scene;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".into()));
    let seed = arguments.next().map_or(Ok(0), |seed| seed.parse())?;
    let (scene, mask) = render_scene(768, 512, seed);
    scene.save(folder.join("scene.png"))?;
    mask.to_gray().save(folder.join("scene_mask.png"))?;
    Ok(())
}
