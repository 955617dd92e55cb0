//! Silent COTs from the learning-parity-with-noise assumption: 3 bits of traffic each.
//!
//! Yang, Weng, Lan, Zhang, Wang, "Ferret: Fast Extension for Correlated OT with Small Communication"
//! (<https://eprint.iacr.org/2020/924>) with the correlated GGM trees of Guo, Yang, Wang, Zhang, Xie, Liu, Zhao,
//! "Half-Tree: Halving the Cost of Tree Expansion in COT and DPF" (<https://eprint.iacr.org/2022/1431>), semi-honest.
//!
//! A round takes [`BASE`] COTs and gives [`OUTPUT`]: `t` = [`TREES`] trees of [`LEAVES`] leaves are COTs with one
//! random choice bit set in every tree, at a place only the receiver knows; adding `d` = 10 of `k` = 2^15 base
//! COTs to every leaf, by a public random matrix, makes choices that look uniform. The first outputs are the
//! base of the next round, the others are usable.
//!
//! # Deviations
//! - The matrix is drawn once a session from both parties' nonces and serves both directions and all rounds.
//! - `k` is small, so that the table of base COTs stays in a core's second-level cache.
//! - Trees have 3·2^7 leaves: of the four nodes of level 2 the last is dropped. The leaves of a tree then XOR to
//!   Δ ^ dropped instead of Δ, and the receiver, to whom the dropped node is known, adds it where it needs Δ.
//! - The left node of level 1 *is* a base COT's key (adjusted by the receiver's flip), which makes the first of
//!   the nine corrections of a tree zero; it is not sent.
//! - The hash key of the trees is fresh for every round and direction, which bounds the multi-target loss.
//! - lsb(Δ) = 1 and the leaves' least significant bits are cleared, so a mac's least significant bit is its choice.
//!
//! # Messages of a round
//! The receiver sends [`FLIPS_BYTES`]: one bit for every level of every tree, its path XOR random choices that the
//! sender does not know: uniform. The sender answers with [`SUMS_BYTES`]: for every level after the first the XOR
//! of the left nodes under a base COT's key; the receiver learns the sum of the nodes beside its path, as it
//! must, and nothing about the node on its path, by the circular correlation robustness of the hash.
//!
//! Security: regular LPN over F_2 with these parameters (the estimates are in `estimators/`), locality 10.

mod lpn;
mod tree;

pub(super) use lpn::Matrix;

use crate::crypto::{Aes, Block, Mmo, Prg, SessionId};
use crate::party::Party;
use std::sync::Arc;
use tree::{DEPTH, GROUP, LEAVES};
use zeroize::{Zeroize, Zeroizing};

/// Length of the LPN secret.
const SECRET: usize = 1 << 15;
/// Noise weight: the number of trees.
const TREES: usize = 1280;
/// COTs a round makes, those for the next round included.
const LENGTH: usize = TREES * LEAVES;
/// COTs a round takes.
pub(super) const BASE: usize = SECRET + TREES * DEPTH;
/// COTs a round adds to the pool.
pub(super) const OUTPUT: usize = LENGTH - BASE;
/// The bytes of the receiver's message.
pub(super) const FLIPS_BYTES: usize = TREES * DEPTH / 8;
/// The bytes of the sender's message.
pub(super) const SUMS_BYTES: usize = TREES * (DEPTH - 1) * Block::BYTES;

/// The tree hashes of one direction of a session.
struct TreeKeys {
    root: Aes,
    round: u64,
}

impl TreeKeys {
    fn new(session: &SessionId, sender: Party) -> Self {
        Self { root: Aes::new(session.key(&format!("ferret trees {}", sender.index()))), round: 0 }
    }

    fn next(&mut self) -> Mmo {
        let mut key = [Block::new(u128::from(self.round))];
        self.root.encrypt(&mut key);
        self.round += 1;
        Mmo::new(key[0])
    }
}

/// The COTs a round starts from.
struct Base(Zeroizing<Vec<Block>>);

impl Base {
    fn new(blocks: Vec<Block>) -> Self {
        assert!(blocks.len() == BASE, "a round takes {BASE} COTs");
        Self(Zeroizing::new(blocks))
    }

    /// The table the matrix is applied to.
    fn secret(&self) -> &[Block; SECRET] {
        self.0[..SECRET].try_into().expect("the length is fixed")
    }

    /// The COTs of the trees of group `group`: tree by tree, level by level.
    fn of_group(&self, group: usize) -> &[[Block; DEPTH]] {
        let (trees, _) = self.0[SECRET..].as_chunks::<DEPTH>();
        &trees[group * GROUP..(group + 1) * GROUP]
    }
}

