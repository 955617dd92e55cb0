//! The two ends of a batch of correlated OTs.

use super::domain::{PadDomain, PadKeys};
use super::ferret::{OUTPUT, Round};
use crate::crypto::Block;
use crate::party::Party;
use crate::ring::BitVec;
use core::fmt;
use core::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use zeroize::Zeroize;

/// Blocks in memory, wiped when dropped: with plain stores that the compiler must keep, as it cannot see that nobody
/// reads them.
pub(super) struct Blocks(Vec<Block>);

impl Blocks {
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
        self.0.fill(Block::ZERO);
        zeroize::optimization_barrier(&self.0[..]);
    }
}

/// Consecutive blocks of a batch.
#[derive(Clone)]
pub(super) enum Piece {
    /// In memory.
    Blocks(Arc<Blocks>, Range<usize>),
    /// Outputs of a round of Ferret, computed whenever they are read: most are read once, a few hundred at a time, and
    /// go into a hash while they are in the first-level cache.
    Round(Arc<Round>, Range<usize>),
}

impl Piece {
    /// All of `blocks`.
    pub(super) fn of(blocks: Vec<Block>) -> Self {
        let range = 0..blocks.len();
        Self::Blocks(Arc::new(Blocks(blocks)), range)
    }

    /// All outputs of a round.
    pub(super) fn whole(round: Arc<Round>) -> Self {
        Self::Round(round, 0..OUTPUT)
    }

    const fn range(&mut self) -> &mut Range<usize> {
        let (Self::Blocks(_, range) | Self::Round(_, range)) = self;
        range
    }

    pub(super) fn len(&self) -> usize {
        let (Self::Blocks(_, range) | Self::Round(_, range)) = self;
        range.len()
    }

    /// Splits the first `count` blocks off.
    pub(super) fn take(&mut self, count: usize) -> Self {
        let mut front = self.clone();
        let middle = self.range().start + count;
        front.range().end = middle;
        self.range().start = middle;
        front
    }

    /// The blocks from number `first` on.
    fn read(&self, first: usize, out: &mut [Block]) {
        match self {
            Self::Blocks(blocks, range) => {
                out.copy_from_slice(&blocks[range.clone()][first..first + out.len()]);
            }
            Self::Round(round, range) => round.output(range.start + first, out),
        }
    }
}

/// Where the blocks of a batch stand in the stream of COTs of their direction, and what they may be used for.
#[derive(Clone)]
pub(super) struct Batch {
    pieces: Vec<Piece>,
    len: usize,
    /// The position in the stream of the first COT.
    start: u64,
    /// How many consecutive COTs share a position.
    group: u64,
    /// The only domain these COTs may be used in, after [`Batch::twice`].
    only: Option<PadDomain>,
    pub(super) keys: Arc<PadKeys>,
}

impl Batch {
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, pieces: Vec<Piece>) -> Self {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        Self { pieces, len, start, group: 1, only: None, keys }
    }

    /// The blocks from number `first` on.
    pub(super) fn read(&self, mut first: usize, mut out: &mut [Block]) {
        for piece in &self.pieces {
            let len = piece.len();
            if first < len && !out.is_empty() {
                let (now, later) = out.split_at_mut(out.len().min(len - first));
                piece.read(first, now);
                (first, out) = (0, later);
            } else {
                first -= first.min(len);
            }
        }
        assert!(out.is_empty(), "no more blocks are read than a batch has");
    }

    /// Computes all blocks, some at a time.
    pub(super) fn compute(&self) {
        let mut some = Blocks::zeros(512);
        for first in (0..self.len).step_by(some.len()) {
            let count = some.len().min(self.len - first);
            self.read(first, &mut some[..count]);
            core::hint::black_box(&some[..]);
        }
    }

    /// All blocks, in memory from now on.
    pub(super) fn blocks(&mut self) -> &[Block] {
        if !matches!(&self.pieces[..], [Piece::Blocks(..)]) {
            let mut blocks = vec![Block::ZERO; self.len];
            self.read(0, &mut blocks);
            self.pieces = vec![Piece::of(blocks)];
        }
        match &self.pieces[..] {
            [Piece::Blocks(blocks, range)] => &blocks[range.clone()],
            _ => unreachable!("the blocks were just put into one piece"),
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
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

    fn take(&mut self, count: usize) -> Self {
        assert!(count <= self.len, "{count} OTs asked for, {} left", self.len);
        assert!((count as u64).is_multiple_of(self.group), "interleaved OTs are taken in whole groups");
        let (mut front, mut left) = (Vec::with_capacity(1), count);
        while left > 0 {
            let piece = &mut self.pieces[0];
            let taken = piece.take(left.min(piece.len()));
            left -= taken.len();
            front.push(taken);
            if piece.len() == 0 {
                self.pieces.remove(0);
            }
        }
        let front = Self { pieces: front, len: count, keys: Arc::clone(&self.keys), ..*self };
        self.len -= count;
        self.start += count as u64 / self.group;
        front
    }

    fn twice(mut self, first: PadDomain, second: PadDomain) -> [Self; 2] {
        assert!(first != second, "two uses of one OT need two domains");
        assert!(self.only.is_none(), "an OT has at most two uses");
        self.blocks();
        [first, second].map(|domain| Self { only: Some(domain), ..self.clone() })
    }

    fn interleave(self, other: Self) -> Self {
        assert!(self.len == other.len, "interleaved batches have one length");
        assert!(self.group == 1 && other.group == 1, "a batch is interleaved once");
        assert!(self.keys.sender() == other.keys.sender(), "interleaved batches have one direction");
        let only = self.only.or(other.only);
        assert!(other.only.is_none_or(|o| Some(o) == only), "interleaved OTs have one use");
        let (mut this, mut other) = (self, other);
        let blocks: Vec<Block> =
            this.blocks().iter().zip(other.blocks()).flat_map(|(&a, &b)| [a, b]).collect();
        let pieces = vec![Piece::of(blocks)];
        Self { group: 2, only, ..Self::new(this.keys, this.start, pieces) }
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
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, delta: Block, pieces: Vec<Piece>) -> Self {
        Self { batch: Batch::new(keys, start, pieces), delta }
    }

    /// The number of COTs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len
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
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, pieces: Vec<Piece>) -> Self {
        Self { batch: Batch::new(keys, start, pieces) }
    }

    /// The number of COTs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len
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

    /// The random choice bits, one a COT. Reading them does not use the COTs up; where their pads are wanted at the same
    /// time, [`ReceiverCots::bit_pads`] takes less.
    #[must_use]
    pub fn choices(&mut self) -> BitVec {
        let blocks = self.batch.blocks();
        let words = blocks
            .chunks(64)
            .map(|c| c.iter().enumerate().fold(0, |word, (i, t)| word | u64::from(t.lsb()) << i))
            .collect();
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
