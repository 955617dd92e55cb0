//! The messages of ONNX, as far as a model's graph needs them, borrowed from the file's bytes.

use super::wire::{Field, Message};
use ezpc_core::{Error, Result};

/// More of one kind than any real model has; bounds what a small file can make us allocate.
const MAX_ENTRIES: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Model<'a> {
    pub(super) ir_version: u64,
    pub(super) opsets: Vec<(&'a str, u64)>,
    pub(super) graph: Option<Graph<'a>>,
    pub(super) has_functions: bool,
}

#[derive(Default)]
pub(super) struct Graph<'a> {
    pub(super) name: &'a str,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: Vec<Tensor<'a>>,
    pub(super) inputs: Vec<ValueInfo<'a>>,
    pub(super) outputs: Vec<ValueInfo<'a>>,
    pub(super) has_sparse: bool,
}

#[derive(Default)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) op_type: &'a str,
    pub(super) domain: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) attributes: Vec<Attribute<'a>>,
}

#[derive(Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) float: Option<f32>,
    pub(super) int: Option<i64>,
    pub(super) text: Option<&'a [u8]>,
    pub(super) tensor: Option<Tensor<'a>>,
    pub(super) floats: Vec<f32>,
    pub(super) ints: Vec<i64>,
    pub(super) strings: Vec<&'a [u8]>,
    /// Subgraphs, functions' references, sparse tensors: nothing that an operator here takes.
    pub(super) foreign: bool,
}

#[derive(Default)]
pub(super) struct Tensor<'a> {
    pub(super) name: &'a str,
    pub(super) dims: Vec<i64>,
    pub(super) data_type: u64,
    pub(super) raw: Option<&'a [u8]>,
    pub(super) floats: Vec<f32>,
    pub(super) doubles: Vec<f64>,
    pub(super) int32s: Vec<i64>,
    pub(super) int64s: Vec<i64>,
    pub(super) external: bool,
}

#[derive(Default)]
pub(super) struct ValueInfo<'a> {
    pub(super) name: &'a str,
    pub(super) elem_type: u64,
    /// `None` for a dimension without a value, be it named or not; `None` at all when the file gives no shape.
    pub(super) dims: Option<Vec<Option<i64>>>,
}

impl<'a> Model<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut model = Self::default();
        let mut m = Message::new(bytes);
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

fn opset(mut m: Message<'_>) -> Result<(&str, u64)> {
    let (mut domain, mut version) = ("", 0);
    while let Some((number, field)) = m.next_field()? {
        match (number, field) {
            (1, Field::Bytes(b)) => domain = b.text()?,
            (2, Field::Varint(v)) => version = v,
            _ => {}
        }
    }
    Ok((domain, version))
}

impl<'a> Graph<'a> {
    fn decode(mut m: Message<'a>) -> Result<Self> {
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

impl<'a> Node<'a> {
    fn decode(mut m: Message<'a>) -> Result<Self> {
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

impl<'a> Attribute<'a> {
    fn decode(mut m: Message<'a>) -> Result<Self> {
        let mut a = Self::default();
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, Field::Bytes(b)) => a.name = b.text()?,
                (2, Field::Fixed32(v)) => a.float = Some(f32::from_bits(v)),
                (3, Field::Varint(v)) => a.int = Some(v as i64),
                (4, Field::Bytes(b)) => a.text = Some(b.bytes()),
                (5, Field::Bytes(b)) => a.tensor = Some(Tensor::decode(b)?),
                (7, field) => floats(&mut a.floats, field, m)?,
                (8, field) => ints(&mut a.ints, field, m)?,
                (9, Field::Bytes(b)) => push(&mut a.strings, b, b.bytes())?,
                (6 | 10 | 11 | 14 | 15 | 21 | 22 | 23, _) => a.foreign = true,
                _ => {}
            }
        }
        Ok(a)
    }
}

impl<'a> Tensor<'a> {
    fn decode(mut m: Message<'a>) -> Result<Self> {
        let mut t = Self::default();
        while let Some((number, field)) = m.next_field()? {
            match (number, field) {
                (1, field) => ints(&mut t.dims, field, m)?,
                (2, Field::Varint(v)) => t.data_type = v,
                (3, _) => return Err(m.malformed("a tensor in segments")),
                (4, field) => floats(&mut t.floats, field, m)?,
                (5, field) => ints(&mut t.int32s, field, m)?,
                (7, field) => ints(&mut t.int64s, field, m)?,
                (8, Field::Bytes(b)) => t.name = b.text()?,
                (9, Field::Bytes(b)) => t.raw = Some(b.bytes()),
                (10, field) => doubles(&mut t.doubles, field, m)?,
                (13, _) => t.external = true,
                (14, Field::Varint(v)) => t.external |= v != 0,
                _ => {}
            }
        }
        Ok(t)
    }
}

impl<'a> ValueInfo<'a> {
    fn decode(mut m: Message<'a>) -> Result<Self> {
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

    fn tensor_type(&mut self, mut m: Message<'a>) -> Result<()> {
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
        Field::Varint(v) => list.push(v as i64),
        Field::Bytes(mut b) => {
            while !b.bytes().is_empty() {
                list.push(b.varint()? as i64);
            }
        }
        _ => return Err(place.malformed("a list of integers of another type")),
    }
    Ok(())
}

fn floats(list: &mut Vec<f32>, field: Field<'_>, place: Message<'_>) -> Result<()> {
    match field {
        Field::Fixed32(v) => list.push(f32::from_bits(v)),
        Field::Bytes(b) if b.bytes().len() % 4 == 0 => {
            list.extend(b.bytes().as_chunks().0.iter().map(|&c| f32::from_le_bytes(c)));
        }
        _ => return Err(place.malformed("a list of floats of another type")),
    }
    Ok(())
}

fn doubles(list: &mut Vec<f64>, field: Field<'_>, place: Message<'_>) -> Result<()> {
    match field {
        Field::Fixed64(v) => list.push(f64::from_bits(v)),
        Field::Bytes(b) if b.bytes().len() % 8 == 0 => {
            list.extend(b.bytes().as_chunks().0.iter().map(|&c| f64::from_le_bytes(c)));
        }
        _ => return Err(place.malformed("a list of doubles of another type")),
    }
    Ok(())
}
