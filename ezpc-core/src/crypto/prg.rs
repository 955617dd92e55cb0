//! A pseudorandom generator: AES-128 in counter mode.

use super::aes::{Aes, BATCH};
use super::{Block, Kdf};
use crate::ring::{BitVec, RingVec, Width};
use core::convert::Infallible;
use core::fmt;
use rand_core::{CryptoRng, Rng, SeedableRng, TryCryptoRng, TryRng};
use zeroize::Zeroize;

/// The blocks kept for small requests.
const BUFFER: usize = 8;

/// A stream of pseudorandom bytes that depends only on the seed, not on how it is read.
///
/// Keys and unread output are wiped when it is dropped. It cannot be cloned: two readers of one stream are two
/// uses of one mask.
pub struct Prg {
    aes: Aes,
    /// The index of the next block of the stream.
    counter: u128,
    buffer: [Block; BUFFER],
    /// Bytes of `buffer` already handed out.
    used: usize,
}

impl Prg {
    /// The stream of `seed`.
    #[must_use]
    pub fn from_seed(seed: Block) -> Self {
        Self { aes: Aes::new(seed), counter: 0, buffer: [Block::ZERO; BUFFER], used: BUFFER * Block::BYTES }
    }

    /// A generator seeded from another source.
    pub fn from_rng(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self::from_seed(Block::random(rng))
    }

    /// A new, independent generator, seeded from the next bytes of this one and `label`.
    #[must_use]
    pub fn fork(&mut self, label: &str) -> Self {
        Self::from_seed(self.fork_seed(label))
    }

    /// The seed of what [`Prg::fork`] would make, for one that is made later, or elsewhere: a generator that moves leaves its
    /// key behind.
    #[must_use]
    pub fn fork_seed(&mut self, label: &str) -> Block {
        let mut seed = self.block().to_bytes();
        let child = Kdf::new("prg fork").part(label.as_bytes()).part(&seed).block();
        seed.zeroize();
        child
    }

    /// Fills `bytes` with the next bytes of the stream.
    pub fn fill_bytes(&mut self, bytes: &mut [u8]) {
        let buffered = bytes.len().min(BUFFER * Block::BYTES - self.used);
        let (head, rest) = bytes.split_at_mut(buffered);
        self.take_buffered(head);
        // Whole batches go straight to the destination when it is aligned, the rest through the buffer.
        let (mut rest, tail) =
            rest.split_at_mut(rest.len() / (BUFFER * Block::BYTES) * (BUFFER * Block::BYTES));
        if let Ok(blocks) = bytemuck::try_cast_slice_mut::<u8, Block>(rest) {
            self.next_blocks(blocks);
            rest = &mut [];
        }
        for chunk in rest.chunks_mut(BUFFER * Block::BYTES).chain(core::iter::once(tail)) {
            if !chunk.is_empty() {
                self.refill();
                self.take_buffered(chunk);
            }
        }
    }

    /// Fills `blocks` with the next bytes of the stream.
    pub fn fill_blocks(&mut self, blocks: &mut [Block]) {
        self.fill_bytes(bytemuck::must_cast_slice_mut(blocks));
    }

    /// The next block.
    pub fn block(&mut self) -> Block {
        let mut bytes = [0; 16];
        self.fill_bytes(&mut bytes);
        Block::from_bytes(bytes)
    }

    /// Fills `lanes` with uniform elements of Z_{2^k}.
    pub fn fill_lanes(&mut self, width: Width, lanes: &mut [u64]) {
        self.fill_bytes(bytemuck::must_cast_slice_mut(lanes));
        for lane in lanes {
            *lane = width.wrap(*lane);
        }
    }

    /// `len` uniform elements of Z_{2^k}.
    #[must_use]
    pub fn lanes(&mut self, width: Width, len: usize) -> Vec<u64> {
        let mut lanes = vec![0; len];
        self.fill_lanes(width, &mut lanes);
        lanes
    }

    /// `len` uniform elements of Z_{2^k} as a vector with its width.
    #[must_use]
    pub fn ring_vec(&mut self, width: Width, len: usize) -> RingVec {
        RingVec::new(width, self.lanes(width, len))
    }

    /// `len` uniform bits.
    #[must_use]
    pub fn bits(&mut self, len: usize) -> BitVec {
        BitVec::from_words(len, self.lanes(Width::W64, len.div_ceil(64)))
    }

    fn take_buffered(&mut self, bytes: &mut [u8]) {
        let buffer: &mut [u8] = bytemuck::must_cast_slice_mut(&mut self.buffer);
        let source = &mut buffer[self.used..self.used + bytes.len()];
        bytes.copy_from_slice(source);
        source.fill(0);
        self.used += bytes.len();
    }

    fn refill(&mut self) {
        let mut buffer = [Block::ZERO; BUFFER];
        self.next_blocks(&mut buffer);
        self.buffer = buffer;
        self.used = 0;
        buffer.zeroize();
    }

    /// The next blocks of the counter stream, which must be at a boundary of the buffer.
    fn next_blocks(&mut self, blocks: &mut [Block]) {
        for batch in blocks.chunks_mut(BATCH) {
            for block in batch.iter_mut() {
                *block = Block::new(self.counter);
                self.counter += 1;
            }
            self.aes.encrypt(batch);
        }
    }
}

impl Drop for Prg {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl fmt::Debug for Prg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prg(..)")
    }
}

impl TryRng for Prg {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Prg {}

impl SeedableRng for Prg {
    type Seed = [u8; 16];

    fn from_seed(seed: [u8; 16]) -> Self {
        Self::from_seed(Block::from_bytes(seed))
    }
}

/// Proof that [`Prg`] is accepted wherever a cryptographic generator is asked for.
const fn _is_crypto_rng<R: CryptoRng + Rng>() {}
const _: () = _is_crypto_rng::<Prg>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_does_not_depend_on_how_it_is_read() {
        let mut whole = vec![0; 5000];
        Prg::from_seed(Block::new(9)).fill_bytes(&mut whole);
        for step in [1, 3, 16, 127, 128, 129, 1000, 1024] {
            let mut prg = Prg::from_seed(Block::new(9));
            let mut pieces = vec![0; 5000];
            for piece in pieces.chunks_mut(step) {
                prg.fill_bytes(piece);
            }
            assert_eq!(whole, pieces, "step {step}");
        }
    }

    #[test]
    fn the_stream_is_aes_in_counter_mode() {
        let mut blocks = [Block::ZERO; 20];
        Prg::from_seed(Block::new(4)).fill_blocks(&mut blocks);
        let mut counters: Vec<Block> = (0..20).map(Block::new).collect();
        Aes::new(Block::new(4)).encrypt(&mut counters);
        assert_eq!(blocks[..], counters);
    }

    #[test]
    fn lanes_and_bits_have_their_widths() {
        let mut prg = Prg::from_seed(Block::new(1));
        assert!(prg.lanes(Width::new(5), 1000).iter().all(|&x| x < 32));
        let ones = prg.bits(100_003).to_lanes().iter().sum::<u64>();
        assert!((49_000..51_000).contains(&ones), "{ones} ones");
    }

    #[test]
    fn forks_differ_from_each_other_and_from_the_parent() {
        let mut prg = Prg::from_seed(Block::new(2));
        let (a, b) = (prg.fork("x").block(), prg.fork("x").block());
        assert!(a != b && a != prg.block());
        assert_eq!(Prg::from_seed(Block::new(2)).fork("x").block(), a);
        assert_ne!(Prg::from_seed(Block::new(2)).fork("y").block(), a);
    }
}
