//! Resize and Upsample by the nearest element: picking indices along each axis.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use super::super::constant::Constant;
use crate::graph::Op;

type Out = Result<Vec<Value>, String>;

pub(super) fn upsample(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    if c.text("mode", "nearest") != "nearest" {
        return Err("only mode nearest is supported".into());
    }
    let scales = match c.floats("scales") {
        Some(scales) => scales.to_vec(),
        None => c.constant(1)?.to_floats()?,
    };
    axes(b, c, x, &scales, None, &Rule { transform: "asymmetric".into(), nearest: "floor".into() })
}

pub(super) fn resize(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    if c.text("mode", "nearest") != "nearest" {
        return Err("only mode nearest is supported".into());
    }
    // What only other modes look at.
    c.float("cubic_coeff_a", -0.75)?;
    c.float("extrapolation_value", 0.0)?;
    c.int("exclude_outside", 0)?;
    let one_input = c.inputs.len() == 2;
    let rule = if one_input {
        Rule { transform: "asymmetric".into(), nearest: "floor".into() }
    } else {
        Rule {
            transform: c.text("coordinate_transformation_mode", "half_pixel"),
            nearest: c.text("nearest_mode", "round_prefer_floor"),
        }
    };
    let given = |i: usize| Ok::<_, String>(c.optional(i)?.filter(|k| k.len() > 0));
    let scales = given(if one_input { 1 } else { 2 })?.map(Constant::to_floats).transpose()?;
    let sizes = given(3)?.map(Constant::to_ints).transpose()?;
    match (scales, sizes) {
        (Some(scales), None) => axes(b, c, x, &scales, None, &rule),
        (None, Some(sizes)) => {
            if sizes.len() != b.shape(x).len() + 1 {
                return Err("sizes of chosen axes are not supported".into());
            }
            let shape = b.shape(x).to_vec();
            let scale = |(&s, &d): (&i64, &usize)| s as f32 / d as f32;
            let mut scales = vec![1.0];
            scales.extend(sizes[1..].iter().zip(&shape).map(scale));
            axes(b, c, x, &scales, Some(&sizes), &rule)
        }
        _ => Err("neither scales nor sizes are given".into()),
    }
}

/// How a place of the result becomes a place of the operand.
struct Rule {
    transform: String,
    nearest: String,
}

fn axes(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    mut x: usize,
    scales: &[f32],
    sizes: Option<&[i64]>,
    rule: &Rule,
) -> Out {
    let shape = b.shape(x).to_vec();
    if scales.len() != shape.len() + 1 || scales[0] != 1.0 {
        return Err(format!("scales of {scales:?} for a tensor of {} axes", shape.len() + 1));
    }
    for (axis, &size) in shape.iter().enumerate() {
        let scale = f64::from(scales[axis + 1]);
        let out = match sizes {
            Some(sizes) => sizes[axis + 1] as f64,
            None => (size as f64 * scale).floor(),
        };
        if !(1.0..=65536.0).contains(&out) || !scale.is_finite() {
            return Err(format!("a result of {out} elements along axis {}", axis + 1));
        }
        let count = out as usize;
        let indices =
            (0..count).map(|i| rule.source(i as f64, scale, size, count)).collect::<Result<Vec<_>, _>>()?;
        if !indices.iter().copied().eq(0..size) {
            let indices = indices.into_iter().map(Some).collect();
            x = b.push(c.name, Op::Take { axis, indices }, &[x])?;
        }
    }
    Ok(vec![Value::Node(x)])
}

impl Rule {
    fn source(&self, at: f64, scale: f64, size: usize, count: usize) -> Result<usize, String> {
        let place = match self.transform.as_str() {
            "half_pixel" => (at + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if count == 1 => 0.0,
            "pytorch_half_pixel" => (at + 0.5) / scale - 0.5,
            "align_corners" if count == 1 => 0.0,
            "align_corners" => at * (size - 1) as f64 / (count - 1) as f64,
            "asymmetric" => at / scale,
            other => return Err(format!("coordinate_transformation_mode {other} is not supported")),
        };
        let nearest = match self.nearest.as_str() {
            "round_prefer_floor" => (place - 0.5).ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            other => return Err(format!("nearest_mode {other} is not supported")),
        };
        Ok(nearest.clamp(0.0, (size - 1) as f64) as usize)
    }
}
