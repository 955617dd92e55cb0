//! The carry chain: comparison of two private numbers with information-theoretic garbling of the recurrence
//! `c' = val(y, c)` over digits. Pure computation; `PROOFS.md` has the proof.
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

use super::shape::Shape;
use crate::ops::lanes::{Lane, LaneReader, LaneWriter};
use crate::ring::BitVec;
use zeroize::Zeroizing;

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
    assert!(shape.max_pad_bits() <= T::BITS, "pads of {} bits", shape.max_pad_bits());
    let top = shape.len() as u32 - 1;
    // The label of 0 on the present wire, and the difference of the two labels.
    let mut zero = Zeroizing::new(pi.iter().map(|&p| T::from_u64((p >> top) & 1)).collect::<Vec<_>>());
    let mut difference = Zeroizing::new(vec![T::ONE; n]);
    let mut message = LaneWriter::new(n, shape.correction_bits());
    for i in (0..shape.len()).rev() {
        let pads = Zeroizing::new(pads(i));
        let digit =
            Digit { x, flips, pi, offset: shape.offset(i), label_bits: shape.label_bits(i), index: i };
        let mut state = Labels { zero: &mut zero, difference: &mut difference };
        let corrections = match shape.width(i) {
            1 => digit.garble::<T, 2>(rule, &pads, &mut state),
            2 => digit.garble::<T, 4>(rule, &pads, &mut state),
            3 => digit.garble::<T, 8>(rule, &pads, &mut state),
            _ => digit.garble::<T, 16>(rule, &pads, &mut state),
        };
        for correction in &corrections[shape.corrected(i)] {
            message.push(shape.pad_bits(i), correction);
        }
    }
    message.finish()
}

/// Evaluates one chain per element of `y` on the garbler's message, and returns the evaluator's shares of the
/// carries at the boundaries `taps`, in that order.
///
/// `pads[i]` are the pads of the evaluator's own choices for digit i.
pub(crate) fn evaluate<T: Lane>(
    shape: &Shape,
    y: &[u64],
    pads: &[Vec<T>],
    message: &[u8],
    taps: &[usize],
) -> Vec<BitVec> {
    let n = y.len();
    assert!(pads.len() == shape.len(), "pads for {} digits", shape.len());
    let mut reader = LaneReader::new(message, n, shape.correction_bits());
    // The message starts with the top digit, evaluation with the lowest one.
    let mut selected: Vec<Zeroizing<Vec<T>>> = Vec::with_capacity(shape.len());
    let mut correction = Zeroizing::new(vec![T::ZERO; n]);
    for i in (0..shape.len()).rev() {
        let mut sum = Zeroizing::new(pads[i].clone());
        assert!(sum.len() == n, "a pad for each of {n} elements");
        for j in shape.corrected(i) {
            reader.pull_into(shape.pad_bits(i), &mut correction);
            select(&mut sum, &correction, y, shape.offset(i), shape.width(i), j as u64);
        }
        selected.push(sum);
    }
    let mut shares: Vec<BitVec> = taps.iter().map(|_| BitVec::zeros(0)).collect();
    let mut label = Zeroizing::new(vec![T::ZERO; n]);
    for i in 0..shape.len() {
        let ciphertexts = selected.pop().expect("one per digit");
        step(&mut label, &ciphertexts, shape.label_bits(i), i == 0);
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

/// Adds the correction where digit `offset..offset + width` of y is j: every element does the same work.
fn select<T: Lane>(sum: &mut [T], correction: &[T], y: &[u64], offset: u32, width: u32, j: u64) {
    let mask = u64::mask(width);
    for ((s, &c), &y) in sum.iter_mut().zip(correction).zip(y) {
        let miss = ((y >> offset) & mask) ^ j;
        // 1 where miss = 0, as miss < 2^4.
        let hit = (miss.wrapping_sub(1) >> 63) & 1;
        *s = *s ^ (c & T::from_u64(hit).spread());
    }
}

/// One digit: the ciphertext that the pointer of the incoming label names, opened with the rest of that label.
fn step<T: Lane>(label: &mut [T], ciphertexts: &[T], label_bits: u32, lowest: bool) {
    let mask = T::mask(label_bits);
    if lowest {
        for (l, &c) in label.iter_mut().zip(ciphertexts) {
            *l = c & mask;
        }
    } else {
        for (l, &c) in label.iter_mut().zip(ciphertexts) {
            let pointer = l.spread();
            let chosen = c ^ ((c ^ (c >> label_bits)) & pointer);
            *l = (chosen & mask) ^ (*l >> 1);
        }
    }
}

struct Labels<'a, T> {
    zero: &'a mut [T],
    difference: &'a mut [T],
}

/// The public position and the operands of one digit, for all elements.
struct Digit<'a> {
    x: &'a [u64],
    flips: &'a [u64],
    pi: &'a [u64],
    offset: u32,
    label_bits: u32,
    index: usize,
}

