//! Operators that move elements, on computed tensors and on the constants of shape computations.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::{Call, axis, sample_axis};
use super::super::constant::{Constant, Data, Int};
use super::elementwise::expand as spread;
use crate::graph::{Op, elements};
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

pub(super) fn cast(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let to = c.int("to", 1)?;
    match (c.value(0), to) {
        (Some(Value::Node(x)), 1 | 10 | 11) => Ok(vec![Value::Node(*x)]),
        (Some(Value::Label(x)), 1 | 6 | 7 | 10 | 11) => Ok(vec![Value::Label(*x)]),
        (Some(Value::Squashed { node, sigmoid }), 1 | 10 | 11) => {
            Ok(vec![Value::Squashed { node: *node, sigmoid: *sigmoid }])
        }
        (Some(Value::Constant(k)), 1 | 10 | 11) => {
            let data = Data::Floats(k.to_floats()?);
            Ok(vec![Value::constant(Constant { dims: k.dims.clone(), data })])
        }
        (Some(Value::Constant(k)), 6 | 7 | 9) => match &k.data {
            Data::Ints(_) => Ok(vec![Value::Constant(Rc::clone(k))]),
            Data::Floats(v) => {
                let mut ints = Constant::ints(v.iter().map(|&v| v as i64));
                ints.dims.clone_from(&k.dims);
                Ok(vec![Value::constant(ints)])
            }
        },
        _ => Err(format!("a cast to element type {to} is not supported")),
    }
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
    let len = if dims.contains(&0) { 0 } else { elements(&dims).map_err(|e| e.to_string())? };
    let value = c.tensor("value")?;
    let constant = match value {
        None => Constant { dims, data: Data::Floats(vec![0.0; len]) },
        Some(v) if v.len() == 1 => v.gather(dims, &vec![0; len]),
        Some(v) => return Err(format!("a value of {} elements", v.len())),
    };
    Ok(vec![Value::constant(constant)])
}

fn sizes(values: &[i64]) -> Result<Vec<usize>, String> {
    values.iter().map(|&v| usize::try_from(v).map_err(|_| format!("a dimension of {v}"))).collect()
}

/// The shape as a constant in which the batch is a symbol.
pub(super) fn shape(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let all: Vec<Int> = match c.value(0) {
        Some(Value::Node(x)) => {
            core::iter::once(Int::Batch).chain(b.shape(*x).iter().map(|&d| Int::Known(d as i64))).collect()
        }
        Some(Value::Constant(k)) => k.dims.iter().map(|&d| Int::Known(d as i64)).collect(),
        _ => return Err("input 0 is missing".into()),
    };
    let rank = all.len() as i64;
    let clamp = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
    let (start, end) = (clamp(c.int("start", 0)?), clamp(c.int("end", rank)?));
    let part = all.get(start..end).unwrap_or_default().to_vec();
    Ok(vec![Value::constant(Constant { dims: vec![part.len()], data: Data::Ints(part) })])
}

pub(super) fn reshape(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let target = c.constant(1)?.symbolic()?.to_vec();
    let keep_zero = c.int("allowzero", 0)? == 0;
    match c.value(0) {
        // A label for each sample, however it is shaped.
        Some(Value::Label(x)) => Ok(vec![Value::Label(*x)]),
        Some(Value::Constant(k)) => {
            let dims = resolve(&target, &k.dims, k.len(), keep_zero)?;
            Ok(vec![Value::constant(Constant { dims, data: k.data.clone() })])
        }
        _ => {
            let x = c.data(0)?;
            let shape = b.shape(x).to_vec();
            let total = elements(&shape).map_err(|e| e.to_string())?;
            let (first, rest) = target.split_first().ok_or("a reshape to a scalar would mix the samples")?;
            let known: Option<usize> = rest.iter().try_fold(1, |n: usize, v| match v {
                Int::Known(v) => n.checked_mul(usize::try_from(*v).ok()?),
                Int::Batch => None,
            });
            let whole = known.is_some_and(|n| n == total && total > 0);
            match first {
                Int::Batch | Int::Known(0) => {}
                Int::Known(-1) if whole => {}
                // A model exported for a batch of one.
                Int::Known(1) => {}
                _ => return Err(format!("a reshape to {target:?} would mix the samples")),
            }
            let dims = resolve(rest, &shape, total, keep_zero)?;
            push_shape(b, c, x, dims)
        }
    }
}

