//! The weights of a layer as integers, and how many fractional bits they have.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of bits, from logarithms of ordinary numbers"
)]

use super::Constants;
use ezpc_core::secret::Values;
use ezpc_core::{Error, Result};

/// What decides how fine the weights of a layer are.
#[derive(Clone, Copy)]
pub(super) struct Fine {
    /// Fractional bits of values.
    pub(super) bits: u32,
    /// The power of two that scales the weights up: so many fractional bits fewer do.
    pub(super) up: i32,
    /// Where the layer was seen on samples: the size of its result over that of its operand, and the bits of the result.
    pub(super) calibrated: Option<(f64, u32)>,
}

/// Weights with as many fractional bits as they need, biases at the scale of the products. The second value is what is
/// truncated.
pub(super) fn constants(name: &str, weights: &[f32], bias: &[f32], fine: Fine) -> Result<(Constants, u32)> {
    let shift = weight_bits(weights, bias.len(), fine);
    let bias = integers(name, bias, fine.bits + shift)?;
    Ok((Constants { weights: integers(name, weights, shift)?, bias }, shift))
}

/// Numbers with so many fractional bits.
pub(super) fn integers(name: &str, values: &[f32], frac_bits: u32) -> Result<Values> {
    values
        .iter()
        .map(|&v| {
            let scaled = f64::from(v) * f64::from(frac_bits).exp2();
            if scaled.is_finite() && scaled.abs() < 4e18 {
                Ok(scaled.round() as i64)
            } else {
                Err(Error::usage(format!(
                    "layer `{name}`: a constant does not fit {frac_bits} fractional bits"
                )))
            }
        })
        .collect()
}

/// The fewest fractional bits with which all weights are exact, if these are less than `frac_bits`.
fn exact_bits(weights: &[f32], frac_bits: u32) -> Option<u32> {
    let exact = |bits: u32| {
        let unit = f64::from(bits).exp2();
        weights.iter().all(|&w| (f64::from(w) * unit).fract() == 0.0 && w.abs() <= 65536.0)
    };
    (0..frac_bits).find(|&bits| exact(bits))
}

/// Whether weights are not rounded at all.
pub(super) fn is_exact(weights: &[f32], frac_bits: u32) -> bool {
    exact_bits(weights, frac_bits).is_some()
}

/// Units in weights of the usual size: enough for a shallow network, and for a deep one, in which a perturbation of early
/// layers may grow a hundredfold.
const COARSE: f64 = 128.0;
const FINEST: f64 = 4096.0;

/// Fractional bits of the weights of a layer of so many outputs: the fewest with which all are exact, if these are less than
/// those of values; otherwise as many as these before the weights were scaled, or more, so that rounding changes results by a
/// small part of their size.
///
/// More bits only widen the ring that the operand is brought to, as long as the noise of the encrypted layer, which grows with
/// the weights, stays far below the last place of its result.
fn weight_bits(weights: &[f32], outputs: usize, fine: Fine) -> u32 {
    let f = fine.bits;
    if let Some(bits) = exact_bits(weights, f) {
        return bits;
    }
    let square: f64 = weights.iter().map(|&w| f64::from(w).powi(2)).sum();
    let usual = (square / weights.len().max(1) as f64).sqrt();
    let scaled = |bits: u32| bits.saturating_add_signed(-fine.up).max(1);
    let (least, most) = (scaled(f), scaled(f + 8));
    let bits_for = |size: f64, units: f64, most: u32| {
        (least..most).find(|&bits| size * f64::from(bits).exp2() >= units).unwrap_or(most)
    };
    let coarse = bits_for(usual, COARSE, most);
    let Some((gain, result)) = fine.calibrated else { return coarse };
    // Roundings of many weights add up like the products of independent values. Where a result is smaller than these would
    // be, as a large operand meets a small weight in it or large terms cancel, it takes finer weights.
    let row = (weights.len() / outputs.max(1)).max(1);
    let size = if gain > 0.0 { usual.min(gain / (row as f64).sqrt()) } else { usual };
    let sharing = outputs.min(DEGREE / row).max(ROWS) as f64;
    let noise = |row: &[f32]| {
        let sum: f64 = row.iter().map(|w| f64::from(w.abs())).sum();
        let square: f64 = row.iter().map(|&w| f64::from(w).powi(2)).sum();
        sum * sharing + DEVIATIONS * (square * sharing).sqrt()
    };
    let largest = weights.chunks(row).map(noise).fold(f64::MIN_POSITIVE, f64::max);
    let room = (NOISE_BITS - f64::from(result) - largest.log2()).clamp(0.0, 64.0) as u32;
    bits_for(size, FINEST, most.max(scaled(24))).min(room).max(coarse)
}

/// Ciphertext errors of deviation 3.2, twelve deviations of them: what the noise check counts for the root of the sum of the
/// squares of weights. Where rows are short, that is more than the sum of weights.
const DEVIATIONS: f64 = 12.0 * 3.24;

/// The rows of weights that share an answer may make noise of 2^(NOISE_BITS - bits of the result): of the 52 bits of the
/// smaller ring half an ulp and its sign go; a quarter of an ulp is the bound, most of which the bits dropped from answers
/// take, and a quarter of that is left.
const NOISE_BITS: f64 = 52.0 - 2.0 - 4.0;

/// As many rows share an answer as fit its polynomial, but rows of many tiles may, too.
const DEGREE: usize = 2048;
const ROWS: usize = 32;
