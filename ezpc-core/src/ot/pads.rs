//! 1-of-2^m random OT by hashing linear combinations of m COTs.
//!
//! With keys q_0..q_{m-1}, macs t_j = q_j ^ c_j·Δ and the digit j = Σ c_b 2^b, let q' = Σ α^b q_b over GF(2^128),
//! α the doubling. The sender's pads are H(q' ^ ι_j·Δ) with ι_j = Σ bit_b(j) α^b; the receiver's one is H(Σ α^b t_b).
//! That is 2^m hashes for the sender and one for the receiver. H must be correlation robust for Δ and its
//! public multiples ι·Δ, the assumption of SoftSpoken OT's 1-of-N (<https://eprint.iacr.org/2022/192>).
//! Local: no rounds, no bytes.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::cots::Batch;
use super::{PadDomain, ReceiverCots, SenderCots};
use crate::arch::vector::{Kernel, vectorize};
use crate::crypto::{Block, Mmo};
use core::ops::Range;
use zeroize::Zeroize;

/// The largest m.
pub(super) const MAX_DIGIT_BITS: usize = 12;

/// Slots hashed at once.
const BATCH: usize = 256;

/// A machine word that pads are read as: the low bits of the 128-bit hash.
pub trait Pad: Copy + Default + sealed::Sealed {
    /// The low bits of `block`.
    fn from_block(block: Block) -> Self;
}

impl Pad for u32 {
    #[inline(always)]
    fn from_block(block: Block) -> Self {
        block.bits() as Self
    }
}

impl Pad for u64 {
    #[inline(always)]
    fn from_block(block: Block) -> Self {
        block.bits() as Self
    }
}

impl Pad for u128 {
    #[inline(always)]
    fn from_block(block: Block) -> Self {
        block.bits()
    }
}

impl Pad for Block {
    #[inline(always)]
    fn from_block(block: Block) -> Self {
        block
    }
}

mod sealed {
    #[allow(unnameable_types, reason = "sealed: nobody outside implements it")]
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
    impl Sealed for u128 {}
    impl Sealed for crate::crypto::Block {}
}

impl SenderCots {
    /// All 2^m pads of every slot, slot s made of the COTs `s·m..(s+1)·m`: `pads[digit][slot]`.
    ///
    /// # Panics
    /// When the COTs are not a whole number of slots, or tagged for another domain.
    #[must_use]
    pub fn pads<T: Pad>(self, m: usize, domain: PadDomain) -> Vec<Vec<T>> {
        let slots = slots(self.len(), m);
        let mut pads = vec![vec![T::default(); slots]; 1 << m];
        let offsets: Vec<Block> = (0..1_usize << m)
            .map(|digit| combine(m, |b| Block::mask((digit >> b) as u8 & 1) & self.delta))
            .collect();
        let mut buffer = [Block::ZERO; BATCH];
        for_each_batch(&self.batch, m, slots, domain, |hash, keys, range| {
            for (digit, &offset) in offsets.iter().enumerate() {
                let buffer = &mut buffer[..range.len()];
                hash.hash_offset(keys, offset, buffer);
                vectorize(Narrow { blocks: buffer, pads: &mut pads[digit][range.clone()] });
            }
        });
        buffer.zeroize();
        pads
    }
}

impl ReceiverCots {
    /// Every slot's random digit, and its pad of that digit.
    ///
    /// # Panics
    /// When the COTs are not a whole number of slots, or tagged for another domain.
    #[must_use]
    pub fn pads<T: Pad>(self, m: usize, domain: PadDomain) -> (Vec<u16>, Vec<T>) {
        let slots = slots(self.len(), m);
        let digits = digits(self.batch.blocks(), m);
        let mut pads = vec![T::default(); slots];
        for_each_batch(&self.batch, m, slots, domain, |hash, macs, range| {
            hash.hash_blocks(macs);
            vectorize(Narrow { blocks: macs, pads: &mut pads[range] });
        });
        (digits, pads)
    }
}

/// Pads from hashes.
struct Narrow<'a, T> {
    blocks: &'a [Block],
    pads: &'a mut [T],
}

impl<T: Pad> Kernel for Narrow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (pad, &block) in self.pads.iter_mut().zip(self.blocks) {
            *pad = T::from_block(block);
        }
    }
}

