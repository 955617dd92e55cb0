//! Secrets and errors, sampled in constant time.

use super::ring::Ring;
use crate::crypto::Prg;
use zeroize::{Zeroize, Zeroizing};

/// Adds what of a polynomial? Which distribution.
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
    /// One sample from 16 random bytes.
    #[inline]
    fn sample(self, bits: u128) -> i32 {
        let (low, high) = (bits as u64, (bits >> 64) as u64);
        match self {
            // floor(3 u / 2^64) - 1.
            Self::Ternary => ((u128::from(low) * 3) >> 64) as i32 - 1,
            Self::Error => centred(low & mask(21), high & mask(21)),
            Self::Rerandomiser => centred(low & mask(42), high & mask(42)),
            Self::Wide => {
                let steps = centred(low & mask(40), high & mask(40));
                let twelve = |v: u64, at: u32| (v >> at & mask(12)) as i32;
                let fine = twelve(low, 40) + twelve(low, 52) + twelve(high, 40) + twelve(high, 52);
                // The mean of the fine part is 4 (2^12 - 1) / 2.
                (steps << 12) + fine - 8190
            }
        }
    }

    /// `len` samples.
    pub(crate) fn vec(self, len: usize, rng: &mut Prg) -> Zeroizing<Vec<i32>> {
        let mut samples = Zeroizing::new(Vec::with_capacity(len));
        let mut buffer = [[0_u64; 2]; 128];
        for start in (0..len).step_by(buffer.len()) {
            let chunk = &mut buffer[..(len - start).min(128)];
            rng.fill_bytes(bytemuck::must_cast_slice_mut(chunk));
            samples.extend(chunk.iter().map(|b| self.sample(u128::from(b[0]) | u128::from(b[1]) << 64)));
        }
        buffer.zeroize();
        samples
    }

    /// A polynomial of samples as residues.
    pub(crate) fn poly(self, ring: &Ring, rng: &mut Prg) -> Zeroizing<Vec<u32>> {
        let samples = self.vec(ring.degree(), rng);
        let mut poly = Zeroizing::new(Vec::with_capacity(ring.set().limbs() * samples.len()));
        for ntt in ring.ntts() {
            poly.extend(samples.iter().map(|&v| residue(v, ntt.modulus().p())));
        }
        poly
    }
}

/// A small signed value mod p, without a branch.
#[inline]
pub(crate) const fn residue(v: i32, p: u32) -> u32 {
    (v as u32).wrapping_add(p & (v >> 31) as u32)
}

/// A uniform polynomial from a public stream.
pub(crate) fn uniform(ring: &Ring, stream: &mut Prg, poly: &mut [u32]) {
    let mut buffer = [0_u32; 512];
    let mut at = buffer.len();
    for (limb, ntt) in poly.chunks_exact_mut(ring.degree()).zip(ring.ntts()) {
        let p = ntt.modulus().p();
        for slot in limb {
            // Rejection on public values: nothing depends on a secret.
            *slot = loop {
                if at == buffer.len() {
                    stream.fill_bytes(bytemuck::must_cast_slice_mut(&mut buffer));
                    at = 0;
                }
                let candidate = buffer[at] >> 6;
                at += 1;
                if candidate < p {
                    break candidate;
                }
            };
        }
    }
}

const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

#[inline]
const fn centred(a: u64, b: u64) -> i32 {
    a.count_ones() as i32 - b.count_ones() as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Block;
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
            let samples = noise.vec(100_000, &mut rng);
            let mean = samples.iter().map(|&v| f64::from(v)).sum::<f64>() / 1e5;
            let square = samples.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 1e5;
            assert!(mean.abs() < deviation * 0.02, "{noise:?}: mean {mean}");
            assert!((square.sqrt() / deviation - 1.0).abs() < 0.02, "{noise:?}: deviation {}", square.sqrt());
            assert!(samples.iter().all(|v| v.abs() <= bound), "{noise:?}");
        }
    }

    #[test]
    fn extreme_bits_are_in_range() {
        assert_eq!(Noise::Ternary.sample(0), -1);
        assert_eq!(Noise::Ternary.sample(u128::MAX), 1);
        assert_eq!(Noise::Error.sample(u128::from(u64::MAX)), 21);
        assert_eq!(Noise::Rerandomiser.sample(u128::from(u64::MAX)), 42);
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
