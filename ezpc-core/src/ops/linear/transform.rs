//! Transforms of weight polynomials, written where the products read them.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod taps;

use super::plan::{Chunk, LinearPlan};
use crate::arch::mac::{LANES, ROWS, Weights};
use crate::arch::residues::signed_residues;
use crate::he::modulus::Modulus;
use crate::he::ntt::Ntt;
use crate::he::ring::Ring;
use crate::he::tile::Transforms;
use crate::secret::Wiped;
pub(super) use taps::Taps;

/// The matrices of weights of a chunk of answers: one for each prime and each vector of positions of a whole transform, or
/// each value of short ones. In each: row in the block, tap, input, block, from the innermost on.
#[derive(Default)]
pub(super) struct Matrices {
    words: Words,
    /// Words of a matrix, and from one to the next.
    len: usize,
    stride: usize,
}

enum Words {
    Whole(Wiped<[u32; LANES]>),
    Short(Wiped<u32>),
}

impl Default for Words {
    fn default() -> Self {
        Self::Short(Wiped::default())
    }
}

/// Words of the matrix of so many answers, and from one matrix to the next: the gap keeps the matrices of neighbouring
/// positions, which are written one after the other, from competing for the same sets of a cache.
fn matrix(plan: &LinearPlan, rows: usize) -> [usize; 2] {
    let len = rows.next_multiple_of(ROWS) * plan.geometry().ins();
    match plan.geometry().transforms() {
        Transforms::Whole => [len, len + ROWS],
        Transforms::Short { taps, .. } => [len * taps; 2],
    }
}

/// The matrices of a chunk.
fn count(plan: &LinearPlan) -> usize {
    let set = plan.precision().set;
    set.limbs()
        * match plan.geometry().transforms() {
            Transforms::Whole => set.degree() / LANES,
            Transforms::Short { bins, .. } => bins,
        }
}

/// The bytes of the matrices of so many answers.
pub(super) fn bytes_of(plan: &LinearPlan, rows: usize) -> usize {
    let word = match plan.geometry().transforms() {
        Transforms::Whole => size_of::<[u32; LANES]>(),
        Transforms::Short { .. } => size_of::<u32>(),
    };
    count(plan) * matrix(plan, rows)[1] * word
}

impl Matrices {
    /// Room for the matrices of `rows` answers; what was there before is overwritten by a [`Transformer`].
    fn fit(&mut self, plan: &LinearPlan, rows: usize) {
        [self.len, self.stride] = matrix(plan, rows);
        let len = count(plan) * self.stride;
        match (&mut self.words, plan.geometry().transforms()) {
            (Words::Whole(words), Transforms::Whole) => words.fit(len),
            (Words::Short(words), Transforms::Short { .. }) => words.fit(len),
            (words, Transforms::Whole) => *words = Words::Whole(Wiped::zeros(len)),
            (words, Transforms::Short { .. }) => *words = Words::Short(Wiped::zeros(len)),
        }
    }

    /// The bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        match &self.words {
            Words::Whole(words) => size_of_val(&words[..]),
            Words::Short(words) => size_of_val(&words[..]),
        }
    }
}

/// The matrices of a chunk at one vector of positions after the other.
pub(super) struct Positions<'a> {
    plan: &'a LinearPlan,
    taps: &'a Taps,
    matrices: &'a Matrices,
    /// Those at two vectors, where they are combined of short transforms.
    pair: &'a mut Wiped<[u32; LANES]>,
}

impl<'a> Positions<'a> {
    pub(super) fn new(
        plan: &'a LinearPlan,
        taps: &'a Taps,
        matrices: &'a Matrices,
        pair: &'a mut Wiped<[u32; LANES]>,
    ) -> Self {
        Self { plan, taps, matrices, pair }
    }

