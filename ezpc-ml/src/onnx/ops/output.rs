//! Operators that are supported at the end of a network, where only the order of the values matters.

use super::super::builder::{Builder, Squash, Value};
use super::super::call::{Call, axis};
use super::super::tensor::Tensor;
use super::elementwise::uniform;
use crate::graph::{Decision, Op};

type Out = Result<Vec<Value>, String>;

pub(super) fn softmax(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let old = b.opset < 13;
    let at = axis(c.int("axis", if old { 1 } else { -1 })?, x.rank)?;
    // Before opset 13 all axes from there on are one.
    let axes = at..if old { x.rank } else { at + 1 };
    if x.batch.is_some_and(|batch| axes.contains(&batch)) {
        return Err("it works along the batch, samples are independent here".into());
    }
    let name = if c.op_type() == "Softmax" { "softmax" } else { "log-softmax" };
    let name = if old { format!("{name} from axis {at} on") } else { format!("{name} along axis {at}") };
    Ok(vec![Value::Squashed(x, Squash { name, axes, sigmoid: false })])
}

pub(super) fn sigmoid(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    Ok(vec![Value::Squashed(x, Squash { name: "sigmoid".into(), axes: 0..x.rank, sigmoid: true })])
}

pub(super) fn argmax(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let keeps = |squash: &Squash, x: &Tensor| {
        axis(c.int("axis", 0)?, x.rank).map(|at| squash.sigmoid || squash.axes.contains(&at))
    };
    let x = match c.value(0) {
        Some(Value::Squashed(x, squash)) if keeps(squash, x)? => *x,
        _ => c.data(0)?,
    };
    label(b, c, x)
}

pub(super) fn argmin(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let minus = uniform(b, c, x, -1.0, 0.0)?;
    label(b, c, minus)
}

/// The classes become the last axis.
fn label(b: &mut Builder<'_>, c: &Call<'_, '_>, x: Tensor) -> Out {
    c.int("keepdims", 1)?;
    let at = x.axis(c.int("axis", 0)?)?;
    if x.batch.is_some_and(|batch| batch != 0) {
        return Err("the batch is not the first axis".into());
    }
    let mut order: Vec<usize> = (0..b.sample(x).len()).filter(|&d| d != at).collect();
    order.push(at);
    let y = if order.is_sorted() { x.node } else { b.push(c.name, Op::Permute(order), &[x.node])? };
    if c.int("select_last_index", 0)? == 0 {
        return Ok(vec![Value::Label(y, Decision::ArgMax)]);
    }
    let axis = b.shape(y).len() - 1;
    let indices = (0..b.shape(y)[axis]).rev().map(Some).collect();
    Ok(vec![Value::Label(b.push(c.name, Op::Take { axis, indices }, &[y])?, Decision::ArgMaxLast)])
}
