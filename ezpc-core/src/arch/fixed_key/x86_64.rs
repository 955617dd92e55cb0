//! The kernels on AES-NI and on VAES with 256 and 512 bits.

mod vector;

use bytemuck::{must_cast, must_cast_mut, must_cast_ref};
use core::arch::x86_64::{
    __m128i, _mm_aeskeygenassist_si128, _mm_shuffle_epi32, _mm_slli_si128, _mm_xor_si128,
};
use zeroize::Zeroize;

/// The round keys of a key; wiped when dropped.
#[derive(Clone)]
pub(super) struct Schedule([__m128i; 11]);

impl Drop for Schedule {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Schedule {
    /// The schedule, where the processor has AES instructions.
    pub(super) fn new(key: u128) -> Option<Self> {
        if !(detected!("aes") && detected!("sse4.1")) {
            return None;
        }
        #[allow(unsafe_code, reason = "calls a kernel for the detected instruction set")]
        // SAFETY: the instruction sets were just detected.
        Some(unsafe { schedule(must_cast(key)) })
    }
}

pub(super) fn has_vaes256() -> bool {
    detected!("vaes") && detected!("avx2")
}

pub(super) fn has_vaes512() -> bool {
    detected!("vaes") && detected!("avx512f")
}

/// FIPS-197, 5.2.
#[target_feature(enable = "aes,sse4.1")]
fn schedule(key: __m128i) -> Schedule {
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn next<const ROUND_CONSTANT: i32>(key: __m128i) -> __m128i {
        let word = _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<ROUND_CONSTANT>(key));
        let key = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
        let key = _mm_xor_si128(key, _mm_slli_si128::<8>(key));
        _mm_xor_si128(key, word)
    }
    let mut keys = [key; 11];
    keys[1] = next::<0x01>(keys[0]);
    keys[2] = next::<0x02>(keys[1]);
    keys[3] = next::<0x04>(keys[2]);
    keys[4] = next::<0x08>(keys[3]);
    keys[5] = next::<0x10>(keys[4]);
    keys[6] = next::<0x20>(keys[5]);
    keys[7] = next::<0x40>(keys[6]);
    keys[8] = next::<0x80>(keys[7]);
    keys[9] = next::<0x1b>(keys[8]);
    keys[10] = next::<0x36>(keys[9]);
    Schedule(keys)
}

