//! One number against several public thresholds, for the OTs of one comparison.
//!
//! With z0 + z1 = x' + w·2^k, where x' in `0..2^k` orders like x, and a threshold t of the same range, modulo 2^{k+1}
//! x' - t = (z_G - t) + z_E - w·2^k, whose bit k is `[x' < t] = [z_G < t] ^ w ^ c_t`: c_t is the carry of
//! (z_G - t mod 2^k) + z_E, and w is c_0. The evaluator's input is z_E in all of these chains, so T thresholds are
//! T + 1 chains over the same OTs and flips, each with its own slice of the 128-bit pads and its own masks.
//! A pad that is used up is followed by one of a second domain, and then by fresh OTs.
//!
//! Cost per element over Z_{2^k}: k COTs for as many chains as fit in 256 bits of pads, 2 half-rounds. Section 1.5 of
//! SECURITY.md, Proofs says why slices and masks must not be shared.

use super::chain::{self, Evaluator, Garbler, Rule};
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::lanes::{Lane, LaneReader, LaneWriter, message_len};
use crate::ops::transfer::{Lanes, low_mask};
use crate::ot::PadDomain;
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width};
use crate::secret::Wiped;
use crate::spec::Signedness;
use crate::transport::cost::Cost;

/// The bits of a pad.
const PAD: u32 = 128;

/// The two uses of one set of OTs.
const DOMAINS: [PadDomain; 2] = [PadDomain::Chain, PadDomain::ChainWide];

/// The cost of [`below`] with `thresholds` of them on `len` elements of `width`.
#[must_use]
pub fn below_cost(width: Width, thresholds: usize, len: usize) -> Cost {
    let plan = Plan::new(width, thresholds);
    both_roles_cost(len, |garbler, n| plan.cost(garbler, n))
}

/// For each threshold, whether x is below it: bit vectors in the order of the thresholds.
pub async fn below(
    cx: Ctx,
    x: &RingVec,
    thresholds: &RingVec,
    signedness: Signedness,
) -> Result<Vec<BitVec>> {
    let width = x.width();
    if thresholds.width() != width {
        return Err(Error::usage(format!(
            "cannot compare elements of {width} with thresholds of {}",
            thresholds.width()
        )));
    }
    let plan = Plan::new(width, thresholds.len());
    // Signed order is unsigned order after adding 2^{k-1}.
    let offset = if signedness == Signedness::Signed { 1 << (width.bits() - 1) } else { 0 };
    let limits: Vec<u64> = thresholds.lanes().iter().map(|t| width.wrap(t.wrapping_add(offset))).collect();
    let cost = |garbler, n| plan.cost(garbler, n);
    let run = async |cx: Ctx, garbler, range: core::ops::Range<usize>| {
        let added = if cx.party == garbler { offset } else { 0 };
        let z: Lanes = x.lanes()[range].iter().map(|v| width.wrap(v.wrapping_add(added))).collect();
        Ok(if cx.party == garbler { plan.garble(cx, &z, &limits).await } else { plan.evaluate(cx, &z).await })
    };
    let [a, b] = both_roles(cx, x.len(), cost, run).await?;
    Ok(a.iter().zip(&b).map(|(a, b)| BitVec::concat(&[a, b])).collect())
}

/// Which chain uses which slice of which pads.
struct Plan {
    shape: Shape,
    chains: usize,
    /// Chains whose slices fit in one pad.
    per_pad: usize,
}

impl Plan {
    fn new(width: Width, thresholds: usize) -> Self {
        let shape = Shape::balanced(width.bits(), &[]);
        let per_pad = (PAD / shape.max_pad_bits()) as usize;
        Self { shape, chains: thresholds + 1, per_pad }
    }

    /// Sets of OTs, each with its flips.
    fn sets(&self) -> usize {
        self.chains.div_ceil(DOMAINS.len() * self.per_pad)
    }

    fn flips_len(&self, n: usize) -> usize {
        message_len(n, self.sets() * self.shape.bits() as usize)
    }

    /// The chains garbled with the pads of domain `domain` of set `set`, and the first bit of each one's slice.
    fn slices(&self, set: usize, domain: usize) -> impl Iterator<Item = (usize, u32)> {
        let start = (set * DOMAINS.len() + domain) * self.per_pad;
        let slice = self.shape.max_pad_bits();
        (start..self.chains.min(start + self.per_pad)).zip((0..).map(move |i| i * slice))
    }

    fn cost(&self, garbler: Party, n: usize) -> Cost {
        let [_, corrections] = self.shape.message_lens(n);
        Cost::of_cots(garbler, n * self.sets() * self.shape.bits() as usize)
            .then(Cost::message(garbler.peer(), self.flips_len(n)))
            .then(Cost::message(garbler, self.chains * corrections))
    }

