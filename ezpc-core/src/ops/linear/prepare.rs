//! The weights of a layer at their owner.

use super::noise::NoiseReport;
use super::plan::LinearPlan;
use super::spread::spread;
use super::transform::{Matrices, Transformer, bytes_of};
use crate::arch::mac::Weights;
use crate::error::{Error, Result};
use core::fmt;
use core::ops::Range;
use zeroize::Zeroizing;

/// The weights and biases of a layer at their owner, for one run of it.
///
/// A layer that runs many times is best [`PreparedWeights`], many times larger than the weights themselves. Otherwise each
/// chunk is transformed when its answers are computed, and never leaves the cache for long.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_enums, reason = "transformed or not")]
pub enum OwnWeights<'a> {
    /// Transformed ahead.
    Prepared(&'a PreparedWeights),
    /// As they are, and [checked](PreparedWeights::check).
    Plain {
        /// In the order of the layer's shape.
        weights: &'a [i64],
        /// One an output channel.
        bias: Option<&'a [i64]>,
    },
}

/// The transformed weights and bias of a layer, at their owner.
pub struct PreparedWeights {
    /// For each group and chunk of its answers.
    chunks: Vec<Matrices>,
    bias: Bias,
}

/// One an output channel, as a fraction of 2^128 of the input's ring; empty without a bias.
pub(super) struct Bias(Zeroizing<Vec<u128>>);

/// What the condition on a layer's noise asks of weight polynomials: the largest norms.
#[derive(Clone, Copy, Default)]
struct Norms {
    l1: f64,
    l2_squared: f64,
}

impl Norms {
    fn add(&mut self, w: i64) {
        self.l1 += w.unsigned_abs() as f64;
        self.l2_squared += (w as f64).powi(2);
    }

    const fn max(self, other: Self) -> Self {
        Self { l1: self.l1.max(other.l1), l2_squared: self.l2_squared.max(other.l2_squared) }
    }
}

impl PreparedWeights {
    /// Transforms weights in the order of the layer's shape, on so many threads; fails when their errors would exceed
    /// the contract's.
    pub fn new(plan: &LinearPlan, weights: &[i64], bias: Option<&[i64]>, threads: usize) -> Result<Self> {
        Self::check(plan, weights, bias, threads)?;
        Ok(Self::transformed(plan, weights, bias, threads))
    }

    /// Transforms weights that were checked.
    pub(super) fn transformed(
        plan: &LinearPlan,
        weights: &[i64],
        bias: Option<&[i64]>,
        threads: usize,
    ) -> Self {
        let transformer = Transformer::new(plan, weights);
        let chunks = spread(threads, chunks(plan), |(group, rows)| {
            let mut matrices = Matrices::default();
            transformer.chunk(group, rows, &mut matrices);
            matrices
        });
        Self { chunks, bias: Bias::new(plan, bias) }
    }

    /// Bounds of the errors of weights, in the order of the layer's shape; fails when they exceed the contract's. From the
    /// weights' norms alone: nothing is transformed.
    pub fn check(
        plan: &LinearPlan,
        weights: &[i64],
        bias: Option<&[i64]>,
        threads: usize,
    ) -> Result<NoiseReport> {
        let (spec, geometry) = (plan.spec(), plan.geometry());
        if weights.len() != spec.weights_len() || bias.is_some_and(|b| b.len() != spec.bias_len()) {
            return Err(Error::usage("weights or biases that do not fit the shape of their layer"));
        }
        if weights.iter().any(|w| w.unsigned_abs() >> spec.weight_bits != 0) {
            return Err(Error::usage(format!("a weight exceeds {} bits", spec.weight_bits)));
        }
        let norms = spread(threads, chunks(plan), |(group, rows)| {
            rows.map(|to| {
                let mut norms = Norms::default();
                for from in 0..geometry.ins() {
                    geometry.weights(group, to, from, |_, index, _| norms.add(weights[index]));
                }
                norms
            })
            .fold(Norms::default(), Norms::max)
        });
        let most = norms.into_iter().fold(Norms::default(), Norms::max);
        NoiseReport::check(plan, most.l1, most.l2_squared)
    }

    /// The bytes that the transformed weights of a layer take: a function of its public shape.
    #[must_use]
    pub fn bytes_of(plan: &LinearPlan) -> usize {
        plan.geometry().groups() * plan.chunks().map(|rows| bytes_of(plan, rows.len())).sum::<usize>()
    }

    /// The bytes that the weights take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Matrices::bytes).sum()
    }
}

/// The chunks of answers of all groups.
fn chunks(plan: &LinearPlan) -> Vec<(usize, Range<usize>)> {
    (0..plan.geometry().groups()).flat_map(|group| plan.chunks().map(move |rows| (group, rows))).collect()
}

impl Bias {
    fn new(plan: &LinearPlan, bias: Option<&[i64]>) -> Self {
        let input = plan.spec().input;
        let fraction = |&b: &i64| u128::from(input.from_signed(b)) << (128 - input.bits());
        Self(Zeroizing::new(bias.unwrap_or_default().iter().map(fraction).collect()))
    }

    /// What to add to an output channel, as a fraction of 2^128.
    pub(super) fn of(&self, channel: usize) -> u128 {
        self.0.get(channel).copied().unwrap_or(0)
    }
}

/// The weights that one run of a layer multiplies with.
pub(super) enum Source<'a> {
    /// All transformed.
    Whole(&'a PreparedWeights),
    /// Transformed when it takes several messages, which all need them.
    Once(PreparedWeights),
    /// Transformed as they are needed.
    Chunks(Transformer<'a>, Bias),
}

impl<'a> Source<'a> {
    pub(super) fn new(plan: &'a LinearPlan, weights: OwnWeights<'a>, threads: usize) -> Self {
        match weights {
            OwnWeights::Prepared(all) => Self::Whole(all),
            OwnWeights::Plain { weights, bias } if plan.pieces() > 1 => {
                Self::Once(PreparedWeights::transformed(plan, weights, bias, threads))
            }
            OwnWeights::Plain { weights, bias } => {
                Self::Chunks(Transformer::new(plan, weights), Bias::new(plan, bias))
            }
        }
    }

    pub(super) const fn bias(&self) -> &Bias {
        match self {
            Self::Whole(all) => &all.bias,
            Self::Once(all) => &all.bias,
            Self::Chunks(_, bias) => bias,
        }
    }

    /// The matrices of a chunk of a group, its answers `rows`: for each prime and each vector of its transform, in that
    /// order. `buffer` is where they are put, if they are not at hand.
    pub(super) fn matrices<'b>(
        &'b self,
        plan: &LinearPlan,
        group: usize,
        chunk: usize,
        rows: Range<usize>,
        buffer: &'b mut Matrices,
    ) -> impl Iterator<Item = Weights<'b>> {
        let kept = |all: &'b PreparedWeights| &all.chunks[group * plan.chunks().len() + chunk];
        let matrices = match self {
            Self::Whole(all) => kept(all),
            Self::Once(all) => kept(all),
            Self::Chunks(transformer, _) => {
                transformer.chunk(group, rows, buffer);
                buffer
            }
        };
        matrices.all(plan)
    }
}

impl fmt::Debug for PreparedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedWeights({} bytes)", self.bytes())
    }
}

impl fmt::Debug for OwnWeights<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepared(_) => "Prepared",
            Self::Plain { .. } => "Plain",
        })
    }
}
