//! The carry chain: comparison of two private numbers with information-theoretic garbling of the recurrence
//! `c' = val(y, c)` over digits. Pure computation; SECURITY.md, Proofs has the proof.
//!
//! The garbler holds x, the evaluator y, and both hold the ends of one 1-of-2^m random OT per digit. The wire
//! between two digits carries one bit c; its label under the value b is a string whose lowest bit, the pointer,
//! is `b ^ pi` for a random pi that only the garbler knows. The evaluator ends up with exactly one label per
//! wire, so its pointer and the garbler's pi are XOR shares of c on every wire: taps are free.
//!
//! A digit is a 1-bit automaton: `val(j, b) = g_j | (e_j & b)` with `e_j = [j = x]` and `g_j = [j > x]` (the
//! comparison x < y) or `g_j = 0` (equality). Randomness that must be fresh in every call: the pads and pi.
//! Rules that the proof needs: pads are used up to the exact width of the shape, and corrections are masked to
//! it; the pad of slot j is the OT's pad of `j ^ flip`.
//!
//! After Kolesnikov, "Gate evaluation secret sharing", ASIACRYPT 2005.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
#![allow(clippy::needless_range_loop, reason = "slices of one length, indexed alike, are what vectorises")]

use super::shape::{MAX_DIGIT, Shape};
use crate::arch::vector::{Kernel, vectorize};
use crate::ops::lanes::{Lane, LaneReader, LaneWriter, Wiped};
use crate::ring::BitVec;

/// What the chain computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The carry at a boundary is 1 when x < y in the digits below it.
    Less,
    /// The carry at a boundary is 1 when x = y in the digits below it.
    Equal,
}

impl Rule {
    /// The carry into the lowest digit.
    const fn initial<T: Lane>(self) -> T {
        match self {
            Self::Less => T::ZERO,
            Self::Equal => T::ONE,
        }
    }
}

/// Garbles one chain per element of `x`.
///
/// `pads(i)` yields the random-OT pads `[j][element]` of digit i; it is called once per digit, from the top
/// digit down. Bits `offset(i)..offset(i + 1)` of `flips` are digit i of y xor the OT's choice. Bit i - 1 of
/// `pi` masks the carry at boundary i: it is the garbler's share of that carry.
pub(crate) fn garble<T: Lane>(
    shape: &Shape,
    rule: Rule,
    x: &[u64],
    flips: &[u64],
    pi: &[u64],
    mut pads: impl FnMut(usize) -> Vec<Vec<T>>,
) -> Vec<u8> {
    let n = x.len();
    assert!(flips.len() == n && pi.len() == n, "a flip word and a mask word for each of {n} elements");
    assert!(shape.fits(T::BITS), "{shape:?} in lanes of {} bits", T::BITS);
    let [x, flips, pi] = [x, flips, pi].map(|v| v.iter().map(|&v| T::from_u64(v)).collect::<Wiped<T>>());
    let top = shape.len() as u32 - 1;
    // The label of 0 on the present wire, and the difference of the two labels.
    let mut zero: Wiped<T> = pi.iter().map(|&p| (p >> top) & T::ONE).collect();
    let mut difference = Wiped::new(vec![T::ONE; n]);
    let mut corrections = vec![vec![T::ZERO; n]; 1 << MAX_DIGIT];
    let mut message = LaneWriter::new(n, shape.correction_bits());
    for i in (0..shape.len()).rev() {
        let pads: Vec<Wiped<T>> = pads(i).into_iter().map(Wiped::new).collect();
        let slots = 1 << shape.width(i);
        assert!(pads.len() == slots && pads.iter().all(|p| p.len() == n), "{slots} pads for {n} elements");
        let digit = Digit {
            rule,
            offset: shape.offset(i),
            index: i,
            label_bits: shape.label_bits(i),
            x: &x,
            flips: &flips,
            pi: &pi,
            pads: &pads,
            zero: &mut zero,
            difference: &mut difference,
            corrections: &mut corrections,
        };
        match shape.width(i) {
            1 => vectorize(GarbleDigit::<T, 2>(digit)),
            2 => vectorize(GarbleDigit::<T, 4>(digit)),
            3 => vectorize(GarbleDigit::<T, 8>(digit)),
            _ => vectorize(GarbleDigit::<T, 16>(digit)),
        }
        for correction in &corrections[shape.corrected(i)] {
            message.push(shape.pad_bits(i), correction);
        }
    }
    message.finish()
}

