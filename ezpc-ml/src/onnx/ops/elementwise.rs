//! Element-wise operators, with broadcasting; most are spelled with ReLU, sums and constant factors.

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use super::super::constant::Constant;
use super::super::tensor::Tensor;
use super::arithmetic;
use crate::graph::Op;
use std::rc::Rc;

type Out = Result<Vec<Value>, String>;

pub(super) fn relu(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    one(b.apply(c.name, Op::Relu, x, &[]))
}

pub(super) fn neg(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.exact()?;
    one(uniform(b, c, x, -1.0, 0.0))
}

/// max(x, 0) and max(-x, 0).
fn halves(b: &mut Builder<'_>, c: &Call<'_, '_>, x: Tensor) -> Result<[Tensor; 2], String> {
    let minus = uniform(b, c, x, -1.0, 0.0)?;
    Ok([b.apply(c.name, Op::Relu, x, &[])?, b.apply(c.name, Op::Relu, minus, &[])?])
}

/// |x| = relu(x) + relu(-x).
pub(super) fn abs(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.exact()?;
    let [up, down] = halves(b, c, x)?;
    one(b.apply(c.name, Op::Add, up, &[down]))
}

/// relu(x) - alpha · relu(-x).
pub(super) fn leaky_relu(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.real()?;
    let alpha = c.float("alpha", 0.01)?;
    let [up, down] = halves(b, c, x)?;
    let down = uniform(b, c, down, alpha, 0.0)?;
    one(b.apply(c.name, Op::Sub, up, &[down]))
}

/// relu(x) - slope · relu(-x).
pub(super) fn prelu(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.real()?;
    let slope = c.constant(1)?.clone();
    let [up, down] = halves(b, c, x)?;
    let down = affine(b, c, down, Some(&slope), None)?;
    if down.rank != x.rank || b.sample(down) != b.sample(x) {
        return Err(format!("slopes of shape {:?} over samples of {:?}", slope.dims, b.sample(x)));
    }
    one(b.apply(c.name, Op::Sub, up, &[down]))
}

pub(super) fn clip(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let bound = |i: usize, name: &'static str| -> Result<Option<f32>, String> {
        if c.has(name) {
            return c.float(name, 0.0).map(Some);
        }
        match c.optional(i)?.map(Constant::to_bounds).transpose()?.as_deref() {
            Some([v]) => Ok(Some(*v)),
            Some(_) => Err("a bound that is no scalar".into()),
            None => Ok(None),
        }
    };
    let (low, high) = (bound(1, "min")?, bound(2, "max")?);
    one(clamp(b, c, x, low, high))
}

/// max(x, low) = low + relu(x - low), and min(x, high) = high - relu(high - x); the upper bound has the last word.
fn clamp(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    mut x: Tensor,
    low: Option<f32>,
    high: Option<f32>,
) -> Result<Tensor, String> {
    if let Some(low) = low.filter(|&v| v > -1e30) {
        let above = uniform(b, c, x, 1.0, -low)?;
        let kept = b.apply(c.name, Op::Relu, above, &[])?;
        x = uniform(b, c, kept, 1.0, low)?;
    }
    if let Some(high) = high.filter(|&v| v < 1e30) {
        let below = uniform(b, c, x, -1.0, high)?;
        let kept = b.apply(c.name, Op::Relu, below, &[])?;
        x = uniform(b, c, kept, -1.0, high)?;
    }
    Ok(x)
}

pub(super) fn hard_sigmoid(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.real()?;
    let (alpha, beta) = (c.float("alpha", 0.2)?, c.float("beta", 0.5)?);
    let line = uniform(b, c, x, alpha, beta)?;
    one(clamp(b, c, line, Some(0.0), Some(1.0)))
}

pub(super) fn hard_swish(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.real()?;
    let line = uniform(b, c, x, 1.0 / 6.0, 0.5)?;
    let gate = clamp(b, c, line, Some(0.0), Some(1.0))?;
    one(b.apply(c.name, Op::Mul, x, &[gate]))
}

pub(super) fn add(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    binary(b, c, Op::Add)
}

pub(super) fn sub(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    binary(b, c, Op::Sub)
}

pub(super) fn mul(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    binary(b, c, Op::Mul)
}

