//! Arithmetic on constants, with broadcasting; integers are exact.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::super::constant::{Constant, Data, Int};
use crate::graph::{Op, elements};

/// Sum, difference or product.
pub(super) fn fold(op: &Op, x: &Constant, y: &Constant) -> Result<Constant, String> {
    match op {
        Op::Add => zip(x, y, i64::checked_add, |a, b| a + b),
        Op::Sub => zip(x, y, i64::checked_sub, |a, b| a - b),
        _ => zip(x, y, i64::checked_mul, |a, b| a * b),
    }
}

/// Quotient; that of integers is truncated towards zero.
pub(super) fn divide(x: &Constant, y: &Constant) -> Result<Constant, String> {
    zip(x, y, i64::checked_div, |a, b| a / b)
}

/// Each value by itself, as a float.
pub(super) fn map(k: &Constant, f: fn(f32) -> f32) -> Result<Constant, String> {
    let values = k.to_floats()?.into_iter().map(f).collect();
    Ok(Constant { dims: k.dims.clone(), data: Data::Floats(values) })
}

fn zip(
    x: &Constant,
    y: &Constant,
    ints: fn(i64, i64) -> Option<i64>,
    floats: fn(f32, f32) -> f32,
) -> Result<Constant, String> {
    let rank = x.dims.len().max(y.dims.len());
    let raised = |k: &Constant| [&vec![1; rank - k.dims.len()], k.dims.as_slice()].concat();
    let (xs, ys) = (raised(x), raised(y));
    let dims: Vec<usize> = xs.iter().zip(&ys).map(|(&a, &b)| if a == 1 { b } else { a }).collect();
    if [&xs, &ys].iter().any(|k| k.iter().zip(&dims).any(|(&a, &d)| a != 1 && a != d)) {
        return Err(format!("constants of shapes {:?} and {:?}", x.dims, y.dims));
    }
    if !dims.is_empty() {
        elements(&dims).map_err(|e| e.to_string())?;
    }
    let pairs = places(&xs, &dims).into_iter().zip(places(&ys, &dims));
    let data = match (&x.data, &y.data) {
        (Data::Ints(_), Data::Ints(_)) => {
            let (a, b) = (x.to_ints()?, y.to_ints()?);
            let values: Option<Vec<Int>> = pairs.map(|(i, j)| ints(a[i], b[j]).map(Int::Known)).collect();
            Data::Ints(values.ok_or("integers that overflow or are divided by 0")?)
        }
        _ => {
            let (a, b) = (x.to_floats()?, y.to_floats()?);
            let values: Vec<f32> = pairs.map(|(i, j)| floats(a[i], b[j])).collect();
            if values.iter().any(|v| v.is_nan()) {
                return Err("a result that is no number".into());
            }
            Data::Floats(values)
        }
    };
    Ok(Constant { dims, data })
}

/// For each element of `shape` its place in a tensor of shape `dims` that broadcasts to it.
pub(super) fn places(dims: &[usize], shape: &[usize]) -> Vec<usize> {
    let mut all = vec![0];
    for (d, &size) in shape.iter().enumerate() {
        let stride: usize = dims[d + 1..].iter().product();
        all = all
            .iter()
            .flat_map(|&p: &usize| (0..size).map(move |i| (p, i)))
            .map(|(p, i)| if dims[d] == 1 { p } else { p + i * stride })
            .collect();
    }
    all
}
