//! A digest of a byte stream: did the peer receive what we sent?

use crate::crypto::{Aes, Block};
use core::fmt;

/// Chains side by side, as many as keep the cipher's pipeline full.
const LANES: usize = 32;
const STRIDE: usize = LANES * Block::BYTES;

/// Thirty-two interleaved chains x ← π(x ⊕ m) over the blocks m of the stream, whatever the pieces it came in. Every
/// step permutes, so one changed block always changes the digest; it is no defence against somebody who means it.
pub(super) struct Digest {
    cipher: Aes,
    lanes: [Block; LANES],
    /// The beginning of the next stride.
    rest: Vec<u8>,
    bytes: u64,
}

impl Digest {
    pub(super) fn new() -> Self {
        let cipher = Aes::new(Block::from_bytes(*b"ezpc stream sums"));
        Self { cipher, lanes: [Block::ZERO; LANES], rest: Vec::with_capacity(STRIDE), bytes: 0 }
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if !self.rest.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(STRIDE - self.rest.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if self.rest.len() < STRIDE {
                return;
            }
            let stride = core::mem::take(&mut self.rest);
            self.absorb(&stride);
            self.rest = stride;
            self.rest.clear();
        }
        let mut strides = bytes.chunks_exact(STRIDE);
        for stride in &mut strides {
            self.absorb(stride);
        }
        self.rest.extend_from_slice(strides.remainder());
    }

    fn absorb(&mut self, stride: &[u8]) {
        for (lane, block) in self.lanes.iter_mut().zip(stride.chunks_exact(Block::BYTES)) {
            *lane ^= Block::from_bytes(block.try_into().expect("sixteen bytes"));
        }
        self.cipher.encrypt(&mut self.lanes);
    }

    /// The digest of everything so far.
    pub(super) fn value(&self) -> [u8; Block::BYTES] {
        let mut end = Self { cipher: self.cipher.clone(), lanes: self.lanes, rest: Vec::new(), bytes: 0 };
        let mut last = self.rest.clone();
        last.resize(STRIDE, 0);
        end.absorb(&last);
        let mut value = [Block::new(u128::from(self.bytes))];
        for lane in end.lanes {
            value[0] ^= lane;
            self.cipher.encrypt(&mut value);
        }
        value[0].to_bytes()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
        let mut digest = Digest::new();
        pieces.into_iter().for_each(|piece| digest.update(piece));
        digest.value()
    }

    #[test]
    fn pieces_do_not_matter_and_bytes_do() {
        let bytes: Vec<u8> = (0..2000_u32).map(|i| u8::try_from(i * 7 % 251).expect("below 256")).collect();
        let whole = of([&bytes[..]]);
        for piece in [1, 3, 511, 512, 513, 1999] {
            assert_eq!(of(bytes.chunks(piece)), whole, "{piece}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(of([&changed[..]]), whole, "{at}");
            assert_ne!(of([&bytes[..at]]), whole, "{at}");
        }
        assert_ne!(of([&bytes[..], &[0]]), whole, "a zero more");
    }
}
