//! Element-wise operators, with broadcasting; most are spelled with ReLU, sums and constant factors.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use super::super::constant::{Constant, Data};
use crate::graph::Op;
use std::rc::Rc;

type Out = Result<Vec<Value>, String>;

pub(super) fn relu(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    one(b.push(c.name, Op::Relu, &[x]))
}

pub(super) fn neg(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    one(uniform(b, c, x, -1.0, 0.0))
}

/// |x| = relu(x) + relu(-x).
pub(super) fn abs(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let minus = uniform(b, c, x, -1.0, 0.0)?;
    let (up, down) = (b.push(c.name, Op::Relu, &[x])?, b.push(c.name, Op::Relu, &[minus])?);
    one(b.push(c.name, Op::Add, &[up, down]))
}

/// relu(x) - alpha · relu(-x).
pub(super) fn leaky_relu(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let alpha = c.float("alpha", 0.01)?;
    let minus = uniform(b, c, x, -1.0, 0.0)?;
    let (up, down) = (b.push(c.name, Op::Relu, &[x])?, b.push(c.name, Op::Relu, &[minus])?);
    let down = uniform(b, c, down, alpha, 0.0)?;
    one(b.push(c.name, Op::Sub, &[up, down]))
}

/// relu(x) - slope · relu(-x).
pub(super) fn prelu(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let slope = c.constant(1)?.clone();
    let minus = uniform(b, c, x, -1.0, 0.0)?;
    let (up, down) = (b.push(c.name, Op::Relu, &[x])?, b.push(c.name, Op::Relu, &[minus])?);
    let down = affine(b, c, down, Some(&slope), None)?;
    one(b.push(c.name, Op::Sub, &[up, down]))
}

pub(super) fn clip(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let bound = |i: usize, name: &'static str| -> Result<Option<f32>, String> {
        if c.has(name) {
            return c.float(name, 0.0).map(Some);
        }
        match c.optional(i)?.map(Constant::to_floats).transpose()?.as_deref() {
            Some([v]) => Ok(Some(*v)),
            Some(_) => Err("a bound that is no scalar".into()),
            None => Ok(None),
        }
    };
    let (low, high) = (bound(1, "min")?, bound(2, "max")?);
    if let (Some(low), Some(high)) = (low, high)
        && low > high
    {
        return Err(format!("a minimum of {low} above the maximum of {high}"));
    }
    one(clamp(b, c, x, low, high))
}

/// max(x, low) = low + relu(x - low), and min(x, high) = high - relu(high - x).
fn clamp(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    mut x: usize,
    low: Option<f32>,
    high: Option<f32>,
) -> Result<usize, String> {
    if let Some(low) = low.filter(|&v| v > -1e30) {
        let above = uniform(b, c, x, 1.0, -low)?;
        let kept = b.push(c.name, Op::Relu, &[above])?;
        x = uniform(b, c, kept, 1.0, low)?;
    }
    if let Some(high) = high.filter(|&v| v < 1e30) {
        let below = uniform(b, c, x, -1.0, high)?;
        let kept = b.push(c.name, Op::Relu, &[below])?;
        x = uniform(b, c, kept, -1.0, high)?;
    }
    Ok(x)
}

pub(super) fn hard_sigmoid(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let (alpha, beta) = (c.float("alpha", 0.2)?, c.float("beta", 0.5)?);
    let line = uniform(b, c, x, alpha, beta)?;
    one(clamp(b, c, line, Some(0.0), Some(1.0)))
}

pub(super) fn hard_swish(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let line = uniform(b, c, x, 1.0 / 6.0, 0.5)?;
    let gate = clamp(b, c, line, Some(0.0), Some(1.0))?;
    one(b.push(c.name, Op::Mul, &[x, gate]))
}

pub(super) fn add(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    binary(b, c, Op::Add, |x, y| x + y)
}

pub(super) fn sub(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    binary(b, c, Op::Sub, |x, y| x - y)
}

pub(super) fn mul(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    binary(b, c, Op::Mul, |x, y| x * y)
}

pub(super) fn div(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    if !c.is_constant(1) {
        return Err("division by a computed tensor is not supported".into());
    }
    if c.is_constant(0) {
        return Err("division of constants is not supported".into());
    }
    let x = c.data(0)?;
    let inverse = map(c.constant(1)?, |v| 1.0 / v)?;
    one(affine(b, c, x, Some(&inverse), None))
}

