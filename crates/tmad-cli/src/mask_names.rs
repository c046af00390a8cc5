//! Which mask in a folder belongs to which photo.

use crate::location::extension;
use std::collections::{HashMap, HashSet};
use unicode_normalization::UnicodeNormalization;

/// Extensions of every format that is read.
const EXTENSIONS: [&str; 9] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "tif", "tiff", "bmp",
];

/// The names in a folder of masks.
#[derive(Debug)]
pub struct MaskNames {
    exact: HashSet<String>,
    /// By their folded form; of several, the first in order.
    folded: HashMap<String, String>,
    /// The masks lie beside their photos, and cannot have their names.
    is_beside: bool,
}

impl MaskNames {
    /// Of these names.
    pub fn new(mut names: Vec<String>) -> Self {
        names.sort();
        let mut folded = HashMap::new();
        for name in &names {
            folded.entry(fold(name)).or_insert_with(|| name.clone());
        }
        Self {
            is_beside: names.iter().any(|name| is_mask_name(name)),
            exact: names.into_iter().collect(),
            folded,
        }
    }

    /// The mask of a photo: the most exact name first, so that `a.jpg` and `a.png` can have
    /// different masks.
    pub fn of(&self, photo: &str) -> Option<String> {
        let with = |base: &str| {
            let mut candidates = EXTENSIONS.into_iter().map(|e| format!("{base}.{e}"));
            candidates.find_map(|candidate| self.get(&candidate))
        };
        let stem = stem(photo);
        let unless_beside = |found: Option<String>| found.filter(|_| !self.is_beside);
        with(&format!("{photo}_mask"))
            .or_else(|| with(&format!("{stem}_mask")))
            .or_else(|| unless_beside(self.get(photo)))
            .or_else(|| with(photo))
            .or_else(|| unless_beside(with(stem)))
    }

    fn get(&self, name: &str) -> Option<String> {
        let exact = self.exact.get(name);
        exact.or_else(|| self.folded.get(&fold(name))).cloned()
    }
}

/// The same for names that differ in case, or in how accents are written (Apple's systems write
/// letter and accent apart).
fn fold(name: &str) -> String {
    name.nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect()
}

/// Whether a file is a mask by its name, beside the photo that it is for.
pub fn is_mask_name(name: &str) -> bool {
    stem(name).to_ascii_lowercase().ends_with("_mask")
}

/// A name without its extension.
pub fn stem(name: &str) -> &str {
    let extension = extension(name);
    match extension.len() {
        0 => name,
        length => &name[..name.len() - length - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, names: &[&str]) -> Option<String> {
        MaskNames::new(names.iter().map(|&name| name.to_owned()).collect()).of(name)
    }

    #[test]
    fn the_most_exact_name_wins() {
        let of = |name: &str| Some(name.to_owned());
        assert_eq!(found("d/a.jpg", &["d/a.png", "a.jpg"]), of("d/a.png"));
        assert_eq!(found("a.jpg", &["a.png", "a.jpg.png"]), of("a.jpg.png"));
        assert_eq!(found("a.png", &["a.png", "a.jpg.png"]), of("a.png"));
        assert_eq!(found("a.jpg", &["b.png"]), None);
        // Masks among the photos.
        let beside = ["a.jpg", "a.png", "a_mask.png", "b.jpg", "b.png"];
        assert_eq!(found("a.jpg", &beside), of("a_mask.png"));
        assert_eq!(found("b.jpg", &beside), None);
    }

    #[test]
    fn case_and_accents_do_not_matter_but_the_exact_name_is_preferred() {
        let of = |name: &str| Some(name.to_owned());
        assert_eq!(found("IMG_1.JPG", &["IMG_1.PNG"]), of("IMG_1.PNG"));
        assert_eq!(found("img_1.jpg", &["IMG_1.JPG.Png"]), of("IMG_1.JPG.Png"));
        assert_eq!(found("a.jpg", &["A.png", "a.png"]), of("a.png"));
        assert_eq!(found("a.jpg", &["a_MASK.JPE"]), of("a_MASK.JPE"));
        // é as one letter and as two.
        assert_eq!(
            found("caf\u{E9}.jpg", &["cafe\u{301}.png"]),
            of("cafe\u{301}.png")
        );
        assert_eq!(
            found("CAFE\u{301}.JPG", &["caf\u{E9}.png"]),
            of("caf\u{E9}.png")
        );
    }
}
