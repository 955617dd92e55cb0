//! Linear layers in the clear.

#![allow(
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::error::{Error, Result};
use crate::protocol::{Linear, Operand};
use crate::ring::RingVec;
use std::borrow::Cow;

/// The layer's result, rounded to the nearest integer, as encrypted layers do on average; in the middle, up. Checks the promise
/// on every sum.
pub(super) fn linear(layer: &Linear<RingVec>, x: &RingVec) -> Result<RingVec> {
    let spec = &layer.spec;
    layer.check_input(x)?;
    let weights = values(&layer.weights, spec.weights_len())?;
    let input = x.to_signed();
    let mut sums = spec.kind.apply(&weights, &input);
    if let Some(bias) = &layer.bias {
        let bias = values(bias, spec.bias_len())?;
        for (o, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(bias[spec.bias_of(o)]);
        }
    }
    if spec.shift > 0 {
        let bound = (1_i128 << (spec.input.bits() - 1)) - (3 << spec.shift);
        if let Some(o) = sums.iter().position(|&s| i128::from(s).abs() > bound) {
            return Err(Error::usage(format!("linear layer: output {o} is outside the promised range")));
        }
    }
    let half = 1_i64.wrapping_shl(spec.shift) >> 1;
    let rounded = |s: &i64| (s.wrapping_add(half) >> spec.shift) as u64;
    Ok(RingVec::new(spec.output(), sums.iter().map(rounded).collect()))
}

fn values(operand: &Operand<RingVec>, len: usize) -> Result<Cow<'_, [i64]>> {
    let values = match (operand, operand.known()) {
        (_, Some(values)) => Cow::Borrowed(values),
        (Operand::Shared(x), _) => Cow::Owned(x.to_signed()),
        (Operand::Public(_) | Operand::Private { .. }, None) => {
            return Err(Error::usage("the weights are missing"));
        }
    };
    if values.len() != len {
        return Err(Error::usage(format!("{} weights given, the shape has {len}", values.len())));
    }
    Ok(values)
}