    async fn garble(&self, cx: Ctx, z: &[u64], limits: &[u64]) -> Vec<BitVec> {
        let (n, bits) = (z.len(), self.shape.bits());
        let mask = low_mask(bits);
        let Ctx { io, mut send, mut rng, .. } = cx;
        let received = io.receive(self.flips_len(n)).await;
        let mut reader = LaneReader::new(&received, n, self.sets() * bits as usize);
        let mut message = Vec::with_capacity(self.chains * self.shape.message_lens(n)[1]);
        let mut carries = Vec::with_capacity(self.chains);
        let mut garbler = Garbler::<u64>::new(&self.shape, Rule::Less, n);
        for set in 0..self.sets() {
            let flips = reader.pull::<u64>(bits);
            let mut pads = [Vec::new(), Vec::new()];
            for i in (0..self.shape.len()).rev() {
                let m = self.shape.width(i) as usize;
                let cots = send.cots.take(m * n).twice(DOMAINS[0], DOMAINS[1]);
                for ((pads, cots), domain) in pads.iter_mut().zip(cots).zip(DOMAINS) {
                    let slots = cots.pads::<u128>(m, domain).into_iter().map(Wiped::new);
                    pads.push(slots.collect::<Vec<_>>());
                }
            }
            for (domain, pads) in pads.iter_mut().enumerate() {
                pads.reverse();
                for (chain, slice) in self.slices(set, domain) {
                    // Chain 0 is w, the others have a threshold each.
                    let limit = if chain == 0 { 0 } else { limits[chain - 1] };
                    let x: Lanes = z.iter().map(|z| !z.wrapping_sub(limit) & mask).collect();
                    let pi = super::masks(&mut rng, n);
                    let sliced = |i: usize, places: &mut [u64]| {
                        let pads = pads[i].iter().flat_map(|slot| slot.iter());
                        places.iter_mut().zip(pads).for_each(|(place, p)| *place = (p >> slice).low());
                    };
                    garbler.garble([&x, &flips, &pi], sliced, &mut message);
                    let share = chain::mask_shares(&pi, &[self.shape.len()]);
                    let borrows: Lanes = z.iter().map(|z| super::borrow(*z, limit)).collect();
                    carries.push(share[0].xor(&BitVec::from_lanes(&borrows)));
                }
            }
        }
        io.send(&message).await;
        with_wrap(&carries)
    }

    async fn evaluate(&self, cx: Ctx, z: &[u64]) -> Vec<BitVec> {
        let (n, bits) = (z.len(), self.shape.bits());
        let Ctx { io, mut recv, .. } = cx;
        let mut message = LaneWriter::new(n, self.sets() * bits as usize);
        let mut own = Vec::with_capacity(self.sets());
        for _ in 0..self.sets() {
            let mut flips: Lanes = z.iter().copied().collect();
            let mut pads = [Vec::new(), Vec::new()];
            for i in (0..self.shape.len()).rev() {
                let m = self.shape.width(i) as usize;
                let offset = self.shape.offset(i);
                let [first, second] = recv.cots.take(m * n).twice(DOMAINS[0], DOMAINS[1]);
                let (choices, mine) = first.pads::<u128>(m, DOMAINS[0]);
                flips.iter_mut().zip(&*choices).for_each(|(f, &c)| *f ^= u64::from(c) << offset);
                pads[0].push(Wiped::new(mine));
                pads[1].push(Wiped::new(second.pads::<u128>(m, DOMAINS[1]).1));
            }
            message.push(bits, &flips);
            pads.iter_mut().for_each(|pads| pads.reverse());
            own.push(pads);
        }
        io.send(&message.finish()).await;
        let len = self.shape.message_lens(n)[1];
        let received = io.receive(self.chains * len).await;
        let mut carries = Vec::with_capacity(self.chains);
        for (set, pads) in own.iter().enumerate() {
            for (domain, pads) in pads.iter().enumerate() {
                for (chain, slice) in self.slices(set, domain) {
                    let mut sliced: Lanes =
                        pads.iter().flat_map(|p| p.iter().map(|p| (p >> slice).low())).collect();
                    let taps = [self.shape.len()];
                    let mut evaluator = Evaluator::new(&self.shape, &taps, n);
                    evaluator.evaluate(z, &mut sliced, &received[chain * len..(chain + 1) * len]);
                    carries.extend(evaluator.finish(n));
                }
            }
        }
        with_wrap(&carries)
    }
}

/// The carries of the thresholds, each xor the first one.
fn with_wrap(carries: &[BitVec]) -> Vec<BitVec> {
    carries[1..].iter().map(|c| c.xor(&carries[0])).collect()
}

#[cfg(test)]
mod tests;
