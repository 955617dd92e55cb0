//! Weights, transformed once.

use super::noise::NoiseReport;
use super::plan::LinearPlan;
use crate::arch::mac::{LANES, ROWS, Weights};
use crate::error::{Error, Result};
use core::fmt;
use zeroize::Zeroizing;

/// The transformed weights and bias of a layer, at their owner.
pub struct PreparedWeights {
    /// For each group, prime and position (or run of positions) the matrix of weights in blocks of rows.
    words: Words,
    /// One an output channel, as a fraction of 2^128 of the input's ring; empty without a bias.
    bias: Zeroizing<Vec<u128>>,
    report: NoiseReport,
    rows: usize,
    inputs: usize,
    limbs: usize,
    run: usize,
}

enum Words {
    Vectors(Zeroizing<Vec<[u32; LANES]>>),
    Scalars(Zeroizing<Vec<u32>>),
}

impl PreparedWeights {
    /// Transforms weights in the order of the layer's shape; fails when their errors would exceed the contract's.
    pub fn new(plan: &LinearPlan, weights: &[i64], bias: Option<&[i64]>) -> Result<Self> {
        let (spec, geometry, precision) = (plan.spec(), plan.geometry(), plan.precision());
        if weights.len() != spec.weights_len() || bias.is_some_and(|b| b.len() != spec.bias_len()) {
            return Err(Error::usage("weights or biases that do not fit the shape of their layer"));
        }
        let ring = precision.set.ring();
        let (degree, limbs) = (ring.degree(), precision.set.limbs());
        let (inputs, outs) = (geometry.ins(), geometry.outs());
        let rows = outs.div_ceil(ROWS) * ROWS;
        let run = if geometry.run() >= LANES { geometry.run() } else { 1 };
        let len = geometry.groups() * limbs * (degree / run) * rows * inputs;
        let mut words = if run == 1 {
            Words::Vectors(Zeroizing::new(vec![[0; LANES]; len / LANES]))
        } else {
            Words::Scalars(Zeroizing::new(vec![0; len]))
        };
        let (mut most1, mut most2) = (0.0_f64, 0.0_f64);
        let mut terms = Zeroizing::new(Vec::<(usize, i64)>::new());
        let mut residues = Zeroizing::new(vec![0_u32; degree / run]);
        for group in 0..geometry.groups() {
            for to in 0..outs {
                let (mut l1, mut l2) = (0.0, 0.0);
                for from in 0..inputs {
                    terms.clear();
                    geometry.weights(group, to, from, |at, index, negative| {
                        let w = weights[index];
                        l1 += w.unsigned_abs() as f64;
                        l2 += (w as f64).powi(2);
                        terms.push((at / run, if negative { -w } else { w }));
                    });
                    for (limb, ntt) in ring.ntts().iter().enumerate() {
                        let m = ntt.modulus();
                        residues.fill(0);
                        for &(at, w) in terms.iter() {
                            residues[at] = m.to_mont(m.reduce_i64(w));
                        }
                        ntt.forward(&mut residues);
                        let at = (to / ROWS * inputs + from) * ROWS + to % ROWS;
                        match &mut words {
                            Words::Vectors(words) => {
                                let first = (group * limbs + limb) * (degree / LANES);
                                for (j, lanes) in residues.as_chunks::<LANES>().0.iter().enumerate() {
                                    words[(first + j) * rows * inputs + at] = *lanes;
                                }
                            }
                            Words::Scalars(words) => {
                                let first = (group * limbs + limb) * (degree / run);
                                for (bin, &v) in residues.iter().enumerate() {
                                    words[(first + bin) * rows * inputs + at] = v;
                                }
                            }
                        }
                    }
                }
                most1 = most1.max(l1);
                most2 = most2.max(l2);
            }
        }
        let report = NoiseReport::check(plan, most1, most2)?;
        let fraction = |&b: &i64| u128::from(spec.input.from_signed(b)) << (128 - spec.input.bits());
        let bias = Zeroizing::new(bias.unwrap_or_default().iter().map(fraction).collect());
        Ok(Self { words, bias, report, rows, inputs, limbs, run })
    }

    /// The bounds of this layer's errors.
    #[must_use]
    pub const fn report(&self) -> &NoiseReport {
        &self.report
    }

    /// The bytes that the weights take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.words {
            Words::Vectors(words) => size_of_val(words.as_slice()),
            Words::Scalars(words) => size_of_val(words.as_slice()),
        }
    }

    /// What to add to an output channel, as a fraction of 2^128.
    pub(super) fn bias(&self, channel: usize) -> u128 {
        self.bias.get(channel).copied().unwrap_or(0)
    }

    /// The matrix at vector `at` of a transform of `degree`, from block of rows `blocks.start` to `blocks.end`.
    pub(super) fn at(
        &self,
        degree: usize,
        group: usize,
        limb: usize,
        at: usize,
        blocks: &core::ops::Range<usize>,
    ) -> Weights<'_> {
        let block = ROWS * self.inputs;
        let range = |first: usize| {
            let start = first * self.rows * self.inputs;
            start + blocks.start * block..start + blocks.end * block
        };
        let plane = group * self.limbs + limb;
        match &self.words {
            Words::Vectors(words) => Weights::Vectors(&words[range(plane * (degree / LANES) + at)]),
            Words::Scalars(words) => {
                let bin = at * LANES / self.run;
                Weights::Scalars(&words[range(plane * (degree / self.run) + bin)])
            }
        }
    }
}

impl fmt::Debug for PreparedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedWeights({} bytes)", self.bytes())
    }
}
