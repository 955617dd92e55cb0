//! Carries as ring elements: what truncation and extension subtract.
//!
//! A party that garbles a chain may choose its share of a tapped carry as it likes, as long as it is uniform to
//! the evaluator: it takes its random choice κ of an OT in which the evaluator is the sender. Then the
//! product of both shares needs no flips, and the carry κ ^ v = κ + v - 2·κ·v reaches Z_{2^k} with k - 1 more bits
//! in one more half-round. SECURITY.md, Proofs, section 3.

use crate::ops::Ctx;
use crate::ops::compare::chain::{Rule, mask_shares};
use crate::ops::compare::shape::Shape;
use crate::ops::compare::{chain_cost, evaluate_chain, garble_chain, masks};
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::transfer::{Lanes, correct, finish, lanes_of, low_mask, unmask};
use crate::ot::PadDomain;
use crate::party::Party;
use crate::transport::cost::Cost;

/// A carry to convert: the boundary it is tapped at, and the width of the ring it is needed in, 0 for not at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    /// The boundary of the shape.
    pub(crate) boundary: usize,
    /// The bits of the ring.
    pub(crate) bits: u32,
}

/// The cost of [`carries_to_arith`] on `n` elements.
pub(crate) fn carries_to_arith_cost(garbler: Party, shape: &Shape, taps: &[Tap], n: usize) -> Cost {
    chain_cost(garbler, shape, n)
        .then(Cost::of_cots(garbler.peer(), n * taps.iter().filter(|t| t.bits > 1).count()))
        .then(Cost::message(garbler.peer(), message_len(n, product_bits(taps))))
}

fn product_bits(taps: &[Tap]) -> usize {
    taps.iter().map(|t| t.bits.saturating_sub(1) as usize).sum()
}

/// This party's shares, each mod 2^`bits` of its tap, of the carries of x0 + x1.
pub(crate) async fn carries_to_arith(
    cx: Ctx,
    garbler: Party,
    shape: &Shape,
    taps: &[Tap],
    x: &[u64],
) -> Vec<Lanes> {
    let n = x.len();
    let mask = low_mask(shape.bits());
    let Ctx { io, party, mut send, mut recv, mut rng, .. } = cx;
    let boundaries: Vec<usize> = taps.iter().map(|t| t.boundary).collect();
    let total = product_bits(taps);
    if party == garbler {
        let chain_ots = send.take(shape.ots(garbler, n));
        let mut pi = masks(&mut rng, n);
        let mut kappas: Vec<_> = taps.iter().map(|tap| (tap.bits > 1).then(|| recv.cots.take(n))).collect();
        for (tap, cots) in taps.iter().zip(&mut kappas) {
            let Some(cots) = cots else { continue };
            let bit = tap.boundary - 1;
            for (pi, kappa) in pi.iter_mut().zip(cots.choices().to_lanes()) {
                *pi = *pi & !(1 << bit) | kappa << bit;
            }
        }
        let complement: Lanes = x.iter().map(|&v| !v & mask).collect();
        garble_chain(&io, chain_ots, shape, Rule::Less, &complement, &pi).await;
        let received = io.receive(message_len(n, total)).await;
        let mut corrections = LaneReader::new(&received, n, total);
        let shares = mask_shares(&pi, &boundaries);
        let convert = |((tap, cots), share): ((&Tap, _), _)| {
            let own = lanes_of(share);
            let Some(cots) = cots else { return own };
            let cots: crate::ot::ReceiverCots = cots;
            let (_, pads) = cots.pads::<u64>(1, PadDomain::Wrap);
            let product = finish(tap.bits - 1, &own, pads, &corrections.pull::<u64>(tap.bits - 1));
            unmask(tap.bits, &own, product)
        };
        taps.iter().zip(kappas).zip(&shares).map(convert).collect()
    } else {
        let chain_ots = recv.take(shape.ots(garbler, n));
        let low: Lanes = x.iter().map(|&v| v & mask).collect();
        let shares = evaluate_chain(&io, chain_ots, shape, Rule::Less, &low, &boundaries).await;
        let mut message = LaneWriter::new(n, total);
        let convert = |(tap, share): (&Tap, _)| {
            let own = lanes_of(share);
            if tap.bits <= 1 {
                return own;
            }
            let cots = send.cots.take(n);
            let (corrections, product) = correct(cots, PadDomain::Wrap, tap.bits - 1, None, &own);
            message.push(tap.bits - 1, &corrections);
            unmask(tap.bits, &own, product)
        };
        let results = taps.iter().zip(&shares).map(convert).collect();
        io.send(&message.finish()).await;
        results
    }
}
