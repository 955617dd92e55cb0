//! Answers: re-randomised, masked in a power of two, without their low bits, and only where they are needed.
//!
//! With `k0` and `k1` bits kept of the halves c0 and c1, the party that computed `c0 + c1 s = Q V / 2^k0` sends
//! `w0 = round(c0 2^k0 / Q) - r mod 2^k0` with r uniform and `w1 = round(c1 2^k1 / Q)`, and keeps `r >> slack`. The
//! other decrypts `z = w0 + round((w1 s) 2^(k0 - k1)) = V - r + noise` and takes `ceil(z / 2^slack)`. Together they
//! hold an unbiased stochastic rounding of `(V + noise) / 2^slack`. SECURITY.md, Linear
//! layers.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::codec::{BitReader, BitWriter, bits_len};
use super::encrypt::{PublicKey, Scratch, SecretKey};
use super::ring::RingSet;
use super::sample::Noise;
use crate::arch::residues::{
    Pair, add_ceil, add_scaled, add_small, keep_fractions, mask_words, pair_fractions, pair_lift,
    wide_residues,
};
use crate::crypto::Prg;

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

/// The coefficients of an answer that are outputs: the same places in each of some channels.
#[derive(Clone, Copy)]
pub(crate) struct Needed<'a> {
    /// The places within a channel, as the first of each pair.
    pub(crate) places: &'a [[u32; 2]],
    /// Each channel's first coefficient, and what to add to its outputs as a fraction of 2^128 of the plaintext ring.
    pub(crate) channels: &'a [(usize, u128)],
}

impl Needed<'_> {
    /// The number of coefficients.
    pub(crate) const fn len(&self) -> usize {
        self.places.len() * self.channels.len()
    }

    /// The coefficients, each with its summand.
    fn iter(&self) -> impl Iterator<Item = (usize, u128)> {
        self.channels
            .iter()
            .flat_map(|&(first, add)| self.places.iter().map(move |&[at, _]| (first + at as usize, add)))
    }

    /// Copies the needed coefficients of one residue polynomial.
    fn copy(&self, poly: &[u32], out: &mut [u32]) {
        for (out, &(first, _)) in out.chunks_exact_mut(self.places.len()).zip(self.channels) {
            for (out, &[at, _]) in out.iter_mut().zip(self.places) {
                *out = poly[first + at as usize];
            }
        }
    }
}

impl Precision {
    /// The bytes of an answer with so many needed coefficients.
    pub(crate) const fn answer_len(&self, needed: usize) -> usize {
        bits_len(self.set.degree(), self.kept1) + bits_len(needed, self.kept0)
    }

    /// Turns the transforms `(c0, c1)` of a result into an answer, and the shares this party keeps, in the order of what
    /// is needed.
    #[allow(clippy::too_many_arguments, reason = "an answer's inputs and its two outputs")]
    pub(crate) fn answer(
        &self,
        key: &PublicKey,
        privacy: Privacy,
        [c0, c1]: [&mut [u32]; 2],
        needed: Needed<'_>,
        rng: &mut Prg,
        scratch: &mut Scratch,
        out: &mut [u8],
        shares: &mut [u64],
    ) {
        let ring = self.set.ring();
        let n = ring.degree();
        if privacy == Privacy::Fresh {
            key.rerandomise([c0, c1], rng, scratch);
        }
        ring.inverse(c0);
        ring.inverse(c1);
        if privacy == Privacy::Fresh {
            let e1 = &mut scratch.samples[..n];
            Noise::Rerandomiser.fill(rng, e1);
            for (limb, ntt) in c1.chunks_exact_mut(n).zip(ring.ntts()) {
                add_small(ntt.modulus().prime(), limb, e1);
            }
        }
        let (out1, out0) = out.split_at_mut(bits_len(n, self.kept1));
        let (mut out1, mut out0) = (BitWriter::new(out1), BitWriter::new(out0));
        Noise::Wide.fill(rng, &mut scratch.samples[..needed.len()]);
        if let Some(pair) = ring.pair() {
            pair_fractions(pair, &c1[..n], &c1[n..], &mut scratch.fractions);
            keep_fractions(self.kept1, &scratch.fractions, &mut scratch.words);
            out1.put_words(&scratch.words, self.kept1);
            self.masked_pair(pair, c0, needed, rng, scratch, &mut out0, shares);
        } else {
            for j in 0..n {
                out1.put(keep(ring.fraction(|i| c1[i * n + j]), self.kept1), self.kept1);
            }
            let mask = (1_u128 << self.kept0) - 1;
            let masks = &mut scratch.masks[..needed.len()];
            rng.fill_blocks(masks);
            let noise = scratch.samples.iter().zip(masks.iter());
            for (((j, add), (&e, &r)), share) in needed.iter().zip(noise).zip(shares) {
                let fraction = ring.fraction(|i| c0[i * n + j]);
                let fraction = fraction.wrapping_add(ring.small_fraction(i64::from(e))).wrapping_add(add);
                let r = r.bits() & mask;
                out0.put(keep(fraction, self.kept0).wrapping_sub(r) & mask, self.kept0);
                *share = (r >> self.slack) as u64;
            }
        }
        out1.finish();
        out0.finish();
    }

