//! Packed bits: a vector of bits, and k planes of them as a vector of k-bit Boolean words.

use crate::secret::wipe;
use core::fmt;

/// A packed vector of bits, 64 a word. Invariant: the bits past `len` in the last word are zero.
#[derive(Clone, PartialEq, Eq)]
pub struct BitVec {
    len: usize,
    words: Vec<u64>,
}

impl BitVec {
    /// `len` zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self { len, words: vec![0; len.div_ceil(64)] }
    }

    /// `len` ones.
    #[must_use]
    pub fn ones(len: usize) -> Self {
        Self::from_words(len, vec![u64::MAX; len.div_ceil(64)])
    }

    /// The first `len` bits of `words`, least significant bit first.
    ///
    /// # Panics
    /// When `words` does not have exactly `len` bits rounded up to words.
    #[must_use]
    pub fn from_words(len: usize, mut words: Vec<u64>) -> Self {
        assert!(words.len() == len.div_ceil(64), "{} words for {len} bits", words.len());
        if !len.is_multiple_of(64) {
            *words.last_mut().expect("len is not zero") &= u64::MAX >> (64 - len % 64);
        }
        Self { len, words }
    }

    /// Bit `f(i)` for every `i`.
    #[must_use]
    pub fn from_fn(len: usize, mut f: impl FnMut(usize) -> bool) -> Self {
        let mut bits = Self::zeros(len);
        for i in 0..len {
            bits.words[i / 64] |= u64::from(f(i)) << (i % 64);
        }
        bits
    }

    /// Bit 0 of every lane.
    #[must_use]
    pub fn from_lanes(lanes: &[u64]) -> Self {
        let words =
            lanes.chunks(64).map(|c| c.iter().enumerate().fold(0, |w, (i, &b)| w | ((b & 1) << i))).collect();
        Self { len: lanes.len(), words }
    }

    /// One lane per bit, 0 or 1.
    #[must_use]
    pub fn to_lanes(&self) -> Vec<u64> {
        (0..self.len).map(|i| (self.words[i / 64] >> (i % 64)) & 1).collect()
    }

    /// The bits in bytes, least significant first, padded with zeros: what travels on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|w| w.to_le_bytes()).collect();
        bytes.truncate(self.len.div_ceil(8));
        bytes
    }

    /// The first `len` bits of `bytes`; padding is ignored.
    ///
    /// # Panics
    /// When `bytes` is not exactly `len` bits rounded up to bytes.
    #[must_use]
    pub fn from_bytes(len: usize, bytes: &[u8]) -> Self {
        assert!(bytes.len() == len.div_ceil(8), "{} bytes for {len} bits", bytes.len());
        let word = |c: &[u8]| c.iter().rev().fold(0, |w, &b| w << 8 | u64::from(b));
        Self::from_words(len, bytes.chunks(8).map(word).collect())
    }

    /// The number of bits.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no bit.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `i`.
    #[must_use]
    pub fn bit(&self, i: usize) -> bool {
        assert!(i < self.len, "bit {i} of {}", self.len);
        (self.words[i / 64] >> (i % 64)) & 1 == 1
    }

    /// The packed words.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Word-wise combination of two vectors of one length.
    ///
    /// # Panics
    /// When lengths differ.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        assert!(self.len == other.len, "operands of {} and {} bits", self.len, other.len);
        let words = self.words.iter().zip(&other.words).map(|(&a, &b)| f(a, b)).collect();
        Self::from_words(self.len, words)
    }

    /// Exclusive or.
    #[must_use]
    pub fn xor(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    /// And.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Complement.
    #[must_use]
    pub fn not(&self) -> Self {
        Self::from_words(self.len, self.words.iter().map(|w| !w).collect())
    }

    /// The bits at `indices`, in that order.
    #[must_use]
    pub fn gather(&self, indices: &[usize]) -> Self {
        Self::from_fn(indices.len(), |i| self.bit(indices[i]))
    }

    /// The bits of `range`.
    #[must_use]
    pub fn slice(&self, range: core::ops::Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len, "bits {range:?} of {}", self.len);
        let (start, len) = (range.start, range.end - range.start);
        let (skip, shift) = (start / 64, start % 64);
        let word = |i: usize| self.words.get(skip + i).copied().unwrap_or(0);
        let words = (0..len.div_ceil(64))
            .map(|i| if shift == 0 { word(i) } else { (word(i) >> shift) | (word(i + 1) << (64 - shift)) })
            .collect();
        Self::from_words(len, words)
    }

    /// The vectors one after the other.
    #[must_use]
    pub fn concat(parts: &[&Self]) -> Self {
        let mut all = Self::zeros(parts.iter().map(|p| p.len).sum());
        let mut at = 0;
        for part in parts {
            for (i, &w) in part.words.iter().enumerate() {
                let (word, shift) = ((at + 64 * i) / 64, (at + 64 * i) % 64);
                all.words[word] |= w << shift;
                if shift != 0 && word + 1 < all.words.len() {
                    all.words[word + 1] |= w >> (64 - shift);
                }
            }
            at += part.len;
        }
        all
    }
}

