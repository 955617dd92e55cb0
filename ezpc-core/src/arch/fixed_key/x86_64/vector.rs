//! The primitives the kernels are written in, one module per vector type.

/// The primitives on one block.
pub(super) mod sse {
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn zero() -> __m128i {
        _mm_setzero_si128()
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn broadcast(block: __m128i) -> __m128i {
        block
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn lanes(value: i64) -> __m128i {
        _mm_set1_epi64x(value)
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn xor(a: __m128i, b: __m128i) -> __m128i {
        _mm_xor_si128(a, b)
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn and(a: __m128i, b: __m128i) -> __m128i {
        _mm_and_si128(a, b)
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn round(x: __m128i, key: __m128i) -> __m128i {
        _mm_aesenc_si128(x, key)
    }

    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn last_round(x: __m128i, key: __m128i) -> __m128i {
        _mm_aesenclast_si128(x, key)
    }

    /// (l, r) to (l ^ r, l).
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn sigma(x: __m128i) -> __m128i {
        let high = _mm_blend_epi16::<0xf0>(_mm_setzero_si128(), x);
        _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(x), high)
    }

    /// x ^ value in the 64-bit lanes where a = b, x in the others.
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    pub(in super::super) fn xor_where_equal(x: __m128i, a: __m128i, b: __m128i, value: __m128i) -> __m128i {
        _mm_xor_si128(x, _mm_and_si128(_mm_cmpeq_epi64(a, b), value))
    }
}

/// The primitives on two blocks.
pub(super) mod avx2 {
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn zero() -> __m256i {
        _mm256_setzero_si256()
    }

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn broadcast(block: __m128i) -> __m256i {
        _mm256_broadcastsi128_si256(block)
    }

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn lanes(value: i64) -> __m256i {
        _mm256_set1_epi64x(value)
    }

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn xor(a: __m256i, b: __m256i) -> __m256i {
        _mm256_xor_si256(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn and(a: __m256i, b: __m256i) -> __m256i {
        _mm256_and_si256(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn round(x: __m256i, key: __m256i) -> __m256i {
        _mm256_aesenc_epi128(x, key)
    }

    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn last_round(x: __m256i, key: __m256i) -> __m256i {
        _mm256_aesenclast_epi128(x, key)
    }

    /// (l, r) to (l ^ r, l) in every block.
    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn sigma(x: __m256i) -> __m256i {
        let high = _mm256_blend_epi32::<0xcc>(_mm256_setzero_si256(), x);
        _mm256_xor_si256(_mm256_shuffle_epi32::<0x4e>(x), high)
    }

    /// x ^ value in the 64-bit lanes where a = b, x in the others.
    #[inline]
    #[target_feature(enable = "avx2,vaes")]
    pub(in super::super) fn xor_where_equal(x: __m256i, a: __m256i, b: __m256i, value: __m256i) -> __m256i {
        _mm256_xor_si256(x, _mm256_and_si256(_mm256_cmpeq_epi64(a, b), value))
    }
}

/// The primitives on four blocks.
pub(super) mod avx512 {
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn zero() -> __m512i {
        _mm512_setzero_si512()
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn broadcast(block: __m128i) -> __m512i {
        _mm512_broadcast_i32x4(block)
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn lanes(value: i64) -> __m512i {
        _mm512_set1_epi64(value)
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn xor(a: __m512i, b: __m512i) -> __m512i {
        _mm512_xor_si512(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn and(a: __m512i, b: __m512i) -> __m512i {
        _mm512_and_si512(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn round(x: __m512i, key: __m512i) -> __m512i {
        _mm512_aesenc_epi128(x, key)
    }

    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn last_round(x: __m512i, key: __m512i) -> __m512i {
        _mm512_aesenclast_epi128(x, key)
    }

    /// (l, r) to (l ^ r, l) in every block.
    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn sigma(x: __m512i) -> __m512i {
        let swapped = _mm512_shuffle_epi32::<0x4e>(x);
        _mm512_mask_xor_epi64(swapped, 0xaa, swapped, x)
    }

    /// x ^ value in the 64-bit lanes where a = b, x in the others.
    #[inline]
    #[target_feature(enable = "avx512f,vaes")]
    pub(in super::super) fn xor_where_equal(x: __m512i, a: __m512i, b: __m512i, value: __m512i) -> __m512i {
        _mm512_mask_xor_epi64(x, _mm512_cmpeq_epi64_mask(a, b), x, value)
    }
}