pub(super) fn div(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let Some(Value::Constant(k)) = c.value(1) else {
        return Err("division by a computed tensor is not supported".into());
    };
    let k = Rc::clone(k);
    if let Some(Value::Constant(x)) = c.value(0) {
        return Ok(vec![Value::constant(arithmetic::divide(x, &k)?)]);
    }
    let x = c.data(0)?.real()?;
    let inverse = arithmetic::map(&k, |v| 1.0 / v)?;
    one(affine(b, c, x, Some(&inverse), None))
}

fn binary(b: &mut Builder<'_>, c: &Call<'_, '_>, op: Op) -> Out {
    if c.has("broadcast") || c.has("axis") {
        return Err("the broadcasting of opset 6 is not supported".into());
    }
    match (c.value(0), c.value(1)) {
        // 1 - sigmoid(x) = sigmoid(-x).
        (Some(Value::Constant(k)), Some(Value::Squashed(x, squash)))
            if matches!(op, Op::Sub) && squash.sigmoid && k.to_floats()? == [1.0] =>
        {
            let (x, squash) = (*x, squash.clone());
            Ok(vec![Value::Squashed(uniform(b, c, x, -1.0, 0.0)?, squash)])
        }
        (Some(Value::Constant(x)), Some(Value::Constant(y))) => {
            Ok(vec![Value::constant(arithmetic::fold(&op, x, y)?)])
        }
        (Some(Value::Node(x)), Some(Value::Constant(k))) => {
            let (x, k) = (x.exact()?, Rc::clone(k));
            one(match op {
                Op::Add => affine(b, c, x, None, Some(&k)),
                Op::Sub => affine(b, c, x, None, Some(&arithmetic::map(&k, |v| -v)?)),
                _ => affine(b, c, x, Some(&k), None),
            })
        }
        (Some(Value::Constant(k)), Some(Value::Node(y))) => {
            let (y, k) = (y.exact()?, Rc::clone(k));
            one(match op {
                Op::Add => affine(b, c, y, None, Some(&k)),
                Op::Sub => {
                    let minus = uniform(b, c, y, -1.0, 0.0)?;
                    affine(b, c, minus, None, Some(&k))
                }
                _ => affine(b, c, y, Some(&k), None),
            })
        }
        _ => {
            let (x, y) = (c.data(0)?.exact()?, c.data(1)?);
            let (x, y) = matched(b, c, x, y)?;
            one(b.apply(c.name, op, x, &[y]))
        }
    }
}

pub(super) fn sum(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    one(chain(b, c, |b, c, x, y| {
        let x = x.exact()?;
        plus(b, c, x, y)
    }))
}

pub(super) fn mean(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let total = chain(b, c, plus)?.real()?;
    one(uniform(b, c, total, 1.0 / c.inputs.len() as f32, 0.0))
}

/// max(x, y) = x + relu(y - x).
pub(super) fn max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    one(chain(b, c, |b, c, x, y| {
        let difference = match y {
            Value::Constant(_) => {
                let minus = uniform(b, c, x, -1.0, 0.0)?;
                plus(b, c, minus, y)?
            }
            _ => {
                let (x, y) = pair(b, c, x, y)?;
                b.apply(c.name, Op::Sub, y, &[x])?
            }
        };
        let above = b.apply(c.name, Op::Relu, difference, &[])?;
        plus(b, c, x, &Value::Node(above))
    }))
}

/// min(x, y) = x - relu(x - y).
pub(super) fn min(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    one(chain(b, c, |b, c, x, y| {
        let difference = match y {
            Value::Constant(k) => affine(b, c, x, None, Some(&arithmetic::map(k, |v| -v)?))?,
            _ => {
                let (x, y) = pair(b, c, x, y)?;
                b.apply(c.name, Op::Sub, x, &[y])?
            }
        };
        let above = b.apply(c.name, Op::Relu, difference, &[])?;
        let (x, above) = matched(b, c, x, above)?;
        b.apply(c.name, Op::Sub, x, &[above])
    }))
}

/// x + y, where y may be constant.
fn plus(b: &mut Builder<'_>, c: &Call<'_, '_>, x: Tensor, y: &Value) -> Result<Tensor, String> {
    match y {
        Value::Constant(k) => affine(b, c, x, None, Some(k)),
        _ => {
            let (x, y) = pair(b, c, x, y)?;
            b.apply(c.name, Op::Add, x, &[y])
        }
    }
}