/// The shape that `target` means for `total` elements: 0 copies from `old`, -1 is what remains.
fn resolve(target: &[Int], old: &[usize], total: usize, keep_zero: bool) -> Result<Vec<usize>, String> {
    let mut dims = Vec::with_capacity(target.len());
    let mut open = None;
    for (i, v) in target.iter().enumerate() {
        match v {
            Int::Known(-1) if open.is_none() => {
                open = Some(i);
                dims.push(1);
            }
            Int::Known(0) if keep_zero => dims.push(*old.get(i).ok_or("a 0 beyond the old shape")?),
            Int::Known(v) => dims.push(usize::try_from(*v).map_err(|_| format!("a dimension of {v}"))?),
            Int::Batch => return Err("the batch is not the first dimension".into()),
        }
    }
    if let Some(open) = open {
        let rest = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).filter(|&n| n > 0);
        dims[open] = rest
            .filter(|r| total.is_multiple_of(*r))
            .map(|r| total / r)
            .ok_or_else(|| format!("cannot reshape {total} elements to {target:?}"))?;
    }
    let product = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    if product != Some(total) {
        return Err(format!("cannot reshape {total} elements to {dims:?}"));
    }
    Ok(dims)
}

fn push_shape(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize, mut dims: Vec<usize>) -> Out {
    // A sample of one value is a vector of one.
    if dims.is_empty() {
        dims.push(1);
    }
    if b.shape(x) == dims {
        return Ok(vec![Value::Node(x)]);
    }
    Ok(vec![Value::Node(b.push(c.name, Op::Reshape(dims), &[x])?)])
}

pub(super) fn flatten(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let shape = b.shape(x).to_vec();
    if axis(c.int("axis", 1)?, shape.len() + 1)? != 1 {
        return Err("only axis 1 keeps the samples apart".into());
    }
    push_shape(b, c, x, vec![shape.iter().product()])
}

/// The axes of an attribute of old opsets or of an input of new ones.
fn axes(c: &Call<'_, '_>, input: usize) -> Result<Option<Vec<i64>>, String> {
    match c.ints("axes") {
        Some(axes) => Ok(Some(axes.to_vec())),
        None => c.optional(input)?.map(Constant::to_ints).transpose(),
    }
}

pub(super) fn squeeze(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let given = axes(c, 1)?;
    if let Some(Value::Constant(k)) = c.value(0) {
        let drop = match given {
            Some(axes) => axes.iter().map(|&a| axis(a, k.dims.len())).collect::<Result<Vec<_>, _>>()?,
            None => (0..k.dims.len()).filter(|&d| k.dims[d] == 1).collect(),
        };
        let dims = (0..k.dims.len()).filter(|d| !drop.contains(d)).map(|d| k.dims[d]).collect();
        return Ok(vec![Value::constant(Constant { dims, data: k.data.clone() })]);
    }
    let x = c.data(0)?;
    let shape = b.shape(x).to_vec();
    let drop = given
        .ok_or("without axes it could drop the batch")?
        .iter()
        .map(|&a| sample_axis(a, shape.len()))
        .collect::<Result<Vec<_>, _>>()?;
    if drop.iter().any(|&d| shape[d] != 1) {
        return Err(format!("an axis of more than one element in {shape:?}"));
    }
    push_shape(b, c, x, (0..shape.len()).filter(|d| !drop.contains(d)).map(|d| shape[d]).collect())
}

