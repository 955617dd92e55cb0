//! Linear layers: local for public weights, under homomorphic encryption for weights that one party knows, from
//! oblivious transfers where that costs less, and for weights that are shared.

#![allow(
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::error::{Error, Result};
use crate::he::HeKeys;
use crate::ops::linear::{LinearPlan, PreparedWeights, linear_private, linear_private_cost};
use crate::ops::{Ctx, matrix};
use crate::party::Party;
use crate::protocol::{Linear, Operand};
use crate::ring::RingVec;
use crate::sharing::Shared;
use crate::transport::Link;
use crate::transport::cost::Cost;
use std::sync::OnceLock;

/// What a COT counts when it competes with bytes.
const BYTES_PER_COT: usize = 1;

/// How a layer with private weights is computed; a function of its public shape.
struct Prepared {
    plan: Result<LinearPlan>,
    /// What the plan is for.
    link: Link,
    /// At the owner, once it has been asked for.
    weights: OnceLock<PreparedWeights>,
}

/// What a session brings to a layer.
#[derive(Clone, Copy)]
pub(super) struct Resources<'a> {
    /// The keys, where some layer of the batch needs them.
    pub(super) keys: Option<&'a HeKeys>,
    /// The cores this party may use.
    pub(super) threads: usize,
}

/// Whether the layer runs under homomorphic encryption.
pub(crate) fn encrypted<A>(layer: &Linear<A>) -> bool {
    let Operand::Private { owner, .. } = &*layer.weights else { return false };
    let known_bias = match layer.bias.as_deref() {
        None | Some(Operand::Public(_)) => true,
        Some(Operand::Private { owner: of_bias, .. }) => of_bias == owner,
        Some(Operand::Shared(_)) => false,
    };
    known_bias
        && with_plan(layer, |plan| bytes(&linear_private_cost(plan, *owner))).is_some_and(|under_keys| {
            let by_transfers = matrix::private_cost(&layer.spec, *owner);
            let cots: usize = by_transfers.cots().iter().sum();
            under_keys <= bytes(&by_transfers) + BYTES_PER_COT * cots
        })
}

fn bytes(cost: &Cost) -> usize {
    Party::BOTH.iter().map(|&party| cost.bytes(party)).sum()
}

fn prepared<A>(layer: &Linear<A>) -> &Prepared {
    layer.prepared.get_or_init(|| Prepared {
        plan: LinearPlan::new(&layer.spec, Link::default()),
        link: Link::default(),
        weights: OnceLock::new(),
    })
}

/// Plans a layer for a session over `link`, once; everything else about a layer comes after it.
pub(crate) fn plan<A>(layer: &Linear<A>, link: Link) -> Result<()> {
    if !matches!(&*layer.weights, Operand::Private { .. }) {
        return Ok(());
    }
    let prepared = layer.prepared.get_or_init(|| Prepared {
        plan: LinearPlan::new(&layer.spec, link),
        link,
        weights: OnceLock::new(),
    });
    if prepared.link == link {
        return Ok(());
    }
    Err(Error::usage(format!(
        "a linear layer that was prepared for a link of {} is used over one of {link}; make it anew",
        prepared.link
    )))
}

/// `f` of the layer's plan; `None` where its shape has none.
fn with_plan<A, T>(layer: &Linear<A>, f: impl FnOnce(&LinearPlan) -> T) -> Option<T> {
    prepared(layer).plan.as_ref().ok().map(f)
}

/// The cost of a layer.
pub(super) fn cost<A>(layer: &Linear<A>) -> Cost {
    match &*layer.weights {
        Operand::Public(_) => Cost::none(),
        Operand::Private { owner, .. } if encrypted(layer) => {
            with_plan(layer, |plan| linear_private_cost(plan, *owner)).unwrap_or_default()
        }
        Operand::Private { owner, .. } => matrix::private_cost(&layer.spec, *owner),
        Operand::Shared(_) => matrix::shared_cost(&layer.spec),
    }
}

