//! Operators on constants and types: Constant, ConstantOfShape, Shape, Cast, and those that do nothing.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use super::super::constant::{Constant, Data, Int, Kind};
use super::super::tensor::Tensor;
use crate::graph::elements;
use std::rc::Rc;

type Out = Result<Vec<Value>, String>;

pub(super) fn identity(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    Ok(vec![c.value(0).cloned().ok_or("input 0 is missing")?])
}

pub(super) fn dropout(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    // Both are for training alone.
    c.float("ratio", 0.5)?;
    c.int("seed", 0)?;
    if c.value(2).is_some() && c.constant(2)?.to_ints()?.iter().any(|&v| v != 0) {
        return Err("training_mode is not supported".into());
    }
    identity(b, c)
}

/// Fixed point has one type for all real numbers; integers are among them.
pub(super) fn cast(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let to = c.int("to", 1)?;
    // Only casts to the 8-bit floats, which do not exist here, look at it.
    c.int("saturate", 1)?;
    let kind = u64::try_from(to).ok().and_then(Kind::of);
    let kind = kind.ok_or_else(|| format!("a cast to element type {to} is not supported"))?;
    let value = match c.value(0).ok_or("input 0 is missing")? {
        Value::Node(x) => {
            let fits = match (x.kind, kind) {
                (_, Kind::Real) => true,
                (Kind::Whole(from), Kind::Whole(to)) => from <= to && to > 1,
                (Kind::Real, Kind::Whole(_)) => false,
            };
            if !fits {
                return Err(
                    "a cast that cuts off fractions or bits of a computed tensor is not supported".into()
                );
            }
            Value::Node(Tensor { kind, ..*x })
        }
        Value::Label(node, how) if kind != Kind::Whole(1) => Value::Label(*node, *how),
        Value::Squashed(x, squash) if kind == Kind::Real => Value::Squashed(*x, squash.clone()),
        Value::Constant(k) => match (kind, &k.data) {
            (Kind::Real, _) => {
                let data = Data::Floats(k.to_bounds()?);
                Value::constant(Constant { dims: k.dims.clone(), data })
            }
            (Kind::Whole(1), _) => {
                let truth = |v: f32| Int::Known(i64::from(v != 0.0));
                let data = Data::Ints(k.to_bounds()?.into_iter().map(truth).collect());
                Value::constant(Constant { dims: k.dims.clone(), data })
            }
            (_, Data::Ints(_)) => Value::Constant(Rc::clone(k)),
            (_, Data::Floats(_)) => {
                let data = k.to_floats()?.into_iter().map(|v| Int::Known(v as i64)).collect();
                Value::constant(Constant { dims: k.dims.clone(), data: Data::Ints(data) })
            }
        },
        _ => return Err(format!("a cast to element type {to} is not supported there")),
    };
    Ok(vec![value])
}

pub(super) fn constant(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    if let Some(t) = c.tensor("value")? {
        return Ok(vec![Value::constant(t)]);
    }
    let scalar = |data| Ok(vec![Value::constant(Constant { dims: Vec::new(), data })]);
    if c.has("value_int") {
        return scalar(Data::Ints(vec![Int::Known(c.int("value_int", 0)?)]));
    }
    if c.has("value_float") {
        return scalar(Data::Floats(vec![c.float("value_float", 0.0)?]));
    }
    if let Some(v) = c.ints("value_ints") {
        return Ok(vec![Value::constant(Constant::ints(v.iter().copied()))]);
    }
    if let Some(v) = c.floats("value_floats") {
        return Ok(vec![Value::constant(Constant { dims: vec![v.len()], data: Data::Floats(v.to_vec()) })]);
    }
    Err("a constant of a kind that is not supported".into())
}

pub(super) fn constant_of_shape(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let dims = sizes(&c.constant(0)?.to_ints()?)?;
    let len = match dims.as_slice() {
        [] => 1,
        dims if dims.contains(&0) => 0,
        dims => elements(dims).map_err(|e| e.to_string())?,
    };
    let constant = match c.tensor("value")? {
        None => Constant { dims, data: Data::Floats(vec![0.0; len]) },
        Some(v) if v.len() == 1 => v.gather(dims, &vec![0; len]),
        Some(v) => return Err(format!("a value of {} elements", v.len())),
    };
    Ok(vec![Value::constant(constant)])
}

pub(super) fn sizes(values: &[i64]) -> Result<Vec<usize>, String> {
    values.iter().map(|&v| usize::try_from(v).map_err(|_| format!("a dimension of {v}"))).collect()
}

/// The shape as a constant in which the batch is a symbol.
pub(super) fn shape(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let all: Vec<Int> = match c.value(0) {
        Some(Value::Node(x) | Value::Squashed(x, _)) => b.dims(*x),
        Some(Value::Constant(k)) => k.dims.iter().map(|&d| Int::Known(d as i64)).collect(),
        _ => return Err("the shape of a label is not supported".into()),
    };
    let rank = all.len() as i64;
    let clamp = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let (start, end) = (clamp(c.int("start", 0)?), clamp(c.int("end", rank)?));
    let part = all.get(start..end).unwrap_or_default().to_vec();
    Ok(vec![Value::constant(Constant { dims: vec![part.len()], data: Data::Ints(part) })])
}
