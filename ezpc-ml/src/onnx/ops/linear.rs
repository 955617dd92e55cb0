//! Operators with weights: Conv, Gemm, MatMul, BatchNormalization.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use super::super::constant::{Constant, Data};
use super::super::tensor::Tensor;
use super::arithmetic;
use super::elementwise::affine;
use super::pool::on_samples;
use crate::graph::{Op, Window};

pub(super) fn conv(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let weights = c.constant(1)?;
    let groups = usize::try_from(c.int("group", 1)?).map_err(|_| "a negative group")?;
    let bias = match c.optional(2)? {
        Some(bias) if Some(&bias.len()) == weights.dims.first() => bias.to_floats()?,
        Some(bias) => return Err(format!("{} biases with weights of {:?}", bias.len(), weights.dims)),
        None => vec![0.0; weights.dims.first().copied().unwrap_or(0)],
    };
    on_samples(b, c, |b, x| {
        let shape = b.shape(x).to_vec();
        let spatial = shape.len().saturating_sub(1);
        if weights.dims.len() != shape.len() + 1 || !(1..=2).contains(&spatial) {
            return Err(format!("weights of {:?} over a sample of {shape:?}", weights.dims));
        }
        if let Some(kernel) = c.ints("kernel_shape")
            && !kernel.iter().map(|&k| usize::try_from(k).unwrap_or(0)).eq(weights.dims[2..].iter().copied())
        {
            return Err(format!("kernel_shape {kernel:?} with weights of {:?}", weights.dims));
        }
        let axes = axes(c, &weights.dims[2..], &shape[1..])?;
        if groups == 0 || weights.dims[1].checked_mul(groups) != Some(shape[0]) {
            return Err(format!(
                "{groups} groups with weights of {:?} over {} channels",
                weights.dims, shape[0]
            ));
        }
        let op = Op::Conv { window: window(&axes), groups, weights: weights.to_floats()?.into(), bias };
        in_two_dimensions(b, c.name, x, op)
    })
}

/// Pushes `op`, which works on `[channels, height, width]`, for a sample of `[channels, width]` too.
pub(super) fn in_two_dimensions(b: &mut Builder<'_>, name: &str, x: usize, op: Op) -> Result<usize, String> {
    match *b.shape(x) {
        [channels, width] => {
            let flat = b.push(name, Op::Reshape(vec![channels, 1, width]), &[x])?;
            let y = b.push(name, op, &[flat])?;
            let shape = b.shape(y);
            let shape = vec![shape[0], shape[2]];
            b.push(name, Op::Reshape(shape), &[y])
        }
        [_, _, _] => b.push(name, op, &[x]),
        _ => Err(format!("a window over a sample of shape {:?}", b.shape(x))),
    }
}

/// A window along one axis.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
    /// How much of `after` comes from `ceil_mode` alone.
    pub(super) extra: usize,
}

/// The window of one or two axes.
pub(super) fn window(axes: &[Axis]) -> Window {
    // A single axis is the width.
    let unit = Axis { kernel: 1, stride: 1, dilation: 1, before: 0, after: 0, extra: 0 };
    let (h, w) = match *axes {
        [h, w] => (h, w),
        [w] => (unit, w),
        _ => (unit, unit),
    };
    Window {
        kernel: [h.kernel, w.kernel],
        stride: [h.stride, w.stride],
        padding: [h.before, w.before, h.after, w.after],
        dilation: [h.dilation, w.dilation],
    }
}

/// The attributes that Conv and the poolings share, axis by axis.
pub(super) fn axes(c: &Call<'_, '_>, kernel: &[usize], input: &[usize]) -> Result<Vec<Axis>, String> {
    let rank = kernel.len();
    if input.len() != rank {
        return Err(format!("a kernel of {kernel:?} over {input:?}"));
    }
    let sizes = |name: &'static str, default: usize, count: usize| match c.ints(name) {
        None => Ok(vec![default; count]),
        Some(given) => given
            .iter()
            .map(|&v| usize::try_from(v).ok().filter(|&v| v <= 1 << 16))
            .collect::<Option<Vec<usize>>>()
            .filter(|v| v.len() == count)
            .ok_or_else(|| format!("attribute `{name}` of {given:?}")),
    };
    let (stride, dilation) = (sizes("strides", 1, rank)?, sizes("dilations", 1, rank)?);
    let padding = sizes("pads", 0, 2 * rank)?;
    if stride.iter().chain(&dilation).chain(kernel).any(|&v| v == 0 || v > 1 << 16) {
        return Err("a kernel, stride or dilation of 0".into());
    }
    let auto = c.text("auto_pad", "NOTSET");
    let ceil = c.op_type().ends_with("Pool") && c.int("ceil_mode", 0)? != 0;
    let mut all = Vec::with_capacity(rank);
    for d in 0..rank {
        let (kernel, stride, dilation) = (kernel[d], stride[d], dilation[d]);
        let mut axis = Axis { kernel, stride, dilation, before: 0, after: 0, extra: 0 };
        let reach = dilation * (kernel - 1) + 1;
        match auto.as_str() {
            "NOTSET" => (axis.before, axis.after) = (padding[d], padding[d + rank]),
            "VALID" => {}
            mode @ ("SAME_UPPER" | "SAME_LOWER") => {
                let out = input[d].div_ceil(stride);
                let total = ((out - 1) * stride + reach).saturating_sub(input[d]);
                let less = total / 2;
                (axis.before, axis.after) =
                    if mode == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
            }
            other => return Err(format!("auto_pad {other}")),
        }
        if ceil {
            let padded = input[d] + axis.before + axis.after;
            let span = padded.checked_sub(reach).ok_or("a window larger than the padded input")?;
            let mut out = span.div_ceil(stride) + 1;
            // A window that would start in the padding at the end is left out.
            if (out - 1) * stride >= input[d] + axis.before {
                out -= 1;
            }
            axis.extra = ((out - 1) * stride + reach).saturating_sub(padded);
            axis.after += axis.extra;
        }
        all.push(axis);
    }
    Ok(all)
}

