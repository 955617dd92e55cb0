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
use crate::ops::lanes::{Lane, LaneReader, LaneWriter};
use crate::ring::BitVec;
use crate::secret::Wiped;
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

/// Garbles one chain per element, a bounded number of elements at a time.
pub(crate) struct Garbler<'a, T: Lane> {
    shape: &'a Shape,
    rule: Rule,
    /// The operands: x, the flips and the masks.
    operands: [Wiped<T>; 3],
    /// The pads of a digit.
    pads: Wiped<T>,
    /// The label of 0 on the present wire, and the difference of the two labels.
    labels: [Wiped<T>; 2],
    corrections: Vec<Vec<T>>,
}

impl<'a, T: Lane> Garbler<'a, T> {
    /// For at most `most` elements at a time.
    pub(crate) fn new(shape: &'a Shape, rule: Rule, most: usize) -> Self {
        assert!(shape.fits(T::BITS), "{shape:?} in lanes of {} bits", T::BITS);
        Self {
            shape,
            rule,
            operands: [(); 3].map(|()| Wiped::zeros(most)),
            pads: Wiped::zeros(most << shape.max_width()),
            labels: [(); 2].map(|()| Wiped::zeros(most)),
            corrections: vec![vec![T::ZERO; most]; 1 << MAX_DIGIT],
        }
    }

    /// Appends the message for some elements to `message`.
    ///
    /// `pads(i, places)` writes the random-OT pads of digit i: those of slot 0 of all elements, then those of slot 1, and
    /// so on; it is called once per digit, from the top digit down. Bits `offset(i)..offset(i + 1)` of `flips` are digit i
    /// of y xor the OT's choice. Bit i - 1 of `pi` masks the carry at boundary i: it is the garbler's share of that carry.
    pub(crate) fn garble(
        &mut self,
        [x, flips, pi]: [&[u64]; 3],
        mut pads: impl FnMut(usize, &mut [T]),
        message: &mut Vec<u8>,
    ) {
        let n = x.len();
        assert!(flips.len() == n && pi.len() == n, "a flip word and a mask word for each of {n} elements");
        let shape = self.shape;
        let operands = self.operands.each_mut().map(|operand| &mut operand[..n]);
        for (operand, given) in operands.into_iter().zip([x, flips, pi]) {
            operand.iter_mut().zip(given).for_each(|(lane, &v)| *lane = T::from_u64(v));
        }
        let [x, flips, pi] = self.operands.each_ref().map(|operand| &operand[..n]);
        let [zero, difference] = self.labels.each_mut().map(|labels| &mut labels[..n]);
        let top = shape.len() as u32 - 1;
        zero.iter_mut().zip(pi).for_each(|(zero, &p)| *zero = (p >> top) & T::ONE);
        difference.fill(T::ONE);
        let mut writer = LaneWriter::new(n, shape.correction_bits());
        for i in (0..shape.len()).rev() {
            let places = &mut self.pads[..n << shape.width(i)];
            pads(i, places);
            let digit = Digit {
                rule: self.rule,
                offset: shape.offset(i),
                index: i,
                label_bits: shape.label_bits(i),
                x,
                flips,
                pi,
                pads: places,
                zero,
                difference,
                corrections: &mut self.corrections,
            };
            match shape.width(i) {
                1 => vectorize(GarbleDigit::<T, 2>(digit)),
                2 => vectorize(GarbleDigit::<T, 4>(digit)),
                3 => vectorize(GarbleDigit::<T, 8>(digit)),
                _ => vectorize(GarbleDigit::<T, 16>(digit)),
            }
            for correction in &self.corrections[shape.corrected(i)] {
                writer.push(shape.pad_bits(i), &correction[..n]);
            }
        }
        writer.finish_into(message);
    }
}

/// Evaluates one chain per element, a bounded number of elements at a time.
pub(crate) struct Evaluator<'a, T: Lane> {
    shape: &'a Shape,
    taps: &'a [usize],
    y: Wiped<T>,
    /// The corrections of a digit; slot 0 has one at the lowest digit only, which comes last.
    corrections: Vec<Vec<T>>,
    label: Wiped<T>,
    /// The evaluator's shares, 64 a word.
    shares: Vec<Zeroizing<Vec<u64>>>,
}

impl<'a, T: Lane> Evaluator<'a, T> {
    /// For at most `most` elements at a time; `taps` are the boundaries at which carries are wanted.
    pub(crate) fn new(shape: &'a Shape, taps: &'a [usize], most: usize) -> Self {
        assert!(shape.fits(T::BITS), "{shape:?} in lanes of {} bits", T::BITS);
        let shares = taps.iter().map(|_| Zeroizing::default()).collect();
        let (y, label) = (Wiped::zeros(most), Wiped::zeros(most));
        let corrections = vec![vec![T::ZERO; most]; 1 << MAX_DIGIT];
        Self { shape, taps, y, corrections, label, shares }
    }

