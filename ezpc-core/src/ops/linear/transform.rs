//! Transforms of weight polynomials, written where the products read them.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::plan::LinearPlan;
use crate::arch::mac::{LANES, ROWS, Target, Weights, multiply};
use crate::he::modulus::Modulus;
use crate::he::ring::Ring;
use core::ops::Range;
use zeroize::{Zeroize, Zeroizing};

/// The matrices of weights of a chunk of answers: one for each prime and each position, or run of positions, of a
/// transform. In each: row in the block, input, block, from the innermost on.
#[derive(Default)]
pub(super) struct Matrices {
    words: Words,
    /// Words of a matrix, and from one to the next.
    len: usize,
    stride: usize,
}

enum Words {
    Vectors(Zeroizing<Vec<[u32; LANES]>>),
    Scalars(Zeroizing<Vec<u32>>),
}

impl Default for Words {
    fn default() -> Self {
        Self::Scalars(Zeroizing::default())
    }
}

/// How many values of a transform in a row are stored as one.
pub(super) fn run(plan: &LinearPlan) -> usize {
    let run = plan.geometry().run();
    if run >= LANES { run } else { 1 }
}

/// Words of the matrix of so many answers, and from one matrix to the next: the gap keeps the matrices of neighbouring
/// positions, which are written one after the other, from competing for the same sets of a cache.
fn matrix(plan: &LinearPlan, rows: usize) -> [usize; 2] {
    let len = rows.next_multiple_of(ROWS) * plan.geometry().ins();
    [len, if run(plan) == 1 { len + ROWS } else { len }]
}

/// The matrices of a chunk: one for each prime and each position that is stored.
fn count(plan: &LinearPlan) -> usize {
    let set = plan.precision().set;
    let each = if run(plan) == 1 { LANES } else { run(plan) };
    set.limbs() * (set.degree() / each)
}

/// The bytes of the matrices of so many answers.
pub(super) fn bytes_of(plan: &LinearPlan, rows: usize) -> usize {
    let word = if run(plan) == 1 { size_of::<[u32; LANES]>() } else { size_of::<u32>() };
    count(plan) * matrix(plan, rows)[1] * word
}

impl Matrices {
    /// Room for the matrices of `rows` answers; what was there before is overwritten by a [`Transformer`].
    fn fit(&mut self, plan: &LinearPlan, rows: usize) {
        [self.len, self.stride] = matrix(plan, rows);
        let len = count(plan) * self.stride;
        match &mut self.words {
            Words::Vectors(words) if run(plan) == 1 => resize(words, len, [0; LANES]),
            Words::Scalars(words) if run(plan) > 1 => resize(words, len, 0),
            words if run(plan) == 1 => *words = Words::Vectors(Zeroizing::new(vec![[0; LANES]; len])),
            words => *words = Words::Scalars(Zeroizing::new(vec![0; len])),
        }
    }

    /// The matrices for each prime and each vector of its transform, in that order.
    pub(super) fn all(&self, plan: &LinearPlan) -> impl Iterator<Item = Weights<'_>> {
        let set = plan.precision().set;
        let (vectors, run) = (set.degree() / LANES, run(plan));
        let (len, stride) = (self.len, self.stride);
        (0..set.limbs() * vectors).map(move |i| match &self.words {
            Words::Vectors(words) => Weights::Vectors(&words[i * stride..][..len]),
            Words::Scalars(words) => {
                let at = i / vectors * (set.degree() / run) + i % vectors * LANES / run;
                Weights::Scalars(&words[at * stride..][..len])
            }
        })
    }

    /// The bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        match &self.words {
            Words::Vectors(words) => size_of_val(words.as_slice()),
            Words::Scalars(words) => size_of_val(words.as_slice()),
        }
    }
}

/// As many words, without a copy of secret ones that stays behind.
fn resize<T: Copy + Zeroize>(words: &mut Zeroizing<Vec<T>>, len: usize, zero: T) {
    if words.capacity() < len {
        *words = Zeroizing::new(vec![zero; len]);
    } else {
        words.resize(len, zero);
    }
}

/// What transforms the weights of a layer, chunk of answers by chunk.
///
/// A transform is the matrix of the powers of roots times the coefficients. Where a polynomial has few coefficients, as a
/// kernel of 3x3 has over a large map, the product with the columns of that matrix costs less than the fast transform, and
/// writes its results where they belong.
pub(super) struct Transformer<'a> {
    plan: &'a LinearPlan,
    ring: &'static Ring,
    weights: &'a [i64],
    run: usize,
    /// The polynomials from each ciphertext to the first answer of the first group; those to others have their weights
    /// `step` places further on, and the last may end early.
    terms: Vec<Vec<Term>>,
    step: usize,
    /// Where polynomials have few coefficients.
    monomials: Vec<Monomials>,
}

