//! The messages of ONNX, as far as a model's graph needs them. The values of tensors stay where they are.

use super::source::Source;
use super::wire::{Field, Message};
use ezpc_core::{Error, Result};

/// More of one kind than any real model has; bounds what a small file can make us allocate.
const MAX_ENTRIES: usize = 1 << 16;

/// More numbers than any attribute has.
const MAX_NUMBERS: usize = 1 << 24;

#[derive(Default)]
pub(super) struct Model<'s> {
    pub(super) ir_version: u64,
    pub(super) opsets: Vec<(String, u64)>,
    pub(super) graph: Option<Graph<'s>>,
    pub(super) has_functions: bool,
}

#[derive(Default)]
pub(super) struct Graph<'s> {
    pub(super) name: String,
    pub(super) nodes: Vec<Node<'s>>,
    pub(super) initializers: Vec<Tensor<'s>>,
    pub(super) inputs: Vec<ValueInfo>,
    pub(super) outputs: Vec<ValueInfo>,
    pub(super) has_sparse: bool,
}

#[derive(Default)]
pub(super) struct Node<'s> {
    pub(super) name: String,
    pub(super) op_type: String,
    pub(super) domain: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    pub(super) attributes: Vec<Attribute<'s>>,
}

#[derive(Default)]
pub(super) struct Attribute<'s> {
    pub(super) name: String,
    pub(super) float: Option<f32>,
    pub(super) int: Option<i64>,
    pub(super) text: Option<Vec<u8>>,
    pub(super) tensor: Option<Tensor<'s>>,
    pub(super) floats: Vec<f32>,
    pub(super) ints: Vec<i64>,
    pub(super) strings: Vec<Vec<u8>>,
    /// Subgraphs, functions' references, sparse tensors: nothing that an operator here takes.
    pub(super) foreign: bool,
}

/// A tensor's description; its values are in `body` or in another file.
pub(super) struct Tensor<'s> {
    pub(super) name: String,
    pub(super) dims: Vec<i64>,
    pub(super) data_type: u64,
    /// The whole message, values included.
    pub(super) body: Message<'s>,
    /// Where the values are when they are in another file: keys and their values.
    pub(super) external: Option<Vec<(String, String)>>,
}

#[derive(Default)]
pub(super) struct ValueInfo {
    pub(super) name: String,
    pub(super) elem_type: u64,
    /// `None` for a dimension without a value, be it named or not; `None` at all when the file gives no shape.
    pub(super) dims: Option<Vec<Option<i64>>>,
}

impl<'s> Model<'s> {
    pub(super) fn decode(source: &'s Source<'s>) -> Result<Self> {
        let mut model = Self::default();
        let mut m = Message::new(source);
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, Field::Varint(v)) => model.ir_version = v,
                (7, Field::Bytes(b)) if model.graph.is_none() => model.graph = Some(Graph::decode(b)?),
                (7, Field::Bytes(b)) => return Err(b.malformed("a second graph")),
                (8, Field::Bytes(b)) => push(&mut model.opsets, b, opset(b)?)?,
                (25, _) => model.has_functions = true,
                (7 | 8, _) => return Err(m.malformed("a graph or operator set that is not a message")),
                _ => {}
            }
        }
        Ok(model)
    }
}

fn opset(mut m: Message<'_>) -> Result<(String, u64)> {
    let (mut domain, mut version) = (String::new(), 0);
    while let Some((number, field)) = m.next_field()? {
        match (number, field) {
            (1, Field::Bytes(b)) => domain = b.text()?,
            (2, Field::Varint(v)) => version = v,
            _ => {}
        }
    }
    Ok((domain, version))
}

impl<'s> Graph<'s> {
    fn decode(mut m: Message<'s>) -> Result<Self> {
        let mut graph = Self::default();
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, Field::Bytes(b)) => push(&mut graph.nodes, b, Node::decode(b)?)?,
                (2, Field::Bytes(b)) => graph.name = b.text()?,
                (5, Field::Bytes(b)) => push(&mut graph.initializers, b, Tensor::decode(b)?)?,
                (11, Field::Bytes(b)) => push(&mut graph.inputs, b, ValueInfo::decode(b)?)?,
                (12, Field::Bytes(b)) => push(&mut graph.outputs, b, ValueInfo::decode(b)?)?,
                (15, _) => graph.has_sparse = true,
                _ => {}
            }
        }
        Ok(graph)
    }
}

impl<'s> Node<'s> {
    fn decode(mut m: Message<'s>) -> Result<Self> {
        let mut node = Self::default();
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, Field::Bytes(b)) => push(&mut node.inputs, b, b.text()?)?,
                (2, Field::Bytes(b)) => push(&mut node.outputs, b, b.text()?)?,
                (3, Field::Bytes(b)) => node.name = b.text()?,
                (4, Field::Bytes(b)) => node.op_type = b.text()?,
                (5, Field::Bytes(b)) => push(&mut node.attributes, b, Attribute::decode(b)?)?,
                (7, Field::Bytes(b)) => node.domain = b.text()?,
                _ => {}
            }
        }
        Ok(node)
    }
}

