//! The correlation-robust hash: fixed-key AES in the Matyas-Meyer-Oseas mode, π_K(x) ^ x.
//!
//! Guo, Katz, Wang, Yu, "Efficient and Secure Multiparty Computation from Fixed-Key Block Ciphers",
//! <https://eprint.iacr.org/2019/074>. Correlation robustness in the ideal-cipher model degrades with the
//! number of inputs under one key, so callers derive a fresh public key for every few thousand inputs.

use super::Block;
use super::aes::{Aes, BATCH};

/// The hash under one public key.
#[derive(Clone)]
pub struct Mmo(Aes);

impl Mmo {
    /// The hash under `key`. Keys are public; a key is used for one purpose and a bounded number of inputs.
    #[must_use]
    pub fn new(key: Block) -> Self {
        Self(Aes::new(key))
    }

    /// Replaces every block by its hash.
    pub fn hash_blocks(&self, blocks: &mut [Block]) {
        let mut inputs = [Block::ZERO; BATCH];
        for batch in blocks.chunks_mut(BATCH) {
            let inputs = &mut inputs[..batch.len()];
            inputs.copy_from_slice(batch);
            self.0.encrypt(batch);
            for (output, &input) in batch.iter_mut().zip(&*inputs) {
                *output ^= input;
            }
        }
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

    #[test]
    fn batches_equal_single_blocks() {
        let mmo = Mmo::new(Block::new(77));
        for len in [0, 1, 7, 8, 9, 63, 64, 65, 200] {
            let inputs: Vec<Block> = (0..len).map(|i| Block::new(i << 60 | i)).collect();
            let mut outputs = inputs.clone();
            mmo.hash_blocks(&mut outputs);
            assert!(inputs.iter().zip(&outputs).all(|(&x, &y)| mmo.hash_one(x) == y));
        }
    }

    #[test]
    fn is_the_permutation_xor_its_input() {
        let x = Block::new(3);
        let mut y = [x];
        Aes::new(Block::new(5)).encrypt(&mut y);
        assert_eq!(Mmo::new(Block::new(5)).hash_one(x), y[0] ^ x);
    }
}
