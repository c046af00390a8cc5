//! Where results come from: methods of this project, and folders of pictures made elsewhere.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use inpaint_core::{Inpainter, RgbImage, TextureMethod};

use crate::EvalError;
use crate::files::{Picture, list_pictures, open_rgb};

/// Results that another program made.
#[derive(Clone)]
pub struct Output<'a> {
    /// What the report calls them.
    pub name: String,
    /// Where they lie, under the names of the pictures.
    pub folder: PathBuf,
    /// What adds texture to them before they are measured, if anything; its time is reported.
    pub refined_by: Option<&'a dyn TextureMethod>,
}

impl From<(String, PathBuf)> for Output<'_> {
    fn from((name, folder): (String, PathBuf)) -> Self {
        Self {
            name,
            folder,
            refined_by: None,
        }
    }
}

/// Where the results of a name come from.
pub(crate) enum Source<'a> {
    Method(&'a dyn Inpainter),
    Folder(
        PathBuf,
        HashMap<String, PathBuf>,
        Option<&'a dyn TextureMethod>,
    ),
}

/// The result for a picture, which must have the truth's size.
pub(crate) fn open_result(
    folder: &Path,
    files: &HashMap<String, PathBuf>,
    picture: &Picture,
    truth: &RgbImage,
) -> Result<RgbImage, EvalError> {
    let path = files
        .get(&picture.name)
        .ok_or_else(|| EvalError::MissingResult {
            folder: folder.to_owned(),
            picture: picture.name.clone(),
        })?;
    let result = open_rgb(path)?;
    if result.dimensions() != truth.dimensions() {
        return Err(EvalError::ResultSize {
            path: path.clone(),
            found: result.dimensions().into(),
            expected: truth.dimensions().into(),
        });
    }
    Ok(result)
}

/// Names each source, and checks now what would otherwise fail after hours.
pub(crate) fn sources<'a>(
    methods: &[&'a dyn Inpainter],
    outputs: &[Output<'a>],
    pictures: &[Picture],
) -> Result<Vec<(String, Source<'a>)>, EvalError> {
    let mut sources = Vec::new();
    for &method in methods {
        sources.push((method.name().to_owned(), Source::Method(method)));
    }
    for Output {
        name,
        folder,
        refined_by,
    } in outputs
    {
        let files: HashMap<String, PathBuf> = (list_pictures(folder)?.into_iter())
            .map(|file| (file.name, file.path))
            .collect();
        if let Some(missing) = pictures
            .iter()
            .find(|picture| !files.contains_key(&picture.name))
        {
            return Err(EvalError::MissingResult {
                folder: folder.clone(),
                picture: missing.name.clone(),
            });
        }
        let source = Source::Folder(folder.clone(), files, *refined_by);
        sources.push((name.clone(), source));
    }
    let mut seen = HashSet::new();
    for (name, _) in &sources {
        let reason = if name.is_empty() || name.starts_with('.') {
            "it must not be empty or start with a dot"
        } else if name.contains(|c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c)) {
            "its results could not have a folder of that name"
        } else if !seen.insert(name.as_str()) {
            "two methods have it"
        } else {
            continue;
        };
        return Err(EvalError::MethodName {
            name: name.clone(),
            reason,
        });
    }
    Ok(sources)
}
