//! Silent COTs from the learning-parity-with-noise assumption: 3.1 bits of traffic each.
//!
//! Yang, Weng, Lan, Zhang, Wang, "Ferret: Fast Extension for Correlated OT with Small Communication"
//! (<https://eprint.iacr.org/2020/924>) with the correlated GGM trees of Guo, Yang, Wang, Zhang, Xie, Liu, Zhao,
//! "Half-Tree: Halving the Cost of Tree Expansion in COT and DPF" (<https://eprint.iacr.org/2022/1431>), semi-honest.
//!
//! A round takes [`BASE`] COTs and gives [`OUTPUT`]: `t` = [`TREES`] trees of [`LEAVES`] leaves are COTs with one
//! random choice bit set in every tree, at a place only the receiver knows; adding `d` = 10 of `k` = 3·2^14 base
//! COTs to every leaf, by a public random matrix, makes choices that look uniform. The first outputs are the
//! base of the next round, the others are usable.
//!
//! # Deviations
//! - The matrix is drawn once a session from both parties' nonces and serves both directions and all rounds.
//! - `k` is small, so that the table of base COTs stays in a core's second-level cache.
//! - The left node of level 1 *is* a base COT's key (adjusted by the receiver's flip), which makes the first of
//!   the nine corrections of a tree zero; it is not sent.
//! - A tree has 384 leaves: of the four nodes of its second level the last one is dropped. The receiver knows that
//!   node, so the sums of the levels below it are over the nodes that are kept.
//! - The hash key of the trees is fresh for every round and direction, which bounds the multi-target loss.
//! - lsb(Δ) = 1 and the leaves' least significant bits are cleared, so a mac's least significant bit is its choice.
//!
//! # Messages of a round
//! The receiver sends [`FLIPS_BYTES`]: one bit for every level of every tree, its path XOR random choices that the
//! sender does not know: uniform. The sender answers with [`SUMS_BYTES`]: for every level after the first the XOR
//! of the left nodes under a base COT's key; the receiver learns the sum of the nodes beside its path, as it
//! must, and nothing about the node on its path, by the circular correlation robustness of the hash.
//!
//! Security: regular LPN over F_2 with these parameters (the estimates are in SECURITY.md), locality 10.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod lpn;
mod tree;

pub(super) use lpn::Code;

use crate::arch::fixed_key::FixedKey;
use crate::arch::lpn::TABLE;
use crate::crypto::{Aes, Block, Prg, SessionId};
use crate::party::Party;
use tree::{DEPTH, GROUP, LEAVES, Scratch};
use zeroize::{Zeroize, Zeroizing};

/// Length of the LPN secret.
const SECRET: usize = 3 << 14;
/// Noise weight: the number of trees.
const TREES: usize = 1152;
/// COTs a round makes. The first [`BASE`] are for the next round.
pub(super) const LENGTH: usize = TREES * LEAVES;
/// COTs a round takes: no more than the table has room for.
pub(super) const BASE: usize = SECRET + TREES * DEPTH;
const _: () = assert!(BASE <= TABLE);
/// COTs a round adds to the pool.
pub(super) const OUTPUT: usize = LENGTH - BASE;
/// The bytes of the receiver's message.
pub(super) const FLIPS_BYTES: usize = TREES * DEPTH / 8;
/// The bytes of the sender's message.
pub(super) const SUMS_BYTES: usize = TREES * (DEPTH - 1) * Block::BYTES;

/// The set, as the handshake compares it.
pub(super) const PARAMETERS: &str = "ferret k=49152 t=1152 B=384 d=10";

/// The tree hashes of one direction of a session.
struct TreeKeys {
    root: Aes,
    round: u64,
}

impl TreeKeys {
    fn new(session: &SessionId, sender: Party) -> Self {
        Self { root: Aes::new(session.key(&format!("ferret trees {}", sender.index()))), round: 0 }
    }

    fn next(&mut self) -> FixedKey {
        let mut key = [Block::new(u128::from(self.round))];
        self.root.encrypt(&mut key);
        self.round += 1;
        FixedKey::new(key[0].bits())
    }
}

/// The COTs a round starts from.
struct Base(Zeroizing<Vec<Block>>);

impl Base {
    /// [`BASE`] COTs.
    fn new(cots: &[Block]) -> Self {
        // A table of the length that the kernel reads.
        let mut base = Self(Zeroizing::new(vec![Block::ZERO; TABLE]));
        base.renew(&cots[..BASE]);
        base
    }

    /// The first COTs of the round just made.
    fn renew(&mut self, cots: &[Block]) {
        self.0[..BASE].copy_from_slice(&cots[..BASE]);
    }

    /// The table the code is applied to: the secret comes first, and no place of the code is beyond it.
    fn secret(&self) -> &[u128; TABLE] {
        let table: &[u128] = bytemuck::must_cast_slice(&self.0);
        table.try_into().expect("the table has its length")
    }

    /// The COTs of the trees: tree by tree, level by level.
    fn of_trees(&self) -> &[[Block; DEPTH]] {
        self.0[SECRET..BASE].as_chunks().0
    }

