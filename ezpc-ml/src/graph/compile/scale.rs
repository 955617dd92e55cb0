//! Brings values to their usual size by powers of two: a ring holds the bits that matter, where a network's values are
//! large, and enough of them, where they are small.
//!
//! The network stays what it is. A layer with weights has the quotient of its scales in them; operations that commute with
//! a factor take their operands at one scale; the input and the result keep theirs.

use super::weights::is_exact;
use super::{Calibration, Options};
use crate::graph::{Graph, Op};
use std::sync::Arc;

/// The graph with scaled weights, and the calibration of its values. Of the node `i` the values are those of the given graph
/// times `2^scale(i)`.
pub(super) fn scaled(graph: &Graph, seen: &Calibration, options: &Options) -> (Graph, Calibration) {
    let exponents = exponents(graph, seen, options);
    let mut graph = graph.clone();
    for i in 0..graph.nodes.len() {
        let to = exponents[i];
        let by = to - graph.nodes[i].inputs.first().map_or(0, |&operand| exponents[operand]);
        let times = |values: &[f32], by: i32| values.iter().map(|v| v * 2_f32.powi(by)).collect::<Vec<f32>>();
        match &mut graph.nodes[i].op {
            Op::Conv { weights, bias, .. } | Op::Dense { weights, bias } => {
                if by != 0 {
                    *weights = Arc::from(times(weights, by));
                }
                *bias = times(bias, to);
            }
            Op::Affine { scale, shift, .. } => (*scale, *shift) = (times(scale, by), times(shift, to)),
            _ => {}
        }
    }
    (graph, seen.scaled(exponents))
}

/// A power of two for each node.
fn exponents(graph: &Graph, seen: &Calibration, options: &Options) -> Vec<i32> {
    let mut classes = Classes { of: (0..graph.nodes.len()).collect() };
    let mut kept = vec![graph.output];
    for (i, node) in graph.nodes.iter().enumerate() {
        match &node.op {
            // What they yield does not grow with their operand, or grows with its square.
            Op::Input | Op::Step => kept.push(i),
            Op::Mul => kept.extend([i].iter().chain(&node.inputs)),
            _ if rescales(&node.op, options.frac_bits) => {}
            _ => node.inputs.iter().for_each(|&j| classes.join(i, j)),
        }
    }
    // The smallest result of a layer decides for all that share its scale, and what other layers take, where it is far smaller
    // than any result: what is left of a difference, say.
    let mut usual = vec![f64::INFINITY; graph.nodes.len()];
    let mut vote = |node: usize, size: f64| {
        let class = classes.find(node);
        if size > 0.0 {
            usual[class] = usual[class].min(size);
        }
    };
    for (i, node) in graph.nodes.iter().enumerate() {
        if rescales(&node.op, options.frac_bits) {
            vote(i, seen.usual(i));
            node.inputs.iter().for_each(|&j| vote(j, FAR * seen.usual(j)));
        }
    }
    for i in kept {
        usual[classes.find(i)] = f64::INFINITY;
    }
    // A branch that hardly counts must not widen the rings of what it is added to.
    let mut bits = vec![0; graph.nodes.len()];
    for i in 0..graph.nodes.len() {
        let class = classes.find(i);
        bits[class] = seen.bits(i, options.frac_bits, options.headroom).max(bits[class]);
    }
    // Sums of distances of a single number are opened to both parties under guard bits that count on roundings in the last
    // place of the result: no value is coarser.
    let least = if graph.single_number() { 0 } else { i32::MIN };
    let wanted = f64::from(options.precision) - f64::from(options.frac_bits);
    let exponent = |class: usize| match usual[class] {
        f64::INFINITY => 0,
        #[allow(clippy::cast_possible_truncation, reason = "clamped")]
        size => {
            let wanted = (wanted - size.log2()).ceil().clamp(-MOST, MOST) as i32;
            let room = (options.precision + BEYOND).cast_signed() - bits[class].cast_signed();
            wanted.min(room.max(0)).max(least)
        }
    };
    (0..graph.nodes.len()).map(|i| exponent(classes.find(i))).collect()
}

/// Values are not scaled by more, whatever the samples say.
const MOST: f64 = 16.0;
/// How many times smaller than the results of layers an operand may be and still have bits enough.
const FAR: f64 = 4.0;
/// Bits that the largest value may have more than the usual one before small ones are scaled up for it: some six are usual.
const BEYOND: u32 = 13;

/// Whether a layer may have another scale than its operand. Weights that are exact stay so.
fn rescales(op: &Op, frac_bits: u32) -> bool {
    match op {
        Op::Conv { weights, .. } | Op::Dense { weights, .. } => !is_exact(weights, frac_bits),
        Op::Affine { scale, .. } => !is_exact(scale, frac_bits),
        _ => false,
    }
}

/// Nodes that share a scale, as a forest.
struct Classes {
    of: Vec<usize>,
}

impl Classes {
    fn find(&self, mut i: usize) -> usize {
        while self.of[i] != i {
            i = self.of[i];
        }
        i
    }

    fn join(&mut self, i: usize, j: usize) {
        let (a, b) = (self.find(i), self.find(j));
        self.of[a.max(b)] = a.min(b);
    }
}
