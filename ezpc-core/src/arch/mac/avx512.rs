//! AVX-512: even and odd lanes apart in 64-bit sums, four rows by two columns in registers. Where the CPU has fused
//! multiply-adds of 52-bit integers, they take the products, which have 52 bits, and their sums in one instruction.

#![expect(unsafe_code, reason = "vector loads and stores, and calls behind a run-time check of the CPU")]

use super::{LANES, Prime, ROWS, Target, Weights};
use core::arch::x86_64::*;

/// Whether this CPU is served; if so, multiplies.
pub(super) fn multiply(
    m: Prime,
    x: &[[u32; LANES]],
    columns: usize,
    w: Weights<'_>,
    target: &mut Target<'_>,
) -> bool {
    if !columns.is_multiple_of(2) || !detected!("avx512f") {
        return false;
    }
    let fused = detected!("avx512ifma");
    match (w, fused) {
        (Weights::Vectors(w), false) => {
            // SAFETY: the CPU has AVX-512F, checked above.
            unsafe { separate::run(m, x, columns, w, target) }
        }
        (Weights::Scalars(w), false) => {
            // SAFETY: the CPU has AVX-512F, checked above.
            unsafe { separate::run(m, x, columns, w, target) }
        }
        (Weights::Vectors(w), true) => {
            // SAFETY: the CPU has AVX-512F and IFMA, checked above.
            unsafe { fused::run(m, x, columns, w, target) }
        }
        (Weights::Scalars(w), true) => {
            // SAFETY: the CPU has AVX-512F and IFMA, checked above.
            unsafe { fused::run(m, x, columns, w, target) }
        }
    }
    true
}

/// A vector, or a value for all of one.
trait Weight: Sized {
    /// The even lanes and the odd ones, as 64-bit integers.
    fn halves(&self) -> [__m512i; 2];
}

impl Weight for [u32; LANES] {
    #[inline(always)]
    fn halves(&self) -> [__m512i; 2] {
        // SAFETY: the reference is valid for 64 bytes; callers run with AVX-512F.
        let both = unsafe { _mm512_loadu_si512(self.as_ptr().cast()) };
        // SAFETY: callers run with AVX-512F.
        let even = unsafe { _mm512_maskz_mov_epi32(0x5555, both) };
        // SAFETY: callers run with AVX-512F.
        [even, unsafe { _mm512_srli_epi64::<32>(both) }]
    }
}

impl Weight for u32 {
    #[inline(always)]
    fn halves(&self) -> [__m512i; 2] {
        // SAFETY: callers run with AVX-512F.
        [unsafe { _mm512_set1_epi64(i64::from(*self)) }; 2]
    }
}

/// The kernel for one way to multiply and add.
macro_rules! kernel {
    ($name:ident, $features:literal, |$sum:ident, $v:ident, $w:ident| $add:expr) => {
        mod $name {
            use super::{FEW, LANES, Prime, ROWS, Target, Weight, reduce, reduce_few};
            use core::arch::x86_64::*;

            #[target_feature(enable = $features)]
            pub(super) fn run<W: Weight>(
                m: Prime,
                x: &[[u32; LANES]],
                columns: usize,
                w: &[W],
                target: &mut Target<'_>,
            ) {
                let inputs = x.len() / columns;
                for (block, weights) in w.chunks_exact(inputs * ROWS).enumerate() {
                    for pair in (0..columns).step_by(2) {
                        let mut sums = [[[_mm512_setzero_si512(); 2]; 2]; ROWS];
                        for (values, weights) in x.chunks_exact(columns).zip(weights.chunks_exact(ROWS)) {
                            let both = [values[pair].halves(), values[pair + 1].halves()];
                            for (sums, weight) in sums.iter_mut().zip(weights) {
                                let w = weight.halves();
                                for (sum, v) in sums.iter_mut().zip(both) {
                                    for (($sum, $v), $w) in sum.iter_mut().zip(v).zip(w) {
                                        *$sum = $add;
                                    }
                                }
                            }
                        }
                        for (i, sums) in sums.iter().enumerate().take(target.rows - block * ROWS) {
                            for (j, &sums) in sums.iter().enumerate() {
                                let values =
                                    if inputs <= FEW { reduce_few(m, sums) } else { reduce(m, sums) };
                                let slot = target.slot(block * ROWS + i, pair + j);
                                let at = slot.as_mut_ptr().cast();
                                // SAFETY: the slot is 64 bytes; the store needs no alignment.
                                unsafe { _mm512_storeu_si512(at, values) };
                            }
                        }
                    }
                }
            }
        }
    };
}

kernel!(separate, "avx512f", |sum, v, w| _mm512_add_epi64(*sum, _mm512_mul_epu32(v, w)));
kernel!(fused, "avx512f,avx512ifma", |sum, v, w| _mm512_madd52lo_epu64(*sum, v, w));

/// Inputs whose sums are below 2^32 p: 64 products of values below p < 2^26.
const FEW: usize = 64;

/// `sum / 2^32` mod p for sums below 2^32 p, of the even and the odd lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn reduce_few(m: Prime, sums: [__m512i; 2]) -> __m512i {
    let p = _mm512_set1_epi32(m.p.cast_signed());
    let value = divide(m, sums);
    _mm512_min_epu32(value, _mm512_sub_epi32(value, p))
}

/// `sum / 2^32` mod p, of the even and the odd lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn reduce(m: Prime, [even, odd]: [__m512i; 2]) -> __m512i {
    let p = _mm512_set1_epi32(m.p.cast_signed());
    // At most 2^26 + p, which may exceed 2p by a little.
    let value = divide(m, [fold(m, even), fold(m, odd)]);
    let once = _mm512_min_epu32(value, _mm512_sub_epi32(value, p));
    _mm512_min_epu32(once, _mm512_sub_epi32(once, p))
}

/// The same mod p, below 2^58.
#[inline]
#[target_feature(enable = "avx512f")]
fn fold(m: Prime, sum: __m512i) -> __m512i {
    let low = _mm512_and_si512(sum, _mm512_set1_epi64(0xFFFF_FFFF));
    let high = _mm512_srli_epi64::<32>(sum);
    _mm512_add_epi64(_mm512_mul_epu32(high, _mm512_set1_epi64(i64::from(m.r))), low)
}

/// `sum / 2^32` mod p, of the even and the odd lanes: `floor(sum / 2^32)` with less than p taken off or added.
#[inline]
#[target_feature(enable = "avx512f")]
fn divide(m: Prime, [even, odd]: [__m512i; 2]) -> __m512i {
    let (p, inverse) = (_mm512_set1_epi64(i64::from(m.p)), _mm512_set1_epi64(i64::from(m.inverse)));
    let correction = |sum| _mm512_mul_epu32(_mm512_mul_epu32(sum, inverse), p);
    let high = |even, odd| _mm512_mask_mov_epi32(_mm512_srli_epi64::<32>(even), 0xAAAA, odd);
    let value = _mm512_sub_epi32(high(even, odd), high(correction(even), correction(odd)));
    _mm512_add_epi32(value, _mm512_set1_epi32(m.p.cast_signed()))
}
