//! AVX2: 8 values a vector; the stages inside a vector work on transposed blocks of 64 values.

#![expect(unsafe_code, reason = "vector loads and stores, and calls behind a run-time check of the CPU")]

use super::Twiddles;
use core::arch::x86_64::*;

/// Lanes of a vector.
const LANES: usize = 8;

/// One vector in memory.
type Vector = [u32; LANES];

/// Whether this CPU and this length are served; if so, transforms.
pub(super) fn forward(values: &mut [u32], twiddles: &Twiddles) -> bool {
    let (vectors, rest) = values.as_chunks_mut::<LANES>();
    if vectors.len() % LANES != 0 || !rest.is_empty() || !is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: the CPU has AVX2, checked above.
    unsafe { forward_vectors(vectors, twiddles) };
    true
}

/// Whether this CPU and this length are served; if so, transforms back.
pub(super) fn inverse(values: &mut [u32], twiddles: &Twiddles) -> bool {
    let (vectors, rest) = values.as_chunks_mut::<LANES>();
    if vectors.len() % LANES != 0 || !rest.is_empty() || !is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: the CPU has AVX2, checked above.
    unsafe { inverse_vectors(vectors, twiddles) };
    true
}

#[target_feature(enable = "avx2")]
fn forward_vectors(values: &mut [Vector], t: &Twiddles) {
    let p = _mm256_set1_epi32(t.p as i32);
    let p2 = _mm256_set1_epi32(2 * t.p as i32);
    let (mut blocks, mut len) = (1, values.len() / 2);
    if values.len().ilog2() % 2 == 1 {
        let w = Factor::splat(t.forward[1]);
        let (low, high) = values.split_at_mut(len);
        for (u, v) in low.iter_mut().zip(high) {
            let (mut a, mut b) = (load(u), load(v));
            butterfly(&mut a, &mut b, w, p, p2);
            store(u, a);
            store(v, b);
        }
        (blocks, len) = (2, len / 2);
    }
    // Two stages at a time.
    while len > 0 {
        for (i, block) in values.chunks_exact_mut(2 * len).enumerate() {
            let outer = Factor::splat(t.forward[blocks + i]);
            let left = Factor::splat(t.forward[2 * (blocks + i)]);
            let right = Factor::splat(t.forward[2 * (blocks + i) + 1]);
            let (low, high) = block.split_at_mut(len);
            let (a, b) = low.split_at_mut(len / 2);
            let (c, d) = high.split_at_mut(len / 2);
            for ((a, b), (c, d)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(d)) {
                let (mut x, mut y, mut z, mut s) = (load(a), load(b), load(c), load(d));
                butterfly(&mut x, &mut z, outer, p, p2);
                butterfly(&mut y, &mut s, outer, p, p2);
                butterfly(&mut x, &mut y, left, p, p2);
                butterfly(&mut z, &mut s, right, p, p2);
                store(a, x);
                store(b, y);
                store(c, z);
                store(d, s);
            }
        }
        (blocks, len) = (4 * blocks, len / 4);
    }
    for (block, lanes) in values.chunks_exact_mut(LANES).zip(t.forward_lanes8.chunks_exact(14)) {
        let mut rows = load_all(block);
        transpose(&mut rows);
        let mut factors = lanes.chunks_exact(2);
        for len in [4, 2, 1] {
            for pair in rows.chunks_exact_mut(2 * len) {
                let f = factors.next().expect("7 factors a block");
                let w = Factor::lanes(&f[0], &f[1]);
                let (low, high) = pair.split_at_mut(len);
                for (u, v) in low.iter_mut().zip(high) {
                    butterfly(u, v, w, p, p2);
                }
            }
        }
        transpose(&mut rows);
        for (row, slot) in rows.iter().zip(block) {
            store(slot, reduce(reduce(*row, p2), p));
        }
    }
}

