//! Factors and summands of batch normalisation move into the weights of their neighbours.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::swap;
use crate::graph::{Graph, Op};

/// Folds factors and summands into the weights of the layer before or after them: batch normalisation costs
/// nothing then. Returns whether something changed.
pub(super) fn fold_affine(graph: &mut Graph) -> bool {
    let uses = graph.uses();
    let mut changed = false;
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        let shape = &graph.nodes[j].shape;
        let alone = uses[j] == 1;
        let folded = match (&graph.nodes[i].op, &graph.nodes[j].op) {
            (Op::Affine { axis: 0, scale, shift }, Op::Conv { window, groups, weights, bias }) if alone => {
                let per = weights.len() / bias.len();
                Some(Op::Conv {
                    window: *window,
                    groups: *groups,
                    weights: weights.iter().enumerate().map(|(k, &w)| mul(w, scale[k / per])).collect(),
                    bias: bias.iter().zip(scale).zip(shift).map(|((&b, &s), &t)| mul_add(b, s, t)).collect(),
                })
            }
            (Op::Affine { axis, scale, shift }, Op::Dense { weights, bias })
                if alone && axis + 1 == shape.len() =>
            {
                let per = weights.len() / bias.len();
                Some(Op::Dense {
                    weights: weights.iter().enumerate().map(|(k, &w)| mul(w, scale[k / per])).collect(),
                    bias: bias.iter().zip(scale).zip(shift).map(|((&b, &s), &t)| mul_add(b, s, t)).collect(),
                })
            }
            (Op::Affine { axis, scale, shift }, Op::Affine { axis: below, scale: s0, shift: t0 })
                if alone && axis == below =>
            {
                Some(Op::Affine {
                    axis: *axis,
                    scale: scale.iter().zip(s0).map(|(&a, &b)| mul(a, b)).collect(),
                    shift: (0..scale.len()).map(|k| mul_add(t0[k], scale[k], shift[k])).collect(),
                })
            }
            (Op::Conv { window, groups, weights, bias }, Op::Affine { axis: 0, scale, shift })
                if window.padding == [0; 4] || shift.iter().all(|&t| t == 0.0) =>
            {
                let area: usize = window.kernel.iter().product();
                let (per_in, per_out) = (scale.len() / groups, bias.len() / groups);
                let channel = |k: usize| k / (area * per_in) / per_out * per_in + k / area % per_in;
                let mut moved: Vec<f64> = bias.iter().map(|&b| f64::from(b)).collect();
                for (k, &w) in weights.iter().enumerate() {
                    moved[k / (area * per_in)] += f64::from(w) * f64::from(shift[channel(k)]);
                }
                Some(Op::Conv {
                    window: *window,
                    groups: *groups,
                    weights: weights.iter().enumerate().map(|(k, &w)| mul(w, scale[channel(k)])).collect(),
                    bias: moved.into_iter().map(|b| b as f32).collect(),
                })
            }
            (Op::Dense { weights, bias }, Op::Affine { axis, scale, shift }) if axis + 1 == shape.len() => {
                let inner = scale.len();
                let mut moved: Vec<f64> = bias.iter().map(|&b| f64::from(b)).collect();
                for (k, &w) in weights.iter().enumerate() {
                    moved[k / inner] += f64::from(w) * f64::from(shift[k % inner]);
                }
                Some(Op::Dense {
                    weights: weights.iter().enumerate().map(|(k, &w)| mul(w, scale[k % inner])).collect(),
                    bias: moved.into_iter().map(|b| b as f32).collect(),
                })
            }
            _ => None,
        };
        if let Some(op) = folded {
            graph.nodes[i].inputs = graph.nodes[j].inputs.clone();
            graph.nodes[i].op = op;
            changed = true;
            return changed;
        }
        // Behind a pool there are fewer elements, and perhaps a layer that takes the factors.
        let through_pool = match (&graph.nodes[i].op, &graph.nodes[j].op) {
            (Op::MaxPool(_), Op::Affine { axis: 0, scale, .. }) => scale.iter().all(|&s| s >= 0.0),
            (Op::AvgPool { window, .. }, Op::Affine { axis: 0, shift, .. }) => {
                window.padding == [0; 4] || shift.iter().all(|&t| t == 0.0)
            }
            _ => false,
        };
        if through_pool && alone {
            swap(graph, j, i);
            return true;
        }
        // A factor along the first axis moves behind a flattening, where a matrix product can take it.
        if let (Op::Reshape(to), Op::Affine { axis: 0, scale, shift }) =
            (&graph.nodes[i].op, &graph.nodes[j].op)
            && alone
            && to.len() == 1
            && shape.len() > 1
        {
            let per = to[0] / scale.len();
            let spread =
                |v: &[f32]| v.iter().flat_map(|&v| core::iter::repeat_n(v, per)).collect::<Vec<f32>>();
            let affine = Op::Affine { axis: 0, scale: spread(scale), shift: spread(shift) };
            let reshape = Op::Reshape(to.clone());
            graph.nodes[j].shape = graph.nodes[i].shape.clone();
            graph.nodes[j].op = reshape;
            graph.nodes[i].op = affine;
            changed = true;
        }
    }
    changed
}

fn mul(a: f32, b: f32) -> f32 {
    (f64::from(a) * f64::from(b)) as f32
}

fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}
