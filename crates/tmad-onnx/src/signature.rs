//! What an ONNX file says about its inputs and outputs.

use crate::OnnxError;
use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use std::collections::HashSet;

/// Name, element type and shape of an input or output.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Whether its elements are 8-bit integers.
    pub is_u8: bool,
    /// Sizes, `None` for those that are free; empty when the file does not say.
    pub shape: Vec<Option<u32>>,
}

/// The function that a network's result passes through last, by which its range can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastFunction {
    /// −1 to 1.
    Tanh,
    /// 0 to 1.
    Sigmoid,
    /// Sums, products, and everything else.
    Other,
}

/// Inputs, outputs, and how the result is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    /// The inputs in the file's order.
    pub inputs: Vec<Port>,
    /// The outputs in the file's order.
    pub outputs: Vec<Port>,
    /// For each output, the last function.
    pub last: Vec<LastFunction>,
}

impl Signature {
    /// Reads it from a parsed model.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Load`] when there is no graph.
    pub fn of(model: &ModelProto) -> Result<Self, OnnxError> {
        let no_graph = || OnnxError::Load("it holds no graph".to_owned());
        let graph = model.graph.as_ref().ok_or_else(no_graph)?;
        // Old files list the weights among the inputs.
        let weights: HashSet<_> = (graph.initializer.iter())
            .filter_map(|weight| weight.name.as_deref())
            .collect();
        let inputs: Vec<_> = (graph.input.iter().map(port))
            .filter(|port| !weights.contains(port.name.as_str()))
            .collect();
        let outputs: Vec<_> = graph.output.iter().map(port).collect();
        if inputs.is_empty() || outputs.is_empty() {
            return Err(OnnxError::Load("it has no input or no output".to_owned()));
        }
        let last = (outputs.iter())
            .map(|output| last_function(graph, &output.name))
            .collect();
        Ok(Self {
            inputs,
            outputs,
            last,
        })
    }

    /// The inputs in words.
    pub fn inputs_in_words(&self) -> String {
        let words: Vec<_> = self.inputs.iter().map(Port::in_words).collect();
        words.join(", ")
    }
}

impl Port {
    fn in_words(&self) -> String {
        let sizes: Vec<_> = (self.shape.iter())
            .map(|size| size.map_or("?".to_owned(), |size| size.to_string()))
            .collect();
        format!("{} {}", self.name, sizes.join("×"))
    }
}

fn port(info: &ValueInfoProto) -> Port {
    let tensor = (info.r#type.as_ref()).and_then(|kind| kind.tensor_type.as_ref());
    let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
    let sizes = shape.map(|shape| {
        let size = |value: i64| u32::try_from(value).ok().filter(|size| *size > 0);
        (shape.dim.iter())
            .map(|dim| dim.dim_value.and_then(size))
            .collect()
    });
    Port {
        name: info.name.clone().unwrap_or_default(),
        is_u8: tensor.and_then(|tensor| tensor.elem_type) == Some(DataType::UINT8),
        shape: sizes.unwrap_or_default(),
    }
}

/// The function before the output, apart from what only moves values around.
fn last_function(graph: &GraphProto, output: &str) -> LastFunction {
    let maker = |name: &str| -> Option<&NodeProto> {
        let makes = |node: &&NodeProto| node.output.iter().any(|made| made == name);
        graph.node.iter().find(makes)
    };
    let mut name = output;
    // Files may be circular.
    for _ in 0..16 {
        let Some(node) = maker(name) else { break };
        match node.op_type.as_deref().unwrap_or_default() {
            "Tanh" => return LastFunction::Tanh,
            "Sigmoid" => return LastFunction::Sigmoid,
            "Identity" | "Cast" | "Transpose" | "Reshape" | "Squeeze" | "Unsqueeze" | "Clip" => {}
            _ => break,
        }
        match node.input.first() {
            Some(input) => name = input,
            None => break,
        }
    }
    LastFunction::Other
}
