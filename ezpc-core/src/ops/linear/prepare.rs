//! The weights of a layer at their owner.

use super::check::CheckedWeights;
use super::plan::LinearPlan;
use super::spread::spread;
use super::transform::{Matrices, Taps, Transformer, bytes_of};
use crate::spec::LinearSpec;
use crate::transport::Link;
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
    /// As they are.
    Plain(&'a CheckedWeights),
}

impl OwnWeights<'_> {
    /// What the plan is for that they were checked against.
    pub(super) const fn of(&self) -> (LinearSpec, Link) {
        match self {
            Self::Prepared(weights) => weights.of,
            Self::Plain(weights) => weights.of(),
        }
    }
}

/// The transformed weights and bias of a layer, at their owner.
pub struct PreparedWeights {
    /// For each group and chunk of its answers.
    chunks: Vec<Matrices>,
    taps: Taps,
    bias: Bias,
    of: (LinearSpec, Link),
}

/// One an output channel, as a fraction of 2^128 of the input's ring; empty without a bias.
pub(super) struct Bias(Zeroizing<Vec<u128>>);

impl PreparedWeights {
    /// Transforms weights on so many threads.
    ///
    /// # Panics
    /// When they were checked against another plan.
    #[must_use]
    pub fn new(plan: &LinearPlan, weights: &CheckedWeights, threads: usize) -> Self {
        assert!(weights.of() == plan.of(), "weights are transformed for the plan they were checked against");
        let transformer = Transformer::new(plan, weights.weights());
        let chunks = spread(threads, chunks(plan), |(group, rows)| {
            let mut matrices = Matrices::default();
            transformer.chunk(group, rows, &mut matrices);
            matrices
        });
        Self { chunks, taps: Taps::new(plan), bias: Bias::new(plan, weights.bias()), of: plan.of() }
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
pub(super) fn chunks(plan: &LinearPlan) -> Vec<(usize, Range<usize>)> {
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
    Chunks(Transformer<'a>, Taps, Bias),
}

impl<'a> Source<'a> {
    pub(super) fn new(plan: &'a LinearPlan, weights: OwnWeights<'a>, threads: usize) -> Self {
        match weights {
            OwnWeights::Prepared(all) => Self::Whole(all),
            OwnWeights::Plain(weights) if plan.pieces() > 1 => {
                Self::Once(PreparedWeights::new(plan, weights, threads))
            }
            OwnWeights::Plain(weights) => {
                let transformer = Transformer::new(plan, weights.weights());
                Self::Chunks(transformer, Taps::new(plan), Bias::new(plan, weights.bias()))
            }
        }
    }

    pub(super) const fn bias(&self) -> &Bias {
        match self {
            Self::Whole(all) => &all.bias,
            Self::Once(all) => &all.bias,
            Self::Chunks(.., bias) => bias,
        }
    }

    pub(super) const fn taps(&self) -> &Taps {
        match self {
            Self::Whole(all) => &all.taps,
            Self::Once(all) => &all.taps,
            Self::Chunks(_, taps, _) => taps,
        }
    }

    /// The matrices of a chunk of a group, its answers `rows`. `buffer` is where they are put, if they are not at hand.
    pub(super) fn matrices<'b>(
        &'b self,
        plan: &LinearPlan,
        group: usize,
        chunk: usize,
        rows: Range<usize>,
        buffer: &'b mut Matrices,
    ) -> &'b Matrices {
        let kept = |all: &'b PreparedWeights| &all.chunks[group * plan.chunks().len() + chunk];
        match self {
            Self::Whole(all) => kept(all),
            Self::Once(all) => kept(all),
            Self::Chunks(transformer, ..) => {
                transformer.chunk(group, rows, buffer);
                buffer
            }
        }
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
            Self::Plain(_) => "Plain",
        })
    }
}
