//! Tables of the negacyclic transforms, computed once.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::modulus::Modulus;
use crate::arch::ntt::{self, LANES, Twiddle, Twiddles};

/// The negacyclic transform of length n modulo one prime.
pub(crate) struct Ntt {
    modulus: Modulus,
    twiddles: Twiddles,
}

impl Ntt {
    /// The transform of `n` coefficients, a power of two with p = 1 mod 2n.
    pub(crate) fn new(modulus: Modulus, n: usize) -> Self {
        let bits = n.ilog2();
        let psi = modulus.root(2 * n);
        let twiddle = |v: u32| -> Twiddle {
            let w = modulus.to_mont(v);
            [w, w.wrapping_mul(modulus.inverse())]
        };
        let mut powers = vec![1; n];
        for i in 1..n {
            powers[i] = modulus.mul(powers[i - 1], psi);
        }
        let reversed = |i: usize| powers[i.reverse_bits() >> (usize::BITS - bits)];
        let scale = modulus.invert(n as u32);
        let forward = (0..n).map(|i| twiddle(reversed(i))).collect();
        let inverse = (0..n).map(|i| {
            let inverse = modulus.invert(reversed(i));
            twiddle(if i == 1 { modulus.mul(inverse, scale) } else { inverse })
        });
        let twiddles = Twiddles::new(modulus.p(), forward, inverse.collect(), twiddle(scale));
        Self { modulus, twiddles }
    }

    /// The prime.
    pub(crate) const fn modulus(&self) -> Modulus {
        self.modulus
    }

    /// Reduced coefficients to reduced evaluations, in place. See [`ntt::forward`] for shorter slices.
    pub(crate) fn forward(&self, values: &mut [u32]) {
        ntt::forward(values, &self.twiddles);
    }

    /// As [`forward`](Self::forward) for polynomials side by side, each coefficient of all in a row of `width` vectors.
    pub(crate) fn forward_rows(&self, values: &mut [[u32; LANES]], width: usize) {
        ntt::forward_rows(values, width, &self.twiddles);
    }

    /// Reduced evaluations to reduced coefficients, in place.
    pub(crate) fn inverse(&self, values: &mut [u32]) {
        ntt::inverse(values, &self.twiddles);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> [Ntt; 3] {
        [(67_104_769, 2048), (67_084_289, 2048), (67_043_329, 4096)]
            .map(|(p, n)| Ntt::new(Modulus::new(p), n))
    }

    fn noise(p: u32, n: usize, seed: u64) -> Vec<u32> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 32) % u64::from(p)) as u32
            })
            .collect()
    }

    #[test]
    fn values_are_those_of_the_polynomial() {
        for table in tables() {
            let (m, n) = (table.modulus(), table.twiddles.len());
            let coefficients = noise(m.p(), n, 3);
            let mut values = coefficients.clone();
            table.forward(&mut values);
            let psi = m.root(2 * n);
            for index in [0, 1, 15, 16, 255, 256, n / 2, n - 1] {
                let exponent = 2 * (index.reverse_bits() >> (usize::BITS - n.ilog2())) + 1;
                let x = m.pow(psi, exponent as u64);
                let value = coefficients.iter().rev().fold(0, |acc, &c| m.add(m.mul(acc, x), c));
                assert_eq!(values[index], value, "index {index} of {n}");
            }
        }
    }

    #[test]
    fn short_transforms_are_constant_blocks_of_the_long_one() {
        for table in tables() {
            let (m, n) = (table.modulus(), table.twiddles.len());
            for blocks in [1, 2, 16, 128, n] {
                let mut short = noise(m.p(), blocks, 5);
                let mut long = vec![0; n];
                for (i, &v) in short.iter().enumerate() {
                    long[i * (n / blocks)] = v;
                }
                table.forward(&mut short);
                table.forward(&mut long);
                assert!(long.chunks(n / blocks).zip(&short).all(|(c, s)| c.iter().all(|v| v == s)));
            }
        }
    }

    #[test]
    fn polynomials_side_by_side_are_transformed_alike() {
        for table in tables() {
            for (len, width) in [(1, 1), (2, 3), (32, 2), (128, 1)] {
                let mut rows: Vec<[u32; LANES]> =
                    noise(table.modulus().p(), len * width * LANES, 9).as_chunks().0.to_vec();
                let column = |rows: &[[u32; LANES]], i: usize| -> Vec<u32> {
                    rows.iter().skip(i / LANES).step_by(width).map(|v| v[i % LANES]).collect()
                };
                let mut columns: Vec<_> = (0..width * LANES).map(|i| column(&rows, i)).collect();
                table.forward_rows(&mut rows, width);
                columns.iter_mut().for_each(|c| table.forward(c));
                assert!((0..width * LANES).all(|i| column(&rows, i) == columns[i]));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn kernels_agree_and_invert(seed: u64) {
            for table in tables() {
                let n = table.twiddles.len();
                let mut coefficients = noise(table.modulus().p(), n, seed);
                coefficients[..4].copy_from_slice(&[0, 1, table.modulus().p() - 1, 7]);
                let (mut fast, mut slow) = (coefficients.clone(), coefficients.clone());
                #[cfg(target_arch = "x86_64")]
                {
                    let mut half = coefficients.clone();
                    if ntt::half::forward(&mut half, &table.twiddles) {
                        ntt::forward_portable(&mut slow, &table.twiddles);
                        prop_assert_eq!(&half, &slow);
                        prop_assert!(ntt::half::inverse(&mut half, &table.twiddles));
                        prop_assert_eq!(&half, &coefficients);
                        slow.copy_from_slice(&coefficients);
                    }
                }
                table.forward(&mut fast);
                ntt::forward_portable(&mut slow, &table.twiddles);
                prop_assert_eq!(&fast, &slow);
                table.inverse(&mut fast);
                ntt::inverse_portable(&mut slow, &table.twiddles);
                prop_assert_eq!(&fast, &coefficients);
                prop_assert_eq!(&slow, &coefficients);
            }
        }
    }
}