pub(super) fn gemm(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let (transposed, alpha, beta) = (c.int("transB", 0)? != 0, c.float("alpha", 1.0)?, c.float("beta", 1.0)?);
    let mut x = c.data(0)?;
    let weights = c.constant(1)?;
    if x.rank != 2 {
        return Err(format!("a matrix product of a tensor of {} axes", x.rank));
    }
    if c.int("transA", 0)? != 0 {
        x = match x.batch {
            None => b.permute(c.name, x, vec![1, 0])?,
            // The batch in front again after a transpose that moved it.
            Some(at) => Tensor { batch: Some(1 - at), ..x },
        };
    }
    if x.batch.is_some_and(|at| at != 0) {
        return Err("it would mix the samples".into());
    }
    let &[rows, cols] = weights.dims.as_slice() else {
        return Err(format!("weights of shape {:?}", weights.dims));
    };
    let mut values = weights.to_floats()?;
    values.iter_mut().for_each(|w| *w *= alpha);
    let outputs = if transposed { rows } else { cols };
    let values = if transposed { values } else { columns(&values, outputs) };
    // A bias of one row belongs to the layer; another one is added behind it.
    let mut layer = vec![0.0; outputs];
    let mut added = None;
    if let Some(bias) = c.optional(2)? {
        let scaled = arithmetic::map(bias, |v| v)?.to_floats()?.into_iter().map(|v| v * beta).collect();
        let scaled = Constant { dims: bias.dims.clone(), data: Data::Floats(scaled) };
        let rows_are_one = bias.dims.iter().rev().skip(1).all(|&d| d == 1);
        match scaled.to_floats()?.as_slice() {
            [one] => layer.fill(*one),
            row if rows_are_one && row.len() == outputs => layer.copy_from_slice(row),
            _ => added = Some(scaled),
        }
    }
    let y = dense(b, c, x, values, layer)?;
    Ok(vec![Value::Node(match added {
        Some(bias) => affine(b, c, y, None, Some(&bias))?,
        None => y,
    })])
}

/// The columns of a matrix of `outputs` columns, one after the other.
fn columns(values: &[f32], outputs: usize) -> Vec<f32> {
    let inner = values.len() / outputs.max(1);
    (0..outputs).flat_map(|o| (0..inner).map(move |i| values[i * outputs + o])).collect()
}

pub(super) fn matmul(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let swapped = c.is_constant(0);
    let (at, computed) = if swapped { (0, 1) } else { (1, 0) };
    let mut x = c.data(computed)?;
    let weights =
        c.constant(at).map_err(|_| "a product of two computed tensors is not supported".to_owned())?;
    let values = weights.to_floats()?;
    // A vector is a matrix of one column, or of one row on the left, and its axis is gone from the product.
    let (lead, rows, cols) = match *weights.dims.as_slice() {
        [] => return Err("a product with a scalar".into()),
        [n] if swapped => (&[][..], 1, n),
        [n] => (&[][..], n, 1),
        [ref lead @ .., rows, cols] => (lead, rows, cols),
    };
    let plain = |x: Tensor| x.rank >= if swapped { 2 } else { 1 };
    if !plain(x) || x.batch.is_some_and(|at| at + if swapped { 2 } else { 1 } >= x.rank) {
        return Err("it would mix the samples".into());
    }
    // W·x is the transpose of xᵀ·Wᵀ.
    if swapped {
        x = swap_last(b, c, x)?;
    }
    let outputs = if swapped { rows } else { cols };
    let matrix = |m: &[f32]| if swapped { m.to_vec() } else { columns(m, outputs) };
    let size = rows * cols;
    let mut y = if lead.iter().all(|&d| d == 1) {
        let y = dense(b, c, x, matrix(&values), vec![0.0; outputs])?;
        b.raise(c.name, y, weights.dims.len())?
    } else {
        let x = b.raise(c.name, x, lead.len() + 2)?;
        matrices(b, c, x, lead, |i| matrix(&values[i * size..(i + 1) * size]))?
    };
    if swapped {
        y = swap_last(b, c, y)?;
    }
    if weights.dims.len() == 1 {
        let gone = if swapped { y.rank - 2 } else { y.rank - 1 };
        let axes: Vec<Option<usize>> = (0..y.rank).filter(|&d| d != gone).map(Some).collect();
        y = b.rename(c.name, y, &axes)?;
    }
    Ok(vec![Value::Node(y)])
}

