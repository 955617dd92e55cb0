//! Operators that are supported at the end of a network, where only the order of the values matters.

use super::super::builder::{Builder, Value};
use super::super::call::{Call, sample_axis};
use crate::graph::Op;

type Out = Result<Vec<Value>, String>;

pub(super) fn softmax(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let node = c.data(0)?;
    let default = if b.opset < 13 { 1 } else { -1 };
    let rank = b.shape(node).len();
    if sample_axis(c.int("axis", default)?, rank)? + 1 != rank {
        return Err("only along the last axis".into());
    }
    Ok(vec![Value::Squashed { node, sigmoid: false }])
}

pub(super) fn sigmoid(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    Ok(vec![Value::Squashed { node: c.data(0)?, sigmoid: true }])
}

pub(super) fn argmax(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let node = match c.value(0) {
        Some(Value::Squashed { node, .. }) => *node,
        _ => c.data(0)?,
    };
    label(b, c, node)
}

pub(super) fn argmin(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let n = b.shape(x)[0];
    let minus = b.push(c.name, Op::Affine { axis: 0, scale: vec![-1.0; n], shift: vec![0.0; n] }, &[x])?;
    label(b, c, minus)
}

fn label(b: &Builder<'_>, c: &Call<'_, '_>, node: usize) -> Out {
    let rank = b.shape(node).len();
    c.int("keepdims", 1)?;
    if sample_axis(c.int("axis", 0)?, rank)? + 1 != rank || rank != 1 {
        return Err("only along the classes of a vector".into());
    }
    if c.int("select_last_index", 0)? != 0 {
        return Err("select_last_index is not supported".into());
    }
    Ok(vec![Value::Label(node)])
}
