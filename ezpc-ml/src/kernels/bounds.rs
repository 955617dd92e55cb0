//! Keeping values within bounds, and telling whether they are.

use super::Stage;
use crate::tensor::Tensor;
use ezpc_core::protocol::{Op, Reveal, ShareVec};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Error, Protocol, Result};

/// The value nearest to `x` from `-2^bits` to `2^bits - 1`, from 0 on when `positive`; compared in the ring `from`, which
/// holds `x ± 2^bits`, the result in the ring `width`.
///
/// `clip(x) = lo + max(x - lo, 0) - max(x - hi, 0)`: exact, with the half-rounds of one ReLU and the bytes of two.
pub fn clip<'k, P: Protocol>(
    p: &P,
    x: &Tensor<P::Arith>,
    bits: u32,
    positive: bool,
    from: Width,
    width: Width,
) -> Stage<'k, P> {
    let (batch, shape) = (x.batch(), x.shape().to_vec());
    let (lo, hi) = range(bits, positive);
    let narrow = p.reduce(x.data(), from);
    let minus = |bound: i64| p.add_public(&narrow, &RingVec::from_signed(from, &[-bound]));
    let both = P::Arith::concat(&[&minus(lo), &minus(hi)]);
    Stage::arith(Op::Relu { x: both, drop: 0, width }, move |p: &P, kept: P::Arith| {
        let n = kept.len() / 2;
        let kept = p.sub(&kept.slice(0..n), &kept.slice(n..2 * n));
        let y = if lo == 0 { kept } else { p.add_public(&kept, &RingVec::from_signed(width, &[lo])) };
        Ok(Stage::Done(Tensor::new(batch, &shape, y)?))
    })
}

/// Opens to both parties one bit: whether `-2^bits <= x < 2^bits` for all values `x`, whose ring holds `x ± 2^bits`.
pub fn all_within<P: Protocol>(p: &mut P, x: &P::Arith, bits: u32) -> Result<bool> {
    let (lo, hi) = range(bits, false);
    let width = x.width();
    let above = p.add_public(x, &RingVec::from_signed(width, &[-lo]));
    let below = p.add_public(&p.neg(x), &RingVec::from_signed(width, &[hi]));
    let outside = p.msb(&P::Arith::concat(&[&above, &below]))?;
    // The number of bounds that are exceeded, in a ring that holds it.
    let count = Width::new(usize::BITS - outside.len().leading_zeros());
    let mut counts = p.bit_to_arith(&outside, count)?;
    while counts.len() > 1 {
        let half = counts.len() / 2;
        let folded = p.add(&counts.slice(0..half), &counts.slice(half..2 * half));
        counts = match counts.len() % 2 {
            0 => folded,
            _ => P::Arith::concat(&[&folded, &counts.slice(2 * half..counts.len())]),
        };
    }
    let none = p.equal(&counts, &p.public(&RingVec::zeros(count, 1)))?;
    let opened = p.reveal_bool(&none, Reveal::Both)?;
    opened.map(|b| b.planes()[0].bit(0)).ok_or_else(|| Error::usage("the check was not opened"))
}

const fn range(bits: u32, positive: bool) -> (i64, i64) {
    (if positive { 0 } else { -(1 << bits) }, (1 << bits) - 1)
}
