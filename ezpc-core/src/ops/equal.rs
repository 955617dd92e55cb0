//! Equality by an equality chain.
//!
//! x = y exactly when z = x - y is 0, that is when -z0 = z1: both parties' k-bit numbers agree in every digit.
//! k bits in OTs (a quad for two), 2 half-rounds. The messages reveal nothing: SECURITY.md, Proofs, section 1 with the automaton
//! `val(j, b) = [j = x] & b`.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::compare::chain::{Rule, mask_shares};
use crate::ops::compare::shape::Shape;
use crate::ops::compare::{Method, chain_cost, evaluate_chain, garble_chain, masks};
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::transfer::Lanes;
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width};
use crate::transport::cost::Cost;

/// The cost of [`equal`] on `len` pairs of `width`.
#[must_use]
pub fn equal_cost(method: Method, width: Width, len: usize) -> Cost {
    both_roles_cost(len, |garbler, n| chain_cost(garbler, &method.shape(width.bits(), &[]), n))
}

/// `x == y`.
pub async fn equal(cx: Ctx, x: &RingVec, y: &RingVec) -> Result<BitVec> {
    let width = x.width();
    if width != y.width() || x.len() != y.len() {
        return Err(Error::usage(format!(
            "cannot compare {} elements of {width} with {} of {}",
            x.len(),
            y.len(),
            y.width()
        )));
    }
    let z = x.sub(y);
    let shape = cx.method.shape(width.bits(), &[]);
    let cost = |garbler, n| chain_cost(garbler, &shape, n);
    let run = async |cx, garbler, range| half_equal(cx, garbler, &shape, width, &z.lanes()[range]).await;
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(BitVec::concat(&[&a, &b]))
}

async fn half_equal(cx: Ctx, garbler: Party, shape: &Shape, width: Width, z: &[u64]) -> Result<BitVec> {
    let Ctx { io, party, send, recv, mut rng, .. } = cx;
    let taps = [shape.len()];
    let mut shares = if party == garbler {
        let pi = masks(&mut rng, z.len());
        let negated: Lanes = z.iter().map(|v| width.wrap(v.wrapping_neg())).collect();
        garble_chain(&io, send, shape, Rule::Equal, &negated, &pi).await;
        mask_shares(&pi, &taps)
    } else {
        evaluate_chain(&io, recv, shape, Rule::Equal, z, &taps).await
    };
    Ok(shares.pop().expect("one tap"))
}
