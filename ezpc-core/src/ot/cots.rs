//! The two ends of a batch of correlated OTs.

use super::domain::{PadDomain, PadKeys};
use crate::arch::vector::{Kernel, vectorize};
use crate::crypto::Block;
use crate::party::Party;
use crate::ring::BitVec;
use crate::secret::wipe;
use core::fmt;
use core::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use zeroize::Zeroize;

/// Blocks in memory, wiped when dropped: with plain stores that the compiler must keep, as it cannot see that nobody
/// reads them.
pub(super) struct Blocks(Vec<Block>);

impl Blocks {
    pub(super) const fn new(blocks: Vec<Block>) -> Self {
        Self(blocks)
    }

    pub(super) fn zeros(len: usize) -> Self {
        Self(vec![Block::ZERO; len])
    }
}

impl Deref for Blocks {
    type Target = [Block];

    fn deref(&self) -> &[Block] {
        &self.0
    }
}

impl DerefMut for Blocks {
    fn deref_mut(&mut self) -> &mut [Block] {
        &mut self.0
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The lowest bits of blocks, given as their halves, as a string.
struct LowBits<'a> {
    halves: &'a [[u64; 2]],
    words: &'a mut [u64],
}

impl Kernel for LowBits<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (whole, rest) = self.halves.as_chunks::<64>();
        for (i, halves) in whole.iter().enumerate() {
            self.words[i] = (0..64).fold(0, |word, i| word | (halves[i][0] & 1) << i);
        }
        if !rest.is_empty() {
            self.words[whole.len()] = rest.iter().rev().fold(0, |word, half| word << 1 | half[0] & 1);
        }
    }
}

/// Consecutive blocks of some memory.
#[derive(Clone)]
pub(super) struct View {
    memory: Arc<Blocks>,
    range: Range<usize>,
}

impl View {
    pub(super) const fn new(memory: Arc<Blocks>, range: Range<usize>) -> Self {
        Self { memory, range }
    }

    /// All of `blocks`.
    pub(super) fn of(blocks: Vec<Block>) -> Self {
        let range = 0..blocks.len();
        Self::new(Arc::new(Blocks::new(blocks)), range)
    }

    pub(super) fn blocks(&self) -> &[Block] {
        &self.memory[self.range.clone()]
    }

    pub(super) fn len(&self) -> usize {
        self.range.len()
    }

    /// Splits the first `count` off. None of them keep no memory: a round's has a use again when nobody views it.
    pub(super) fn take(&mut self, count: usize) -> Self {
        assert!(count <= self.len(), "{count} OTs asked for, {} left", self.len());
        if count == 0 {
            return Self::of(Vec::new());
        }
        let middle = self.range.start + count;
        let front = Self::new(Arc::clone(&self.memory), self.range.start..middle);
        self.range.start = middle;
        front
    }
}

/// Where the blocks of a batch stand in the stream of COTs of their direction, and what they may be used for.
#[derive(Clone)]
pub(super) struct Batch {
    view: View,
    /// The position in the stream of the first COT.
    start: u64,
    /// How many consecutive COTs share a position.
    group: u64,
    /// The only domain these COTs may be used in, after [`Batch::twice`].
    only: Option<PadDomain>,
    pub(super) keys: Arc<PadKeys>,
}

impl Batch {
    pub(super) const fn new(keys: Arc<PadKeys>, start: u64, view: View) -> Self {
        Self { view, start, group: 1, only: None, keys }
    }

    pub(super) fn blocks(&self) -> &[Block] {
        self.view.blocks()
    }

    /// The position in the stream of COT `i`.
    pub(super) const fn position(&self, i: u64) -> u64 {
        self.start + i / self.group
    }

    /// Panics unless this batch may be hashed in `domain`.
    pub(super) fn check(&self, domain: PadDomain) {
        assert!(
            self.only.is_none_or(|only| only == domain),
            "these OTs are tagged for another use than {domain:?}"
        );
    }

    pub(super) fn take(&mut self, count: usize) -> Self {
        assert!((count as u64).is_multiple_of(self.group), "interleaved OTs are taken in whole groups");
        let front = Self { view: self.view.take(count), keys: Arc::clone(&self.keys), ..*self };
        self.start += count as u64 / self.group;
        front
    }

    fn twice(self, first: PadDomain, second: PadDomain) -> [Self; 2] {
        assert!(first != second, "two uses of one OT need two domains");
        assert!(self.only.is_none(), "an OT has at most two uses");
        [first, second].map(|domain| Self { only: Some(domain), ..self.clone() })
    }