impl Digit<'_> {
    /// Garbles a digit with S slots: the correction of every slot (slot 0 unused above the lowest digit), and
    /// the labels of the wire below.
    #[inline(always)]
    fn garble<T: Lane, const S: usize>(
        &self,
        rule: Rule,
        pads: &[Vec<T>],
        labels: &mut Labels<'_, T>,
    ) -> Zeroizing<Vec<Vec<T>>> {
        let n = self.x.len();
        assert!(pads.len() == S && pads.iter().all(|p| p.len() == n), "{S} pads for each of {n} elements");
        let mut corrections = Zeroizing::new(vec![vec![T::ZERO; n]; S]);
        let (x, flips, pi) = (&self.x[..n], &self.flips[..n], &self.pi[..n]);
        let (zero, difference) = (&mut labels.zero[..n], &mut labels.difference[..n]);
        let pads: [&[T]; S] = core::array::from_fn(|j| &pads[j][..n]);
        let mut rest = corrections.iter_mut();
        let mut out: [&mut [T]; S] = core::array::from_fn(|_| &mut rest.next().expect("S of them")[..n]);
        let greater = T::from_u64(u64::from(rule == Rule::Less)).spread();
        if self.index == 0 {
            let initial = rule.initial::<T>().spread();
            let mask = T::mask(self.label_bits);
            for e in 0..n {
                let pad: [T; S] = unflip(core::array::from_fn(|j| pads[j][e]), flips[e] >> self.offset);
                let (equal, above) = compare::<T, S>(x[e] >> self.offset, greater);
                for j in 0..S {
                    let val = above[j] | (equal[j] & initial);
                    out[j][e] = (pad[j] ^ zero[e] ^ (difference[e] & val)) & mask;
                }
            }
        } else {
            let (bits, mask) = (self.label_bits, T::mask(self.label_bits));
            let both = T::mask(2 * bits);
            for e in 0..n {
                let pad: [T; S] = unflip(core::array::from_fn(|j| pads[j][e]), flips[e] >> self.offset);
                let (equal, above) = compare::<T, S>(x[e] >> self.offset, greater);
                let masked = T::from_u64(pi[e] >> (self.index as u32 - 1)).spread();
                let low = difference[e];
                let high = low << bits;
                // Ciphertext p opens under the carry b = p ^ pi: where b = 1, and wherever.
                let (if_one, if_any) = ((low & masked) | (high & !masked), low | high);
                let slot = |j: usize| pad[j] ^ (equal[j] & if_one) ^ (above[j] & if_any);
                let first = slot(0);
                for (j, out) in out.iter_mut().enumerate().skip(1) {
                    out[e] = (slot(j) ^ first) & both;
                }
                // Slot 0 has no correction: its pad defines the labels below.
                let (p0, p1) = (pad[0] & mask, (pad[0] >> bits) & mask);
                let swap = (p0 ^ p1) & masked;
                let of_zero = ((p0 ^ swap ^ zero[e]) << 1) | (masked & T::ONE);
                let of_one = ((p1 ^ swap ^ zero[e] ^ (equal[0] & low)) << 1) | (!masked & T::ONE);
                zero[e] = of_zero;
                difference[e] = of_zero ^ of_one;
            }
        }
        corrections
    }
}

/// The pads of y's slots from the pads of the OT's: entry j is the pad of `j ^ flip`.
#[inline(always)]
fn unflip<T: Lane, const S: usize>(mut pads: [T; S], flip: u64) -> [T; S] {
    for k in 0..S.trailing_zeros() {
        let swap = T::from_u64(flip >> k).spread();
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
fn compare<T: Lane, const S: usize>(digit: u64, greater: T) -> ([T; S], [T; S]) {
    let mut equal = [!T::ZERO; S];
    for k in 0..S.trailing_zeros() {
        let bit = T::from_u64(digit >> k).spread();
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
