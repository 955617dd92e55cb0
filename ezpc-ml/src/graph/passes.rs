//! Rewrites of the graph, each of which keeps its meaning.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Graph, Node, Op};

/// All passes, until nothing changes.
#[must_use]
pub fn optimise(mut graph: Graph) -> Graph {
    while fold_affine(&mut graph)
        | relu_after_maxpool(&mut graph)
        | factor_after_relu(&mut graph)
        | merge_reshapes(&mut graph)
    {}
    prune(graph)
}

/// Folds factors and summands into the weights of the layer before or after them: batch normalisation costs
/// nothing then. Returns whether something changed.
pub fn fold_affine(graph: &mut Graph) -> bool {
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

/// `MaxPool(ReLU(x)) = ReLU(MaxPool(x))`, and the latter compares a quarter of the elements with zero.
pub fn relu_after_maxpool(graph: &mut Graph) -> bool {
    let uses = graph.uses();
    let mut changed = false;
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        if matches!((&graph.nodes[i].op, &graph.nodes[j].op), (Op::MaxPool(_), Op::Relu)) && uses[j] == 1 {
            swap(graph, j, i);
            changed = true;
        }
    }
    changed
}

/// Exchanges two operations in a row, the first of which keeps the shape; nothing else may use its value.
fn swap(graph: &mut Graph, j: usize, i: usize) {
    let (low, high) = graph.nodes.split_at_mut(i);
    core::mem::swap(&mut low[j].op, &mut high[0].op);
    core::mem::swap(&mut low[j].name, &mut high[0].name);
    low[j].shape = high[0].shape.clone();
}

/// `ReLU(γx + β) = γ ReLU(x + β/γ)` for positive γ: what is left in front is a sum, which is free, and the next layer
/// takes the factors into its weights. nonlinear.md 2.5, batch normalisation before ReLU.
pub fn factor_after_relu(graph: &mut Graph) -> bool {
    let uses = graph.uses();
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        let (Op::Relu, Op::Affine { axis: 0, scale, shift }) = (&graph.nodes[i].op, &graph.nodes[j].op)
        else {
            continue;
        };
        // A large quotient would widen the ring, a large factor would magnify the rounding before it.
        let mild = scale.iter().zip(shift).all(|(&s, &t)| s > 0.0 && s <= 8.0 && t.abs() <= 256.0 * s);
        let users: Vec<&Op> = graph.nodes.iter().filter(|n| n.inputs.contains(&i)).map(|n| &n.op).collect();
        let taken = users.iter().all(|op| match op {
            Op::Conv { .. } => true,
            Op::Dense { .. } => graph.nodes[i].shape.len() == 1,
            Op::AvgPool { .. } => users.len() == 1,
            _ => false,
        });
        if !mild || !taken || uses[j] != 1 || i == graph.output || scale.iter().all(|&s| s == 1.0) {
            continue;
        }
        let quotients =
            scale.iter().zip(shift).map(|(&s, &t)| (f64::from(t) / f64::from(s)) as f32).collect();
        let after = Op::Affine { axis: 0, scale: scale.clone(), shift: vec![0.0; shift.len()] };
        graph.nodes[j].op = Op::Affine { axis: 0, scale: vec![1.0; shift.len()], shift: quotients };
        let node = Node { op: after, inputs: vec![i], ..graph.nodes[i].clone() };
        graph.nodes.insert(i + 1, node);
        for (k, node) in graph.nodes.iter_mut().enumerate().skip(i + 2) {
            debug_assert!(k > i + 1, "operands precede their users");
            for input in &mut node.inputs {
                *input += usize::from(*input >= i);
            }
        }
        graph.output += usize::from(graph.output > i);
        return true;
    }
    false
}

/// Two changes of shape in a row are one; none at all when the shape is the old one.
fn merge_reshapes(graph: &mut Graph) -> bool {
    let mut changed = false;
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        if matches!((&graph.nodes[i].op, &graph.nodes[j].op), (Op::Reshape(_), Op::Reshape(_))) {
            graph.nodes[i].inputs = graph.nodes[j].inputs.clone();
            changed = true;
        }
        if matches!(graph.nodes[i].op, Op::Reshape(_)) {
            let from = graph.nodes[i].inputs[0];
            if graph.nodes[from].shape == graph.nodes[i].shape {
                changed |= redirect(graph, i, from);
            }
        }
    }
    changed
}

fn redirect(graph: &mut Graph, from: usize, to: usize) -> bool {
    let mut changed = false;
    for input in graph.nodes.iter_mut().flat_map(|n| &mut n.inputs).filter(|n| **n == from) {
        *input = to;
        changed = true;
    }
    if graph.output == from {
        graph.output = to;
        changed = true;
    }
    changed
}

/// Drops the nodes that the result does not need; the input stays.
#[must_use]
pub fn prune(graph: Graph) -> Graph {
    let mut live = vec![false; graph.nodes.len()];
    (live[0], live[graph.output]) = (true, true);
    for i in (0..graph.nodes.len()).rev() {
        if live[i] {
            for &j in &graph.nodes[i].inputs {
                live[j] = true;
            }
        }
    }
    let mut places = vec![0; graph.nodes.len()];
    let mut nodes = Vec::new();
    for (i, mut node) in graph.nodes.into_iter().enumerate().filter(|(i, _)| live[*i]) {
        places[i] = nodes.len();
        for j in &mut node.inputs {
            *j = places[*j];
        }
        nodes.push(node);
    }
    Graph { nodes, output: places[graph.output], ..graph }
}

fn mul(a: f32, b: f32) -> f32 {
    (f64::from(a) * f64::from(b)) as f32
}

