//! The correlation-robust hash: fixed-key AES in the Matyas-Meyer-Oseas mode, π_K(x) ^ x.
//!
//! Guo, Katz, Wang, Yu, "Efficient and Secure Multiparty Computation from Fixed-Key Block Ciphers",
//! <https://eprint.iacr.org/2019/074>. Correlation robustness in the ideal-cipher model degrades with the
//! number of inputs under one key, so callers derive a fresh public key for every few thousand inputs.

use super::Block;
use crate::arch::fixed_key::FixedKey;

/// The hash under one public key.
#[derive(Clone)]
pub struct Mmo(FixedKey);

impl Mmo {
    /// The hash under `key`. Keys are public; a key is used for one purpose and a bounded number of inputs.
    #[must_use]
    pub fn new(key: Block) -> Self {
        Self(FixedKey::new(key.bits()))
    }

    /// The instructions that hash on this machine, for reports.
    #[must_use]
    pub fn instructions() -> &'static str {
        FixedKey::instructions()
    }

    /// Replaces every block by its hash.
    pub fn hash_blocks(&self, blocks: &mut [Block]) {
        self.0.hash(bytemuck::must_cast_slice_mut(blocks));
    }

    /// The hashes of `inputs[i] ^ offset`.
    ///
    /// # Panics
    /// When there are not as many outputs as inputs.
    pub fn hash_offset(&self, inputs: &[Block], offset: Block, outputs: &mut [Block]) {
        let outputs = bytemuck::must_cast_slice_mut(outputs);
        self.0.hash_offset(bytemuck::must_cast_slice(inputs), offset.bits(), outputs);
    }

    /// The hash of one block; batches are several times faster a block.
    #[must_use]
    pub fn hash_one(&self, block: Block) -> Block {
        let mut blocks = [block];
        self.hash_blocks(&mut blocks);
        blocks[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Aes;

    #[test]
    fn is_the_permutation_xor_its_input() {
        for len in [0, 1, 3, 4, 5, 31, 32, 33, 200] {
            let inputs: Vec<Block> = (0..len).map(|i| Block::new(i << 60 | i)).collect();
            let (mut hashes, mut permuted) = (inputs.clone(), inputs.clone());
            Mmo::new(Block::new(5)).hash_blocks(&mut hashes);
            Aes::new(Block::new(5)).encrypt(&mut permuted);
            assert!((0..inputs.len()).all(|i| hashes[i] == permuted[i] ^ inputs[i]));
        }
    }
}