    fn interleave(self, other: Self) -> Self {
        assert!(self.view.len() == other.view.len(), "interleaved batches have one length");
        assert!(self.group == 1 && other.group == 1, "a batch is interleaved once");
        assert!(self.keys.sender() == other.keys.sender(), "interleaved batches have one direction");
        let only = self.only.or(other.only);
        assert!(other.only.is_none_or(|o| Some(o) == only), "interleaved OTs have one use");
        let blocks: Vec<Block> =
            self.blocks().iter().zip(other.blocks()).flat_map(|(&a, &b)| [a, b]).collect();
        Self { group: 2, only, ..Self::new(Arc::clone(&self.keys), self.start, View::of(blocks)) }
    }
}

/// The sender's end of a batch of COTs: keys `q` and the direction's Δ.
///
/// It cannot be copied; every use takes it by value, so that no OT serves twice.
pub struct SenderCots {
    pub(super) batch: Batch,
    pub(super) delta: Block,
}

impl SenderCots {
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, delta: Block, view: View) -> Self {
        Self { batch: Batch::new(keys, start, view), delta }
    }

    /// The number of COTs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.view.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sender of these COTs.
    #[must_use]
    pub fn sender(&self) -> Party {
        self.batch.keys.sender()
    }

    /// Splits the first `count` off. The peer takes the same number at the same point.
    ///
    /// # Panics
    /// When fewer are left.
    #[must_use]
    pub fn take(&mut self, count: usize) -> Self {
        Self { batch: self.batch.take(count), delta: self.delta }
    }

    /// Two uses of the same COTs, one in each of two domains: pads of different domains are hashed under
    /// different keys and are independent, while the choice bits are the same. A further call panics, and so
    /// does hashing in a third domain.
    #[must_use]
    pub fn twice(mut self, first: PadDomain, second: PadDomain) -> [Self; 2] {
        let batch = self.batch.take(self.len());
        batch.twice(first, second).map(|batch| Self { batch, delta: self.delta })
    }

    /// COTs of `self` and `other` in turn, for 1-of-4 digits whose low bit comes from `self`.
    ///
    /// # Panics
    /// When lengths, directions or uses differ.
    #[must_use]
    pub fn interleave(mut self, mut other: Self) -> Self {
        let (mine, theirs) = (self.batch.take(self.len()), other.batch.take(other.len()));
        Self { batch: mine.interleave(theirs), delta: self.delta }
    }
}

impl Drop for SenderCots {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

impl fmt::Debug for SenderCots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenderCots({})", self.len())
    }
}

/// The receiver's end of a batch of COTs: macs `t = q ^ c·Δ`, with the choices c in their low bits.
///
/// It cannot be copied; every use takes it by value, so that no OT serves twice.
pub struct ReceiverCots {
    pub(super) batch: Batch,
}

impl ReceiverCots {
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, view: View) -> Self {
        Self { batch: Batch::new(keys, start, view) }
    }

    /// The number of COTs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.view.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sender of these COTs: the peer.
    #[must_use]
    pub fn sender(&self) -> Party {
        self.batch.keys.sender()
    }

    /// Splits the first `count` off. The peer takes the same number at the same point.
    ///
    /// # Panics
    /// When fewer are left.
    #[must_use]
    pub fn take(&mut self, count: usize) -> Self {
        Self { batch: self.batch.take(count) }
    }

    /// The random choice bits, one a COT. Reading them does not use the COTs up.
    #[must_use]
    pub fn choices(&self) -> BitVec {
        let blocks = self.batch.blocks();
        let mut words = vec![0; blocks.len().div_ceil(64)];
        vectorize(LowBits { halves: bytemuck::must_cast_slice(blocks), words: &mut words });
        BitVec::from_words(blocks.len(), words)
    }

    /// See [`SenderCots::twice`].
    #[must_use]
    pub fn twice(self, first: PadDomain, second: PadDomain) -> [Self; 2] {
        self.batch.twice(first, second).map(|batch| Self { batch })
    }

    /// See [`SenderCots::interleave`].
    #[must_use]
    pub fn interleave(self, other: Self) -> Self {
        Self { batch: self.batch.interleave(other.batch) }
    }
}

impl fmt::Debug for ReceiverCots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverCots({})", self.len())
    }
}
