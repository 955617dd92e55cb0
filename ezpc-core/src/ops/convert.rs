//! Conversions between Boolean and arithmetic shares.
//!
//! | function | result | COTs | bits | half-rounds |
//! |---|---|---|---|---|
//! | [`bit_to_arith`]`(cx, b, width)` | a bit as 0 or 1 in Z_{2^k} | 1 | k | 2 |
//! | [`b2a`]`(cx, x)` | a k-bit word in Z_{2^k} | k - 1 | k(k-1)/2 + k - 1 | 2 |
//! | [`popcount`]`(cx, x, width)` | the number of ones among m bits in Z_{2^k} | m | m·k | 2 |
//! | [`a2b`]`(cx, x)` | the k binary digits | k - 1 | k^2 - 1 | 2 |
//!
//! b0 ^ b1 = b0 + b1 - 2·b0·b1: one product mod 2^{k-1} of a bit each party knows. The top bit of a word needs no
//! product at all. Digits are the parties' own digits xor the carry into them, so all of them are taps of one chain
//! with 1-bit digits. The messages reveal nothing: `ops::transfer` and SECURITY.md, Proofs, section 1.

use crate::error::Result;
use crate::ops::Ctx;
use crate::ops::compare::shape::Shape;
use crate::ops::compare::{carries, chain_cost};
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::transfer::{Lanes, correct, finish, lanes_of, unmask};
use crate::ot::PadDomain;
use crate::party::Party;
use crate::ring::{BitPlanes, BitVec, RingVec, Width};
use crate::transport::cost::Cost;

/// The cost of [`bit_to_arith`] on `len` bits.
#[must_use]
pub fn bit_to_arith_cost(width: Width, len: usize) -> Cost {
    both_roles_cost(len, |sender, n| sum_cost(sender, &[width.bits()], n))
}

/// The bits as 0 and 1 in the ring of `width`.
pub async fn bit_to_arith(cx: Ctx, b: &BitVec, width: Width) -> Result<RingVec> {
    weighted_sums(cx, width, &[b], &[0]).await
}

/// The cost of [`b2a`] on `len` words of `width`.
#[must_use]
pub fn b2a_cost(width: Width, len: usize) -> Cost {
    let rings: Vec<u32> = (1..=width.bits()).rev().collect();
    both_roles_cost(len, |sender, n| sum_cost(sender, &rings, n))
}

/// Words of k bits in the ring of k bits.
pub async fn b2a(cx: Ctx, x: &BitPlanes) -> Result<RingVec> {
    let shifts: Vec<u32> = (0..x.bits()).collect();
    let planes: Vec<&BitVec> = x.planes().iter().collect();
    weighted_sums(cx, Width::new(x.bits()), &planes, &shifts).await
}

/// The cost of [`popcount`] on `len` words of `bits` bits.
#[must_use]
pub fn popcount_cost(bits: u32, width: Width, len: usize) -> Cost {
    let rings = vec![width.bits(); bits as usize];
    both_roles_cost(len, |sender, n| sum_cost(sender, &rings, n))
}

/// How many bits of each word are set, mod 2^`width`.
pub async fn popcount(cx: Ctx, x: &BitPlanes, width: Width) -> Result<RingVec> {
    let planes: Vec<&BitVec> = x.planes().iter().collect();
    weighted_sums(cx, width, &planes, &vec![0; planes.len()]).await
}

