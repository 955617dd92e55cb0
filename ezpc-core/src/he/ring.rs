//! The rings Z_Q\[X\]/(X^N + 1) with Q a product of primes, elements as residues limb after limb.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::modulus::Modulus;
use super::ntt::Ntt;
use crate::arch::residues::{Pair, Prime, affine_words, subtract_from_constant, wide_residues};
use std::sync::OnceLock;

/// The sets of lattice parameters.
///
/// Secret keys are ternary, errors are centred binomial of deviation 3.24. Security of each set by the lattice
/// estimator (estimators/lattice.txt), classical: `Small` 131.5 bits (MATZOV), 103.1 (core-SVP of ADPS16); `Large` 131.6
/// (MATZOV), 102.0 (core-SVP). These are not 128 bits post-quantum. SECURITY.md, Parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RingSet {
    /// N = 2048, Q of 52 bits: set A.
    Small,
    /// N = 4096, Q of 104 bits: sets A64 and E, which differ in the bits of an answer that are kept.
    Large,
}

impl RingSet {
    /// Every set.
    pub(crate) const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// N.
    pub(crate) const fn degree(self) -> usize {
        match self {
            Self::Small => 2048,
            Self::Large => 4096,
        }
    }

    /// The number of primes.
    pub(crate) const fn limbs(self) -> usize {
        self.primes().len()
    }

    /// The primes, each 1 mod 2N.
    pub(crate) const fn primes(self) -> &'static [u32] {
        match self {
            Self::Small => &[67_104_769, 67_084_289],
            Self::Large => &[67_084_289, 67_043_329, 66_994_177, 66_961_409],
        }
    }

    /// The tables of the set.
    pub(crate) fn ring(self) -> &'static Ring {
        static RINGS: [OnceLock<Ring>; 2] = [OnceLock::new(), OnceLock::new()];
        RINGS[self as usize].get_or_init(|| Ring::new(self))
    }
}

/// Bits of the words that the kernels of residues take.
const WIDE: u32 = 57;

/// The public constants of a ring.
pub(crate) struct Ring {
    set: RingSet,
    ntts: Vec<Ntt>,
    limbs: Vec<Limb>,
    /// Q.
    q: u128,
    /// floor(2^128 / Q).
    per_q: u128,
}

/// Constants of one prime within its ring.
struct Limb {
    /// `(Q / p)^{-1}` mod p, in Montgomery form.
    idempotent: u32,
    /// floor(2^128 / p).
    per_p: u128,
    /// The product of the earlier primes.
    base: u128,
    /// The inverse of that product mod p, in Montgomery form.
    base_inverse: u32,
    /// The earlier primes' partial products mod p, in Montgomery form.
    partial: Vec<u32>,
}

impl Ring {
    fn new(set: RingSet) -> Self {
        let moduli: Vec<Modulus> = set.primes().iter().map(|&p| Modulus::new(p)).collect();
        let product = |ms: &[Modulus]| ms.iter().map(|m| u128::from(m.p())).product::<u128>();
        let q = product(&moduli);
        let limbs = moduli.iter().enumerate().map(|(i, &m)| {
            let residue = |v: u128| m.to_mont(m.reduce_u128(v));
            let inverse = |v: u128| m.to_mont(m.invert(m.reduce_u128(v)));
            Limb {
                idempotent: inverse(q / u128::from(m.p())),
                per_p: u128::MAX / u128::from(m.p()),
                base: product(&moduli[..i]),
                base_inverse: inverse(product(&moduli[..i])),
                partial: (0..i).map(|j| residue(product(&moduli[..j]))).collect(),
            }
        });
        let limbs = limbs.collect();
        let ntts = moduli.iter().map(|&m| Ntt::new(m, set.degree())).collect();
        Self { set, ntts, limbs, q, per_q: u128::MAX / q }
    }

    /// Which ring it is.
    pub(crate) const fn set(&self) -> RingSet {
        self.set
    }

    /// N.
    pub(crate) const fn degree(&self) -> usize {
        self.set.degree()
    }

    /// The transforms, one a prime.
    pub(crate) fn ntts(&self) -> &[Ntt] {
        &self.ntts
    }

    /// log2 Q.
    pub(crate) fn log2_q(&self) -> f64 {
        (self.q as f64).log2()
    }

    /// Transforms every limb of a polynomial.
    pub(crate) fn forward(&self, poly: &mut [u32]) {
        for (limb, ntt) in poly.chunks_exact_mut(self.degree()).zip(&self.ntts) {
            ntt.forward(limb);
        }
    }

    /// Transforms every limb back.
    pub(crate) fn inverse(&self, poly: &mut [u32]) {
        for (limb, ntt) in poly.chunks_exact_mut(self.degree()).zip(&self.ntts) {
            ntt.inverse(limb);
        }
    }

    /// Applies a kernel to each limb of a polynomial and of a second one.
    pub(crate) fn combine(
        &self,
        left: &mut [u32],
        right: &[u32],
        kernel: impl Fn(Prime, &mut [u32], &[u32]),
    ) {
        let n = self.degree();
        for ((left, right), ntt) in left.chunks_exact_mut(n).zip(right.chunks_exact(n)).zip(&self.ntts) {
            kernel(ntt.modulus().prime(), left, right);
        }
    }

    /// What recombines residues, where there are two primes.
    pub(crate) fn pair(&self) -> Option<Pair> {
        let [low, high] = self.limbs.as_slice() else { return None };
        let primes = [self.ntts[0].modulus().prime(), self.ntts[1].modulus().prime()];
        Some(Pair { primes, others: [low.idempotent, high.idempotent] })
    }

