//! How the carry chain cuts a comparison into digits, and what each digit costs.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::ops::lanes::message_len;
use crate::ot::digit_ots;
use crate::party::Party;
use crate::transport::cost::Ots;
use core::ops::Range;

/// The widest digit.
pub(crate) const MAX_DIGIT: u32 = crate::ot::MAX_DIGIT as u32;

/// What a slot costs both parties together in hashing and garbling, in bits sent: a hash of 0.9 ns and as much again for
/// the digit, against 1 ns to pack, copy, send, receive and unpack a byte over loopback. The slower a link, the more a bit
/// counts: [`Shape::narrow`] is the other end.
const WORK: usize = 7;

/// What the OTs of a digit of 1 to [`MAX_DIGIT`] bits cost, in the same unit: 13 ns for a COT and 16 ns for a quad.
const OTS: [usize; MAX_DIGIT as usize + 1] = [0, 104, 128, 232, 256];

/// The bits that the OTs of a digit of 1 to [`MAX_DIGIT`] bits are sent for, rounded.
const SILENT: [usize; MAX_DIGIT as usize + 1] = [0, 3, 4, 7, 7];

/// The digits of a shape whose pads fit in words of 32 and of 64 bits.
const MOST: [usize; 2] = [17, 33];

/// The most bits that as many 2-bit digits have.
const SMALL: u32 = 2 * MOST[0] as u32;

/// For each of [`MOST`] `[r][k]`: with k digits above the lowest r bits, the width of the next digit of the shape that costs
/// least.
static BALANCED: [[[u8; MOST[1]]; 65]; 2] = [balanced(MOST[0]), balanced(MOST[1])];

const fn balanced(most: usize) -> [[u8; MOST[1]]; 65] {
    /// More than any shape costs.
    const NEVER: usize = 1 << 20;
    let (mut first, mut best) = ([[0; MOST[1]]; 65], [[NEVER; MOST[1] + 1]; 65]);
    let mut r = 1;
    while r <= 64 {
        let mut k = 0;
        while k < most {
            let mut m = 1;
            while m <= r && m <= MAX_DIGIT as usize {
                // The garbler hashes every slot and the evaluator its own one; digit k from the top has labels of k + 1 bits.
                let work = OTS[m] + WORK * ((1 << m) + 1);
                let cost = match r - m {
                    0 => work + ((k + 1) << m),
                    rest => work + 2 * (k + 1) * ((1 << m) - 1) + best[rest][k + 1],
                };
                if cost < best[r][k] {
                    best[r][k] = cost;
                    first[r][k] = m as u8;
                }
                m += 1;
            }
            k += 1;
        }
        r += 1;
    }
    first
}

/// The digits of a chain, least significant first.
///
/// With D digits, the label that digit i hands to the next one has D - i bits (the
/// final one is a single pointer bit, and every digit below adds one). Carries can be tapped at the boundaries
/// between digits: boundary i is below digit i, boundary D is the carry out of all digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Widths in bits.
    digits: Vec<u32>,
}

impl Shape {
    /// The digits, least significant first.
    ///
    /// # Panics
    /// When there is none, one is not of 1 to 4 bits, or all together have more than 64 bits.
    pub(crate) fn new(digits: Vec<u32>) -> Self {
        assert!(!digits.is_empty(), "a chain has at least one digit");
        assert!(digits.iter().all(|m| (1..=MAX_DIGIT).contains(m)), "digits have 1 to {MAX_DIGIT} bits");
        assert!(digits.iter().sum::<u32>() <= 64, "a chain compares at most 64 bits");
        Self { digits }
    }

