//! Networks that are recognised by their inputs.

use crate::descriptor::{Channels, Descriptor, Layout, MaskValues, Output, Plane};
use crate::signature::{LastFunction, Port, Signature};

/// The descriptor of a network that is known, with the family's name.
///
/// Names hardly tell networks apart, since everybody chooses their own; numbers of channels,
/// element types and the last function do.
pub fn recognise(signature: &Signature) -> Option<(&'static str, Descriptor)> {
    let output = picture_output(signature)?;
    let last = signature.last[output];
    let (family, mut descriptor) = match &signature.inputs[..] {
        [only] => one_input(only, last)?,
        [first, second] => {
            let (picture, mask) = match (num_channels(first)?, num_channels(second)?) {
                (1, 3 | 5) => (second, first),
                (3 | 5, 1) => (first, second),
                _ => return None,
            };
            two_inputs(picture, mask, last)?
        }
        _ => return None,
    };
    descriptor.output.name = Some(signature.outputs[output].name.clone());
    Some((family, descriptor))
}

fn one_input(input: &Port, last: LastFunction) -> Option<(&'static str, Descriptor)> {
    use Plane::{Image, Mask, Ones};
    let feed = |planes: &[Plane]| sized(Descriptor::new([(&input.name, planes)]), input);
    let signed = |descriptor| Descriptor {
        range: [-1.0, 1.0],
        output: range([-1.0, 1.0]),
        ..descriptor
    };
    match (num_channels(input)?, last) {
        (5, _) => Some(("DeepFillv2", signed(feed(&[Image, Ones, Mask])))),
        (4, LastFunction::Sigmoid) => {
            let mut lama = feed(&[Image, Mask]);
            lama.output = range([0.0, 1.0]);
            Some(("LaMa, the generator alone", lama))
        }
        (4, LastFunction::Tanh) => Some(("image and mask, −1 to 1", signed(feed(&[Image, Mask])))),
        (4, LastFunction::Other) => Some((
            "MI-GAN, the generator alone",
            Descriptor {
                mask: MaskValues {
                    hole: -0.5,
                    known: 0.5,
                },
                ..signed(feed(&[Mask, Image]))
            },
        )),
        _ => None,
    }
}

fn two_inputs(
    picture: &Port,
    mask: &Port,
    last: LastFunction,
) -> Option<(&'static str, Descriptor)> {
    use Plane::{Image, Mask, Ones};
    let feed = |planes: &[Plane]| {
        let inputs = [(&*picture.name, planes), (&*mask.name, &[Mask])];
        sized(Descriptor::new(inputs), picture)
    };
    let image = || feed(&[Image]);
    if num_channels(picture) == Some(5) {
        return Some((
            "DeepFillv2",
            Descriptor {
                range: [-1.0, 1.0],
                output: range([-1.0, 1.0]),
                ..feed(&[Image, Ones, Mask])
            },
        ));
    }
    let bytes = [0.0, 255.0];
    Some(match (picture.is_u8, mask.is_u8, last) {
        // It cuts and scales by itself.
        (true, true, _) => (
            "MI-GAN, the whole pipeline",
            Descriptor {
                range: bytes,
                hole: None,
                mask: MaskValues {
                    hole: 0.0,
                    known: 255.0,
                },
                multiple: 1,
                output: range(bytes),
                ..image()
            },
        ),
        (true, false, _) | (false, true, _) => return None,
        _ if is_nhwc(picture) => (
            "HiFill (CRA)",
            Descriptor {
                channels: Channels::Bgr,
                range: bytes,
                output: range(bytes),
                ..image()
            },
        ),
        (.., LastFunction::Tanh) => (
            "AOT-GAN",
            Descriptor {
                range: [-1.0, 1.0],
                hole: Some(1.0),
                output: range([-1.0, 1.0]),
                ..image()
            },
        ),
        // Exports of LaMa give [0, 1] or [0, 255].
        _ => ("LaMa, or another of image and mask from 0 to 1", image()),
    })
}

fn range(range: [f32; 2]) -> Output {
    Output {
        name: None,
        range: Some(range),
    }
}