/// The COT sender.
pub(super) struct Sender {
    delta: Block,
    base: Base,
    keys: TreeKeys,
    matrix: Arc<Matrix>,
}

impl Sender {
    /// Starts from [`BASE`] keys.
    pub(super) fn new(
        session: &SessionId,
        sender: Party,
        matrix: Arc<Matrix>,
        delta: Block,
        base: Vec<Block>,
    ) -> Self {
        Self { delta, base: Base::new(base), keys: TreeKeys::new(session, sender), matrix }
    }

    /// One round: takes the receiver's message, returns the answer and the leaves, which [`Sender::finish`] makes keys.
    pub(super) fn answer(&mut self, flips: &[u8]) -> (Vec<u8>, Zeroizing<Vec<Block>>) {
        assert!(flips.len() == FLIPS_BYTES, "the message has the length of its round");
        let hash = self.keys.next();
        let mut leaves = Zeroizing::new(vec![Block::ZERO; LENGTH]);
        let mut message = Vec::with_capacity(SUMS_BYTES);
        for (group, leaves) in leaves.chunks_exact_mut(GROUP * LEAVES).enumerate() {
            let base = self.base.of_group(group);
            let keys = Zeroizing::new(core::array::from_fn::<_, GROUP, _>(|i| {
                core::array::from_fn::<_, DEPTH, _>(|level| {
                    let flip = (group * GROUP + i) * DEPTH + level;
                    base[i][level] ^ (Block::mask(flips[flip / 8] >> (flip % 8) & 1) & self.delta)
                })
            }));
            let sums = tree::grow(&hash, self.delta, &keys, leaves);
            message.extend_from_slice(bytemuck::must_cast_slice(&sums));
        }
        (message, leaves)
    }

    /// The usable keys of the round.
    pub(super) fn finish(&mut self, mut leaves: Zeroizing<Vec<Block>>) -> Vec<Block> {
        self.matrix.add_to(self.base.secret(), &mut leaves);
        let output = leaves.split_off(BASE);
        self.base = Base(leaves);
        output
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

/// The COT receiver.
pub(super) struct Receiver {
    base: Base,
    keys: TreeKeys,
    matrix: Arc<Matrix>,
    /// The path of every tree in the round under way.
    paths: Zeroizing<Vec<u16>>,
}

impl Receiver {
    /// Starts from [`BASE`] macs.
    pub(super) fn new(session: &SessionId, sender: Party, matrix: Arc<Matrix>, base: Vec<Block>) -> Self {
        let paths = Zeroizing::new(Vec::with_capacity(TREES));
        Self { base: Base::new(base), keys: TreeKeys::new(session, sender), matrix, paths }
    }

    /// Starts a round: draws the paths and returns the message.
    pub(super) fn ask(&mut self, rng: &mut Prg) -> Vec<u8> {
        self.paths.clear();
        let mut message = vec![0; FLIPS_BYTES];
        for (index, base) in self.base.0[SECRET..].as_chunks::<DEPTH>().0.iter().enumerate() {
            let path = tree::random_path(rng);
            self.paths.push(path);
            for (level, mac) in base.iter().enumerate() {
                // The receiver is to have the mac for the choice "not on the path".
                let flip = mac.lsb() ^ 1 ^ (path >> level) as u8 & 1;
                let bit = index * DEPTH + level;
                message[bit / 8] |= flip << (bit % 8);
            }
        }
        message
    }

    /// Ends the round with the sender's answer: the usable macs.
    pub(super) fn finish(&mut self, answer: &[u8]) -> Vec<Block> {
        assert!(answer.len() == SUMS_BYTES, "the message has the length of its round");
        let hash = self.keys.next();
        let sums = Block::vec_from_bytes(answer);
        let (sums, _) = sums.as_chunks::<GROUP>().0.as_chunks::<{ DEPTH - 1 }>();
        let mut macs = Zeroizing::new(vec![Block::ZERO; LENGTH]);
        for (group, (leaves, sums)) in macs.chunks_exact_mut(GROUP * LEAVES).zip(sums).enumerate() {
            let paths = self.paths[group * GROUP..(group + 1) * GROUP].try_into().expect("one path a tree");
            tree::regrow(&hash, paths, self.base.of_group(group), sums, leaves);
        }
        self.matrix.add_to(self.base.secret(), &mut macs);
        let output = macs.split_off(BASE);
        self.base = Base(macs);
        output
    }
}