fn slots(cots: usize, m: usize) -> usize {
    assert!((1..=MAX_DIGIT_BITS).contains(&m), "digits of {m} bits");
    assert!(cots.is_multiple_of(m), "{cots} OTs are no whole number of {m}-bit slots");
    cots / m
}

/// Σ α^b x_b.
#[inline]
fn combine(m: usize, x: impl Fn(usize) -> Block) -> Block {
    (0..m).rev().fold(Block::ZERO, |sum, b| sum.double() ^ x(b))
}

/// The combination of every slot's m blocks.
fn combine_slots(blocks: &[Block], m: usize, sums: &mut [Block]) {
    /// The loop with m known to the compiler.
    fn of<const M: usize>(blocks: &[Block], sums: &mut [Block]) {
        for (sum, slot) in sums.iter_mut().zip(blocks.as_chunks::<M>().0) {
            *sum = combine(M, |b| slot[b]);
        }
    }
    match m {
        1 => sums.copy_from_slice(blocks),
        2 => vectorize(CombinePairs {
            slots: bytemuck::cast_slice(blocks),
            sums: bytemuck::must_cast_slice_mut(sums),
        }),
        3 => of::<3>(blocks, sums),
        4 => of::<4>(blocks, sums),
        _ => {
            for (sum, slot) in sums.iter_mut().zip(blocks.chunks_exact(m)) {
                *sum = combine(m, |b| slot[b]);
            }
        }
    }
}

/// x_0 ^ α·x_1 of slots of two blocks, on 64-bit halves, which compilers vectorise better than 128-bit integers.
struct CombinePairs<'a> {
    slots: &'a [[u64; 4]],
    sums: &'a mut [[u64; 2]],
}

impl Kernel for CombinePairs<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, &[low_0, high_0, low_1, high_1]) in self.sums.iter_mut().zip(self.slots) {
            let reduction = (high_1 >> 63).wrapping_neg() & 0x87;
            *sum = [low_0 ^ (low_1 << 1) ^ reduction, high_0 ^ (high_1 << 1 | low_1 >> 63)];
        }
    }
}

/// Every slot's digit, from the choices of its macs.
fn digits(macs: &[Block], m: usize) -> Vec<u16> {
    /// The loop with m known to the compiler.
    fn of<const M: usize>(macs: &[Block]) -> Vec<u16> {
        let (slots, _) = macs.as_chunks::<M>();
        slots.iter().map(|slot| (0..M).fold(0, |digit, b| digit | u16::from(slot[b].lsb()) << b)).collect()
    }
    match m {
        1 => of::<1>(macs),
        2 => of::<2>(macs),
        3 => of::<3>(macs),
        4 => of::<4>(macs),
        _ => macs
            .chunks_exact(m)
            .map(|slot| slot.iter().enumerate().fold(0, |digit, (b, mac)| digit | u16::from(mac.lsb()) << b))
            .collect(),
    }
}

