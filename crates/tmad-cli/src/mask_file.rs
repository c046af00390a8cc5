//! Where the hole is: a mask file, a folder of them, the photo's own transparency, or shapes.

use crate::location::Location;
use crate::mask_names::{MaskNames, stem};
use crate::photo::about;
use crate::terminal::UsageError;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use inpaint_core::{Mask, Rect};
use inpaint_photo::{Hole, Limits, MaskOptions, Photo, PhotoError, Shape, alpha_mask};
use std::ffi::OsString;
use std::str::FromStr;

/// Options that say where the hole is.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("holes").required(true).multiple(true))]
pub struct MaskArgs {
    /// Mask: a picture of the photo's size; white is filled, black is kept. `alpha` takes the
    /// photo's own transparent area. For a folder of photos, one mask for all or a folder of masks
    #[arg(short, long, value_name = "FILE|alpha", group = "holes")]
    mask: Option<OsString>,
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
        names: MaskNames,
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
                names: MaskNames::new(folder.list(true, &[])?),
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
            .map(|(hole, _)| hole)
    }

    /// The file or folder that the masks are in, if they are in one.
    ///
    /// # Errors
    ///
    /// If it is a URL that cannot be used.
    pub fn location(&self) -> Result<Option<Location>> {
        match self.mask.as_deref() {
            None => Ok(None),
            Some(mask) if mask == "alpha" => Ok(None),
            Some(mask) => match Location::parse(mask) {
                Ok(location) => Ok(Some(location)),
                Err(reason) => {
                    let mask = mask.display();
                    Err(UsageError(format!("--mask {mask}: {reason}")).into())
                }
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

    /// The hole of a photo, and how its mask was understood if that has to be said. `name` is the
    /// photo's name below its folder.
    ///
    /// # Errors
    ///
    /// If there is no mask, or it cannot be used for this photo.
    pub fn hole(
        &self,
        name: &str,
        photo: &Photo,
        limits: &Limits,
    ) -> Result<(Hole, Option<String>)> {
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
            options.noted_mask(bytes, photo, limits).map_err(named)
        };
        let (width, height) = photo.dimensions();
        let (mut mask, note) = match &self.source {
            Source::None => (Mask::new(width, height), None),
            Source::Alpha => {
                let mask = alpha_mask(photo, &options).map_err(|error| about(name, &error))?;
                (mask, None)
            }
            Source::File { name, bytes } => read(name, bytes)?,
            Source::Folder { folder, names } => {
                let Some(found) = names.of(name) else {
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
        let hole = match self.source {
            Source::Alpha => hole.as_transparent_area(),
            _ => hole,
        };
        Ok((hole, note.map(|note| note.to_string())))
    }
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
