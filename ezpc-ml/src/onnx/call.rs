//! One node's inputs and attributes, as its operator asks for them.

use super::builder::{Value, printable};
use super::constant::Constant;
use super::proto::{Attribute, Node};
use super::source::Folder;
use super::tensor::Tensor;
use std::cell::RefCell;
use std::collections::HashSet;

/// A node to import. Attributes that its operator never asked for make it unsupported: nothing is ignored.
pub(super) struct Call<'a, 'n> {
    node: &'n Node<'a>,
    pub(super) name: &'n str,
    folder: Option<&'n Folder>,
    pub(super) inputs: Vec<Option<Value>>,
    asked: RefCell<HashSet<&'static str>>,
}

impl<'a, 'n> Call<'a, 'n> {
    pub(super) fn new(
        node: &'n Node<'a>,
        name: &'n str,
        folder: Option<&'n Folder>,
        inputs: Vec<Option<Value>>,
    ) -> Self {
        Self { node, name, folder, inputs, asked: RefCell::default() }
    }

    /// The same node with other inputs.
    pub(super) fn with(&self, inputs: Vec<Option<Value>>) -> Self {
        Self::new(self.node, self.name, self.folder, inputs)
    }

    pub(super) fn op_type(&self) -> &'n str {
        &self.node.op_type
    }

    pub(super) fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    /// Fails when the node has an attribute that nobody asked for.
    pub(super) fn all_used(&self) -> Result<(), String> {
        let asked = self.asked.borrow();
        match self.node.attributes.iter().find(|a| !asked.contains(a.name.as_str())) {
            Some(a) => Err(format!("attribute `{}` is not supported", printable(&a.name))),
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
        self.attribute(name).map_or(default.to_owned(), |a| {
            String::from_utf8_lossy(a.text.as_deref().unwrap_or_default()).into_owned()
        })
    }

    pub(super) fn ints(&self, name: &'static str) -> Option<&'n [i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub(super) fn floats(&self, name: &'static str) -> Option<&'n [f32]> {
        self.attribute(name).map(|a| a.floats.as_slice())
    }

    pub(super) fn strings(&self, name: &'static str) -> Option<&'n [Vec<u8>]> {
        self.attribute(name).map(|a| a.strings.as_slice())
    }

    pub(super) fn tensor(&self, name: &'static str) -> Result<Option<Constant>, String> {
        let Some(a) = self.attribute(name) else { return Ok(None) };
        let tensor = a.tensor.as_ref().ok_or_else(|| format!("attribute `{name}` is no tensor"))?;
        Constant::decode(tensor, self.folder).map(Some)
    }

    pub(super) fn value(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    /// Input `i`, which must depend on the sample.
    pub(super) fn data(&self, i: usize) -> Result<Tensor, String> {
        match self.value(i) {
            Some(Value::Node(x)) => Ok(*x),
            Some(Value::Squashed(_, squash)) => {
                Err(format!("a {} in front of it is only supported at the output", squash.name))
            }
            Some(Value::Label(..)) => Err("an argmax in front of it is only supported at the output".into()),
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

    /// Whole numbers that are an attribute in old operator sets and an input in new ones.
    pub(super) fn list(&self, name: &'static str, input: usize) -> Result<Option<Vec<i64>>, String> {
        match self.ints(name) {
            Some(values) => Ok(Some(values.to_vec())),
            None => self.optional(input)?.map(Constant::to_ints).transpose(),
        }
    }
}

/// The axis `axis` of `rank` axes, which counts from the end when negative.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let rank_signed = i64::try_from(rank).map_err(|_| "too many axes")?;
    let at = if axis < 0 { axis.checked_add(rank_signed).unwrap_or(-1) } else { axis };
    usize::try_from(at).ok().filter(|&a| a < rank).ok_or_else(|| format!("axis {axis} of {rank} axes"))
}
