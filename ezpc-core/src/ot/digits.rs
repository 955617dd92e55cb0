//! 1-of-2^m random OT for digits of 1 to 4 bits: a quad for every two bits, a COT for a last one.
//!
//! One bit is a COT's alone, as in [`SenderCots::pads`](super::SenderCots::pads). Otherwise, with keys q_0 of the low two
//! bits and q_1 of the others, the sender's pads are H(q_0 + α·q_1 + (u_0 + α·u_1)·Δ) for all digits u_0 + 4·u_1, with u_0 and u_1 as elements of F_4 and α
//! [`Block::double_halves`]; the receiver's one is H(t_0 + α·t_1). So the offsets are Δ times 2^m different maps whose
//! differences are all invertible, and H must be correlation robust for Δ and its images under them, as for COTs.
//! That is 2^m hashes for the sender and one for the receiver. Local: no rounds, no bytes.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::cots::Blocks;
use super::pads::{Narrow, for_each_tile};
use super::{Pad, PadDomain, ReceiverOts, SenderOts, Tiles};
use crate::arch::vector::{Kernel, vectorize};
use crate::crypto::Block;

/// The widest digit.
pub(crate) const MAX_DIGIT: usize = 4;

impl SenderOts {
    /// All 2^m pads of every slot of m-bit digits, into `pads`: those of digit 0 for all slots, then those of digit 1, and so
    /// on. The OTs are those of [`SenderOts::take_digits`], all of them.
    ///
    /// # Panics
    /// When the OTs are not those of a whole number of slots, or there is not a place for every pad.
    pub fn digit_pads_into<T: Pad>(self, m: usize, domain: PadDomain, tiles: &mut Tiles, pads: &mut [T]) {
        if m == 1 {
            assert!(self.quads.is_empty(), "digits of one bit take COTs");
            return self.cots.pads_into(1, domain, tiles, pads);
        }
        let slots = slots(m, self.quads.len(), self.cots.len());
        assert!(pads.len() == slots << m, "a place for every pad");
        assert!(
            self.cots.sender() == self.quads.batch.keys.sender(),
            "both kinds of OTs are of one direction"
        );
        self.cots.batch.check(domain);
        let delta = self.quads.delta;
        let mut offsets = Blocks::zeros(1 << m);
        for (digit, offset) in offsets.iter_mut().enumerate() {
            *offset = image(delta, digit as u8);
        }
        let (combined, hashes) = tiles.parts();
        let (quads, cots) = (self.quads.batch.blocks(), self.cots.batch.blocks());
        for_each_tile(&self.quads.batch, m / 2, domain, |hash, range| {
            let keys = combine(m, quads, cots, range.clone(), combined);
            let hashes = &mut hashes[..range.len()];
            for (digit, &offset) in offsets.iter().enumerate() {
                hash.hash_offset(keys, offset, hashes);
                vectorize(Narrow { blocks: hashes, pads: &mut pads[digit * slots..][range.clone()] });
            }
        });
    }
}

impl ReceiverOts {
    /// Every slot's random digit, and its pad of that digit; see [`SenderOts::digit_pads_into`].
    ///
    /// # Panics
    /// When the OTs are not those of a whole number of slots, or there is not a place for every pad and digit.
    pub fn digit_pads_into<T: Pad>(
        self,
        m: usize,
        domain: PadDomain,
        tiles: &mut Tiles,
        digits: &mut [u16],
        pads: &mut [T],
    ) {
        if m == 1 {
            assert!(self.quads.is_empty(), "digits of one bit take COTs");
            return self.cots.pads_into(1, domain, tiles, digits, pads);
        }
        let slots = slots(m, self.quads.len(), self.cots.len());
        assert!(pads.len() == slots && digits.len() == slots, "a place for every pad and digit");
        self.cots.batch.check(domain);
        let (combined, hashes) = tiles.parts();
        let (quads, cots) = (self.quads.batch.blocks(), self.cots.batch.blocks());
        for_each_tile(&self.quads.batch, m / 2, domain, |hash, range| {
            let macs = combine(m, quads, cots, range.clone(), combined);
            vectorize(Digits {
                m,
                quads: &quads[range.start * (m / 2)..],
                digits: &mut digits[range.clone()],
            });
            if m == 3 {
                let lone = &cots[range.clone()];
                digits[range.clone()]
                    .iter_mut()
                    .zip(lone)
                    .for_each(|(d, cot)| *d |= u16::from(cot.lsb()) << 2);
            }
            let hashes = &mut hashes[..range.len()];
            hash.hash_offset(macs, Block::ZERO, hashes);
            vectorize(Narrow { blocks: hashes, pads: &mut pads[range] });
        });
    }
}

/// L_j·Δ of SECURITY.md, Proofs, section 0.
const fn image(delta: Block, digit: u8) -> Block {
    Block::new(delta.times(digit & 3).bits() ^ delta.times(digit >> 2).double_halves().bits())
}