fn pair(b: &mut Builder<'_>, c: &Call<'_, '_>, x: Tensor, y: &Value) -> Result<(Tensor, Tensor), String> {
    match y {
        Value::Node(y) => matched(b, c, x, *y),
        _ => Err("an input that is left out at the end, such as a softmax".into()),
    }
}

/// Folds all inputs from the left, computed tensors first.
fn chain(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    f: impl Fn(&mut Builder<'_>, &Call<'_, '_>, Tensor, &Value) -> Result<Tensor, String>,
) -> Result<Tensor, String> {
    let mut inputs: Vec<&Value> = c.inputs.iter().flatten().collect();
    inputs.sort_by_key(|v| !matches!(v, Value::Node(_)));
    let Some((Value::Node(first), rest)) = inputs.split_first() else {
        return Err("it has no computed input".into());
    };
    rest.iter().try_fold(*first, |all, next| f(b, c, all, next))
}

/// Two computed tensors brought to one shape.
pub(super) fn matched(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: Tensor,
    y: Tensor,
) -> Result<(Tensor, Tensor), String> {
    let rank = x.rank.max(y.rank);
    let (x, y) = (b.raise(c.name, x, rank)?, b.raise(c.name, y, rank)?);
    if x.batch != y.batch {
        return Err("it would align the batch with another axis".into());
    }
    let shape: Vec<usize> = b.sample(x).iter().zip(b.sample(y)).map(|(&a, &d)| a.max(d)).collect();
    Ok((b.spread(c.name, x, &shape)?, b.spread(c.name, y, &shape)?))
}

/// `scale · x + shift` with the same two numbers everywhere.
pub(super) fn uniform(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: Tensor,
    scale: f32,
    shift: f32,
) -> Result<Tensor, String> {
    let n = b.shape(x.node)[0];
    b.apply(c.name, Op::Affine { axis: 0, scale: vec![scale; n], shift: vec![shift; n] }, x, &[])
}

/// `scale · x + shift` with constants that broadcast; one of the two is given.
pub(super) fn affine(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: Tensor,
    scale: Option<&Constant>,
    shift: Option<&Constant>,
) -> Result<Tensor, String> {
    let given = scale.or(shift).ok_or("a constant is missing")?;
    let values = given.to_floats()?;
    let pair = |values: Vec<f32>| match scale {
        Some(_) => (values.clone(), vec![0.0; values.len()]),
        None => (vec![1.0; values.len()], values),
    };
    let rank = x.rank.max(given.dims.len());
    let x = b.raise(c.name, x, rank)?;
    // The constant's shape along the axes of the sample.
    let mut dims = vec![1; rank - given.dims.len()];
    dims.extend(&given.dims);
    let misfit = |b: &Builder<'_>| {
        format!("a constant of shape {:?} over samples of shape {:?}", given.dims, b.sample(x))
    };
    if x.batch.is_some_and(|at| dims.remove(at) != 1) || dims.contains(&0) {
        return Err(misfit(b));
    }
    let shape: Vec<usize> = b.sample(x).iter().zip(&dims).map(|(&a, &d)| a.max(d)).collect();
    if dims.iter().zip(&shape).any(|(&d, &s)| d != s && d != 1) {
        return Err(misfit(b));
    }
    let x = b.spread(c.name, x, &shape)?;
    let varying: Vec<usize> = (0..dims.len()).filter(|&d| dims[d] != 1).collect();
    if varying.len() <= 1 {
        let axis = varying.first().copied().unwrap_or(0);
        let values = if varying.is_empty() { vec![values[0]; b.shape(x.node)[axis]] } else { values };
        let (scale, shift) = pair(values);
        return b.apply(c.name, Op::Affine { axis, scale, shift }, x, &[]);
    }
    // The constant varies along several axes: one factor for each element of the sample.
    let (scale, shift) = pair(arithmetic::places(&dims, &shape).into_iter().map(|i| values[i]).collect());
    let flat = b.reshape(c.name, x, &[scale.len()], None)?;
    let y = b.apply(c.name, Op::Affine { axis: 0, scale, shift }, flat, &[])?;
    b.reshape(c.name, y, &shape, x.batch)
}

fn one(y: Result<Tensor, String>) -> Out {
    Ok(vec![Value::Node(y?)])
}
