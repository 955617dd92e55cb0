//! The graph in ordinary floating point: the yardstick of tests and the source of calibrated ranges.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Graph, Node, Op, Window, elements};
use ezpc_core::protocol::{LinearKind, MatMulSpec};
use ezpc_core::{Error, Result};

/// The values of every node for one sample, in the order of the graph.
pub fn trace(graph: &Graph, sample: &[f32]) -> Result<Vec<Vec<f32>>> {
    let want = elements(&graph.nodes[0].shape)?;
    if sample.len() != want {
        return Err(Error::usage(format!(
            "a sample of {} values where the model takes {want}",
            sample.len()
        )));
    }
    let mut values: Vec<Vec<f32>> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let inputs: Vec<&[f32]> = node.inputs.iter().map(|&i| values[i].as_slice()).collect();
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&i| graph.nodes[i].shape.as_slice()).collect();
        values.push(if let Op::Input = node.op { sample.to_vec() } else { eval(node, &inputs, &shapes) });
    }
    Ok(values)
}

/// The result for one sample.
pub fn run(graph: &Graph, sample: &[f32]) -> Result<Vec<f32>> {
    Ok(trace(graph, sample)?.swap_remove(graph.output))
}

pub(crate) fn eval(node: &Node, inputs: &[&[f32]], shapes: &[&[usize]]) -> Vec<f32> {
    let x = inputs[0];
    let both = |f: fn(f32, f32) -> f32| x.iter().zip(inputs[1]).map(|(&a, &b)| f(a, b)).collect();
    match &node.op {
        Op::Input => Vec::new(),
        Op::Conv { window, groups, weights, bias } => {
            let spec = window.conv(1, shapes[0][0], [shapes[0][1], shapes[0][2]], bias.len(), *groups);
            with_bias(LinearKind::Conv(spec).apply(weights, x), bias, node.shape[1] * node.shape[2])
        }
        Op::Dense { weights, bias } => {
            let inner = weights.len() / bias.len();
            let spec = MatMulSpec { rows: bias.len(), inner, cols: 1 };
            x.chunks(inner)
                .flat_map(|row| with_bias(LinearKind::MatMul(spec).apply(weights, row), bias, 1))
                .collect()
        }
        Op::Affine { axis, scale, shift } => {
            let inner: usize = node.shape[axis + 1..].iter().product();
            let at = |i: usize| i / inner % scale.len();
            x.iter().enumerate().map(|(i, &v)| v * scale[at(i)] + shift[at(i)]).collect()
        }
        Op::Sign { axis, negative } => {
            let inner: usize = node.shape[axis + 1..].iter().product();
            x.iter()
                .enumerate()
                .map(|(i, &v)| if negative[i / inner % negative.len()] { -v } else { v })
                .collect()
        }
        Op::Relu => x.iter().map(|&v| v.max(0.0)).collect(),
        Op::Step => x.iter().map(|&v| if v >= 0.0 { 1.0 } else { 0.0 }).collect(),
        Op::MaxPool(window) => {
            pool(window, x, shapes[0], &node.shape, |cells, _| cells.iter().copied().fold(f32::MIN, f32::max))
        }
        Op::AvgPool { window, counted } => {
            let divisors =
                window_sizes(window, *counted, [shapes[0][1], shapes[0][2]], [node.shape[1], node.shape[2]]);
            pool(window, x, shapes[0], &node.shape, |cells, at| {
                (cells.iter().map(|&v| f64::from(v)).sum::<f64>() / divisors[at] as f64) as f32
            })
        }
        Op::Add => both(|a, b| a + b),
        Op::Sub => both(|a, b| a - b),
        Op::Mul => both(|a, b| a * b),
        Op::Concat { axis } => {
            let outer: usize = node.shape[..*axis].iter().product();
            let parts: Vec<usize> = inputs.iter().map(|v| v.len() / outer).collect();
            (0..outer)
                .flat_map(|o| {
                    inputs.iter().zip(&parts).flat_map(move |(v, &n)| v[o * n..(o + 1) * n].iter().copied())
                })
                .collect()
        }
        Op::Reshape(_) => x.to_vec(),
        Op::Permute(order) => permutation(order, shapes[0]).into_iter().map(|i| x[i]).collect(),
        Op::Take { axis, indices } => {
            picks(*axis, indices, shapes[0]).into_iter().map(|i| i.map_or(0.0, |i| x[i])).collect()
        }
    }
}

/// Adds a bias to each row of `per` values.
fn with_bias(mut y: Vec<f32>, bias: &[f32], per: usize) -> Vec<f32> {
    for (row, &b) in y.chunks_mut(per.max(1)).zip(bias) {
        for v in row {
            *v += b;
        }
    }
    y
}

fn pool(
    window: &Window,
    x: &[f32],
    input: &[usize],
    output: &[usize],
    f: impl Fn(&[f32], usize) -> f32,
) -> Vec<f32> {
    let (h, w) = (input[1], input[2]);
    let mut y = Vec::with_capacity(output.iter().product());
    for channel in 0..output[0] {
        for row in 0..output[1] {
            for col in 0..output[2] {
                let cells: Vec<f32> = window
                    .covered(0, row, h)
                    .flat_map(|r| window.covered(1, col, w).map(move |c| x[(channel * h + r) * w + c]))
                    .collect();
                y.push(f(&cells, row * output[2] + col));
            }
        }
    }
    y
}

/// The number of elements that the mean of each window divides by: those of the input, and the zeros of the
/// `counted` padding.
pub(crate) fn window_sizes(
    window: &Window,
    counted: [usize; 4],
    input: [usize; 2],
    output: [usize; 2],
) -> Vec<usize> {
    let along = |d: usize, out: usize| {
        let start = out * window.stride[d];
        // Elements of the window in front of a place of the padded input.
        let before =
            |place: usize| place.saturating_sub(start).div_ceil(window.dilation[d]).min(window.kernel[d]);
        let end = window.padding[d] + input[d] + counted[d + 2];
        before(end).saturating_sub(before(window.padding[d].saturating_sub(counted[d])))
    };
    (0..output[0]).flat_map(|r| (0..output[1]).map(move |c| along(0, r) * along(1, c))).collect()
}

/// For each element of the permuted tensor its place in the original.
pub(crate) fn permutation(order: &[usize], shape: &[usize]) -> Vec<usize> {
    let strides: Vec<usize> = (0..shape.len()).map(|d| shape[d + 1..].iter().product()).collect();
    let mut places = vec![0];
    for &axis in order {
        places = places
            .iter()
            .flat_map(|&p| (0..shape[axis]).map(move |i| (p, i)))
            .map(|(p, i)| p + i * strides[axis])
            .collect();
    }
    places
}

/// For each element of the taken tensor its place in the original, `None` for a zero.
pub(crate) fn picks(axis: usize, indices: &[Option<usize>], shape: &[usize]) -> Vec<Option<usize>> {
    let (outer, inner): (usize, usize) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
    let size = shape[axis];
    (0..outer)
        .flat_map(|o| {
            indices
                .iter()
                .flat_map(move |&pick| (0..inner).map(move |i| pick.map(|p| (o * size + p) * inner + i)))
        })
        .collect()
}
