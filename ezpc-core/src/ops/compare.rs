//! Comparison by carry chains.
//!
//! | function | result | bits in OTs | half-rounds |
//! |---|---|---|---|
//! | [`msb`]`(cx, x)` | the most significant bit of x over Z_{2^k} | k - 1 | 2 |
//! | [`less_than`]`(cx, x, y, signedness)` | x < y for the full range | 3k | 2 |
//! | [`below`](thresholds::below)`(cx, x, thresholds, signedness)` | x < t for public t | k and up | 2 |
//!
//! These are the numbers of the chains, in which two bits take a quad and a single one a COT; for `below` every bit takes a COT.
//! [`Method::Tree`] takes up to two COTs a bit and 2 + ceil(log2(n / 2)) half-rounds for n bits.
//!
//! Every comparison is the carry out of an addition of the two shares: with n-bit x0 and x1 known to one party
//! each, x0 + x1 >= 2^n exactly when 2^n - 1 - x0 < x1, which `compare::chain` computes for the garbler's left and the
//! evaluator's right side. The messages reveal nothing: SECURITY.md, Proofs, sections 1 and 2.

pub(crate) mod chain;
mod method;
pub(crate) mod shape;
pub mod thresholds;
mod tree;

pub use method::Method;

use crate::arch::wipe::boxed;
use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::lanes::{BLOCK, Lane, LaneReader, LaneWriter};
use crate::ops::transfer::{Lanes, low_mask};
use crate::ot::{Pad, PadDomain, ReceiverOts, SenderOts, Tiles};
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width};
use crate::secret::Wiped;
use crate::spec::Signedness;
use crate::transport::cost::Cost;
use crate::transport::machine::Io;
use chain::Rule;
use shape::Shape;
use zeroize::Zeroizing;

/// The cost of [`msb`] on `len` elements of `width`.
#[must_use]
pub fn msb_cost(method: Method, width: Width, len: usize) -> Cost {
    both_roles_cost(len, |garbler, n| carry_out_cost(method, garbler, width.bits() - 1, n))
}

