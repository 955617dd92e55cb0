//! Answers: re-randomised, masked in a power of two, without their low bits, and only where they are needed.
//!
//! With `k0` and `k1` bits kept of the halves c0 and c1, the party that computed `c0 + c1 s = Q V / 2^k0` sends
//! `w0 = round(c0 2^k0 / Q) - r mod 2^k0` with r uniform and `w1 = round(c1 2^k1 / Q)`, and keeps `r >> slack`. The
//! other decrypts `z = w0 + round((w1 s) 2^(k0 - k1)) = V - r + noise` and takes `ceil(z / 2^slack)`. Together they
//! hold an unbiased stochastic rounding of `(V + noise) / 2^slack`. linear.md 0.1.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::codec::{BitReader, BitWriter, bits_len};
use super::encrypt::{PublicKey, SecretKey};
use super::ring::RingSet;
use super::sample::Noise;
use crate::arch::residues::{Pair, add_small, keep_fractions, pair_fractions, pair_lift, wide_residues};
use crate::crypto::{Block, Prg};
use zeroize::Zeroizing;

/// The bits of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precision {
    /// Where ciphertexts live.
    pub(crate) set: RingSet,
    /// k0: bits kept of needed coefficients of c0.
    pub(crate) kept0: u32,
    /// k1: bits kept of all of c1.
    pub(crate) kept1: u32,
    /// Bits of a share below the result's ring.
    pub(crate) slack: u32,
}

/// Whether an answer is re-randomised; only tests that show why ask for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// With a fresh encryption of zero.
    Fresh,
    /// As computed: c1 gives the weights away.
    #[cfg(test)]
    None,
}

impl Precision {
    /// The bytes of an answer with so many needed coefficients.
    pub(crate) const fn answer_len(&self, needed: usize) -> usize {
        bits_len(self.set.degree(), self.kept1) + bits_len(needed, self.kept0)
    }

    /// Turns the transforms `(c0, c1)` of a result into an answer, and the shares this party keeps.
    ///
    /// `needed` lists coefficients, each with what to add to it as a fraction of 2^128 of the plaintext ring.
    #[allow(clippy::too_many_arguments, reason = "an answer's inputs and its two outputs")]
    pub(crate) fn answer(
        &self,
        key: &PublicKey,
        privacy: Privacy,
        halves: [&mut [u32]; 2],
        needed: impl Iterator<Item = (usize, u128)>,
        rng: &mut Prg,
        out: &mut [u8],
        mut share: impl FnMut(u64),
    ) {
        let ring = self.set.ring();
        let n = ring.degree();
        let [c0, c1] = halves;
        if privacy == Privacy::Fresh {
            key.rerandomise(c0, c1, rng);
        }
        ring.inverse(c0);
        ring.inverse(c1);
        if privacy == Privacy::Fresh {
            let e1 = Noise::Rerandomiser.vec(n, rng);
            for (limb, ntt) in c1.chunks_exact_mut(n).zip(ring.ntts()) {
                add_small(ntt.modulus().prime(), limb, &e1);
            }
        }
        let (out1, out0) = out.split_at_mut(bits_len(n, self.kept1));
        let needed: Vec<(usize, u128)> = needed.collect();
        let e0 = Noise::Wide.vec(needed.len(), rng);
        let (mut out1, mut out0) = (BitWriter::new(out1), BitWriter::new(out0));
        if let Some(pair) = ring.pair() {
            self.kept_pair(pair, c1, &mut out1);
            self.masked_pair(pair, c0, &needed, &e0, rng, &mut out0, share);
        } else {
            for j in 0..n {
                out1.put(keep(ring.fraction(|i| c1[i * n + j]), self.kept1), self.kept1);
            }
            let mask = (1_u128 << self.kept0) - 1;
            let mut masks = Zeroizing::new(vec![Block::ZERO; needed.len()]);
            rng.fill_blocks(&mut masks);
            for (((j, add), &e), &r) in needed.into_iter().zip(e0.iter()).zip(masks.iter()) {
                let fraction = ring.fraction(|i| c0[i * n + j]);
                let fraction = fraction.wrapping_add(ring.small_fraction(i64::from(e))).wrapping_add(add);
                let r = r.bits() & mask;
                out0.put(keep(fraction, self.kept0).wrapping_sub(r) & mask, self.kept0);
                share((r >> self.slack) as u64);
            }
        }
        out1.finish();
        out0.finish();
    }

    /// The kept bits of c1, for two primes.
    fn kept_pair(&self, pair: Pair, c1: &[u32], out: &mut BitWriter<'_>) {
        let n = self.set.degree();
        let mut fractions = vec![0.0; n];
        let mut words = vec![0; n];
        pair_fractions(pair, &c1[..n], &c1[n..], &mut fractions);
        keep_fractions(self.kept1, &fractions, &mut words);
        out.put_words(&words, self.kept1);
    }

