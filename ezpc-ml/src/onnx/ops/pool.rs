//! Poolings and reductions.

use super::super::builder::{Builder, Value};
use super::super::call::Call;
use super::super::tensor::Tensor;
use super::elementwise::uniform;
use super::linear::{Axis, axes, in_two_dimensions, window};
use crate::graph::{Op, Window};

type Out = Result<Vec<Value>, String>;

/// What `f` makes of the samples of input 0.
pub(super) fn on_samples(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    f: impl FnOnce(&mut Builder<'_>, usize) -> Result<usize, String>,
) -> Out {
    let x = c.data(0)?;
    let node = b.samples(c.name, x)?;
    let y = f(b, node)?;
    Ok(vec![Value::Node(b.back(c.name, x, y)?)])
}

pub(super) fn max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    // The order in which indices would count; indices are not offered.
    c.int("storage_order", 0)?;
    on_samples(b, c, |b, x| pool(b, c, x, |axes| Op::MaxPool(window(axes))))
}

pub(super) fn average(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let with_padding = c.int("count_include_pad", 0)? != 0;
    on_samples(b, c, |b, x| {
        pool(b, c, x, |axes| {
            let window = window(axes);
            let mut counted = [0; 4];
            if with_padding {
                counted = window.padding;
                for (d, axis) in axes.iter().enumerate() {
                    counted[4 - axes.len() + d] -= axis.extra;
                }
            }
            Op::AvgPool { window, counted }
        })
    })
}

/// A pooling whose windows are a product of windows along the axes, as maxima and means are. In three dimensions it
/// pools height and width first and depth then.
fn pool(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: usize,
    op: impl Fn(&[Axis]) -> Op,
) -> Result<usize, String> {
    let kernel = c
        .ints("kernel_shape")
        .ok_or("it has no kernel_shape")?
        .iter()
        .map(|&k| usize::try_from(k).map_err(|_| "a negative kernel"))
        .collect::<Result<Vec<_>, _>>()?;
    let shape = b.shape(x).to_vec();
    let axes = axes(c, &kernel, shape.get(1..).unwrap_or_default())?;
    match *shape.as_slice() {
        [_, w] => {
            never_empty(&axes, [1, w])?;
            in_two_dimensions(b, c.name, x, op(&axes))
        }
        [_, h, w] => {
            never_empty(&axes, [h, w])?;
            b.push(c.name, op(&axes), &[x])
        }
        [channels, d, h, w] => {
            never_empty(&axes[..1], [1, d])?;
            never_empty(&axes[1..], [h, w])?;
            let planes = b.push(c.name, Op::Reshape(vec![channels * d, h, w]), &[x])?;
            let planes = b.push(c.name, op(&axes[1..]), &[planes])?;
            let &[_, h, w] = b.shape(planes) else { return Err("a pooling of another shape".into()) };
            // Depth is a column of an image whose rows are its places in a plane.
            let columns = b.push(c.name, Op::Reshape(vec![channels, d, h * w]), &[planes])?;
            let columns = b.push(c.name, Op::Permute(vec![0, 2, 1]), &[columns])?;
            let pooled = b.push(c.name, op(&axes[..1]), &[columns])?;
            let &[_, _, d] = b.shape(pooled) else { return Err("a pooling of another shape".into()) };
            let back = b.push(c.name, Op::Permute(vec![0, 2, 1]), &[pooled])?;
            b.push(c.name, Op::Reshape(vec![channels, d, h, w]), &[back])
        }
        _ => Err(format!("pooling of a sample of shape {shape:?}")),
    }
}

fn never_empty(axes: &[Axis], input: [usize; 2]) -> Result<(), String> {
    if window(axes).never_empty(input) {
        Ok(())
    } else {
        Err("a window that covers nothing but padding".into())
    }
}

pub(super) fn global_average(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    global(b, c, |kernel| Op::AvgPool { window: Window::whole(kernel), counted: [0; 4] })
}

