//! Machine words that hold one element each, and their dense packing into messages.
//!
//! A message of a window holds, for each of its `n` elements, the same fields of fixed widths. Fields are
//! pushed one at a time for all elements. Blocks of 512 elements are packed in eight interleaved columns, so
//! that all lanes of a vector register shift by the same amount; the remaining elements follow as one plain
//! bit string. A message takes exactly `ceil(n * sum of widths / 8)` bytes.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]
#![allow(clippy::needless_range_loop, reason = "arrays of one length, indexed alike, are what vectorises")]

use crate::arch::vector::{Kernel, vectorize};
use crate::ring::BitVec;
use crate::secret::Wiped;
use core::ops::{BitAnd, BitOr, BitXor, Not, Shl, Shr};

/// A machine word.
pub(crate) trait Lane:
    Copy
    + Default
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
    + 'static
{
    /// The bits of a word.
    const BITS: u32;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The low bits of a 64-bit word.
    fn from_u64(value: u64) -> Self;
    /// The low 64 bits.
    fn low(self) -> u64;
    /// The bits from 64 on.
    fn high(self) -> u64;
    /// Bit 0 in every bit.
    fn spread(self) -> Self;
    /// Bit 0 in every bit, for a `one` that the compiler does not know: it cannot make a branch of what follows.
    fn spread_by(self, one: Self) -> Self;
    /// The low `bits` bits set, `bits` at most [`Lane::BITS`].
    fn mask(bits: u32) -> Self;
}

macro_rules! lane {
    ($word:ty, $high:expr) => {
        impl Lane for $word {
            const BITS: u32 = <$word>::BITS;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn low(self) -> u64 {
                self as u64
            }
            #[inline(always)]
            fn high(self) -> u64 {
                ($high)(self)
            }
            #[inline(always)]
            fn spread(self) -> Self {
                (self & 1).wrapping_neg()
            }
            #[inline(always)]
            fn spread_by(self, one: Self) -> Self {
                (self & one).wrapping_neg()
            }
            #[inline(always)]
            fn mask(bits: u32) -> Self {
                if bits == 0 { 0 } else { Self::MAX >> (Self::BITS - bits) }
            }
        }
    };
}

lane!(u32, |_| 0);
lane!(u64, |_| 0);
lane!(u128, |word: u128| (word >> 64) as u64);

/// The bytes of a message with `bits` bits for each of `n` elements.
pub(crate) const fn message_len(n: usize, bits: usize) -> usize {
    (n * bits).div_ceil(8)
}

const COLUMNS: usize = 8;
/// Elements in a block.
pub(crate) const BLOCK: usize = 64 * COLUMNS;

/// Packs fields of `n` elements into a message.
pub(crate) struct LaneWriter {
    n: usize,
    bits: usize,
    blocks: Vec<u64>,
    tail: Vec<u8>,
    acc: u128,
    have: u32,
}

impl LaneWriter {
    /// A message for `n` elements with about `bits` bits each.
    pub(crate) fn new(n: usize, bits: usize) -> Self {
        Self {
            n,
            bits: 0,
            blocks: Vec::with_capacity(n / BLOCK * COLUMNS * bits),
            tail: Vec::with_capacity(message_len(n % BLOCK, bits)),
            acc: 0,
            have: 0,
        }
    }

    /// Appends the low `width` bits of every lane; the rest of a lane is never sent.
    pub(crate) fn push<T: Lane>(&mut self, width: u32, lanes: &[T]) {
        assert!(lanes.len() == self.n, "{} lanes in a message for {} elements", lanes.len(), self.n);
        if width > 64 {
            self.push_words(64, lanes, T::low);
            self.push_words(width - 64, lanes, T::high);
        } else if width > 0 {
            self.push_words(width, lanes, T::low);
        }
    }

    /// Appends one bit for every element.
    pub(crate) fn push_bits(&mut self, bits: &BitVec) {
        assert!(bits.len() == self.n, "{} bits in a message for {} elements", bits.len(), self.n);
        self.bits += 1;
        let blocked = self.n / BLOCK * COLUMNS;
        self.blocks.extend(bits.words()[..blocked].iter().map(|w| w.to_le()));
        let mut left = self.n % BLOCK;
        for &word in &bits.words()[blocked..] {
            let count = left.min(64);
            self.put(word, count as u32);
            left -= count;
        }
    }