    /// The matrix at vector `i` of all primes' positions; an odd one is asked for after the even one before it.
    pub(super) fn at(&mut self, i: usize) -> Weights<'_> {
        let (len, stride) = (self.matrices.len, self.matrices.stride);
        let vectors = self.plan.precision().set.degree() / LANES;
        match (&self.matrices.words, self.plan.geometry().transforms()) {
            (Words::Short(words), Transforms::Short { bins, taps }) => {
                let bin = i / vectors * bins + i % vectors * bins / vectors;
                let words = &words[bin * stride..][..len];
                if taps == 1 {
                    return Weights::Scalars(words);
                }
                let one = len / taps;
                if i.is_multiple_of(2) {
                    self.pair.fit(2 * one);
                    self.taps.combine(i / 2, words, self.pair);
                }
                Weights::Vectors(&self.pair[i % 2 * one..][..one])
            }
            (Words::Whole(words), _) => Weights::Vectors(&words[i * stride..][..len]),
            (Words::Short(_), Transforms::Whole) => unreachable!("matrices are made for their plan"),
        }
    }
}

/// What transforms the weights of a layer, chunk of answers by chunk.
///
/// A weight polynomial is the sum over the kernel's taps of `X^-tap` times a polynomial in X^run (see
/// [`run`](crate::he::tile::Geometry::run)). Where runs are long the transforms of the latter are few values, all that is
/// stored; [`Taps`] combines them for a few positions when the products there are computed. Where runs are short, as in dense
/// layers, polynomials are transformed whole.
pub(super) struct Transformer<'a> {
    plan: &'a LinearPlan,
    ring: &'static Ring,
    weights: &'a [i64],
    /// The polynomials from each ciphertext to the first answer of the first group; those to others have their weights
    /// `answer` places further on, and the last may end early.
    terms: Vec<Vec<Term>>,
    answer: usize,
    /// Ciphertexts whose short polynomials are transformed side by side, and how many words those have, with what fills the
    /// last vector.
    beside: usize,
    width: usize,
}

/// A coefficient of a weight polynomial.
#[derive(Clone, Copy)]
struct Term {
    /// Its place, among those of all taps and rows where transforms are short.
    at: u32,
    /// Its weight.
    index: u32,
    /// All ones when it stands with a minus.
    negative: u32,
}

/// Words of short polynomials that are transformed together.
const BESIDE: usize = 1 << 13;

impl<'a> Transformer<'a> {
    pub(super) fn new(plan: &'a LinearPlan, weights: &'a [i64]) -> Self {
        let geometry = plan.geometry();
        let [beside, input] = match geometry.transforms() {
            Transforms::Whole => [1, 0],
            Transforms::Short { bins, taps } => {
                [(BESIDE / (bins * taps * ROWS)).clamp(1, geometry.ins()), taps * ROWS]
            }
        };
        let width = (beside * input).next_multiple_of(LANES);
        let (taps, run) = (geometry.taps(), geometry.run());
        let terms = (0..geometry.ins()).map(|from| {
            let mut terms = Vec::new();
            match geometry.transforms() {
                Transforms::Whole => geometry.weights(0, 0, from, |at, index, negative| {
                    let negative = if negative { u32::MAX } else { 0 };
                    terms.push(Term { at: at as u32, index: index as u32, negative });
                }),
                Transforms::Short { .. } => geometry.kernels(0, 0, from, |base, tap, index| {
                    let tap = taps.iter().position(|&t| t as usize == tap).expect("it is one of them");
                    let at = base / run * width + from % beside * input + tap * ROWS;
                    terms.push(Term { at: at as u32, index: index as u32, negative: 0 });
                }),
            }
            terms
        });
        let (terms, ring) = (terms.collect(), plan.precision().set.ring());
        let answer = weights.len() / geometry.conv.out_channels * geometry.m_w;
        Self { plan, ring, weights, terms, answer, beside, width }
    }

