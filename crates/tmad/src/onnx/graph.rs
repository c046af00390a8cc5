//! An ONNX graph under construction. A value is known by its name.

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
    TypeProtoTensor, ValueInfoProto,
};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Version of the operators.
const OPSET: i64 = 17;
/// Version of the file format that goes with it.
const IR_VERSION: i64 = 8;

/// A size of an input or output.
#[derive(Debug, Clone, Copy)]
pub enum Side {
    /// This one.
    Fixed(usize),
    /// Any, and the same wherever the name is the same.
    Free(&'static str),
}

/// An attribute of a node.
pub enum Attribute<'a> {
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    Float(&'a str, f32),
    Text(&'a str, &'a str),
}

use Attribute::{Int, Ints, Text};

/// Nodes, weights, inputs and outputs.
#[derive(Default)]
pub struct Graph {
    proto: GraphProto,
    num_values: usize,
}

impl Graph {
    /// An input of f32.
    pub fn input(&mut self, name: &str, shape: &[Side]) -> String {
        self.proto.input.push(port(name, DataType::FLOAT, shape));
        name.to_owned()
    }

    /// Gives `value`, of f32, out under a name.
    pub fn output(&mut self, name: &str, value: &str, shape: &[Side]) {
        self.output_of(name, value, DataType::FLOAT, shape);
    }

    /// Gives a value of any kind out.
    pub fn output_of(&mut self, name: &str, value: &str, kind: DataType, shape: &[Side]) {
        self.proto.output.push(port(name, kind, shape));
        self.push("Identity", &[value], &[], name.to_owned());
    }

    /// A constant of f32.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(name, DataType::FLOAT, shape, bytes.collect())
    }

