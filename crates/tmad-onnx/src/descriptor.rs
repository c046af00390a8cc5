//! What a network wants to be given, and what it gives back.

use crate::OnnxError;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest side in pixels that a descriptor may ask for.
const MAX_SIDE_PX: u32 = 4096;

/// How a network is fed. Every field may be left out of a JSON descriptor whose network is
/// recognised by its inputs: the descriptor then only corrects what it names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// For each of the network's inputs by name, the planes that it consists of, in order.
    pub inputs: BTreeMap<String, Vec<Plane>>,
    /// Order of the tensors' dimensions.
    #[serde(default)]
    pub layout: Layout,
    /// Order of the colours.
    #[serde(default)]
    pub channels: Channels,
    /// Values that stand for black and white in the network's input.
    #[serde(default = "unit")]
    pub range: [f32; 2],
    /// Value of the picture inside the hole, in the units of `range`; `None` leaves what the
    /// picture shows there.
    #[serde(default)]
    pub hole: Option<f32>,
    /// Values of the mask.
    #[serde(default)]
    pub mask: MaskValues,
    /// Width and height, for networks that take no other size.
    #[serde(default)]
    pub size: Option<[u32; 2]>,
    /// Longest side at which the network works, for networks of free size.
    #[serde(default = "default_side")]
    pub side: u32,
    /// What its sides have to be multiples of.
    #[serde(default = "default_multiple")]
    pub multiple: u32,
    /// Which of its outputs is the picture, and in which range.
    #[serde(default)]
    pub output: Output,
}

/// A part of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// The picture: three planes.
    Image,
    /// The mask: one plane.
    Mask,
    /// A plane of ones.
    Ones,
}

impl Plane {
    /// Number of channels.
    pub fn num_channels(self) -> usize {
        match self {
            Self::Image => 3,
            Self::Mask | Self::Ones => 1,
        }
    }
}

/// Order of a tensor's dimensions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channels, rows, columns, as PyTorch.
    #[default]
    Nchw,
    /// Batch, rows, columns, channels, as TensorFlow.
    Nhwc,
}

/// Order of the colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first, as OpenCV.
    Bgr,
}

/// What a mask holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskValues {
    /// Where something is to be filled in.
    pub hole: f32,
    /// Elsewhere.
    pub known: f32,
}

impl Default for MaskValues {
    fn default() -> Self {
        Self {
            hole: 1.0,
            known: 0.0,
        }
    }
}

/// The output that is the picture. Whether the network has put the known pixels back in it does
/// not matter; they are taken from the photo.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Its name; `None` is the last one with three channels.
    pub name: Option<String>,
    /// Values of black and white. `None` takes the one of \[0, 1\], \[−1, 1\] and \[0, 255\] in
    /// which the known pixels look like the photo's.
    pub range: Option<[f32; 2]>,
}

fn unit() -> [f32; 2] {
    [0.0, 1.0]
}

fn default_side() -> u32 {
    512
}

fn default_multiple() -> u32 {
    8
}

impl Descriptor {
    /// A network with these inputs, and everything else as most have it.
    pub fn new<const N: usize>(inputs: [(&str, &[Plane]); N]) -> Self {
        Self {
            inputs: inputs.map(|(n, p)| (n.to_owned(), p.to_vec())).into(),
            layout: Layout::default(),
            channels: Channels::default(),
            range: unit(),
            hole: Some(0.0),
            mask: MaskValues::default(),
            size: None,
            side: default_side(),
            multiple: default_multiple(),
            output: Output::default(),
        }
    }

    /// Reads a JSON descriptor; what it leaves out is as in `recognised`.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Descriptor`] when it is no JSON, or says something that makes no sense.
    pub fn from_json(json: &str, recognised: Option<&Self>) -> Result<Self, OnnxError> {
        let wrong = |error: serde_json::Error| OnnxError::Descriptor(error.to_string());
        let changes: Value = serde_json::from_str(json).map_err(wrong)?;
        if !changes.is_object() {
            let reason = "a JSON object is needed, such as {\"side\": 512}".to_owned();
            return Err(OnnxError::Descriptor(reason));
        }
        let mut whole = match recognised {
            Some(known) => serde_json::to_value(known).map_err(wrong)?,
            None => Value::Object(serde_json::Map::new()),
        };
        overlay(&mut whole, changes, 0);
        let descriptor: Self = serde_json::from_value(whole).map_err(wrong)?;
        descriptor.check()?;
        Ok(descriptor)
    }