    /// The matrices of a chunk of answers.
    pub(super) fn chunk(&self, chunk: &Chunk, matrices: &mut Matrices) {
        let Chunk { group, rows, .. } = chunk;
        matrices.fit(self.plan, rows.len());
        let geometry = self.plan.geometry();
        let group_len = self.weights.len() / geometry.groups();
        let weights = &self.weights[group * group_len..][..group_len];
        let weights = &weights[rows.start * self.answer..(rows.end * self.answer).min(group_len)];
        // Behind the last row, and behind the last channel of an answer, there is nothing.
        let blocks = rows.len().div_ceil(ROWS);
        let mut buffer = Wiped::zeros(blocks * ROWS * self.answer);
        let per_prime = count(self.plan) / self.ring.ntts().len() * matrices.stride;
        let (len, stride) = (matrices.len, matrices.stride);
        for (limb, ntt) in self.ring.ntts().iter().enumerate() {
            let m = ntt.modulus().prime();
            let bits = self.plan.spec().weight_bits;
            let words = limb * per_prime..(limb + 1) * per_prime;
            match (&mut matrices.words, geometry.transforms()) {
                (Words::Short(short), Transforms::Short { bins, taps }) => {
                    // The transforms of several taps bring the factor of Montgomery's form.
                    residues(ntt.modulus(), weights, bits, if taps == 1 { m.r2 } else { m.r }, &mut buffer);
                    self.short(ntt, &buffer, [bins, taps], &mut short[words], len);
                }
                (Words::Whole(whole), _) => {
                    residues(ntt.modulus(), weights, bits, m.r2, &mut buffer);
                    self.whole(ntt, &buffer, &mut whole[words], stride);
                }
                (Words::Short(_), Transforms::Whole) => unreachable!("they were made to fit"),
            }
        }
    }

    /// Short transforms of whole blocks of rows, in matrices of `len` words.
    fn short(&self, ntt: &Ntt, weights: &[u32], [bins, taps]: [usize; 2], words: &mut [u32], len: usize) {
        let (input, width) = (taps * ROWS, self.width);
        let mut values = Wiped::zeros(bins * width);
        let block_len = self.terms.len() * input;
        for (block, weights) in weights.chunks_exact(ROWS * self.answer).enumerate() {
            let rows: [&[u32]; ROWS] =
                core::array::from_fn(|row| &weights[row * self.answer..][..self.answer]);
            for (i, beside) in self.terms.chunks(self.beside).enumerate() {
                values.fill(0);
                for term in beside.iter().flatten() {
                    let slot: &mut [u32; ROWS] =
                        values[term.at as usize..].first_chunk_mut().expect("terms have their place");
                    *slot = rows.map(|row| row[term.index as usize]);
                }
                ntt.forward_rows(values.as_chunks_mut().0, width / LANES);
                let known = beside.len() * input;
                let at = block * block_len + i * self.beside * input;
                for (values, words) in values.chunks_exact(width).zip(words.chunks_exact_mut(len)) {
                    words[at..at + known].copy_from_slice(&values[..known]);
                }
            }
        }
    }

    /// Whole transforms of whole blocks of rows, in matrices `stride` apart.
    fn whole(&self, ntt: &Ntt, weights: &[u32], words: &mut [[u32; LANES]], stride: usize) {
        let n = self.ring.degree();
        let mut values = Wiped::<u32>::zeros(ROWS * n);
        for (block, weights) in weights.chunks_exact(ROWS * self.answer).enumerate() {
            for (from, terms) in self.terms.iter().enumerate() {
                values.fill(0);
                for (weights, values) in weights.chunks_exact(self.answer).zip(values.chunks_exact_mut(n)) {
                    for term in terms {
                        values[term.at as usize] = term.signed(ntt.modulus(), weights[term.index as usize]);
                    }
                    ntt.forward(values);
                }
                interleave(values.as_chunks().0, words, (block * self.terms.len() + from) * ROWS, stride);
            }
        }
    }
}

impl Term {
    /// Its coefficient, of the residue of its weight.
    fn signed(self, m: Modulus, residue: u32) -> u32 {
        let value = (residue ^ self.negative).wrapping_add((m.p() + 1) & self.negative);
        value.min(value.wrapping_sub(m.p()))
    }
}

/// `w · factor / 2^32` for weights of at most so many bits.
fn residues(m: Modulus, weights: &[i64], bits: u32, factor: u32, out: &mut [u32]) {
    if 1 << bits <= i64::from(m.p()) {
        return signed_residues(m.prime(), weights, factor, out);
    }
    for (residue, &w) in out.iter_mut().zip(weights) {
        *residue = m.mont_mul(m.reduce_i64(w), factor);
    }
}

/// Puts a block of [`ROWS`] transforms into the matrices of all positions.
fn interleave(block: &[[u32; LANES]], matrices: &mut [[u32; LANES]], start: usize, stride: usize) {
    let positions = block.len() / ROWS;
    for (i, matrix) in matrices.chunks_exact_mut(stride).enumerate() {
        for (row, slot) in matrix[start..start + ROWS].iter_mut().enumerate() {
            *slot = block[row * positions + i];
        }
    }
}
