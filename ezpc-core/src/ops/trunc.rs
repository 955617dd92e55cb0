//! Division by 2^s within a ring, as [`Trunc`] says.
//!
//! With z = z0 + z1 - w·2^k, w the carry out of bit k - 1 and c the carry into bit s,
//! floor(z / 2^s) = (z0 >> s) + (z1 >> s) + c - w·2^{k-s}. Signed values become unsigned ones by an offset that is
//! subtracted again after the division.
//!
//! | kind | COTs | bits | half-rounds | promise | error |
//! |---|---|---|---|---|---|
//! | `Floor` | k + 2 | chain(k) + (k-1) + (s-1) | 3 | none | 0 |
//! | `Logical` | k + 2 | chain(k) + (k-1) + (s-1) | 3 | none | 0 |
//! | `Near` | 1 | s + 1 | 2 | -2^{k-2} <= x < 2^{k-2} | -1 or 0 |
//!
//! `Near` leaves out c, and after an offset of 2^{k-2} the top bit of z is 0, so w is the or of the shares' top
//! bits. Its error depends on the shares, so before a reveal that may show the floor only, use `Floor`. The messages
//! reveal nothing: `PROOFS.md`, section 3.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::compare::shape::Shape;
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::transfer::{Lanes, product_cost, receive_products, send_products};
use crate::ops::wrap::{Tap, carries_to_arith, carries_to_arith_cost};
use crate::ot::PadDomain;
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width};
use crate::spec::Trunc;
use crate::transport::cost::Cost;

/// The cost of [`trunc`] on `len` elements of `width`.
#[must_use]
pub fn trunc_cost(width: Width, shift: u32, kind: Trunc, len: usize) -> Cost {
    if shift == 0 || shift >= width.bits() {
        return Cost::none();
    }
    both_roles_cost(len, |garbler, n| half_cost(garbler, width, shift, kind, n))
}

/// `x / 2^shift` in the ring of x.
pub async fn trunc(cx: Ctx, x: &RingVec, shift: u32, kind: Trunc) -> Result<RingVec> {
    let width = x.width();
    if shift == 0 {
        return Ok(x.clone());
    }
    if shift >= width.bits() {
        return Err(Error::usage(format!("cannot truncate {shift} bits of a ring of {width}")));
    }
    let cost = |garbler, n| half_cost(garbler, width, shift, kind, n);
    let run = async |cx, garbler, range: core::ops::Range<usize>| {
        let x = &x.lanes()[range];
        if is_near(width, shift, kind) {
            half_near(cx, garbler, width, shift, x).await
        } else {
            half_exact(cx, garbler, width, shift, kind, x).await
        }
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

/// The offset 2^{k-2} must be a multiple of 2^s for the cheap kind; else the exact one does it.
fn is_near(width: Width, shift: u32, kind: Trunc) -> bool {
    kind == Trunc::Near && shift + 2 <= width.bits()
}

fn half_cost(garbler: Party, width: Width, shift: u32, kind: Trunc, n: usize) -> Cost {
    if is_near(width, shift, kind) {
        product_cost(garbler, shift, n)
    } else {
        let (shape, taps) = exact_taps(width, shift);
        carries_to_arith_cost(garbler, &shape, &taps, n)
    }
}

fn exact_taps(width: Width, shift: u32) -> (Shape, [Tap; 2]) {
    let shape = Shape::radix4(width.bits(), &[shift]);
    let into_shift = Tap { boundary: shape.boundary(shift), bits: width.bits() };
    let out = Tap { boundary: shape.len(), bits: shift };
    (shape, [into_shift, out])
}

async fn half_exact(
    cx: Ctx,
    garbler: Party,
    width: Width,
    shift: u32,
    kind: Trunc,
    x: &[u64],
) -> Result<RingVec> {
    let is_garbler = cx.party == garbler;
    let (shape, taps) = exact_taps(width, shift);
    // By the garbler alone, as every constant here.
    let offset = if kind == Trunc::Logical || !is_garbler { 0 } else { 1 << (width.bits() - 1) };
    let z: Lanes = x.iter().map(|&v| width.wrap(v.wrapping_add(offset))).collect();
    let carries = carries_to_arith(cx, garbler, &shape, &taps, &z).await;
    let parts = z.iter().zip(carries[0].iter().zip(carries[1].iter()));
    let lanes = parts.map(|(z, (c, w))| {
        (z >> shift).wrapping_add(*c).wrapping_sub(w << (width.bits() - shift)).wrapping_sub(offset >> shift)
    });
    Ok(RingVec::new(width, lanes.collect()))
}

async fn half_near(cx: Ctx, garbler: Party, width: Width, shift: u32, x: &[u64]) -> Result<RingVec> {
    let is_garbler = cx.party == garbler;
    let bits = width.bits();
    let offset = if is_garbler { 1 << (bits - 2) } else { 0 };
    let z: Lanes = x.iter().map(|&v| width.wrap(v.wrapping_add(offset))).collect();
    let wrapped = both_tops(cx, is_garbler, shift, &z, bits - 1).await;
    let lanes = z.iter().zip(wrapped.iter()).map(|(z, both)| {
        // a or b = a + b - a·b.
        let wrap = (z >> (bits - 1)).wrapping_sub(*both);
        (z >> shift).wrapping_sub(wrap << (bits - shift)).wrapping_sub(offset >> shift)
    });
    Ok(RingVec::new(width, lanes.collect()))
}

/// Shares mod 2^`ring` of the product of both parties' bits `bit`.
pub(crate) async fn both_tops(cx: Ctx, is_garbler: bool, ring: u32, z: &[u64], bit: u32) -> Lanes {
    let tops: Lanes = z.iter().map(|v| v >> bit & 1).collect();
    if is_garbler {
        send_products(&cx.io, cx.send, PadDomain::Wrap, ring, &tops).await
    } else {
        receive_products(&cx.io, cx.recv, PadDomain::Wrap, ring, &BitVec::from_lanes(&tops)).await
    }
}

#[cfg(test)]
mod tests;
