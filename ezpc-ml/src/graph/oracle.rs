//! The fixed-point program in the clear, in rings that nothing overflows: what two parties must get, and whether their
//! bounds hold.

use super::compile::Model;
use super::exec::{Executor, Watch};
use crate::card::StepOp;
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
