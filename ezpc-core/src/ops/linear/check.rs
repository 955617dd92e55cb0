//! What a layer's weights have to satisfy, and the proof that they do.

use super::noise::NoiseReport;
use super::plan::{Chunk, LinearPlan};
use super::spread::spread;
use crate::error::Result;
use crate::secret::Values;
use crate::spec::LinearSpec;
use crate::transport::Link;
use core::fmt;

/// The weights and biases of a layer at their owner, whose errors keep to the layer's contract: what every use of weights
/// under encryption asks for.
///
/// Cloning shares the numbers, which are wiped with the last of those who hold them.
#[derive(Clone)]
pub struct CheckedWeights {
    weights: Values,
    bias: Option<Values>,
    report: NoiseReport,
    of: (LinearSpec, Link),
}

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

impl CheckedWeights {
    /// Takes weights and biases in the order of the layer's shape, on so many threads; fails when they do not fit the
    /// shape, or when their errors would exceed the contract's. From the weights' norms alone: nothing is transformed.
    pub fn new(plan: &LinearPlan, weights: &Values, bias: Option<&Values>, threads: usize) -> Result<Self> {
        let geometry = plan.geometry();
        plan.spec().check_weights(weights)?;
        bias.map_or(Ok(()), |bias| plan.spec().check_bias(bias))?;
        let norms = spread(threads, plan.chunks(), |Chunk { group, rows, .. }| {
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
        let report = NoiseReport::check(plan, most.l1, most.l2_squared)?;
        Ok(Self { weights: weights.clone(), bias: bias.cloned(), report, of: plan.of() })
    }

    /// Bounds of the errors.
    #[must_use]
    pub const fn report(&self) -> &NoiseReport {
        &self.report
    }

    /// What the plan is for that they were checked against.
    pub(super) const fn of(&self) -> (LinearSpec, Link) {
        self.of
    }

    pub(super) fn weights(&self) -> &[i64] {
        &self.weights
    }

    pub(super) fn bias(&self) -> Option<&[i64]> {
        self.bias.as_deref()
    }
}

impl fmt::Debug for CheckedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckedWeights({})", self.weights.len())
    }
}