impl<'s> Attribute<'s> {
    fn decode(mut m: Message<'s>) -> Result<Self> {
        let mut a = Self::default();
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, Field::Bytes(b)) => a.name = b.text()?,
                (2, Field::Fixed32(v)) => a.float = Some(f32::from_bits(v)),
                (3, Field::Varint(v)) => a.int = Some(v as i64),
                (4, Field::Bytes(b)) => a.text = Some(b.bytes()?),
                (5, Field::Bytes(b)) => a.tensor = Some(Tensor::decode(b)?),
                (7, field) => floats(&mut a.floats, field, m)?,
                (8, field) => ints(&mut a.ints, field, m)?,
                (9, Field::Bytes(b)) => push(&mut a.strings, b, b.bytes()?)?,
                (6 | 10 | 11 | 14 | 15 | 21 | 22 | 23, _) => a.foreign = true,
                _ => {}
            }
        }
        Ok(a)
    }
}

impl<'s> Tensor<'s> {
    fn decode(body: Message<'s>) -> Result<Self> {
        let mut t = Self { name: String::new(), dims: Vec::new(), data_type: 0, body, external: None };
        let mut entries = Vec::new();
        let mut elsewhere = false;
        let mut m = body;
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, field) => ints(&mut t.dims, field, m)?,
                (2, Field::Varint(v)) => t.data_type = v,
                (3, _) => return Err(m.malformed("a tensor in segments")),
                (8, Field::Bytes(b)) => t.name = b.text()?,
                (13, Field::Bytes(b)) => {
                    elsewhere = true;
                    push(&mut entries, b, entry(b)?)?;
                }
                (14, Field::Varint(v)) => elsewhere |= v != 0,
                _ => {}
            }
        }
        t.external = elsewhere.then_some(entries);
        Ok(t)
    }
}

fn entry(mut m: Message<'_>) -> Result<(String, String)> {
    let mut entry = (String::new(), String::new());
    while let Some((number, field)) = m.next_field()? {
        match (number, field) {
            (1, Field::Bytes(b)) => entry.0 = b.text()?,
            (2, Field::Bytes(b)) => entry.1 = b.text()?,
            _ => {}
        }
    }
    Ok(entry)
}

impl ValueInfo {
    fn decode(mut m: Message<'_>) -> Result<Self> {
        let mut info = Self::default();
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, Field::Bytes(b)) => info.name = b.text()?,
                (2, Field::Bytes(b)) => info.tensor_type(b)?,
                _ => {}
            }
        }
        Ok(info)
    }

    fn tensor_type(&mut self, mut m: Message<'_>) -> Result<()> {
        while let Some((number, field)) = m.next_field()? {
            let (1, Field::Bytes(mut tensor)) = (number, field) else { continue };
            while let Some((number, field)) = tensor.next_field()? {
                match (number, field) {
                    (1, Field::Varint(v)) => self.elem_type = v,
                    (2, Field::Bytes(b)) => self.dims = Some(dims(b)?),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn dims(mut m: Message<'_>) -> Result<Vec<Option<i64>>> {
    let mut all = Vec::new();
    while let Some((number, field)) = m.next_field()? {
        let (1, Field::Bytes(mut dim)) = (number, field) else { continue };
        let mut value = None;
        while let Some((number, field)) = dim.next_field()? {
            if let (1, Field::Varint(v)) = (number, field) {
                value = Some(v as i64);
            }
        }
        push(&mut all, m, value)?;
    }
    Ok(all)
}

fn push<T>(list: &mut Vec<T>, place: Message<'_>, value: T) -> Result<()> {
    if list.len() >= MAX_ENTRIES {
        return Err(too_many(place));
    }
    list.push(value);
    Ok(())
}

fn too_many(place: Message<'_>) -> Error {
    place.malformed("more than 65536 entries of one kind")
}

/// Repeated numbers come packed or one a field.
fn ints(list: &mut Vec<i64>, field: Field<'_>, place: Message<'_>) -> Result<()> {
    match field {
        Field::Varint(v) => number(list, place, v as i64)?,
        Field::Bytes(mut b) => {
            while !b.is_empty() {
                let v = b.varint()?;
                number(list, place, v as i64)?;
            }
        }
        _ => return Err(place.malformed("a list of integers of another type")),
    }
    Ok(())
}

fn floats(list: &mut Vec<f32>, field: Field<'_>, place: Message<'_>) -> Result<()> {
    match field {
        Field::Fixed32(v) => number(list, place, f32::from_bits(v))?,
        Field::Bytes(mut b) => {
            while !b.is_empty() {
                let v = b.array()?;
                number(list, place, f32::from_le_bytes(v))?;
            }
        }
        _ => return Err(place.malformed("a list of floats of another type")),
    }
    Ok(())
}

fn number<T>(list: &mut Vec<T>, place: Message<'_>, value: T) -> Result<()> {
    if list.len() >= MAX_NUMBERS {
        return Err(place.malformed("more than 2^24 numbers in one list"));
    }
    list.push(value);
    Ok(())
}
