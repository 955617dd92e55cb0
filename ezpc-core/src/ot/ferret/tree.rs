//! Correlated GGM trees of the half-tree construction, several side by side.
//!
//! A node x has the children H(x) and x ^ H(x), H(x) = π(σ(x)) ^ σ(x), so every level XORs to Δ as the first does.
//! A group of trees is stored node by node, and within a node tree by tree; the left children of a level come
//! before its right children. The place of a leaf in its tree is then c + 3·r, with c in 0..3 the node of level 2
//! and r the seven further turns, first turn lowest. Which order leaves have does not matter, as long as both
//! parties use the same.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::arch::fixed_key::{FixedKey, Patch};
use crate::arch::vector::{Kernel, vectorize};
use crate::crypto::{Block, Prg, double_half};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

pub(super) use crate::arch::fixed_key::GROUP;

/// Levels of a tree.
pub(super) const DEPTH: usize = 9;
/// Nodes kept of level 2: the last of the four is dropped, with all that would grow from it.
const KEPT: usize = 3;
/// Leaves of a tree.
pub(super) const LEAVES: usize = KEPT << (DEPTH - 2);

/// For every level after the first, one block a tree.
pub(super) type Sums = [[Block; GROUP]; DEPTH - 1];

/// A uniform path: bit l is the turn from level l to level l + 1, and the first two turns are not both right.
pub(super) fn random_path(rng: &mut Prg) -> u16 {
    let mut bytes = Zeroizing::new([0; 16]);
    rng.fill_bytes(&mut *bytes);
    let draw = u128::from_le_bytes(*bytes);
    // The bias of the high product is 2^-64.
    let node = ((draw as u64 as u128 * KEPT as u128) >> 64) as u16;
    let turns = (draw >> 64) as u16 & ((1 << (DEPTH - 2)) - 1);
    node | turns << 2
}

/// The place of the leaf at the end of a path.
#[cfg(test)]
pub(super) const fn place(path: u16) -> usize {
    (path & 3) as usize + KEPT * (path >> 2) as usize
}

/// The nodes of a group but its leaves; wiped when dropped.
pub(super) struct Scratch(Zeroizing<Vec<Block>>);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(vec![Block::ZERO; GROUP * LEAVES / 2]))
    }
}

/// Grows a group of trees whose level 1 is the first keys and these plus Δ, and returns the corrections: for every
/// further level, its key XOR its left nodes.
pub(super) fn grow(
    hash: &FixedKey,
    delta: Block,
    keys: &[[Block; DEPTH]; GROUP],
    scratch: &mut Scratch,
    leaves: &mut [Block],
) -> Sums {
    let mut sums = [[Block::ZERO; GROUP]; DEPTH - 1];
    for (i, keys) in keys.iter().enumerate() {
        scratch.0[i] = keys[0];
        scratch.0[GROUP + i] = keys[0] ^ delta;
    }
    let mut nodes = 2;
    for level in 1..DEPTH {
        let left = expand(hash, level, nodes, &Patch::NONE, scratch, leaves);
        for (i, keys) in keys.iter().enumerate() {
            sums[level - 1][i] = keys[level] ^ left[i];
        }
        nodes = children(level, nodes);
    }
    sums
}

/// What is put where a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The leaf XOR Δ.
    Correlated,
    /// Zero.
    Blank,
}