/// The kernels for one vector type: the module's constants and primitives come as arguments.
macro_rules! kernels {
    ($module:ident, $features:literal, $vector:ty, $blocks:literal, $primitives:ident) => {
        pub(super) mod $module {
            use super::super::{GROUP, Patch};
            use super::vector::$primitives as primitives;
            use super::{Schedule, must_cast, must_cast_mut, must_cast_ref};
            #[allow(unused_imports, reason = "each instance uses its own vector type")]
            use core::arch::x86_64::*;

            /// Blocks in a vector.
            const BLOCKS: usize = $blocks;
            /// Vectors in flight.
            const FLIGHT: usize = 8;
            /// Vectors in the nodes of a group.
            const SPAN: usize = GROUP / BLOCKS;

            type Vector = $vector;
            type Keys = [Vector; 11];

            #[inline]
            #[target_feature(enable = $features)]
            fn keys(schedule: &Schedule) -> Keys {
                let mut keys = [primitives::zero(); 11];
                for (key, &round) in keys.iter_mut().zip(&schedule.0) {
                    *key = primitives::broadcast(round);
                }
                keys
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn load(blocks: &[u128; BLOCKS]) -> Vector {
                must_cast(*blocks)
            }

            /// π(x) ^ x, or π(x) without the feed-forward, N vectors in flight.
            #[inline]
            #[target_feature(enable = $features)]
            fn permute<const N: usize, const FEED: bool>(keys: &Keys, inputs: &[Vector; N]) -> [Vector; N] {
                let mut state = *inputs;
                for x in &mut state {
                    *x = primitives::xor(*x, keys[0]);
                }
                for key in &keys[1..10] {
                    for x in &mut state {
                        *x = primitives::round(*x, *key);
                    }
                }
                for (x, input) in state.iter_mut().zip(inputs) {
                    let last = if FEED { primitives::xor(keys[10], *input) } else { keys[10] };
                    *x = primitives::last_round(*x, last);
                }
                state
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn mmo<const N: usize>(keys: &Keys, inputs: &[Vector; N]) -> [Vector; N] {
                permute::<N, true>(keys, inputs)
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn each<const FEED: bool>(schedule: &Schedule, blocks: &mut [u128]) {
                let keys = keys(schedule);
                let (vectors, rest) = blocks.as_chunks_mut::<BLOCKS>();
                let (flights, single) = vectors.as_chunks_mut::<FLIGHT>();
                for flight in flights {
                    let mut inputs = [primitives::zero(); FLIGHT];
                    for (input, blocks) in inputs.iter_mut().zip(&*flight) {
                        *input = load(blocks);
                    }
                    let outputs = permute::<FLIGHT, FEED>(&keys, &inputs);
                    for (blocks, output) in flight.iter_mut().zip(outputs) {
                        *blocks = must_cast(output);
                    }
                }
                for blocks in single {
                    let [output] = permute::<1, FEED>(&keys, &[load(blocks)]);
                    *blocks = must_cast(output);
                }
                if !rest.is_empty() {
                    let mut padded = [0; BLOCKS];
                    padded[..rest.len()].copy_from_slice(rest);
                    let [output] = permute::<1, FEED>(&keys, &[load(&padded)]);
                    let padded: [u128; BLOCKS] = must_cast(output);
                    rest.copy_from_slice(&padded[..rest.len()]);
                }
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn hash(schedule: &Schedule, blocks: &mut [u128]) {
                each::<true>(schedule, blocks);
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn encrypt(schedule: &Schedule, blocks: &mut [u128]) {
                each::<false>(schedule, blocks);
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn hash_offset(
                schedule: &Schedule,
                inputs: &[u128],
                offset: u128,
                outputs: &mut [u128],
            ) {
                let keys = keys(schedule);
                let offset = primitives::broadcast(must_cast(offset));
                let (inputs, inputs_rest) = inputs.as_chunks::<BLOCKS>();
                let (outputs, outputs_rest) = outputs.as_chunks_mut::<BLOCKS>();
                let (inputs, inputs_single) = inputs.as_chunks::<FLIGHT>();
                let (outputs, outputs_single) = outputs.as_chunks_mut::<FLIGHT>();
                for (inputs, outputs) in inputs.iter().zip(outputs) {
                    let mut vectors = [primitives::zero(); FLIGHT];
                    for (vector, blocks) in vectors.iter_mut().zip(inputs) {
                        *vector = primitives::xor(load(blocks), offset);
                    }
                    let hashes = mmo(&keys, &vectors);
                    for (blocks, hash) in outputs.iter_mut().zip(hashes) {
                        *blocks = must_cast(hash);
                    }
                }
                for (input, output) in inputs_single.iter().zip(outputs_single) {
                    let [hash] = mmo(&keys, &[primitives::xor(load(input), offset)]);
                    *output = must_cast(hash);
                }
                if !inputs_rest.is_empty() {
                    let mut padded = [0; BLOCKS];
                    padded[..inputs_rest.len()].copy_from_slice(inputs_rest);
                    let [hash] = mmo(&keys, &[primitives::xor(load(&padded), offset)]);
                    let hash: [u128; BLOCKS] = must_cast(hash);
                    outputs_rest.copy_from_slice(&hash[..inputs_rest.len()]);
                }
            }

            /// A patch as vectors: every place twice, one for each 64-bit lane of a block.
            struct Patches {
                places: [[Vector; SPAN]; 2],
                values: [[Vector; SPAN]; 2],
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn patches(patch: &Patch) -> Patches {
                let lanes = |places: &[u64; GROUP]| -> [Vector; SPAN] {
                    must_cast(places.map(|place| u128::from(place) << 64 | u128::from(place)))
                };
                Patches {
                    places: [lanes(&patch.places[0]), lanes(&patch.places[1])],
                    values: [must_cast(patch.values[0]), must_cast(patch.values[1])],
                }
            }

            /// Vector `j` of node `n`, patched.
            #[inline]
            #[target_feature(enable = $features)]
            fn patched(patches: &Patches, n: usize, j: usize, x: Vector) -> Vector {
                let n = primitives::lanes(n as i64);
                let x = primitives::xor_where_equal(x, patches.places[0][j], n, patches.values[0][j]);
                primitives::xor_where_equal(x, patches.places[1][j], n, patches.values[1][j])
            }

            /// N nodes from node `n` on, patched.
            #[inline]
            #[target_feature(enable = $features)]
            fn nodes<const N: usize>(
                patches: &Patches,
                n: usize,
                nodes: &[[u128; GROUP]; N],
            ) -> [[Vector; SPAN]; N] {
                let mut vectors = [[primitives::zero(); SPAN]; N];
                for (i, (vectors, node)) in vectors.iter_mut().zip(nodes).enumerate() {
                    let node: &[[u128; BLOCKS]; SPAN] = must_cast_ref(node);
                    for (j, vector) in vectors.iter_mut().enumerate() {
                        *vector = patched(patches, n + i, j, load(&node[j]));
                    }
                }
                vectors
            }

            /// Writes the bits `keep` of the children of N nodes, and adds the left ones to `sums`.
            #[inline]
            #[target_feature(enable = $features)]
            fn children<const N: usize>(
                keys: &Keys,
                keep: Vector,
                nodes: &[[Vector; SPAN]; N],
                sums: &mut [Vector; SPAN],
                left: &mut [[u128; GROUP]; N],
                right: &mut [[u128; GROUP]; N],
            ) {
                // Rounds of all vectors of all nodes together.
                let mut state = *nodes;
                for x in state.as_flattened_mut() {
                    *x = primitives::xor(primitives::sigma(*x), keys[0]);
                }
                for key in &keys[1..10] {
                    for x in state.as_flattened_mut() {
                        *x = primitives::round(*x, *key);
                    }
                }
                for i in 0..N {
                    let left: &mut [[u128; BLOCKS]; SPAN] = must_cast_mut(&mut left[i]);
                    let right: &mut [[u128; BLOCKS]; SPAN] = must_cast_mut(&mut right[i]);
                    for j in 0..SPAN {
                        let last = primitives::xor(keys[10], primitives::sigma(nodes[i][j]));
                        let child = primitives::last_round(state[i][j], last);
                        sums[j] = primitives::xor(sums[j], child);
                        left[j] = must_cast(primitives::and(child, keep));
                        right[j] = must_cast(primitives::and(primitives::xor(nodes[i][j], child), keep));
                    }
                }
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn expand(
                schedule: &Schedule,
                left: &mut [u128],
                right: &mut [u128],
                patch: &Patch,
            ) -> [u128; GROUP] {
                const NODES: usize = FLIGHT / SPAN;
                let (keys, patches, keep) = (keys(schedule), patches(patch), primitives::lanes(-1));
                let mut sums = [primitives::zero(); SPAN];
                let (left, left_rest) = left.as_chunks_mut::<GROUP>().0.as_chunks_mut::<NODES>();
                let (right, right_rest) = right.as_chunks_mut::<GROUP>().0.as_chunks_mut::<NODES>();
                let done = left.len() * NODES;
                for (i, (left, right)) in left.iter_mut().zip(right).enumerate() {
                    let parents = nodes(&patches, i * NODES, left);
                    children(&keys, keep, &parents, &mut sums, left, right);
                }
                let (left, _) = left_rest.as_chunks_mut::<1>();
                let (right, _) = right_rest.as_chunks_mut::<1>();
                for (i, (left, right)) in left.iter_mut().zip(right).enumerate() {
                    let parents = nodes(&patches, done + i, left);
                    children(&keys, keep, &parents, &mut sums, left, right);
                }
                must_cast(sums)
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn expand_last(
                schedule: &Schedule,
                parents: &[u128],
                left: &mut [u128],
                right: &mut [u128],
                patch: &Patch,
            ) -> [u128; GROUP] {
                const NODES: usize = FLIGHT / SPAN;
                let (keys, patches) = (keys(schedule), patches(patch));
                let keep = primitives::broadcast(must_cast(!1_u128));
                let mut sums = [primitives::zero(); SPAN];
                let (parents, parents_rest) = parents.as_chunks::<GROUP>().0.as_chunks::<NODES>();
                let (left, left_rest) = left.as_chunks_mut::<GROUP>().0.as_chunks_mut::<NODES>();
                let (right, right_rest) = right.as_chunks_mut::<GROUP>().0.as_chunks_mut::<NODES>();
                let done = parents.len() * NODES;
                for (i, (parents, (left, right))) in
                    parents.iter().zip(left.iter_mut().zip(right)).enumerate()
                {
                    let parents = nodes(&patches, i * NODES, parents);
                    children(&keys, keep, &parents, &mut sums, left, right);
                }
                let (parents, _) = parents_rest.as_chunks::<1>();
                let (left, _) = left_rest.as_chunks_mut::<1>();
                let (right, _) = right_rest.as_chunks_mut::<1>();
                for (i, (parents, (left, right))) in
                    parents.iter().zip(left.iter_mut().zip(right)).enumerate()
                {
                    let parents = nodes(&patches, done + i, parents);
                    children(&keys, keep, &parents, &mut sums, left, right);
                }
                must_cast(sums)
            }

            #[target_feature(enable = $features)]
            pub(in super::super) fn apply(_: &Schedule, nodes: &mut [u128], patch: &Patch) {
                let patches = patches(patch);
                for (n, node) in nodes.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
                    let node: &mut [[u128; BLOCKS]; SPAN] = must_cast_mut(node);
                    for (j, blocks) in node.iter_mut().enumerate() {
                        *blocks = must_cast(patched(&patches, n, j, load(blocks)));
                    }
                }
            }
        }
    };
}

kernels!(aes, "aes,sse4.1", __m128i, 1, sse);
kernels!(vaes256, "avx2,vaes", __m256i, 2, avx2);
kernels!(vaes512, "avx512f,vaes", __m512i, 4, avx512);