    fn groups(&self) -> &[[[Block; DEPTH]; GROUP]] {
        self.of_trees().as_chunks().0
    }
}

/// Room for the COTs that every group of trees becomes.
fn groups(cots: &mut [Block]) -> impl Iterator<Item = &mut [Block]> {
    assert!(cots.len() == LENGTH, "a round has {LENGTH} COTs");
    cots.chunks_exact_mut(GROUP * LEAVES)
}

/// The COT sender.
pub(super) struct Sender {
    delta: Block,
    base: Base,
    keys: TreeKeys,
}

impl Sender {
    /// Starts from [`BASE`] keys.
    pub(super) fn new(session: &SessionId, sender: Party, delta: Block, base: &[Block]) -> Self {
        Self { delta, base: Base::new(base), keys: TreeKeys::new(session, sender) }
    }

    /// One round: takes the receiver's message, makes the keys and returns the answer.
    pub(super) fn answer(&mut self, flips: &[u8], code: &Code, cots: &mut [Block]) -> Vec<u8> {
        assert!(flips.len() == FLIPS_BYTES, "the message has the length of its round");
        let hash = self.keys.next();
        let mut message = Vec::with_capacity(SUMS_BYTES);
        let mut scratch = Scratch::new();
        let mut leaves = Zeroizing::new([Block::ZERO; GROUP * LEAVES]);
        let mut keys = Zeroizing::new([[Block::ZERO; DEPTH]; GROUP]);
        for (group, (cots, base)) in groups(cots).zip(self.base.groups()).enumerate() {
            let bits = group * GROUP * DEPTH..;
            for (bit, (key, &base)) in bits.zip(keys.as_flattened_mut().iter_mut().zip(base.as_flattened())) {
                *key = base ^ (Block::mask(flips[bit / 8] >> (bit % 8) & 1) & self.delta);
            }
            let sums = tree::grow(&hash, self.delta, &keys, &mut scratch, &mut leaves[..]);
            message.extend_from_slice(bytemuck::must_cast_slice(&sums));
            code.add(self.base.secret(), group * GROUP * LEAVES, &leaves[..], cots);
        }
        self.base.renew(cots);
        message
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
    /// The path of every tree in the round under way.
    paths: Zeroizing<Vec<u16>>,
}

impl Receiver {
    /// Starts from [`BASE`] macs.
    pub(super) fn new(session: &SessionId, sender: Party, base: &[Block]) -> Self {
        let paths = Zeroizing::new(Vec::with_capacity(TREES));
        Self { base: Base::new(base), keys: TreeKeys::new(session, sender), paths }
    }

    /// Starts a round: draws the paths and returns the message.
    pub(super) fn ask(&mut self, rng: &mut Prg) -> Vec<u8> {
        self.paths.clear();
        let mut message = vec![0; FLIPS_BYTES];
        for (index, macs) in self.base.of_trees().iter().enumerate() {
            let path = tree::random_path(rng);
            self.paths.push(path);
            for (level, mac) in macs.iter().enumerate() {
                // The receiver is to have the mac for the choice "not on the path".
                let flip = mac.lsb() ^ 1 ^ (path >> level) as u8 & 1;
                let bit = index * DEPTH + level;
                message[bit / 8] |= flip << (bit % 8);
            }
        }
        message
    }

    /// Ends the round with the sender's answer: makes the macs.
    pub(super) fn finish(&mut self, answer: &[u8], code: &Code, cots: &mut [Block]) {
        assert!(answer.len() == SUMS_BYTES, "the message has the length of its round");
        let hash = self.keys.next();
        let mut scratch = Scratch::new();
        let mut leaves = Zeroizing::new([Block::ZERO; GROUP * LEAVES]);
        let mut sums = Zeroizing::new(tree::Sums::default());
        let (paths, _) = self.paths.as_chunks::<GROUP>();
        let messages = answer.chunks_exact(size_of::<tree::Sums>());
        for (group, (((cots, macs), paths), message)) in
            groups(cots).zip(self.base.groups()).zip(paths).zip(messages).enumerate()
        {
            bytemuck::must_cast_slice_mut::<_, u8>(sums.as_flattened_mut()).copy_from_slice(message);
            tree::regrow(&hash, paths, macs, &sums, &mut scratch, &mut leaves[..]);
            code.add(self.base.secret(), group * GROUP * LEAVES, &leaves[..], cots);
        }
        self.base.renew(cots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::lpn::LOCALITY;

    /// The constants are the ones whose security `estimators/lpn.py` estimates.
    #[test]
    fn parameters_have_an_estimate() {
        let table = include_str!("../../estimators/lpn.txt");
        let row = table.lines().find_map(|line| line.strip_prefix("in use")).expect("a row for this set");
        let numbers: Vec<f64> =
            row.split_whitespace().map(|field| field.parse().expect("a number")).collect();
        assert_eq!(numbers[..4], [SECRET, TREES, LEAVES, LENGTH].map(|x| x as f64));
        assert!(*numbers.last().expect("a row has columns") >= 135.0);
        assert_eq!(LOCALITY, 10);
        assert_eq!(PARAMETERS, format!("ferret k={SECRET} t={TREES} B={LEAVES} d={LOCALITY}"));
    }
}
