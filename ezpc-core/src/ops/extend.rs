//! The same value in a wider ring.
//!
//! | function | OTs | bits | half-rounds | promise |
//! |---|---|---|---|---|
//! | [`extend`]`(cx, x, width, signedness)` from k to k' | those of chain(k), 1 COT | chain(k) + (k'-k-1) | 3 | none |
//! | [`extend_near`]`(cx, x, width, signedness)` | 1 | k' - k + 1 | 2 | half the range: below |
//!
//! x = x0 + x1 - w·2^k over the integers, with w the carry out of bit k - 1, so w is needed mod 2^{k'-k}. Signed
//! values become unsigned ones by an offset. The messages reveal nothing: SECURITY.md, Proofs, section 3.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::compare::Method;
use crate::ops::compare::shape::Shape;
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::transfer::{Lanes, product_cost};
use crate::ops::trunc::both_tops;
use crate::ops::wrap::{Tap, carries_to_arith, carries_to_arith_cost};
use crate::party::Party;
use crate::ring::{RingVec, Width};
use crate::spec::Signedness;
use crate::transport::cost::Cost;

/// The cost of [`extend`] on `len` elements.
#[must_use]
pub fn extend_cost(method: Method, from: Width, to: Width, len: usize) -> Cost {
    if to <= from {
        return Cost::none();
    }
    both_roles_cost(len, |garbler, n| half_cost(method, garbler, from, to, n))
}

/// The same values in the ring of `width`, for every value.
pub async fn extend(cx: Ctx, x: &RingVec, width: Width, signedness: Signedness) -> Result<RingVec> {
    let from = x.width();
    if width <= from {
        return trivial(x, width);
    }
    let method = cx.method;
    let cost = |garbler, n| half_cost(method, garbler, from, width, n);
    let run = async |cx: Ctx, garbler, range: core::ops::Range<usize>| {
        let offset = offset(from, signedness, 1, cx.party == garbler);
        let z = add(&x.lanes()[range], from, offset);
        let (shape, tap) = tap(method, from, width);
        let wrap = carries_to_arith(cx, garbler, &shape, &[tap], &z).await;
        Ok(unwrap(&z, &wrap[0], from, width, offset))
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

fn half_cost(method: Method, garbler: Party, from: Width, to: Width, n: usize) -> Cost {
    let (shape, tap) = tap(method, from, to);
    carries_to_arith_cost(garbler, &shape, &[tap], n)
}

fn tap(method: Method, from: Width, to: Width) -> (Shape, Tap) {
    let shape = method.shape(from.bits(), &[]);
    let tap = Tap { boundary: shape.len(), bits: to.bits() - from.bits() };
    (shape, tap)
}

/// The cost of [`extend_near`] on `len` elements.
#[must_use]
pub fn extend_near_cost(from: Width, to: Width, len: usize) -> Cost {
    if to <= from {
        return Cost::none();
    }
    both_roles_cost(len, |garbler, n| near_cost(garbler, from, to, n))
}

/// The same values in the ring of `width`, promised that they use half the range of theirs, of k bits:
/// `0 <= x < 2^{k-1}` for unsigned ones, `-2^{k-2} <= x < 2^{k-2}` for signed ones. Outside of that the result is
/// wrong.
pub async fn extend_near(cx: Ctx, x: &RingVec, width: Width, signedness: Signedness) -> Result<RingVec> {
    let from = x.width();
    if width <= from {
        return trivial(x, width);
    }
    if signedness == Signedness::Signed && from.bits() < 2 {
        return Err(Error::usage("no signed value of 1 bit uses half its range"));
    }
    let cost = |garbler, n| near_cost(garbler, from, width, n);
    let run = async |cx: Ctx, garbler, range: core::ops::Range<usize>| {
        let is_garbler = cx.party == garbler;
        let offset = offset(from, signedness, 2, is_garbler);
        let z = add(&x.lanes()[range], from, offset);
        let top = from.bits() - 1;
        // The top bit of the sum is 0: the carry is the or of the shares' top bits.
        let mut wrap = both_tops(cx, is_garbler, width.bits() - from.bits(), &z, top).await;
        wrap.iter_mut().zip(z.iter()).for_each(|(w, z)| *w = (z >> top).wrapping_sub(*w));
        Ok(unwrap(&z, &wrap, from, width, offset))
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

fn near_cost(garbler: Party, from: Width, to: Width, n: usize) -> Cost {
    product_cost(garbler, to.bits() - from.bits(), n)
}

fn trivial(x: &RingVec, width: Width) -> Result<RingVec> {
    if width < x.width() {
        return Err(Error::usage(format!("cannot extend a ring of {} to {width}", x.width())));
    }
    Ok(x.clone())
}

/// What the garbler adds to make signed values unsigned: 2^{k - `below`}.
const fn offset(from: Width, signedness: Signedness, below: u32, is_garbler: bool) -> u64 {
    match signedness {
        Signedness::Signed if is_garbler => 1 << (from.bits() - below),
        _ => 0,
    }
}

fn add(x: &[u64], width: Width, offset: u64) -> Lanes {
    x.iter().map(|&v| width.wrap(v.wrapping_add(offset))).collect()
}

fn unwrap(z: &[u64], wrap: &[u64], from: Width, to: Width, offset: u64) -> RingVec {
    let lane = |(z, w): (&u64, &u64)| z.wrapping_sub(w << from.bits()).wrapping_sub(offset);
    RingVec::new(to, z.iter().zip(wrap).map(lane).collect())
}

#[cfg(test)]
mod tests;
