//! Which way of comparing suits a link.
//!
//! All are equally secure and exact. The chain takes two half-rounds and the least computation, with wide digits at its
//! top it takes fewer bits for more hashing, and the tree takes the fewest bits but more OTs and half-rounds.

use super::shape::Shape;
use super::tree;
use crate::party::Party;

/// A way to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// A chain with 2-bit digits: the least computation.
    Chain,
    /// A chain whose digits minimise the bits sent.
    NarrowChain,
    /// A tree: for thin links and many elements.
    Tree,
}

/// What both parties agreed about their link when they connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the two numbers of a link model")]
pub struct LinkSpeed {
    /// The time of a message there and back, in nanoseconds.
    pub round_trip: u64,
    /// Bits a second in one direction.
    pub bandwidth: u64,
}

/// Picoseconds that a COT, a hash of one and its share of all else take.
const COT: u128 = 16_000;
/// Picoseconds of a hash.
const HASH: u128 = 3_500;

impl Method {
    /// The fastest way to compare `len` elements of `bits` bits in half-batches over `link`. Both parties get the
    /// same answer for the same numbers: it is computed in integers.
    #[must_use]
    pub fn choose(link: LinkSpeed, bits: u32, len: usize) -> Self {
        let all = [Self::Chain, Self::NarrowChain, Self::Tree];
        all.into_iter().min_by_key(|m| m.picoseconds(link, bits, len)).expect("three methods")
    }

    /// The time of a batch: latency, and the longer of transfer and computation, which overlap.
    fn picoseconds(self, link: LinkSpeed, bits: u32, len: usize) -> u128 {
        let (cots, hashes, sent, half_rounds) = self.per_element(bits);
        let transfer = sent * 1_000_000_000_000 / u128::from(link.bandwidth.max(1)) / 2;
        let computation = cots * COT + hashes * HASH;
        half_rounds * u128::from(link.round_trip) * 500 + transfer.max(computation) * len as u128
    }

    /// COTs, hashes a party, bits in both directions, half-rounds.
    fn per_element(self, bits: u32) -> (u128, u128, u128, u128) {
        let of_shape = |shape: &Shape| {
            let hashes: u128 = (0..shape.len()).map(|i| (1_u128 << shape.width(i)) + 1).sum();
            let sent = shape.correction_bits() as u128 + u128::from(bits);
            (u128::from(bits), hashes / 2, sent, 2)
        };
        match self {
            Self::Chain => of_shape(&Shape::radix4(bits, &[])),
            Self::NarrowChain => of_shape(&Shape::narrow(bits)),
            Self::Tree => {
                // Enough elements that rounding to bytes does not count.
                let cost = tree::carry_cost(Party::Server, bits, 64);
                let sent = 8 * (cost.bytes(Party::Server) + cost.bytes(Party::Client)) / 64;
                let cots = cost.cots().iter().sum::<usize>() / 64;
                (cots as u128, cots as u128 * 3 / 2, sent as u128, cost.half_rounds() as u128)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAN: LinkSpeed = LinkSpeed { round_trip: 200_000, bandwidth: 10_000_000_000 };
    const WAN: LinkSpeed = LinkSpeed { round_trip: 40_000_000, bandwidth: 100_000_000 };

    /// nonlinear.md section 2.6.
    #[test]
    fn thick_links_and_small_batches_take_the_chain() {
        for bits in [1, 8, 20, 31, 63] {
            assert_eq!(Method::choose(LAN, bits, 1 << 20), Method::Chain, "{bits} bits");
        }
        assert_ne!(Method::choose(WAN, 20, 1000), Method::Tree);
        assert_eq!(Method::choose(WAN, 20, 10_000_000), Method::Tree);
        assert_eq!(Method::choose(WAN, 63, 10_000_000), Method::Tree);
    }
}
