//! Correlated GGM trees of the half-tree construction, several side by side.
//!
//! A node x has the children H(x) and x ^ H(x), H(x) = π(σ(x)) ^ σ(x), so every level XORs to Δ as the first does.
//! A group of trees is stored node by node, and within a node tree by tree; the left children of a level come
//! before its right children. The place of a leaf in its tree is then its turns read as a number, first turn
//! lowest. Which order leaves have does not matter, as long as both parties use the same.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::arch::fixed_key::{FixedKey, Patch};
use crate::crypto::{Block, Prg};
use zeroize::{Zeroize, Zeroizing};

pub(super) use crate::arch::fixed_key::GROUP;

/// Levels of a tree.
pub(super) const DEPTH: usize = 8;
/// Leaves of a tree.
pub(super) const LEAVES: usize = 1 << DEPTH;

/// For every level after the first, one block a tree.
pub(super) type Sums = [[Block; GROUP]; DEPTH - 1];

/// A uniform path: bit l is the turn from level l to level l + 1.
pub(super) fn random_path(rng: &mut Prg) -> u16 {
    let mut bytes = [0; 2];
    rng.fill_bytes(&mut bytes);
    u16::from_le_bytes(bytes) & (LEAVES as u16 - 1)
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
        nodes *= 2;
    }
    sums
}

/// Grows a group of trees off their paths, and puts (leaf ^ Δ) where the path ends.
///
/// The node on the path stays unknown. Its place holds zero, so that its children are computed as H(σ(0)) like
/// all others; the next step replaces them by zero and by the sibling, which follows from the level's sum.
pub(super) fn regrow(
    hash: &FixedKey,
    paths: &[u16; GROUP],
    macs: &[[Block; DEPTH]],
    sums: &Sums,
    scratch: &mut Scratch,
    leaves: &mut [Block],
) {
    let mut blank = [0];
    hash.hash(&mut blank);
    let blank = Block::new(blank[0]);
    let turn = |i: usize, level: usize| Block::mask((paths[i] >> level) as u8 & 1);
    let mut places = Zeroizing::new([0_u64; GROUP]);
    let mut known = Zeroizing::new([Block::ZERO; GROUP]);
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
            let sum = sums[level - 1][i] ^ macs[i][level];
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
        nodes *= 2;
    }
    for i in 0..GROUP {
        let end = known[i].with_lsb();
        patch.values[0][i] = (blank.without_lsb() ^ end).bits();
        patch.values[1][i] = Block::new(patch.values[1][i]).without_lsb().bits();
    }
    hash.patch(bytemuck::must_cast_slice_mut(leaves), &patch);
    patch.places.as_flattened_mut().zeroize();
    patch.values.as_flattened_mut().zeroize();
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

    /// Every path: all leaves agree but the one at the end of the path, which differs by Δ.
    #[test]
    fn the_leaf_on_the_path_differs_by_delta() {
        let hash = FixedKey::new(99);
        let mut scratch = Scratch::new();
        let mut rng = Prg::from_seed(Block::new(5));
        let delta = rng.block().with_lsb();
        let paths: Vec<u16> = (0..1 << DEPTH).collect();
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
            regrow(&hash, paths, &macs, &sums, &mut scratch, &mut punctured);
            for (n, (a, b)) in leaves.iter().zip(&punctured).enumerate() {
                let (leaf, i) = (n / GROUP, n % GROUP);
                let bit = u8::from(leaf == usize::from(paths[i]));
                assert_eq!(*a ^ (Block::mask(bit) & delta), *b, "leaf {leaf} of path {}", paths[i]);
                assert_eq!((a.lsb(), b.lsb()), (0, bit));
            }
        }
    }

    #[test]
    fn paths_are_uniform() {
        let mut rng = Prg::from_seed(Block::new(6));
        let mut counts = [0_u32; LEAVES];
        let draws = LEAVES * 400;
        for _ in 0..draws {
            counts[usize::from(random_path(&mut rng))] += 1;
        }
        let chi_squared: f64 = counts.iter().map(|&c| (f64::from(c) - 400.0).powi(2) / 400.0).sum();
        assert!(
            (160.0..370.0).contains(&chi_squared),
            "chi squared {chi_squared} with 255 degrees of freedom"
        );
    }
}
