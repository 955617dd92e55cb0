//! max(x, 0), alone or fused with a truncation and an extension.
//!
//! | function | promise | error | half-rounds |
//! |---|---|---|---|
//! | [`relu`]`(cx, x, width)` into a ring of at least the present width | none | 0 | 4 |
//! | [`relu_trunc`]`(cx, x, shift, bits, width)` | -2^{b-1+s} + 2^s <= x <= 2^{b-1+s} - 1 | -1 or 0 | 4 |
//!
//! Both parties drop the s low bits of their shares and keep the next b bits: u_i = (x_i >> s) mod 2^b. Then
//! u0 + u1 is floor(x / 2^s) or one less, mod 2^b, and within the promise its sign is that of the true quotient. A gate
//! on b bits instead of the whole ring yields d·(u0 + u1 + 2^b·a·b'), both u_i read as signed, in any ring: see `ops::gate`
//! and SECURITY.md, Proofs, section 4, for the error. Leaving out the last term is wrong for a constant share of inputs.
//!
//! Bits for b - 1 = 20 and a result of 32 bits: 21 + 310 + 33 + 65 = 429, with 10 quads and 3 COTs.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::compare::Method;
use crate::ops::gate::{GateShape, gate};
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::transfer::Lanes;
use crate::party::Party;
use crate::ring::{RingVec, Width};
use crate::transport::cost::Cost;

/// The cost of [`relu`] on `len` elements.
#[must_use]
pub fn relu_cost(method: Method, from: Width, to: Width, len: usize) -> Cost {
    relu_trunc_cost(method, from.bits(), to, len)
}

/// `max(x, 0)` of signed values in the ring of `width`.
pub async fn relu(cx: Ctx, x: &RingVec, width: Width) -> Result<RingVec> {
    if width < x.width() {
        return Err(Error::usage(format!("cannot extend a ring of {} to {width}", x.width())));
    }
    relu_trunc(cx, x, 0, x.width().bits(), width).await
}

/// The cost of [`relu_trunc`] with quotients of `bits` bits on `len` elements.
#[must_use]
pub fn relu_trunc_cost(method: Method, bits: u32, to: Width, len: usize) -> Cost {
    if bits < 2 {
        return Cost::none();
    }
    let shape = shape(method, bits, to);
    both_roles_cost(len, |garbler, n| shape.cost(garbler, n))
}

/// `max(x, 0) / 2^shift` of signed values in the ring of `width`, or one less.
pub async fn relu_trunc(cx: Ctx, x: &RingVec, shift: u32, bits: u32, width: Width) -> Result<RingVec> {
    if bits == 0 || bits + shift > x.width().bits() {
        return Err(Error::usage(format!(
            "no {bits} bits above the lowest {shift} of a ring of {}",
            x.width()
        )));
    }
    if bits == 1 {
        // The only quotient within the promise is 0.
        return Ok(RingVec::zeros(width, x.len()));
    }
    let (shape, quotient) = (shape(cx.method, bits, width), Width::new(bits));
    let cost = |garbler: Party, n| shape.cost(garbler, n);
    let run = async |cx, garbler, range: core::ops::Range<usize>| {
        let u: Lanes = x.lanes()[range].iter().map(|v| quotient.wrap(v >> shift)).collect();
        #[allow(clippy::cast_sign_loss, reason = "two's complement")]
        let signed: Lanes = u.iter().map(|&v| quotient.signed(v) as u64).collect();
        let gated = gate(cx, garbler, &shape, &u, &[&signed]).await;
        let high = |table: &u64| table.checked_shl(bits).unwrap_or(0);
        let sum = |(value, table): (&u64, &u64)| value.wrapping_add(high(table));
        let lanes = gated.payloads[0].iter().zip(gated.table.iter()).map(sum).collect();
        Ok(RingVec::new(width, lanes))
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

fn shape(method: Method, bits: u32, to: Width) -> GateShape {
    GateShape::new(method, bits, &[to.bits()], to.bits().saturating_sub(bits))
}

#[cfg(test)]
mod tests;
