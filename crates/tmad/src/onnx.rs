//! The networks as ONNX files, for other runtimes.
//!
//! What is between the networks – PatchMatch's copies, the membrane, which windows the memory
//! holds, and moving what is retrieved to where it fits best – is no network, and stays with who
//! runs them; docs/onnx.md says how they go together.

mod graph;
mod layers;

use crate::aligned::{CHOICE_BOX_PX, COLOUR_BOX_PX};
use crate::coarse::{CoarseConfig, Prior};
use crate::model::{Model, ModelConfig};
use crate::prior::structure_px;
use crate::weights::named_values;
use graph::Attribute::{Int, Ints};
use graph::Graph;
use graph::Side::{self, Fixed, Free};
use inpaint_core::patchmatch::NUM_RANKS;
use layers::{Builder, How};
use rten_onnx::onnx::DataType;
use std::collections::BTreeMap;

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxFile {
    /// What it is, as a file name: `coarse`, `query`, `key`, and `synthesis` or, of the paper's
    /// networks, `patches`.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// All networks of a model, with opset 17.
///
/// `size`, width and height, is that of the pictures of `coarse` and `synthesis`. Without one it is
/// free, but for being a multiple of what the metadata's `size_multiple` says. `metadata` goes into
/// every file.
///
/// # Panics
///
/// If a side of `size` is 0.
pub fn export(
    model: &Model,
    size: Option<[usize; 2]>,
    metadata: &BTreeMap<String, String>,
) -> Vec<OnnxFile> {
    assert!(!matches!(size, Some([0, _] | [_, 0])), "a side of 0 pixels");
    let parameters = named_values(model);
    let config = model.config();
    let file = |name, build: &dyn Fn(&mut Builder) -> usize| {
        let mut builder = Builder::new(&parameters);
        let multiple = build(&mut builder);
        let mut metadata = metadata.clone();
        if size.is_none() && multiple > 1 {
            metadata.insert("size_multiple".to_owned(), multiple.to_string());
        }
        OnnxFile {
            name,
            bytes: builder.graph.into_bytes(&metadata),
        }
    };
    let mut files = vec![
        file("coarse", &|builder| coarse(builder, &config.coarse, size)),
        file("query", &|builder| embedding(builder, "theta", config)),
        file("key", &|builder| embedding(builder, "phi", config)),
    ];
    files.push(match config.aligned {
        Some(_) => file("synthesis", &|builder| {
            synthesis(builder, config.memory.num_candidates, size)
        }),
        None => file("patches", &|builder| patches(builder, config)),
    });
    files
}

/// Shape of a picture with so many channels.
fn picture(channels: usize, size: Option<[usize; 2]>) -> [Side; 4] {
    let [width, height] = match size {
        Some(size) => size.map(Fixed),
        None => [Free("width"), Free("height")],
    };
    [Fixed(1), Fixed(channels), height, width]
}

/// [`crate::layers::padded`] for a fixed size; a free one is a multiple of the stride by itself.
fn padded(builder: &mut Builder, x: &str, size: Option<[usize; 2]>, stride: usize) -> String {
    let missing = |side: usize| side.next_multiple_of(stride) - side;
    match size.map(|size| size.map(missing)) {
        None | Some([0, 0]) => x.to_owned(),
        Some([right, bottom]) => builder.graph.pad(x, [0, 0, bottom, right], "edge"),
    }
}

/// Without the padding.
fn cropped(builder: &mut Builder, x: String, size: Option<[usize; 2]>, stride: usize) -> String {
    match size {
        Some([width, height]) if width % stride + height % stride > 0 => {
            let ends = [height, width].map(|side| side as i64);
            builder.graph.slice(&x, &[2, 3], &[0, 0], &ends)
        }
        _ => x,
    }
}

/// [`Model::guess`]: inputs `prior` and `mask`, output `guess`.
fn coarse(builder: &mut Builder, config: &CoarseConfig, size: Option<[usize; 2]>) -> usize {
    let num_channels = config.prior.num_channels();
    let stride = 1 << (builder.blocks("coarse", "down").len() + config.num_halvings);
    let prior = (builder.graph).input("prior", &picture(num_channels, size));
    let mask = builder.graph.input("mask", &picture(1, size));
    let x = builder.graph.concat(&[&prior, &mask]);
    let mut x = padded(builder, &x, size, stride);
    if config.num_halvings > 0 {
        x = builder.graph.average_cells(&x, 1 << config.num_halvings);
    }
    x = builder.conv(&x, "coarse.input", How::PLAIN);
    x = builder.encode_decode(x, "coarse", config.dilation, config.skips);
    x = builder.conv(&x, "coarse.output", How::LINEAR);
    for _ in 0..config.num_halvings {
        x = builder.graph.doubled(&x, true);
    }
    let x = cropped(builder, x, size, stride);
    let graph = &mut builder.graph;
    let guess = match config.prior {
        Prior::None => x,
        Prior::Membrane => graph.node("Add", &[&prior, &x], &[]),
        Prior::PatchMatch => {
            let (membrane, copied) = (graph.channels(&prior, 0, 3), graph.channels(&prior, 3, 3));
            let (change, share) = (graph.channels(&x, 0, 3), graph.channels(&x, 3, 1));
            let copied = graph.box_means(&copied, structure_px(config.num_halvings));
            let copied = graph.node("Mul", &[&copied, &share], &[]);
            builder.sum(vec![membrane, change, copied])
        }
    };
    builder.graph.output("guess", &guess, &picture(3, size));
    stride
}

/// Embeddings of any number of patches, of which the scores of Eq. (2) are scalar products:
/// `patches` `[n, channels, k, k]` to `vectors` `[n, dimensions]`. Those of windows (φ) are
/// divided by their length and multiplied with the temperature.
fn embedding(builder: &mut Builder, network: &str, config: &ModelConfig) -> usize {
    let [hidden, output] = ["conv1", "conv2"].map(|layer| format!("{network}.{layer}"));
    let (num_channels, side) = (builder.shape(&hidden)[1], config.patch_px);
    let shape = [
        Free("patches"),
        Fixed(num_channels),
        Fixed(side),
        Fixed(side),
    ];
    let patches = builder.graph.input("patches", &shape);
    let x = builder.conv(&patches, &hidden, How::PLAIN);
    let mut x = builder.conv(&x, &output, How::LINEAR);
    let pooled = config.memory.embedding_pool.unwrap_or(side);
    if pooled < side {
        x = builder.graph.average_cells(&x, side / pooled);
    }
    let num_dimensions = builder.shape(&output)[0] * pooled * pooled;
    let graph = &mut builder.graph;
    let mut vectors = graph.node("Flatten", &[&x], &[Int("axis", 1)]);
    if network == "phi" {
        let axes = [Ints("axes", &[1]), Int("keepdims", 1)];
        let squares = graph.node("ReduceSumSquare", &[&vectors], &axes);
        let least = graph.floats("least", &[], &[1e-12]);
        let squares = graph.node("Max", &[&squares, &least], &[]);
        let lengths = graph.node("Sqrt", &[&squares], &[]);
        let directions = graph.node("Div", &[&vectors, &lengths], &[]);
        let temperature = config.memory.temperature as f32;
        let temperature = graph.floats("temperature", &[], &[temperature]);
        vectors = graph.node("Mul", &[&directions, &temperature], &[]);
    }
    graph.output(
        "vectors",
        &vectors,
        &[Free("patches"), Fixed(num_dimensions)],
    );
    1
}

/// [`AlignedSynthesis::forward`](crate::aligned::AlignedSynthesis::forward): inputs as
/// [`Sources`](crate::aligned::Sources), outputs `completed` and `source`.
fn synthesis(builder: &mut Builder, num_candidates: usize, size: Option<[usize; 2]>) -> usize {
    let stride = 1 << builder.blocks("aligned", "down").len();
    let graph = &mut builder.graph;
    let mut input = |name: &str, channels: usize| graph.input(name, &picture(channels, size));
    let ranked = input("ranked", 3 * NUM_RANKS);
    let voted = input("voted", 3);
    let retrieved = input("retrieved", 3 * num_candidates);
    let guess = input("guess", 3);
    let mask = input("mask", 1);
    let doubt = input("doubt", 1);

    let seen = graph.concat(&[&ranked, &voted, &retrieved, &guess, &mask, &doubt]);
    let seen = padded(builder, &seen, size, stride);
    let maps = builder.conv(&seen, "aligned.input", How::PLAIN);
    let maps = builder.encode_decode(maps, "aligned", 1, true);
    let output = builder.conv(&maps, "aligned.output", How::LINEAR);
    let output = cropped(builder, output, size, stride);

    let graph = &mut builder.graph;
    let copy = graph.channels(&ranked, 0, 3);
    let difference = graph.node("Sub", &[&guess, &copy], &[]);
    let difference = colours(graph, &difference);
    let recoloured = graph.node("Add", &[&copy, &difference], &[]);
    let choices = graph.concat(&[&ranked, &voted, &retrieved, &recoloured]);
    let num_sources = NUM_RANKS + 1 + num_candidates + 1;

    let evidence = graph.channels(&output, 0, num_sources);
    let evidence = graph.box_means(&evidence, CHOICE_BOX_PX);
    let number = graph.node(
        "ArgMax",
        &[&evidence],
        &[Int("axis", 1), Int("keepdims", 1)],
    );
    let repair = graph.channels(&output, num_sources, 3);
    let mut terms = vec![colours(graph, &repair)];
    for source in 1..num_sources {
        let this = graph.integers(&[source as i64]);
        let is_chosen = graph.node("Equal", &[&number, &this], &[]);
        let float = [Int("to", DataType::FLOAT.0.into())];
        let is_chosen = graph.node("Cast", &[&is_chosen], &float);
        let choice = graph.channels(&choices, 3 * source, 3);
        let difference = graph.node("Sub", &[&choice, &copy], &[]);
        terms.push(graph.node("Mul", &[&difference, &is_chosen], &[]));
    }
    let change = builder.sum(terms);
    let graph = &mut builder.graph;
    let change = graph.node("Mul", &[&change, &doubt], &[]);
    let completed = graph.node("Add", &[&copy, &change], &[]);
    graph.output("completed", &completed, &picture(3, size));
    let integer = [Int("to", DataType::INT32.0.into())];
    let number = graph.node("Cast", &[&number], &integer);
    graph.output_of("source", &number, DataType::INT32, &picture(1, size));
    stride
}

/// What is left of planes at scales above that of texture.
fn colours(graph: &mut Graph, planes: &str) -> String {
    let once = graph.box_means(planes, COLOUR_BOX_PX);
    graph.box_means(&once, COLOUR_BOX_PX)
}

/// The paper's patch synthesis: `windows`, the guess (with the mask, if the network sees it) three
/// patches wide, and their `candidates`, to `patches`.
fn patches(builder: &mut Builder, config: &ModelConfig) -> usize {
    let (side, sizes) = (config.patch_px, &config.synthesis);
    let of = |channels: usize, side: usize| {
        let sides = Fixed(side);
        [Free("patches"), Fixed(channels), sides, sides]
    };
    let planes = 3 + usize::from(sizes.mask_plane);
    let windows = builder.graph.input("windows", &of(planes, 3 * side));
    let num_channels = 3 * config.memory.num_candidates;
    let candidates = builder.graph.input("candidates", &of(num_channels, side));

    let x = builder.conv(&candidates, "feature_encoder.input", How::PLAIN);
    let half = builder.down(&x, "feature_encoder.down.0");
    let mut quarter = builder.down(&half, "feature_encoder.down.1");
    for block in builder.blocks("feature_encoder", "res") {
        quarter = builder.residual(&quarter, &block, 1);
    }
    // Each enters the first time that the decoder holds a map of its size.
    let mut features = BTreeMap::from([(side / 2, half), (side / 4, quarter)]);

    let mut x = builder.conv(&windows, "backbone.input", How::PLAIN);
    let (mut wide, mut inner) = (3 * side, side);
    for block in builder.blocks("backbone", "down") {
        x = builder.down(&x, &block);
        (wide, inner) = (wide.div_ceil(2), inner / 2);
    }
    for block in builder.blocks("backbone", "res") {
        x = builder.residual(&x, &block, 1);
    }
    let mut margin = sizes.crop_margin;
    x = centre(builder, x, wide, inner + 2 * margin);
    let mut joined = |builder: &mut Builder, x: String, inner: usize, margin: usize| {
        let Some(mut map) = features.remove(&inner) else {
            return x;
        };
        if margin > 0 {
            map = builder.graph.pad(&map, [margin; 4], "constant");
        }
        builder.graph.concat(&[&x, &map])
    };
    x = joined(builder, x, inner, margin);
    for block in builder.blocks("backbone", "up") {
        x = builder.upsample(&x, &block);
        let scale = builder.scale(&block);
        (inner, margin) = (inner * scale, margin * scale);
        x = joined(builder, x, inner, margin);
        x = builder.convolve(&x, &block);
    }
    x = builder.conv(&x, "backbone.output", How::LINEAR);
    let mut wide = inner + 2 * margin;
    if inner > side {
        x = builder.graph.average_cells(&x, inner / side);
        wide /= inner / side;
    }
    x = centre(builder, x, wide, side);
    if sizes.residual_output {
        let guess = builder.graph.channels(&windows, 0, 3);
        let guess = centre(builder, guess, 3 * side, side);
        x = builder.graph.node("Add", &[&x, &guess], &[]);
    }
    builder.graph.output("patches", &x, &of(3, side));
    1
}

/// The central `side` × `side` pixels of a square.
fn centre(builder: &mut Builder, x: String, wide: usize, side: usize) -> String {
    if wide == side {
        return x;
    }
    let first = ((wide - side) / 2) as i64;
    let end = first + side as i64;
    builder.graph.slice(&x, &[2, 3], &[first; 2], &[end; 2])
}
