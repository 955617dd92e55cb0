//! Operators that pick, repeat or join elements along axes, on computed tensors and on constants.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Squash, Value};
use super::super::call::{Call, axis};
use super::super::constant::{Constant, Data};
use super::super::tensor::Tensor;
use super::constants::sizes;
use super::elementwise::uniform;
use crate::graph::{Op, elements, float};

type Out = Result<Vec<Value>, String>;

pub(super) fn concat(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let along = c.int("axis", 1)?;
    if (0..c.inputs.len()).all(|i| c.is_constant(i)) && !c.inputs.is_empty() {
        return concat_constants(c, along);
    }
    let sigmoid = c.inputs.iter().all(|v| matches!(v, Some(Value::Squashed(_, s)) if s.sigmoid));
    let some = c.inputs.iter().flatten().find_map(|v| match v {
        Value::Node(x) | Value::Squashed(x, _) => Some(*x),
        _ => None,
    });
    let some = some.ok_or("it has no computed input")?;
    let axis = some.axis(along)?;
    let mut parts = Vec::with_capacity(c.inputs.len());
    for i in 0..c.inputs.len() {
        let part = match c.value(i) {
            Some(Value::Squashed(x, _)) if sigmoid => *x,
            Some(Value::Constant(k)) => lift(b, c, some, k)?,
            _ => c.data(i)?,
        };
        if (part.rank, part.batch) != (some.rank, some.batch) {
            return Err("parts with different axes".into());
        }
        parts.push(part);
    }
    let y = b.apply(c.name, Op::Concat { axis }, parts[0], &parts[1..])?;
    let squash = Squash { name: "sigmoid".into(), axes: 0..y.rank, sigmoid };
    Ok(vec![if sigmoid { Value::Squashed(y, squash) } else { Value::Node(y) }])
}

/// A constant as a computed tensor with the axes of `like`.
fn lift(b: &mut Builder<'_>, c: &Call<'_, '_>, like: Tensor, k: &Constant) -> Result<Tensor, String> {
    let mut dims = k.dims.clone();
    if dims.len() != like.rank || like.batch.is_some_and(|at| dims.remove(at) != 1) {
        return Err(format!("a constant of shape {:?} that differs between samples", k.dims));
    }
    let node = b.lift(c.name, k.to_floats()?, dims)?;
    Ok(Tensor { node, ..like })
}

fn concat_constants(c: &Call<'_, '_>, along: i64) -> Out {
    let first = c.constant(0)?;
    let at = axis(along, first.dims.len())?;
    let (outer, mut dims) = (first.dims[..at].iter().product::<usize>(), first.dims.clone());
    dims[at] = 0;
    let mut parts = Vec::with_capacity(c.inputs.len());
    for i in 0..c.inputs.len() {
        let k = c.constant(i)?;
        let fits = k.dims.len() == dims.len() && (0..dims.len()).all(|d| d == at || k.dims[d] == dims[d]);
        if !fits {
            return Err(format!("constants of shapes {:?} and {:?}", first.dims, k.dims));
        }
        dims[at] = dims[at].checked_add(k.dims[at]).ok_or("too many elements")?;
        parts.push(k);
    }
    let order = |len: fn(&Constant) -> usize| {
        let parts = &parts;
        (0..outer).flat_map(move |o| {
            parts.iter().enumerate().flat_map(move |(i, k)| {
                let each = len(k) / outer;
                (o * each..(o + 1) * each).map(move |j| (i, j))
            })
        })
    };
    let data = if parts.iter().all(|k| matches!(k.data, Data::Ints(_))) {
        let all = parts.iter().map(|k| k.symbolic()).collect::<Result<Vec<_>, _>>()?;
        Data::Ints(order(Constant::len).map(|(i, j)| all[i][j]).collect())
    } else {
        let all = parts.iter().map(|k| k.to_bounds()).collect::<Result<Vec<_>, _>>()?;
        Data::Floats(order(Constant::len).map(|(i, j)| all[i][j]).collect())
    };
    Ok(vec![Value::constant(Constant { dims, data })])
}

/// Picks indices along an axis of a computed tensor or a constant.
fn take(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    value: &Value,
    at: i64,
    pick: &[i64],
) -> Result<Value, String> {
    let within = |size: usize| -> Result<Vec<Option<usize>>, String> {
        pick.iter().map(|&i| axis(i, size).map(Some).map_err(|_| format!("index {i} of {size}"))).collect()
    };
    match value {
        Value::Constant(k) => {
            let at = axis(at, k.dims.len())?;
            let indices = within(k.dims[at])?;
            let dims = crate::graph::taken(at, &indices, &k.dims).map_err(|e| e.to_string())?;
            let places: Vec<usize> = float::picks(at, &indices, &k.dims).into_iter().flatten().collect();
            Ok(Value::constant(k.gather(dims, &places)))
        }
        Value::Node(x) => {
            let axis = x.axis(at)?;
            let indices = within(b.sample(*x)[axis])?;
            if indices.iter().copied().eq((0..b.sample(*x)[axis]).map(Some)) {
                return Ok(Value::Node(*x));
            }
            Ok(Value::Node(b.apply(c.name, Op::Take { axis, indices }, *x, &[])?))
        }
        Value::Squashed(_, squash) => {
            Err(format!("a {} in front of it is only supported at the output", squash.name))
        }
        _ => Err("a label is only supported at the output".into()),
    }
}

