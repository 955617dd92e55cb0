//! AES-128 of slices: encryption, and hashing π_K(x) ^ x of slices and of the levels of GGM trees.
//!
//! Constant time in keys and blocks. Kernels of our own are for x86-64. Elsewhere the portable ones hand slices to the `aes`
//! crate, which runs on the AES instructions of aarch64 where they are detected, many blocks in flight.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86_64;

/// Trees grown side by side. Nodes are stored node by node, and within a node tree by tree.
pub(crate) const GROUP: usize = 4;

/// Corrections of two nodes of every tree: `values[j][i]` is added to node `places[j][i]` of tree i. Both are secret.
pub(crate) struct Patch {
    pub(crate) places: [[u64; GROUP]; 2],
    pub(crate) values: [[u128; GROUP]; 2],
}

impl Patch {
    /// Adds nothing.
    pub(crate) const NONE: Self = Self { places: [[u64::MAX; GROUP]; 2], values: [[0; GROUP]; 2] };
}

/// π_K for one key K, with the kernels this machine has for it. Round keys are wiped when dropped.
#[derive(Clone)]
pub(crate) struct FixedKey(Kind);

#[derive(Clone)]
enum Kind {
    Portable(portable::Cipher),
    #[cfg(target_arch = "x86_64")]
    Aes(x86_64::Schedule),
    #[cfg(target_arch = "x86_64")]
    Vaes256(x86_64::Schedule),
    #[cfg(target_arch = "x86_64")]
    Vaes512(x86_64::Schedule),
}

/// Calls the function of the kernel's module. The kinds are made by [`FixedKey::new`] after detection only.
macro_rules! dispatch {
    ($self:expr, $function:ident($($argument:expr),*)) => {
        match &$self.0 {
            Kind::Portable(keys) => portable::$function(keys, $($argument),*),
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "calls a kernel for a detected instruction set")]
            // SAFETY: this kind exists only where `FixedKey::new` has detected its instruction set.
            Kind::Aes(keys) => unsafe { x86_64::aes::$function(keys, $($argument),*) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "calls a kernel for a detected instruction set")]
            // SAFETY: as above.
            Kind::Vaes256(keys) => unsafe { x86_64::vaes256::$function(keys, $($argument),*) },
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "calls a kernel for a detected instruction set")]
            // SAFETY: as above.
            Kind::Vaes512(keys) => unsafe { x86_64::vaes512::$function(keys, $($argument),*) },
        }
    };
}

