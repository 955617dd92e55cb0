//! The network as a typed graph in floating point: what the importer builds and the passes rewrite.
//!
//! Shapes are those of one sample; the batch is a dimension in front that no operator touches. Nodes stand in an
//! order in which every operand precedes its users, so a graph is acyclic by construction.

pub mod compile;
pub mod exec;
pub mod float;
pub mod oracle;
pub mod passes;
mod print;
pub mod ranges;
mod window;

pub use window::Window;

use ezpc_core::{Error, Result};
use std::sync::Arc;

/// More elements in one tensor of one sample than any network here has; keeps sizes far from overflow.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// A network with one input and one output.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The name the model gives itself.
    pub name: String,
    /// The nodes; every operand precedes its users.
    pub nodes: Vec<Node>,
    /// The node whose value is the result.
    pub output: usize,
    /// How the result is to be read.
    pub decision: Decision,
}

/// How the result of a network is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// As the values they are.
    #[default]
    Values,
    /// The model itself ends in an argmax along the last axis: only the index of the largest value is its output, the
    /// first of equal ones.
    ArgMax,
    /// As [`Decision::ArgMax`], but the values stand in reverse order and the index counts from the end: the last of
    /// equal ones.
    ArgMaxLast,
}

/// One operation of a [`Graph`].
#[derive(Clone, Debug)]
pub struct Node {
    /// The name in the model.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// The operands, as positions in the graph.
    pub inputs: Vec<usize>,
    /// The shape of the result for one sample.
    pub shape: Vec<usize>,
}

/// What a node computes. Prints as its name: weights are secret.
#[derive(Clone)]
#[non_exhaustive]
pub enum Op {
    /// The sample.
    Input,
    /// A 2-D convolution of `[channels, height, width]`.
    Conv {
        /// Kernel, stride, padding, dilation.
        window: Window,
        /// Groups of channels.
        groups: usize,
        /// `[out, in / groups, kernel height, kernel width]`.
        weights: Arc<[f32]>,
        /// One an output channel.
        bias: Vec<f32>,
    },
    /// A product with a matrix along the last axis.
    Dense {
        /// `[outputs, inputs]`.
        weights: Arc<[f32]>,
        /// One an output.
        bias: Vec<f32>,
    },
    /// `scale · x + shift`, a pair of numbers for each index along `axis`.
    Affine {
        /// The axis, without the batch.
        axis: usize,
        /// The factors.
        scale: Vec<f32>,
        /// The summands.
        shift: Vec<f32>,
    },
    /// Changes the sign where `negative` says so, for each index along `axis`. Which ones is not public.
    Sign {
        /// The axis, without the batch.
        axis: usize,
        /// Where the sign changes.
        negative: Vec<bool>,
    },
    /// `max(x, 0)`.
    Relu,
    /// 1 where `x >= 0`, else 0.
    Step,
    /// The largest value in each window; padding never wins.
    MaxPool(Window),
    /// The mean of each window.
    AvgPool {
        /// Where the windows lie.
        window: Window,
        /// The part of the padding whose zeros count as elements.
        counted: [usize; 4],
    },
    /// Element-wise sum.
    Add,
    /// Element-wise difference.
    Sub,
    /// Element-wise product.
    Mul,
    /// The operands one after the other along an axis.
    Concat {
        /// The axis, without the batch.
        axis: usize,
    },
    /// The same elements in another shape.
    Reshape(Vec<usize>),
    /// The axes in another order.
    Permute(Vec<usize>),
    /// Picks indices along an axis; `None` stands for a zero.
    Take {
        /// The axis, without the batch.
        axis: usize,
        /// The indices.
        indices: Vec<Option<usize>>,
    },
}

