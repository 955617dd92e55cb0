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

use super::cots::{Batch, Blocks};
use super::{PadDomain, ReceiverCots, SenderCots};
use crate::arch::vector::{Kernel, vectorize};
use crate::crypto::{Block, Mmo};
use crate::ring::BitVec;
use crate::secret::Wiped;
use core::fmt;
use core::ops::Range;

/// The largest m.
pub(super) const MAX_DIGIT_BITS: usize = 12;

/// COTs hashed at once: their combinations and hashes stay in the first-level cache.
const TILE: usize = 512;

/// Memory in which pads are made, for calls that follow each other; wiped when dropped.
pub struct Tiles(Blocks);

impl Tiles {
    /// New memory.
    #[must_use]
    pub fn new() -> Self {
        Self(Blocks::zeros(2 * TILE))
    }

    /// Places for the combinations of a tile and their hashes.
    pub(super) fn parts(&mut self) -> (&mut [Block], &mut [Block]) {
        self.0.split_at_mut(TILE)
    }
}

impl Default for Tiles {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tiles")
    }
}

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
        self.hash(m, domain, &mut Tiles::new(), |digit, range, blocks| {
            vectorize(Narrow { blocks, pads: &mut pads[digit][range] });
        });
        pads
    }

    /// As [`SenderCots::pads`], into `pads`: those of digit 0 for all slots, then those of digit 1, and so on.
    ///
    /// # Panics
    /// As [`SenderCots::pads`], and when there is not a place for every pad.
    pub fn pads_into<T: Pad>(self, m: usize, domain: PadDomain, tiles: &mut Tiles, pads: &mut [T]) {
        let slots = slots(self.len(), m);
        assert!(pads.len() == slots << m, "a place for every pad");
        self.hash(m, domain, tiles, |digit, range, blocks| {
            vectorize(Narrow { blocks, pads: &mut pads[digit * slots..][range] });
        });
    }

    /// Calls `place` with the hashes that are the pads of a digit for a range of slots.
    fn hash(
        self,
        m: usize,
        domain: PadDomain,
        tiles: &mut Tiles,
        mut place: impl FnMut(usize, Range<usize>, &[Block]),
    ) {
        // The second one is Δ.
        let mut offsets = Blocks::zeros(1 << m);
        for (digit, offset) in offsets.iter_mut().enumerate() {
            *offset = combine(m, |b| Block::mask((digit >> b) as u8 & 1) & self.delta);
        }
        let (combined, hashes) = tiles.parts();
        for_each_tile(&self.batch, m, domain, |hash, range| {
            let keys = &mut combined[..range.len()];
            combine_slots(&self.batch.blocks()[range.start * m..range.end * m], m, keys);
            for (digit, &offset) in offsets.iter().enumerate() {
                let hashes = &mut hashes[..range.len()];
                hash.hash_offset(keys, offset, hashes);
                place(digit, range.clone(), hashes);
            }
        });
    }
}

impl ReceiverCots {
    /// Every slot's random digit, and its pad of that digit.
    ///
    /// # Panics
    /// When the COTs are not a whole number of slots, or tagged for another domain.
    #[must_use]
    pub fn pads<T: Pad>(self, m: usize, domain: PadDomain) -> (Wiped<u16>, Vec<T>) {
        let slots = slots(self.len(), m);
        let (mut digits, mut pads) = (Wiped::zeros(slots), vec![T::default(); slots]);
        self.pads_into(m, domain, &mut Tiles::new(), &mut digits, &mut pads);
        (digits, pads)
    }

    /// As [`ReceiverCots::pads`], into places for them.
    ///
    /// # Panics
    /// As [`ReceiverCots::pads`], and when there is not a place for every pad and digit.
    pub fn pads_into<T: Pad>(
        self,
        m: usize,
        domain: PadDomain,
        tiles: &mut Tiles,
        digits: &mut [u16],
        pads: &mut [T],
    ) {
        let slots = slots(self.len(), m);
        assert!(pads.len() == slots && digits.len() == slots, "a place for every pad and digit");
        let (combined, _) = tiles.parts();
        for_each_tile(&self.batch, m, domain, |hash, range| {
            let macs = &self.batch.blocks()[range.start * m..range.end * m];
            digits_of(macs, m, &mut digits[range.clone()]);
            let combined = &mut combined[..range.len()];
            combine_slots(macs, m, combined);
            hash.hash_blocks(combined);
            vectorize(Narrow { blocks: combined, pads: &mut pads[range] });
        });
    }

    /// Every COT's random choice, and its pad of that choice.
    ///
    /// # Panics
    /// When the COTs are tagged for another domain.
    #[must_use]
    pub fn bit_pads<T: Pad>(self, domain: PadDomain) -> (BitVec, Vec<T>) {
        let (digits, pads) = self.pads(1, domain);
        let word = |c: &[u16]| c.iter().rev().fold(0, |word, &digit| word << 1 | u64::from(digit));
        (BitVec::from_words(digits.len(), digits.chunks(64).map(word).collect()), pads)
    }
}

/// Pads from hashes.
pub(super) struct Narrow<'a, T> {
    pub(super) blocks: &'a [Block],
    pub(super) pads: &'a mut [T],
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
fn digits_of(macs: &[Block], m: usize, digits: &mut [u16]) {
    match m {
        1 => vectorize(Digits::<1> { macs, digits }),
        2 => vectorize(Digits::<2> { macs, digits }),
        3 => vectorize(Digits::<3> { macs, digits }),
        4 => vectorize(Digits::<4> { macs, digits }),
        _ => {
            for (digit, slot) in digits.iter_mut().zip(macs.chunks_exact(m)) {
                *digit = slot.iter().rev().fold(0, |digit, mac| digit << 1 | u16::from(mac.lsb()));
            }
        }
    }
}

/// Digits of M bits.
struct Digits<'a, const M: usize> {
    macs: &'a [Block],
    digits: &'a mut [u16],
}

impl<const M: usize> Kernel for Digits<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let halves: &[[u64; 2]] = bytemuck::must_cast_slice(self.macs);
        for (digit, slot) in self.digits.iter_mut().zip(halves.as_chunks::<M>().0) {
            *digit = slot.iter().rev().fold(0, |digit, mac| digit << 1 | mac[0] & 1) as u16;
        }
    }
}

/// Calls `f` with the hash and the slots of tiles that share one hash key, `m` blocks of `batch` a slot.
pub(super) fn for_each_tile(
    batch: &Batch,
    m: usize,
    domain: PadDomain,
    mut f: impl FnMut(&Mmo, Range<usize>),
) {
    batch.check(domain);
    let slots = slots(batch.blocks().len(), m);
    let chunk_of = |slot: usize| batch.position((slot * m) as u64) / domain.cots_per_key();
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
        let mut end = (slot + TILE / m).min(slots);
        while chunk_of(end - 1) != chunk {
            end -= 1;
        }
        f(hash, slot..end);
        slot = end;
    }
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
        assert_eq!(ca[..], cb[..]);
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
