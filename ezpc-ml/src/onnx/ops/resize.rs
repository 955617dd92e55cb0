//! Resize and Upsample by the nearest element: picking indices along each axis.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::{self, Call};
use super::super::constant::{Constant, Int};
use super::super::tensor::Tensor;
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
    let rule = Rule { transform: "asymmetric".into(), nearest: "floor".into() };
    let targets = scales.iter().map(|&s| Target::Scale(f64::from(s))).collect();
    resized(b, c, x, (0..x.rank as i64).collect(), targets, &rule)
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
    c.int("antialias", 0)?;
    let two_inputs = c.inputs.len() == 2;
    let rule = if two_inputs {
        Rule { transform: "asymmetric".into(), nearest: "floor".into() }
    } else {
        Rule {
            transform: c.text("coordinate_transformation_mode", "half_pixel"),
            nearest: c.text("nearest_mode", "round_prefer_floor"),
        }
    };
    let axes = c.ints("axes").map_or_else(|| (0..x.rank as i64).collect(), <[i64]>::to_vec);
    let policy = c.text("keep_aspect_ratio_policy", "stretch");
    let given = |i: usize| Ok::<_, String>(c.optional(i)?.filter(|k| k.len() > 0));
    let scales = given(if two_inputs { 1 } else { 2 })?.map(Constant::to_floats).transpose()?;
    let sizes = given(3)?.map(Constant::symbolic).transpose()?;
    let targets = match (scales, sizes) {
        (Some(scales), None) => scales.iter().map(|&s| Target::Scale(f64::from(s))).collect(),
        (None, Some(sizes)) => {
            if sizes.len() != axes.len() {
                return Err(format!("{} sizes for {} axes", sizes.len(), axes.len()));
            }
            match policy.as_str() {
                "stretch" => sizes.iter().map(|&s| Target::Size(s)).collect(),
                "not_larger" | "not_smaller" => {
                    let mut scale: Option<f64> = None;
                    for (&at, size) in axes.iter().zip(sizes) {
                        let Int::Known(size) = size else { return Err("a size of the batch".into()) };
                        let own = *size as f64 / b.sample(x)[x.axis(at)?] as f64;
                        scale = Some(match scale {
                            None => own,
                            Some(s) if policy == "not_larger" => s.min(own),
                            Some(s) => s.max(own),
                        });
                    }
                    let scale = scale.ok_or("no axes")?;
                    axes.iter().map(|_| Target::Rounded(scale)).collect()
                }
                other => return Err(format!("keep_aspect_ratio_policy {other}")),
            }
        }
        _ => return Err("neither scales nor sizes are given".into()),
    };
    resized(b, c, x, axes, targets, &rule)
}

/// What an axis becomes.
#[derive(Clone, Copy)]
enum Target {
    /// So many times longer, rounded down.
    Scale(f64),
    /// So many times longer, rounded to the nearest.
    Rounded(f64),
    /// So long.
    Size(Int),
}

/// How a place of the result becomes a place of the operand.
struct Rule {
    transform: String,
    nearest: String,
}

fn resized(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    mut x: Tensor,
    axes: Vec<i64>,
    targets: Vec<Target>,
    rule: &Rule,
) -> Out {
    if axes.len() != targets.len() {
        return Err(format!("{} targets for {} axes", targets.len(), axes.len()));
    }
    for (at, target) in axes.into_iter().zip(targets) {
        let Some(axis) = x.within(call::axis(at, x.rank)?) else {
            match target {
                Target::Scale(s) | Target::Rounded(s) if s == 1.0 => continue,
                Target::Size(Int::Batch) => continue,
                Target::Size(Int::Known(n)) if n == b.batch_size.unwrap_or(1) => continue,
                _ => return Err("it resizes the batch".into()),
            }
        };
        let size = b.sample(x)[axis];
        let (scale, out) = match target {
            Target::Scale(s) => (s, (size as f64 * s).floor()),
            Target::Rounded(s) => (s, (size as f64 * s).round()),
            Target::Size(Int::Known(n)) => (n as f64 / size as f64, n as f64),
            Target::Size(Int::Batch) => return Err("a size of the batch".into()),
        };
        if !(1.0..=65536.0).contains(&out) || !scale.is_finite() {
            return Err(format!("a result of {out} elements along axis {at}"));
        }
        let count = out as usize;
        let indices =
            (0..count).map(|i| rule.source(i as f64, scale, size, count)).collect::<Result<Vec<_>, _>>()?;
        if !indices.iter().copied().eq(0..size) {
            let indices = indices.into_iter().map(Some).collect();
            x = b.apply(c.name, Op::Take { axis, indices }, x, &[])?;
        }
    }
    Ok(vec![Value::Node(x)])
}

impl Rule {
    fn source(&self, at: f64, scale: f64, size: usize, count: usize) -> Result<usize, String> {
        let place = match self.transform.as_str() {
            "half_pixel" => (at + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let adjustment = count as f64 / (scale * size as f64);
                size as f64 / 2.0 * (1.0 - adjustment) + (at + 0.5) / scale - 0.5
            }
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
