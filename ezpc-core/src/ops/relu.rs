//! max(x, 0), alone or fused with a truncation and an extension.
//!
//! | function | promise | error | half-rounds |
//! |---|---|---|---|
//! | [`relu`]`(cx, x, width)` into a ring of at least the present width | none | 0 | 4 |
//! | [`relu_coarse`]`(cx, x, drop, width)`, the same | -2^{k-1} + h <= x < 2^{k-1} - h | either of 0 and x, if -h <= x < h | 4 |
//! | [`relu_trunc`]`(cx, x, shift, bits, width)` | -2^{b-1+s} + 2^s <= x <= 2^{b-1+s} - 1 | -1 or 0 | 4 |
//!
//! Both parties drop the s low bits of their shares and keep the next b bits: u_i = (x_i >> s) mod 2^b. Then
//! u0 + u1 is floor(x / 2^s) or one less, mod 2^b, and within the promise its sign is that of the true quotient. A gate
//! on b bits instead of the whole ring yields d·(u0 + u1 + 2^b·a·b'), both u_i read as signed, in any ring: see `ops::gate`
//! and SECURITY.md, Proofs, section 4, for the error. Leaving out the last term is wrong for a constant share of inputs.
//!
//! A coarse ReLU decides by the shares of y = x + h for h = 2^{t-1}, without their t lowest bits, whose sum is floor(y / 2^t)
//! or one less, and gates y - h: whatever passes has y >= 0, and what does not has y < 2^t. The chain is t bits shorter, and
//! with it most of the bytes, which grow with the square of its length. Rounded thus, a decision misses half of what it leaves
//! out at most, and the mean square of what it misses is an eighth of that of a decision by x.
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
    relu_coarse_cost(method, from, 0, to, len)
}

/// `max(x, 0)` of signed values in the ring of `width`.
pub async fn relu(cx: Ctx, x: &RingVec, width: Width) -> Result<RingVec> {
    if width < x.width() {
        return Err(Error::usage(format!("cannot extend a ring of {} to {width}", x.width())));
    }
    rectify(cx, x, Part { shift: 0, bits: x.width().bits(), drop: 0 }, width).await
}

/// The cost of [`relu_coarse`] on `len` elements.
#[must_use]
pub fn relu_coarse_cost(method: Method, from: Width, drop: u32, to: Width, len: usize) -> Cost {
    cost(method, Part { shift: 0, bits: from.bits(), drop }, to, len)
}

/// `max(x, 0)` of signed values in the ring of `width`; either of 0 and x, if `-2^{drop-1} <= x < 2^{drop-1}`.
pub async fn relu_coarse(cx: Ctx, x: &RingVec, drop: u32, width: Width) -> Result<RingVec> {
    let from = x.width();
    can_decide(from, drop)?;
    if width < from {
        return Err(Error::usage(format!("cannot extend a ring of {from} to {width}")));
    }
    rectify(cx, x, Part { shift: 0, bits: from.bits(), drop }, width).await
}

/// The cost of [`relu_trunc`] with quotients of `bits` bits on `len` elements.
#[must_use]
pub fn relu_trunc_cost(method: Method, bits: u32, to: Width, len: usize) -> Cost {
    cost(method, Part { shift: 0, bits, drop: 0 }, to, len)
}

/// `max(x, 0) / 2^shift` of signed values in the ring of `width`, or one less.
pub async fn relu_trunc(cx: Ctx, x: &RingVec, shift: u32, bits: u32, width: Width) -> Result<RingVec> {
    if bits == 0 || bits + shift > x.width().bits() {
        return Err(Error::usage(format!(
            "no {bits} bits above the lowest {shift} of a ring of {}",
            x.width()
        )));
    }
    rectify(cx, x, Part { shift, bits, drop: 0 }, width).await
}

/// Reports a decision that leaves no bit beside the sign.
pub(crate) fn can_decide(width: Width, drop: u32) -> Result<()> {
    if drop > 0 && drop.saturating_add(2) > width.bits() {
        return Err(Error::usage(format!(
            "no sign and another bit above the lowest {drop} of a ring of {width}"
        )));
    }
    Ok(())
}

/// The bits that decide, of `bits`: for costs, too, which no operand is checked for.
///
/// # Panics
/// When [`can_decide`] refuses them.
pub(crate) fn deciding_bits(bits: u32, drop: u32) -> u32 {
    assert!(can_decide(Width::new(bits), drop).is_ok(), "no sign and another bit of {bits} without {drop}");
    bits - drop
}

/// What rounds a decision without the `drop` lowest bits.
pub(crate) const fn rounding(drop: u32) -> u64 {
    1 << drop >> 1
}

/// What a ReLU looks at: the next `bits` above the `shift` lowest are its value, and these without the `drop` lowest decide.
#[derive(Clone, Copy)]
struct Part {
    shift: u32,
    bits: u32,
    drop: u32,
}

impl Part {
    fn shape(self, method: Method, to: Width) -> GateShape {
        let bits = deciding_bits(self.bits, self.drop);
        GateShape::new(method, bits, &[to.bits()], to.bits().saturating_sub(self.bits))
    }
}

fn cost(method: Method, part: Part, to: Width, len: usize) -> Cost {
    if part.bits < 2 {
        return Cost::none();
    }
    let shape = part.shape(method, to);
    both_roles_cost(len, |garbler, n| shape.cost(garbler, n))
}

async fn rectify(cx: Ctx, x: &RingVec, part: Part, width: Width) -> Result<RingVec> {
    let Part { shift, bits, drop } = part;
    if bits == 1 {
        // The only quotient within the promise is 0.
        return Ok(RingVec::zeros(width, x.len()));
    }
    let (shape, quotient) = (part.shape(cx.method, width), Width::new(bits));
    let cost = |garbler: Party, n| shape.cost(garbler, n);
    let run = async |cx: Ctx, garbler, range: core::ops::Range<usize>| {
        // One party rounds: what is left out decides half of the cases either way.
        let half = if cx.party == garbler { rounding(drop) } else { 0 };
        let part = |v: &u64| quotient.wrap((v >> shift).wrapping_add(half));
        let value: Lanes = x.lanes()[range].iter().map(part).collect();
        let u: Lanes = value.iter().map(|v| v >> drop).collect();
        #[allow(clippy::cast_sign_loss, reason = "two's complement")]
        let signed: Lanes = value.iter().map(|&v| (quotient.signed(v) as u64).wrapping_sub(half)).collect();
        let gated = gate(cx, garbler, &shape, &u, &[&signed]).await;
        let high = |table: &u64| table.checked_shl(bits).unwrap_or(0);
        let sum = |(value, table): (&u64, &u64)| value.wrapping_add(high(table));
        let lanes = gated.payloads[0].iter().zip(gated.table.iter()).map(sum).collect();
        Ok(RingVec::new(width, lanes))
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

#[cfg(test)]
mod tests;