fn binary(b: &mut Builder<'_>, c: &Call<'_, '_>, op: Op, f: fn(f32, f32) -> f32) -> Out {
    if c.has("broadcast") || c.has("axis") {
        return Err("the broadcasting of opset 6 is not supported".into());
    }
    match (c.value(0), c.value(1)) {
        // 1 - sigmoid(x) = sigmoid(-x).
        (Some(Value::Constant(k)), Some(Value::Squashed { node, sigmoid: true }))
            if matches!(op, Op::Sub) && k.to_floats()? == [1.0] =>
        {
            let node = uniform(b, c, *node, -1.0, 0.0)?;
            Ok(vec![Value::Squashed { node, sigmoid: true }])
        }
        (Some(Value::Constant(x)), Some(Value::Constant(y))) => Ok(vec![Value::constant(fold(x, y, f)?)]),
        (Some(Value::Node(x)), Some(Value::Constant(k))) => {
            let (x, k) = (*x, Rc::clone(k));
            one(match op {
                Op::Add => affine(b, c, x, None, Some(&k)),
                Op::Sub => affine(b, c, x, None, Some(&map(&k, |v| -v)?)),
                _ => affine(b, c, x, Some(&k), None),
            })
        }
        (Some(Value::Constant(k)), Some(Value::Node(y))) => {
            let (y, k) = (*y, Rc::clone(k));
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
            let (x, y) = (c.data(0)?, c.data(1)?);
            let (x, y) = matched(b, c, x, y)?;
            one(b.push(c.name, op, &[x, y]))
        }
    }
}

/// Constant times constant and the like, of one shape or with a scalar.
fn fold(x: &Constant, y: &Constant, f: fn(f32, f32) -> f32) -> Result<Constant, String> {
    let (dims, n) = if x.len() >= y.len() { (&x.dims, x.len()) } else { (&y.dims, y.len()) };
    if (x.len() != n && x.len() != 1)
        || (y.len() != n && y.len() != 1)
        || (x.len() == n && y.len() == n && x.dims != y.dims)
    {
        return Err(format!("constants of {:?} and {:?}", x.dims, y.dims));
    }
    let at = |v: &[f32], i: usize| v[if v.len() == 1 { 0 } else { i }];
    let ints = matches!((&x.data, &y.data), (Data::Ints(_), Data::Ints(_)));
    let (a, b) = (x.to_floats()?, y.to_floats()?);
    let values: Vec<f32> = (0..n).map(|i| f(at(&a, i), at(&b, i))).collect();
    if !ints {
        return Ok(Constant { dims: dims.clone(), data: Data::Floats(values) });
    }
    // Integers here are shapes and indices, far below 2^24, where single precision is exact.
    if values.iter().any(|v| v.abs() >= 16_777_216.0) {
        return Err("integer constants beyond 2^24".into());
    }
    let mut whole = Constant::ints(values.iter().map(|&v| v as i64));
    whole.dims.clone_from(dims);
    Ok(whole)
}

pub(super) fn sum(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    chain(b, c, plus)
}

pub(super) fn mean(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let total = chain(b, c, plus)?;
    let [Value::Node(x)] = total.as_slice() else { return Ok(total) };
    one(uniform(b, c, *x, 1.0 / c.inputs.len() as f32, 0.0))
}

/// max(x, y) = x + relu(y - x).
pub(super) fn max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    chain(b, c, |b, c, x, y| {
        let difference = match y {
            Value::Constant(_) => {
                let minus = uniform(b, c, x, -1.0, 0.0)?;
                plus(b, c, minus, y)?
            }
            _ => {
                let (x, y) = pair(b, c, x, y)?;
                b.push(c.name, Op::Sub, &[y, x])?
            }
        };
        let above = b.push(c.name, Op::Relu, &[difference])?;
        plus(b, c, x, &Value::Node(above))
    })
}

/// min(x, y) = x - relu(x - y).
pub(super) fn min(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    chain(b, c, |b, c, x, y| {
        let difference = match y {
            Value::Constant(k) => affine(b, c, x, None, Some(&map(k, |v| -v)?))?,
            _ => {
                let (x, y) = pair(b, c, x, y)?;
                b.push(c.name, Op::Sub, &[x, y])?
            }
        };
        let above = b.push(c.name, Op::Relu, &[difference])?;
        let (x, above) = matched(b, c, x, above)?;
        b.push(c.name, Op::Sub, &[x, above])
    })
}

/// x + y, where y may be constant.
fn plus(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize, y: &Value) -> Result<usize, String> {
    match y {
        Value::Constant(k) => affine(b, c, x, None, Some(k)),
        _ => {
            let (x, y) = pair(b, c, x, y)?;
            b.push(c.name, Op::Add, &[x, y])
        }
    }
}

fn pair(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize, y: &Value) -> Result<(usize, usize), String> {
    let Value::Node(y) = y else { return Err("an input is missing".into()) };
    matched(b, c, x, *y)
}