#[target_feature(enable = "avx2")]
fn inverse_vectors(values: &mut [Vector], t: &Twiddles) {
    let p = _mm256_set1_epi32(t.p as i32);
    let p2 = _mm256_set1_epi32(2 * t.p as i32);
    for (block, lanes) in values.chunks_exact_mut(LANES).zip(t.inverse_lanes8.chunks_exact(14)) {
        let mut rows = load_all(block);
        transpose(&mut rows);
        let mut factors = lanes.chunks_exact(2);
        for len in [1, 2, 4] {
            for pair in rows.chunks_exact_mut(2 * len) {
                let f = factors.next().expect("7 factors a block");
                let w = Factor::lanes(&f[0], &f[1]);
                let (low, high) = pair.split_at_mut(len);
                for (u, v) in low.iter_mut().zip(high) {
                    inverse_butterfly(u, v, w, p, p2);
                }
            }
        }
        transpose(&mut rows);
        for (row, slot) in rows.iter().zip(block) {
            store(slot, *row);
        }
    }
    let (mut blocks, mut len) = (values.len() / 2, 1);
    // Two stages at a time while at least three are left: the last one also divides by n.
    while blocks > 2 {
        for (i, block) in values.chunks_exact_mut(4 * len).enumerate() {
            let left = Factor::splat(t.inverse[blocks + 2 * i]);
            let right = Factor::splat(t.inverse[blocks + 2 * i + 1]);
            let outer = Factor::splat(t.inverse[blocks / 2 + i]);
            let (low, high) = block.split_at_mut(2 * len);
            let (a, b) = low.split_at_mut(len);
            let (c, d) = high.split_at_mut(len);
            for ((a, b), (c, d)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(d)) {
                let (mut x, mut y, mut z, mut s) = (load(a), load(b), load(c), load(d));
                inverse_butterfly(&mut x, &mut y, left, p, p2);
                inverse_butterfly(&mut z, &mut s, right, p, p2);
                inverse_butterfly(&mut x, &mut z, outer, p, p2);
                inverse_butterfly(&mut y, &mut s, outer, p, p2);
                store(a, x);
                store(b, y);
                store(c, z);
                store(d, s);
            }
        }
        (blocks, len) = (blocks / 4, 4 * len);
    }
    if blocks == 2 {
        for (i, block) in values.chunks_exact_mut(2 * len).enumerate() {
            let w = Factor::splat(t.inverse[2 + i]);
            let (low, high) = block.split_at_mut(len);
            for (u, v) in low.iter_mut().zip(high) {
                let (mut a, mut b) = (load(u), load(v));
                inverse_butterfly(&mut a, &mut b, w, p, p2);
                store(u, a);
                store(v, b);
            }
        }
        len *= 2;
    }
    let (w, scale) = (Factor::splat(t.inverse[1]), Factor::splat(t.scale));
    let (low, high) = values.split_at_mut(len);
    for (u, v) in low.iter_mut().zip(high) {
        let (mut a, mut b) = (load(u), load(v));
        inverse_butterfly(&mut a, &mut b, w, p, p2);
        store(u, reduce(scale.mul(a, p), p));
        store(v, reduce(b, p));
    }
}

/// A vector of twiddle factors with the odd lanes beside it.
#[derive(Clone, Copy)]
struct Factor {
    even: __m256i,
    odd: __m256i,
    quotient: __m256i,
}

impl Factor {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn splat([w, quotient]: [u32; 2]) -> Self {
        let even = _mm256_set1_epi32(w as i32);
        Self { even, odd: even, quotient: _mm256_set1_epi32(quotient as i32) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn lanes(w: &Vector, quotient: &Vector) -> Self {
        let even = load(w);
        Self { even, odd: _mm256_srli_epi64::<32>(even), quotient: load(quotient) }
    }

    /// The product divided by 2^32, in `(0, 2p)`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn mul(self, v: __m256i, p: __m256i) -> __m256i {
        let even = _mm256_mul_epu32(v, self.even);
        let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(v), self.odd);
        let q = _mm256_mullo_epi32(v, self.quotient);
        let even = _mm256_sub_epi64(even, _mm256_mul_epu32(q, p));
        let odd = _mm256_sub_epi64(odd, _mm256_mul_epu32(_mm256_srli_epi64::<32>(q), p));
        // The low halves cancelled; the high halves are the differences.
        let high = _mm256_blend_epi32::<0xAA>(_mm256_srli_epi64::<32>(even), odd);
        _mm256_add_epi32(high, p)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn butterfly(u: &mut __m256i, v: &mut __m256i, w: Factor, p: __m256i, p2: __m256i) {
    let t = w.mul(*v, p);
    let reduced = reduce(*u, p2);
    *u = _mm256_add_epi32(reduced, t);
    *v = _mm256_add_epi32(_mm256_sub_epi32(reduced, t), p2);
}

#[inline]
#[target_feature(enable = "avx2")]
fn inverse_butterfly(u: &mut __m256i, v: &mut __m256i, w: Factor, p: __m256i, p2: __m256i) {
    let difference = _mm256_add_epi32(_mm256_sub_epi32(*u, *v), p2);
    *u = reduce(_mm256_add_epi32(*u, *v), p2);
    *v = w.mul(difference, p);
}

#[inline]
#[target_feature(enable = "avx2")]
fn reduce(v: __m256i, modulus: __m256i) -> __m256i {
    _mm256_min_epu32(v, _mm256_sub_epi32(v, modulus))
}

/// Transposes an 8 x 8 matrix of 32-bit values.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose(r: &mut [__m256i; LANES]) {
    let mut t = *r;
    for i in 0..4 {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..2 {
        for j in 0..2 {
            r[4 * i + 2 * j] = _mm256_unpacklo_epi64(t[4 * i + j], t[4 * i + 2 + j]);
            r[4 * i + 2 * j + 1] = _mm256_unpackhi_epi64(t[4 * i + j], t[4 * i + 2 + j]);
        }
    }
    for i in 0..4 {
        t[i] = _mm256_permute2x128_si256::<0x20>(r[i], r[i + 4]);
        t[i + 4] = _mm256_permute2x128_si256::<0x31>(r[i], r[i + 4]);
    }
    *r = t;
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_all(block: &[Vector]) -> [__m256i; LANES] {
    core::array::from_fn(|i| load(&block[i]))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(v: &Vector) -> __m256i {
    // SAFETY: the reference is valid for 32 bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(v.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(slot: &mut Vector, v: __m256i) {
    // SAFETY: the reference is valid for 32 bytes; the store needs no alignment.
    unsafe { _mm256_storeu_si256(slot.as_mut_ptr().cast(), v) }
}
