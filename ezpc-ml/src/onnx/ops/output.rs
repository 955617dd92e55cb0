//! Operators that are supported at the end of a network, where only the order of the values matters.

use super::super::builder::{Builder, Value};
use super::super::call::{Call, sample_axis};
use crate::graph::Decision;

pub(super) fn softmax(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    let default = if b.opset < 13 { 1 } else { -1 };
    let rank = b.shape(x).len();
    if sample_axis(c.int("axis", default)?, rank)? + 1 != rank {
        return Err("only along the last axis".into());
    }
    dropped(b, c, x, "keeps the order of the values, so the result holds the logits")
}

pub(super) fn sigmoid(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    dropped(
        b,
        c,
        x,
        "keeps the order of the values, so the result holds the logits: above 0 where it exceeds 1/2",
    )
}

fn dropped(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize, why: &str) -> Result<Vec<Value>, String> {
    if !b.only_used_by(c.output_name(), &["ArgMax"]) {
        return Err("only supported at the output, where it can be left out".into());
    }
    b.notices.push(format!("{} `{}` is left out: it {why}", c.op_type(), c.name));
    Ok(vec![Value::Node(x)])
}

pub(super) fn argmax(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    let rank = b.shape(x).len();
    c.int("keepdims", 1)?;
    if sample_axis(c.int("axis", 0)?, rank)? + 1 != rank || rank != 1 {
        return Err("only along the classes of a vector".into());
    }
    if c.int("select_last_index", 0)? != 0 {
        return Err("select_last_index is not supported".into());
    }
    if !b.only_used_by(c.output_name(), &[]) {
        return Err("only supported at the output".into());
    }
    b.graph.decision = Decision::ArgMax;
    Ok(vec![Value::Node(x)])
}