pub(super) fn gather(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let (at, indices) = (c.int("axis", 0)?, c.constant(1)?);
    let value = c.value(0).cloned().ok_or("input 0 is missing")?;
    let taken = take(b, c, &value, at, &indices.to_ints()?)?;
    // The axis becomes those of the indices.
    let axes = |at: usize, dims: &[usize]| [&dims[..at], &indices.dims, &dims[at + 1..]].concat();
    Ok(vec![match taken {
        Value::Constant(k) => {
            let dims = axes(axis(at, k.dims.len())?, &k.dims);
            Value::constant(Constant { dims, data: k.data.clone() })
        }
        Value::Node(x) => {
            let sample = axes(x.axis(at)?, b.sample(x));
            let behind = x.batch.filter(|&batch| batch > axis(at, x.rank).unwrap_or(0));
            let batch = match behind {
                Some(batch) => Some(batch + indices.dims.len() - 1),
                None => x.batch,
            };
            Value::Node(b.reshape(c.name, x, &sample, batch)?)
        }
        other => other,
    }])
}

pub(super) fn slice(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let starts = c.list("starts", 1)?.ok_or("it has no starts")?;
    let ends = c.list("ends", 2)?.ok_or("it has no ends")?;
    let axes = c.list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = c.optional(4)?.map(Constant::to_ints).transpose()?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err("starts, ends, axes and steps of different lengths".into());
    }
    let mut value = c.value(0).cloned().ok_or("input 0 is missing")?;
    for i in 0..starts.len() {
        let size = match &value {
            Value::Constant(k) => k.dims[axis(axes[i], k.dims.len())?],
            Value::Node(x) => {
                // All samples, in their order.
                let all = starts[i] == 0 && ends[i] >= i64::from(i32::MAX) && steps[i] == 1;
                if all && x.batch == Some(axis(axes[i], x.rank)?) {
                    continue;
                }
                b.sample(*x)[x.axis(axes[i])?]
            }
            // The cause is reported where the elements are taken.
            _ => 0,
        };
        let pick = range(starts[i], ends[i], steps[i], size as i64)?;
        value = take(b, c, &value, axes[i], &pick)?;
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
    let (mut at, end) = (wrap(start).clamp(low.max(0), high.max(0)), wrap(end).clamp(low, high));
    let mut pick = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        pick.push(at);
        at = at.saturating_add(step);
    }
    if pick.is_empty() { Err("an empty slice: a tensor without elements".into()) } else { Ok(pick) }
}

pub(super) fn split(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let at = c.int("axis", 0)?;
    let value = c.value(0).cloned().ok_or("input 0 is missing")?;
    let size = match &value {
        Value::Constant(k) => k.dims[axis(at, k.dims.len())?],
        _ => {
            let x = c.data(0)?;
            b.sample(x)[x.axis(at)?]
        }
    };
    let given = c.list("split", 1)?;
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
        return Err(format!("parts of {lengths:?} of {size}: a tensor without elements"));
    }
    let mut start = 0_i64;
    let mut values = Vec::new();
    for len in lengths {
        let pick: Vec<i64> = (start..start + len as i64).collect();
        values.push(take(b, c, &value, at, &pick)?);
        start += len as i64;
    }
    Ok(values)
}

pub(super) fn pad(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let mut x = c.data(0)?;
    let mode = c.text("mode", "constant");
    let given = c.list("pads", 1)?.ok_or("it has no pads")?;
    let value = match c.optional(2)? {
        Some(v) => v.to_floats()?.first().copied().unwrap_or(0.0),
        None => c.float("value", 0.0)?,
    };
    let axes = match c.optional(3)? {
        Some(axes) => axes.to_ints()?,
        None => (0..x.rank as i64).collect(),
    };
    if given.len() != 2 * axes.len() {
        return Err(format!("pads of {given:?} for {} axes", axes.len()));
    }
    let mut pads = Vec::with_capacity(axes.len());
    for (i, &at) in axes.iter().enumerate() {
        let (before, after) = (given[i], given[i + axes.len()]);
        if before != 0 || after != 0 {
            pads.push((x.axis(at)?, before, after));
        }
    }
    // Zeros are free: around another value they stand in for it.
    let shifted = mode == "constant" && value != 0.0;
    if shifted {
        x = uniform(b, c, x, 1.0, -value)?;
    }
    for (axis, before, after) in pads {
        let size = b.sample(x)[axis] as i64;
        if before.unsigned_abs().max(after.unsigned_abs()) > 1 << 16 {
            return Err(format!("pads of {before} and {after}"));
        }
        let indices: Option<Vec<Option<usize>>> =
            (-before..size + after).map(|i| source(&mode, i, size)).collect();
        let indices = indices.ok_or_else(|| format!("mode {mode} with pads of {before} and {after}"))?;
        if indices.is_empty() {
            return Err("pads that leave a tensor without elements".into());
        }
        x = b.apply(c.name, Op::Take { axis, indices }, x, &[])?;
    }
    if shifted {
        x = uniform(b, c, x, 1.0, value)?;
    }
    elements(b.shape(x.node)).map_err(|e| e.to_string())?;
    Ok(vec![Value::Node(x)])
}

/// The place that index `i` of a padded axis of `size` elements repeats, within it `None` for a zero; `None` when the
/// mode does not reach there.
fn source(mode: &str, i: i64, size: i64) -> Option<Option<usize>> {
    match mode {
        "constant" => Some(usize::try_from(i).ok().filter(|_| i < size)),
        "edge" => Some(Some(i.clamp(0, size - 1) as usize)),
        "wrap" => Some(Some(i.rem_euclid(size) as usize)),
        "reflect" if i > -size && i < 2 * size - 1 => {
            let i = i.abs();
            Some(Some(if i < size { i } else { 2 * size - 2 - i } as usize))
        }
        _ => None,
    }
}
