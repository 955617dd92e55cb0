//! Negacyclic number-theoretic transforms modulo primes below 2^26.
//!
//! The forward transform takes coefficients in natural order to evaluations in bit-reversed order: index i holds
//! the value at psi^{2 brv(i) + 1}. After t of its stages the array is 2^t blocks, each a polynomial modulo
//! `X^{n / 2^t}` minus a constant; a polynomial in `X^g` is therefore constant on blocks of g values.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "calls of code for an instruction set, behind a run-time check of the CPU")
)]

#[cfg(target_arch = "x86_64")]
mod x86_64;

use super::residues::widest;
#[cfg(target_arch = "x86_64")]
use x86_64::{avx2, avx512};

/// Lanes of the widest kernel, whose twiddles are stored transposed.
pub(crate) const LANES: usize = 16;

/// A twiddle factor: its Montgomery form w and w / p mod 2^32.
pub(crate) type Twiddle = [u32; 2];

/// What the kernels need to know of a transform.
#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "the kernels for x86-64 and tests read it all")
)]
pub(crate) struct Twiddles {
    /// The prime p.
    p: u32,
    /// Index `m + i` is for block i of the stage with m blocks: `psi^brv(m + i)`.
    forward: Vec<Twiddle>,
    /// Its inverses; index 1 is multiplied by `1 / n` as well.
    inverse: Vec<Twiddle>,
    /// `1 / n`.
    scale: Twiddle,
    /// The last four stages of the forward transform with one lane a row, 15 pairs of vectors for 256 values.
    forward_lanes: Vec<[u32; LANES]>,
    /// The first four stages of the inverse.
    inverse_lanes: Vec<[u32; LANES]>,
    /// The same for the last, and first, three stages and 64 values.
    forward_lanes8: Vec<[u32; 8]>,
    inverse_lanes8: Vec<[u32; 8]>,
}

impl Twiddles {
    /// Arranges twiddle factors in their natural (bit-reversed) order for the kernels.
    pub(crate) fn new(p: u32, forward: Vec<Twiddle>, inverse: Vec<Twiddle>, scale: Twiddle) -> Self {
        let forward_lanes = lanes(&forward, [8, 4, 2, 1]);
        let inverse_lanes = lanes(&inverse, [1, 2, 4, 8]);
        let forward_lanes8 = lanes(&forward, [4, 2, 1]);
        let inverse_lanes8 = lanes(&inverse, [1, 2, 4]);
        Self { p, forward, inverse, scale, forward_lanes, inverse_lanes, forward_lanes8, inverse_lanes8 }
    }

    /// The number of coefficients.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "as above"))]
    pub(crate) fn len(&self) -> usize {
        self.forward.len()
    }
}

/// Transforms reduced coefficients in place; the result is reduced.
///
/// A slice shorter than the table's transform, a power of two as well, is taken as a polynomial in `X^g`, where
/// g is the quotient of the lengths.
pub(crate) fn forward(values: &mut [u32], twiddles: &Twiddles) {
    #[cfg(target_arch = "x86_64")]
    if values.len() == twiddles.len()
        && (avx512::forward(values, twiddles) || avx2::forward(values, twiddles))
    {
        return;
    }
    forward_portable(values, twiddles);
}

widest! {
    /// Transforms polynomials side by side: `width` vectors are a row, a coefficient of all of them. As [`forward`] does with
    /// slices shorter than the table's transform.
    fn forward_rows(values: &mut [[u32; LANES]], width: usize, twiddles: &Twiddles) {
        let p = twiddles.p;
        let (mut blocks, mut len) = (1, values.len() / 2);
        while len >= width {
            for (block, &w) in values.chunks_exact_mut(2 * len).zip(&twiddles.forward[blocks..]) {
                let (low, high) = block.split_at_mut(len);
                for (u, v) in low.iter_mut().zip(high) {
                    for lane in 0..LANES {
                        [u[lane], v[lane]] = butterfly(u[lane], v[lane], w, p);
                    }
                }
            }
            (blocks, len) = (2 * blocks, len / 2);
        }
        for v in values.iter_mut().flatten() {
            *v = reduce(reduce(*v, 2 * p), p);
        }
    }
}