/// Evaluates one chain per element of `y` on the garbler's message, and returns the evaluator's shares of the
/// carries at the boundaries `taps`, in that order.
///
/// `pads[i]` are the pads of the evaluator's own choices for digit i; they are used up.
pub(crate) fn evaluate<T: Lane>(
    shape: &Shape,
    y: &[u64],
    mut pads: Vec<Wiped<T>>,
    message: &[u8],
    taps: &[usize],
) -> Vec<BitVec> {
    let n = y.len();
    assert!(pads.len() == shape.len() && pads.iter().all(|p| p.len() == n), "pads for {n} elements");
    assert!(shape.fits(T::BITS), "{shape:?} in lanes of {} bits", T::BITS);
    let y: Wiped<T> = y.iter().map(|&v| T::from_u64(v)).collect();
    let mut reader = LaneReader::new(message, n, shape.correction_bits());
    let mut correction = vec![T::ZERO; n];
    // The message starts with the top digit, evaluation with the lowest one.
    for i in (0..shape.len()).rev() {
        for j in shape.corrected(i) {
            reader.pull_into(shape.pad_bits(i), &mut correction);
            let (offset, width, slot) = (shape.offset(i), shape.width(i), T::from_u64(j as u64));
            vectorize(Select { sum: &mut pads[i], correction: &correction, y: &y, offset, width, slot });
        }
    }
    let mut shares: Vec<BitVec> = taps.iter().map(|_| BitVec::zeros(0)).collect();
    let mut label = Wiped::zeros(n);
    for (i, ciphertexts) in pads.iter().enumerate() {
        vectorize(Step { label: &mut label, ciphertexts, label_bits: shape.label_bits(i), lowest: i == 0 });
        for (share, &tap) in shares.iter_mut().zip(taps) {
            if tap == i + 1 {
                *share = pointers(&label);
            }
        }
    }
    shares
}

/// The garbler's shares of the carries at the boundaries `taps`.
pub(crate) fn mask_shares(pi: &[u64], taps: &[usize]) -> Vec<BitVec> {
    taps.iter().map(|&tap| bit_of_each(pi, tap as u32 - 1)).collect()
}

/// Bit `bit` of every lane.
pub(crate) fn bit_of_each(lanes: &[u64], bit: u32) -> BitVec {
    let words = lanes.chunks(64).map(|c| c.iter().rev().fold(0, |w, &v| w << 1 | (v >> bit & 1))).collect();
    BitVec::from_words(lanes.len(), words)
}

fn pointers<T: Lane>(labels: &[T]) -> BitVec {
    let words = labels.chunks(64).map(|c| c.iter().rev().fold(0, |w, &v| w << 1 | (v.low() & 1))).collect();
    BitVec::from_words(labels.len(), words)
}

/// Adds the correction where digit `offset..offset + width` of y is `slot`: every element does the same work.
struct Select<'a, T> {
    sum: &'a mut [T],
    correction: &'a [T],
    y: &'a [T],
    offset: u32,
    width: u32,
    slot: T,
}

impl<T: Lane> Kernel for Select<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.sum.len();
        let (correction, y) = (&self.correction[..n], &self.y[..n]);
        for e in 0..n {
            let miss = (y[e] >> self.offset) ^ self.slot;
            let mut hit = !T::ZERO;
            for k in 0..self.width {
                hit = hit & !(miss >> k).spread();
            }
            self.sum[e] = self.sum[e] ^ (correction[e] & hit);
        }
    }
}