/// The sums over i of `planes[i] << shifts[i]`.
async fn weighted_sums(cx: Ctx, width: Width, planes: &[&BitVec], shifts: &[u32]) -> Result<RingVec> {
    let rings: Vec<u32> = shifts.iter().map(|s| width.bits() - s).collect();
    let cost = |sender, n| sum_cost(sender, &rings, n);
    let run = async |cx, sender, range: core::ops::Range<usize>| {
        let planes: Vec<BitVec> = planes.iter().map(|p| p.slice(range.clone())).collect();
        half_sums(cx, sender, width, &planes, &rings, range.len()).await
    };
    let [a, b] = both_roles(cx, planes[0].len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

/// The cost of bits weighted so that bit i matters in a ring of `rings[i]` bits.
fn sum_cost(sender: Party, rings: &[u32], n: usize) -> Cost {
    let products: Vec<usize> = rings.iter().map(|r| *r as usize - 1).filter(|&r| r > 0).collect();
    let bits = products.iter().sum();
    Cost::of_cots(sender, n * products.len())
        .then(Cost::message(sender.peer(), message_len(n, products.len())))
        .then(Cost::message(sender, message_len(n, bits)))
}

async fn half_sums(
    cx: Ctx,
    sender: Party,
    width: Width,
    planes: &[BitVec],
    rings: &[u32],
    n: usize,
) -> Result<RingVec> {
    let Ctx { io, party, mut send, mut recv, .. } = cx;
    let wanted: Vec<usize> = (0..rings.len()).filter(|&i| rings[i] > 1).collect();
    let bits: usize = wanted.iter().map(|&i| rings[i] as usize - 1).sum();
    let mut total: Lanes = Lanes::zeros(n);
    let mut add = |i: usize, part: &[u64]| {
        let shift = width.bits() - rings[i];
        total.iter_mut().zip(part).for_each(|(t, p)| *t = t.wrapping_add(*p << shift));
    };
    // A bit that matters in the ring of one bit only is the XOR of its shares already.
    (0..rings.len()).filter(|&i| rings[i] == 1).for_each(|i| add(i, &lanes_of(&planes[i])));
    if party == sender {
        let received = io.receive(message_len(n, wanted.len())).await;
        let mut flips = LaneReader::new(&received, n, wanted.len());
        let mut message = LaneWriter::new(n, bits);
        for &i in &wanted {
            let own = lanes_of(&planes[i]);
            let ring = rings[i] - 1;
            let cots = send.cots.take(n);
            let (corrections, shares) =
                correct(cots, PadDomain::BitToArith, ring, Some(&flips.pull_bits()), &own);
            message.push(ring, &corrections);
            add(i, &unmask(rings[i], &own, shares));
        }
        io.send(&message.finish()).await;
    } else {
        let mut message = LaneWriter::new(n, wanted.len());
        let mut pads = Vec::with_capacity(wanted.len());
        for &i in &wanted {
            let cots = recv.cots.take(n);
            let (choices, own) = cots.bit_pads::<u64>(PadDomain::BitToArith);
            message.push_bits(&planes[i].xor(&choices));
            pads.push(own);
        }
        io.send(&message.finish()).await;
        let received = io.receive(message_len(n, bits)).await;
        let mut corrections = LaneReader::new(&received, n, bits);
        for (&i, pads) in wanted.iter().zip(pads) {
            let own = lanes_of(&planes[i]);
            let ring = rings[i] - 1;
            let shares = finish(ring, &own, pads, &corrections.pull::<u64>(ring));
            add(i, &unmask(rings[i], &own, shares));
        }
    }
    Ok(RingVec::new(width, total.into_vec()))
}

/// The cost of [`a2b`] on `len` elements of `width`.
#[must_use]
pub fn a2b_cost(width: Width, len: usize) -> Cost {
    both_roles_cost(len, |garbler, n| digits_cost(garbler, width, n))
}

/// The binary digits.
pub async fn a2b(cx: Ctx, x: &RingVec) -> Result<BitPlanes> {
    let width = x.width();
    let cost = |garbler, n| digits_cost(garbler, width, n);
    let run = async |cx, garbler, range| half_digits(cx, garbler, width, &x.lanes()[range]).await;
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(BitPlanes::concat(&[&a, &b]))
}

fn digits_cost(garbler: Party, width: Width, n: usize) -> Cost {
    match width.bits() {
        1 => Cost::none(),
        bits => chain_cost(garbler, &Shape::radix2(bits - 1), n),
    }
}

async fn half_digits(cx: Ctx, garbler: Party, width: Width, x: &[u64]) -> Result<BitPlanes> {
    let own = BitPlanes::from_lanes(width.bits(), x);
    if width.bits() == 1 {
        return Ok(own);
    }
    let shape = Shape::radix2(width.bits() - 1);
    let taps: Vec<usize> = (1..=shape.len()).collect();
    let carries = carries(cx, garbler, &shape, x, &taps).await;
    let mut planes = own.planes().to_vec();
    for (plane, carry) in planes[1..].iter_mut().zip(&carries) {
        *plane = plane.xor(carry);
    }
    Ok(BitPlanes::new(planes))
}

#[cfg(test)]
mod tests;
