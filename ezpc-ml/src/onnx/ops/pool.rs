//! Poolings and reductions.

use super::super::builder::{Builder, Value};
use super::super::call::{Call, sample_axis};
use super::linear::{in_two_dimensions, window};
use crate::graph::{Op, Window};

pub(super) fn max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    // The order in which indices would count; indices are not offered.
    c.int("storage_order", 0)?;
    let (window, _) = pool_window(b, c, x)?;
    in_two_dimensions(b, c.name, x, Op::MaxPool(window)).map(|y| vec![Value::Node(y)])
}

pub(super) fn average(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    let with_padding = c.int("count_include_pad", 0)? != 0;
    let (window, extra) = pool_window(b, c, x)?;
    let mut counted = [0; 4];
    if with_padding {
        counted = window.padding;
        counted[2] -= extra[0];
        counted[3] -= extra[1];
    }
    in_two_dimensions(b, c.name, x, Op::AvgPool { window, counted }).map(|y| vec![Value::Node(y)])
}

fn pool_window(b: &Builder<'_>, c: &Call<'_, '_>, x: usize) -> Result<(Window, [usize; 2]), String> {
    let kernel = c
        .ints("kernel_shape")
        .ok_or("it has no kernel_shape")?
        .iter()
        .map(|&k| usize::try_from(k).map_err(|_| "a negative kernel"))
        .collect::<Result<Vec<_>, _>>()?;
    let shape = b.shape(x);
    let (window, extra) = window(c, &kernel, shape.get(1..).unwrap_or_default())?;
    let input = match *shape {
        [_, w] => [1, w],
        [_, h, w] => [h, w],
        _ => return Err(format!("pooling of a sample of shape {shape:?}")),
    };
    if !window.never_empty(input) {
        return Err("a window that covers nothing but padding".into());
    }
    Ok((window, extra))
}

pub(super) fn global_average(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    global(b, c, x, |kernel| Op::AvgPool { window: Window::whole(kernel), counted: [0; 4] })
}

pub(super) fn global_max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    let x = c.data(0)?;
    global(b, c, x, |kernel| Op::MaxPool(Window::whole(kernel)))
}

fn global(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: usize,
    op: impl FnOnce([usize; 2]) -> Op,
) -> Result<Vec<Value>, String> {
    let kernel = match *b.shape(x) {
        [_, w] => [1, w],
        [_, h, w] => [h, w],
        _ => return Err(format!("pooling of a sample of shape {:?}", b.shape(x))),
    };
    in_two_dimensions(b, c.name, x, op(kernel)).map(|y| vec![Value::Node(y)])
}

pub(super) fn reduce_mean(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    reduce(b, c, |kernel| Op::AvgPool { window: Window::whole(kernel), counted: [0; 4] }).map(|(y, _)| y)
}

pub(super) fn reduce_max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    reduce(b, c, |kernel| Op::MaxPool(Window::whole(kernel))).map(|(y, _)| y)
}

pub(super) fn reduce_sum(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<Vec<Value>, String> {
    // A sum is a product with a column of ones.
    let (y, _) = reduce(b, c, |kernel| {
        let weights = vec![1.0; kernel[1]].into();
        Op::Dense { weights, bias: vec![0.0] }
    })?;
    Ok(y)
}

/// Brings the reduced axes to the end, as `[kept, 1, reduced]`, and applies `op` there.
fn reduce(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    op: impl FnOnce([usize; 2]) -> Op,
) -> Result<(Vec<Value>, usize), String> {
    let x = c.data(0)?;
    let shape = b.shape(x).to_vec();
    let keep = c.int("keepdims", 1)? != 0;
    let noop = c.int("noop_with_empty_axes", 0)? != 0;
    let given = match c.ints("axes") {
        Some(axes) => Some(axes.to_vec()),
        None => c.optional(1)?.map(|axes| axes.to_ints()).transpose()?,
    };
    let axes = match given {
        Some(axes) if !axes.is_empty() => axes,
        _ if noop => return Ok((vec![Value::Node(x)], 1)),
        _ => return Err("it reduces over the batch, samples are independent here".into()),
    };
    let axes = axes.iter().map(|&a| sample_axis(a, shape.len())).collect::<Result<Vec<_>, _>>()?;
    let mut order: Vec<usize> = (0..shape.len()).filter(|d| !axes.contains(d)).collect();
    let kept: usize = order.iter().map(|&d| shape[d]).product();
    let reduced: usize = (0..shape.len()).filter(|d| axes.contains(d)).map(|d| shape[d]).product();
    order.extend((0..shape.len()).filter(|d| axes.contains(d)));
    let mut y = x;
    if !order.is_sorted() {
        y = b.push(c.name, Op::Permute(order), &[y])?;
    }
    y = b.push(c.name, Op::Reshape(vec![kept, 1, reduced]), &[y])?;
    y = b.push(c.name, op([1, reduced]), &[y])?;
    let mut result: Vec<usize> = (0..shape.len())
        .filter(|d| keep || !axes.contains(d))
        .map(|d| if axes.contains(&d) { 1 } else { shape[d] })
        .collect();
    if result.is_empty() {
        result.push(1);
    }
    y = b.push(c.name, Op::Reshape(result), &[y])?;
    Ok((vec![Value::Node(y)], reduced))
}