/// One digit: the ciphertext that the pointer of the incoming label names, opened with the rest of that label.
struct Step<'a, T> {
    label: &'a mut [T],
    ciphertexts: &'a [T],
    label_bits: u32,
    lowest: bool,
}

impl<T: Lane> Kernel for Step<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (bits, mask) = (self.label_bits, T::mask(self.label_bits));
        let n = self.label.len();
        let ciphertexts = &self.ciphertexts[..n];
        // Opaque: a compiler that knows that only one bit is left of a label selects by a branch.
        let one = core::hint::black_box(T::ONE);
        for e in 0..n {
            let (c, l) = (ciphertexts[e], self.label[e]);
            self.label[e] = if self.lowest {
                c & mask
            } else {
                let chosen = c ^ ((c ^ (c >> bits)) & l.spread_by(one));
                (chosen & mask) ^ (l >> 1)
            };
        }
    }
}

/// The public position and the operands of one digit, for all elements.
struct Digit<'a, T: Lane> {
    rule: Rule,
    offset: u32,
    index: usize,
    label_bits: u32,
    x: &'a [T],
    flips: &'a [T],
    pi: &'a [T],
    pads: &'a [Wiped<T>],
    /// The labels of the wire above, which become those of the wire below.
    zero: &'a mut [T],
    difference: &'a mut [T],
    /// The correction of every slot; slot 0 is unused above the lowest digit.
    corrections: &'a mut [Vec<T>],
}

/// Elements garbled together. Results go to plain arrays first, which overlap with nothing: that vectorises.
const CHUNK: usize = 64;

/// Garbles a digit with S slots.
struct GarbleDigit<'a, T: Lane, const S: usize>(Digit<'a, T>);

impl<T: Lane, const S: usize> Kernel for GarbleDigit<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let digit = self.0;
        let n = digit.x.len();
        let whole = n / CHUNK * CHUNK;
        let mut at = 0;
        while at < whole {
            let pads: [&[T; CHUNK]; S] = core::array::from_fn(|j| chunk(&digit.pads[j], at));
            let mut labels = [*chunk(digit.zero, at), *chunk(digit.difference, at)];
            let operands = [chunk(digit.x, at), chunk(digit.flips, at), chunk(digit.pi, at)];
            let out = digit.garble::<S>(operands, &pads, &mut labels);
            *chunk_mut(digit.zero, at) = labels[0];
            *chunk_mut(digit.difference, at) = labels[1];
            for j in 0..S {
                *chunk_mut(&mut digit.corrections[j], at) = out[j];
            }
            at += CHUNK;
        }
        let left = n - whole;
        if left > 0 {
            let load = |lanes: &[T]| {
                let mut chunk = [T::ZERO; CHUNK];
                chunk[..left].copy_from_slice(&lanes[whole..]);
                chunk
            };
            let own: [[T; CHUNK]; S] = core::array::from_fn(|j| load(&digit.pads[j]));
            let operands = [load(digit.x), load(digit.flips), load(digit.pi)];
            let mut labels = [load(digit.zero), load(digit.difference)];
            let out = digit.garble::<S>(operands.each_ref(), &core::array::from_fn(|j| &own[j]), &mut labels);
            digit.zero[whole..].copy_from_slice(&labels[0][..left]);
            digit.difference[whole..].copy_from_slice(&labels[1][..left]);
            for (corrections, out) in digit.corrections.iter_mut().zip(&out) {
                corrections[whole..].copy_from_slice(&out[..left]);
            }
        }
    }
}

#[inline(always)]
fn chunk<T>(lanes: &[T], at: usize) -> &[T; CHUNK] {
    lanes[at..].first_chunk().expect("a whole chunk")
}

#[inline(always)]
fn chunk_mut<T>(lanes: &mut [T], at: usize) -> &mut [T; CHUNK] {
    lanes[at..].first_chunk_mut().expect("a whole chunk")
}