    /// Checks what no network could want.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Descriptor`] says which field is wrong.
    pub fn check(&self) -> Result<(), OnnxError> {
        let wrong = |reason: String| Err(OnnxError::Descriptor(reason));
        let planes = || self.inputs.values().flatten();
        if !planes().any(|plane| *plane == Plane::Image) {
            return wrong("none of the `inputs` has the plane \"image\"".to_owned());
        }
        let ranges = [Some(self.range), self.output.range];
        for [black, white] in ranges.into_iter().flatten() {
            if !(black.is_finite() && white.is_finite() && black != white) {
                return wrong(format!("[{black}, {white}] is no range of values"));
            }
        }
        let is_side = |side: u32| (1..=MAX_SIDE_PX).contains(&side);
        let sides = self.size.into_iter().flatten().chain([self.side]);
        if let Some(side) = sides.into_iter().find(|side| !is_side(*side)) {
            return wrong(format!("a side of {side} px is not in 1 to {MAX_SIDE_PX}"));
        }
        if !(1..=self.side).contains(&self.multiple) {
            return wrong(format!(
                "no side up to {} is a multiple of {}",
                self.side, self.multiple
            ));
        }
        Ok(())
    }
}

/// Takes over what `changes` names. The inputs are replaced as a whole.
fn overlay(whole: &mut Value, changes: Value, depth: usize) {
    match (whole, changes) {
        (Value::Object(whole), Value::Object(changes)) if depth < 2 => {
            for (key, change) in changes {
                match whole.get_mut(&key) {
                    Some(old) if key != "inputs" => overlay(old, change, depth + 1),
                    _ => {
                        whole.insert(key, change);
                    }
                }
            }
        }
        (whole, changes) => *whole = changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_corrects_what_it_names() {
        let known = Descriptor::new([("image", &[Plane::Image]), ("mask", &[Plane::Mask])]);
        let json = r#"{"output": {"range": [0, 255]}, "side": 1024, "hole": null}"#;
        let corrected = Descriptor::from_json(json, Some(&known)).unwrap();
        let expected = Descriptor {
            side: 1024,
            hole: None,
            output: Output {
                name: None,
                range: Some([0.0, 255.0]),
            },
            ..known
        };
        assert_eq!(corrected, expected);
    }

    #[test]
    fn a_descriptor_alone_needs_the_inputs() {
        let json = r#"{"inputs": {"x": ["image", "ones", "mask"]}, "mask": {"hole": 0, "known": 255},
                       "layout": "nhwc", "channels": "bgr", "size": [256, 128]}"#;
        let descriptor = Descriptor::from_json(json, None).unwrap();
        assert_eq!(descriptor.inputs["x"].len(), 3);
        assert_eq!(descriptor.layout, Layout::Nhwc);
        assert_eq!(descriptor.mask.known, 255.0);
        assert_eq!(descriptor.size, Some([256, 128]));
        let error = Descriptor::from_json("{}", None).unwrap_err().to_string();
        assert!(error.contains("inputs"), "{error}");
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let cases = [
            ("{", "EOF"),
            ("[]", "JSON object"),
            (r#"{"inputs": {"x": ["mask"]}}"#, "image"),
            (r#"{"inputs": {"x": ["depth"]}}"#, "depth"),
            (r#"{"range": [1, 1]}"#, "range"),
            (r#"{"output": {"range": [0, 1e999]}}"#, "range"),
            (r#"{"size": [0, 512]}"#, "0 px"),
            (r#"{"side": 100000}"#, "100000"),
            (r#"{"multiple": 0}"#, "multiple"),
            (r#"{"sides": 3}"#, "sides"),
        ];
        let known = Descriptor::new([("x", &[Plane::Image])]);
        for (json, word) in cases {
            let error = Descriptor::from_json(json, Some(&known)).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(word), "{json}: {error}");
        }
    }
}
