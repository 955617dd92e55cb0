//! AES-128 on blocks, encryption only.

use super::Block;
use crate::arch::fixed_key::FixedKey;

/// Blocks handed to the cipher at once.
pub(crate) const BATCH: usize = 64;

/// AES-128 under one key; the round keys are wiped when dropped.
#[derive(Clone)]
pub(crate) struct Aes(FixedKey);

impl Aes {
    /// The key schedule of `key`.
    pub(crate) fn new(key: Block) -> Self {
        Self(FixedKey::new(key.bits()))
    }

    /// Encrypts every block in place.
    pub(crate) fn encrypt(&self, blocks: &mut [Block]) {
        self.0.encrypt(bytemuck::must_cast_slice_mut(blocks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS-197 appendix B, at every position of a batch.
    #[test]
    fn agrees_with_fips_197() {
        let block = |hex: u128| Block::from_bytes(hex.to_be_bytes());
        let aes = Aes::new(block(0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c));
        let mut blocks = [block(0x3243_f6a8_885a_308d_3131_98a2_e037_0734); BATCH + 3];
        aes.encrypt(&mut blocks);
        assert!(blocks.iter().all(|&b| b == block(0x3925_841d_02dc_09fb_dc11_8597_196a_0b32)));
    }
}
