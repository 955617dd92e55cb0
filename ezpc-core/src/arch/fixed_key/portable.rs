//! The kernels on the `aes` crate, which wipes its round keys.

use super::{GROUP, Patch};
use aes::Aes128Enc;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// π_K.
#[derive(Clone)]
pub(super) struct Cipher(Aes128Enc);

/// Blocks encrypted at once.
const BATCH: usize = 64;

impl Cipher {
    pub(super) fn new(key: u128) -> Self {
        Self(Aes128Enc::new(&Array::from(key.to_le_bytes())))
    }
}

pub(super) fn encrypt(cipher: &Cipher, blocks: &mut [u128]) {
    let bytes: &mut [[u8; 16]] = bytemuck::must_cast_slice_mut(blocks);
    cipher.0.encrypt_blocks(Array::cast_slice_from_core_mut(bytes));
}

pub(super) fn hash(cipher: &Cipher, blocks: &mut [u128]) {
    let mut inputs = [0; BATCH];
    for batch in blocks.chunks_mut(BATCH) {
        let inputs = &mut inputs[..batch.len()];
        inputs.copy_from_slice(batch);
        encrypt(cipher, batch);
        for (output, &input) in batch.iter_mut().zip(&*inputs) {
            *output ^= input;
        }
    }
}

pub(super) fn hash_offset(cipher: &Cipher, inputs: &[u128], offset: u128, outputs: &mut [u128]) {
    for (output, &input) in outputs.iter_mut().zip(inputs) {
        *output = input ^ offset;
    }
    hash(cipher, outputs);
}

pub(super) fn expand(cipher: &Cipher, left: &mut [u128], right: &mut [u128], patch: &Patch) -> [u128; GROUP] {
    apply(cipher, left, patch);
    let mut sums = [0; GROUP];
    for (left, right) in left.chunks_mut(BATCH).zip(right.chunks_mut(BATCH)) {
        right.copy_from_slice(left);
        for node in left.iter_mut() {
            *node = sigma(*node);
        }
        hash(cipher, left);
        for (i, (left, right)) in left.iter().zip(right).enumerate() {
            *right ^= left;
            sums[i % GROUP] ^= left;
        }
    }
    sums
}

pub(super) fn expand_last(
    cipher: &Cipher,
    parents: &[u128],
    left: &mut [u128],
    right: &mut [u128],
    patch: &Patch,
) -> [u128; GROUP] {
    left.copy_from_slice(parents);
    let sums = expand(cipher, left, right, patch);
    for leaf in left.iter_mut().chain(right) {
        *leaf &= !1;
    }
    sums
}

pub(super) fn apply(_: &Cipher, nodes: &mut [u128], patch: &Patch) {
    for (n, node) in nodes.chunks_exact_mut(GROUP).enumerate() {
        for (places, values) in patch.places.iter().zip(&patch.values) {
            for i in 0..GROUP {
                let difference = n as u64 ^ places[i];
                let here = (difference.wrapping_sub(1) & !difference) >> 63;
                node[i] ^= u128::from(here).wrapping_neg() & values[i];
            }
        }
    }
}

/// σ: (l, r) to (l ^ r, l).
const fn sigma(x: u128) -> u128 {
    let high = x >> 64;
    let low = x & u64::MAX as u128;
    ((high ^ low) << 64) | high
}
