//! Selection between shared values by a shared bit.
//!
//! For c = c0 ^ c1 and x = x0 + x1, c·x is the sum over both parties i of c·x_i = c_i·x_i + c_{1-i}·(1 - 2·c_i)·x_i:
//! one product of a bit with a value of the other party each way, side by side.
//!
//! Cost per element over Z_{2^k}: 2 COTs, 2 half-rounds, k + 1 bits each way. The messages reveal nothing:
//! `ops::transfer`.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::transfer::{Lanes, lanes_of, product_cost, receive_products, send_products};
use crate::ot::PadDomain;
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width};
use crate::transport::cost::Cost;
use crate::transport::machine::join;

/// The cost of [`select`] on `len` elements of `width`.
#[must_use]
pub fn select_cost(width: Width, len: usize) -> Cost {
    let one_way = |sender| product_cost(sender, width.bits(), len);
    one_way(Party::Server).beside(one_way(Party::Client))
}

/// `c · x`.
pub async fn select(cx: Ctx, c: &BitVec, x: &RingVec) -> Result<RingVec> {
    if c.len() != x.len() {
        return Err(Error::usage(format!("{} bits cannot select {} elements", c.len(), x.len())));
    }
    let (width, bits) = (x.width(), x.width().bits());
    let own = lanes_of(c);
    let values = signed_by(&own, x.lanes());
    let (received, sent) = join(
        receive_products(&cx.io, cx.recv.cots, PadDomain::Mux, bits, c),
        send_products(&cx.io, cx.send.cots, PadDomain::Mux, bits, &values),
    )
    .await;
    let lanes = own.iter().zip(x.lanes()).zip(received.iter().zip(sent.iter()));
    let sum = lanes.map(|((c, x), (r, s))| (x & c.wrapping_neg()).wrapping_add(*r).wrapping_add(*s));
    Ok(RingVec::new(width, sum.collect()))
}

/// The cost of [`mux`] on `len` elements of `width`.
#[must_use]
pub fn mux_cost(width: Width, len: usize) -> Cost {
    select_cost(width, len)
}

/// `c ? t : f`.
pub async fn mux(cx: Ctx, c: &BitVec, t: &RingVec, f: &RingVec) -> Result<RingVec> {
    if t.width() != f.width() || t.len() != f.len() {
        return Err(Error::usage(format!(
            "cannot select between {} elements of {} and {} of {}",
            t.len(),
            t.width(),
            f.len(),
            f.width()
        )));
    }
    Ok(f.add(&select(cx, c, &t.sub(f)).await?))
}

/// `(1 - 2c) · x` for bits c in lanes.
pub(crate) fn signed_by(c: &[u64], x: &[u64]) -> Lanes {
    let negate = |(c, x): (&u64, &u64)| (x ^ c.wrapping_neg()).wrapping_add(*c);
    c.iter().zip(x).map(negate).collect()
}

#[cfg(test)]
mod tests;