    /// Digits for a comparison of `bits` bits that balance hashing against bits sent (see [`WORK`]), cut at the bit
    /// positions `cuts`, which are increasing and strictly inside. Mostly 2-bit digits; without cuts there are wider ones at
    /// the top, where labels are short, and narrower ones at the bottom.
    pub(crate) fn balanced(bits: u32, cuts: &[u32]) -> Self {
        if !cuts.is_empty() {
            return Self::radix4(bits, cuts);
        }
        assert!(bits <= 64, "a chain compares at most 64 bits");
        let table = &BALANCED[usize::from(bits > SMALL)];
        let (mut digits, mut left) = (Vec::with_capacity(MOST[1]), bits);
        while left > 0 {
            let m = u32::from(table[left as usize][digits.len()]);
            digits.push(m);
            left -= m;
        }
        digits.reverse();
        Self::new(digits)
    }

    /// 2-bit digits. A stretch of odd length has one 1-bit digit, at its second place where it saves most.
    fn radix4(bits: u32, cuts: &[u32]) -> Self {
        let mut digits = Vec::with_capacity(bits as usize / 2 + cuts.len() + 1);
        let mut start = 0;
        for &end in cuts.iter().chain([&bits]) {
            assert!(start < end && end <= bits, "cuts are increasing and inside");
            let len = end - start;
            let count = len.div_ceil(2);
            let single = if len % 2 == 0 { count } else { u32::from(start == 0 && count > 1) };
            digits.extend((0..count).map(|i| 2 - u32::from(i == single)));
            start = end;
        }
        Self::new(digits)
    }

    /// The digits that minimise the bits sent, those for OTs included: wide ones at the top, where labels are short. Cuts as for
    /// [`Shape::balanced`].
    pub(crate) fn narrow(bits: u32, cuts: &[u32]) -> Self {
        // best[r][k]: the least bits for the lowest r bits when k digits are above them, and the digit to take
        // first. Digit k from the top has labels of k + 1 bits.
        let crosses = |r: usize, m: usize| cuts.iter().any(|&cut| (r - m + 1..r).contains(&(cut as usize)));
        let n = bits as usize;
        let mut best = vec![vec![(usize::MAX, 0_usize); n + 1]; n + 1];
        for r in 1..=n {
            for k in 0..=n - r {
                let of = |m: usize| {
                    SILENT[m]
                        + match r - m {
                            0 => (k + 1) << m,
                            rest => 2 * (k + 1) * ((1 << m) - 1) + best[rest][k + 1].0,
                        }
                };
                let digits = (1..=r.min(MAX_DIGIT as usize)).filter(|&m| !crosses(r, m));
                best[r][k] = digits.map(|m| (of(m), m)).min().expect("a digit of one bit fits");
            }
        }
        let (mut digits, mut left) = (Vec::new(), n);
        while left > 0 {
            let (_, m) = best[left][digits.len()];
            digits.insert(0, m as u32);
            left -= m;
        }
        Self::new(digits)
    }

    /// 1-bit digits: every carry can be tapped.
    pub(crate) fn radix2(bits: u32) -> Self {
        Self::new(vec![1; bits as usize])
    }

    /// The number of digits, D.
    pub(crate) fn len(&self) -> usize {
        self.digits.len()
    }

    /// The OTs of `n` comparisons with `garbler` as their sender.
    pub(crate) fn ots(&self, garbler: Party, n: usize) -> Ots {
        let digits = self.digits.iter().map(|&m| digit_ots(garbler, m as usize, n));
        digits.fold(Ots::default(), Ots::plus)
    }

    /// The bits compared.
    pub(crate) fn bits(&self) -> u32 {
        self.digits.iter().sum()
    }

    /// The width of digit i.
    pub(crate) fn width(&self, i: usize) -> u32 {
        self.digits[i]
    }

    /// The width of the widest digit.
    pub(crate) fn max_width(&self) -> u32 {
        self.digits.iter().copied().max().unwrap_or(0)
    }

    /// The bit position of boundary i.
    pub(crate) fn offset(&self, i: usize) -> u32 {
        self.digits[..i].iter().sum()
    }

    /// The boundary at a bit position.
    ///
    /// # Panics
    /// When no digit ends there: cut the shape at every tap.
    pub(crate) fn boundary(&self, bit: u32) -> usize {
        (1..=self.len()).find(|&i| self.offset(i) == bit).expect("a digit ends at every tap")
    }