    /// The masked bits of c0, for two primes; the samples of `scratch` are e0.
    #[allow(clippy::too_many_arguments, reason = "a part of an answer and its two outputs")]
    fn masked_pair(
        &self,
        pair: Pair,
        c0: &[u32],
        needed: Needed<'_>,
        rng: &mut Prg,
        scratch: &mut Scratch,
        out: &mut BitWriter<'_>,
        shares: &mut [u64],
    ) {
        let len = needed.len();
        let (low, high) = scratch.pairs[..2 * len].split_at_mut(len);
        needed.copy(&c0[..c0.len() / 2], low);
        needed.copy(&c0[c0.len() / 2..], high);
        let (fractions, words) = (&mut scratch.fractions[..len], &mut scratch.words[..len]);
        pair_fractions(pair, low, high, fractions);
        let per_q = 1.0 / (f64::from(pair.primes[0].p) * f64::from(pair.primes[1].p));
        let unit = 1.0 / 18_446_744_073_709_551_616.0;
        let places = needed.places.len();
        let channels = fractions.chunks_exact_mut(places).zip(scratch.samples.chunks_exact(places));
        for ((fractions, e0), &(_, add)) in channels.zip(needed.channels) {
            // Plus one, so that it stays positive.
            let add = 1.0 + (add >> 64) as u64 as f64 * unit;
            add_scaled(per_q, add, e0, fractions);
        }
        keep_fractions(self.kept0, fractions, words);
        let masks = &mut scratch.masks[..len.div_ceil(2)];
        rng.fill_blocks(masks);
        mask_words(self.kept0, self.slack, bytemuck::must_cast_slice(masks), words, shares);
        out.put_words(words, self.kept0);
    }

    /// Decrypts an answer at the needed coefficients into this party's shares, not yet reduced into their ring.
    pub(crate) fn decrypt(
        &self,
        key: &SecretKey,
        answer: &[u8],
        needed: Needed<'_>,
        scratch: &mut Scratch,
        shares: &mut [u64],
    ) {
        let ring = self.set.ring();
        let n = ring.degree();
        let (bytes1, bytes0) = answer.split_at(bits_len(n, self.kept1));
        let Scratch { poly, pairs, words, .. } = scratch;
        let (mut reader1, mut reader0) = (BitReader::new(bytes1), BitReader::new(bytes0));
        if ring.pair().is_some() {
            reader1.get_words(words, self.kept1);
            for (limb, ntt) in poly.chunks_exact_mut(n).zip(ring.ntts()) {
                let m = ntt.modulus().prime();
                wide_residues(m, words, m.r2, limb);
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
        ring.forward(poly);
        key.multiply(poly);
        ring.inverse(poly);
        let drop = self.kept1 - self.kept0;
        if let Some(pair) = ring.pair() {
            let (low, high) = pairs[..2 * needed.len()].split_at_mut(needed.len());
            needed.copy(&poly[..n], low);
            needed.copy(&poly[n..], high);
            pair_lift(pair, drop, low, high, shares);
            let words = &mut words[..needed.len()];
            reader0.get_words(words, self.kept0);
            add_ceil(self.kept0, self.slack, words, shares);
        } else {
            let ceil = (1 << self.slack) - 1;
            for ((j, _), share) in needed.iter().zip(shares) {
                let product = ring.lift(|i| poly[i * n + j]);
                let rounded = (product.wrapping_add((1 << drop) >> 1) as i128 >> drop) as u128;
                let z = reader0.get(self.kept0).wrapping_add(rounded) & ((1 << self.kept0) - 1);
                *share = ((z + ceil) >> self.slack) as u64;
            }
        }
    }
}

/// The `bits` highest bits of a fraction of 2^128, rounded, mod 2^bits.
#[inline]
pub(crate) const fn keep(fraction: u128, bits: u32) -> u128 {
    fraction.wrapping_add(1 << (127 - bits)) >> (128 - bits)
}
