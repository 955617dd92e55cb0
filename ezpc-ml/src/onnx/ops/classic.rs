//! Operators of `ai.onnx.ml`, as scikit-learn exports them: scaling, linear models, trees and forests.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod trees;

pub(super) use trees::{classifier as tree_classifier, regressor as tree_regressor};

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use crate::graph::Op;

type Out = Result<Vec<Value>, String>;

/// `(x - offset) · scale`.
pub(super) fn scaler(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = vector(b, c)?;
    let features = b.shape(x)[0];
    let spread = |name: &'static str, default: f32| match c.floats(name) {
        None => Ok(vec![default; features]),
        Some([one]) => Ok(vec![*one; features]),
        Some(all) if all.len() == features => Ok(all.to_vec()),
        Some(all) => Err(format!("attribute `{name}` of {} values for {features} features", all.len())),
    };
    let (offset, scale) = (spread("offset", 0.0)?, spread("scale", 1.0)?);
    if offset.iter().chain(&scale).any(|v| !v.is_finite()) {
        return Err("an offset or scale that is not finite".into());
    }
    let shift = offset.iter().zip(&scale).map(|(&o, &s)| (-f64::from(o) * f64::from(s)) as f32).collect();
    let y = b.push(c.name, Op::Affine { axis: 0, scale, shift }, &[x])?;
    Ok(vec![Value::Node(y)])
}

pub(super) fn linear_classifier(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = vector(b, c)?;
    let classes = class_labels(c, "classlabels_ints")?;
    // How the rows came about; they are all here.
    c.int("multi_class", 0)?;
    let y = rows(b, c, x)?;
    if b.shape(y)[0] != classes && (b.shape(y)[0], classes) != (1, 2) {
        return Err(format!("{} rows of coefficients for {classes} classes", b.shape(y)[0]));
    }
    scores(c, y)
}

pub(super) fn linear_regressor(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = vector(b, c)?;
    c.int("targets", 1)?;
    if c.text("post_transform", "NONE") != "NONE" {
        return Err("post_transform is not supported".into());
    }
    let y = rows(b, c, x)?;
    Ok(vec![Value::Node(y)])
}

/// The product with `coefficients`, one row an output, plus `intercepts`.
fn rows(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize) -> Result<usize, String> {
    let weights = c.floats("coefficients").ok_or("it has no coefficients")?.to_vec();
    let features = b.shape(x)[0];
    let outputs = weights.len() / features;
    let bias = c.floats("intercepts").map_or(vec![0.0; outputs], <[f32]>::to_vec);
    if weights.iter().chain(&bias).any(|v| !v.is_finite()) {
        return Err("a coefficient that is not finite".into());
    }
    b.push(c.name, Op::Dense { weights: weights.into(), bias }, &[x])
}

/// Label and scores of a classifier; what `post_transform` does keeps their order.
fn scores(c: &Call<'_, '_>, y: usize) -> Out {
    Ok(match c.text("post_transform", "NONE").as_str() {
        "NONE" => vec![Value::Label(y), Value::Node(y)],
        "LOGISTIC" => vec![Value::Label(y), Value::Squashed { node: y, sigmoid: true }],
        "SOFTMAX" => vec![Value::Label(y), Value::Squashed { node: y, sigmoid: false }],
        other => return Err(format!("post_transform {other} is not supported")),
    })
}

/// The number of classes, whose labels are 0, 1, 2, …
fn class_labels(c: &Call<'_, '_>, name: &'static str) -> Result<usize, String> {
    let labels = c.ints(name).ok_or("only integer class labels are supported")?;
    if labels.iter().copied().eq(0..labels.len() as i64) && labels.len() > 1 {
        Ok(labels.len())
    } else {
        Err(format!("class labels {labels:?}, only 0, 1, 2, … are supported"))
    }
}

fn vector(b: &Builder<'_>, c: &Call<'_, '_>) -> Result<usize, String> {
    let x = c.data(0)?;
    if b.shape(x).len() == 1 { Ok(x) } else { Err(format!("samples of shape {:?}, not vectors", b.shape(x))) }
}

/// Probabilities as a list of maps are the probabilities.
pub(super) fn zip_map(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    class_labels(c, "classlabels_int64s")?;
    Ok(vec![c.value(0).cloned().ok_or("input 0 is missing")?])
}

/// The labels 0, 1, 2, … at the index of a label are the label.
pub(super) fn array_feature_extractor(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let (labels, Some(Value::Label(y))) = (c.constant(0)?.to_ints()?, c.value(1)) else {
        return Err("only picking the label of an argmax is supported".into());
    };
    if !labels.iter().copied().eq(0..labels.len() as i64) {
        return Err(format!("class labels {labels:?}, only 0, 1, 2, … are supported"));
    }
    Ok(vec![Value::Label(*y)])
}
