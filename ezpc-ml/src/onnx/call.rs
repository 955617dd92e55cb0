//! One node's inputs and attributes, as its operator asks for them.

use super::builder::{Value, printable};
use super::constant::Constant;
use super::proto::{Attribute, Node};
use std::cell::RefCell;
use std::collections::HashSet;

/// A node to import. Attributes that its operator never asked for make it unsupported: nothing is ignored.
pub(super) struct Call<'a, 'n> {
    node: &'n Node<'a>,
    pub(super) name: &'n str,
    pub(super) inputs: Vec<Option<Value>>,
    asked: RefCell<HashSet<&'static str>>,
}

impl<'a, 'n> Call<'a, 'n> {
    pub(super) fn new(node: &'n Node<'a>, name: &'n str, inputs: Vec<Option<Value>>) -> Self {
        Self { node, name, inputs, asked: RefCell::default() }
    }

    pub(super) fn op_type(&self) -> &'a str {
        self.node.op_type
    }

    pub(super) fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    /// Fails when the node has an attribute that nobody asked for.
    pub(super) fn all_used(&self) -> Result<(), String> {
        let asked = self.asked.borrow();
        match self.node.attributes.iter().find(|a| !asked.contains(a.name)) {
            Some(a) => Err(format!("attribute `{}` is not supported", printable(a.name))),
            None => Ok(()),
        }
    }

    fn attribute(&self, name: &'static str) -> Option<&'n Attribute<'a>> {
        self.asked.borrow_mut().insert(name);
        self.node.attributes.iter().find(|a| a.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.node.attributes.iter().any(|a| a.name == name)
    }

    pub(super) fn int(&self, name: &'static str, default: i64) -> Result<i64, String> {
        // A writer may leave out a number that is zero.
        Ok(self.attribute(name).map_or(default, |a| a.int.unwrap_or(0)))
    }

    pub(super) fn float(&self, name: &'static str, default: f32) -> Result<f32, String> {
        let value = self.attribute(name).map_or(default, |a| a.float.unwrap_or(0.0));
        if value.is_finite() { Ok(value) } else { Err(format!("attribute `{name}` is not finite")) }
    }

    pub(super) fn text(&self, name: &'static str, default: &str) -> String {
        self.attribute(name)
            .map_or(default.to_owned(), |a| String::from_utf8_lossy(a.text.unwrap_or_default()).into_owned())
    }

    pub(super) fn ints(&self, name: &'static str) -> Option<&'n [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(super) fn floats(&self, name: &'static str) -> Option<&'n [f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    pub(super) fn strings(&self, name: &'static str) -> Vec<&'n [u8]> {
        self.attribute(name).map_or(Vec::new(), |a| a.strings.clone())
    }

    pub(super) fn tensor(&self, name: &'static str) -> Result<Option<Constant>, String> {
        let Some(a) = self.attribute(name) else { return Ok(None) };
        let tensor = a.tensor.as_ref().ok_or_else(|| format!("attribute `{name}` is no tensor"))?;
        Constant::decode(tensor).map(Some)
    }

    pub(super) fn value(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    /// Input `i`, which must depend on the sample.
    pub(super) fn data(&self, i: usize) -> Result<usize, String> {
        match self.value(i) {
            Some(Value::Node(n)) => Ok(*n),
            Some(Value::Squashed { .. }) => {
                Err("a softmax or sigmoid in front of it is only supported at the output".into())
            }
            Some(Value::Label(_)) => Err("an argmax in front of it is only supported at the output".into()),
            Some(_) => Err(format!("input {i} is constant, only a computed tensor is supported there")),
            None => Err(format!("input {i} is missing")),
        }
    }

    /// Input `i`, which must be constant, or `None` when it is left out.
    pub(super) fn optional(&self, i: usize) -> Result<Option<&Constant>, String> {
        match self.value(i) {
            Some(Value::Constant(c)) => Ok(Some(c)),
            Some(_) => Err(format!("input {i} depends on the data, only a constant is supported there")),
            None => Ok(None),
        }
    }

    pub(super) fn constant(&self, i: usize) -> Result<&Constant, String> {
        self.optional(i)?.ok_or_else(|| format!("input {i} is missing"))
    }

    pub(super) fn is_constant(&self, i: usize) -> bool {
        matches!(self.value(i), Some(Value::Constant(_)))
    }
}

/// The axis `axis` of `rank` axes, which counts from the end when negative.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank_signed = i64::try_from(rank).map_err(|_| "too many axes")?;
    let at = if axis < 0 { axis.checked_add(rank_signed).unwrap_or(-1) } else { axis };
    usize::try_from(at).ok().filter(|&a| a < rank).ok_or_else(|| format!("axis {axis} of {rank} axes"))
}

/// An axis of one sample; the batch in front of it is out of reach.
pub(super) fn sample_axis(at: i64, sample_rank: usize) -> Result<usize, String> {
    match axis(at, sample_rank + 1)? {
        0 => Err("it works along the batch, samples are independent here".into()),
        a => Ok(a - 1),
    }
}