/// Grows a group of trees off their paths, and returns the places at which these end; `end` says what is put there.
///
/// The node on the path stays unknown. Its place holds zero, so that its children are computed as H(σ(0)) like
/// all others; the next step replaces them by zero and by the sibling, which follows from the level's sum.
pub(super) fn regrow(
    hash: &FixedKey,
    paths: &[u16; GROUP],
    macs: &[[Block; DEPTH]],
    sums: &Sums,
    end: End,
    scratch: &mut Scratch,
    leaves: &mut [Block],
) -> Zeroizing<[u64; GROUP]> {
    let mut blank = [0];
    hash.hash(&mut blank);
    let blank = Block::new(blank[0]);
    let turn = |i: usize, level: usize| Block::mask((paths[i] >> level) as u8 & 1);
    let mut places = Zeroizing::new([0_u64; GROUP]);
    let mut known = Zeroizing::new([Block::ZERO; GROUP]);
    let mut dropped = Zeroizing::new([Block::ZERO; GROUP]);
    let mut patch = Patch::NONE;
    for (i, macs) in macs.iter().enumerate() {
        let right = turn(i, 0);
        scratch.0[i] = macs[0] & right;
        scratch.0[GROUP + i] = macs[0] ^ scratch.0[i];
        known[i] = macs[0];
        places[i] = u64::from(right.lsb());
    }
    let mut nodes = 2;
    for level in 1..DEPTH {
        let sum_left = expand(hash, level, nodes, &patch, scratch, leaves);
        for i in 0..GROUP {
            let right = turn(i, level);
            let left = right ^ Block::ONES;
            // The nodes beside the path are the right ones where it turns left. Their sum, and what is known of it:
            let sum = sums[level - 1][i] ^ macs[i][level] ^ (dropped[i] & left);
            let have = sum_left[i] ^ blank ^ (known[i] & left);
            let sibling = sum ^ have;
            known[i] ^= sibling;
            let turned = nodes as u64 * u64::from(right.lsb());
            patch.places[0][i] = places[i] + turned;
            patch.places[1][i] = places[i] + nodes as u64 - turned;
            patch.values[0][i] = blank.bits();
            patch.values[1][i] = (blank ^ sibling).bits();
            places[i] += turned;
        }
        nodes = children(level, nodes);
        if level == 1 {
            // The last of four nodes is off every path; on some it is the sibling.
            for i in 0..GROUP {
                let node = KEPT as u64;
                let is_sibling = patch.places[1][i].ct_eq(&node).unwrap_u8();
                dropped[i] =
                    scratch.0[KEPT * GROUP + i] ^ (Block::mask(is_sibling) & Block::new(patch.values[1][i]));
                known[i] ^= dropped[i];
            }
        }
    }
    for i in 0..GROUP {
        let end = match end {
            End::Correlated => (known[i] ^ dropped[i]).with_lsb(),
            End::Blank => Block::ZERO,
        };
        patch.values[0][i] = (blank.without_lsb() ^ end).bits();
        patch.values[1][i] = Block::new(patch.values[1][i]).without_lsb().bits();
    }
    hash.patch(bytemuck::must_cast_slice_mut(leaves), &patch);
    patch.places.as_flattened_mut().zeroize();
    patch.values.as_flattened_mut().zeroize();
    places
}

/// Replaces leaves by their hashes with no choice in them, and returns the sum of every tree's.
pub(super) fn blind(hash: &FixedKey, leaves: &mut [Block]) -> Zeroizing<[Block; GROUP]> {
    vectorize(BeforeHash(bytemuck::must_cast_slice_mut(leaves)));
    hash.hash(bytemuck::must_cast_slice_mut(leaves));
    let mut sums = Zeroizing::new([Block::ZERO; GROUP]);
    vectorize(AfterHash {
        leaves: bytemuck::must_cast_slice_mut(leaves),
        sums: bytemuck::must_cast_mut(&mut *sums),
    });
    sums
}

/// Multiplies leaves, as their halves, by a linear map α for which α and α + β are invertible for all β of F_4.
///
/// The receiver comes to know H(α·x) + β·Δ of a leaf x of which it knows x + Δ. As H(x) = π(x) + x with a public π, it would see
/// π(α·x) without a mask, and so x and Δ, for a β with α·Δ = β·Δ. σ is multiplication by ω and would not do.
struct BeforeHash<'a>(&'a mut [u64]);

impl Kernel for BeforeHash<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.0.iter_mut().for_each(|half| *half = double_half(*half));
    }
}

/// Halves of the leaves of a place, tree by tree.
const HALVES: usize = 2 * GROUP;

/// Clears the choices of hashed leaves and adds these to the sums of their trees.
struct AfterHash<'a> {
    leaves: &'a mut [u64],
    sums: &'a mut [u64; HALVES],
}

impl Kernel for AfterHash<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // A choice has a bit in either half.
        const CHOICE: u64 = 1;
        let mut sums = *self.sums;
        for halves in self.leaves.as_chunks_mut::<HALVES>().0 {
            for (sum, half) in sums.iter_mut().zip(halves) {
                *half &= !CHOICE;
                *sum ^= *half;
            }
        }
        *self.sums = sums;
    }
}

