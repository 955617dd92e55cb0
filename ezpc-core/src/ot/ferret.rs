//! Silent OTs from the learning-parity-with-noise assumption: COTs for 3.1 bits of traffic each, quads for 3.5.
//!
//! Yang, Weng, Lan, Zhang, Wang, "Ferret: Fast Extension for Correlated OT with Small Communication"
//! (<https://eprint.iacr.org/2020/924>) with the correlated GGM trees of Guo, Yang, Wang, Zhang, Xie, Liu, Zhao,
//! "Half-Tree: Halving the Cost of Tree Expansion in COT and DPF" (<https://eprint.iacr.org/2022/1431>), semi-honest.
//! Quads are the same over F_4: vector OLE over a subfield, as section 5 of the second paper makes it.
//!
//! A round takes [`Kind::base`] OTs and gives [`Kind::output`]: `t` = [`TREES`] trees of [`LEAVES`] leaves are OTs with
//! one random choice that is not zero in every tree, at a place only the receiver knows; adding `d` = 10 of `k` = 3·2^14
//! base OTs to every leaf, by a public random matrix, makes choices that look uniform. The first outputs are the
//! base of the next round, the others are usable.
//!
//! # Quads
//! A COT's tree ends in leaves that differ by Δ at the end of the path. For a choice β of F_4 instead, leaves are hashed
//! once more, by a hash that stays circular correlation robust with every multiple β·Δ added, which makes the missing one
//! random to the receiver, and the sender adds the sum of all of them to
//! its key K of a base quad whose choice is β: from its mac K + β·Δ and its leaves the receiver has the missing one plus
//! β·Δ. β is uniform among the three that are not zero.
//!
//! # Deviations
//! - The matrix is drawn once a session from both parties' nonces and serves both directions, both kinds and all rounds.
//! - `k` is small, so that the table of base OTs stays in a core's second-level cache.
//! - The left node of level 1 *is* a base OT's key (adjusted by the receiver's flip), which makes the first of
//!   the nine corrections of a tree zero; it is not sent.
//! - A tree has 384 leaves: of the four nodes of its second level the last one is dropped. The receiver knows that
//!   node, so the sums of the levels below it are over the nodes that are kept.
//! - The hash keys of the trees are fresh for every round, direction and kind, which bounds the multi-target loss.
//! - The first coefficient of Δ over F_4 is 1 and the leaves' first one is cleared (of COTs only the least significant
//!   bit), so a mac's first coefficient is its choice.
//! - For quads all leaves of a correlated tree are hashed, where the paper hashes in the last level: half a hash more a
//!   leaf, and one kind of tree.
//!
//! # Messages of a round
//! The receiver sends [`Kind::flips_bytes`]: for every level of every tree, its path XOR random choices that the
//! sender does not know: uniform. Of a quad, which serves as a COT there, also the part of its choice with ω, which is as
//! uniform; and for the noise β plus the choice of a base quad. The sender answers with [`Kind::sums_bytes`]: for every level
//! after the first the XOR of the left nodes under a base OT's key, and for quads the sum of all leaves under the key
//! of a base quad; the receiver learns the sum of the nodes beside its path, as it must, and nothing about the node on
//! its path, by the circular correlation robustness of the hash.
//!
//! Security: regular LPN over F_2 and F_4 with these parameters (the estimates are in SECURITY.md), locality 10.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod kind;
mod lpn;
mod tree;

pub(super) use kind::Kind;
pub(super) use lpn::Code;

use crate::arch::fixed_key::FixedKey;
use crate::arch::lpn::TABLE;
use crate::crypto::{Aes, Block, Prg, SessionId};
use crate::party::Party;
use tree::{DEPTH, End, GROUP, LEAVES, Scratch};
use zeroize::{Zeroize, Zeroizing};

/// Length of the LPN secret.
const SECRET: usize = 3 << 14;
/// Noise weight: the number of trees.
const TREES: usize = 1152;
/// OTs a round makes. The first [`Kind::base`] are for the next round.
pub(super) const LENGTH: usize = TREES * LEAVES;

/// Where in a base the OTs for noise start, after the secret and those of the trees' levels.
const NOISE: usize = SECRET + TREES * DEPTH;
const _: () = assert!(Kind::Cots.base() <= TABLE && Kind::Quads.base() <= TABLE);

/// The sets, as the handshake compares them.
pub(super) const PARAMETERS: &str = "ferret k=49152 t=1152 B=384 d=10 over F_2, F_4";