fn swap_last(b: &mut Builder<'_>, c: &Call<'_, '_>, x: Tensor) -> Result<Tensor, String> {
    let mut order: Vec<usize> = (0..b.sample(x).len()).collect();
    let n = order.len();
    order.swap(n - 2, n - 1);
    b.permute(c.name, x, order)
}

/// More matrices than a stack of products has.
const MAX_MATRICES: usize = 256;

/// A product with one matrix for each index of the axes in front, which `lead` are those of the weights.
fn matrices(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: Tensor,
    lead: &[usize],
    matrix: impl Fn(usize) -> Vec<f32>,
) -> Result<Tensor, String> {
    let mut dims = vec![1; x.rank - 2 - lead.len()];
    dims.extend(lead);
    if x.batch.is_some_and(|at| dims.remove(at) != 1) {
        return Err("weights that differ between samples".into());
    }
    let old = b.sample(x).to_vec();
    let (front, [rows, inner]) = match old.as_slice() {
        [front @ .., rows, inner] => (front, [*rows, *inner]),
        _ => return Err("it would mix the samples".into()),
    };
    let stack: Vec<usize> = front.iter().zip(&dims).map(|(&a, &d)| a.max(d)).collect();
    let count: usize = stack.iter().product();
    if dims.iter().zip(&stack).any(|(&d, &s)| d != 1 && d != s) || count > MAX_MATRICES {
        return Err(format!("matrices of shape {lead:?} for a sample of shape {old:?}"));
    }
    let x = b.spread(c.name, x, &[stack.as_slice(), &[rows, inner]].concat())?;
    let flat = b.reshape(c.name, x, &[count, rows, inner], None)?;
    let mut parts = Vec::with_capacity(count);
    for (i, place) in arithmetic::places(&dims, &stack).into_iter().enumerate() {
        let part = b.apply(c.name, Op::Take { axis: 0, indices: vec![Some(i)] }, flat, &[])?;
        let weights = matrix(place);
        let outputs = weights.len() / inner.max(1);
        parts.push(dense(b, c, part, weights, vec![0.0; outputs])?);
    }
    let y = b.apply(c.name, Op::Concat { axis: 0 }, parts[0], &parts[1..])?;
    let outputs = b.sample(y)[2];
    b.reshape(c.name, y, &[stack.as_slice(), &[rows, outputs]].concat(), x.batch)
}

/// A product along the last axis, with a row of weights for each output.
fn dense(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: Tensor,
    weights: Vec<f32>,
    bias: Vec<f32>,
) -> Result<Tensor, String> {
    let inner = weights.len() / bias.len().max(1);
    if b.sample(x).last() != Some(&inner) {
        return Err(format!("weights for {inner} values over a sample of shape {:?}", b.sample(x)));
    }
    b.apply(c.name, Op::Dense { weights: weights.into(), bias }, x, &[])
}

pub(super) fn batch_norm(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let epsilon = f64::from(c.float("epsilon", 1e-5)?);
    // The momentum is for training alone.
    c.float("momentum", 0.9)?;
    if c.int("training_mode", 0)? != 0 {
        return Err("training_mode 1 would mix the samples".into());
    }
    if c.int("spatial", 1)? != 1 {
        return Err("spatial 0 is not supported".into());
    }
    on_samples(b, c, |b, x| {
        // A sample without axes has one channel.
        let channels = b.shape(x)[0];
        let part = |i: usize| {
            let values = c.constant(i)?.to_floats()?;
            if values.len() == channels {
                Ok(values)
            } else {
                Err(format!("{} values for {channels} channels", values.len()))
            }
        };
        let (gamma, beta, mean, variance) = (part(1)?, part(2)?, part(3)?, part(4)?);
        let mut scale = Vec::with_capacity(channels);
        let mut shift = Vec::with_capacity(channels);
        for i in 0..channels {
            let deviation = (f64::from(variance[i]) + epsilon).sqrt();
            if !(deviation.is_finite() && deviation > 0.0) {
                return Err(format!("the variance of channel {i} is not positive"));
            }
            let factor = f64::from(gamma[i]) / deviation;
            scale.push(factor as f32);
            shift.push((f64::from(beta[i]) - f64::from(mean[i]) * factor) as f32);
        }
        b.push(c.name, Op::Affine { axis: 0, scale, shift }, &[x])
    })
}