/// Adds a value to the leaf of each tree at a secret place.
pub(super) fn add_at(hash: &FixedKey, places: &[u64; GROUP], values: &[Block; GROUP], leaves: &mut [Block]) {
    let mut patch = Patch::NONE;
    patch.places[0] = *places;
    patch.values[0] = bytemuck::must_cast(*values);
    hash.patch(bytemuck::must_cast_slice_mut(leaves), &patch);
    patch.places.as_flattened_mut().zeroize();
    patch.values.as_flattened_mut().zeroize();
}

/// How many of the children at the end of `level` are kept.
const fn children(level: usize, nodes: usize) -> usize {
    if level == 1 { KEPT } else { 2 * nodes }
}

/// Replaces `nodes` nodes of every tree by their children, in place or in `leaves`, and returns the sums of the left ones.
fn expand(
    hash: &FixedKey,
    level: usize,
    nodes: usize,
    patch: &Patch,
    scratch: &mut Scratch,
    leaves: &mut [Block],
) -> [Block; GROUP] {
    let scratch: &mut [u128] = bytemuck::must_cast_slice_mut(&mut scratch.0);
    bytemuck::must_cast(if level == DEPTH - 1 {
        hash.expand_last(scratch, bytemuck::must_cast_slice_mut(leaves), patch)
    } else {
        hash.expand(scratch, nodes, patch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::Aes128;
    use aes::cipher::{BlockCipherDecrypt, KeyInit};

    /// Every path: all leaves agree but the one at the end of the path, which differs by Δ.
    #[test]
    fn the_leaf_on_the_path_differs_by_delta() {
        let hash = FixedKey::new(99);
        let mut scratch = Scratch::new();
        let mut rng = Prg::from_seed(Block::new(5));
        let delta = rng.block().with_lsb();
        let paths: Vec<u16> = (0..1 << DEPTH).filter(|path| path & 3 != 3).collect();
        assert_eq!(paths.len(), LEAVES);
        for paths in paths.as_chunks::<GROUP>().0 {
            let mut keys = [[Block::ZERO; DEPTH]; GROUP];
            rng.fill_blocks(keys.as_flattened_mut());
            let macs: [[Block; DEPTH]; GROUP] = core::array::from_fn(|i| {
                core::array::from_fn(|level| {
                    let off_path = (paths[i] >> level) as u8 & 1 ^ 1;
                    keys[i][level] ^ (Block::mask(off_path) & delta)
                })
            });
            let mut leaves = vec![Block::ZERO; GROUP * LEAVES];
            let mut punctured = leaves.clone();
            let sums = grow(&hash, delta, &keys, &mut scratch, &mut leaves);
            let ends = regrow(&hash, paths, &macs, &sums, End::Correlated, &mut scratch, &mut punctured);
            for (n, (a, b)) in leaves.iter().zip(&punctured).enumerate() {
                let (leaf, i) = (n / GROUP, n % GROUP);
                let bit = u8::from(leaf == place(paths[i]));
                assert_eq!(*a ^ (Block::mask(bit) & delta), *b, "leaf {leaf} of path {}", paths[i]);
                assert_eq!((a.lsb(), b.lsb()), (0, bit));
            }
            let expected: [u64; GROUP] = core::array::from_fn(|i| place(paths[i]) as u64);
            assert_eq!(*ends, expected);
            let mut blank = vec![Block::ZERO; GROUP * LEAVES];
            regrow(&hash, paths, &macs, &sums, End::Blank, &mut scratch, &mut blank);
            let values = core::array::from_fn(|i| leaves[place(paths[i]) * GROUP + i]);
            add_at(&hash, &ends, &values, &mut blank);
            assert_eq!(blank, leaves);
        }
    }

    /// What circular correlation robustness of the hash of leaves needs, for all multiples of Δ that are noise, and none.
    #[test]
    fn no_multiple_of_delta_cancels_in_a_hashed_leaf() {
        for noise in 0..4 {
            let before_hash = |mut leaf: Block| {
                BeforeHash(bytemuck::must_cast_mut::<_, [u64; 2]>(&mut leaf)).run();
                leaf
            };
            let rank = crate::crypto::rank(|x| before_hash(x) ^ x.times(noise));
            assert_eq!(rank, 128, "noise {noise}");
        }
    }

    /// The attack that leaves are multiplied for, by a receiver that knows w = x + Δ of a leaf x and is given H(x) + β·Δ: it
    /// guesses what of Δ cancels, inverts π, whose key is public, and has x. It succeeds on other hashes than ours.
    #[test]
    fn delta_does_not_follow_from_what_the_receiver_of_quads_learns() {
        let halve = |x: Block| {
            let low_bits = x.bits() & Block::CHOICE.bits();
            Block::new(
                ((x.bits() ^ (low_bits * 0x1b)) >> 1 & !(Block::CHOICE.bits() << 63)) | (low_bits << 63),
            )
        };
        let (key, hash) = (77_u128, FixedKey::new(77));
        let permutation = Aes128::new(&key.to_le_bytes().into());
        let preimage = |image: Block| {
            let mut block = image.to_bytes().into();
            permutation.decrypt_block(&mut block);
            Block::from_bytes(block.into())
        };
        let mut rng = Prg::from_seed(Block::new(7));
        let delta = Block::random_delta(&mut rng);
        // The noise β of trees whose Δ is found when leaves are mapped before they are blinded.
        let mut found_with = |map: &dyn Fn(Block) -> Block| {
            let (mut found, mut scratch) = (Vec::new(), Scratch::new());
            let paths = core::array::from_fn(|_| random_path(&mut rng));
            let noise: [u8; GROUP] = core::array::from_fn(|i| i as u8 % 3 + 1);
            let mut keys = [[Block::ZERO; DEPTH]; GROUP];
            rng.fill_blocks(keys.as_flattened_mut());
            let macs: [[Block; DEPTH]; GROUP] = core::array::from_fn(|i| {
                core::array::from_fn(|level| keys[i][level] ^ delta.times((paths[i] >> level) as u8 & 1 ^ 1))
            });
            let [mut leaves, mut known, mut blinded] = [(); 3].map(|()| vec![Block::ZERO; GROUP * LEAVES]);
            let sums = grow(&hash, delta, &keys, &mut scratch, &mut leaves);
            regrow(&hash, &paths, &macs, &sums, End::Correlated, &mut scratch, &mut known);
            let places = regrow(&hash, &paths, &macs, &sums, End::Blank, &mut scratch, &mut blinded);
            let [totals, own] = [&mut leaves, &mut blinded].map(|leaves| {
                leaves.iter_mut().for_each(|leaf| *leaf = map(*leaf));
                blind(&hash, leaves)
            });
            let missing = core::array::from_fn(|i| totals[i] ^ own[i] ^ delta.times(noise[i]));
            add_at(&hash, &places, &missing, &mut blinded);
            for i in 0..GROUP {
                let at = place(paths[i]) * GROUP + i;
                let (w, learnt) = (known[at], blinded[at]);
                assert_eq!(learnt ^ leaves[at], delta.times(noise[i]));
                // All F_4-linear combinations of w and α·w, and the coefficient that is not in the message.
                let guesses = (0..64_u8).map(|n| {
                    let multiple = w.times(n & 3) ^ w.double_halves().times(n >> 2 & 3);
                    preimage(learnt ^ multiple ^ Block::ONE.times(n >> 4))
                });
                let inverses = [|x| x, |x: Block| x.times(2), |x: Block| x.times(3)];
                let mut leaves = guesses.flat_map(|x| inverses.map(|f| [f(x), halve(f(x))])).flatten();
                if leaves.any(|x| x ^ w == delta) {
                    found.push(noise[i]);
                }
            }
            found
        };
        // A map that undoes ours leaves π(x) + x, whose summand x the receiver cancels where β is 1, or the same for σ.
        assert_eq!(found_with(&|x| halve(x)), [1, 1]);
        assert_eq!(found_with(&|x| halve(x.sigma())), [2]);
        assert_eq!(found_with(&|x| x), []);
    }

    #[test]
    fn paths_are_uniform() {
        let mut rng = Prg::from_seed(Block::new(6));
        let mut counts = [0_u32; LEAVES];
        let draws = LEAVES * 400;
        for _ in 0..draws {
            counts[place(random_path(&mut rng))] += 1;
        }
        let chi_squared: f64 = counts.iter().map(|&c| (f64::from(c) - 400.0).powi(2) / 400.0).sum();
        assert!(
            (250.0..550.0).contains(&chi_squared),
            "chi squared {chi_squared} with 383 degrees of freedom"
        );
    }
}