impl Drop for BitVec {
    fn drop(&mut self) {
        wipe(&mut self.words);
    }
}

impl fmt::Debug for BitVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BitVec({})", self.len)
    }
}

/// A vector of k-bit Boolean words as k bit planes; plane 0 holds the least significant bits.
#[derive(Clone, PartialEq, Eq)]
pub struct BitPlanes {
    len: usize,
    planes: Vec<BitVec>,
}

impl BitPlanes {
    /// The planes, least significant first.
    ///
    /// # Panics
    /// When there is none or more than 64, or when their lengths differ.
    #[must_use]
    pub fn new(planes: Vec<BitVec>) -> Self {
        assert!((1..=64).contains(&planes.len()), "between 1 and 64 bit planes, not {}", planes.len());
        let len = planes[0].len();
        assert!(planes.iter().all(|p| p.len() == len), "bit planes of one length");
        Self { len, planes }
    }

    /// `len` words of `bits` zeros.
    #[must_use]
    pub fn zeros(bits: u32, len: usize) -> Self {
        Self::new(vec![BitVec::zeros(len); bits as usize])
    }

    /// The low `bits` bits of every lane.
    #[must_use]
    pub fn from_lanes(bits: u32, lanes: &[u64]) -> Self {
        let mut planes = vec![BitVec::zeros(lanes.len()); bits as usize];
        for (k, plane) in planes.iter_mut().enumerate() {
            for (word, chunk) in plane.words.iter_mut().zip(lanes.chunks(64)) {
                *word = chunk.iter().enumerate().fold(0, |w, (i, &b)| w | (((b >> k) & 1) << i));
            }
        }
        Self::new(planes)
    }

    /// One lane per word.
    #[must_use]
    pub fn to_lanes(&self) -> Vec<u64> {
        let mut lanes = vec![0; self.len];
        for (k, plane) in self.planes.iter().enumerate() {
            for (chunk, &word) in lanes.chunks_mut(64).zip(&plane.words) {
                for (i, lane) in chunk.iter_mut().enumerate() {
                    *lane |= ((word >> i) & 1) << k;
                }
            }
        }
        lanes
    }

    /// The number of words.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no word.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of planes, the width of a word.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "at most 64 planes")]
    pub fn bits(&self) -> u32 {
        self.planes.len() as u32
    }

    /// The planes, least significant first.
    #[must_use]
    pub fn planes(&self) -> &[BitVec] {
        &self.planes
    }

    /// The planes at `indices` as a new vector, least significant first.
    #[must_use]
    pub fn select_planes(&self, indices: &[usize]) -> Self {
        Self::new(indices.iter().map(|&i| self.planes[i].clone()).collect())
    }

    /// The planes of all parts in one word vector, least significant first.
    #[must_use]
    pub fn stack(parts: &[&Self]) -> Self {
        Self::new(parts.iter().flat_map(|p| p.planes.iter().cloned()).collect())
    }

    /// Plane-wise combination of two vectors of one width and length.
    ///
    /// # Panics
    /// When widths or lengths differ.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(&BitVec, &BitVec) -> BitVec) -> Self {
        assert!(self.bits() == other.bits(), "operands of {} and {} planes", self.bits(), other.bits());
        Self::new(self.planes.iter().zip(&other.planes).map(|(a, b)| f(a, b)).collect())
    }

    /// Applies `f` to every plane.
    #[must_use]
    pub fn map(&self, f: impl Fn(&BitVec) -> BitVec) -> Self {
        Self::new(self.planes.iter().map(f).collect())
    }

    /// The vectors one after the other.
    ///
    /// # Panics
    /// When `parts` is empty or widths differ.
    #[must_use]
    pub fn concat(parts: &[&Self]) -> Self {
        let bits = parts.first().expect("concat of at least one part").bits();
        assert!(parts.iter().all(|p| p.bits() == bits), "concat of words of one width");
        let plane = |k: usize| BitVec::concat(&parts.iter().map(|p| &p.planes[k]).collect::<Vec<_>>());
        Self::new((0..bits as usize).map(plane).collect())
    }
}

impl fmt::Debug for BitPlanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BitPlanes({} x {} bits)", self.len, self.planes.len())
    }
}