/// A coefficient of a weight polynomial.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Term {
    /// Its place.
    at: u32,
    /// Its weight.
    index: u32,
    /// All ones when it stands with a minus.
    negative: u32,
}

/// The transforms of the monomials of the weight polynomials from some ciphertexts.
struct Monomials {
    /// The places of the coefficients.
    places: Vec<u32>,
    /// For each prime and each pair of vectors of a transform, the two vectors of each monomial.
    columns: Vec<[u32; LANES]>,
}

/// The most coefficients of a polynomial whose transform is computed from monomials.
const FEW: usize = 24;

impl<'a> Transformer<'a> {
    pub(super) fn new(plan: &'a LinearPlan, weights: &'a [i64]) -> Self {
        let geometry = plan.geometry();
        let terms = (0..geometry.ins()).map(|from| {
            let mut terms = Vec::new();
            geometry.weights(0, 0, from, |at, index, negative| {
                let negative = if negative { u32::MAX } else { 0 };
                terms.push(Term { at: at as u32, index: index as u32, negative });
            });
            terms
        });
        let (terms, ring) = (terms.collect(), plan.precision().set.ring());
        let step = weights.len() / geometry.conv.out_channels;
        let mut transformer =
            Self { plan, ring, weights, run: run(plan), terms, step, monomials: Vec::new() };
        transformer.find_monomials();
        transformer
    }

    fn find_monomials(&mut self) {
        let many = self.terms.iter().any(|terms| terms.len() > FEW);
        // Transforms of runs are short, and monomials cost a transform each.
        if many || self.run > 1 || self.plan.geometry().outs() < FEW {
            return;
        }
        for terms in &self.terms {
            if !self.monomials.iter().any(|m| m.serves(terms)) {
                self.monomials.push(Monomials::new(self.ring, terms));
            }
        }
    }

    /// The matrices of the answers `rows` of a group.
    pub(super) fn chunk(&self, group: usize, rows: Range<usize>, matrices: &mut Matrices) {
        matrices.fit(self.plan, rows.len());
        let geometry = self.plan.geometry();
        let inputs = geometry.ins();
        let channels = rows.start * geometry.m_w..(rows.end * geometry.m_w).min(geometry.group_outs());
        let first = (group * geometry.group_outs() + channels.start) * self.step;
        let weights = &self.weights[first..first + channels.len() * self.step];
        let bits = self.plan.spec().weight_bits;
        let residues: Vec<_> =
            self.ring.ntts().iter().map(|ntt| residues(ntt.modulus(), weights, bits)).collect();
        let stride = matrices.stride;
        let places = |b: usize, from: usize| Places { start: (b * inputs + from) * ROWS, stride };
        let block_of = |b: usize| Block {
            residues: &residues,
            first: b * ROWS * geometry.m_w * self.step,
            row: geometry.m_w * self.step,
            rows: ROWS.min(rows.len() - b * ROWS),
        };
        let blocks = (0..rows.len().div_ceil(ROWS)).map(|b| (b, block_of(b)));
        match &mut matrices.words {
            Words::Vectors(words) if !self.monomials.is_empty() => {
                let serving = |terms: &Vec<Term>| self.monomials.iter().find(|m| m.serves(terms));
                let monomials: Vec<_> = self.terms.iter().filter_map(serving).collect();
                for (b, block) in blocks {
                    for (from, (terms, monomials)) in self.terms.iter().zip(&monomials).enumerate() {
                        monomials.evaluate(
                            self.ring,
                            terms,
                            &block,
                            words.as_flattened_mut(),
                            places(b, from),
                        );
                    }
                }
            }
            words => {
                let limbs = self.ring.set().limbs();
                // The transforms of one block of rows from one input, one prime after the other.
                let mut values = Zeroizing::new(vec![0_u32; ROWS * (self.ring.degree() / self.run) * limbs]);
                for (b, block) in blocks {
                    for (from, terms) in self.terms.iter().enumerate() {
                        self.transforms(terms, &block, &mut values);
                        let to = places(b, from);
                        match words {
                            Words::Vectors(words) => interleave(values.as_chunks().0, limbs, words, to),
                            Words::Scalars(words) => interleave(&values, limbs, words, to),
                        }
                    }
                }
            }
        }
    }