    /// The message.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut message = Vec::with_capacity(message_len(self.n, self.bits));
        self.finish_into(&mut message);
        message
    }

    /// Appends the message to `out`; the writer is as new.
    pub(crate) fn finish_into(&mut self, out: &mut Vec<u8>) {
        let len = out.len() + message_len(self.n, self.bits);
        while self.have > 0 {
            self.tail.push(self.acc as u8);
            self.acc >>= 8;
            self.have = self.have.saturating_sub(8);
        }
        out.extend_from_slice(bytemuck::must_cast_slice(&self.blocks));
        out.extend_from_slice(&self.tail);
        debug_assert!(out.len() == len, "exact length");
        (self.bits, self.acc) = (0, 0);
        self.blocks.clear();
        self.tail.clear();
    }

    fn push_words<T: Lane>(&mut self, width: u32, lanes: &[T], word: impl Fn(T) -> u64) {
        self.bits += width as usize;
        let (blocks, tail) = lanes.split_at(lanes.len() / BLOCK * BLOCK);
        let start = self.blocks.len();
        self.blocks.resize(start + blocks.len() / 64 * width as usize, 0);
        vectorize(Pack { width, lanes: blocks, out: &mut self.blocks[start..], word: &word });
        for &lane in tail {
            self.put(word(lane) & u64::mask(width), width);
        }
    }

    #[inline(always)]
    fn put(&mut self, value: u64, width: u32) {
        self.acc |= u128::from(value) << self.have;
        self.have += width;
        if self.have >= 64 {
            self.tail.extend_from_slice(&(self.acc as u64).to_le_bytes());
            self.acc >>= 64;
            self.have -= 64;
        }
    }
}

/// Reads what [`LaneWriter`] packed: the same fields in the same order.
pub(crate) struct LaneReader<'a> {
    n: usize,
    blocks: &'a [u8],
    tail: &'a [u8],
    acc: u128,
    have: u32,
}

impl<'a> LaneReader<'a> {
    /// A message for `n` elements with `bits` bits each.
    ///
    /// # Panics
    /// When the message does not have [`message_len`]; a transport hands over exactly what was asked for.
    pub(crate) fn new(message: &'a [u8], n: usize, bits: usize) -> Self {
        assert!(message.len() == message_len(n, bits), "a message of the length asked for");
        let (blocks, tail) = message.split_at(n / BLOCK * BLOCK * bits / 8);
        Self { n, blocks, tail, acc: 0, have: 0 }
    }

    /// The next field of every element.
    pub(crate) fn pull<T: Lane>(&mut self, width: u32) -> Wiped<T> {
        let mut lanes = Wiped::zeros(self.n);
        self.pull_into(width, &mut lanes);
        lanes
    }

    /// The next field of every element.
    pub(crate) fn pull_into<T: Lane>(&mut self, width: u32, lanes: &mut [T]) {
        assert!(lanes.len() == self.n, "{} lanes of a message for {} elements", lanes.len(), self.n);
        if width > 64 {
            self.pull_words(64, lanes, |_, word| T::from_u64(word));
            self.pull_words(width - 64, lanes, |lane, word| lane | T::from_u64(word) << 63 << 1);
        } else if width > 0 {
            self.pull_words(width, lanes, |_, word| T::from_u64(word));
        } else {
            lanes.fill(T::ZERO);
        }
    }

    /// The next bit of every element.
    pub(crate) fn pull_bits(&mut self) -> BitVec {
        let mut words = Vec::with_capacity(self.n.div_ceil(64));
        for _ in 0..self.n / BLOCK * COLUMNS {
            words.push(self.next_word());
        }
        let mut left = self.n % BLOCK;
        while left > 0 {
            let count = left.min(64);
            words.push(self.take(count as u32));
            left -= count;
        }
        BitVec::from_words(self.n, words)
    }

    fn pull_words<T: Lane>(&mut self, width: u32, lanes: &mut [T], put: impl Fn(T, u64) -> T) {
        let blocked = lanes.len() / BLOCK * BLOCK;
        let (head, rest) = self.blocks.split_at(blocked * width as usize / 8);
        self.blocks = rest;
        let (blocks, tail) = lanes.split_at_mut(blocked);
        vectorize(Unpack { width, lanes: blocks, bytes: head, put: &put });
        for lane in tail {
            *lane = put(*lane, self.take(width));
        }
    }

    fn next_word(&mut self) -> u64 {
        let (head, rest) = self.blocks.split_at(8);
        self.blocks = rest;
        u64::from_le_bytes(head.try_into().expect("eight bytes"))
    }

    #[inline(always)]
    fn take(&mut self, width: u32) -> u64 {
        if self.have < width {
            let mut word = [0; 8];
            let count = self.tail.len().min(8);
            word[..count].copy_from_slice(&self.tail[..count]);
            self.tail = &self.tail[count..];
            self.acc |= u128::from(u64::from_le_bytes(word)) << self.have;
            self.have += 64;
        }
        let value = self.acc as u64 & u64::mask(width);
        self.acc >>= width;
        self.have -= width;
        value
    }
}

