//! SoftSpoken OT extension: COTs from 128 base OTs, 31 bits of traffic each.
//!
//! Roy, "SoftSpokenOT: Communication-Computation Tradeoffs in OT Extension" (<https://eprint.iacr.org/2022/192>),
//! the semi-honest protocol with k = 4: the 128 bits of Δ are 32 digits of F_16, and for every digit the parties
//! share an all-but-one family of 16 generators (a GGM tree, of which the COT sender misses the leaf of its
//! digit). With leaf x expanding to r_x, the COT receiver has u_i = Σ r_x and V_i = Σ x·r_x, the sender has
//! W_i = Σ (x + Δ_i)·r_x = V_i + Δ_i·u_i; the receiver corrects every u_i to u_0, so that the columns
//! of W and V are the keys and macs for the choices u_0.
//!
//! Deviations: semi-honest, so no consistency checks; lsb(Δ) = 1, which makes the choice bit of every mac its
//! least significant bit once row 0 (whose W is V ^ u, known to the receiver) is subtracted from both.
//!
//! Messages, all from the COT receiver: once, the XOR of the left and of the right nodes of tree levels 1..4, each
//! under a base OT key of which the peer knows one (3,072 bytes; reveals nothing about the tree off the path);
//! per extension, u_i ^ u_0 for i = 1..32, 31 bits a COT, uniform to a sender that misses one
//! leaf of every tree. The COT sender sends nothing but its base OT choices.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::COT_BATCH;
use crate::arch::transpose::transpose;
use crate::arch::vector::{Kernel, vectorize};
use crate::crypto::{Aes, Block, Mmo, SessionId};
use crate::party::Party;
use zeroize::{Zeroize, Zeroizing};

/// Bits of a digit of Δ: the depth of a tree.
const DEPTH: usize = 4;
/// Leaves of a tree.
const LEAVES: usize = 1 << DEPTH;
/// Digits of Δ.
const TREES: usize = 128 / DEPTH;
/// Blocks of a row generated at once.
const COLUMNS: usize = 64;

/// The parameters, as the handshake compares them.
pub(super) const PARAMETERS: &str = "softspoken k=4";

/// The bytes of the message that sets the trees up.
pub(super) const TREE_BYTES: usize = TREES * (DEPTH - 1) * 2 * Block::BYTES;

/// The bytes of the message of one extension to `count` COTs, a multiple of [`COT_BATCH`].
pub(super) const fn extension_bytes(count: usize) -> usize {
    (TREES - 1) * count / 8
}

/// The choices of the 128 base OTs in which the COT sender is the receiver.
pub(super) const fn base_choices(delta: Block) -> Block {
    // The sender learns the sum of the nodes that are *not* on the side of its path.
    Block::new(!delta.bits())
}

/// The two hashes that make a node's children.
fn child_hashes(session: &SessionId, sender: Party) -> [Mmo; 2] {
    let purpose = |side| format!("softspoken tree {side} {}", sender.index());
    ["left", "right"].map(|side| Mmo::new(session.key(&purpose(side))))
}

/// The children of `nodes`, in order.
fn expand(hashes: &[Mmo; 2], nodes: &[Block]) -> Zeroizing<Vec<Block>> {
    let mut sides = hashes.each_ref().map(|hash| {
        let mut side = Zeroizing::new(nodes.to_vec());
        hash.hash_blocks(&mut side);
        side
    });
    let children = sides[0].iter().zip(sides[1].iter()).flat_map(|(&left, &right)| [left, right]).collect();
    sides[0].zeroize();
    Zeroizing::new(children)
}

/// The XOR of the nodes on the left and on the right of their parents.
fn side_sums(nodes: &[Block]) -> [Block; 2] {
    nodes.chunks_exact(2).fold([Block::ZERO; 2], |[l, r], pair| [l ^ pair[0], r ^ pair[1]])
}

/// The COT receiver: has every leaf of every tree.
pub(super) struct Receiver {
    generators: Vec<Aes>,
    counter: u64,
}