/// The inverse of [`forward`] on the full length.
pub(crate) fn inverse(values: &mut [u32], twiddles: &Twiddles) {
    #[cfg(target_arch = "x86_64")]
    if avx512::inverse(values, twiddles) || avx2::inverse(values, twiddles) {
        return;
    }
    inverse_portable(values, twiddles);
}

/// One vector of twiddles for each position of a block of as many rows as it has lanes, stage by stage.
fn lanes<const L: usize, const S: usize>(natural: &[Twiddle], lengths: [usize; S]) -> Vec<[u32; L]> {
    let n = natural.len();
    let mut out = Vec::new();
    for block in 0..n / (L * L) {
        for len in lengths {
            let groups = L / (2 * len);
            for group in 0..groups {
                let at = |row: usize| natural[n / (2 * len) + (block * L + row) * groups + group];
                out.push(core::array::from_fn(|row| at(row)[0]));
                out.push(core::array::from_fn(|row| at(row)[1]));
            }
        }
    }
    out
}

/// Cooley-Tukey butterflies with values in `[0, 4p)` between stages.
pub(crate) fn forward_portable(values: &mut [u32], twiddles: &Twiddles) {
    let p = twiddles.p;
    let (mut blocks, mut len) = (1, values.len() / 2);
    while len > 0 {
        for (block, &w) in values.chunks_exact_mut(2 * len).zip(&twiddles.forward[blocks..]) {
            let (low, high) = block.split_at_mut(len);
            for (u, v) in low.iter_mut().zip(high) {
                [*u, *v] = butterfly(*u, *v, w, p);
            }
        }
        (blocks, len) = (2 * blocks, len / 2);
    }
    for v in values {
        *v = reduce(reduce(*v, 2 * p), p);
    }
}

/// Gentleman-Sande butterflies with values in `[0, 2p)` between stages.
pub(crate) fn inverse_portable(values: &mut [u32], twiddles: &Twiddles) {
    let p = twiddles.p;
    let (mut blocks, mut len) = (values.len() / 2, 1);
    while blocks > 0 {
        for (block, &w) in values.chunks_exact_mut(2 * len).zip(&twiddles.inverse[blocks..]) {
            let (low, high) = block.split_at_mut(len);
            for (u, v) in low.iter_mut().zip(high) {
                let difference = *u + 2 * p - *v;
                *u = reduce(*u + *v, 2 * p);
                *v = mul_lazy(difference, w, p);
            }
        }
        (blocks, len) = (blocks / 2, 2 * len);
    }
    let (low, high) = values.split_at_mut(values.len() / 2);
    for (u, v) in low.iter_mut().zip(high) {
        *u = reduce(mul_lazy(*u, twiddles.scale, p), p);
        *v = reduce(*v, p);
    }
}

/// `u + v w` and `u - v w` in `[0, 4p)` for `u` there and any `v`.
#[inline(always)]
fn butterfly(u: u32, v: u32, w: Twiddle, p: u32) -> [u32; 2] {
    let (t, reduced) = (mul_lazy(v, w, p), reduce(u, 2 * p));
    [reduced + t, reduced + 2 * p - t]
}

/// `v · w / 2^32` in `(0, 2p)` for any `v`.
#[inline(always)]
fn mul_lazy(v: u32, w: Twiddle, p: u32) -> u32 {
    let high = ((u64::from(v) * u64::from(w[0])) >> 32) as u32;
    let q = v.wrapping_mul(w[1]);
    let correction = ((u64::from(q) * u64::from(p)) >> 32) as u32;
    high.wrapping_sub(correction).wrapping_add(p)
}

/// Takes `modulus` off once when that does not wrap.
#[inline(always)]
fn reduce(v: u32, modulus: u32) -> u32 {
    v.min(v.wrapping_sub(modulus))
}

#[cfg(test)]
#[cfg(target_arch = "x86_64")]
pub(crate) mod half {
    //! The kernels of the narrower instruction set, which a CPU with the wider one does not choose.

    use super::{Twiddles, avx2};

    /// Whether the CPU has it; if so, transforms.
    pub(crate) fn forward(values: &mut [u32], twiddles: &Twiddles) -> bool {
        avx2::forward(values, twiddles)
    }

    /// Whether the CPU has it; if so, transforms back.
    pub(crate) fn inverse(values: &mut [u32], twiddles: &Twiddles) -> bool {
        avx2::inverse(values, twiddles)
    }
}
