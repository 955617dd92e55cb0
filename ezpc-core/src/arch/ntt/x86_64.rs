//! The transforms in vectors of 8 and 16 values; the stages inside a vector work on transposed blocks of as many rows.

#![expect(unsafe_code, reason = "calls of code for an instruction set, behind a run-time check of the CPU")]

mod vector;

/// The kernels for one vector type: the module's constants and primitives come as arguments.
macro_rules! kernels {
    ($module:ident, $feature:tt, $register:ty, $lanes:literal, $lengths:expr, $forward:ident, $inverse:ident) => {
        pub(super) mod $module {
            use super::super::Twiddles;
            use super::vector::$module as simd;
            use core::arch::x86_64::*;

            /// Values in a vector.
            const LANES: usize = $lanes;
            /// Half the lengths of the blocks of the stages inside a vector.
            const LENGTHS: [usize; LANES.ilog2() as usize] = $lengths;

            type Register = $register;
            /// One vector in memory.
            type Vector = [u32; LANES];

            /// The vectors of `values`, where this CPU and this length are served.
            fn vectors(values: &mut [u32]) -> Option<&mut [Vector]> {
                let (vectors, rest) = values.as_chunks_mut();
                let whole = vectors.len().is_multiple_of(LANES) && rest.is_empty();
                (whole && detected!($feature)).then_some(vectors)
            }

            /// Whether this CPU and this length are served; if so, transforms.
            pub(in super::super) fn forward(values: &mut [u32], twiddles: &Twiddles) -> bool {
                let Some(vectors) = vectors(values) else { return false };
                // SAFETY: the CPU has the instructions, checked above.
                unsafe { forward_vectors(vectors, twiddles) };
                true
            }

            /// Whether this CPU and this length are served; if so, transforms back.
            pub(in super::super) fn inverse(values: &mut [u32], twiddles: &Twiddles) -> bool {
                let Some(vectors) = vectors(values) else { return false };
                // SAFETY: the CPU has the instructions, checked above.
                unsafe { inverse_vectors(vectors, twiddles) };
                true
            }

            #[target_feature(enable = $feature)]
            fn forward_vectors(values: &mut [Vector], t: &Twiddles) {
                let p = simd::splat(t.p);
                let p2 = simd::splat(2 * t.p);
                let (mut blocks, mut len) = (1, values.len() / 2);
                if values.len().ilog2() % 2 == 1 {
                    let w = Factor::splat(t.forward[1]);
                    let (low, high) = values.split_at_mut(len);
                    for (u, v) in low.iter_mut().zip(high) {
                        let (mut a, mut b) = (simd::load(u), simd::load(v));
                        butterfly(&mut a, &mut b, w, p, p2);
                        simd::store(u, a);
                        simd::store(v, b);
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
                            let (mut x, mut y, mut z, mut s) =
                                (simd::load(a), simd::load(b), simd::load(c), simd::load(d));
                            butterfly(&mut x, &mut z, outer, p, p2);
                            butterfly(&mut y, &mut s, outer, p, p2);
                            butterfly(&mut x, &mut y, left, p, p2);
                            butterfly(&mut z, &mut s, right, p, p2);
                            simd::store(a, x);
                            simd::store(b, y);
                            simd::store(c, z);
                            simd::store(d, s);
                        }
                    }
                    (blocks, len) = (4 * blocks, len / 4);
                }
                for (block, lanes) in
                    values.chunks_exact_mut(LANES).zip(t.$forward.chunks_exact(2 * (LANES - 1)))
                {
                    let mut rows = simd::load_all(block);
                    simd::transpose(&mut rows);
                    let mut factors = lanes.chunks_exact(2);
                    for len in LENGTHS.into_iter().rev() {
                        for pair in rows.chunks_exact_mut(2 * len) {
                            let f = factors.next().expect("a factor for each pair of rows");
                            let w = Factor::lanes(&f[0], &f[1]);
                            let (low, high) = pair.split_at_mut(len);
                            for (u, v) in low.iter_mut().zip(high) {
                                butterfly(u, v, w, p, p2);
                            }
                        }
                    }
                    simd::transpose(&mut rows);
                    for (row, slot) in rows.iter().zip(block) {
                        simd::store(slot, reduce(reduce(*row, p2), p));
                    }
                }
            }

            #[target_feature(enable = $feature)]
            fn inverse_vectors(values: &mut [Vector], t: &Twiddles) {
                let p = simd::splat(t.p);
                let p2 = simd::splat(2 * t.p);
                for (block, lanes) in
                    values.chunks_exact_mut(LANES).zip(t.$inverse.chunks_exact(2 * (LANES - 1)))
                {
                    let mut rows = simd::load_all(block);
                    simd::transpose(&mut rows);
                    let mut factors = lanes.chunks_exact(2);
                    for len in LENGTHS {
                        for pair in rows.chunks_exact_mut(2 * len) {
                            let f = factors.next().expect("a factor for each pair of rows");
                            let w = Factor::lanes(&f[0], &f[1]);
                            let (low, high) = pair.split_at_mut(len);
                            for (u, v) in low.iter_mut().zip(high) {
                                inverse_butterfly(u, v, w, p, p2);
                            }
                        }
                    }
                    simd::transpose(&mut rows);
                    for (row, slot) in rows.iter().zip(block) {
                        simd::store(slot, *row);
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
                            let (mut x, mut y, mut z, mut s) =
                                (simd::load(a), simd::load(b), simd::load(c), simd::load(d));
                            inverse_butterfly(&mut x, &mut y, left, p, p2);
                            inverse_butterfly(&mut z, &mut s, right, p, p2);
                            inverse_butterfly(&mut x, &mut z, outer, p, p2);
                            inverse_butterfly(&mut y, &mut s, outer, p, p2);
                            simd::store(a, x);
                            simd::store(b, y);
                            simd::store(c, z);
                            simd::store(d, s);
                        }
                    }
                    (blocks, len) = (blocks / 4, 4 * len);
                }
                if blocks == 2 {
                    for (i, block) in values.chunks_exact_mut(2 * len).enumerate() {
                        let w = Factor::splat(t.inverse[2 + i]);
                        let (low, high) = block.split_at_mut(len);
                        for (u, v) in low.iter_mut().zip(high) {
                            let (mut a, mut b) = (simd::load(u), simd::load(v));
                            inverse_butterfly(&mut a, &mut b, w, p, p2);
                            simd::store(u, a);
                            simd::store(v, b);
                        }
                    }
                    len *= 2;
                }
                let (w, scale) = (Factor::splat(t.inverse[1]), Factor::splat(t.scale));
                let (low, high) = values.split_at_mut(len);
                for (u, v) in low.iter_mut().zip(high) {
                    let (mut a, mut b) = (simd::load(u), simd::load(v));
                    inverse_butterfly(&mut a, &mut b, w, p, p2);
                    simd::store(u, reduce(scale.mul(a, p), p));
                    simd::store(v, reduce(b, p));
                }
            }

            /// A vector of twiddle factors with the odd lanes beside it.
            #[derive(Clone, Copy)]
            struct Factor {
                even: Register,
                odd: Register,
                quotient: Register,
            }

            impl Factor {
                #[inline]
                #[target_feature(enable = $feature)]
                fn splat([w, quotient]: [u32; 2]) -> Self {
                    let even = simd::splat(w);
                    Self { even, odd: even, quotient: simd::splat(quotient) }
                }

                #[inline]
                #[target_feature(enable = $feature)]
                fn lanes(w: &Vector, quotient: &Vector) -> Self {
                    let even = simd::load(w);
                    Self { even, odd: simd::odd(even), quotient: simd::load(quotient) }
                }

                /// The product divided by 2^32, in `(0, 2p)`.
                #[inline]
                #[target_feature(enable = $feature)]
                fn mul(self, v: Register, p: Register) -> Register {
                    let even = simd::mul_even(v, self.even);
                    let odd = simd::mul_even(simd::odd(v), self.odd);
                    let q = simd::mul_low(v, self.quotient);
                    let even = simd::sub64(even, simd::mul_even(q, p));
                    let odd = simd::sub64(odd, simd::mul_even(simd::odd(q), p));
                    // The low halves cancelled; the high halves are the differences.
                    let high = simd::with_odd(simd::odd(even), odd);
                    simd::add(high, p)
                }
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn butterfly(u: &mut Register, v: &mut Register, w: Factor, p: Register, p2: Register) {
                let t = w.mul(*v, p);
                let reduced = reduce(*u, p2);
                *u = simd::add(reduced, t);
                *v = simd::add(simd::sub(reduced, t), p2);
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn inverse_butterfly(u: &mut Register, v: &mut Register, w: Factor, p: Register, p2: Register) {
                let difference = simd::add(simd::sub(*u, *v), p2);
                *u = reduce(simd::add(*u, *v), p2);
                *v = w.mul(difference, p);
            }

            #[inline]
            #[target_feature(enable = $feature)]
            fn reduce(v: Register, modulus: Register) -> Register {
                simd::min(v, simd::sub(v, modulus))
            }
        }
    };
}

kernels!(avx2, "avx2", __m256i, 8, [1, 2, 4], forward_lanes8, inverse_lanes8);
kernels!(avx512, "avx512f", __m512i, 16, [1, 2, 4, 8], forward_lanes, inverse_lanes);
