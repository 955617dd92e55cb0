//! Weights, transformed once.

use super::noise::NoiseReport;
use super::plan::LinearPlan;
use super::spread::spread;
use crate::arch::mac::{LANES, ROWS, Weights};
use crate::error::{Error, Result};
use crate::he::ring::Ring;
use core::fmt;
use core::ops::Range;
use zeroize::Zeroizing;

/// The transformed weights and bias of a layer, at their owner.
pub struct PreparedWeights {
    /// For each group and chunk of its answers the matrices of weights.
    chunks: Vec<Words>,
    /// One an output channel, as a fraction of 2^128 of the input's ring; empty without a bias.
    bias: Zeroizing<Vec<u128>>,
    report: NoiseReport,
    /// How many values of a transform in a row are the same.
    run: usize,
}

/// For each prime and each position (or run of positions) the matrix of weights in blocks of rows: row in the block,
/// input, block, from the innermost on.
enum Words {
    Vectors(Zeroizing<Vec<[u32; LANES]>>),
    Scalars(Zeroizing<Vec<u32>>),
}

/// What the condition on a layer's noise asks of weight polynomials: the largest norms.
#[derive(Clone, Copy, Default)]
struct Norms {
    l1: f64,
    l2_squared: f64,
}

impl Norms {
    const fn max(self, other: Self) -> Self {
        Self { l1: self.l1.max(other.l1), l2_squared: self.l2_squared.max(other.l2_squared) }
    }
}

impl PreparedWeights {
    /// Transforms weights in the order of the layer's shape, on so many threads; fails when their errors would exceed
    /// the contract's.
    pub fn new(plan: &LinearPlan, weights: &[i64], bias: Option<&[i64]>, threads: usize) -> Result<Self> {
        let (spec, geometry) = (plan.spec(), plan.geometry());
        if weights.len() != spec.weights_len() || bias.is_some_and(|b| b.len() != spec.bias_len()) {
            return Err(Error::usage("weights or biases that do not fit the shape of their layer"));
        }
        let run = if geometry.run() >= LANES { geometry.run() } else { 1 };
        let items = (0..geometry.groups()).flat_map(|group| plan.chunks().map(move |rows| (group, rows)));
        let done = spread(threads, items.collect(), |(group, rows)| {
            Transformer { plan, ring: plan.precision().set.ring(), weights, run }.chunk(group, rows)
        });
        let norms = done.iter().fold(Norms::default(), |most, (_, norms)| most.max(*norms));
        let report = NoiseReport::check(plan, norms.l1, norms.l2_squared)?;
        let fraction = |&b: &i64| u128::from(spec.input.from_signed(b)) << (128 - spec.input.bits());
        let bias = Zeroizing::new(bias.unwrap_or_default().iter().map(fraction).collect());
        Ok(Self { chunks: done.into_iter().map(|(words, _)| words).collect(), bias, report, run })
    }

    /// The bounds of this layer's errors.
    #[must_use]
    pub const fn report(&self) -> &NoiseReport {
        &self.report
    }

    /// The bytes that the weights take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let bytes = |words: &Words| match words {
            Words::Vectors(words) => size_of_val(words.as_slice()),
            Words::Scalars(words) => size_of_val(words.as_slice()),
        };
        self.chunks.iter().map(bytes).sum()
    }

    /// What to add to an output channel, as a fraction of 2^128.
    pub(super) fn bias(&self, channel: usize) -> u128 {
        self.bias.get(channel).copied().unwrap_or(0)
    }

    /// The matrices of a chunk of a group: for each prime and each vector of its transform, in that order.
    pub(super) fn matrices(
        &self,
        plan: &LinearPlan,
        group: usize,
        chunk: usize,
    ) -> impl Iterator<Item = Weights<'_>> {
        let words = &self.chunks[group * plan.chunks().len() + chunk];
        let set = plan.precision().set;
        let vectors = set.degree() / LANES;
        let bins = set.degree() / self.run;
        (0..set.limbs() * vectors).map(move |i| match words {
            Words::Vectors(words) => Weights::Vectors(part(words, set.limbs() * vectors, i)),
            Words::Scalars(words) => {
                let (limb, at) = (i / vectors, i % vectors);
                Weights::Scalars(part(words, set.limbs() * bins, limb * bins + at * LANES / self.run))
            }
        })
    }
}