/// Calls `f` with the hash, the combined blocks and the slot range of batches that share one hash key.
fn for_each_batch(
    batch: &Batch,
    m: usize,
    slots: usize,
    domain: PadDomain,
    mut f: impl FnMut(&Mmo, &mut [Block], Range<usize>),
) {
    batch.check(domain);
    let blocks = batch.blocks();
    let chunk_of = |slot: usize| batch.position((slot * m) as u64) / domain.cots_per_key();
    let mut combined = [Block::ZERO; BATCH];
    let mut keyed: Option<(u64, Mmo)> = None;
    let mut slot = 0;
    while slot < slots {
        let chunk = chunk_of(slot);
        let (_, hash) = match keyed {
            Some((current, ref hash)) if current == chunk => (current, hash),
            _ => {
                let (current, hash) = keyed.insert((chunk, batch.keys.hash(domain, chunk)));
                (*current, &*hash)
            }
        };
        let mut end = (slot + BATCH).min(slots);
        while chunk_of(end - 1) != chunk {
            end -= 1;
        }
        let combined = &mut combined[..end - slot];
        combine_slots(&blocks[slot * m..end * m], m, combined);
        f(hash, combined, slot..end);
        slot = end;
    }
    combined.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Prg;
    use crate::ot::ideal;

    fn rng() -> Prg {
        Prg::from_seed(Block::new(1))
    }

    #[test]
    fn the_receiver_knows_the_pad_of_its_digit_only() {
        for m in 1..=5 {
            for slots in [0, 1, 63, 64, 65, 1000] {
                let (sender, receiver) = ideal::deal(m * slots, &mut rng());
                let choices = receiver.choices();
                let all = sender.pads::<u128>(m, PadDomain::Table);
                let (digits, pads) = receiver.pads::<u128>(m, PadDomain::Table);
                assert_eq!((all.len(), pads.len()), (1 << m, slots));
                for slot in 0..slots {
                    let bits = (0..m).fold(0, |d, b| d | usize::from(choices.bit(slot * m + b)) << b);
                    assert_eq!(usize::from(digits[slot]), bits);
                    for (digit, of_digit) in all.iter().enumerate() {
                        assert_eq!(of_digit[slot] == pads[slot], digit == bits);
                    }
                }
            }
        }
    }

    #[test]
    fn narrow_pads_are_the_low_bits() {
        let wide = ideal::deal(100, &mut rng()).1.pads::<u128>(2, PadDomain::Mux).1;
        let narrow = ideal::deal(100, &mut rng()).1.pads::<u64>(2, PadDomain::Mux).1;
        assert!(wide.iter().zip(&narrow).all(|(&w, &n)| w as u64 == n));
    }

    /// Keys depend on positions in the stream, not on how batches are cut, and change at 4096.
    #[test]
    fn cutting_batches_does_not_change_pads() {
        let n = 10_000;
        let whole = ideal::deal(n, &mut rng()).1.pads::<u64>(1, PadDomain::And).1;
        let (mut sender, mut receiver) = ideal::deal(n, &mut rng());
        let mut pieces = Vec::new();
        for count in [1, 4000, 95, 1, 5000, 903] {
            let (digits, pads) = receiver.take(count).pads::<u64>(1, PadDomain::And);
            let both = sender.take(count).pads::<u64>(1, PadDomain::And);
            assert!((0..count).all(|i| both[usize::from(digits[i])][i] == pads[i]));
            pieces.extend(pads);
        }
        assert_eq!(whole, pieces);
        assert!(receiver.is_empty() && sender.is_empty());
    }

    #[test]
    fn two_uses_are_independent_and_share_choices() {
        let (sender, receiver) = ideal::deal(50, &mut rng());
        let [a, b] = sender.twice(PadDomain::Mux, PadDomain::Table);
        let [ra, rb] = receiver.twice(PadDomain::Mux, PadDomain::Table);
        let (a, b) = (a.pads::<u64>(1, PadDomain::Mux), b.pads::<u64>(1, PadDomain::Table));
        let ((ca, ra), (cb, rb)) = (ra.pads::<u64>(1, PadDomain::Mux), rb.pads::<u64>(1, PadDomain::Table));
        assert_eq!(ca, cb);
        assert!((0..50).all(|i| a[usize::from(ca[i])][i] == ra[i] && b[usize::from(ca[i])][i] == rb[i]));
        assert!((0..50).all(|i| a[0][i] != b[0][i] && a[1][i] != b[1][i]));
    }

    #[test]
    #[should_panic(expected = "tagged for another use")]
    fn a_third_use_is_refused() {
        let [a, _] = ideal::deal(5, &mut rng()).0.twice(PadDomain::Mux, PadDomain::Table);
        let _ = a.pads::<u64>(1, PadDomain::Chain);
    }

    /// A 1-of-4 of two batches, as the fused ReLU needs, across a change of key.
    #[test]
    fn interleaved_batches_make_digits() {
        let n = 5000;
        let (mut sender, mut receiver) = ideal::deal(2 * n, &mut rng());
        let choices = receiver.choices();
        let (low, high) = (sender.take(n), sender.take(n));
        let all = low.interleave(high).pads::<u64>(2, PadDomain::Table);
        let (low, high) = (receiver.take(n), receiver.take(n));
        let (digits, pads) = low.interleave(high).pads::<u64>(2, PadDomain::Table);
        for i in 0..n {
            let digit = usize::from(choices.bit(i)) | usize::from(choices.bit(n + i)) << 1;
            assert_eq!(usize::from(digits[i]), digit);
            assert!((0..4).all(|j| (all[j][i] == pads[i]) == (j == digit)));
        }
    }

    #[test]
    #[should_panic(expected = "no whole number")]
    fn partial_slots_are_refused() {
        let _ = ideal::deal(5, &mut rng()).0.pads::<u64>(2, PadDomain::Table);
    }
}