    /// A constant vector of integers.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let name = self.fresh();
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(&name, DataType::INT64, &[values.len()], bytes.collect())
    }

    fn constant(&mut self, name: &str, kind: DataType, shape: &[usize], bytes: Vec<u8>) -> String {
        self.proto.initializer.push(TensorProto {
            name: Some(name.to_owned()),
            data_type: Some(kind),
            dims: shape.iter().map(|&size| size as i64).collect(),
            raw_data: Some(RefCell::new(bytes)),
            ..TensorProto::default()
        });
        name.to_owned()
    }

    /// The result of an operator.
    pub fn node(&mut self, kind: &str, inputs: &[&str], attributes: &[Attribute]) -> String {
        let name = self.fresh();
        self.push(kind, inputs, attributes, name.clone());
        name
    }

    fn push(&mut self, kind: &str, inputs: &[&str], attributes: &[Attribute], output: String) {
        self.proto.node.push(NodeProto {
            name: Some(format!("{kind}_{output}")),
            op_type: Some(kind.to_owned()),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            attribute: attributes.iter().map(Attribute::to_proto).collect(),
            output: vec![output],
            ..NodeProto::default()
        });
    }

    fn fresh(&mut self) -> String {
        self.num_values += 1;
        format!("v{}", self.num_values)
    }

    /// Values behind each other, by channels.
    pub fn concat(&mut self, values: &[&str]) -> String {
        self.node("Concat", values, &[Int("axis", 1)])
    }

    /// Some of the channels.
    pub fn channels(&mut self, x: &str, first: usize, count: usize) -> String {
        self.slice(x, &[1], &[first as i64], &[(first + count) as i64])
    }

    /// A part: along each of the axes from a start to an end, both counted from behind if negative.
    pub fn slice(&mut self, x: &str, axes: &[i64], starts: &[i64], ends: &[i64]) -> String {
        let [starts, ends, axes] = [starts, ends, axes].map(|values| self.integers(values));
        self.node("Slice", &[x, &starts, &ends, &axes], &[])
    }

    /// Rows and columns added on all sides: top, left, bottom, right. `mode` is `edge` or
    /// `constant`, which is zeros.
    pub fn pad(&mut self, x: &str, [top, left, bottom, right]: [usize; 4], mode: &str) -> String {
        let pads = [0, 0, top, left, 0, 0, bottom, right].map(|count| count as i64);
        let pads = self.integers(&pads);
        self.node("Pad", &[x, &pads], &[Text("mode", mode)])
    }

    /// Means over `cell` × `cell` pixels.
    pub fn average_cells(&mut self, x: &str, cell: usize) -> String {
        let cell = [cell as i64; 2];
        let attributes = [Ints("kernel_shape", &cell), Ints("strides", &cell)];
        self.node("AveragePool", &[x], &attributes)
    }

    /// Means over the `side` × `side` pixels around every pixel, as far as they lie inside.
    pub fn box_means(&mut self, x: &str, side: usize) -> String {
        let (side, half) = (side as i64, side as i64 / 2);
        let mut along = |x: &str, kernel: [i64; 2], pads: [i64; 4]| {
            let attributes = [
                Ints("kernel_shape", &kernel),
                Ints("strides", &[1; 2]),
                Ints("pads", &pads),
                Int("count_include_pad", 0),
            ];
            self.node("AveragePool", &[x], &attributes)
        };
        let columns = along(x, [side, 1], [half, 0, half, 0]);
        along(&columns, [1, side], [0, half, 0, half])
    }

    /// Twice the size: every pixel four times, or bilinear with pixel centres in the middle.
    pub fn doubled(&mut self, x: &str, is_smooth: bool) -> String {
        let name = self.fresh();
        let scales = self.floats(&name, &[4], &[1.0, 1.0, 2.0, 2.0]);
        let (mode, pixels) = match is_smooth {
            true => ("linear", "half_pixel"),
            false => ("nearest", "asymmetric"),
        };
        let attributes = [
            Text("mode", mode),
            Text("coordinate_transformation_mode", pixels),
            Text("nearest_mode", "floor"),
        ];
        self.node("Resize", &[x, "", &scales], &attributes)
    }

    /// The file.
    pub fn into_bytes(self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        let entry = |(key, value): (&String, &String)| StringStringEntryProto {
            key: Some(key.clone()),
            value: Some(value.clone()),
        };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            graph: Some(self.proto),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(OPSET),
            }],
            metadata_props: metadata.iter().map(entry).collect(),
            producer_name: Some("tmad".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        };
        let bytes = model.write_buf().expect("memory can be written");
        // The format wants a graph to have a name, for which `GraphProto` has no field. Parts of a
        // message are merged: this one, field 7 of a model, has nothing but field 2.
        [b"\x3a\x06\x12\x04tmad", &bytes[..]].concat()
    }
}

impl Attribute<'_> {
    fn to_proto(&self) -> AttributeProto {
        let of = |name: &str, kind| AttributeProto {
            name: Some(name.to_owned()),
            r#type: Some(kind),
            ..AttributeProto::default()
        };
        match *self {
            Int(name, value) => AttributeProto {
                i: Some(value),
                ..of(name, AttributeType::INT)
            },
            Ints(name, values) => AttributeProto {
                ints: values.to_vec(),
                ..of(name, AttributeType::INTS)
            },
            Attribute::Float(name, value) => AttributeProto {
                f: Some(value),
                ..of(name, AttributeType::FLOAT)
            },
            Text(name, value) => AttributeProto {
                s: Some(value.to_owned()),
                ..of(name, AttributeType::STRING)
            },
        }
    }
}

fn port(name: &str, kind: DataType, shape: &[Side]) -> ValueInfoProto {
    let dimension = |side: &Side| match *side {
        Side::Fixed(size) => Dimension {
            dim_value: Some(size as i64),
            dim_param: None,
        },
        Side::Free(name) => Dimension {
            dim_value: None,
            dim_param: Some(name.to_owned()),
        },
    };
    let tensor_type = TypeProtoTensor {
        elem_type: Some(kind),
        shape: Some(TensorShapeProto {
            dim: shape.iter().map(dimension).collect(),
        }),
    };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor_type),
            sequence: None,
        }),
    }
}
