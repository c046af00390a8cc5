//! Where the hole is: a mask file, a folder of them, the photo's own transparency, or shapes.

use crate::location::{Location, extension};
use crate::photo::about;
use crate::terminal::UsageError;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use inpaint_core::{Mask, Rect};
use inpaint_photo::{Hole, Limits, MaskOptions, Photo, PhotoError, Shape, alpha_mask};
use std::collections::HashSet;
use std::str::FromStr;

/// Options that say where the hole is.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("holes").required(true).multiple(true))]
pub struct MaskArgs {
    /// Mask: a picture of the photo's size; white is filled, black is kept. `alpha` takes the
    /// photo's own transparent area. For a folder of photos, one mask for all or a folder of masks
    #[arg(short, long, value_name = "FILE|alpha", group = "holes")]
    mask: Option<String>,
    /// Fill the black parts of the mask and keep the white ones
    #[arg(long, requires = "mask")]
    invert_mask: bool,
    /// Brightness from which on a pixel of the mask is white
    #[arg(long, value_name = "T", default_value_t = 128, value_parser = clap::value_parser!(u8).range(1..))]
    mask_threshold: u8,
    /// Stretch a mask of another size to the photo's
    #[arg(long)]
    fit_mask: bool,
    /// Enlarge the hole by this many pixels, to take in soft edges and shadows
    #[arg(long, value_name = "PX", default_value_t = 0)]
    grow: u32,
    /// Enlarge the hole by this many pixels, and blend the filling with the photo over them
    #[arg(long, value_name = "PX", default_value_t = 0)]
    feather: u32,
    /// A rectangular hole, without or beside a mask: left, top, width, height in pixels of the
    /// photo as it is shown. May be repeated
    #[arg(long = "box", value_name = "X,Y,W,H", value_parser = parse_box, group = "holes")]
    boxes: Vec<Rect>,
    /// A hole with these corners, without or beside a mask. May be repeated
    #[arg(long = "polygon", value_name = "X,Y X,Y X,Y …", value_parser = parse_polygon, allow_hyphen_values = true, group = "holes")]
    polygons: Vec<Shape>,
}

/// The masks of one run, opened.
#[derive(Debug)]
pub struct Masks<'a> {
    args: &'a MaskArgs,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Shapes only.
    None,
    Alpha,
    /// One mask for everything.
    File {
        name: String,
        bytes: Vec<u8>,
    },
    /// A mask for each photo, by its name.
    Folder {
        folder: Location,
        names: HashSet<String>,
    },
}

impl MaskArgs {
    /// Reads what is needed for all photos.
    ///
    /// # Errors
    ///
    /// If the mask cannot be read.
    pub fn open(&self) -> Result<Masks<'_>> {
        let source = match self.location()? {
            None if self.mask.is_some() => Source::Alpha,
            None => Source::None,
            Some(folder) if folder.is_folder()? => Source::Folder {
                names: folder.list(true, &[])?.into_iter().collect(),
                folder,
            },
            Some(file) => Source::File {
                bytes: file.read().context("the mask cannot be used")?,
                name: file.to_string(),
            },
        };
        Ok(Masks { args: self, source })
    }

    /// The hole in a single photo.
    ///
    /// # Errors
    ///
    /// As [`Masks::hole`]; also if the mask is a folder.
    pub fn read(&self, photo: &Photo, limits: &Limits) -> Result<Hole> {
        self.open()?
            .of_one_photo()?
            .hole("the photo", photo, limits)
    }

    /// The file or folder that the masks are in, if they are in one.
    ///
    /// # Errors
    ///
    /// If it is a URL that cannot be used.
    pub fn location(&self) -> Result<Option<Location>> {
        match self.mask.as_deref() {
            None | Some("alpha") => Ok(None),
            Some(mask) => match Location::parse(mask) {
                Ok(location) => Ok(Some(location)),
                Err(reason) => Err(UsageError(format!("--mask {mask}: {reason}")).into()),
            },
        }
    }

    /// What to try if the mask marks the wrong part.
    pub fn inversion_hint(&self) -> &'static str {
        if self.mask.is_none() {
            "check the coordinates"
        } else if self.invert_mask {
            "leave out --invert-mask if white marks what is to be filled"
        } else {
            "add --invert-mask if white marks what is to be kept"
        }
    }
}

