//! Computed tensors and what only renames or repeats their axes.
//!
//! The graph knows the shape of one sample. A tensor of the model has the batch among its axes, in front as a rule, and
//! anywhere after a transpose; or it has none, when the whole input is one sample.

use super::builder::Builder;
use super::call::axis;
use super::constant::{Int, Kind};
use crate::graph::Op;

/// A computed tensor: a node of the graph and how the axes in the model lie in it.
///
/// The shape of the node is that of the axes without the batch, and `[1]` when there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) node: usize,
    /// The number of axes in the model.
    pub(super) rank: usize,
    /// Which of them is the batch.
    pub(super) batch: Option<usize>,
    pub(super) kind: Kind,
}

impl Tensor {
    /// The axis of the sample that is axis `at` of the model.
    pub(super) fn axis(self, at: i64) -> Result<usize, String> {
        let at = axis(at, self.rank)?;
        self.within(at).ok_or_else(|| "it works along the batch, samples are independent here".into())
    }

    /// The axis of the sample that is axis `at` of the model; `None` for the batch.
    pub(super) fn within(self, at: usize) -> Option<usize> {
        match self.batch {
            Some(batch) if batch == at => None,
            Some(batch) if batch < at => Some(at - 1),
            _ => Some(at),
        }
    }

    /// Fails for small integers, whose sums and products wrap around.
    pub(super) fn exact(self) -> Result<Self, String> {
        match self.kind {
            Kind::Whole(bits @ ..32) => Err(format!(
                "integers of {bits} bits wrap around where fixed point does not: cast to float first"
            )),
            _ => Ok(self),
        }
    }

    /// Fails for integers, where it would round.
    pub(super) fn real(self) -> Result<Self, String> {
        match self.kind {
            Kind::Whole(_) => Err("on integers it would round: cast to float first".into()),
            Kind::Real => Ok(self),
        }
    }
}

impl Builder<'_> {
    /// The shape of a sample; empty for a scalar.
    pub(super) fn sample(&self, x: Tensor) -> &[usize] {
        if x.rank == usize::from(x.batch.is_some()) { &[] } else { self.shape(x.node) }
    }

    /// The shape in the model.
    pub(super) fn dims(&self, x: Tensor) -> Vec<Int> {
        let sample = self.sample(x);
        (0..x.rank).map(|d| x.within(d).map_or(Int::Batch, |d| Int::Known(sample[d] as i64))).collect()
    }

    /// An operation that keeps the axes of its operands.
    pub(super) fn apply(&mut self, name: &str, op: Op, x: Tensor, more: &[Tensor]) -> Result<Tensor, String> {
        let inputs: Vec<usize> = [x].iter().chain(more).map(|t| t.node).collect();
        Ok(Tensor { node: self.push(name, op, &inputs)?, ..x })
    }

    /// The same elements as a sample of shape `sample` whose batch, if there is one, is at `batch`.
    pub(super) fn reshape(
        &mut self,
        name: &str,
        x: Tensor,
        sample: &[usize],
        batch: Option<usize>,
    ) -> Result<Tensor, String> {
        let shape = if sample.is_empty() { vec![1] } else { sample.to_vec() };
        let rank = sample.len() + usize::from(batch.is_some());
        let node = if self.shape(x.node) == shape {
            x.node
        } else {
            self.push(name, Op::Reshape(shape), &[x.node])?
        };
        Ok(Tensor { node, rank, batch, kind: x.kind })
    }

    /// New axes, each an old one or one of one element; old ones that are missing have one element.
    pub(super) fn rename(&mut self, name: &str, x: Tensor, axes: &[Option<usize>]) -> Result<Tensor, String> {
        let old = self.sample(x).to_vec();
        let sample: Vec<usize> = axes
            .iter()
            .filter_map(|a| match a {
                None => Some(1),
                Some(a) => x.within(*a).map(|d| old[d]),
            })
            .collect();
        let batch = x.batch.and_then(|batch| axes.iter().position(|a| *a == Some(batch)));
        if batch.is_some() != x.batch.is_some() {
            return Err("it would drop the batch".into());
        }
        self.reshape(name, x, &sample, batch)
    }

    /// Axes of one element in front, until there are `rank`.
    pub(super) fn raise(&mut self, name: &str, x: Tensor, rank: usize) -> Result<Tensor, String> {
        let more = rank.saturating_sub(x.rank);
        let axes: Vec<Option<usize>> = (0..more).map(|_| None).chain((0..x.rank).map(Some)).collect();
        self.rename(name, x, &axes)
    }

    /// Repeats axes of one element until a sample has shape `sample`.
    pub(super) fn spread(&mut self, name: &str, mut x: Tensor, sample: &[usize]) -> Result<Tensor, String> {
        for (axis, &size) in sample.iter().enumerate() {
            let have = self.sample(x)[axis];
            if have != size {
                if have != 1 {
                    return Err(format!("cannot spread shape {:?} to {sample:?}", self.sample(x)));
                }
                x = self.apply(name, Op::Take { axis, indices: vec![Some(0); size] }, x, &[])?;
            }
        }
        Ok(x)
    }

    /// The axes of the sample in another order.
    pub(super) fn permute(&mut self, name: &str, x: Tensor, order: Vec<usize>) -> Result<Tensor, String> {
        if order.is_sorted() { Ok(x) } else { self.apply(name, Op::Permute(order), x, &[]) }
    }

    /// The node of a tensor whose samples lie along the first axis, be that the batch or of one element.
    pub(super) fn samples(&mut self, name: &str, x: Tensor) -> Result<usize, String> {
        match (x.batch, self.sample(x)) {
            (Some(0), _) => Ok(x.node),
            (None, [1, rest @ ..]) => {
                let rest = rest.to_vec();
                Ok(self.reshape(name, x, &rest, None)?.node)
            }
            (None, shape) => Err(format!("a fixed number of samples, {shape:?}")),
            (Some(_), _) => Err("the batch is not the first axis".into()),
        }
    }

    /// The tensor of `node`, a result for the samples of `x`.
    pub(super) fn back(&mut self, name: &str, x: Tensor, node: usize) -> Result<Tensor, String> {
        let shape = self.shape(node).to_vec();
        let y = Tensor { node, rank: shape.len(), batch: None, kind: x.kind };
        match x.batch {
            Some(_) => Ok(Tensor { rank: y.rank + 1, batch: Some(0), ..y }),
            None => self.reshape(name, y, &[&[1], shape.as_slice()].concat(), None),
        }
    }

    /// Constant values as a node, the same for every sample.
    pub(super) fn lift(&mut self, name: &str, values: Vec<f32>, dims: Vec<usize>) -> Result<usize, String> {
        let inputs = self.shape(0).iter().product();
        let flat = self.push(name, Op::Reshape(vec![inputs]), &[0])?;
        let zeros = Op::Take { axis: 0, indices: vec![None; values.len()] };
        let zeros = self.push(name, zeros, &[flat])?;
        let filled = Op::Affine { axis: 0, scale: vec![1.0; values.len()], shift: values };
        let filled = self.push(name, filled, &[zeros])?;
        self.push(name, Op::Reshape(if dims.is_empty() { vec![1] } else { dims }), &[filled])
    }
}