    /// The transforms of the weight polynomials of a block.
    fn transforms(&self, terms: &[Term], block: &Block<'_>, values: &mut [u32]) {
        let bins = self.ring.degree() / self.run;
        let shift = self.run.trailing_zeros();
        values.fill(0);
        let all = values.chunks_exact_mut(ROWS * bins).zip(block.residues).zip(self.ring.ntts());
        for ((values, residues), ntt) in all {
            for (row, values) in values.chunks_exact_mut(bins).enumerate().take(block.rows) {
                let residues = block.row(residues, row);
                for (term, residue) in terms.iter().map_while(|t| Some((t, residues.get(t.index as usize)?)))
                {
                    values[(term.at >> shift) as usize] = term.signed(ntt.modulus(), *residue);
                }
                ntt.forward(values);
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

/// The weights of a block of rows.
struct Block<'a> {
    /// For each prime those of the whole chunk, in Montgomery form.
    residues: &'a [Zeroizing<Vec<u32>>],
    /// Where those of the first row begin, and how far the rows are apart.
    first: usize,
    row: usize,
    rows: usize,
}

impl Block<'_> {
    fn row<'r>(&self, residues: &'r [u32], row: usize) -> &'r [u32] {
        &residues[self.first + row * self.row..]
    }
}

/// Weights of at most so many bits, in Montgomery form.
fn residues(m: Modulus, weights: &[i64], bits: u32) -> Zeroizing<Vec<u32>> {
    let small = 1 << bits <= i64::from(m.p());
    let residue = |&w: &i64| match small {
        true => (w + (i64::from(m.p()) & (w >> 63))) as u32,
        false => m.reduce_i64(w),
    };
    Zeroizing::new(weights.iter().map(|w| m.to_mont(residue(w))).collect())
}

impl Monomials {
    fn new(ring: &Ring, terms: &[Term]) -> Self {
        let (n, count) = (ring.degree(), terms.len());
        let mut columns = vec![[0; LANES]; ring.ntts().len() * (n / LANES) * count];
        let mut values = vec![0; n];
        for (limb, ntt) in ring.ntts().iter().enumerate() {
            for (i, term) in terms.iter().enumerate() {
                values.fill(0);
                values[term.at as usize] = ntt.modulus().to_mont(1);
                ntt.forward(&mut values);
                let pairs = columns[limb * (n / LANES) * count..].chunks_exact_mut(2 * count);
                for (pair, values) in pairs.zip(values.as_chunks().0.chunks_exact(2)) {
                    pair[2 * i..2 * i + 2].copy_from_slice(values);
                }
            }
        }
        Self { places: terms.iter().map(|t| t.at).collect(), columns }
    }

    /// Whether polynomials have their coefficients here.
    fn serves(&self, terms: &[Term]) -> bool {
        terms.iter().map(|t| t.at).eq(self.places.iter().copied())
    }

    /// The transforms of the weight polynomials of a block, which have these monomials.
    fn evaluate(&self, ring: &Ring, terms: &[Term], block: &Block<'_>, words: &mut [u32], to: Places) {
        let count = terms.len();
        let vectors = ring.degree() / LANES;
        let mut coefficients = Zeroizing::new([[0_u32; ROWS]; FEW]);
        for ((limb, ntt), residues) in ring.ntts().iter().enumerate().zip(block.residues) {
            let m = ntt.modulus();
            for row in 0..ROWS {
                // Behind the last row, and behind the last channel of an answer, there is nothing.
                let residues = if row < block.rows { block.row(residues, row) } else { &[] };
                for (coefficients, term) in coefficients.iter_mut().zip(terms) {
                    let residue = residues.get(term.index as usize).copied().unwrap_or(0);
                    coefficients[row] = term.signed(m, residue);
                }
            }
            let w = Weights::Scalars(coefficients[..count].as_flattened());
            let columns = self.columns.chunks_exact(2 * count).skip(limb * vectors / 2).take(vectors / 2);
            for (pair, columns) in columns.enumerate() {
                let at = ((limb * vectors + 2 * pair) * to.stride + to.start) * LANES;
                let target = Target { out: words, rows: ROWS, row: LANES, column: to.stride * LANES, at };
                multiply(m.prime(), columns, 2, w, target);
            }
        }
    }
}

/// Where a block of rows from one input goes in every matrix, and how far the matrices are apart.
#[derive(Clone, Copy)]
struct Places {
    start: usize,
    stride: usize,
}

/// Puts a block, [`ROWS`] transforms for each of `limbs` primes, into the matrices of all positions.
fn interleave<T: Copy>(block: &[T], limbs: usize, matrices: &mut [T], to: Places) {
    let positions = block.len() / (limbs * ROWS);
    for (rows, matrices) in
        block.chunks_exact(ROWS * positions).zip(matrices.chunks_exact_mut(positions * to.stride))
    {
        for (i, matrix) in matrices.chunks_exact_mut(to.stride).enumerate() {
            for (row, slot) in matrix[to.start..to.start + ROWS].iter_mut().enumerate() {
                *slot = rows[row * positions + i];
            }
        }
    }
}