    /// The bits of a label between digit i and digit i + 1.
    pub(crate) fn label_bits(&self, i: usize) -> u32 {
        (self.len() - i) as u32
    }

    /// The bits of a pad, and of a correction, of digit i: two ciphertexts, or one at the lowest digit, which
    /// has no carry in.
    pub(crate) fn pad_bits(&self, i: usize) -> u32 {
        if i == 0 { self.label_bits(0) } else { 2 * self.label_bits(i) }
    }

    /// The widest pad.
    pub(crate) fn max_pad_bits(&self) -> u32 {
        (0..self.len()).map(|i| self.pad_bits(i)).max().unwrap_or(0)
    }

    /// Whether the chain can be computed in words of `lane` bits.
    pub(crate) fn fits(&self, lane: u32) -> bool {
        self.max_pad_bits().max(self.bits()) <= lane
    }

    /// The slots of digit i that get a correction: all but slot 0, whose label the pad defines, and at the
    /// lowest digit all.
    pub(crate) fn corrected(&self, i: usize) -> Range<usize> {
        usize::from(i > 0)..1 << self.digits[i]
    }

    /// The bits of corrections that the garbler sends for one comparison.
    pub(crate) fn correction_bits(&self) -> usize {
        (0..self.len()).map(|i| self.corrected(i).len() * self.pad_bits(i) as usize).sum()
    }

    /// The bytes of the flips and of the corrections of `n` comparisons.
    pub(crate) fn message_lens(&self, n: usize) -> [usize; 2] {
        [message_len(n, self.bits() as usize), message_len(n, self.correction_bits())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits of corrections, and the slots, which is what the garbler hashes.
    #[test]
    fn corrections_have_the_published_sizes() {
        let of = |shape: &Shape| {
            (shape.correction_bits(), (0..shape.len()).map(|i| 1 << shape.width(i)).sum::<usize>())
        };
        assert_eq!(of(&Shape::new(vec![2; 10])), (310, 40));
        let balanced = [1, 2, 3, 19, 20, 31, 32, 63].map(|n| of(&Shape::balanced(n, &[])));
        assert_eq!(
            balanced,
            [(2, 2), (4, 4), (10, 6), (260, 40), (310, 40), (642, 72), (714, 72), (2494, 160)]
        );
        let mixed = Shape::new(vec![2, 1, 1, 1, 1, 2, 2, 2, 3, 4]);
        assert_eq!((mixed.bits(), mixed.correction_bits()), (19, 230));
        assert_eq!(Shape::radix2(31).correction_bits() + 31, 1023);
        let narrow = |n| Shape::narrow(n, &[]).correction_bits();
        assert_eq!([19, 20, 31, 36, 63].map(narrow), [230, 254, 576, 766, 2248]);
        assert!((1..=64).all(|n| Shape::narrow(n, &[]).bits() == n && Shape::narrow(n, &[]).fits(128)));
    }

    #[test]
    fn balanced_shapes_fit_in_words_as_short_as_even_ones_do() {
        for bits in 1..=64 {
            let (shape, even) = (Shape::balanced(bits, &[]), Shape::radix4(bits, &[]));
            assert_eq!(shape.bits(), bits);
            assert!([32, 64].iter().all(|&lane| shape.fits(lane) == even.fits(lane)), "{bits} bits");
            assert!(shape.correction_bits() <= even.correction_bits(), "{bits} bits");
        }
    }

    #[test]
    fn cuts_fall_on_boundaries() {
        for bits in 2..=64 {
            for cut in 1..bits {
                let shape = Shape::balanced(bits, &[cut]);
                assert_eq!((shape.bits(), shape.offset(shape.boundary(cut))), (bits, cut));
                assert!(shape.max_pad_bits() <= 64);
                let narrow = Shape::narrow(bits, &[cut]);
                assert_eq!((narrow.bits(), narrow.offset(narrow.boundary(cut))), (bits, cut));
                assert!(narrow.fits(128) && narrow.correction_bits() <= shape.correction_bits());
            }
        }
    }
}