impl core::fmt::Debug for Op {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl Op {
    /// The operation's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv { .. } => "conv",
            Self::Dense { .. } => "dense",
            Self::Affine { .. } => "affine",
            Self::Sign { .. } => "sign",
            Self::Relu => "relu",
            Self::Step => "step",
            Self::MaxPool(_) => "maxpool",
            Self::AvgPool { .. } => "avgpool",
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Concat { .. } => "concat",
            Self::Reshape(_) => "reshape",
            Self::Permute(_) => "permute",
            Self::Take { .. } => "take",
        }
    }

    /// The shape of the result, from the shapes of the operands.
    pub fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>> {
        let shape = match (self, inputs) {
            (Self::Conv { window, groups, weights, bias }, [x]) => {
                conv_shape(window, *groups, bias.len(), weights.len(), x)?
            }
            (Self::Dense { weights, bias }, [x]) => dense_shape(bias.len(), weights.len(), x)?,
            (Self::Affine { axis, scale, shift }, [x]) => {
                let size = x.get(*axis).copied().unwrap_or(0);
                if scale.len() != size || shift.len() != size {
                    return Err(mismatch(&format!("{} factors along axis {axis} of {x:?}", scale.len())));
                }
                x.to_vec()
            }
            (Self::Sign { axis, negative }, [x]) => {
                if x.get(*axis) != Some(&negative.len()) {
                    return Err(mismatch(&format!("{} signs along axis {axis} of {x:?}", negative.len())));
                }
                x.to_vec()
            }
            (Self::Relu | Self::Step, [x]) => x.to_vec(),
            (Self::MaxPool(window) | Self::AvgPool { window, .. }, [x]) => pool_shape(window, x)?,
            (Self::Add | Self::Sub | Self::Mul, [x, y]) => {
                if x != y {
                    return Err(mismatch(&format!("operands of {x:?} and {y:?}")));
                }
                x.to_vec()
            }
            (Self::Concat { axis }, all) => concat_shape(*axis, all)?,
            (Self::Reshape(shape), [x]) => {
                if elements(shape)? != elements(x)? {
                    return Err(mismatch(&format!("cannot reshape {x:?} to {shape:?}")));
                }
                shape.clone()
            }
            (Self::Permute(order), [x]) => permuted(order, x)?,
            (Self::Take { axis, indices }, [x]) => taken(*axis, indices, x)?,
            _ => return Err(mismatch(&format!("{} of {} operands", self.name(), inputs.len()))),
        };
        elements(&shape)?;
        Ok(shape)
    }
}

impl Graph {
    /// A graph of one node, its input.
    pub fn new(name: &str, input: &str, shape: Vec<usize>) -> Result<Self> {
        elements(&shape)?;
        let node = Node { name: input.to_owned(), op: Op::Input, inputs: Vec::new(), shape };
        Ok(Self { name: name.to_owned(), nodes: vec![node], output: 0, decision: Decision::Values })
    }

    /// Appends a node, its shape inferred, and returns its position.
    pub fn push(&mut self, name: &str, op: Op, inputs: &[usize]) -> Result<usize> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&i| self.nodes[i].shape.as_slice()).collect();
        let shape = op.shape(&shapes)?;
        self.nodes.push(Node { name: name.to_owned(), op, inputs: inputs.to_vec(), shape });
        Ok(self.nodes.len() - 1)
    }

    /// For every node how many operands refer to it; the result counts as one.
    #[must_use]
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for &i in self.nodes.iter().flat_map(|n| &n.inputs) {
            uses[i] += 1;
        }
        uses[self.output] += 1;
        uses
    }

    /// Whether the result is one number a sample.
    pub(crate) fn single_number(&self) -> bool {
        self.nodes[self.output].shape.iter().product::<usize>() == 1
    }
}

/// The number of elements of a shape, bounded.
pub fn elements(shape: &[usize]) -> Result<usize> {
    shape
        .iter()
        .try_fold(1_usize, |n, &d| n.checked_mul(d))
        .filter(|&n| n <= MAX_ELEMENTS && shape.len() <= 8 && n > 0)
        .ok_or_else(|| mismatch(&format!("a tensor of shape {shape:?}")))
}