pub(super) fn unsqueeze(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let given = axes(c, 1)?.ok_or("it has no axes")?;
    let insert = |old: &[usize], rank: usize, at: &[usize]| -> Vec<usize> {
        let mut old = old.iter();
        (0..rank).map(|d| if at.contains(&d) { 1 } else { old.next().copied().unwrap_or(1) }).collect()
    };
    if let Some(Value::Constant(k)) = c.value(0) {
        let rank = k.dims.len() + given.len();
        let at = given.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
        let dims = insert(&k.dims, rank, &at);
        return Ok(vec![Value::constant(Constant { dims, data: k.data.clone() })]);
    }
    let x = c.data(0)?;
    let shape = b.shape(x).to_vec();
    let rank = shape.len() + given.len();
    let at = given.iter().map(|&a| sample_axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
    push_shape(b, c, x, insert(&shape, rank, &at))
}

pub(super) fn transpose(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let order = |rank: usize| -> Result<Vec<usize>, String> {
        match c.ints("perm") {
            Some(perm) if perm.len() == rank => perm.iter().map(|&a| axis(a, rank)).collect(),
            Some(perm) => Err(format!("axes {perm:?} for {rank}")),
            None => Ok((0..rank).rev().collect()),
        }
    };
    if let Some(Value::Constant(k)) = c.value(0) {
        let order = order(k.dims.len())?;
        let dims = crate::graph::permuted(&order, &k.dims).map_err(|e| e.to_string())?;
        return Ok(vec![Value::constant(k.gather(dims, &crate::graph::float::permutation(&order, &k.dims)))]);
    }
    let x = c.data(0)?;
    let order = order(b.shape(x).len() + 1)?;
    if order.first() != Some(&0) {
        return Err("it moves the batch".into());
    }
    let order: Vec<usize> = order[1..].iter().map(|&a| a.wrapping_sub(1)).collect();
    Ok(vec![Value::Node(b.push(c.name, Op::Permute(order), &[x])?)])
}

pub(super) fn concat(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let along = c.int("axis", 1)?;
    if (0..c.inputs.len()).all(|i| c.is_constant(i)) && !c.inputs.is_empty() {
        return concat_constants(c, along);
    }
    let sigmoids = c.inputs.iter().all(|v| matches!(v, Some(Value::Squashed { sigmoid: true, .. })));
    let some = c.inputs.iter().flatten().find_map(|v| match v {
        Value::Node(x) | Value::Squashed { node: x, .. } => Some(*x),
        _ => None,
    });
    let some = some.ok_or("it has no computed input")?;
    let axis = sample_axis(along, b.shape(some).len())?;
    let mut parts = Vec::with_capacity(c.inputs.len());
    for i in 0..c.inputs.len() {
        parts.push(match c.value(i) {
            Some(Value::Squashed { node, .. }) if sigmoids => *node,
            Some(Value::Constant(k)) => lift(b, c, some, axis, k)?,
            _ => c.data(i)?,
        });
    }
    let node = b.push(c.name, Op::Concat { axis }, &parts)?;
    Ok(vec![if sigmoids { Value::Squashed { node, sigmoid: true } } else { Value::Node(node) }])
}

/// A constant as a computed tensor with the axes of `like`: zeros, and the constant added.
fn lift(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    like: usize,
    axis: usize,
    k: &Constant,
) -> Result<usize, String> {
    let dims = k.dims.strip_prefix(&[1]).ok_or("a constant that differs between samples")?;
    if dims.len() != b.shape(like).len() {
        return Err(format!("a constant of shape {:?}", k.dims));
    }
    let zeros = b.push(c.name, Op::Take { axis, indices: vec![None; dims[axis]] }, &[like])?;
    let flat = b.push(c.name, Op::Reshape(vec![k.len()]), &[zeros])?;
    let filled = Op::Affine { axis: 0, scale: vec![1.0; k.len()], shift: k.to_floats()? };
    let filled = b.push(c.name, filled, &[flat])?;
    b.push(c.name, Op::Reshape(dims.to_vec()), &[filled])
}

/// Only vectors: what shape computations concatenate.
fn concat_constants(c: &Call<'_, '_>, along: i64) -> Out {
    let mut all = Vec::new();
    for i in 0..c.inputs.len() {
        let k = c.constant(i)?;
        if k.dims.len() != 1 || axis(along, 1)? != 0 {
            return Err(format!("a constant of shape {:?}, only vectors are supported", k.dims));
        }
        all.extend_from_slice(k.symbolic()?);
    }
    Ok(vec![Value::constant(Constant { dims: vec![all.len()], data: Data::Ints(all) })])
}

/// Picks indices along an axis of a computed tensor or a constant.
fn take(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    value: &Value,
    at: i64,
    pick: &[i64],
) -> Result<Value, String> {
    let within = |size: usize| -> Result<Vec<usize>, String> {
        pick.iter().map(|&i| axis(i, size).map_err(|_| format!("index {i} of {size}"))).collect()
    };
    match value {
        Value::Constant(k) => {
            let at = axis(at, k.dims.len())?;
            let indices: Vec<Option<usize>> = within(k.dims[at])?.into_iter().map(Some).collect();
            let dims = crate::graph::taken(at, &indices, &k.dims).map_err(|e| e.to_string())?;
            let places: Vec<usize> =
                crate::graph::float::picks(at, &indices, &k.dims).into_iter().flatten().collect();
            Ok(Value::constant(k.gather(dims, &places)))
        }
        Value::Node(x) => {
            let at = sample_axis(at, b.shape(*x).len())?;
            let indices = within(b.shape(*x)[at])?.into_iter().map(Some).collect();
            Ok(Value::Node(b.push(c.name, Op::Take { axis: at, indices }, &[*x])?))
        }
        _ => Err("only supported on values, not on labels or probabilities".into()),
    }
}

pub(super) fn gather(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let (at, indices) = (c.int("axis", 0)?, c.constant(1)?);
    let (pick, scalar) = (indices.to_ints()?, indices.dims.is_empty());
    if indices.dims.len() > 1 {
        return Err(format!("indices of shape {:?}, only a vector or a scalar is supported", indices.dims));
    }
    let value = c.value(0).cloned().ok_or("input 0 is missing")?;
    let taken = take(b, c, &value, at, &pick)?;
    if !scalar {
        return Ok(vec![taken]);
    }
    match taken {
        Value::Constant(k) => {
            let mut dims = k.dims.clone();
            dims.remove(axis(at, dims.len())?);
            Ok(vec![Value::constant(Constant { dims, data: k.data.clone() })])
        }
        Value::Node(x) => {
            let mut dims = b.shape(x).to_vec();
            dims.remove(sample_axis(at, dims.len())?);
            push_shape(b, c, x, dims)
        }
        _ => Err("only supported on values, not on labels or probabilities".into()),
    }
}

pub(super) fn slice(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let list = |name: &'static str, input: usize| -> Result<Option<Vec<i64>>, String> {
        match c.ints(name) {
            Some(v) => Ok(Some(v.to_vec())),
            None => c.optional(input)?.map(Constant::to_ints).transpose(),
        }
    };
    let starts = list("starts", 1)?.ok_or("it has no starts")?;
    let ends = list("ends", 2)?.ok_or("it has no ends")?;
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = c.optional(4)?.map(Constant::to_ints).transpose()?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err("starts, ends, axes and steps of different lengths".into());
    }
    let mut value = c.value(0).cloned().ok_or("input 0 is missing")?;
    for i in 0..starts.len() {
        let size = match &value {
            Value::Constant(k) => k.dims[axis(axes[i], k.dims.len())?],
            Value::Node(x) => {
                let rank = b.shape(*x).len();
                if axis(axes[i], rank + 1)? == 0
                    && starts[i] == 0
                    && ends[i] >= i64::from(i32::MAX)
                    && steps[i] == 1
                {
                    continue;
                }
                b.shape(*x)[sample_axis(axes[i], rank)?]
            }
            _ => return Err("only supported on values, not on labels or probabilities".into()),
        };
        let pick = range(starts[i], ends[i], steps[i], size as i64)?;
        if !pick.iter().copied().eq(0..size as i64) {
            value = take(b, c, &value, axes[i], &pick)?;
        }
    }
    Ok(vec![value])
}