impl FixedKey {
    pub(crate) fn new(key: u128) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(schedule) = x86_64::Schedule::new(key) {
            return Self(if x86_64::has_vaes512() {
                Kind::Vaes512(schedule)
            } else if x86_64::has_vaes256() {
                Kind::Vaes256(schedule)
            } else {
                Kind::Aes(schedule)
            });
        }
        Self(Kind::Portable(portable::Cipher::new(key)))
    }

    /// What the kernels of this machine run on.
    pub(crate) fn instructions() -> &'static str {
        match Self::new(0).0 {
            Kind::Portable(_) => "the aes crate",
            #[cfg(target_arch = "x86_64")]
            Kind::Aes(_) => "AES-NI",
            #[cfg(target_arch = "x86_64")]
            Kind::Vaes256(_) => "VAES, 256 bits",
            #[cfg(target_arch = "x86_64")]
            Kind::Vaes512(_) => "VAES, 512 bits",
        }
    }

    /// Every kind this machine can run.
    #[cfg(test)]
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut, reason = "there is one kind"))]
    fn all(key: u128) -> Vec<Self> {
        let mut all = vec![Self(Kind::Portable(portable::Cipher::new(key)))];
        #[cfg(target_arch = "x86_64")]
        if let Some(schedule) = x86_64::Schedule::new(key) {
            all.push(Self(Kind::Aes(schedule.clone())));
            if x86_64::has_vaes256() {
                all.push(Self(Kind::Vaes256(schedule.clone())));
            }
            if x86_64::has_vaes512() {
                all.push(Self(Kind::Vaes512(schedule)));
            }
        }
        all
    }

    /// Replaces every x by π(x).
    #[inline]
    pub(crate) fn encrypt(&self, blocks: &mut [u128]) {
        dispatch!(self, encrypt(blocks));
    }

    /// Replaces every x by π(x) ^ x.
    #[inline]
    pub(crate) fn hash(&self, blocks: &mut [u128]) {
        dispatch!(self, hash(blocks));
    }

    /// `outputs[i] = H(inputs[i] ^ offset)`.
    #[inline]
    pub(crate) fn hash_offset(&self, inputs: &[u128], offset: u128, outputs: &mut [u128]) {
        assert!(inputs.len() == outputs.len(), "one output an input");
        dispatch!(self, hash_offset(inputs, offset, outputs));
    }

    /// Replaces the first `nodes` nodes x of every tree, after `patch`, by H(σ(x)) and the next `nodes` nodes by
    /// x ^ H(σ(x)); returns the sums of the former.
    #[inline]
    pub(crate) fn expand(&self, buffer: &mut [u128], nodes: usize, patch: &Patch) -> [u128; GROUP] {
        let (left, right) = buffer.split_at_mut(nodes * GROUP);
        dispatch!(self, expand(left, &mut right[..nodes * GROUP], patch))
    }

    /// As [`FixedKey::expand`] with the children written to `leaves`, their least significant bits cleared.
    #[inline]
    pub(crate) fn expand_last(&self, parents: &[u128], leaves: &mut [u128], patch: &Patch) -> [u128; GROUP] {
        assert!(leaves.len() == 2 * parents.len(), "two leaves a parent");
        let (left, right) = leaves.split_at_mut(parents.len());
        dispatch!(self, expand_last(parents, left, right, patch))
    }

    /// Applies a patch to a level.
    #[inline]
    pub(crate) fn patch(&self, nodes: &mut [u128], patch: &Patch) {
        dispatch!(self, apply(nodes, patch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, seed: u64) -> Vec<u128> {
        let mut state = u128::from(seed) << 64 | 0x9e37_79b9_7f4a_7c15;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
                state ^ (state >> 61)
            })
            .collect()
    }

    fn patch(nodes: u64) -> Patch {
        let places = [[0, nodes - 1, 1, 3 % nodes], [nodes - 1, 0, 0, 5]];
        let values = noise(2 * GROUP, 4);
        Patch {
            places,
            values: [values[..GROUP].try_into().expect("four"), values[GROUP..].try_into().expect("four")],
        }
    }

    #[test]
    fn agrees_with_fips_197() {
        let block = |hex: u128| hex.swap_bytes();
        let input = block(0x3243_f6a8_885a_308d_3131_98a2_e037_0734);
        for cipher in FixedKey::all(block(0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c)) {
            let mut blocks = [input; 70];
            cipher.hash(&mut blocks);
            assert_eq!(blocks, [block(0x3925_841d_02dc_09fb_dc11_8597_196a_0b32) ^ input; 70]);
        }
    }

    #[test]
    fn all_kernels_hash_alike() {
        for len in (0..70).chain([128, 1000]) {
            let input = noise(len, 1);
            let outputs = FixedKey::all(77).into_iter().map(|cipher| {
                let mut blocks = input.clone();
                cipher.hash(&mut blocks);
                let shifted: Vec<u128> = input.iter().map(|x| x ^ 99).collect();
                let mut outputs = vec![0; len];
                cipher.hash_offset(&shifted, 99, &mut outputs);
                assert_eq!(outputs, blocks);
                let mut permuted = input.clone();
                cipher.encrypt(&mut permuted);
                assert!(permuted.iter().zip(&input).zip(&blocks).all(|((p, x), h)| p ^ x == *h));
                blocks
            });
            let outputs: Vec<_> = outputs.collect();
            assert!(outputs.iter().all(|output| *output == outputs[0]), "length {len}");
        }
    }

    #[test]
    fn all_kernels_grow_trees_alike() {
        for nodes in [1, 2, 3, 6, 12, 24, 48, 96, 192] {
            let run = |cipher: FixedKey| {
                let mut buffer = noise(2 * nodes * GROUP, 2);
                let mut leaves = vec![0; 2 * nodes * GROUP];
                let last = cipher.expand_last(&buffer[..nodes * GROUP], &mut leaves, &patch(nodes as u64));
                let sums = cipher.expand(&mut buffer, nodes, &patch(nodes as u64));
                let blank = cipher.clone();
                let mut unpatched = buffer.clone();
                blank.expand(&mut unpatched, nodes, &Patch::NONE);
                let mut patched = buffer.clone();
                cipher.patch(&mut patched, &patch(nodes as u64));
                (leaves, last, buffer, sums, unpatched, patched)
            };
            let mut all = FixedKey::all(3).into_iter().map(run);
            let first = all.next().expect("portable is always there");
            assert_eq!(first.1, first.3);
            assert!(first.0.iter().zip(&first.2).all(|(leaf, node)| *leaf == node & !1));
            assert!(all.all(|other| other == first), "{nodes} nodes");
        }
    }
}
