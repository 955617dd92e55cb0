//! Operators with weights: Conv, Gemm, MatMul, BatchNormalization.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use crate::graph::{Op, Window};

pub(super) fn conv(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    let weights = c.constant(1)?;
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
    let (window, ceil) = window(c, &weights.dims[2..], &shape[1..])?;
    debug_assert!(ceil == [0; 2], "convolutions have no ceil_mode");
    let groups = usize::try_from(c.int("group", 1)?).map_err(|_| "a negative group")?;
    if groups == 0 || weights.dims[1].checked_mul(groups) != Some(shape[0]) {
        return Err(format!("{groups} groups with weights of {:?} over {} channels", weights.dims, shape[0]));
    }
    let bias = match c.optional(2)? {
        Some(bias) if bias.len() == weights.dims[0] => bias.to_floats()?,
        Some(bias) => return Err(format!("{} biases for {} channels", bias.len(), weights.dims[0])),
        None => vec![0.0; weights.dims[0]],
    };
    let op = Op::Conv { window, groups, weights: weights.to_floats()?.into(), bias };
    in_two_dimensions(b, c.name, x, op).map(|y| vec![Value::Node(y)])
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

/// The window of the attributes that Conv and the poolings share, and how much of its bottom and right padding
/// comes from `ceil_mode` alone.
pub(super) fn window(
    c: &Call<'_, '_>,
    kernel: &[usize],
    input: &[usize],
) -> Result<(Window, [usize; 2]), String> {
    let rank = kernel.len();
    if !(1..=2).contains(&rank) {
        return Err(format!("a window of {rank} dimensions, only 1 and 2 are supported"));
    }
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
    let mut padding = sizes("pads", 0, 2 * rank)?;
    if stride.iter().chain(&dilation).chain(kernel).any(|&v| v == 0 || v > 1 << 16) {
        return Err("a kernel, stride or dilation of 0".into());
    }
    let reach = |d: usize| dilation[d] * (kernel[d] - 1) + 1;
    let mut extra = [0; 2];
    match c.text("auto_pad", "NOTSET").as_str() {
        "NOTSET" => {}
        "VALID" => padding.fill(0),
        mode @ ("SAME_UPPER" | "SAME_LOWER") => {
            for d in 0..rank {
                let out = input[d].div_ceil(stride[d]);
                let total = ((out - 1) * stride[d] + reach(d)).saturating_sub(input[d]);
                let less = total / 2;
                let (before, after) =
                    if mode == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
                (padding[d], padding[d + rank]) = (before, after);
            }
        }
        other => return Err(format!("auto_pad {other}")),
    }
    if c.op_type().ends_with("Pool") && c.int("ceil_mode", 0)? != 0 {
        for d in 0..rank {
            let padded = input[d] + padding[d] + padding[d + rank];
            let span = padded.checked_sub(reach(d)).ok_or("a window larger than the padded input")?;
            let mut out = span.div_ceil(stride[d]) + 1;
            // A window that would start in the padding at the end is left out.
            if (out - 1) * stride[d] >= input[d] + padding[d] {
                out -= 1;
            }
            extra[d + 2 - rank] = ((out - 1) * stride[d] + reach(d)).saturating_sub(padded);
            padding[d + rank] += extra[d + 2 - rank];
        }
    }
    let pair = |v: &[usize], fill: usize| match *v {
        [w] => [fill, w],
        [h, w, ..] => [h, w],
        [] => [fill, fill],
    };
    let padding = match *padding.as_slice() {
        [left, right] => [0, left, 0, right],
        [top, left, bottom, right] => [top, left, bottom, right],
        _ => return Err(format!("a window of {rank} dimensions, only 1 and 2 are supported")),
    };
    let window =
        Window { kernel: pair(kernel, 1), stride: pair(&stride, 1), padding, dilation: pair(&dilation, 1) };
    Ok((window, extra))
}

pub(super) fn gemm(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    let weights = c.constant(1)?;
    if c.int("transA", 0)? != 0 {
        return Err("transA would mix the samples".into());
    }
    let (transposed, alpha, beta) = (c.int("transB", 0)? != 0, c.float("alpha", 1.0)?, c.float("beta", 1.0)?);
    let &[rows, cols] = weights.dims.as_slice() else {
        return Err(format!("weights of shape {:?}", weights.dims));
    };
    let values = weights.to_floats()?;
    let (outputs, inner) = if transposed { (rows, cols) } else { (cols, rows) };
    let weights: Vec<f32> = if transposed {
        values.iter().map(|w| w * alpha).collect()
    } else {
        (0..outputs)
            .flat_map(|o| (0..inner).map(move |i| (i, o)))
            .map(|(i, o)| values[i * outputs + o] * alpha)
            .collect()
    };
    let bias = match c.optional(2)? {
        None => vec![0.0; outputs],
        Some(bias) => {
            let rows_are_one = bias.dims.iter().rev().skip(1).all(|&d| d == 1);
            let values = bias.to_floats()?;
            let spread = match values.len() {
                1 => vec![values[0]; outputs],
                n if n == outputs && rows_are_one => values,
                _ => return Err(format!("a bias of shape {:?} for {outputs} outputs", bias.dims)),
            };
            spread.into_iter().map(|v| v * beta).collect()
        }
    };
    dense(b, c, x, weights, bias, inner)
}

pub(super) fn matmul(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    if c.is_constant(0) {
        return Err("a constant on the left of a product is not supported".into());
    }
    let x = c.data(0)?;
    let weights =
        c.constant(1).map_err(|_| "a product of two computed tensors is not supported".to_owned())?;
    let &[inner, outputs] = weights.dims.as_slice() else {
        return Err(format!("weights of shape {:?}, only matrices are supported", weights.dims));
    };
    let values = weights.to_floats()?;
    let by_output = (0..outputs)
        .flat_map(|o| (0..inner).map(move |i| (i, o)))
        .map(|(i, o)| values[i * outputs + o])
        .collect();
    dense(b, c, x, by_output, vec![0.0; outputs], inner)
}

fn dense(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
    inner: usize,
) -> Result<Vec<Value>, String> {
    if b.shape(x).last() != Some(&inner) {
        return Err(format!("weights for {inner} values over a sample of shape {:?}", b.shape(x)));
    }
    let y = b.push(c.name, Op::Dense { weights: weights.into(), bias }, &[x])?;
    Ok(vec![Value::Node(y)])
}

pub(super) fn batch_norm(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    let epsilon = f64::from(c.float("epsilon", 1e-5)?);
    // The momentum is for training alone.
    c.float("momentum", 0.9)?;
    if c.int("training_mode", 0)? != 0 || c.int("spatial", 1)? != 1 {
        return Err("training_mode 1 and spatial 0 are not supported".into());
    }
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
    let y = b.push(c.name, Op::Affine { axis: 0, scale, shift }, &[x])?;
    Ok(vec![Value::Node(y)])
}
