//! Which key hashes a COT to a pad: one per use, direction and 4096 COTs, or fewer.

use crate::crypto::{Aes, Block, Mmo, SessionId};
use crate::party::Party;

/// What a pad is for. Pads of different domains are hashed under different keys, so that one COT's pads in two
/// domains are independent. A gadget that uses two kinds of pads uses two domains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum PadDomain {
    /// The carry chain.
    Chain = 1,
    /// The carry chain's second block, for slots that need more than 128 bits.
    ChainWide = 2,
    /// The equality chain.
    Equality = 3,
    /// Selection between two values by a shared bit.
    Mux = 4,
    /// A small table that the sender fills and the receiver's digits select from.
    Table = 5,
    /// A Boolean share to an arithmetic one.
    BitToArith = 6,
    /// Products of ring elements.
    Multiply = 7,
    /// Products of matrices.
    Matrix = 8,
    /// Products of bits.
    And = 9,
    /// The comparison tree's leaves.
    Tree = 10,
    /// Public lookup tables at a shared index.
    Lookup = 11,
    /// Wraps of shares, for extension and truncation.
    Wrap = 12,
    /// Transfers of values longer than a pad: the pad seeds a generator.
    Seed = 13,
    /// Base OTs of the second direction.
    BaseTransfer = 14,
}

impl PadDomain {
    /// COTs hashed under one key at most: bounds the loss of a hash under one key to many targets at once. A lookup
    /// in a large table hashes its OTs thousands of times.
    pub(super) const fn cots_per_key(self) -> u64 {
        match self {
            Self::Lookup => 256,
            _ => 4096,
        }
    }
}

/// The pad keys of the COTs or of the quads of one direction of a session; public.
#[derive(Clone)]
pub(super) struct PadKeys {
    root: Aes,
    sender: Party,
}

impl PadKeys {
    /// Those of COTs.
    pub(super) fn new(session: &SessionId, sender: Party) -> Self {
        Self { root: Aes::new(session.key("pad keys")), sender }
    }

    /// Those of quads.
    pub(super) fn of_quads(session: &SessionId, sender: Party) -> Self {
        Self { root: Aes::new(session.key("pad keys of quads")), sender }
    }

    /// The party that is the sender of this direction.
    pub(super) const fn sender(&self) -> Party {
        self.sender
    }

    /// The hash for the COTs whose position in the direction's stream divided by
    /// [`PadDomain::cots_per_key`] is `chunk`.
    pub(super) fn hash(&self, domain: PadDomain, chunk: u64) -> Mmo {
        let tag = (domain as u128) << 8 | self.sender.index() as u128;
        let mut key = [Block::new(tag << 64 | u128::from(chunk))];
        self.root.encrypt(&mut key);
        Mmo::new(key[0])
    }
}
