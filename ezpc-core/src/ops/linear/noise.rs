//! Whether the errors of a layer stay where its contract says.

use super::plan::LinearPlan;
use crate::error::{Error, Result};
use crate::spec::LinearSpec;

/// The deviation of e0 on the coefficients that are sent.
const WIDE: f64 = 18_470.0;
/// Variances of the errors of ciphertexts and of re-randomisations.
const ERROR: f64 = 10.5;
const RERANDOMISER: f64 = 21.0;
/// Deviations within which a Gaussian error is taken to stay: beyond them less than 2^-107 of it.
const DEVIATIONS: f64 = 12.0;
/// The chance of an error that an exact layer may have, per output.
const EXACT_BITS: f64 = 40.0;

/// Bounds of the errors of a layer's outputs. It tells norms of the weights: print it only at their owner.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct NoiseReport {
    /// An ulp of the result in units of the ciphertexts' ring, as log2.
    pub step: f64,
    /// The deviation of the error, as log2.
    pub deviation: f64,
    /// The bound that the load-time condition compares with a quarter of an ulp, as log2.
    pub bound: f64,
    /// log2 of a bound of the chance that one output is further off than the layer's contract says: by any error of an
    /// exact layer, by an error of an ulp in the ciphertext of one that truncates. For keys of ordinary norm.
    pub failure: f64,
}

/// What [`NoiseReport::failure`] is at most for weights that pass the check: all that the other party knows.
pub(super) fn allowed_failure(spec: &LinearSpec) -> f64 {
    // Within the condition the least distance to an ulp is that of the largest deviation, a quarter of an ulp over 12.
    if spec.shift == 0 { -EXACT_BITS } else { tail(4.0 * DEVIATIONS) }
}

/// log2 of a bound of the chance that a sub-Gaussian variable is so many deviations from its mean.
fn tail(deviations: f64) -> f64 {
    1.0 - deviations * deviations / 2.0 * core::f64::consts::LOG2_E
}

impl NoiseReport {
    /// The report for weight polynomials of at most these norms, or which bound fails and what to lower.
    pub(super) fn check(plan: &LinearPlan, l1: f64, l2_squared: f64) -> Result<Self> {
        let precision = plan.precision();
        let ring = precision.set.ring();
        let n = ring.degree() as f64;
        let q = ring.log2_q();
        let out = plan.spec().output().bits();
        let step = (q - f64::from(out)).exp2();
        let dropped = |kept: u32| (q - f64::from(kept)).exp2();
        // e_pk u + e1 s with ternary s.
        let rerandomised = RERANDOMISER * (ERROR * n + 2.0 * n / 3.0);
        let variance = ERROR * l2_squared
            + 2.0 * n / 3.0 * dropped(precision.kept1).powi(2) / 12.0
            + WIDE * WIDE
            + rerandomised;
        // Encodings of both shares, and the rounding of c0.
        let bound = l1 + dropped(precision.kept0) / 2.0 + DEVIATIONS * variance.sqrt();
        // Rounding errors of the shares' encodings have variance 1/12 each, as shares are uniform.
        let deviation = (variance + l2_squared / 6.0 + dropped(precision.kept0).powi(2) / 12.0).sqrt();
        // E|x| of a Gaussian is 0.8 of its deviation.
        let failure = match plan.spec().shift {
            0 => (0.8 * deviation / step).log2(),
            _ => tail((step - l1 - dropped(precision.kept0) / 2.0).max(0.0) / variance.sqrt()),
        };
        let report = Self { step: step.log2(), deviation: deviation.log2(), bound: bound.log2(), failure };
        if plan.spec().shift == 0 {
            let excess = failure + EXACT_BITS;
            if excess > 0.0 {
                return Err(Error::usage(format!(
                    "linear layer of {}: an exact result would be wrong with a chance above 2^-{EXACT_BITS}; lower the \
                     ring of the input by {} bits, or let the layer truncate",
                    plan.spec().input,
                    excess.ceil()
                )));
            }
        } else if bound > step / 4.0 {
            return Err(Error::usage(format!(
                "linear layer of {} truncating {}: the noise bound of its ciphertexts exceeds a quarter of an ulp of \
                 the {}-bit result; lower the ring of the input or the scale of the weights by {} bits, or truncate more",
                plan.spec().input,
                plan.spec().shift,
                out,
                (bound.log2() - step.log2() + 2.0).ceil()
            )));
        }
        Ok(report)
    }
}
