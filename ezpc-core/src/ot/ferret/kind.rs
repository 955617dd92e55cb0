//! The two kinds of OT that a round makes, and the sizes of their rounds.

use super::{LENGTH, NOISE, SECRET, TREES};
use crate::crypto::Block;

/// What a round makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ot) enum Kind {
    /// OTs with choices in F_2.
    Cots,
    /// OTs with choices in F_4.
    Quads,
}

impl Kind {
    /// The bits of a choice.
    pub(in crate::ot) const fn bits(self) -> usize {
        match self {
            Self::Cots => 1,
            Self::Quads => 2,
        }
    }

    /// OTs a round takes: no more than the table has room for.
    pub(in crate::ot) const fn base(self) -> usize {
        NOISE + if matches!(self, Self::Quads) { TREES } else { 0 }
    }

    /// OTs a round adds to the pool.
    pub(in crate::ot) const fn output(self) -> usize {
        LENGTH - self.base()
    }

    /// The bytes of the receiver's message.
    pub(in crate::ot) const fn flips_bytes(self) -> usize {
        (self.base() - SECRET) * self.bits() / 8
    }

    /// The bytes of the sender's message.
    pub(in crate::ot) const fn sums_bytes(self) -> usize {
        (self.base() - SECRET - TREES) * Block::BYTES
    }

    /// The kind in the names of its keys.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cots => "",
            Self::Quads => " of quads",
        }
    }
}
