//! The fixed-point program in the clear, in rings that nothing overflows: what two parties must get, and whether their
//! bounds hold.

#![allow(clippy::cast_possible_truncation, reason = "floating-point models compute in single precision")]

use super::compile::Model;
use super::exec::{Executor, Watch, unwatched};
use super::{Graph, float};
use crate::card::{StepOp, identifier};
use crate::fixed;
use crate::tensor::Tensor;
use ezpc_core::Result;
use ezpc_core::protocol::Cleartext;
use ezpc_core::ring::RingVec;
use std::collections::HashMap;

/// What the oracle saw.
#[derive(Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The results.
    pub values: Tensor<RingVec>,
    /// Layers whose values were clipped, and how many values of all samples.
    pub clipped: Vec<(String, usize)>,
}

/// Runs `batch` samples, `input` in fixed point. A value beyond its bound, which two parties would not notice, is an error
/// that names the layer.
pub fn run(model: &Model, batch: usize, input: &[i64], watch: &mut Watch<'_>) -> Result<Outcome> {
    let card = model.card.widened();
    let mut p = Cleartext::new();
    let mut executor = Executor::new(&p, &card, Some(&model.weights))?;
    // Operands of clips, to compare with.
    let mut before: HashMap<usize, Vec<i64>> = HashMap::new();
    for step in card.steps.iter().filter(|s| matches!(s.op, StepOp::Clip { .. })) {
        before.insert(step.args[0], Vec::new());
    }
    let mut clipped = Vec::new();
    let values =
        executor.run_observed(&mut p, batch, Some(input), watch, [0, batch], &mut |_, i, value| {
            let now = value.data().to_signed();
            let step = &card.steps[i];
            if let StepOp::Clip { positive, .. } = &step.op {
                let least = if *positive { 0 } else { i64::MIN };
                let count =
                    before[&step.args[0]].iter().zip(&now).filter(|(x, y)| (**x).max(least) != **y).count();
                if count > 0 {
                    clipped.push((step.name.clone(), count));
                }
            }
            if let Some(kept) = before.get_mut(&i) {
                *kept = now;
            }
            Ok(())
        })?;
    Ok(Outcome { values, clipped })
}

/// How far the fixed-point values of a step are from those of floating point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Distance {
    /// The largest distance.
    pub largest: f64,
    /// The mean of its square, as a root.
    pub usual: f64,
    /// The mean of the square of the value, as a root.
    pub size: f64,
}

/// The distances of every step of a model from the graph that it was compiled from, over some samples; `None` for steps in
/// between, which have no counterpart. Where a network loses precision, and how much of it.
pub fn distances(model: &Model, graph: &Graph, samples: &[f64]) -> Result<Vec<Option<Distance>>> {
    let card = model.card.widened();
    let nodes: HashMap<String, usize> =
        graph.nodes.iter().enumerate().map(|(i, node)| (identifier(&node.name), i)).collect();
    let counterpart = |i: usize| {
        let step = &card.steps[i];
        let whole = !matches!(step.op, StepOp::Negate) && card.steps[..i].iter().all(|s| s.name != step.name);
        nodes.get(&step.name).copied().filter(|_| whole)
    };
    let mut sums: Vec<Option<(Distance, usize)>> =
        (0..card.steps.len()).map(|i| counterpart(i).map(|_| Default::default())).collect();
    let mut p = Cleartext::new();
    let mut executor = Executor::new(&p, &card, Some(&model.weights))?;
    for sample in samples.chunks(card.input_len()) {
        let input: Vec<i64> = sample.iter().map(|&v| fixed::encode(v, card.frac_bits)).collect();
        let sample: Vec<f32> = sample.iter().map(|&v| v as f32).collect();
        let trace = float::trace(graph, &sample)?;
        executor.run_observed(&mut p, 1, Some(&input), &mut unwatched, [0, 1], &mut |_, i, value| {
            if let (Some(node), Some((distance, count))) = (counterpart(i), &mut sums[i]) {
                let unit = f64::from(-model.scales[node]).exp2();
                for (&v, &exact) in value.data().to_signed().iter().zip(&trace[node]) {
                    let exact = f64::from(exact);
                    let off = (fixed::decode(v, card.frac_bits) * unit - exact).abs();
                    distance.largest = distance.largest.max(off);
                    distance.usual += off * off;
                    distance.size += exact * exact;
                }
                *count += trace[node].len();
            }
            Ok(())
        })?;
    }
    let root = |sum: f64, count: usize| (sum / count.max(1) as f64).sqrt();
    let finish = |(d, n): (Distance, usize)| Distance { usual: root(d.usual, n), size: root(d.size, n), ..d };
    Ok(sums.into_iter().map(|sum| sum.map(finish)).collect())
}