/// Takes over what the file says about the picture's size.
fn sized(mut descriptor: Descriptor, input: &Port) -> Descriptor {
    let (rows, columns) = match is_nhwc(input) {
        true => (input.shape[1], input.shape[2]),
        false => (input.shape[2], input.shape[3]),
    };
    if is_nhwc(input) {
        descriptor.layout = Layout::Nhwc;
    }
    descriptor.size = columns.zip(rows).map(|(width, height)| [width, height]);
    descriptor
}

/// Whether the channels come last: there are few of them, and many of what comes first.
fn is_nhwc(port: &Port) -> bool {
    let is_few = |size: Option<u32>| size.is_some_and(|size| size <= 5);
    matches!(port.shape[..], [_, first, _, last] if is_few(last) && !is_few(first))
}

fn num_channels(port: &Port) -> Option<u32> {
    match port.shape[..] {
        [_, first, _, last] => match is_nhwc(port) {
            true => last,
            false => first,
        },
        _ => None,
    }
}

/// The last output with three channels, or the last whose shape is not known.
pub fn picture_output(signature: &Signature) -> Option<usize> {
    let is_picture = |port: &Port| num_channels(port) == Some(3);
    let may_be = |port: &Port| num_channels(port).is_none() && matches!(port.shape.len(), 0 | 4);
    let outputs = &signature.outputs;
    (outputs.iter().rposition(is_picture)).or_else(|| outputs.iter().rposition(may_be))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, is_u8: bool, shape: [u32; 4]) -> Port {
        Port {
            name: name.to_owned(),
            is_u8,
            shape: shape.map(|size| (size > 0).then_some(size)).to_vec(),
        }
    }

    fn signature(inputs: &[Port], last: LastFunction) -> Signature {
        Signature {
            inputs: inputs.to_vec(),
            outputs: vec![port("out", false, [1, 3, 0, 0])],
            last: vec![last],
        }
    }

    /// Shapes as the projects export them; 0 is free.
    #[test]
    fn every_family_is_recognised() {
        use LastFunction::{Other, Sigmoid, Tanh};
        let image = |shape| port("image", false, shape);
        let mask = |shape| port("mask", false, shape);
        let x = |channels, side| port("x", false, [1, channels, side, side]);
        let bytes = |name, channels| port(name, true, [0, channels, 0, 0]);
        let cases: [(&[Port], LastFunction, &str); 9] = [
            (
                &[image([1, 3, 512, 512]), mask([1, 1, 512, 512])],
                Other,
                "LaMa, or",
            ),
            (&[mask([0, 1, 0, 0]), image([0, 3, 0, 0])], Tanh, "AOT-GAN"),
            (&[bytes("image", 3), bytes("mask", 1)], Other, "MI-GAN, the"),
            (&[x(4, 512)], Other, "MI-GAN, the generator"),
            (&[x(4, 0)], Sigmoid, "LaMa, the"),
            (&[x(4, 256)], Tanh, "−1 to 1"),
            (&[x(5, 512), mask([1, 1, 512, 512])], Tanh, "DeepFillv2"),
            (&[x(5, 512)], Tanh, "DeepFillv2"),
            (
                &[image([1, 512, 512, 3]), mask([1, 512, 512, 1])],
                Other,
                "HiFill",
            ),
        ];
        for (inputs, last, family) in cases {
            let (name, descriptor) = recognise(&signature(inputs, last)).expect(family);
            assert!(name.contains(family), "{name} is not {family}");
            descriptor.check().expect(family);
        }
        for inputs in [&[][..], &[x(3, 64)], &[x(3, 64), x(3, 64)], &[x(1, 64)]] {
            assert_eq!(recognise(&signature(inputs, Other)), None);
        }
    }

    #[test]
    fn the_size_and_the_output_come_from_the_file() {
        let mut of_many = signature(&[port("x", false, [1, 5, 256, 512])], LastFunction::Tanh);
        of_many.outputs = vec![
            port("coarse", false, [1, 3, 0, 0]),
            port("fine", false, [1, 3, 0, 0]),
            port("mask", false, [1, 1, 0, 0]),
        ];
        of_many.last = vec![LastFunction::Tanh; 3];
        let (_, descriptor) = recognise(&of_many).unwrap();
        assert_eq!(descriptor.size, Some([512, 256]));
        assert_eq!(descriptor.output.name.as_deref(), Some("fine"));
        assert_eq!(descriptor.output.range, Some([-1.0, 1.0]));
    }
}
