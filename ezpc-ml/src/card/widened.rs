//! A card in rings that nothing overflows, for the oracle.

use super::{Card, Step, StepOp};
use ezpc_core::ring::Width;

/// The clear computes in 64-bit lanes.
const WIDEST: Width = Width::new(62);

/// See [`Card::widened`].
pub(super) fn widened(card: &Card) -> Card {
    let mut steps: Vec<Step> = Vec::with_capacity(card.steps.len());
    for step in &card.steps {
        let mut step = step.clone();
        let of_args = step.args.iter().map(|&a| steps[a].width).min().unwrap_or(WIDEST);
        let without = |shift: u32| Width::new(of_args.bits() - shift);
        step.width = match &mut step.op {
            StepOp::Conv { scale, .. } | StepOp::Dense { scale, .. } | StepOp::Affine { scale, .. } => {
                scale.ring = of_args;
                without(scale.shift)
            }
            StepOp::AvgPool { ring, shift, .. } | StepOp::Mul { ring, shift } => {
                *ring = of_args;
                without(*shift)
            }
            StepOp::Relu { from, .. } | StepOp::Step { from } | StepOp::Clip { from, .. } => {
                *from = of_args;
                WIDEST
            }
            StepOp::Extend { .. } if of_args < WIDEST => WIDEST,
            StepOp::Extend { .. } => {
                step.op = StepOp::Reshape;
                WIDEST
            }
            _ => of_args,
        };
        steps.push(step);
    }
    Card { steps, ..card.clone() }
}
