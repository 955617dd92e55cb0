//! Residues and kept bits on the wire.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

/// Bits of a residue: primes are below 2^26.
const RESIDUE_BITS: u32 = 26;

/// The bytes of a polynomial's residues; `len` of them, a multiple of four.
pub(crate) const fn residues_len(len: usize) -> usize {
    len * RESIDUE_BITS as usize / 8
}

/// The bytes of `len` values of `bits` bits.
pub(crate) const fn bits_len(len: usize, bits: u32) -> usize {
    (len * bits as usize).div_ceil(8)
}

/// Writes reduced residues, four in 13 bytes.
pub(crate) fn write_residues(values: &[u32], out: &mut [u8]) {
    for (four, bytes) in values.chunks_exact(4).zip(out.chunks_exact_mut(13)) {
        let word = four.iter().rev().fold(0_u128, |acc, &v| acc << RESIDUE_BITS | u128::from(v));
        bytes.copy_from_slice(&word.to_le_bytes()[..13]);
    }
}

/// Reads residues of primes; false when one of them is not reduced.
#[must_use]
pub(crate) fn read_residues(bytes: &[u8], limbs: &[u32], degree: usize, out: &mut [u32]) -> bool {
    for (four, bytes) in out.chunks_exact_mut(4).zip(bytes.chunks_exact(13)) {
        let mut word = [0; 16];
        word[..13].copy_from_slice(bytes);
        let word = u128::from_le_bytes(word);
        for (i, slot) in four.iter_mut().enumerate() {
            *slot = (word >> (RESIDUE_BITS * i as u32)) as u32 & ((1 << RESIDUE_BITS) - 1);
        }
    }
    out.chunks_exact(degree).zip(limbs).all(|(limb, &p)| limb.iter().fold(0, |m, &v| m.max(v)) < p)
}

/// Appends values bit by bit, least significant first.
pub(crate) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    acc: u128,
    have: u32,
}

impl<'a> BitWriter<'a> {
    /// A writer that fills `out` from its start.
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, acc: 0, have: 0 }
    }

    /// Writes the low `bits` of a value, which has no others.
    #[inline]
    pub(crate) fn put(&mut self, value: u128, bits: u32) {
        if bits > 64 {
            self.put(value & u128::from(u64::MAX), 64);
            self.put(value >> 64, bits - 64);
            return;
        }
        self.acc |= value << self.have;
        self.have += bits;
        if self.have >= 64 {
            self.out[self.at..self.at + 8].copy_from_slice(&(self.acc as u64).to_le_bytes());
            self.at += 8;
            self.acc >>= 64;
            self.have -= 64;
        }
    }

    /// Writes the low `bits` of words, which have no others.
    pub(crate) fn put_words(&mut self, words: &[u64], bits: u32) {
        let (mut acc, mut have) = (self.acc as u64, self.have);
        for &word in words {
            acc |= word << have;
            have += bits;
            if have >= 64 {
                self.out[self.at..self.at + 8].copy_from_slice(&acc.to_le_bytes());
                self.at += 8;
                have -= 64;
                // What did not fit; nothing when the word ended at the boundary.
                acc = (word >> 1) >> (bits - have - 1);
            }
        }
        (self.acc, self.have) = (u128::from(acc), have);
    }

    /// Pads to a whole byte with zeros.
    pub(crate) fn finish(self) {
        let rest = self.have.div_ceil(8) as usize;
        self.out[self.at..self.at + rest].copy_from_slice(&self.acc.to_le_bytes()[..rest]);
    }
}

/// Reads what a [`BitWriter`] wrote.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    acc: u128,
    have: u32,
}

impl<'a> BitReader<'a> {
    /// A reader from the start of `bytes`; past their end it reads zeros.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, acc: 0, have: 0 }
    }

    /// The next values, of at most 57 bits.
    pub(crate) fn get_words(&mut self, words: &mut [u64], bits: u32) {
        debug_assert!(bits <= 57 && self.have == 0, "words are read from the start");
        let mask = (1 << bits) - 1;
        let mut at = 0;
        for word in words {
            let tail = &self.bytes[at / 8..];
            let raw = match tail.first_chunk() {
                Some(&raw) => raw,
                None => {
                    let mut raw = [0; 8];
                    raw[..tail.len()].copy_from_slice(tail);
                    raw
                }
            };
            *word = u64::from_le_bytes(raw) >> (at % 8) & mask;
            at += bits as usize;
        }
        self.bytes = &[];
    }

    /// The next value.
    #[inline]
    pub(crate) fn get(&mut self, bits: u32) -> u128 {
        if bits > 64 {
            let low = self.get(64);
            return low | self.get(bits - 64) << 64;
        }
        if self.have < bits {
            let word = match self.bytes.split_first_chunk::<8>() {
                Some((word, rest)) => {
                    self.bytes = rest;
                    u64::from_le_bytes(*word)
                }
                None => {
                    let mut word = [0; 8];
                    word[..self.bytes.len()].copy_from_slice(self.bytes);
                    self.bytes = &[];
                    u64::from_le_bytes(word)
                }
            };
            self.acc |= u128::from(word) << self.have;
            self.have += 64;
        }
        let value = self.acc & ((1 << bits) - 1);
        self.acc >>= bits;
        self.have -= bits;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_round_trip(values in prop::collection::vec((any::<u128>(), 1_u32..=100), 0..50)) {
            let total: usize = values.iter().map(|v| v.1 as usize).sum();
            let mut bytes = vec![0; total.div_ceil(8)];
            let mut writer = BitWriter::new(&mut bytes);
            for &(v, bits) in &values {
                writer.put(v & ((1 << bits) - 1), bits);
            }
            writer.finish();
            let mut reader = BitReader::new(&bytes);
            for &(v, bits) in &values {
                prop_assert_eq!(reader.get(bits), v & ((1 << bits) - 1));
            }
        }

        #[test]
        fn words_are_bits(values in prop::collection::vec(any::<u64>(), 0..50), bits in 1_u32..=57) {
            let values: Vec<u64> = values.iter().map(|v| v & ((1 << bits) - 1)).collect();
            let (mut one, mut two) = (vec![0; bits_len(values.len(), bits)], vec![0; bits_len(values.len(), bits)]);
            let mut writer = BitWriter::new(&mut one);
            writer.put_words(&values, bits);
            writer.finish();
            let mut writer = BitWriter::new(&mut two);
            values.iter().for_each(|&v| writer.put(u128::from(v), bits));
            writer.finish();
            prop_assert_eq!(&one, &two);
            let mut back = vec![0; values.len()];
            BitReader::new(&one).get_words(&mut back, bits);
            prop_assert_eq!(back, values);
        }

        #[test]
        fn residues_round_trip(values in prop::collection::vec(0_u32..67_000_000, 64)) {
            let mut bytes = vec![0; residues_len(64)];
            write_residues(&values, &mut bytes);
            let mut back = vec![0; 64];
            prop_assert!(read_residues(&bytes, &[67_000_001, 67_000_001], 32, &mut back));
            prop_assert_eq!(back, values);
        }
    }

    #[test]
    fn unreduced_residues_are_refused() {
        let mut values = vec![5; 64];
        values[63] = 100;
        let mut bytes = vec![0; residues_len(64)];
        write_residues(&values, &mut bytes);
        let mut back = vec![0; 64];
        assert!(!read_residues(&bytes, &[101, 100], 32, &mut back));
        assert!(read_residues(&bytes, &[101, 101], 32, &mut back));
    }
}