/// The hashes of one direction of a session, which are fresh in every round.
struct RoundKeys {
    trees: Aes,
    leaves: Aes,
    round: u64,
}

impl RoundKeys {
    fn new(session: &SessionId, sender: Party, kind: Kind) -> Self {
        let key = |what| Aes::new(session.key(&format!("ferret {what}{} {}", kind.name(), sender.index())));
        Self { trees: key("trees"), leaves: key("leaves"), round: 0 }
    }

    /// The hashes of the nodes and of the leaves of the next round.
    fn next(&mut self) -> [FixedKey; 2] {
        let round = u128::from(self.round);
        self.round += 1;
        [&self.trees, &self.leaves].map(|root| {
            let mut key = [Block::new(round)];
            root.encrypt(&mut key);
            FixedKey::new(key[0].bits())
        })
    }
}

/// The OTs a round starts from.
struct Base {
    kind: Kind,
    blocks: Zeroizing<Vec<Block>>,
}

impl Base {
    /// The first [`Kind::base`] of `ots`.
    fn new(kind: Kind, ots: &[Block]) -> Self {
        // A table of the length that the kernel reads.
        let mut base = Self { kind, blocks: Zeroizing::new(vec![Block::ZERO; TABLE]) };
        base.renew(ots);
        base
    }

    /// The first OTs of the round just made.
    fn renew(&mut self, ots: &[Block]) {
        let len = self.kind.base();
        self.blocks[..len].copy_from_slice(&ots[..len]);
    }

    /// The table the code is applied to: the secret comes first, and no place of the code is beyond it.
    fn secret(&self) -> &[u128; TABLE] {
        let table: &[u128] = bytemuck::must_cast_slice(&self.blocks);
        table.try_into().expect("the table has its length")
    }

    /// The OTs of the trees: tree by tree, level by level.
    fn of_trees(&self) -> &[[Block; DEPTH]] {
        self.blocks[SECRET..NOISE].as_chunks().0
    }

    fn groups(&self) -> &[[[Block; DEPTH]; GROUP]] {
        self.of_trees().as_chunks().0
    }

    /// The OTs of the noise of a group of trees, of quads.
    fn of_noise(&self, group: usize) -> &[Block; GROUP] {
        self.blocks[NOISE + group * GROUP..].first_chunk().expect("a base of quads has noise")
    }
}

/// Room for the OTs that every group of trees becomes.
fn groups(ots: &mut [Block]) -> impl Iterator<Item = &mut [Block]> {
    assert!(ots.len() == LENGTH, "a round has {LENGTH} OTs");
    ots.chunks_exact_mut(GROUP * LEAVES)
}

/// The differences between the choices of base OTs and those wanted, in the order of the base.
struct Flips<B> {
    bits: usize,
    bytes: B,
}

impl Flips<&[u8]> {
    /// The flip of the base OT that is `i` places after the secret.
    const fn get(&self, i: usize) -> u8 {
        let at = i * self.bits;
        self.bytes[at / 8] >> (at % 8) & ((1 << self.bits) - 1)
    }
}

impl Flips<Vec<u8>> {
    fn push(&mut self, i: usize, flip: u8) {
        let at = i * self.bits;
        self.bytes[at / 8] |= flip << (at % 8);
    }
}

/// The sender.
pub(super) struct Sender {
    delta: Block,
    base: Base,
    keys: RoundKeys,
}

impl Sender {
    /// Starts from [`Kind::base`] keys.
    pub(super) fn new(kind: Kind, session: &SessionId, sender: Party, delta: Block, base: &[Block]) -> Self {
        Self { delta, base: Base::new(kind, base), keys: RoundKeys::new(session, sender, kind) }
    }

    /// What the next round starts from.
    #[cfg(feature = "testing")]
    pub(super) fn base(&self) -> &[Block] {
        &self.base.blocks[..self.base.kind.base()]
    }