    /// The masked bits of c0, for two primes.
    #[allow(clippy::too_many_arguments, reason = "a part of an answer and its two outputs")]
    fn masked_pair(
        &self,
        pair: Pair,
        c0: &[u32],
        needed: &[(usize, u128)],
        e0: &[i32],
        rng: &mut Prg,
        out: &mut BitWriter<'_>,
        mut share: impl FnMut(u64),
    ) {
        let n = self.set.degree();
        let len = needed.len();
        let half = |offset: usize| needed.iter().map(|&(j, _)| c0[offset + j]).collect();
        let (low, high): (Zeroizing<Vec<u32>>, Zeroizing<Vec<u32>>) =
            (Zeroizing::new(half(0)), Zeroizing::new(half(n)));
        let mut fractions = Zeroizing::new(vec![0.0; len]);
        pair_fractions(pair, &low, &high, &mut fractions);
        let per_q = 1.0 / (f64::from(pair.primes[0].p) * f64::from(pair.primes[1].p));
        let unit = 1.0 / 18_446_744_073_709_551_616.0;
        for ((f, &e), &(_, add)) in fractions.iter_mut().zip(e0).zip(needed) {
            // Plus one, so that it stays positive.
            *f += 1.0 + f64::from(e) * per_q + (add >> 64) as u64 as f64 * unit;
        }
        let mut words = Zeroizing::new(vec![0; len]);
        keep_fractions(self.kept0, &fractions, &mut words);
        let mask = (1 << self.kept0) - 1;
        let mut masks = Zeroizing::new(vec![Block::ZERO; len.div_ceil(2)]);
        rng.fill_blocks(&mut masks);
        for (word, &r) in words.iter_mut().zip(bytemuck::must_cast_slice::<_, u64>(&masks)) {
            let r = r & mask;
            *word = word.wrapping_sub(r) & mask;
            share(r >> self.slack);
        }
        out.put_words(&words, self.kept0);
    }

    /// Decrypts an answer at the needed coefficients into this party's shares, not yet reduced into their ring.
    pub(crate) fn decrypt(
        &self,
        key: &SecretKey,
        answer: &[u8],
        needed: impl Iterator<Item = usize>,
        mut share: impl FnMut(u64),
    ) {
        let ring = self.set.ring();
        let n = ring.degree();
        let (bytes1, bytes0) = answer.split_at(bits_len(n, self.kept1));
        let mut poly = Zeroizing::new(vec![0; self.set.limbs() * n]);
        let (mut reader1, mut reader0) = (BitReader::new(bytes1), BitReader::new(bytes0));
        if ring.pair().is_some() {
            let mut words = vec![0; n];
            reader1.get_words(&mut words, self.kept1);
            for (limb, ntt) in poly.chunks_exact_mut(n).zip(ring.ntts()) {
                wide_residues(ntt.modulus().prime(), &words, limb);
            }
        } else {
            for j in 0..n {
                let w1 = reader1.get(self.kept1);
                for (i, ntt) in ring.ntts().iter().enumerate() {
                    poly[i * n + j] = ntt.modulus().reduce_u128(w1);
                }
            }
        }
        // |w1 s| < N 2^k1 <= Q / 2: the integer product, exactly.
        ring.forward(&mut poly);
        key.multiply(&mut poly);
        ring.inverse(&mut poly);
        let drop = self.kept1 - self.kept0;
        let ceil = (1 << self.slack) - 1;
        if let Some(pair) = ring.pair() {
            let needed: Vec<usize> = needed.collect();
            let half = |offset: usize| needed.iter().map(|&j| poly[offset + j]).collect();
            let (low, high): (Zeroizing<Vec<u32>>, Zeroizing<Vec<u32>>) =
                (Zeroizing::new(half(0)), Zeroizing::new(half(n)));
            let mut rounded = Zeroizing::new(vec![0; needed.len()]);
            pair_lift(pair, drop, &low, &high, &mut rounded);
            let mut words = vec![0; needed.len()];
            reader0.get_words(&mut words, self.kept0);
            let mask = (1 << self.kept0) - 1;
            for (&word, &v) in words.iter().zip(rounded.iter()) {
                share(((word.wrapping_add(v) & mask) + ceil) >> self.slack);
            }
        } else {
            for j in needed {
                let product = ring.lift(|i| poly[i * n + j]);
                let rounded = (product.wrapping_add((1 << drop) >> 1) as i128 >> drop) as u128;
                let z = reader0.get(self.kept0).wrapping_add(rounded) & ((1 << self.kept0) - 1);
                share(((z + u128::from(ceil)) >> self.slack) as u64);
            }
        }
    }
}

/// The `bits` highest bits of a fraction of 2^128, rounded, mod 2^bits.
#[inline]
pub(crate) const fn keep(fraction: u128, bits: u32) -> u128 {
    fraction.wrapping_add(1 << (127 - bits)) >> (128 - bits)
}