fn mul_add(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

#[cfg(test)]
mod tests {
    use super::super::{Window, float};
    use super::*;

    fn sample(n: usize, seed: u64) -> Vec<f32> {
        let mut s = seed;
        (0..n)
            .map(|_| {
                s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((s >> 40) as f32 / 16_777_216.0) - 0.5
            })
            .collect()
    }

    fn agrees(before: &Graph, kinds: &[&str]) {
        let after = optimise(before.clone());
        assert_eq!(after.nodes.iter().map(|n| n.op.name()).collect::<Vec<_>>(), kinds);
        let x = sample(before.nodes[0].shape.iter().product(), 9);
        let (a, b) = (float::run(before, &x).expect("runs"), float::run(&after, &x).expect("runs"));
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(&b) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    fn conv(seed: u64, padding: [usize; 4]) -> Op {
        let window = Window { padding, ..Window::whole([3, 3]) };
        Op::Conv { window, groups: 2, weights: sample(6 * 2 * 9, seed).into(), bias: sample(6, seed + 1) }
    }

    #[test]
    fn batch_norm_folds_into_both_neighbours() {
        let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
        let a =
            g.push("a", Op::Affine { axis: 0, scale: sample(4, 1), shift: sample(4, 2) }, &[0]).expect("a");
        let c = g.push("c", conv(3, [0; 4]), &[a]).expect("c");
        let bn =
            g.push("bn", Op::Affine { axis: 0, scale: sample(6, 5), shift: sample(6, 6) }, &[c]).expect("bn");
        let again =
            g.push("n", Op::Affine { axis: 0, scale: vec![-1.0; 6], shift: vec![0.5; 6] }, &[bn]).expect("n");
        g.output = g.push("r", Op::Relu, &[again]).expect("r");
        agrees(&g, &["input", "conv", "relu"]);
    }

    #[test]
    fn padding_keeps_a_summand_in_front_of_a_convolution() {
        let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
        let a =
            g.push("a", Op::Affine { axis: 0, scale: sample(4, 1), shift: sample(4, 2) }, &[0]).expect("a");
        g.output = g.push("c", conv(3, [1; 4]), &[a]).expect("c");
        agrees(&g, &["input", "affine", "conv"]);
    }

    #[test]
    fn relu_moves_behind_the_pool_and_a_factor_behind_the_flattening() {
        let mut g = Graph::new("g", "x", vec![2, 4, 4]).expect("graph");
        let r = g.push("r", Op::Relu, &[0]).expect("r");
        let window = Window { stride: [2, 2], ..Window::whole([2, 2]) };
        let p = g.push("p", Op::MaxPool(window), &[r]).expect("p");
        let a = g
            .push("a", Op::Affine { axis: 0, scale: vec![0.5, 2.0], shift: vec![1.0, 0.0] }, &[p])
            .expect("a");
        let f = g.push("f", Op::Reshape(vec![8]), &[a]).expect("f");
        g.output =
            g.push("d", Op::Dense { weights: sample(24, 4).into(), bias: sample(3, 5) }, &[f]).expect("d");
        agrees(&g, &["input", "maxpool", "relu", "reshape", "dense"]);
    }

    #[test]
    fn batch_norm_before_relu_leaves_a_sum() {
        let positive =
            |n: usize, seed: u64| sample(n, seed).into_iter().map(|v| v + 0.75).collect::<Vec<f32>>();
        let mut g = Graph::new("g", "x", vec![4, 6, 6]).expect("graph");
        let bn = g
            .push("bn", Op::Affine { axis: 0, scale: positive(4, 1), shift: sample(4, 2) }, &[0])
            .expect("bn");
        let r = g.push("r", Op::Relu, &[bn]).expect("r");
        let c = g.push("c", conv(3, [1; 4]), &[r]).expect("c");
        let bn = Op::Affine { axis: 0, scale: positive(6, 7), shift: sample(6, 8) };
        let both = g.push("both", Op::Concat { axis: 0 }, &[c, c]).expect("both");
        let half =
            g.push("half", Op::Take { axis: 0, indices: (0..6).map(Some).collect() }, &[both]).expect("half");
        let bn = g.push("bn2", bn, &[half]).expect("bn2");
        let r = g.push("r2", Op::Relu, &[bn]).expect("r2");
        let whole = Op::AvgPool { window: Window::whole([6, 6]), counted: [0; 4] };
        let p = g.push("p", whole, &[r]).expect("p");
        let f = g.push("f", Op::Reshape(vec![6]), &[p]).expect("f");
        g.output =
            g.push("d", Op::Dense { weights: sample(12, 4).into(), bias: sample(2, 5) }, &[f]).expect("d");
        agrees(
            &g,
            &[
                "input", "affine", "relu", "conv", "concat", "take", "affine", "relu", "avgpool", "reshape",
                "dense",
            ],
        );
        let after = optimise(g);
        let ones = |op: &Op| match op {
            Op::Affine { scale, .. } => scale.iter().all(|&s| s == 1.0),
            _ => true,
        };
        assert!(after.nodes.iter().all(|n| ones(&n.op)));
    }

    #[test]
    fn a_value_with_two_users_is_not_folded_away() {
        let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
        let c = g.push("c", conv(3, [0; 4]), &[0]).expect("c");
        let a =
            g.push("a", Op::Affine { axis: 0, scale: sample(6, 1), shift: sample(6, 2) }, &[c]).expect("a");
        g.output = g.push("s", Op::Add, &[a, c]).expect("s");
        agrees(&g, &["input", "conv", "affine", "add"]);
    }
}