/// Folds all inputs from the left, computed tensors first.
fn chain(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    f: impl Fn(&mut Builder<'_>, &Call<'_, '_>, usize, &Value) -> Result<usize, String>,
) -> Out {
    let mut inputs: Vec<&Value> = c.inputs.iter().flatten().collect();
    inputs.sort_by_key(|v| !matches!(v, Value::Node(_)));
    let Some((Value::Node(first), rest)) = inputs.split_first() else {
        return Err("it has no computed input".into());
    };
    let mut all = *first;
    for next in rest {
        all = f(b, c, all, next)?;
    }
    one(Ok(all))
}

/// Two computed tensors brought to one shape.
fn matched(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize, y: usize) -> Result<(usize, usize), String> {
    let (xs, ys) = (b.shape(x).to_vec(), b.shape(y).to_vec());
    if xs.len() != ys.len() {
        return Err(format!("operands of shape {xs:?} and {ys:?} for one sample"));
    }
    let shape: Vec<usize> = xs.iter().zip(&ys).map(|(&a, &b)| a.max(b)).collect();
    Ok((expand(b, c.name, x, &shape)?, expand(b, c.name, y, &shape)?))
}

/// Repeats `x` along its axes of one element until it has `shape`.
pub(super) fn expand(
    b: &mut Builder<'_>,
    name: &str,
    mut x: usize,
    shape: &[usize],
) -> Result<usize, String> {
    for (axis, &size) in shape.iter().enumerate() {
        let have = b.shape(x)[axis];
        if have != size {
            if have != 1 {
                return Err(format!("cannot spread shape {:?} to {shape:?}", b.shape(x)));
            }
            x = b.push(name, Op::Take { axis, indices: vec![Some(0); size] }, &[x])?;
        }
    }
    Ok(x)
}

/// `scale · x + shift` with the same two numbers everywhere.
fn uniform(b: &mut Builder<'_>, c: &Call<'_, '_>, x: usize, scale: f32, shift: f32) -> Result<usize, String> {
    let n = b.shape(x)[0];
    b.push(c.name, Op::Affine { axis: 0, scale: vec![scale; n], shift: vec![shift; n] }, &[x])
}

/// `scale · x + shift` with constants that broadcast.
fn affine(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: usize,
    scale: Option<&Constant>,
    shift: Option<&Constant>,
) -> Result<usize, String> {
    let given = scale.or(shift).expect("one of the two is given");
    if scale.is_some_and(|s| s.to_floats().is_ok_and(|v| v.iter().any(|v| !v.is_finite()))) {
        return Err("a factor that is not finite".into());
    }
    let rank = b.shape(x).len();
    let trailing = given.dims.len().min(rank);
    let lead = given.dims.len() - trailing;
    if given.dims[..lead].iter().any(|&d| d != 1) || lead > 1 {
        return Err(format!("a constant of shape {:?} over samples of {:?}", given.dims, b.shape(x)));
    }
    let mut dims = vec![1; rank - trailing];
    dims.extend(&given.dims[lead..]);
    let shape: Vec<usize> = b.shape(x).iter().zip(&dims).map(|(&a, &d)| a.max(d)).collect();
    let x = expand(b, c.name, x, &shape)?;
    if dims.iter().zip(&shape).any(|(&d, &s)| d != s && d != 1) {
        return Err(format!("a constant of shape {:?} over samples of {shape:?}", given.dims));
    }
    let varying: Vec<usize> = (0..rank).filter(|&d| dims[d] != 1).collect();
    let values = given.to_floats()?;
    let pair = |values: Vec<f32>| match scale {
        Some(_) => (values.clone(), vec![0.0; values.len()]),
        None => (vec![1.0; values.len()], values),
    };
    if varying.len() <= 1 {
        let axis = varying.first().copied().unwrap_or(0);
        let values = if varying.is_empty() { vec![values[0]; shape[axis]] } else { values };
        let (scale, shift) = pair(values);
        return b.push(c.name, Op::Affine { axis, scale, shift }, &[x]);
    }
    // The constant varies along several axes: one factor for each element of the sample.
    let mut spread = vec![0];
    for (d, &size) in shape.iter().enumerate() {
        let stride: usize = dims[d + 1..].iter().product();
        spread = spread
            .iter()
            .flat_map(|&p: &usize| (0..size).map(move |i| (p, i)))
            .map(|(p, i)| if dims[d] == 1 { p } else { p + i * stride })
            .collect();
    }
    let (scale, shift) = pair(spread.into_iter().map(|i| values[i]).collect());
    let flat = b.push(c.name, Op::Reshape(vec![scale.len()]), &[x])?;
    let y = b.push(c.name, Op::Affine { axis: 0, scale, shift }, &[flat])?;
    b.push(c.name, Op::Reshape(shape), &[y])
}

fn map(k: &Constant, f: fn(f32) -> f32) -> Result<Constant, String> {
    let values = k.to_floats()?.into_iter().map(f).collect();
    Ok(Constant { dims: k.dims.clone(), data: Data::Floats(values) })
}

fn one(y: Result<usize, String>) -> Out {
    Ok(vec![Value::Node(y?)])
}