    /// Evaluates the garbler's message for some elements, a multiple of 64 but for the last ones.
    ///
    /// `pads` are those of the evaluator's own choices, digit 0 of all elements first; they are used up.
    pub(crate) fn evaluate(&mut self, y: &[u64], pads: &mut [T], message: &[u8]) {
        let (n, shape) = (y.len(), self.shape);
        assert!(pads.len() == n * shape.len(), "pads for {n} elements");
        let (own, corrections, label) = (&mut self.y[..n], &mut self.corrections, &mut self.label[..n]);
        corrections[0].fill(T::ZERO);
        own.iter_mut().zip(y).for_each(|(own, &y)| *own = T::from_u64(y));
        let mut reader = LaneReader::new(message, n, shape.correction_bits());
        // The message starts with the top digit, evaluation with the lowest one.
        for (i, sum) in pads.chunks_exact_mut(n.max(1)).enumerate().rev() {
            for correction in &mut corrections[shape.corrected(i)] {
                reader.pull_into(shape.pad_bits(i), &mut correction[..n]);
            }
            let (corrections, y, offset) = (&corrections[..], &*own, shape.offset(i));
            match shape.width(i) {
                1 => vectorize(Select::<T, 2> { sum, corrections, y, offset }),
                2 => vectorize(Select::<T, 4> { sum, corrections, y, offset }),
                3 => vectorize(Select::<T, 8> { sum, corrections, y, offset }),
                _ => vectorize(Select::<T, 16> { sum, corrections, y, offset }),
            }
        }
        for (i, ciphertexts) in pads.chunks_exact(n.max(1)).enumerate() {
            vectorize(Step { label, ciphertexts, label_bits: shape.label_bits(i), lowest: i == 0 });
            for (share, &tap) in self.shares.iter_mut().zip(self.taps) {
                if tap == i + 1 {
                    let pointers = |c: &[T]| c.iter().rev().fold(0, |w, &v| w << 1 | (v.low() & 1));
                    share.extend(label.chunks(64).map(pointers));
                }
            }
        }
    }

    /// The evaluator's shares of the carries of all `n` elements evaluated, in the order of the taps.
    pub(crate) fn finish(self, n: usize) -> Vec<BitVec> {
        let words = |mut share: Zeroizing<Vec<u64>>| BitVec::from_words(n, core::mem::take(&mut *share));
        self.shares.into_iter().map(words).collect()
    }
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

/// Adds the correction of the slot that a digit of y is: every element does the same work.
struct Select<'a, T, const S: usize> {
    sum: &'a mut [T],
    /// The correction of every slot; all zeros where a slot has none.
    corrections: &'a [Vec<T>],
    y: &'a [T],
    offset: u32,
}

impl<T: Lane, const S: usize> Kernel for Select<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.sum.len();
        let y = &self.y[..n];
        let corrections: [&[T]; S] = core::array::from_fn(|j| &self.corrections[j][..n]);
        // Opaque: a compiler that knows that a mask is all or nothing indexes by the digit.
        let one = core::hint::black_box(T::ONE);
        for e in 0..n {
            let mut left: [T; S] = core::array::from_fn(|j| corrections[j][e]);
            let digit = y[e] >> self.offset;
            // Halves the slots that are left with every bit of the digit.
            for k in 0..S.trailing_zeros() {
                let bit = (digit >> k).spread_by(one);
                for j in 0..S >> (k + 1) {
                    left[j] = left[2 * j] ^ ((left[2 * j] ^ left[2 * j + 1]) & bit);
                }
            }
            self.sum[e] = self.sum[e] ^ left[0];
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
    /// Slot by slot.
    pads: &'a [T],
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
            let pads: [&[T; CHUNK]; S] = core::array::from_fn(|j| chunk(digit.pads, j * n + at));
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
            let own: [[T; CHUNK]; S] = core::array::from_fn(|j| load(&digit.pads[j * n..][..n]));
            let operands = [load(digit.x), load(digit.flips), load(digit.pi)];
            let mut labels = [load(digit.zero), load(digit.difference)];
            let out = digit.garble::<S>(operands.each_ref(), &core::array::from_fn(|j| &own[j]), &mut labels);
            digit.zero[whole..].copy_from_slice(&labels[0][..left]);
            digit.difference[whole..].copy_from_slice(&labels[1][..left]);
            for (corrections, out) in digit.corrections.iter_mut().zip(&out) {
                corrections[whole..n].copy_from_slice(&out[..left]);
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
