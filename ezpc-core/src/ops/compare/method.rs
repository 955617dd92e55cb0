//! Which way of comparing suits a link.
//!
//! All are equally secure and exact. The chain takes two half-rounds and about the least computation, the narrow chain
//! takes fewer bits for more hashing, and the tree takes the fewest bits but more OTs and half-rounds.

use super::shape::Shape;
use super::tree;
use crate::party::Party;
use crate::transport::throttle::Link;

/// A way to compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// A chain whose digits balance computation against bits sent: the fastest where links are not slow.
    #[default]
    Chain,
    /// A chain whose digits minimise the bits sent.
    NarrowChain,
    /// A tree: for thin links and many elements.
    Tree,
}

/// Picoseconds that a COT and a quad take a party, with their share of all else but hashes. Measured on a Sapphire Rapids at
/// 2.3 GHz, one core a party: 285 ns for a comparison of 20 bits, 1.39 us for one with 48 quads.
const COT: u128 = 17_000;
const QUAD: u128 = 20_000;
/// Picoseconds of a hash and of what the chain does with it, on the same machine: 0.9 ns with VAES and about as much.
const HASH: u128 = 1_800;

impl Method {
    /// The fastest way to compare `len` elements of `bits` bits in half-batches over `link`. Both parties get the
    /// same answer for the same numbers: it is computed in integers.
    #[must_use]
    pub fn choose(link: Link, bits: u32, len: usize) -> Self {
        if bits == 0 || Self::Chain.hides_transfer(link, bits) {
            return Self::Chain;
        }
        let all = [Self::Chain, Self::NarrowChain, Self::Tree];
        all.into_iter().min_by_key(|m| m.picoseconds(link, bits, len)).expect("three methods")
    }

    /// Whether computation takes longer than transfer: then nothing is gained by sending less.
    fn hides_transfer(self, link: Link, bits: u32) -> bool {
        let (computation, transfer) = self.per_pass(link, bits);
        computation >= transfer
    }

    /// Picoseconds of computation, and of transfer, an element.
    fn per_pass(self, link: Link, bits: u32) -> (u128, u128) {
        let (computation, sent, _) = self.per_element(bits);
        (computation, sent * 1_000_000_000_000 / u128::from(link.bits_per_second.max(1)) / 2)
    }

    /// The time of a batch: latency, and the longer of transfer and computation, which overlap.
    fn picoseconds(self, link: Link, bits: u32, len: usize) -> u128 {
        let (computation, transfer) = self.per_pass(link, bits);
        let (.., half_rounds) = self.per_element(bits);
        half_rounds * link.delay.as_nanos() * 1000 + transfer.max(computation) * len as u128
    }

    /// How a chain cuts `bits` bits into digits, with ends of digits at `cuts`. What has no tree takes the fewest bits.
    pub(crate) fn shape(self, bits: u32, cuts: &[u32]) -> Shape {
        match self {
            Self::Chain => Shape::balanced(bits, cuts),
            Self::NarrowChain | Self::Tree => Shape::narrow(bits, cuts),
        }
    }

    /// Picoseconds of computation, bits in both directions, half-rounds.
    fn per_element(self, bits: u32) -> (u128, u128, u128) {
        let of_shape = |shape: &Shape| {
            let hashes: u128 = (0..shape.len()).map(|i| (1_u128 << shape.width(i)) + 1).sum();
            let [cots, quads] = shape.ots(Party::Server, 1).of(Party::Server).map(|count| count as u128);
            let sent = shape.correction_bits() as u128 + u128::from(bits);
            (cots * COT + quads * QUAD + hashes / 2 * HASH, sent, 2)
        };
        match self {
            Self::Chain | Self::NarrowChain => of_shape(&self.shape(bits, &[])),
            Self::Tree => {
                // Enough elements that rounding to bytes does not count.
                let cost = tree::carry_cost(Party::Server, bits, 64);
                let sent = 8 * (cost.bytes(Party::Server) + cost.bytes(Party::Client)) / 64;
                let cots = (cost.ots().total() / 64) as u128;
                (cots * COT + cots * 3 / 2 * HASH, sent as u128, cost.half_rounds() as u128)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use core::time::Duration;

    const SLOW: Link = Link::new(100_000_000, Duration::from_millis(20));

    /// A thick link hides all transfers behind computation; on a thin one few elements are worth the fewest half-rounds
    /// and many the fewest bits.
    #[test]
    fn thick_links_and_small_batches_take_the_chain() {
        for bits in [1, 8, 20, 31, 63] {
            assert_eq!(Method::choose(Link::LAN, bits, 1 << 20), Method::Chain, "{bits} bits");
        }
        assert_ne!(Method::choose(SLOW, 20, 1000), Method::Tree);
        assert_eq!(Method::choose(SLOW, 20, 10_000_000), Method::Tree);
        assert_eq!(Method::choose(SLOW, 63, 10_000_000), Method::Tree);
    }
}