    /// The residues of `round(Q · x / 2^bits)` for all words `x < 2^bits`, which are overwritten.
    ///
    /// With `h = 2^(bits - 1)` and `t = (Q x + h) mod 2^bits` it is `(Q x + h - t) / 2^bits`, and Q is 0 modulo each
    /// prime: the residue is that of `(h - t) / 2^bits`.
    pub(crate) fn encode(&self, words: &mut [u64], bits: u32, poly: &mut [u32]) {
        affine_words(words, self.q as u64, 1 << (bits - 1), bits);
        for (limb, ntt) in poly.chunks_exact_mut(self.degree()).zip(&self.ntts) {
            let m = ntt.modulus();
            let scale = m.invert(m.reduce_u128(1 << bits));
            let half = m.invert(2);
            if bits <= WIDE {
                wide_residues(m.prime(), words, m.mul(scale, m.prime().r2), limb);
            } else {
                let factor = m.to_mont(scale);
                for (v, &t) in limb.iter_mut().zip(&*words) {
                    *v = m.mont_mul(m.reduce_u64(t), factor);
                }
            }
            subtract_from_constant(m.prime(), limb, half);
        }
    }

    /// `v / Q` mod 1 as a fraction of 2^128, up to 2^27 units.
    #[inline]
    pub(crate) fn fraction(&self, residue: impl Fn(usize) -> u32) -> u128 {
        let mut sum = 0_u128;
        for (i, (limb, ntt)) in self.limbs.iter().zip(&self.ntts).enumerate() {
            let digit = ntt.modulus().mont_mul(residue(i), limb.idempotent);
            sum = sum.wrapping_add(limb.per_p.wrapping_mul(u128::from(digit)));
        }
        sum
    }

    /// `e / Q` as a fraction of 2^128 for a small signed integer.
    #[inline]
    pub(crate) const fn small_fraction(&self, e: i64) -> u128 {
        self.per_q.wrapping_mul(e as i128 as u128)
    }

    /// The integer in `-Q/2..Q/2` with the given residues, mod 2^128.
    #[inline]
    pub(crate) fn lift(&self, residue: impl Fn(usize) -> u32) -> u128 {
        // Garner: mixed-radix digits, one prime after the other.
        let mut digits = [0_u32; 4];
        let mut value = 0_u128;
        for (i, (limb, ntt)) in self.limbs.iter().zip(&self.ntts).enumerate() {
            let m = ntt.modulus();
            let known = (0..i).fold(0, |acc, j| m.add(acc, m.mont_mul(digits[j], limb.partial[j])));
            digits[i] = m.mont_mul(m.sub(residue(i), known), limb.base_inverse);
            value += limb.base * u128::from(digits[i]);
        }
        let above = (self.q / 2).wrapping_sub(value);
        let negative = (above as i128 >> 127) as u128;
        value.wrapping_sub(self.q & negative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn encode_fraction_and_lift_agree(raw: u64, bits in 1_u32..=64, e in -(1_i64 << 40)..1 << 40) {
            for set in RingSet::ALL {
                let ring = set.ring();
                let x = raw >> (64 - bits);
                let mut poly = vec![0; set.limbs() * set.degree()];
                ring.encode(&mut vec![x; set.degree()], bits, &mut poly);
                let residue = |i: usize| poly[(i + 1) * set.degree() - 1];
                let fraction = ring.fraction(residue);
                // The rounding itself, where Q x fits.
                if let Some(product) = ring.q.checked_mul(u128::from(x)) {
                    let rounded = (product + (1 << (bits - 1))) >> bits;
                    prop_assert!((0..set.limbs()).all(|i| residue(i) == ring.ntts[i].modulus().reduce_u128(rounded)));
                }
                // |fraction - x / 2^bits| is the rounding of the encoding.
                let exact = u128::from(x) << (128 - bits);
                let distance = (fraction.wrapping_sub(exact) as i128).unsigned_abs();
                prop_assert!(distance <= ring.per_q / 2 + (1 << 30), "{distance}");
                let small = |i: usize| ring.ntts[i].modulus().reduce_i64(e);
                prop_assert_eq!(ring.lift(small) as i128, i128::from(e));
                let distance = ring.fraction(small).wrapping_sub(ring.small_fraction(e)) as i128;
                prop_assert!(distance.unsigned_abs() < 1 << 50);
            }
        }
    }

    #[test]
    fn the_sets_are_those_that_were_estimated() {
        let estimated = include_str!("../../estimators/lattice.txt");
        for set in RingSet::ALL {
            let primes: Vec<String> = set.primes().iter().map(u32::to_string).collect();
            let line = format!("{set:?}: N = {}, Q = {}\n", set.degree(), primes.join(" x "));
            assert!(estimated.contains(&line), "{line}");
        }
    }

    #[test]
    fn lift_is_centred() {
        for set in RingSet::ALL {
            let ring = set.ring();
            for v in [0, 1, ring.q / 2, ring.q / 2 + 1, ring.q - 1] {
                let lifted = ring.lift(|i| ring.ntts[i].modulus().reduce_u128(v)) as i128;
                let expected = if v > ring.q / 2 { v as i128 - ring.q as i128 } else { v as i128 };
                assert_eq!(lifted, expected);
            }
            assert!(ring.log2_q() < [53.0, 106.0][set as usize]);
        }
    }
}
