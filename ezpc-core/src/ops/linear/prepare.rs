//! The weights of a layer at their owner.

use super::check::CheckedWeights;
use super::plan::{Chunk, LinearPlan};
use super::spread::spread;
use super::transform::{Matrices, Taps, Transformer, bytes_of};
use crate::secret::Wiped;
use crate::spec::LinearSpec;
use crate::transport::Link;
use core::fmt;

/// The weights and biases of a layer at their owner, for one run of it.
///
/// A layer that runs many times is best [`PreparedWeights`], many times larger than the weights themselves. Otherwise some
/// chunks are transformed while the peer encrypts, the others when their answers are computed: these do not leave the
/// cache for long. Where ciphertexts come in several pieces, each needs all weights, and they are transformed first.
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
pub(super) struct Bias(Wiped<u128>);

impl PreparedWeights {
    /// Transforms weights on so many threads.
    ///
    /// # Panics
    /// When they were checked against another plan.
    #[must_use]
    pub fn new(plan: &LinearPlan, weights: &CheckedWeights, threads: usize) -> Self {
        assert!(weights.of() == plan.of(), "weights are transformed for the plan they were checked against");
        Self::first(plan, weights, &Transformer::new(plan, weights.weights()), plan.chunks(), threads)
    }

    /// Those of the first chunks alone.
    fn first(
        plan: &LinearPlan,
        weights: &CheckedWeights,
        transformer: &Transformer<'_>,
        chunks: Vec<Chunk>,
        threads: usize,
    ) -> Self {
        let chunks = spread(threads, chunks, |chunk| {
            let mut matrices = Matrices::default();
            transformer.chunk(&chunk, &mut matrices);
            matrices
        });
        Self { chunks, taps: Taps::new(plan), bias: Bias::new(plan, weights.bias()), of: plan.of() }
    }

    /// The bytes that the transformed weights of a layer take: a function of its public shape.
    #[must_use]
    pub fn bytes_of(plan: &LinearPlan) -> usize {
        plan.chunks().iter().map(|chunk| bytes_of(plan, chunk.rows.len())).sum()
    }

    /// The bytes that the weights take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(Matrices::bytes).sum()
    }
}

impl Bias {
    fn new(plan: &LinearPlan, bias: Option<&[i64]>) -> Self {
        let input = plan.spec().input;
        let fraction = |&b: &i64| u128::from(input.from_signed(b)) << (128 - input.bits());
        Self(bias.unwrap_or_default().iter().map(fraction).collect())
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
    /// The first ones are transformed, the others as they are needed.
    Own(Box<PreparedWeights>, Transformer<'a>),
}

/// How many chunks are transformed while the peer encrypts.
fn ahead(plan: &LinearPlan, chunks: &[Chunk]) -> usize {
    if plan.pieces() > 1 {
        // Each of several messages needs them all.
        return chunks.len();
    }
    let bytes = chunks.iter().scan(0, |sum, chunk| {
        *sum += bytes_of(plan, chunk.rows.len());
        Some(*sum)
    });
    bytes.take_while(|&sum| sum <= plan.ahead()).count()
}

impl<'a> Source<'a> {
    pub(super) fn new(plan: &'a LinearPlan, weights: OwnWeights<'a>, threads: usize) -> Self {
        match weights {
            OwnWeights::Prepared(all) => Self::Whole(all),
            OwnWeights::Plain(weights) => {
                let transformer = Transformer::new(plan, weights.weights());
                let mut chunks = plan.chunks();
                chunks.truncate(ahead(plan, &chunks));
                let first = PreparedWeights::first(plan, weights, &transformer, chunks, threads);
                Self::Own(Box::new(first), transformer)
            }
        }
    }

    const fn known(&self) -> &PreparedWeights {
        match self {
            Self::Whole(all) => all,
            Self::Own(first, _) => first,
        }
    }

    pub(super) const fn bias(&self) -> &Bias {
        &self.known().bias
    }

    pub(super) const fn taps(&self) -> &Taps {
        &self.known().taps
    }

    /// The matrices of a chunk. `buffer` is where they are put, if they are not at hand.
    pub(super) fn matrices<'b>(&'b self, chunk: &Chunk, buffer: &'b mut Matrices) -> &'b Matrices {
        match (self.known().chunks.get(chunk.place), self) {
            (Some(matrices), _) => matrices,
            (None, Self::Own(_, transformer)) => {
                transformer.chunk(chunk, buffer);
                buffer
            }
            (None, Self::Whole(_)) => unreachable!("all are transformed"),
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