/// The shares of the layer's result.
pub(super) async fn run(
    cx: Ctx,
    with: Resources<'_>,
    layer: &Linear<Shared<RingVec>>,
    x: &RingVec,
) -> Result<RingVec> {
    let spec = &layer.spec;
    let party = cx.party;
    let sum = match &*layer.weights {
        Operand::Public(weights) => {
            let weights: Vec<u64> = weights.iter().map(|&w| w as u64).collect();
            matrix::local(spec, &weights, x)
        }
        Operand::Private { owner, values } if encrypted(layer) => {
            let known = values.as_deref().filter(|_| *owner == party);
            return under_keys(cx, with, layer, *owner, known, x).await;
        }
        Operand::Private { owner, values } => {
            let known = values.as_deref().filter(|_| *owner == party);
            matrix::private(cx, spec, known, x).await?
        }
        Operand::Shared(weights) => matrix::shared(cx, spec, weights.share(), x).await?,
    };
    let sum = match bias_share(layer, party) {
        Some(bias) => {
            let places: Vec<usize> = (0..spec.output_len()).map(|o| spec.bias_of(o)).collect();
            sum.add(&bias.gather(&places))
        }
        None => sum,
    };
    Ok(sum.shift_down(spec.shift))
}

/// log2 of a bound of the chance that some output of a layer that runs under keys is further off than its contract says:
/// at the owner of the weights by their norms, once they are prepared, at the other party by what preparation lets pass.
pub(super) fn failure<A>(layer: &Linear<A>) -> Option<f64> {
    if !encrypted(layer) {
        return None;
    }
    let prepared = prepared(layer);
    prepared.plan.as_ref().ok().map(|plan| plan.failure(prepared.weights.get()))
}

/// Transforms the weights of a layer that runs under keys, at their owner, once.
pub(super) fn prepare(layer: &Linear<Shared<RingVec>>, party: Party, threads: usize) -> Result<()> {
    let Operand::Private { owner, values: Some(weights) } = &*layer.weights else { return Ok(()) };
    if *owner != party || !encrypted(layer) {
        return Ok(());
    }
    let prepared = prepared(layer);
    if let (Ok(plan), None) = (&prepared.plan, prepared.weights.get()) {
        let bias = match layer.bias.as_deref() {
            Some(Operand::Public(values) | Operand::Private { values: Some(values), .. }) => {
                Some(&values[..])
            }
            _ => None,
        };
        let _ = prepared.weights.set(PreparedWeights::new(plan, weights, bias, threads)?);
    }
    Ok(())
}

async fn under_keys(
    cx: Ctx,
    with: Resources<'_>,
    layer: &Linear<Shared<RingVec>>,
    owner: Party,
    weights: Option<&[i64]>,
    x: &RingVec,
) -> Result<RingVec> {
    prepare(layer, cx.party, with.threads)?;
    let prepared = prepared(layer);
    let plan = prepared.plan.as_ref().map_err(|e| Error::usage(e.to_string()))?;
    let keys = with.keys.expect("a session has keys before it runs a layer that needs them");
    let weights = weights.and_then(|_| prepared.weights.get());
    let y = linear_private(cx.io, keys, plan, owner, weights, x.lanes(), cx.rng, with.threads).await?;
    Ok(RingVec::new(layer.spec.output(), y))
}

/// This party's share of the bias: the values where they are known (the server's, when both know them).
fn bias_share(layer: &Linear<Shared<RingVec>>, party: Party) -> Option<RingVec> {
    let ring = |values: &[i64]| RingVec::from_signed(layer.spec.input, values);
    match layer.bias.as_deref()? {
        Operand::Public(values) => (party == Party::Server).then(|| ring(values)),
        Operand::Private { owner, values } => values.as_deref().filter(|_| *owner == party).map(ring),
        Operand::Shared(bias) => Some(bias.share().clone()),
    }
}
