//! The primitives the transforms are written in, one module per vector type.

#![expect(unsafe_code, reason = "vector loads and stores")]

/// The primitives on eight values.
pub(super) mod avx2 {
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn splat(value: u32) -> __m256i {
        _mm256_set1_epi32(value as i32)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn add(a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn sub(a: __m256i, b: __m256i) -> __m256i {
        _mm256_sub_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn min(a: __m256i, b: __m256i) -> __m256i {
        _mm256_min_epu32(a, b)
    }

    /// The low halves of the products.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn mul_low(a: __m256i, b: __m256i) -> __m256i {
        _mm256_mullo_epi32(a, b)
    }

    /// The 64-bit products of the even values.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn mul_even(a: __m256i, b: __m256i) -> __m256i {
        _mm256_mul_epu32(a, b)
    }

    /// In 64-bit lanes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn sub64(a: __m256i, b: __m256i) -> __m256i {
        _mm256_sub_epi64(a, b)
    }

    /// The odd values in the places of the even ones.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn odd(a: __m256i) -> __m256i {
        _mm256_srli_epi64::<32>(a)
    }

    /// The even values of `a` and the odd ones of `b`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn with_odd(a: __m256i, b: __m256i) -> __m256i {
        _mm256_blend_epi32::<0xAA>(a, b)
    }

    /// Transposes an 8 x 8 matrix of 32-bit values.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn transpose(r: &mut [__m256i; 8]) {
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
    pub(in super::super) fn load_all(block: &[[u32; 8]]) -> [__m256i; 8] {
        let mut rows = [splat(0); 8];
        for (row, v) in rows.iter_mut().zip(block) {
            *row = load(v);
        }
        rows
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn load(v: &[u32; 8]) -> __m256i {
        // SAFETY: the reference is valid for the whole vector; the load needs no alignment.
        unsafe { _mm256_loadu_si256(v.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn store(slot: &mut [u32; 8], v: __m256i) {
        // SAFETY: the reference is valid for the whole vector; the store needs no alignment.
        unsafe { _mm256_storeu_si256(slot.as_mut_ptr().cast(), v) }
    }
}

/// The primitives on sixteen values.
pub(super) mod avx512 {
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn splat(value: u32) -> __m512i {
        _mm512_set1_epi32(value as i32)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn sub(a: __m512i, b: __m512i) -> __m512i {
        _mm512_sub_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn min(a: __m512i, b: __m512i) -> __m512i {
        _mm512_min_epu32(a, b)
    }

    /// The low halves of the products.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn mul_low(a: __m512i, b: __m512i) -> __m512i {
        _mm512_mullo_epi32(a, b)
    }

    /// The 64-bit products of the even values.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn mul_even(a: __m512i, b: __m512i) -> __m512i {
        _mm512_mul_epu32(a, b)
    }

    /// In 64-bit lanes.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn sub64(a: __m512i, b: __m512i) -> __m512i {
        _mm512_sub_epi64(a, b)
    }

    /// The odd values in the places of the even ones.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn odd(a: __m512i) -> __m512i {
        _mm512_srli_epi64::<32>(a)
    }

    /// The even values of `a` and the odd ones of `b`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn with_odd(a: __m512i, b: __m512i) -> __m512i {
        _mm512_mask_mov_epi32(a, 0xAAAA, b)
    }

    /// Transposes a 16 x 16 matrix of 32-bit values.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn transpose(r: &mut [__m512i; 16]) {
        let mut t = *r;
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
        }
        for i in 0..4 {
            for j in 0..2 {
                r[4 * i + 2 * j] = _mm512_unpacklo_epi64(t[4 * i + j], t[4 * i + 2 + j]);
                r[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(t[4 * i + j], t[4 * i + 2 + j]);
            }
        }
        for i in 0..4 {
            t[i] = _mm512_shuffle_i32x4::<0x88>(r[i], r[i + 4]);
            t[i + 4] = _mm512_shuffle_i32x4::<0xDD>(r[i], r[i + 4]);
            t[i + 8] = _mm512_shuffle_i32x4::<0x88>(r[i + 8], r[i + 12]);
            t[i + 12] = _mm512_shuffle_i32x4::<0xDD>(r[i + 8], r[i + 12]);
        }
        for i in 0..8 {
            r[i] = _mm512_shuffle_i32x4::<0x88>(t[i], t[i + 8]);
            r[i + 8] = _mm512_shuffle_i32x4::<0xDD>(t[i], t[i + 8]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load_all(block: &[[u32; 16]]) -> [__m512i; 16] {
        let mut rows = [splat(0); 16];
        for (row, v) in rows.iter_mut().zip(block) {
            *row = load(v);
        }
        rows
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn load(v: &[u32; 16]) -> __m512i {
        // SAFETY: the reference is valid for the whole vector; the load needs no alignment.
        unsafe { _mm512_loadu_si512(v.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(in super::super) fn store(slot: &mut [u32; 16], v: __m512i) {
        // SAFETY: the reference is valid for the whole vector; the store needs no alignment.
        unsafe { _mm512_storeu_si512(slot.as_mut_ptr().cast(), v) }
    }
}