/// Packs whole blocks into words in little-endian order.
struct Pack<'a, T, F> {
    width: u32,
    lanes: &'a [T],
    out: &'a mut [u64],
    word: &'a F,
}

impl<T: Lane, F: Fn(T) -> u64> Kernel for Pack<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (width, mask) = (self.width, u64::mask(self.width));
        let (rows, _) = self.lanes.as_chunks::<COLUMNS>();
        let (out, _) = self.out.as_chunks_mut::<COLUMNS>();
        let (mut acc, mut have, mut written) = ([0_u64; COLUMNS], 0, 0);
        for row in rows {
            let mut values = [0; COLUMNS];
            for c in 0..COLUMNS {
                values[c] = (self.word)(row[c]) & mask;
                acc[c] |= values[c] << have;
            }
            have += width;
            if have >= 64 {
                have -= 64;
                // The bits of this row that did not fit are its top `have` ones; blocks end without any.
                let (fitted, left) = (width - have, u64::from(have > 0).wrapping_neg());
                let words = &mut out[written];
                for c in 0..COLUMNS {
                    words[c] = acc[c].to_le();
                    acc[c] = values[c].wrapping_shr(fitted) & left;
                }
                written += 1;
            }
        }
    }
}

/// Unpacks whole blocks.
struct Unpack<'a, T, F> {
    width: u32,
    lanes: &'a mut [T],
    bytes: &'a [u8],
    put: &'a F,
}

impl<T: Lane, F: Fn(T, u64) -> T> Kernel for Unpack<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (width, mask) = (self.width, u64::mask(self.width));
        let (rows, _) = self.lanes.as_chunks_mut::<COLUMNS>();
        let (input, _) = self.bytes.as_chunks::<{ 8 * COLUMNS }>();
        let (mut acc, mut have, mut read) = ([0_u64; COLUMNS], 0, 0);
        // Where a word is used up in one row, nothing of it is left for the next.
        let whole = u64::from(width < 64).wrapping_neg();
        for row in rows {
            let mut values = acc;
            if have < width {
                let words = words(&input[read]);
                read += 1;
                let used = width - have;
                for c in 0..COLUMNS {
                    values[c] |= words[c] << have;
                    acc[c] = words[c].wrapping_shr(used) & whole;
                }
                have = 64 - used;
            } else {
                for a in &mut acc {
                    *a = a.wrapping_shr(width) & whole;
                }
                have -= width;
            }
            for c in 0..COLUMNS {
                row[c] = (self.put)(row[c], values[c] & mask);
            }
        }
    }
}

#[inline(always)]
fn words(bytes: &[u8; 8 * COLUMNS]) -> [u64; COLUMNS] {
    let mut words = bytemuck::must_cast::<_, [u64; COLUMNS]>(*bytes);
    for word in &mut words {
        *word = u64::from_le(*word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64) -> impl Fn(u64) -> u64 {
        move |i| {
            let mut z =
                (i ^ seed << 40).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z ^= z >> 29;
            z = z.wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ z >> 32
        }
    }

    #[test]
    fn reading_inverts_writing_for_every_width_and_length() {
        for n in [0, 1, 7, 8, 9, 63, 64, 511, 512, 513, 1025] {
            let widths = [1, 2, 3, 8, 13, 31, 32, 33, 63, 64, 65, 100, 124, 128];
            let bits = widths.iter().sum::<u32>() as usize + 1;
            let mut writer = LaneWriter::new(n, bits);
            let field = |w: u32| -> Vec<u128> {
                let (low, high) = (noise(2 * u64::from(w)), noise(2 * u64::from(w) + 1));
                (0..n as u64).map(|i| u128::from(low(i)) | u128::from(high(i)) << 64).collect()
            };
            for &w in &widths[..7] {
                writer.push(w, &field(w));
            }
            let plane = BitVec::from_fn(n, |i| noise(99)(i as u64) & 1 == 1);
            writer.push_bits(&plane);
            for &w in &widths[7..] {
                writer.push(w, &field(w));
            }
            let message = writer.finish();
            assert_eq!(message.len(), message_len(n, bits));
            let mut reader = LaneReader::new(&message, n, bits);
            let mut check = |w: u32| {
                let expected: Vec<u128> = field(w).iter().map(|v| v & u128::mask(w)).collect();
                assert_eq!(*reader.pull::<u128>(w), expected, "{n} lanes of {w} bits");
            };
            widths[..7].iter().for_each(|&w| check(w));
            assert_eq!(reader.pull_bits(), plane);
            widths[7..].iter().for_each(|&w| {
                let expected: Vec<u128> = field(w).iter().map(|v| v & u128::mask(w)).collect();
                assert_eq!(*reader.pull::<u128>(w), expected, "{n} lanes of {w} bits");
            });
        }
    }
}
