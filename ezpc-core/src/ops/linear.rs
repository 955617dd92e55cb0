//! Convolutions and matrix products of shared inputs with weights that one party knows.
//!
//! The other party (the holder) encrypts its share of the input; the owner of the weights adds its own share,
//! multiplies, adds the bias, and answers re-randomised, masked and only where coefficients are outputs. Both end
//! with shares of the result divided by 2^shift, in a ring of as many bits less. SECURITY.md, Linear layers;
//! HLHD22 for the packing without rotations.
//!
//! The weight polynomials of a convolution are sums over its taps of a monomial times a polynomial in X^g, whose transform is
//! constant on blocks of g values: one residue a weight, tap and block is stored, and whole transforms are combined of them
//! where products need them (`transform`). With one tap, 1x1 convolutions and products of matrices, the products at all
//! positions of a block are one product of matrices with scalar weights.
//! Short transforms would save stages for inputs as well, but no more: answers need whole ones, as the re-randomisation u·pk
//! is a full product, and so does the holder's a·s. Of a 56x56 convolution from 64 to 256 channels (37 ms at the owner) the
//! inputs' transforms are 0.7 ms, and the holder would pay as much more, so there is no such kernel.

mod check;
mod holder;
mod noise;
mod owner;
mod plan;
mod prepare;
mod spread;
mod transform;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;

pub use check::CheckedWeights;
pub use noise::NoiseReport;
pub use plan::LinearPlan;
pub use prepare::{OwnWeights, PreparedWeights};

use crate::crypto::Prg;
use crate::error::{Error, Result};
use crate::he::HeKeys;
use crate::he::answer::Privacy;
use crate::party::Party;
use crate::secret::Wiped;
use crate::transport::cost::Cost;
use crate::transport::machine::Io;
use prepare::Source;

/// Multiplies a shared input with weights that `owner` knows; `weights` is `Some` exactly there.
///
/// Takes the next public polynomials of `keys` when it is called, so that both parties must call it in the same
/// order. Levels, bytes: [`linear_private_cost`]. The result does not depend on `threads`.
#[allow(clippy::too_many_arguments, reason = "a layer, its input, and what the session holds")]
pub fn linear_private<'a>(
    io: Io,
    keys: &'a HeKeys,
    plan: &'a LinearPlan,
    owner: Party,
    weights: Option<OwnWeights<'a>>,
    x: &'a [u64],
    rng: Prg,
    threads: usize,
) -> impl Future<Output = Result<Vec<u64>>> + 'a {
    linear_with(io, keys, plan, owner, weights, x, rng, threads, Privacy::Fresh)
}

#[allow(clippy::too_many_arguments, reason = "what the public function takes, and the switch of a test")]
fn linear_with<'a>(
    io: Io,
    keys: &'a HeKeys,
    plan: &'a LinearPlan,
    owner: Party,
    weights: Option<OwnWeights<'a>>,
    x: &'a [u64],
    mut rng: Prg,
    threads: usize,
    privacy: Privacy,
) -> impl Future<Output = Result<Vec<u64>>> + 'a {
    let first = keys.reserve(owner.peer(), plan.ins());
    async move {
        if x.len() != plan.spec().input_len() {
            return Err(Error::usage(format!(
                "a linear layer over {} elements was given {}",
                plan.spec().input_len(),
                x.len()
            )));
        }
        let mine = keys.party() == owner;
        if mine != weights.is_some() {
            return Err(Error::usage("weights are given at their owner and nowhere else"));
        }
        if weights.is_some_and(|weights| weights.of() != plan.of()) {
            return Err(Error::usage("weights of a layer that were checked against another plan"));
        }
        let job = Job { keys, plan, first, x, threads: threads.max(1), privacy };
        let mut y = Wiped::zeros(plan.spec().output_len());
        // The peer encrypts meanwhile.
        let weights = weights.map(|w| Source::new(plan, w, job.threads));
        // A piece travels up while the answer to the one before travels down; that to the last one goes in parts.
        match &weights {
            Some(weights) => job.own(&io, weights, &mut rng, &mut y).await?,
            None => job.hold(&io, &mut rng, &mut y).await,
        }
        Ok(y.into_vec())
    }
}

/// What [`linear_private`] costs.
#[must_use]
pub fn linear_private_cost(plan: &LinearPlan, owner: Party) -> Cost {
    (0..=plan.pieces()).fold(Cost::none(), |cost, level| {
        let down = level.checked_sub(1).map_or(0, |p| plan.answers_len(p));
        let mut sent = [0; 2];
        sent[owner.peer().index()] = plan.key_len(level) + plan.upload_len(level);
        sent[owner.index()] = down;
        cost.then(Cost::level(sent[0], sent[1]))
    })
}

/// One run of a layer.
struct Job<'a> {
    keys: &'a HeKeys,
    plan: &'a LinearPlan,
    /// The number of the first public polynomial.
    first: u64,
    /// This party's share of the input.
    x: &'a [u64],
    threads: usize,
    privacy: Privacy,
}
