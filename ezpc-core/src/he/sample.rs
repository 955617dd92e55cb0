//! Secrets and errors, sampled in constant time.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::ring::Ring;
use crate::arch::residues::{binomial, small_residues};
use crate::crypto::{Block, Prg};
use crate::secret::Wiped;
use zeroize::Zeroize;

/// A distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noise {
    /// Uniform on {-1, 0, 1} up to 2^-62: secret keys.
    Ternary,
    /// Centred binomial with 21 pairs of bits, deviation 3.24: errors of keys and ciphertexts.
    Error,
    /// Centred binomial with 42 pairs of bits, deviation 4.58: randomness of re-randomisations.
    Rerandomiser,
    /// Deviation 2^14.2: the binomial of 40 pairs times 2^12, smoothed by four uniform values of 12 bits.
    Wide,
}

impl Noise {
    /// Samples from two random words each.
    fn samples(self, left: &[u64], right: &[u64], out: &mut [i32]) {
        match self {
            Self::Ternary => {
                for (v, &w) in out.iter_mut().zip(left) {
                    // floor(3 w / 2^64) - 1.
                    *v = ((u128::from(w) * 3) >> 64) as i32 - 1;
                }
            }
            Self::Error => binomial(21, left, right, out),
            Self::Rerandomiser => binomial(42, left, right, out),
            Self::Wide => {
                binomial(40, left, right, out);
                for ((v, &l), &r) in out.iter_mut().zip(left).zip(right) {
                    let twelve = |w: u64, at: u32| (w >> at & 0xFFF) as i32;
                    let fine = twelve(l, 40) + twelve(l, 52) + twelve(r, 40) + twelve(r, 52);
                    // The mean of the fine part is 4 (2^12 - 1) / 2.
                    *v = (*v << 12) + fine - 8190;
                }
            }
        }
    }

    /// Fills a slice with samples.
    pub(crate) fn fill(self, rng: &mut Prg, samples: &mut [i32]) {
        let mut buffer = [Block::ZERO; 512];
        for chunk in samples.chunks_mut(buffer.len()) {
            let blocks = &mut buffer[..chunk.len()];
            rng.fill_blocks(blocks);
            let (left, right) = bytemuck::must_cast_slice(blocks).split_at(chunk.len());
            self.samples(left, right, chunk);
        }
        buffer.zeroize();
    }

    /// Fills a polynomial with residues of samples, which stand in `samples` then.
    pub(crate) fn fill_poly(self, ring: &Ring, rng: &mut Prg, samples: &mut [i32], poly: &mut [u32]) {
        self.fill(rng, samples);
        for (limb, ntt) in poly.chunks_exact_mut(ring.degree()).zip(ring.ntts()) {
            small_residues(ntt.modulus().prime(), samples, limb);
        }
    }

    /// A polynomial of samples as residues.
    pub(crate) fn poly(self, ring: &Ring, rng: &mut Prg) -> Wiped<u32> {
        let mut samples = Wiped::zeros(ring.degree());
        let mut poly = Wiped::zeros(ring.set().limbs() * samples.len());
        self.fill_poly(ring, rng, &mut samples, &mut poly);
        poly
    }
}

/// A uniform polynomial from a public stream.
pub(crate) fn uniform(ring: &Ring, stream: &mut Prg, poly: &mut [u32]) {
    let mut blocks = [Block::ZERO; 128];
    let mut at = 4 * blocks.len();
    for (limb, ntt) in poly.chunks_exact_mut(ring.degree()).zip(ring.ntts()) {
        let p = ntt.modulus().p();
        for slot in limb {
            // Rejection on public values: nothing depends on a secret.
            *slot = loop {
                if at == 4 * blocks.len() {
                    stream.fill_blocks(&mut blocks);
                    at = 0;
                }
                let candidate = bytemuck::must_cast_slice::<_, u32>(&blocks)[at] >> 6;
                at += 1;
                if candidate < p {
                    break candidate;
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::he::ring::RingSet;

    #[test]
    fn moments_are_as_stated() {
        let mut rng = Prg::from_seed(Block::new(1));
        let cases = [
            (Noise::Ternary, (2.0_f64 / 3.0).sqrt(), 1),
            (Noise::Error, 10.5_f64.sqrt(), 21),
            (Noise::Rerandomiser, 21_f64.sqrt(), 42),
            (Noise::Wide, 4096.0 * (20.0_f64 + 1.0 / 3.0).sqrt(), 41 << 12),
        ];
        for (noise, deviation, bound) in cases {
            let mut samples = vec![0; 100_000];
            noise.fill(&mut rng, &mut samples);
            let mean = samples.iter().map(|&v| f64::from(v)).sum::<f64>() / 1e5;
            let square = samples.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 1e5;
            assert!(mean.abs() < deviation * 0.02, "{noise:?}: mean {mean}");
            assert!((square.sqrt() / deviation - 1.0).abs() < 0.02, "{noise:?}: deviation {}", square.sqrt());
            assert!(samples.iter().all(|v| v.abs() <= bound), "{noise:?}");
        }
    }

    #[test]
    fn extreme_bits_are_in_range() {
        let one = |noise: Noise, left: u64, right: u64| {
            let mut out = [0];
            noise.samples(&[left], &[right], &mut out);
            out[0]
        };
        assert_eq!(one(Noise::Ternary, 0, 0), -1);
        assert_eq!(one(Noise::Ternary, u64::MAX, 0), 1);
        assert_eq!(one(Noise::Error, u64::MAX, 0), 21);
        assert_eq!(one(Noise::Rerandomiser, 0, u64::MAX), -42);
        assert_eq!(one(Noise::Wide, (1 << 40) - 1, 0), (40 << 12) - 8190);
    }

    #[test]
    fn uniform_polynomials_are_reduced_and_repeat_under_their_seed() {
        for set in RingSet::ALL {
            let ring = set.ring();
            let draw = || {
                let mut poly = vec![0; set.limbs() * set.degree()];
                uniform(ring, &mut Prg::from_seed(Block::new(3)), &mut poly);
                poly
            };
            let poly = draw();
            assert!(poly.chunks(set.degree()).zip(set.primes()).all(|(l, &p)| l.iter().all(|&v| v < p)));
            assert_eq!(poly, draw());
        }
    }
}