impl<T: Lane> Digit<'_, T> {
    /// The corrections of one chunk; `[zero, difference]` of the wire above become those of the wire below.
    #[inline(always)]
    fn garble<const S: usize>(
        &self,
        [x, flips, pi]: [&[T; CHUNK]; 3],
        pads: &[&[T; CHUNK]; S],
        [zero, difference]: &mut [[T; CHUNK]; 2],
    ) -> [[T; CHUNK]; S] {
        let mut out = [[T::ZERO; CHUNK]; S];
        let bits = self.label_bits;
        let mask = T::mask(bits);
        let greater = T::from_u64(u64::from(self.rule == Rule::Less)).spread();
        if self.index == 0 {
            let initial = self.rule.initial::<T>().spread();
            for e in 0..CHUNK {
                let mut pad = [T::ZERO; S];
                for j in 0..S {
                    pad[j] = pads[j][e];
                }
                let pad = unflip(pad, flips[e] >> self.offset);
                let (equal, above) = compare::<T, S>(x[e] >> self.offset, greater);
                for j in 0..S {
                    let val = above[j] | (equal[j] & initial);
                    out[j][e] = (pad[j] ^ zero[e] ^ (difference[e] & val)) & mask;
                }
            }
            return out;
        }
        let (wire, both) = (self.index as u32 - 1, T::mask(2 * bits));
        for e in 0..CHUNK {
            let mut pad = [T::ZERO; S];
            for j in 0..S {
                pad[j] = pads[j][e];
            }
            let pad = unflip(pad, flips[e] >> self.offset);
            let (equal, above) = compare::<T, S>(x[e] >> self.offset, greater);
            let masked = (pi[e] >> wire).spread();
            let low = difference[e];
            let high = low << bits;
            // Ciphertext p opens under the carry b = p ^ pi: where b = 1, and wherever.
            let (if_one, if_any) = ((low & masked) | (high & !masked), low | high);
            let first = pad[0] ^ (equal[0] & if_one);
            for j in 1..S {
                out[j][e] = (pad[j] ^ (equal[j] & if_one) ^ (above[j] & if_any) ^ first) & both;
            }
            // Slot 0 has no correction: its pad defines the labels below.
            let (p0, p1) = (pad[0] & mask, (pad[0] >> bits) & mask);
            let swap = (p0 ^ p1) & masked;
            let of_zero = ((p0 ^ swap ^ zero[e]) << 1) | (masked & T::ONE);
            let of_one = ((p1 ^ swap ^ zero[e] ^ (equal[0] & low)) << 1) | (!masked & T::ONE);
            zero[e] = of_zero;
            difference[e] = of_zero ^ of_one;
        }
        out
    }
}

/// The pads of y's slots from the pads of the OT's: entry j is the pad of `j ^ flip`.
#[inline(always)]
fn unflip<T: Lane, const S: usize>(mut pads: [T; S], flip: T) -> [T; S] {
    for k in 0..S.trailing_zeros() {
        let swap = (flip >> k).spread();
        for j in 0..S {
            if j >> k & 1 == 0 {
                let t = (pads[j] ^ pads[j | 1 << k]) & swap;
                pads[j] = pads[j] ^ t;
                pads[j | 1 << k] = pads[j | 1 << k] ^ t;
            }
        }
    }
    pads
}

/// Masks of `[j = digit]`, and of `[j > digit]` within `greater`.
#[inline(always)]
fn compare<T: Lane, const S: usize>(digit: T, greater: T) -> ([T; S], [T; S]) {
    let mut equal = [!T::ZERO; S];
    for k in 0..S.trailing_zeros() {
        let bit = (digit >> k).spread();
        for (j, e) in equal.iter_mut().enumerate() {
            *e = *e & if j >> k & 1 == 1 { bit } else { !bit };
        }
    }
    let mut above = [T::ZERO; S];
    for j in 1..S {
        above[j] = above[j - 1] | (equal[j - 1] & greater);
    }
    (equal, above)
}

#[cfg(test)]
mod tests;