pub(crate) fn conv_shape(
    window: &Window,
    groups: usize,
    outputs: usize,
    weights: usize,
    x: &[usize],
) -> Result<Vec<usize>> {
    let &[channels, h, w] = x else {
        return Err(mismatch(&format!("a convolution of a sample of shape {x:?}")));
    };
    let [kh, kw] = window.kernel;
    let whole =
        groups > 0 && channels.is_multiple_of(groups) && outputs.is_multiple_of(groups) && outputs > 0;
    if !whole || Some(weights) != product(&[outputs, channels / groups.max(1), kh, kw]) {
        return Err(mismatch(&format!(
            "{weights} weights for a {kh}x{kw} convolution of {channels} to {outputs} channels in {groups} groups"
        )));
    }
    let [oh, ow] = window.output([h, w])?;
    Ok(vec![outputs, oh, ow])
}

pub(crate) fn dense_shape(outputs: usize, weights: usize, x: &[usize]) -> Result<Vec<usize>> {
    let Some((&inner, lead)) = x.split_last() else {
        return Err(mismatch("a matrix product of a scalar"));
    };
    if outputs == 0 || Some(weights) != product(&[inner, outputs]) {
        return Err(mismatch(&format!("{weights} weights for a product of {inner} to {outputs} values")));
    }
    Ok([lead, &[outputs]].concat())
}

pub(crate) fn pool_shape(window: &Window, x: &[usize]) -> Result<Vec<usize>> {
    let &[channels, h, w] = x else {
        return Err(mismatch(&format!("pooling of a sample of shape {x:?}")));
    };
    let [oh, ow] = window.output([h, w])?;
    Ok(vec![channels, oh, ow])
}

pub(crate) fn concat_shape(axis: usize, all: &[&[usize]]) -> Result<Vec<usize>> {
    let first = *all.first().ok_or_else(|| mismatch("a concatenation of nothing"))?;
    let mut shape = first.to_vec();
    if axis >= shape.len() {
        return Err(mismatch(&format!("a concatenation along axis {axis} of {first:?}")));
    }
    for other in &all[1..] {
        let fits = other.len() == first.len() && (0..first.len()).all(|d| d == axis || other[d] == first[d]);
        if !fits {
            return Err(mismatch(&format!("a concatenation of {first:?} and {other:?} along axis {axis}")));
        }
        shape[axis] = shape[axis].saturating_add(other[axis]);
    }
    Ok(shape)
}

pub(crate) fn permuted(order: &[usize], x: &[usize]) -> Result<Vec<usize>> {
    let mut seen = vec![false; x.len()];
    for &axis in order {
        if axis >= x.len() || core::mem::replace(&mut seen[axis], true) {
            return Err(mismatch(&format!("axes {order:?} of a tensor of shape {x:?}")));
        }
    }
    if order.len() != x.len() {
        return Err(mismatch(&format!("axes {order:?} of a tensor of shape {x:?}")));
    }
    Ok(order.iter().map(|&a| x[a]).collect())
}

pub(crate) fn taken(axis: usize, indices: &[Option<usize>], x: &[usize]) -> Result<Vec<usize>> {
    let size = *x.get(axis).ok_or_else(|| mismatch(&format!("axis {axis} of a tensor of shape {x:?}")))?;
    if let Some(bad) = indices.iter().flatten().find(|&&i| i >= size) {
        return Err(mismatch(&format!("index {bad} along axis {axis} of a tensor of shape {x:?}")));
    }
    let mut shape = x.to_vec();
    shape[axis] = indices.len();
    Ok(shape)
}

fn product(factors: &[usize]) -> Option<usize> {
    factors.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}

pub(crate) fn mismatch(what: &str) -> Error {
    Error::usage(format!("shapes do not fit: {what}"))
}
