//! Operators of `ai.onnx.ml`, as scikit-learn exports them: scaling, linear models, trees and forests.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod trees;

pub(super) use trees::{classifier as tree_classifier, regressor as tree_regressor};

use super::super::builder::{Builder, Squash, Value};
use super::super::call::Call;
use super::pool::on_samples;
use crate::graph::{Decision, Op};

type Out = Result<Vec<Value>, String>;

/// `(x - offset) · scale`.
pub(super) fn scaler(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    on_samples(b, c, |b, x| {
        let features = features(b, x)?;
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
        b.push(c.name, Op::Affine { axis: 0, scale, shift }, &[x])
    })
}

pub(super) fn linear_classifier(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let classes = class_labels(c, "classlabels_ints")?;
    // How the rows came about; they are all here.
    c.int("multi_class", 0)?;
    let y = on_samples(b, c, |b, x| {
        let y = rows(b, c, x)?;
        if b.shape(y)[0] != classes && (b.shape(y)[0], classes) != (1, 2) {
            return Err(format!("{} rows of coefficients for {classes} classes", b.shape(y)[0]));
        }
        Ok(y)
    })?;
    scores(b, c, y)
}

pub(super) fn linear_regressor(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let targets = c.int("targets", 1)?;
    if c.text("post_transform", "NONE") != "NONE" {
        return Err("post_transform is not supported".into());
    }
    on_samples(b, c, |b, x| {
        let y = rows(b, c, x)?;
        let found = b.shape(y)[0];
        if usize::try_from(targets) == Ok(found) {
            Ok(y)
        } else {
            Err(format!("{found} rows of coefficients for {targets} targets"))
        }
    })
}

/// A positive factor for each sample, which keeps the order of its values: nothing to do at the output.
pub(super) fn normalizer(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let norm = c.text("norm", "MAX");
    let (x, before) = match c.value(0) {
        Some(Value::Squashed(x, squash)) if squash.sigmoid || squash.axes.contains(&1) => (*x, Some(squash)),
        _ => (c.data(0)?, None),
    };
    if x.rank != 2 || b.sample(x).is_empty() {
        return Err(format!("samples of shape {:?}, not vectors", b.sample(x)));
    }
    match (norm.as_str(), before) {
        ("L1" | "L2", _) | ("MAX", Some(_)) => {}
        // The largest value may be negative, and then the order is turned around.
        ("MAX", None) => return Err("norm MAX is only supported on probabilities".into()),
        (other, _) => return Err(format!("norm {other}")),
    }
    let name = before.map_or_else(String::new, |s| format!("{} and a ", s.name)) + &format!("{norm} norm");
    Ok(vec![Value::Squashed(x, Squash { name, axes: 1..2, sigmoid: false })])
}

/// The product with `coefficients`, one row an output, plus `intercepts`.
fn rows(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize) -> Result<usize, String> {
    let weights = c.floats("coefficients").ok_or("it has no coefficients")?.to_vec();
    let features = features(b, x)?;
    let outputs = weights.len() / features;
    let bias = c.floats("intercepts").map_or(vec![0.0; outputs], <[f32]>::to_vec);
    if weights.iter().chain(&bias).any(|v| !v.is_finite()) {
        return Err("a coefficient that is not finite".into());
    }
    b.push(c.name, Op::Dense { weights: weights.into(), bias }, &[x])
}

/// Label and scores of a classifier; what `post_transform` does keeps their order.
fn scores(b: &Builder<'_>, c: &Call<'_, '_>, y: Vec<Value>) -> Out {
    let [Value::Node(y)] = *y.as_slice() else { return Err("no scores".into()) };
    let squashed = |name: &str, sigmoid| {
        Value::Squashed(y, Squash { name: name.into(), axes: y.rank - 1..y.rank, sigmoid })
    };
    let value = match c.text("post_transform", "NONE").as_str() {
        "NONE" => Value::Node(y),
        "LOGISTIC" => squashed("sigmoid", true),
        // A softmax of one score says nothing.
        "SOFTMAX" if b.sample(y).last().is_some_and(|&n| n > 1) => squashed("softmax", false),
        other => return Err(format!("post_transform {other} is not supported")),
    };
    Ok(vec![Value::Label(y.node, Decision::ArgMax), value])
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

/// The number of features of samples that are vectors.
fn features(b: &Builder<'_>, x: usize) -> Result<usize, String> {
    match *b.shape(x) {
        [features] => Ok(features),
        ref other => Err(format!("samples of shape {other:?}, not vectors")),
    }
}

/// Probabilities as a list of maps are the probabilities.
pub(super) fn zip_map(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    class_labels(c, "classlabels_int64s")?;
    Ok(vec![c.value(0).cloned().ok_or("input 0 is missing")?])
}

/// The labels 0, 1, 2, … at the index of a label are the label.
pub(super) fn array_feature_extractor(_: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let (labels, Some(Value::Label(y, how))) = (c.constant(0)?.to_ints()?, c.value(1)) else {
        return Err("only picking the label of an argmax is supported".into());
    };
    if !labels.iter().copied().eq(0..labels.len() as i64) {
        return Err(format!("class labels {labels:?}, only 0, 1, 2, … are supported"));
    }
    Ok(vec![Value::Label(*y, *how)])
}