impl Masks<'_> {
    /// Whether every photo has a mask of its own.
    pub fn is_folder(&self) -> bool {
        matches!(self.source, Source::Folder { .. })
    }

    /// Refuses a folder of masks, which a single photo has no use for.
    ///
    /// # Errors
    ///
    /// If it is one.
    pub fn of_one_photo(self) -> Result<Self> {
        match &self.source {
            Source::Folder { folder, .. } => {
                let message = format!("{folder} is a folder; give the mask of this photo");
                Err(UsageError(message).into())
            }
            _ => Ok(self),
        }
    }

    /// The hole of a photo. `name` is the photo's name below its folder.
    ///
    /// # Errors
    ///
    /// If there is no mask, or it cannot be used for this photo.
    pub fn hole(&self, name: &str, photo: &Photo, limits: &Limits) -> Result<Hole> {
        let options = MaskOptions {
            invert: self.args.invert_mask,
            threshold: self.args.mask_threshold,
            grow_px: self.args.grow,
            feather_px: self.args.feather,
            fit: self.args.fit_mask,
        };
        let read = |mask: &str, bytes: &[u8]| {
            let named = |error: PhotoError| {
                let named = about(format!("mask {mask}"), &error);
                match error {
                    PhotoError::MaskSize { turned: false, .. } => {
                        anyhow!("{named}; --fit-mask stretches it")
                    }
                    _ => named,
                }
            };
            options.mask(bytes, photo, limits).map_err(named)
        };
        let (width, height) = photo.dimensions();
        let mut mask = match &self.source {
            Source::None => Mask::new(width, height),
            Source::Alpha => alpha_mask(photo, &options).map_err(|error| about(name, &error))?,
            Source::File { name, bytes } => read(name, bytes)?,
            Source::Folder { folder, names } => {
                let Some(found) = find_mask(name, names) else {
                    bail!(
                        "there is no mask for {name} in {folder}; it is looked for as {name}, \
                         {name}.png and {}.png",
                        stem(name)
                    );
                };
                let file = folder.join(&found);
                read(&file.to_string(), &file.read()?)?
            }
        };
        for rect in &self.args.boxes {
            mask.fill_rect(*rect);
        }
        for shape in &self.args.polygons {
            shape
                .draw(&mut mask)
                .map_err(|error| about("the mask", &error))?;
        }
        let hole = options.hole(mask);
        Ok(match self.source {
            Source::Alpha => hole.as_transparent_area(),
            _ => hole,
        })
    }
}

/// Whether a file is a mask by its name, beside the photo that it is for.
pub fn is_mask_name(name: &str) -> bool {
    stem(name).ends_with("_mask")
}

/// A name without its extension.
fn stem(name: &str) -> &str {
    let extension = extension(name);
    match extension.len() {
        0 => name,
        length => &name[..name.len() - length - 1],
    }
}

/// The mask of a photo among the names in the masks' folder: the most exact name first, so that
/// `a.jpg` and `a.png` can have different masks.
fn find_mask(name: &str, names: &HashSet<String>) -> Option<String> {
    const EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp"];
    let with = |base: &str| {
        let candidates = EXTENSIONS.into_iter().map(|e| format!("{base}.{e}"));
        candidates
            .into_iter()
            .find(|candidate| names.contains(candidate))
    };
    let stem = stem(name);
    // Beside its photos a mask cannot have the photo's own name.
    let is_beside = names.iter().any(|name| is_mask_name(name));
    let same_name = || names.contains(name).then(|| name.to_owned());
    with(&format!("{name}_mask"))
        .or_else(|| with(&format!("{stem}_mask")))
        .or_else(|| if is_beside { None } else { same_name() })
        .or_else(|| with(name))
        .or_else(|| if is_beside { None } else { with(stem) })
}

fn parse_box(text: &str) -> Result<Rect, String> {
    let numbers: Result<Vec<u32>, _> = text.split(',').map(|n| n.trim().parse()).collect();
    match numbers.as_deref() {
        Ok(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Rect {
            x,
            y,
            width,
            height,
        }),
        Ok(&[_, _, _, _]) => Err("width and height must not be 0".to_owned()),
        _ => Err("give four whole numbers, as in --box 40,60,120,80".to_owned()),
    }
}

fn parse_polygon(text: &str) -> Result<Shape, String> {
    let usage = "give at least three corners, as in --polygon \"10,10 90,20 50,80\"";
    let corner = |corner: &str| {
        let (x, y) = corner.split_once(',')?;
        let finite = |n: &str| f64::from_str(n).ok().filter(|n| n.is_finite());
        Some((finite(x)?, finite(y)?))
    };
    let corners: Option<Vec<(f64, f64)>> = text.split_whitespace().map(corner).collect();
    match corners {
        Some(corners) if corners.len() >= 3 => Ok(Shape::Polygon(corners)),
        _ => Err(usage.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, names: &[&str]) -> Option<String> {
        find_mask(name, &names.iter().map(|&name| name.to_owned()).collect())
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
    fn shapes_are_read() {
        let rect = parse_box("1, 2,3,4").unwrap();
        assert_eq!((rect.x, rect.y, rect.width, rect.height), (1, 2, 3, 4));
        assert!(parse_box("1,2,0,4").unwrap_err().contains("must not be 0"));
        assert!(parse_box("1,2,3").is_err());
        let corners = vec![(0.0, -1.5), (3.0, 0.0), (0.0, 3.0)];
        assert_eq!(
            parse_polygon("0,-1.5 3,0  0,3"),
            Ok(Shape::Polygon(corners))
        );
        assert!(parse_polygon("0,0 1,1").is_err());
        assert!(parse_polygon("0,0 1,1 nan,2").is_err());
    }
}