impl Receiver {
    /// Grows the trees from the pairs of base OT messages (pair 4i + b for bit b of digit i) and returns the
    /// message that tells the peer all leaves but one.
    pub(super) fn new(session: &SessionId, sender: Party, pairs: &[[Block; 2]]) -> (Self, Vec<u8>) {
        assert!(pairs.len() == 128, "one base OT for every bit of Δ");
        let hashes = child_hashes(session, sender);
        let mut message = Vec::with_capacity(TREE_BYTES);
        let mut generators = Vec::with_capacity(TREES * LEAVES);
        for pairs in pairs.chunks_exact(DEPTH) {
            // Level by level from the top, which is the most significant bit of the digit.
            let mut nodes = Zeroizing::new(pairs[DEPTH - 1].to_vec());
            for keys in pairs[..DEPTH - 1].iter().rev() {
                nodes = expand(&hashes, &nodes);
                for (sum, &key) in side_sums(&nodes).into_iter().zip(keys) {
                    message.extend_from_slice(&(sum ^ key).to_bytes());
                }
            }
            generators.extend(nodes.iter().map(|&leaf| Aes::new(leaf)));
        }
        (Self { generators, counter: 0 }, message)
    }

    /// Macs of `count` COTs with random choices, and the correction message.
    pub(super) fn extend(&mut self, count: usize) -> (Vec<Block>, Vec<u8>) {
        assert!(count.is_multiple_of(COT_BATCH), "COTs come in batches of {COT_BATCH}");
        let mut macs = Vec::with_capacity(count);
        let mut message = Vec::with_capacity(extension_bytes(count));
        let mut rows = Rows::new();
        let mut leaves = Leaves::new();
        let mut choices = Zeroizing::new([Block::ZERO; COLUMNS]);
        for start in (0..count / COT_BATCH).step_by(COLUMNS) {
            let columns = COLUMNS.min(count / COT_BATCH - start);
            for (tree, generators) in self.generators.chunks_exact(LEAVES).enumerate() {
                leaves.generate(generators, 0, self.counter, columns);
                let u = leaves.fold(&mut rows.0[DEPTH * tree..DEPTH * (tree + 1)]);
                if tree == 0 {
                    *choices = *u;
                } else {
                    xor_into(u, &choices);
                    message.extend_from_slice(Block::slice_bytes(&u[..columns]));
                }
            }
            rows.0[0][..COLUMNS].copy_from_slice(&*choices);
            rows.transpose_into(columns, &mut macs);
            self.counter += columns as u64;
        }
        (macs, message)
    }
}

/// The COT sender: has every leaf but that of its digit in every tree.
pub(super) struct Sender {
    delta: Block,
    /// For every tree the generators of the leaves Δ_i ^ 1, Δ_i ^ 2, ..., Δ_i ^ 15.
    generators: Vec<Aes>,
    counter: u64,
}

impl Sender {
    /// Rebuilds the trees from the base OT messages for [`base_choices`] and the peer's message.
    pub(super) fn new(
        session: &SessionId,
        sender: Party,
        delta: Block,
        chosen: &[Block],
        message: &[u8],
    ) -> Self {
        assert!(chosen.len() == 128 && message.len() == TREE_BYTES, "one base OT for every bit of Δ");
        let hashes = child_hashes(session, sender);
        let sums = Zeroizing::new(Block::vec_from_bytes(message));
        let mut generators = Vec::with_capacity(TREES * (LEAVES - 1));
        let trees = chosen.chunks_exact(DEPTH).zip(sums.chunks_exact((DEPTH - 1) * 2));
        for (tree, (chosen, sums)) in trees.enumerate() {
            let bit = |b: usize| (delta.bits() >> (DEPTH * tree + b)) as u8 & 1;
            // Nodes are ordered by their index XOR the path's, so the missing node is always node 0 and every
            // index below is public: a level's nodes are swapped with their siblings where the path goes right.
            let mut nodes = Zeroizing::new(vec![Block::ZERO, chosen[DEPTH - 1]]);
            for level in 1..DEPTH {
                let b = DEPTH - 1 - level;
                nodes = expand(&hashes, &nodes);
                let goes_right = Block::mask(bit(b));
                for pair in nodes.chunks_exact_mut(2) {
                    let swap = (pair[0] ^ pair[1]) & goes_right;
                    pair[0] ^= swap;
                    pair[1] ^= swap;
                }
                let [left, right] = [sums[2 * (level - 1)], sums[2 * (level - 1) + 1]];
                // The side off the path: left when the path goes right.
                let off_path = right ^ (goes_right & (left ^ right)) ^ chosen[b];
                nodes[0] = Block::ZERO;
                nodes[1] = Block::ZERO;
                nodes[1] = side_sums(&nodes)[1] ^ off_path;
            }
            generators.extend(nodes[1..].iter().map(|&leaf| Aes::new(leaf)));
        }
        Self { delta, generators, counter: 0 }
    }

    /// Δ.
    pub(super) const fn delta(&self) -> Block {
        self.delta
    }