/// Part `i` of `parts` equal ones.
fn part<T>(all: &[T], parts: usize, i: usize) -> &[T] {
    let len = all.len() / parts;
    &all[i * len..(i + 1) * len]
}

/// What all chunks of a layer's weights have in common.
struct Transformer<'a> {
    plan: &'a LinearPlan,
    ring: &'a Ring,
    weights: &'a [i64],
    run: usize,
}

impl Transformer<'_> {
    /// The matrices of the answers `rows` of a group, and the largest norms among their polynomials.
    fn chunk(&self, group: usize, rows: Range<usize>) -> (Words, Norms) {
        let limbs = self.ring.set().limbs();
        let (inputs, bins) = (self.plan.geometry().ins(), self.ring.degree() / self.run);
        let blocks = rows.len().div_ceil(ROWS);
        let len = limbs * bins * blocks * ROWS * inputs;
        let mut words = if self.run == 1 {
            Words::Vectors(Zeroizing::new(vec![[0; LANES]; len / LANES]))
        } else {
            Words::Scalars(Zeroizing::new(vec![0; len]))
        };
        // The transforms of one block of rows from one input, one prime after the other.
        let mut block = Zeroizing::new(vec![0_u32; ROWS * bins * limbs]);
        let mut norms = [Norms::default(); ROWS];
        let mut most = Norms::default();
        for (b, first) in rows.clone().step_by(ROWS).enumerate() {
            norms.fill(Norms::default());
            for from in 0..inputs {
                block.fill(0);
                for (row, norms) in norms.iter_mut().enumerate().take(rows.end - first) {
                    self.transforms(group, first + row, from, row, &mut block, norms);
                }
                let start = (b * inputs + from) * ROWS;
                match &mut words {
                    Words::Vectors(words) => interleave(block.as_chunks().0, limbs, words, start),
                    Words::Scalars(words) => interleave(&block, limbs, words, start),
                }
            }
            most = norms.iter().fold(most, |most, norms| most.max(*norms));
        }
        (words, most)
    }

    /// Transforms the weight polynomial from ciphertext `from` to answer `to` into the places of `row` in a block.
    fn transforms(
        &self,
        group: usize,
        to: usize,
        from: usize,
        row: usize,
        block: &mut [u32],
        norms: &mut Norms,
    ) {
        let bins = self.ring.degree() / self.run;
        self.plan.geometry().weights(group, to, from, |at, index, negative| {
            let w = self.weights[index];
            norms.l1 += w.unsigned_abs() as f64;
            norms.l2_squared += (w as f64).powi(2);
            let signed = if negative { -w } else { w };
            for (limb, ntt) in self.ring.ntts().iter().enumerate() {
                let m = ntt.modulus();
                block[(limb * ROWS + row) * bins + at / self.run] = m.to_mont(m.reduce_i64(signed));
            }
        });
        for (limb, ntt) in self.ring.ntts().iter().enumerate() {
            ntt.forward(&mut block[(limb * ROWS + row) * bins..][..bins]);
        }
    }
}

/// Puts a block, [`ROWS`] transforms for each of `limbs` primes, at `start` of the matrices of all positions.
fn interleave<T: Copy>(block: &[T], limbs: usize, matrices: &mut [T], start: usize) {
    let positions = block.len() / (limbs * ROWS);
    let matrix = matrices.len() / (limbs * positions);
    for (rows, matrices) in
        block.chunks_exact(ROWS * positions).zip(matrices.chunks_exact_mut(positions * matrix))
    {
        for (i, matrix) in matrices.chunks_exact_mut(matrix).enumerate() {
            for (row, slot) in matrix[start..start + ROWS].iter_mut().enumerate() {
                *slot = rows[row * positions + i];
            }
        }
    }
}

impl fmt::Debug for PreparedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedWeights({} bytes)", self.bytes())
    }
}
