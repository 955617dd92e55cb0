//! Linear layers: local for public weights, under homomorphic encryption for weights that one party knows, from
//! oblivious transfers where that costs less, and for weights that are shared.

#![allow(
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::error::{Error, Result};
use crate::he::HeKeys;
use crate::ops::linear::{
    CheckedWeights, LinearPlan, OwnWeights, PreparedWeights, linear_private, linear_private_cost,
};
use crate::ops::{Ctx, matrix};
use crate::party::Party;
use crate::protocol::{Linear, Operand};
use crate::ring::RingVec;
use crate::sharing::Shared;
use crate::spec::LinearSpec;
use crate::transport::Link;
use crate::transport::cost::Cost;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// What a COT counts when it competes with bytes.
const BYTES_PER_COT: usize = 1;

/// How a layer with private weights is computed; a function of its public shape.
struct Prepared {
    plan: Result<LinearPlan>,
    /// What the plan is for.
    link: Link,
    /// At the owner, once they are checked.
    weights: OnceLock<CheckedWeights>,
    /// At the owner, the transformed weights of a layer that runs again, where there was room for them.
    kept: OnceLock<Kept>,
    /// Whether the layer has run.
    used: AtomicBool,
}

impl Prepared {
    fn new(spec: &LinearSpec, link: Link) -> Self {
        Self {
            plan: LinearPlan::new(spec, link),
            link,
            weights: OnceLock::new(),
            kept: OnceLock::new(),
            used: AtomicBool::new(false),
        }
    }
}

/// The bytes that a session has left for the transformed weights of layers that run again. Layers give theirs back when
/// they go.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// A part of the budget, if there is that much.
    fn take(&self, bytes: usize) -> Option<Share> {
        let less = |left: usize| left.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Share { budget: self.clone(), bytes })
    }
}

/// A part of a budget.
struct Share {
    budget: Budget,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Transformed weights, and the room that they take.
struct Kept {
    weights: PreparedWeights,
    _share: Share,
}

/// What a session brings to a layer.
#[derive(Clone, Copy)]
pub(super) struct Resources<'a> {
    /// The keys, where some layer of the batch needs them.
    pub(super) keys: Option<&'a HeKeys>,
    /// The cores this party may use.
    pub(super) threads: usize,
    /// For weights that stay transformed.
    pub(super) budget: &'a Budget,
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
            let cots = by_transfers.ots().total();
            under_keys <= bytes(&by_transfers) + BYTES_PER_COT * cots
        })
}

fn bytes(cost: &Cost) -> usize {
    Party::BOTH.iter().map(|&party| cost.bytes(party)).sum()
}

fn prepared<A>(layer: &Linear<A>) -> &Prepared {
    layer.prepared.get_or_init(|| Prepared::new(&layer.spec, Link::default()))
}

/// Plans a layer for a session over `link`, once; everything else about a layer comes after it.
pub(crate) fn plan<A>(layer: &Linear<A>, link: Link) -> Result<()> {
    if !matches!(&*layer.weights, Operand::Private { .. }) {
        return Ok(());
    }
    let prepared = layer.prepared.get_or_init(|| Prepared::new(&layer.spec, link));
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
        Operand::Private { owner, .. } if encrypted(layer) => {
            return under_keys(cx, with, layer, *owner, x).await;
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
    Ok(round_down(party, &sum, spec.shift))
}

/// The own share of a quotient by 2^`shift`, the floor or the ceiling without a bias: shares that are shifted apart lose a
/// little below one together, and the server adds as much before.
pub(super) fn round_down(party: Party, share: &RingVec, shift: u32) -> RingVec {
    let up = if party == Party::Server { (1 << shift) - 1 } else { 0 };
    share.map(share.width(), |v| v.wrapping_add(up)).shift_down(shift)
}

/// log2 of a bound of the chance that some output of a layer that runs under keys is further off than its contract says:
/// at the owner of the weights by their norms, at the other party by what their check lets pass.
pub(super) fn failure<A>(layer: &Linear<A>) -> Option<f64> {
    if !encrypted(layer) {
        return None;
    }
    let prepared = prepared(layer);
    prepared.plan.as_ref().ok().map(|plan| plan.failure(prepared.weights.get().map(CheckedWeights::report)))
}

/// How a layer runs under keys, and at the owner of the weights these, which are checked once.
fn own(
    layer: &Linear<Shared<RingVec>>,
    party: Party,
    threads: usize,
) -> Result<(&Prepared, &LinearPlan, Option<&CheckedWeights>)> {
    let prepared = prepared(layer);
    let plan = prepared.plan.as_ref().map_err(|e| Error::usage(e.to_string()))?;
    let weights = match &*layer.weights {
        Operand::Private { owner, values: Some(weights) } if *owner == party => weights,
        _ => return Ok((prepared, plan, None)),
    };
    if let Some(checked) = prepared.weights.get() {
        return Ok((prepared, plan, Some(checked)));
    }
    let bias = match layer.bias.as_deref() {
        Some(Operand::Private { values, .. }) => values.clone(),
        Some(Operand::Public(values)) => Some(values.clone().into()),
        None | Some(Operand::Shared(_)) => None,
    };
    let checked = CheckedWeights::new(plan, weights, bias.as_ref(), threads)?;
    Ok((prepared, plan, Some(prepared.weights.get_or_init(|| checked))))
}

/// Checks the weights of a layer that runs under keys, at their owner, once.
pub(super) fn check(layer: &Linear<Shared<RingVec>>, party: Party, threads: usize) -> Result<()> {
    if encrypted(layer) { own(layer, party, threads).map(drop) } else { Ok(()) }
}

/// Transforms the weights of a layer that runs under keys, at their owner, once, where there is room for them.
pub(super) fn prepare(
    layer: &Linear<Shared<RingVec>>,
    party: Party,
    threads: usize,
    budget: &Budget,
) -> Result<()> {
    if !encrypted(layer) {
        return Ok(());
    }
    let (prepared, plan, own) = own(layer, party, threads)?;
    let Some(weights) = own.filter(|_| prepared.kept.get().is_none()) else {
        return Ok(());
    };
    if let Some(share) = budget.take(PreparedWeights::bytes_of(plan)) {
        let weights = PreparedWeights::new(plan, weights, threads);
        let _ = prepared.kept.set(Kept { weights, _share: share });
    }
    Ok(())
}

/// Whether a layer's weights stay transformed.
#[cfg(test)]
pub(super) fn keeps<A>(layer: &Linear<A>) -> bool {
    prepared(layer).kept.get().is_some()
}

async fn under_keys(
    cx: Ctx,
    with: Resources<'_>,
    layer: &Linear<Shared<RingVec>>,
    owner: Party,
    x: &RingVec,
) -> Result<RingVec> {
    // What runs a second time may run a hundred times.
    if prepared(layer).used.swap(true, Ordering::Relaxed) {
        prepare(layer, cx.party, with.threads, with.budget)?;
    }
    let (prepared, plan, own) = own(layer, cx.party, with.threads)?;
    let keys = with.keys.expect("a session has keys before it runs a layer that needs them");
    let weights = own.map(|plain| {
        prepared.kept.get().map_or(OwnWeights::Plain(plain), |kept| OwnWeights::Prepared(&kept.weights))
    });
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