/// The indices of one axis of Slice.
fn range(start: i64, end: i64, step: i64, size: i64) -> Result<Vec<i64>, String> {
    if step == 0 {
        return Err("a step of 0".into());
    }
    let wrap = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
    let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
    let (mut at, end) = (wrap(start).clamp(low.max(0), high), wrap(end).clamp(low, high));
    let mut pick = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        pick.push(at);
        at = at.saturating_add(step);
    }
    if pick.is_empty() { Err("an empty slice".into()) } else { Ok(pick) }
}

pub(super) fn split(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let at = c.int("axis", 0)?;
    let shape = b.shape(x).to_vec();
    let size = shape[sample_axis(at, shape.len())?];
    let given = match c.ints("split") {
        Some(v) => Some(v.to_vec()),
        None => c.optional(1)?.map(Constant::to_ints).transpose()?,
    };
    let parts =
        usize::try_from(c.int("num_outputs", c.outputs() as i64)?).map_err(|_| "a negative num_outputs")?;
    let lengths = match given {
        Some(v) => sizes(&v)?,
        None => {
            if parts == 0 || parts != c.outputs() {
                return Err(format!("{} outputs for {parts} parts", c.outputs()));
            }
            let each = size.div_ceil(parts);
            (0..parts).map(|i| each.min(size.saturating_sub(i * each))).collect()
        }
    };
    if lengths.iter().try_fold(0_usize, |n, &d| n.checked_add(d)) != Some(size) || lengths.contains(&0) {
        return Err(format!("parts of {lengths:?} of {size}"));
    }
    let mut start = 0_i64;
    let mut values = Vec::new();
    for len in lengths {
        let pick: Vec<i64> = (start..start + len as i64).collect();
        values.push(take(b, c, &Value::Node(x), at, &pick)?);
        start += len as i64;
    }
    Ok(values)
}

