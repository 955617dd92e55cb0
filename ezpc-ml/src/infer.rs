//! What does the vendor's model say about the client's samples? The client learns the outputs, the vendor nothing.
//!
//! A number that layers with weights rounded on the way depends a little on shares and noise, not on the secrets alone.
//! So such an output is opened with half of its fractional bits ([`guard_bits`]); the others fall away by an exact floor
//! before. More of `frac_bits` opens more.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::card::{Card, StepOp};
use crate::fixed;
use crate::graph::Decision;
use crate::graph::compile::Weights;
use crate::graph::exec::{Executor, Observe, Watch};
use crate::kernels::pool;
use crate::npy::{Array, Elements};
use crate::validate::class_width;
use ezpc_core::protocol::{Reveal, Trunc};
use ezpc_core::ring::RingVec;
use ezpc_core::{Error, Party, Protocol, Result};

/// Runs `samples` samples, `batch` of them together; the outputs, at the client. `weights` and `input` (in fixed point)
/// are `Some` exactly where they are known. Fails before the first sample unless both parties have the same card,
/// samples and batch.
pub fn infer<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    input: Option<&[i64]>,
    [samples, batch]: [usize; 2],
    watch: &mut Watch<'_>,
) -> Result<Option<Array>> {
    infer_observed(p, card, weights, input, [samples, batch], watch, &mut |_, _, _| Ok(()))
}

/// As [`infer`], and shows every step's value as soon as it is there.
pub fn infer_observed<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    input: Option<&[i64]>,
    [samples, batch]: [usize; 2],
    watch: &mut Watch<'_>,
    observe: &mut Observe<'_, P>,
) -> Result<Option<Array>> {
    let size = card.input_len();
    if samples == 0 || batch == 0 || samples > 1 << 40 {
        return Err(Error::usage("an inference of no samples"));
    }
    if let Some(x) = input.filter(|x| x.len() != samples * size) {
        return Err(Error::usage(format!("{} values for {samples} samples of {size}", x.len())));
    }
    let mut executor = Executor::new(p, card, weights)?;
    let shape = format!("infer card={} samples={samples} batch={batch}", card.sha256_hex());
    p.agree("the inference's public shape", shape.as_bytes())?;
    executor.check(p, samples, batch)?;
    let mut outputs: Option<Vec<i64>> = None;
    for start in (0..samples).step_by(batch) {
        let now = batch.min(samples - start);
        let part = input.map(|x| &x[start * size..(start + now) * size]);
        let y = executor.run_observed(p, now, part, watch, [start, samples], observe)?;
        p.scope("opening");
        let y = match (card.decision, guard_bits(card)) {
            (Decision::ArgMax | Decision::ArgMaxLast, _) => {
                pool::decide(p, card.decision, &y, class_width(card))?
            }
            (Decision::Values, 0) => y.into_data(),
            (Decision::Values, guard) => p.trunc(y.data(), guard, Trunc::Floor)?,
        };
        if let Some(values) = p.reveal(&y, Reveal::To(Party::Client))? {
            outputs.get_or_insert_default().extend(units(card, &values));
        }
    }
    Ok(outputs.map(|o| array(card, samples, &o)))
}

/// How many of the result's fractional bits are dropped before it is opened: none when it is a decision, or exact.
#[must_use]
pub fn guard_bits(card: &Card) -> u32 {
    if card.decision != Decision::Values || !rounded(card) {
        return 0;
    }
    card.frac_bits.div_ceil(2).min(card.steps[card.output].width.bits() - 1)
}

/// Whether the result depends on how a layer rounded or decided coarsely, otherwise than through a decision at the end.
fn rounded(card: &Card) -> bool {
    let mut rounded = vec![false; card.steps.len()];
    for (i, step) in card.steps.iter().enumerate() {
        let own = match &step.op {
            StepOp::Conv { scale, .. } | StepOp::Dense { scale, .. } | StepOp::Affine { scale, .. } => {
                scale.shift > 0
            }
            StepOp::AvgPool { shift, .. } | StepOp::Mul { shift, .. } => *shift > 0,
            StepOp::Relu { drop, .. } | StepOp::MaxPool { drop, .. } => *drop > 0,
            _ => false,
        };
        rounded[i] = own || !matches!(step.op, StepOp::Step { .. }) && step.args.iter().any(|&a| rounded[a]);
    }
    rounded[card.output]
}

/// Opened integers in units of 2^-`frac_bits`; what was floored stands in the middle of what it may have been.
fn units(card: &Card, values: &RingVec) -> Vec<i64> {
    match (card.decision, guard_bits(card)) {
        // Indices are not negative.
        (Decision::ArgMax | Decision::ArgMaxLast, _) => values.lanes().iter().map(|&v| v as i64).collect(),
        (Decision::Values, 0) => values.to_signed(),
        (Decision::Values, guard) => {
            values.to_signed().into_iter().map(|v| (v << guard) + (1 << (guard - 1))).collect()
        }
    }
}

fn array(card: &Card, count: usize, outputs: &[i64]) -> Array {
    match card.decision {
        Decision::ArgMax | Decision::ArgMaxLast => {
            let shape = &card.steps[card.output].shape;
            let labels = &shape[..shape.len().saturating_sub(1)];
            Array { shape: [&[count], labels].concat(), data: Elements::Int64(outputs.to_vec()) }
        }
        Decision::Values => {
            let shape = [&[count], card.steps[card.output].shape.as_slice()].concat();
            let values = outputs.iter().map(|&v| fixed::decode(v, card.frac_bits) as f32).collect();
            Array { shape, data: Elements::Float32(values) }
        }
    }
}