/// The most significant bits.
pub async fn msb(cx: Ctx, x: &RingVec) -> Result<BitVec> {
    let (method, bits) = (cx.method, x.width().bits() - 1);
    let cost = |garbler, n| carry_out_cost(method, garbler, bits, n);
    let run = async |cx, garbler, range| {
        let x = &x.lanes()[range];
        Ok(chain::bit_of_each(x, bits).xor(&carry_out(cx, garbler, bits, x).await))
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(BitVec::concat(&[&a, &b]))
}

/// The cost of [`carry_out`] of `n` additions.
pub(crate) fn carry_out_cost(method: Method, garbler: Party, bits: u32, n: usize) -> Cost {
    match method {
        _ if bits == 0 => Cost::none(),
        Method::Tree => tree::carry_cost(garbler, bits, n),
        _ => chain_cost(garbler, &method.shape(bits, &[]), n),
    }
}

/// This party's share of the carry out of the low `bits` bits of x0 + x1, where `x` is its share.
pub(crate) async fn carry_out(cx: Ctx, garbler: Party, bits: u32, x: &[u64]) -> BitVec {
    match cx.method {
        _ if bits == 0 => BitVec::zeros(x.len()),
        // In a place of its own: every carry would be as large otherwise.
        Method::Tree => boxed(tree::carry(cx, garbler, bits, x)).await,
        method => {
            let shape = method.shape(bits, &[]);
            carries(cx, garbler, &shape, x, &[shape.len()]).await.remove(0)
        }
    }
}

/// The cost of [`less_than`] on `len` pairs of `width`.
#[must_use]
pub fn less_than_cost(method: Method, width: Width, len: usize) -> Cost {
    both_roles_cost(len, |garbler, n| carry_out_cost(method, garbler, width.bits(), 3 * n))
}

/// `x < y`, for every x and y.
///
/// Over Z_{2^{k+1}}, x - y = (x0 - y0) + (x1 - y1) - 2^k·(w_x - w_y), where w are the carries out of x0 + x1 and
/// y0 + y1. Bit k of it is the result, and to bit k every term contributes by XOR: each party's borrow
/// `[x_i < y_i]`, the carry into bit k of the sum of the differences, and the two w. So three chains in one batch
/// do it, without an AND.
pub async fn less_than(cx: Ctx, x: &RingVec, y: &RingVec, signedness: Signedness) -> Result<BitVec> {
    let width = x.width();
    if width != y.width() || x.len() != y.len() {
        return Err(Error::usage(format!(
            "cannot compare {} elements of {width} with {} of {}",
            x.len(),
            y.len(),
            y.width()
        )));
    }
    // Signed order is unsigned order after adding 2^{k-1}, by the server.
    let offset = if signedness == Signedness::Signed && cx.party == Party::Server {
        1 << (width.bits() - 1)
    } else {
        0
    };
    let (x, y) = (x.map(width, |v| v.wrapping_add(offset)), y.map(width, |v| v.wrapping_add(offset)));
    let method = cx.method;
    let cost = |garbler, n| carry_out_cost(method, garbler, width.bits(), 3 * n);
    let run = async |cx, garbler, range: core::ops::Range<usize>| {
        half_less_than(cx, garbler, width, &x.lanes()[range.clone()], &y.lanes()[range]).await
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(BitVec::concat(&[&a, &b]))
}

async fn half_less_than(cx: Ctx, garbler: Party, width: Width, x: &[u64], y: &[u64]) -> Result<BitVec> {
    let n = x.len();
    let differences = x.iter().zip(y).map(|(x, y)| width.wrap(x.wrapping_sub(*y)));
    let mut operands = Vec::with_capacity(3 * n);
    operands.extend(differences);
    operands.extend_from_slice(x);
    operands.extend_from_slice(y);
    let operands = Lanes::new(operands);
    let borrows: Lanes = x.iter().zip(y).map(|(x, y)| borrow(*x, *y)).collect();
    let carry = carry_out(cx, garbler, width.bits(), &operands).await;
    Ok(BitVec::from_lanes(&borrows)
        .xor(&carry.slice(0..n))
        .xor(&carry.slice(n..2 * n))
        .xor(&carry.slice(2 * n..3 * n)))
}

/// `x < y` as 0 or 1, without a branch.
pub(crate) const fn borrow(x: u64, y: u64) -> u64 {
    ((!x & y) | ((!x | y) & x.wrapping_sub(y))) >> 63
}

/// The cost of one chain for each of `n` elements.
pub(crate) fn chain_cost(garbler: Party, shape: &Shape, n: usize) -> Cost {
    let [flips, corrections] = shape.message_lens(n);
    Cost::of_ots(shape.ots(garbler, n))
        .then(Cost::message(garbler.peer(), flips))
        .then(Cost::message(garbler, corrections))
}

/// This party's shares of the carries of x0 + x1 at the boundaries `taps`, where `x` is its share; the shape
/// says how many low bits of it are added.
pub(crate) async fn carries(
    cx: Ctx,
    garbler: Party,
    shape: &Shape,
    x: &[u64],
    taps: &[usize],
) -> Vec<BitVec> {
    let mask = low_mask(shape.bits());
    let Ctx { io, party, send, recv, mut rng, .. } = cx;
    if party == garbler {
        let pi = masks(&mut rng, x.len());
        let complement: Lanes = x.iter().map(|&v| !v & mask).collect();
        garble_chain(&io, send, shape, Rule::Less, &complement, &pi).await;
        chain::mask_shares(&pi, taps)
    } else {
        let low: Lanes = x.iter().map(|&v| v & mask).collect();
        evaluate_chain(&io, recv, shape, Rule::Less, &low, taps).await
    }
}

/// Fresh masks for all carries of `n` chains.
pub(crate) fn masks(rng: &mut crate::crypto::Prg, n: usize) -> Lanes {
    Lanes::new(rng.lanes(Width::W64, n))
}

/// The garbler's side of one chain per element; bit i - 1 of `pi` becomes its share of the carry at boundary i.
pub(crate) async fn garble_chain(io: &Io, ots: SenderOts, shape: &Shape, rule: Rule, x: &[u64], pi: &[u64]) {
    let flips = io.receive(shape.message_lens(x.len())[0]).await;
    io.send(&garbled(ots, shape, rule, x, &flips, pi)).await;
}

/// The evaluator's side: its shares of the carries at the boundaries `taps`.
pub(crate) async fn evaluate_chain(
    io: &Io,
    ots: ReceiverOts,
    shape: &Shape,
    rule: Rule,
    y: &[u64],
    taps: &[usize],
) -> Vec<BitVec> {
    let (flips, evaluation) = Evaluation::new(ots, shape, rule, y);
    io.send(&flips).await;
    let received = io.receive(shape.message_lens(y.len())[1]).await;
    evaluation.open(&received, taps)
}

/// The garbler's message, from the evaluator's flips.
pub(crate) fn garbled(
    ots: SenderOts,
    shape: &Shape,
    rule: Rule,
    x: &[u64],
    flips: &[u8],
    pi: &[u64],
) -> Vec<u8> {
    let flips = LaneReader::new(flips, x.len(), shape.bits() as usize).pull::<u64>(shape.bits());
    if shape.fits(32) {
        garbled_in::<u32>(ots, shape, rule, x, &flips, pi)
    } else if shape.fits(64) {
        garbled_in::<u64>(ots, shape, rule, x, &flips, pi)
    } else {
        garbled_in::<u128>(ots, shape, rule, x, &flips, pi)
    }
}

fn garbled_in<T: Lane + Pad>(
    mut ots: SenderOts,
    shape: &Shape,
    rule: Rule,
    x: &[u64],
    flips: &[u64],
    pi: &[u64],
) -> Vec<u8> {
    let mut message = Vec::with_capacity(shape.message_lens(x.len())[1]);
    let mut tiles = Tiles::new();
    let mut garbler = chain::Garbler::<T>::new(shape, rule, x.len().min(BLOCK));
    for ((x, flips), pi) in x.chunks(BLOCK).zip(flips.chunks(BLOCK)).zip(pi.chunks(BLOCK)) {
        let pads = |i: usize, places: &mut [T]| {
            let m = shape.width(i) as usize;
            ots.take_digits(m, x.len()).digit_pads_into(m, domain(rule), &mut tiles, places);
        };
        garbler.garble([x, flips, pi], pads, &mut message);
    }
    message
}

/// The evaluator between its flips and the garbler's message.
pub(crate) struct Evaluation {
    shape: Shape,
    y: Lanes,
    pads: Pads,
}

/// The evaluator's pads, in words as wide as the shape needs: block by block, and in a block digit by digit.
enum Pads {
    Narrow(Wiped<u32>),
    Middle(Wiped<u64>),
    Wide(Wiped<u128>),
}

impl Evaluation {
    /// The flips of one chain per element of `y`, and what is left to do.
    pub(crate) fn new(ots: ReceiverOts, shape: &Shape, rule: Rule, y: &[u64]) -> (Vec<u8>, Self) {
        let mut flips: Lanes = y.iter().copied().collect();
        let pads = if shape.fits(32) {
            Pads::Narrow(own_pads(ots, shape, rule, &mut flips))
        } else if shape.fits(64) {
            Pads::Middle(own_pads(ots, shape, rule, &mut flips))
        } else {
            Pads::Wide(own_pads(ots, shape, rule, &mut flips))
        };
        let mut message = LaneWriter::new(y.len(), shape.bits() as usize);
        message.push(shape.bits(), &flips);
        (message.finish(), Self { shape: shape.clone(), y: y.iter().copied().collect(), pads })
    }

    /// The shares of the carries at the boundaries `taps`.
    pub(crate) fn open(self, message: &[u8], taps: &[usize]) -> Vec<BitVec> {
        match self.pads {
            Pads::Narrow(pads) => evaluate_in(&self.shape, &self.y, pads, message, taps),
            Pads::Middle(pads) => evaluate_in(&self.shape, &self.y, pads, message, taps),
            Pads::Wide(pads) => evaluate_in(&self.shape, &self.y, pads, message, taps),
        }
    }
}

fn evaluate_in<T: Lane>(
    shape: &Shape,
    y: &[u64],
    mut pads: Wiped<T>,
    message: &[u8],
    taps: &[usize],
) -> Vec<BitVec> {
    let mut evaluator = chain::Evaluator::<T>::new(shape, taps, y.len().min(BLOCK));
    let blocks = y.chunks(BLOCK).zip(pads.chunks_mut(BLOCK * shape.len()));
    for ((y, pads), message) in blocks.zip(message.chunks(shape.message_lens(BLOCK)[1])) {
        evaluator.evaluate(y, pads, message);
    }
    evaluator.finish(y.len())
}

/// The pads of the evaluator's choices; turns y in `flips` into the flips.
fn own_pads<T: Lane + Pad>(mut ots: ReceiverOts, shape: &Shape, rule: Rule, flips: &mut [u64]) -> Wiped<T> {
    let mut pads = Wiped::zeros(flips.len() * shape.len());
    let (mut choices, mut tiles) = (Zeroizing::new([0; BLOCK]), Tiles::new());
    for (flips, pads) in flips.chunks_mut(BLOCK).zip(pads.chunks_mut(BLOCK * shape.len())) {
        let choices = &mut choices[..flips.len()];
        // OTs in the order in which the garbler needs them, the top digit first.
        for (i, places) in pads.chunks_exact_mut(flips.len()).enumerate().rev() {
            let m = shape.width(i) as usize;
            let digit = ots.take_digits(m, flips.len());
            digit.digit_pads_into(m, domain(rule), &mut tiles, choices, places);
            let offset = shape.offset(i);
            for (flip, &choice) in flips.iter_mut().zip(&*choices) {
                *flip ^= u64::from(choice) << offset;
            }
        }
    }
    pads
}

const fn domain(rule: Rule) -> PadDomain {
    match rule {
        Rule::Less => PadDomain::Chain,
        Rule::Equal => PadDomain::Equality,
    }
}

#[cfg(test)]
mod tests;