fn slots(m: usize, quads: usize, cots: usize) -> usize {
    assert!((2..=MAX_DIGIT).contains(&m), "digits of {m} bits");
    let slots = quads / (m / 2);
    assert!(
        quads == slots * (m / 2) && cots == slots * (m % 2),
        "{quads} quads and {cots} COTs are no whole number of {m}-bit slots"
    );
    slots
}

/// The combination of every slot's OTs.
fn combine<'a>(
    m: usize,
    quads: &'a [Block],
    cots: &[Block],
    slots: core::ops::Range<usize>,
    sums: &'a mut [Block],
) -> &'a [Block] {
    if m == 2 {
        return &quads[slots];
    }
    let sums = &mut sums[..slots.len()];
    if m == 3 {
        let pairs = quads[slots.clone()].iter().zip(&cots[slots]);
        sums.iter_mut().zip(pairs).for_each(|(sum, (&low, high))| *sum = low ^ high.double_halves());
    } else {
        let pairs = quads[2 * slots.start..2 * slots.end].as_chunks::<2>().0;
        sums.iter_mut().zip(pairs).for_each(|(sum, [low, high])| *sum = *low ^ high.double_halves());
    }
    sums
}

/// Digits from the choices of quads, m / 2 a digit.
struct Digits<'a> {
    m: usize,
    quads: &'a [Block],
    digits: &'a mut [u16],
}

impl Kernel for Digits<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let choice = |[low, high]: [u64; 2]| (low & 1 | (high & 1) << 1) as u16;
        let halves: &[[u64; 2]] = bytemuck::must_cast_slice(self.quads);
        if self.m == 4 {
            for (digit, &[low, high]) in self.digits.iter_mut().zip(halves.as_chunks::<2>().0) {
                *digit = choice(low) | choice(high) << 2;
            }
        } else {
            for (digit, &quad) in self.digits.iter_mut().zip(halves) {
                *digit = choice(quad);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Prg;
    use crate::ot::{digit_ots, ideal};
    use crate::party::Party;

    #[test]
    fn the_receiver_knows_the_pad_of_its_digit_only() {
        for m in 1..=MAX_DIGIT {
            for slots in [0, 1, 63, 64, 65, 5000] {
                let ots = digit_ots(Party::Client, m, slots);
                let (sender, receiver) = ideal::deal_ots(Party::Client, ots, &mut Prg::from_seed(Block::ONE));
                let (mut all, mut pads) = (vec![0_u128; slots << m], vec![0_u128; slots]);
                let (mut digits, mut tiles) = (vec![0; slots], Tiles::new());
                sender.digit_pads_into(m, PadDomain::Chain, &mut tiles, &mut all);
                receiver.digit_pads_into(m, PadDomain::Chain, &mut tiles, &mut digits, &mut pads);
                for slot in 0..slots {
                    for digit in 0..1 << m {
                        let hit = digit == usize::from(digits[slot]);
                        assert_eq!(all[digit * slots + slot] == pads[slot], hit, "{m} bits, slot {slot}");
                    }
                }
                let mut counts = vec![0_usize; 1 << m];
                digits.iter().for_each(|&digit| counts[usize::from(digit)] += 1);
                assert!(slots < 5000 || counts.iter().all(|&count| count > 5000 >> (m + 1)), "{counts:?}");
            }
        }
    }

    /// What correlation robustness of pads needs: no two digits of a slot have inputs that are equal for some Δ.
    #[test]
    fn differences_of_the_maps_of_digits_are_invertible() {
        for j in 0..1_u8 << MAX_DIGIT {
            for k in 0..j {
                let difference = |x| image(x, j) ^ image(x, k);
                assert_eq!(crate::crypto::rank(difference), 128, "digits {j} and {k}");
            }
        }
    }

    /// Keys depend on positions in the stream, not on how batches are cut, and change at 4096.
    #[test]
    fn cutting_batches_does_not_change_pads() {
        for m in 2..=MAX_DIGIT {
            let n = 10_000;
            let ots = digit_ots(Party::Server, m, n);
            let run = |cuts: &[usize]| {
                let (_, mut receiver) = ideal::deal_ots(Party::Server, ots, &mut Prg::from_seed(Block::ONE));
                let mut all = Vec::new();
                for &count in cuts {
                    let (mut digits, mut pads) = (vec![0; count], vec![0_u64; count]);
                    let part = receiver.take_digits(m, count);
                    part.digit_pads_into(m, PadDomain::Chain, &mut Tiles::new(), &mut digits, &mut pads);
                    all.extend(pads);
                }
                all
            };
            assert_eq!(run(&[n]), run(&[1, 4000, 95, 1, 5000, 903]));
        }
    }

    #[test]
    #[should_panic(expected = "no whole number")]
    fn partial_slots_are_refused() {
        let ots = digit_ots(Party::Server, 2, 5);
        let (sender, _) = ideal::deal_ots(Party::Server, ots, &mut Prg::from_seed(Block::ONE));
        sender.digit_pads_into(4, PadDomain::Chain, &mut Tiles::new(), &mut [0_u32; 32]);
    }
}