    /// Keys of the `count` COTs whose correction message this is.
    pub(super) fn extend(&mut self, count: usize, message: &[u8]) -> Vec<Block> {
        assert!(count.is_multiple_of(COT_BATCH), "COTs come in batches of {COT_BATCH}");
        assert!(message.len() == extension_bytes(count), "the message has the length of its extension");
        let mut keys = Vec::with_capacity(count);
        let mut corrections = message;
        let mut rows = Rows::new();
        let mut leaves = Leaves::new();
        for start in (0..count / COT_BATCH).step_by(COLUMNS) {
            let columns = COLUMNS.min(count / COT_BATCH - start);
            for (tree, generators) in self.generators.chunks_exact(LEAVES - 1).enumerate() {
                leaves.generate(generators, 1, self.counter, columns);
                let digit = &mut rows.0[DEPTH * tree..DEPTH * (tree + 1)];
                leaves.fold(digit);
                if tree > 0 {
                    let (mine, later) = corrections.split_at(columns * Block::BYTES);
                    corrections = later;
                    let mine = Block::vec_from_bytes(mine);
                    for (b, row) in digit.iter_mut().enumerate() {
                        // Opaque: a compiler that knows that the mask is all or nothing branches on it.
                        let mask = Block::mask((self.delta.bits() >> (DEPTH * tree + b)) as u8 & 1);
                        let mask = core::hint::black_box(mask);
                        for (block, &correction) in row.iter_mut().zip(&mine) {
                            *block ^= correction & mask;
                        }
                    }
                }
            }
            rows.0[0].fill(Block::ZERO);
            rows.transpose_into(columns, &mut keys);
            self.counter += columns as u64;
        }
        keys
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

/// The expansions of the leaves of one tree.
struct Leaves(Zeroizing<Vec<[Block; COLUMNS]>>);

impl Leaves {
    fn new() -> Self {
        Self(Zeroizing::new(vec![[Block::ZERO; COLUMNS]; LEAVES]))
    }

    /// The expansions of leaves `first..16`, those before them zero.
    fn generate(&mut self, generators: &[Aes], first: usize, counter: u64, columns: usize) {
        self.0[..first].fill([Block::ZERO; COLUMNS]);
        for (generator, leaf) in generators.iter().zip(&mut self.0[first..]) {
            for (i, block) in leaf[..columns].iter_mut().enumerate() {
                *block = Block::new(u128::from(counter) + i as u128);
            }
            generator.encrypt(&mut leaf[..columns]);
        }
    }

    /// Sets row b to the sum of the r_x with bit b of x set, and returns Σ r_x. The leaves are used up.
    fn fold(&mut self, rows: &mut [[Block; STRIDE]]) -> &mut [Block; COLUMNS] {
        vectorize(Fold { leaves: &mut self.0, rows });
        &mut self.0[0]
    }
}

/// See [`Leaves::fold`].
struct Fold<'a> {
    leaves: &'a mut [[Block; COLUMNS]],
    rows: &'a mut [[Block; STRIDE]],
}

impl Kernel for Fold<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (b, row) in self.rows.iter_mut().enumerate().rev() {
            let (low, high) = self.leaves[..2 << b].split_at_mut(1 << b);
            let mut sum = [Block::ZERO; COLUMNS];
            for (low, high) in low.iter_mut().zip(high) {
                xor_into(&mut sum, high);
                xor_into(low, high);
            }
            row[..COLUMNS].copy_from_slice(&sum);
        }
    }
}

#[inline(always)]
fn xor_into(sum: &mut [Block; COLUMNS], other: &[Block; COLUMNS]) {
    let sum: &mut [u64] = bytemuck::must_cast_slice_mut(sum);
    for (sum, &other) in sum.iter_mut().zip(bytemuck::must_cast_slice::<_, u64>(other)) {
        *sum ^= other;
    }
}

/// A matrix of 128 rows of bits, one row a bit of Δ.
struct Rows(Zeroizing<Vec<[Block; STRIDE]>>);

/// Blocks from row to row: not a power of two, so that a column's blocks fall into different cache sets.
const STRIDE: usize = COLUMNS + 1;

impl Rows {
    fn new() -> Self {
        Self(Zeroizing::new(vec![[Block::ZERO; STRIDE]; 128]))
    }

    /// Appends the columns of bits as blocks.
    fn transpose_into(&self, columns: usize, blocks: &mut Vec<Block>) {
        for column in 0..columns {
            let mut square: [Block; 128] = core::array::from_fn(|row| self.0[row][column]);
            transpose(bytemuck::must_cast_mut(&mut square));
            blocks.extend_from_slice(&square);
        }
    }
}