    /// One round: takes the receiver's message, makes the keys and returns the answer.
    pub(super) fn answer(&mut self, flips: &[u8], code: &Code, ots: &mut [Block]) -> Vec<u8> {
        let kind = self.base.kind;
        assert!(flips.len() == kind.flips_bytes(), "the message has the length of its round");
        let flips = Flips { bits: kind.bits(), bytes: flips };
        let adjusted = |base: Block, i| base ^ self.delta.times(flips.get(i));
        let [tree_hash, leaf_hash] = self.keys.next();
        let mut message = Vec::with_capacity(kind.sums_bytes());
        let mut scratch = Scratch::new();
        let mut leaves = Zeroizing::new([Block::ZERO; GROUP * LEAVES]);
        let mut keys = Zeroizing::new([[Block::ZERO; DEPTH]; GROUP]);
        for (group, (ots, base)) in groups(ots).zip(self.base.groups()).enumerate() {
            let places = group * GROUP * DEPTH..;
            for (i, (key, &base)) in places.zip(keys.as_flattened_mut().iter_mut().zip(base.as_flattened())) {
                *key = adjusted(base, i);
            }
            let sums = tree::grow(&tree_hash, self.delta, &keys, &mut scratch, &mut leaves[..]);
            message.extend_from_slice(bytemuck::must_cast_slice(&sums));
            if kind == Kind::Quads {
                let mut totals = tree::blind(&leaf_hash, &mut leaves[..]);
                for (i, (total, &base)) in totals.iter_mut().zip(self.base.of_noise(group)).enumerate() {
                    *total ^= adjusted(base, TREES * DEPTH + group * GROUP + i);
                }
                message.extend_from_slice(Block::slice_bytes(&totals[..]));
            }
            code.add(kind, self.base.secret(), group * GROUP * LEAVES, &leaves[..], ots);
        }
        self.base.renew(ots);
        message
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

/// The receiver.
pub(super) struct Receiver {
    base: Base,
    keys: RoundKeys,
    /// The path of every tree in the round under way.
    paths: Zeroizing<Vec<u16>>,
}

impl Receiver {
    /// Starts from [`Kind::base`] macs.
    pub(super) fn new(kind: Kind, session: &SessionId, sender: Party, base: &[Block]) -> Self {
        let paths = Zeroizing::new(Vec::with_capacity(TREES));
        Self { base: Base::new(kind, base), keys: RoundKeys::new(session, sender, kind), paths }
    }

    /// See [`Sender::base`].
    #[cfg(feature = "testing")]
    pub(super) fn base(&self) -> &[Block] {
        &self.base.blocks[..self.base.kind.base()]
    }

    /// Starts a round: draws the paths, and the noise of quads, and returns the message.
    pub(super) fn ask(&mut self, rng: &mut Prg) -> Vec<u8> {
        self.paths.clear();
        let kind = self.base.kind;
        let every_bit = (1 << kind.bits()) - 1;
        let mut flips = Flips { bits: kind.bits(), bytes: vec![0; kind.flips_bytes()] };
        for (tree, macs) in self.base.of_trees().iter().enumerate() {
            let path = tree::random_path(rng);
            self.paths.push(path);
            for (level, mac) in macs.iter().enumerate() {
                // The receiver is to have the mac for the choice "not on the path", 0 or 1.
                let choice = mac.choice() & every_bit;
                flips.push(tree * DEPTH + level, choice ^ 1 ^ (path >> level) as u8 & 1);
            }
        }
        for (tree, mac) in self.base.blocks[NOISE..kind.base()].iter().enumerate() {
            flips.push(TREES * DEPTH + tree, mac.choice() ^ random_noise(rng));
        }
        flips.bytes
    }

    /// Ends the round with the sender's answer: makes the macs.
    pub(super) fn finish(&mut self, answer: &[u8], code: &Code, ots: &mut [Block]) {
        let kind = self.base.kind;
        assert!(answer.len() == kind.sums_bytes(), "the message has the length of its round");
        let end = match kind {
            Kind::Cots => End::Correlated,
            Kind::Quads => End::Blank,
        };
        let [tree_hash, leaf_hash] = self.keys.next();
        let mut scratch = Scratch::new();
        let mut leaves = Zeroizing::new([Block::ZERO; GROUP * LEAVES]);
        let mut sums = Zeroizing::new(tree::Sums::default());
        let (paths, _) = self.paths.as_chunks::<GROUP>();
        let messages = answer.chunks_exact(answer.len() / paths.len());
        for (group, (((ots, macs), paths), message)) in
            groups(ots).zip(self.base.groups()).zip(paths).zip(messages).enumerate()
        {
            let (message, totals) = message.split_at(size_of::<tree::Sums>());
            bytemuck::must_cast_slice_mut::<_, u8>(sums.as_flattened_mut()).copy_from_slice(message);
            let places = tree::regrow(&tree_hash, paths, macs, &sums, end, &mut scratch, &mut leaves[..]);
            if kind == Kind::Quads {
                // The hash of the blank leaf is in its place and in the sum: it cancels.
                let mut missing = tree::blind(&leaf_hash, &mut leaves[..]);
                let (totals, _) = totals.as_chunks();
                for ((missing, &total), &mac) in missing.iter_mut().zip(totals).zip(self.base.of_noise(group))
                {
                    *missing ^= Block::from_bytes(total) ^ mac;
                }
                tree::add_at(&leaf_hash, &places, &missing, &mut leaves[..]);
            }
            code.add(kind, self.base.secret(), group * GROUP * LEAVES, &leaves[..], ots);
        }
        self.base.renew(ots);
    }
}

/// A uniform element of F_4 that is not zero.
fn random_noise(rng: &mut Prg) -> u8 {
    let mut bytes = Zeroizing::new([0; 8]);
    rng.fill_bytes(&mut *bytes);
    // The bias of the high product is 2^-64.
    1 + ((u128::from(u64::from_le_bytes(*bytes)) * 3) >> 64) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::lpn::LOCALITY;

    /// The constants are the ones whose security `estimators/lpn.py` estimates.
    #[test]
    fn parameters_have_an_estimate() {
        let table = include_str!("../../estimators/lpn.txt");
        for name in ["in use  ", "in use over F_4 "] {
            let row = table.lines().find_map(|line| line.strip_prefix(name)).expect("a row for this set");
            let numbers: Vec<f64> =
                row.split_whitespace().map(|field| field.parse().expect("a number")).collect();
            assert_eq!(numbers[..4], [SECRET, TREES, LEAVES, LENGTH].map(|x| x as f64));
            assert!(*numbers.last().expect("a row has columns") >= 135.0);
        }
        assert_eq!(LOCALITY, 10);
        assert_eq!(PARAMETERS, format!("ferret k={SECRET} t={TREES} B={LEAVES} d={LOCALITY} over F_2, F_4"));
    }

    /// A round of either kind: every mac is its key plus its choice times Δ, and the next round starts from the first ones.
    #[test]
    fn rounds_make_correlations_of_both_kinds() {
        let (session, mut rng) = (SessionId::new([1; 32]), Prg::from_seed(Block::new(2)));
        let (code, delta) = (Code::new(&session), Block::random_delta(&mut rng));
        for kind in [Kind::Cots, Kind::Quads] {
            let every_bit = (1 << kind.bits()) - 1;
            let mut macs = vec![Block::ZERO; kind.base()];
            rng.fill_blocks(&mut macs);
            let key = |mac: &Block| *mac ^ delta.times(mac.choice() & every_bit);
            let keys: Vec<Block> = macs.iter().map(key).collect();
            let mut sender = Sender::new(kind, &session, Party::Server, delta, &keys);
            let mut receiver = Receiver::new(kind, &session, Party::Server, &macs);
            let mut rounds = [(); 2].map(|()| [(); 2].map(|()| vec![Block::ZERO; LENGTH]));
            for [keys, macs] in &mut rounds {
                let flips = receiver.ask(&mut rng);
                let answer = sender.answer(&flips, &code, keys);
                receiver.finish(&answer, &code, macs);
                let mut counts = [0_u32; 4];
                for (key, mac) in keys.iter().zip(&*macs) {
                    assert_eq!(
                        (*key, key.choice() & every_bit),
                        (*mac ^ delta.times(mac.choice() & every_bit), 0)
                    );
                    counts[usize::from(mac.choice() & every_bit)] += 1;
                }
                let mean = LENGTH as f64 / f64::from(every_bit + 1);
                let chi_squared: f64 = counts[..=usize::from(every_bit)]
                    .iter()
                    .map(|&count| (f64::from(count) - mean).powi(2) / mean)
                    .sum();
                assert!(chi_squared < 40.0, "{kind:?}: choices occur {counts:?} times");
            }
            assert_ne!(rounds[0], rounds[1]);
        }
    }

    #[test]
    fn noise_is_uniform_and_not_zero() {
        let mut rng = Prg::from_seed(Block::new(3));
        let mut counts = [0_u32; 4];
        (0..30_000).for_each(|_| counts[usize::from(random_noise(&mut rng))] += 1);
        assert_eq!(counts[0], 0);
        assert!(counts[1..].iter().all(|count| count.abs_diff(10_000) < 500), "{counts:?}");
    }
}
