//! Division by 2^s within a ring, as [`Trunc`] says.
//!
//! With z = z0 + z1 - w·2^k, w the carry out of bit k - 1 and c the carry into bit s,
//! floor(z / 2^s) = (z0 >> s) + (z1 >> s) + c - w·2^{k-s}. Signed values become unsigned ones by an offset that is
//! subtracted again after the division.
//!
//! | kind | OTs | bits | half-rounds | promise | error |
//! |---|---|---|---|---|---|
//! | `Floor` | those of chain(k), 2 COTs | chain(k) + (k-1) + (s-1) | 3 | none | 0 |
//! | `Logical` | those of chain(k), 2 COTs | chain(k) + (k-1) + (s-1) | 3 | none | 0 |
//! | `Near` | 1 COT | s + 1 | 2 | -2^{k-2} <= x < 2^{k-2} | -1 or 0 |
//! | `NearPositive` | 1 COT | s + 1 | 2 | 0 <= x < 2^{k-1} | -1 or 0 |
//! | `NearWide` | those of chain(k-s), 1 COT | chain(k-s) + (s-1) | 3 | x >= -2^{k-1} + 2^s - 1 | -1 or 0 |
//! | `Local` of b bits | 0 | 0 | 0 | -2^{b-1} <= x < 2^{b-1} | -1 or 0, wrong with a chance below 2^{b-k} |
//!
//! The near ones leave out c. `Near` after an offset of 2^{k-2}, and `NearPositive` as it is, have a z whose top bit is 0,
//! so w is the or of the shares' top bits; `NearWide` takes for w the carry of the shares without their low bits;
//! `Local` after an offset of 2^{b-1} takes w for 1, which uniform shares of a small value miss rarely. Their error depends on the shares, so before a reveal that may show the floor only, use `Floor`. The messages reveal
//! nothing: SECURITY.md, Proofs, section 3.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::compare::Method;
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
pub fn trunc_cost(method: Method, width: Width, shift: u32, kind: Trunc, len: usize) -> Cost {
    if shift == 0 || shift >= width.bits() || matches!(kind, Trunc::Local { .. }) {
        return Cost::none();
    }
    both_roles_cost(len, |garbler, n| half_cost(method, garbler, width, shift, kind, n))
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
    if let Trunc::Local { bits } = kind {
        return Ok(local(cx.party, x, shift, bits));
    }
    let method = cx.method;
    let cost = |garbler, n| half_cost(method, garbler, width, shift, kind, n);
    let run = async |cx, garbler, range: core::ops::Range<usize>| {
        let x = &x.lanes()[range];
        match plan(method, width, shift, kind) {
            Plan::Tops { offset } => half_tops(cx, garbler, width, shift, offset, x).await,
            Plan::Chain { offset, shape, taps } => {
                half_chain(cx, garbler, width, shift, offset, &shape, &taps, x).await
            }
        }
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

/// By the server alone: the offset that makes values non-negative and is a multiple of 2^s, and the carry taken for 1.
fn local(party: Party, x: &RingVec, shift: u32, bits: u32) -> RingVec {
    let width = x.width();
    let offset = 1_u64 << shift.max(bits - 1);
    let (before, after) = match party {
        Party::Server => (offset, (offset >> shift).wrapping_add(1 << (width.bits() - shift))),
        Party::Client => (0, 0),
    };
    x.map(width, |v| (width.wrap(v.wrapping_add(before)) >> shift).wrapping_sub(after))
}

/// How a truncation finds the carries; the offset makes values non-negative.
enum Plan {
    /// The top bit after the offset is 0, so w is the or of the shares' top bits.
    Tops { offset: u64 },
    /// w is the first tap and c, where it counts, the second, of a chain over the top bits of the shares.
    Chain { offset: u64, shape: Shape, taps: Vec<Tap> },
}

fn plan(method: Method, width: Width, shift: u32, kind: Trunc) -> Plan {
    let bits = width.bits();
    let half = 1 << (bits - 1);
    match kind {
        // The offset must be a multiple of 2^s; else the exact kind does it.
        Trunc::Near if shift + 2 <= bits => Plan::Tops { offset: half / 2 },
        Trunc::NearPositive => Plan::Tops { offset: 0 },
        Trunc::NearWide => {
            let shape = method.shape(bits - shift, &[]);
            let taps = vec![Tap { boundary: shape.len(), bits: shift }];
            Plan::Chain { offset: half, shape, taps }
        }
        Trunc::Floor | Trunc::Logical | Trunc::Near | Trunc::Local { .. } => {
            let shape = method.shape(bits, &[shift]);
            let out = Tap { boundary: shape.len(), bits: shift };
            let into_shift = Tap { boundary: shape.boundary(shift), bits };
            let offset = if kind == Trunc::Logical { 0 } else { half };
            Plan::Chain { offset, taps: vec![out, into_shift], shape }
        }
    }
}

fn half_cost(method: Method, garbler: Party, width: Width, shift: u32, kind: Trunc, n: usize) -> Cost {
    match plan(method, width, shift, kind) {
        Plan::Tops { .. } => product_cost(garbler, shift, n),
        Plan::Chain { shape, taps, .. } => carries_to_arith_cost(garbler, &shape, &taps, n),
    }
}

#[allow(clippy::too_many_arguments, reason = "a plan and its operands")]
async fn half_chain(
    cx: Ctx,
    garbler: Party,
    width: Width,
    shift: u32,
    offset: u64,
    shape: &Shape,
    taps: &[Tap],
    x: &[u64],
) -> Result<RingVec> {
    // By the garbler alone, as every constant here.
    let offset = if cx.party == garbler { offset } else { 0 };
    let z: Lanes = x.iter().map(|&v| width.wrap(v.wrapping_add(offset))).collect();
    let (dropped, kept) = (width.bits() - shape.bits(), width.bits() - shift);
    let operands: Lanes = z.iter().map(|z| z >> dropped).collect();
    let carries = carries_to_arith(cx, garbler, shape, taps, &operands).await;
    let wraps = z.iter().zip(carries[0].iter());
    let mut lanes: Vec<u64> =
        wraps.map(|(z, w)| (z >> shift).wrapping_sub(w << kept).wrapping_sub(offset >> shift)).collect();
    if let Some(carries) = carries.get(1) {
        lanes.iter_mut().zip(carries.iter()).for_each(|(lane, c)| *lane = lane.wrapping_add(*c));
    }
    Ok(RingVec::new(width, lanes))
}

async fn half_tops(
    cx: Ctx,
    garbler: Party,
    width: Width,
    shift: u32,
    offset: u64,
    x: &[u64],
) -> Result<RingVec> {
    let is_garbler = cx.party == garbler;
    let bits = width.bits();
    let offset = if is_garbler { offset } else { 0 };
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
        send_products(&cx.io, cx.send.cots, PadDomain::Wrap, ring, &tops).await
    } else {
        receive_products(&cx.io, cx.recv.cots, PadDomain::Wrap, ring, &BitVec::from_lanes(&tops)).await
    }
}

#[cfg(test)]
mod tests;
