//! `--precision` of `tmad inpaint`; that of `tmad train` is tested where runs are.

mod common;

use common::Folder;

/// Where the processor has no bf16, `auto` is f32. With bf16, the known pixels stay as they are,
/// and the hole's differ by less than a level of 255 on average.
#[test]
fn f32_is_the_default_and_auto_hardly_differs() {
    let folder = Folder::with_photo(150, 120);
    let inpaint = |name: &str, options: &str| {
        let run = format!("inpaint photo.png --mask mask.png -o {name} --device cpu {options}");
        folder.succeeds(&run);
        folder.open(name).to_rgb8()
    };
    let exact = inpaint("default.png", "");
    assert!(exact == inpaint("f32.png", "--precision f32"));
    let fast = inpaint("auto.png", "--precision auto");
    let hole = common::middle(150, 120);
    let mut differences = Vec::new();
    for (x, y, pixel) in exact.enumerate_pixels() {
        let other = fast.get_pixel(x, y);
        if hole.is_hole(x, y) {
            let channels = pixel.0.iter().zip(other.0);
            differences.extend(channels.map(|(&a, b)| f64::from(a.abs_diff(b))));
        } else {
            assert_eq!(pixel, other);
        }
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    assert!(mean < 1.0, "{mean}");
}
