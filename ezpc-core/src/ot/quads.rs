//! The two ends of a batch of correlated OTs over F_4, and of batches of both kinds together.

use super::cots::{Batch, View};
use super::domain::PadKeys;
use super::{ReceiverCots, SenderCots};
use crate::crypto::Block;
use crate::party::Party;
use crate::transport::cost::Ots;
use core::fmt;
use std::sync::Arc;
use zeroize::Zeroize;

/// The sender's end of a batch of quads: keys `q` and the direction's Δ, which is that of its COTs.
///
/// It cannot be copied; every use takes it by value, so that no OT serves twice.
pub struct SenderQuads {
    pub(super) batch: Batch,
    pub(super) delta: Block,
}

impl SenderQuads {
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, delta: Block, view: View) -> Self {
        Self { batch: Batch::new(keys, start, view), delta }
    }

    /// The number of quads.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.blocks().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self, count: usize) -> Self {
        Self { batch: self.batch.take(count), delta: self.delta }
    }
}

impl Drop for SenderQuads {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

impl fmt::Debug for SenderQuads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SenderQuads({})", self.len())
    }
}

/// The receiver's end of a batch of quads: macs `t = q + u·Δ`, with the choices u of F_4 in their first coefficients.
///
/// It cannot be copied; every use takes it by value, so that no OT serves twice.
pub struct ReceiverQuads {
    pub(super) batch: Batch,
}

impl ReceiverQuads {
    pub(super) fn new(keys: Arc<PadKeys>, start: u64, view: View) -> Self {
        Self { batch: Batch::new(keys, start, view) }
    }

    /// The number of quads.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.blocks().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self, count: usize) -> Self {
        Self { batch: self.batch.take(count) }
    }
}

impl fmt::Debug for ReceiverQuads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiverQuads({})", self.len())
    }
}

/// Quads from twice as many COTs: the pair (a, b) is a + ω·b, and so are keys, macs and choices.
pub(super) fn pair_up(cots: &[Block]) -> Vec<Block> {
    /// The bit of a choice that stands for ω.
    const OMEGA: Block = Block::new(1 << 64);
    // A COT's key has its choice's bit cleared; the other bit of the coefficient is the same in key and mac, as Δ has it
    // cleared, and both parties clear it.
    let cleared = |cot: Block| cot & (OMEGA ^ Block::ONES);
    cots.as_chunks::<2>().0.iter().map(|&[a, b]| cleared(a) ^ cleared(b).sigma()).collect()
}

/// The sender's OTs of one direction: COTs and quads.
#[derive(Debug)]
pub struct SenderOts {
    /// With choices in F_2.
    pub cots: SenderCots,
    /// With choices in F_4.
    pub quads: SenderQuads,
}

/// The receiver's OTs of one direction: COTs and quads.
#[derive(Debug)]
pub struct ReceiverOts {
    /// With choices in F_2.
    pub cots: ReceiverCots,
    /// With choices in F_4.
    pub quads: ReceiverQuads,
}

impl SenderOts {
    /// Keys of COTs and of quads, for a test that looks for them where memory was freed.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn keys(&self) -> [&[Block]; 2] {
        [self.cots.batch.blocks(), self.quads.batch.blocks()]
    }

    /// Splits the first ones off, as many as `ots` says of this direction. The peer takes the same at the same point.
    ///
    /// # Panics
    /// When fewer are left.
    #[must_use]
    pub fn take(&mut self, ots: Ots) -> Self {
        let [cots, quads] = ots.of(self.cots.sender());
        Self { cots: self.cots.take(cots), quads: self.quads.take(quads) }
    }

    /// Those of `slots` digits of m bits: see [`digit_ots`].
    #[must_use]
    pub fn take_digits(&mut self, m: usize, slots: usize) -> Self {
        self.take(digit_ots(self.cots.sender(), m, slots))
    }
}

impl ReceiverOts {
    /// Macs of COTs and of quads, as [`SenderOts::keys`].
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn macs(&self) -> [&[Block]; 2] {
        [self.cots.batch.blocks(), self.quads.batch.blocks()]
    }

    /// See [`SenderOts::take`].
    #[must_use]
    pub fn take(&mut self, ots: Ots) -> Self {
        let [cots, quads] = ots.of(self.cots.sender());
        Self { cots: self.cots.take(cots), quads: self.quads.take(quads) }
    }

    /// See [`SenderOts::take_digits`].
    #[must_use]
    pub fn take_digits(&mut self, m: usize, slots: usize) -> Self {
        self.take(digit_ots(self.cots.sender(), m, slots))
    }
}

/// The OTs of `slots` digits of m bits with one sender: a quad for every two bits, a COT for an odd one.
#[must_use]
pub fn digit_ots(sender: Party, m: usize, slots: usize) -> Ots {
    Ots::of_cots(sender, m % 2 * slots).plus(Ots::of_quads(sender, m / 2 * slots))
}
