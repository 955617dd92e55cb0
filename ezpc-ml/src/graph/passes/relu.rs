//! ReLUs move to where there are fewer of them, and factors in front of them to where they cost nothing.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::swap;
use crate::graph::{Graph, Node, Op};

/// `MaxPool(ReLU(x)) = ReLU(MaxPool(x))`, and the latter compares a quarter of the elements with zero.
pub(super) fn relu_after_maxpool(graph: &mut Graph) -> bool {
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

/// `MaxPool(Concat(ReLU(x), ReLU(y))) = MaxPool(ReLU(Concat(x, y)))`, whose ReLU then moves behind the pool.
pub(super) fn relu_after_concat(graph: &mut Graph) -> bool {
    let uses = graph.uses();
    for i in 0..graph.nodes.len() {
        let (Op::MaxPool(_), Some(&j)) = (&graph.nodes[i].op, graph.nodes[i].inputs.first()) else {
            continue;
        };
        let concat = &graph.nodes[j];
        let alone = |&k: &usize| matches!(graph.nodes[k].op, Op::Relu) && uses[k] == 1;
        if !matches!(concat.op, Op::Concat { .. }) || uses[j] != 1 || !concat.inputs.iter().all(alone) {
            continue;
        }
        let relu = concat.inputs[0];
        graph.nodes[j].inputs = concat.inputs.iter().map(|&k| graph.nodes[k].inputs[0]).collect();
        insert_after(graph, j, Op::Relu);
        // The names of layers stay distinct.
        graph.nodes[j + 1].name = graph.nodes[relu].name.clone();
        return true;
    }
    false
}

/// `ReLU(γx + β) = |γ| · ReLU(±x + β/|γ|)`: what is left in front is a sum, which is free, and changes of sign, which cost a
/// selection; the next layer takes the factors into its weights.
///
/// The public shape tells whether there are negative factors, not where.
pub(super) fn factor_after_relu(graph: &mut Graph) -> bool {
    let uses = graph.uses();
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        let (Op::Relu, Op::Affine { axis: 0, scale, shift }) = (&graph.nodes[i].op, &graph.nodes[j].op)
        else {
            continue;
        };
        if uses[j] != 1 || i == graph.output || scale.iter().all(|&s| s == 1.0) {
            continue;
        }
        let Some(split) = scale.iter().zip(shift).map(|(&s, &t)| Split::of(s, t)).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let constant = split.iter().any(|s| s.constant != 0.0);
        let users: Vec<&Op> = graph.nodes.iter().filter(|n| n.inputs.contains(&i)).map(|n| &n.op).collect();
        // Padding is zero, not the constant.
        let taken = users.iter().all(|op| match op {
            Op::Conv { window, .. } => !constant || window.padding == [0; 4],
            Op::Dense { .. } => graph.nodes[i].shape.len() == 1,
            Op::AvgPool { window, .. } => users.len() == 1 && (!constant || window.padding == [0; 4]),
            _ => false,
        });
        if !taken {
            continue;
        }
        let all = |f: fn(&Split) -> f32| split.iter().map(f).collect::<Vec<f32>>();
        let after = Op::Affine { axis: 0, scale: all(|s| s.factor), shift: all(|s| s.constant) };
        let before = Op::Affine { axis: 0, scale: vec![1.0; split.len()], shift: all(|s| s.summand) };
        let negative: Vec<bool> = split.iter().map(|s| s.negative).collect();
        insert_after(graph, i, after);
        graph.nodes[j].op = before;
        if negative.contains(&true) {
            let input = graph.nodes[j].inputs[0];
            let name = graph.nodes[j].name.clone();
            let node = Node { name, op: Op::Sign { axis: 0, negative }, ..graph.nodes[j].clone() };
            insert_at(graph, j, Node { inputs: vec![input], ..node });
            graph.nodes[j + 1].inputs = vec![j];
        }
        return true;
    }
    false
}

/// `ReLU(s·x + t) = factor · ReLU(±x + summand) + constant` for one channel.
struct Split {
    negative: bool,
    summand: f32,
    factor: f32,
    constant: f32,
}

impl Split {
    /// `None` when the summand would widen the ring, or the factor would magnify the rounding in front of it.
    fn of(s: f32, t: f32) -> Option<Self> {
        let factor = s.abs();
        if factor < DEAD {
            return Some(Self { negative: false, summand: 0.0, factor: 0.0, constant: t.max(0.0) });
        }
        let summand = f64::from(t) / f64::from(factor);
        // A channel that is never above zero needs no room: the compiler bounds its summand.
        let mild = factor <= 8.0 && summand <= 4096.0 && summand.is_finite();
        mild.then_some(Self { negative: s < 0.0, summand: summand as f32, factor, constant: 0.0 })
    }
}

/// A factor that makes less than 2^-12 of 2^8: the channel is constant.
const DEAD: f32 = 1.0 / (1 << 20) as f32;

/// Inserts a node with the operation between node `i` and its users.
fn insert_after(graph: &mut Graph, i: usize, op: Op) {
    let output = graph.output;
    let node = Node { op, inputs: vec![i], ..graph.nodes[i].clone() };
    insert_at(graph, i + 1, node);
    for node in &mut graph.nodes[i + 2..] {
        for input in node.inputs.iter_mut().filter(|n| **n == i) {
            *input = i + 1;
        }
    }
    if output == i {
        graph.output = i + 1;
    }
}

/// Inserts a node at place `at`; everybody refers to what they referred to before.
fn insert_at(graph: &mut Graph, at: usize, node: Node) {
    graph.nodes.insert(at, node);
    for node in &mut graph.nodes[at + 1..] {
        for input in &mut node.inputs {
            *input += usize::from(*input >= at);
        }
    }
    graph.output += usize::from(graph.output >= at);
}