pub(super) fn pad(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let mut x = c.data(0)?;
    let mode = c.text("mode", "constant");
    let pads = match c.ints("pads") {
        Some(v) => v.to_vec(),
        None => c.constant(1)?.to_ints()?,
    };
    let value = match c.optional(2)? {
        Some(v) => v.to_floats()?,
        None => vec![c.float("value", 0.0)?],
    };
    if c.value(3).is_some() {
        return Err("padding of chosen axes is not supported".into());
    }
    let rank = b.shape(x).len() + 1;
    if pads.len() != 2 * rank || pads[0] != 0 || pads[rank] != 0 {
        return Err(format!("pads of {pads:?} for a tensor of {rank} axes with the batch"));
    }
    if mode == "constant" && value.iter().any(|&v| v != 0.0) {
        return Err("padding with another value than 0 is not supported".into());
    }
    for d in 1..rank {
        let (before, after, size) = (pads[d], pads[d + rank], b.shape(x)[d - 1] as i64);
        if before == 0 && after == 0 {
            continue;
        }
        if before.abs().max(after.abs()) > 1 << 16 {
            return Err(format!("pads of {before} and {after}"));
        }
        let indices: Option<Vec<Option<usize>>> = (-before..size + after)
            .map(|i| match mode.as_str() {
                "constant" => Some(usize::try_from(i).ok().filter(|_| i < size)),
                "edge" => Some(Some(i.clamp(0, size - 1) as usize)),
                "reflect" if i > -size && i < 2 * size - 1 => {
                    let i = i.abs();
                    Some(Some(if i < size { i } else { 2 * size - 2 - i } as usize))
                }
                _ => None,
            })
            .collect();
        let indices = indices.ok_or_else(|| format!("mode {mode} with pads of {before} and {after}"))?;
        x = b.push(c.name, Op::Take { axis: d - 1, indices }, &[x])?;
    }
    Ok(vec![Value::Node(x)])
}

pub(super) fn expand(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let mut x = c.data(0)?;
    let target = c.constant(1)?.symbolic()?.to_vec();
    let mut shape = b.shape(x).to_vec();
    let rank = shape.len() + 1;
    if target.len() > rank {
        return Err("more axes than the tensor has".into());
    }
    for (i, v) in target.iter().enumerate() {
        let d = rank - target.len() + i;
        match (d, v) {
            (0, Int::Batch | Int::Known(1)) => {}
            (0, _) | (_, Int::Batch) => return Err("it changes the batch".into()),
            (d, Int::Known(v)) => {
                let size =
                    usize::try_from(*v).ok().filter(|&v| v > 0).ok_or("a dimension that is not positive")?;
                if shape[d - 1] == 1 {
                    shape[d - 1] = size;
                } else if size != 1 && size != shape[d - 1] {
                    return Err(format!("{size} along an axis of {}", shape[d - 1]));
                }
            }
        }
    }
    x = spread(b, c.name, x, &shape)?;
    Ok(vec![Value::Node(x)])
}

pub(super) fn depth_to_space(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let (s, [depth, h, w]) = block(b, c, x)?;
    if depth % (s * s) != 0 {
        return Err(format!("{depth} channels in blocks of {s}"));
    }
    let rest = depth / (s * s);
    let (split, order) = match c.text("mode", "DCR").as_str() {
        "DCR" => (vec![s, s, rest, h, w], vec![2, 3, 0, 4, 1]),
        "CRD" => (vec![rest, s, s, h, w], vec![0, 3, 1, 4, 2]),
        other => return Err(format!("mode {other}")),
    };
    regroup(b, c, x, split, order, vec![rest, h * s, w * s])
}

pub(super) fn space_to_depth(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let (s, [depth, h, w]) = block(b, c, x)?;
    if h % s != 0 || w % s != 0 {
        return Err(format!("{h}x{w} in blocks of {s}"));
    }
    let split = vec![depth, h / s, s, w / s, s];
    regroup(b, c, x, split, vec![2, 4, 0, 1, 3], vec![depth * s * s, h / s, w / s])
}

fn block(b: &Builder<'_>, c: &Call<'_, '_>, x: usize) -> Result<(usize, [usize; 3]), String> {
    let s = usize::try_from(c.int("blocksize", 0)?)
        .ok()
        .filter(|s| (1..1 << 12).contains(s))
        .ok_or("no blocksize")?;
    match *b.shape(x) {
        [depth, h, w] => Ok((s, [depth, h, w])),
        _ => Err(format!("a sample of shape {:?}", b.shape(x))),
    }
}

fn regroup(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: usize,
    split: Vec<usize>,
    order: Vec<usize>,
    shape: Vec<usize>,
) -> Out {
    let y = b.push(c.name, Op::Reshape(split), &[x])?;
    let y = b.push(c.name, Op::Permute(order), &[y])?;
    Ok(vec![Value::Node(b.push(c.name, Op::Reshape(shape), &[y])?)])
}