pub(super) fn global_max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    global(b, c, |kernel| Op::MaxPool(Window::whole(kernel)))
}

fn global(b: &mut Builder<'_>, c: &Call<'_, '_>, op: impl FnOnce([usize; 2]) -> Op) -> Out {
    on_samples(b, c, |b, x| {
        let shape = b.shape(x).to_vec();
        let (channels, kernel) = match *shape.as_slice() {
            [channels, h, w] => (channels, [h, w]),
            [channels, ref rest @ ..] if !rest.is_empty() => (channels, [1, rest.iter().product()]),
            _ => return Err(format!("pooling of a sample of shape {shape:?}")),
        };
        let mut y = x;
        if shape.len() != 3 {
            y = b.push(c.name, Op::Reshape(vec![channels, kernel[0], kernel[1]]), &[y])?;
        }
        y = b.push(c.name, op(kernel), &[y])?;
        let ones = [&[channels], vec![1; shape.len() - 1].as_slice()].concat();
        if shape.len() == 3 { Ok(y) } else { b.push(c.name, Op::Reshape(ones), &[y]) }
    })
}

pub(super) fn reduce_mean(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.real()?;
    reduce(b, c, x, |kernel| Op::AvgPool { window: Window::whole(kernel), counted: [0; 4] })
}

pub(super) fn reduce_max(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    reduce(b, c, x, |kernel| Op::MaxPool(Window::whole(kernel)))
}

/// min(x) = -max(-x).
pub(super) fn reduce_min(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?;
    let minus = uniform(b, c, x, -1.0, 0.0)?;
    let y = reduce(b, c, minus, |kernel| Op::MaxPool(Window::whole(kernel)))?;
    let [Value::Node(y)] = y.as_slice() else { return Ok(y) };
    Ok(vec![Value::Node(uniform(b, c, *y, -1.0, 0.0)?)])
}

pub(super) fn reduce_sum(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let x = c.data(0)?.exact()?;
    // A sum is a product with a column of ones.
    reduce(b, c, x, |kernel| Op::Dense { weights: vec![1.0; kernel[1]].into(), bias: vec![0.0] })
}

/// Brings the reduced axes to the end, as `[kept, 1, reduced]`, and applies `op` there.
fn reduce(b: &mut Builder<'_>, c: &Call<'_, '_>, x: Tensor, op: impl FnOnce([usize; 2]) -> Op) -> Out {
    let keep = c.int("keepdims", 1)? != 0;
    let noop = c.int("noop_with_empty_axes", 0)? != 0;
    let axes = match c.list("axes", 1)? {
        Some(axes) if !axes.is_empty() => axes,
        _ if noop => return Ok(vec![Value::Node(x)]),
        _ => (0..x.rank).map(|a| a as i64).collect(),
    };
    let axes = axes.iter().map(|&a| x.axis(a)).collect::<Result<Vec<_>, _>>()?;
    let shape = b.sample(x).to_vec();
    let (gone, mut order): (Vec<usize>, Vec<usize>) = (0..shape.len()).partition(|d| axes.contains(d));
    let kept: usize = order.iter().map(|&d| shape[d]).product();
    let reduced: usize = gone.iter().map(|&d| shape[d]).product();
    order.extend(&gone);
    let y = b.permute(c.name, x, order)?;
    let y = b.reshape(c.name, y, &[kept, 1, reduced], None)?;
    let y = b.apply(c.name, op([1, reduced]), y, &[])?;
    // The batch moves to the front over the axes that are gone.
    let result: Vec<usize> = (0..shape.len())
        .filter(|d| keep || !axes.contains(d))
        .map(|d| if axes.contains(&d) { 1 } else { shape[d] })
        .collect();
    let before = |batch: usize| {
        (0..batch).filter(|&at| keep || x.within(at).is_none_or(|d| !axes.contains(&d))).count()
    };
    Ok(vec![Value::Node(b.reshape(c.name, y, &result, x.batch.map(before))?)])
}
