//! Maxima of groups by tournaments.
//!
//! | function | result | half-rounds |
//! |---|---|---|
//! | [`max`]`(cx, x, drop, group)` | the maximum of each `group` consecutive elements | 3·ceil(log2 group) + 1 |
//! | [`argmax`]`(cx, x, group, width)` | its index in the ring of `width`, the first of equal ones | the same |
//!
//! max(a, b) = b + d·(a - b) with d = [a - b >= 0], one `ops::gate` a pair; an index rides along as a second
//! payload of the same gate. Promised: differences within a group fit the signed range of the ring. The order of a
//! group is kept from level to level and the left one wins a tie, so the first of equal maxima wins.
//!
//! With `drop` = t > 0 a pair is decided by the shares of a - b + h for h = 2^{t-1}, without their t lowest bits, whose sum is
//! floor((a - b + h) / 2^t) or one less: the left one wins only if a - b >= -h, the right one only if a - b < h. The result is
//! one of the group and at most ceil(log2 group)·h below its maximum. Promised, too: differences are at least
//! -2^{k-1} + h and below 2^{k-1} - h.
//!
//! Roles alternate from level to level: who garbled knows its share of the winners one message before its peer, and
//! sends the flips of the next level along with it.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::compare::Method;
use crate::ops::gate::{Evaluating, Garbling, GateShape};
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::relu::{can_decide, deciding_bits, rounding};
use crate::ops::transfer::Lanes;
use crate::party::Party;
use crate::ring::{RingVec, Width};
use crate::transport::cost::Cost;
use core::ops::Range;

/// The cost of [`max`] on `len` elements of `width`.
#[must_use]
pub fn max_cost(method: Method, width: Width, drop: u32, len: usize, group: usize) -> Cost {
    tournament_cost(method, drop, &[width], len, group)
}

/// The maximum of each group of signed elements, decided without the lowest `drop` bits.
pub async fn max(cx: Ctx, x: &RingVec, drop: u32, group: usize) -> Result<RingVec> {
    check_group(x.len(), group)?;
    can_decide(x.width(), drop)?;
    let mut winners = tournament(cx, drop, vec![x.clone()], group).await?;
    Ok(winners.pop().expect("one column"))
}

/// The cost of [`argmax`] on `len` elements of `width`, with indices in the ring of `index`.
#[must_use]
pub fn argmax_cost(method: Method, width: Width, index: Width, len: usize, group: usize) -> Cost {
    tournament_cost(method, 0, &[width, index], len, group)
}

/// The index of the maximum of each group of signed elements.
pub async fn argmax(cx: Ctx, x: &RingVec, group: usize, width: Width) -> Result<RingVec> {
    check_group(x.len(), group)?;
    if width.mask() < group as u64 - 1 {
        return Err(Error::usage(format!("an index below {group} does not fit {width}")));
    }
    // Public indices are held by the server's share.
    let index = match cx.party {
        Party::Server => RingVec::new(width, (0..x.len()).map(|i| (i % group) as u64).collect()),
        Party::Client => RingVec::zeros(width, x.len()),
    };
    let mut winners = tournament(cx, 0, vec![x.clone(), index], group).await?;
    Ok(winners.pop().expect("two columns"))
}

fn check_group(len: usize, group: usize) -> Result<()> {
    if group == 0 || !len.is_multiple_of(group) {
        return Err(Error::usage(format!("{len} elements do not divide into groups of {group}")));
    }
    Ok(())
}

/// A tree would take a half-round for every level of it at every level of the tournament: chains only.
fn shape(method: Method, drop: u32, widths: &[Width]) -> GateShape {
    let payloads: Vec<u32> = widths.iter().map(|w| w.bits()).collect();
    let method = if method == Method::Tree { Method::NarrowChain } else { method };
    GateShape::new(method, deciding_bits(widths[0].bits().max(2), drop), &payloads, 0)
}

fn tournament_cost(method: Method, drop: u32, widths: &[Width], len: usize, group: usize) -> Cost {
    if group < 2 {
        return Cost::none();
    }
    let shape = shape(method, drop, widths);
    both_roles_cost(len / group, |garbler, groups| half_cost(&shape, garbler, groups, group))
}

/// The sizes of a group at each level, down to 2.
fn sizes(group: usize) -> impl Iterator<Item = usize> {
    core::iter::successors(Some(group), |size| Some(size.div_ceil(2))).take_while(|size| *size > 1)
}

fn half_cost(shape: &GateShape, mut garbler: Party, groups: usize, group: usize) -> Cost {
    let (mut cost, mut last) = (Cost::none(), None);
    for size in sizes(group) {
        let pairs = groups * (size / 2);
        let [first, second, third, fourth] = shape.message_lens(pairs);
        // The evaluator garbled the level before, and sends its first message with the last one of that.
        cost = cost
            .then(Cost::of_ots(shape.ots(garbler, pairs)))
            .then(Cost::message(garbler.peer(), last.unwrap_or(0) + first))
            .then(Cost::message(garbler, second))
            .then(Cost::message(garbler.peer(), third));
        last = Some(fourth);
        garbler = garbler.peer();
    }
    cost.then(Cost::message(garbler.peer(), last.unwrap_or(0)))
}

/// The winners of every group by the first column, all columns of them.
async fn tournament(cx: Ctx, drop: u32, columns: Vec<RingVec>, group: usize) -> Result<Vec<RingVec>> {
    if group == 1 {
        return Ok(columns);
    }
    let widths: Vec<Width> = columns.iter().map(RingVec::width).collect();
    let shape = shape(cx.method, drop, &widths);
    let cost = |garbler: Party, groups| half_cost(&shape, garbler, groups, group);
    let run = async |cx, garbler, range: Range<usize>| {
        let columns = columns.iter().map(|c| by_member(c, range.clone(), group)).collect();
        half_tournament(cx, garbler, (&shape, drop), columns, group).await
    };
    let [a, b] = both_roles(cx, columns[0].len() / group, cost, run).await?;
    Ok(a.iter().zip(&b).map(|(a, b)| RingVec::concat(&[a, b])).collect())
}

async fn half_tournament(
    mut cx: Ctx,
    garbler: Party,
    (shape, drop): (&GateShape, u32),
    mut columns: Vec<RingVec>,
    group: usize,
) -> Result<Vec<RingVec>> {
    let groups = columns[0].len() / group;
    let io = cx.io.clone();
    // One party rounds: what is left out decides half of the cases either way.
    let drop = Dropped { bits: drop, half: if cx.party == garbler { rounding(drop) } else { 0 } };
    let mut level = Level::new(&columns, group, groups);
    let first = shape.message_lens(level.pairs())[0];
    // What the evaluator of the present level has begun, and what the garbler got of it.
    let (mut begun, mut flips) = (None, Vec::new());
    if cx.party == garbler {
        flips = io.receive(first).await;
    } else {
        let (message, state) = Evaluating::new(&mut cx, shape, &level.signs(drop));
        io.send(&message).await;
        begun = Some(state);
    }
    for size in sizes(group) {
        let [_, second, third, fourth] = shape.message_lens(level.pairs());
        let more = size > 2;
        let next_pairs = groups * (size.div_ceil(2) / 2);
        let next_first = if more { shape.message_lens(next_pairs)[0] } else { 0 };
        let values = level.values();
        if let Some(state) = begun.take() {
            let received = io.receive(second).await;
            let (message, state) = state.open(&values, &received);
            io.send(&message).await;
            let received = io.receive(fourth + next_first).await;
            let gated = state.finish(&received[..fourth]);
            flips = received[fourth..].to_vec();
            columns = level.winners(&columns, &gated.payloads);
            level = Level::new(&columns, size.div_ceil(2), groups);
        } else {
            let (message, state) = Garbling::new(&mut cx, shape, &level.signs(drop), &flips);
            io.send(&message).await;
            let received = io.receive(third).await;
            let (mut message, gated) = state.finish(&values, &received);
            columns = level.winners(&columns, &gated.payloads);
            level = Level::new(&columns, size.div_ceil(2), groups);
            if more {
                let (flips, state) = Evaluating::new(&mut cx, shape, &level.signs(drop));
                message.extend(flips);
                begun = Some(state);
            }
            io.send(&message).await;
        }
    }
    Ok(columns)
}

/// What does not decide: so many of the lowest bits, and what this party adds to its differences first.
#[derive(Clone, Copy)]
struct Dropped {
    bits: u32,
    half: u64,
}

/// One level: groups of `size` members, their neighbours as pairs.
///
/// Member by member: the first members of all groups, then the second ones, so that pairs are pairs of long runs.
struct Level {
    size: usize,
    groups: usize,
    /// The right members of all pairs, column by column.
    right: Vec<RingVec>,
    /// Left minus right.
    differences: Vec<RingVec>,
}

impl Level {
    fn new(columns: &[RingVec], size: usize, groups: usize) -> Self {
        let half = size / 2;
        let right = columns.iter().map(|c| members(c, groups, (0..half).map(|i| 2 * i + 1)));
        let right: Vec<RingVec> = right.collect();
        let left = columns.iter().map(|c| members(c, groups, (0..half).map(|i| 2 * i)));
        let differences = left.zip(&right).map(|(left, right)| left.sub(right)).collect();
        Self { size, groups, right, differences }
    }

    fn pairs(&self) -> usize {
        self.groups * (self.size / 2)
    }

    fn values(&self) -> Vec<&[u64]> {
        self.differences.iter().map(RingVec::lanes).collect()
    }

    /// The numbers whose signs decide. A ring of one bit is compared in two: a gate needs a bit below the sign.
    fn signs(&self, drop: Dropped) -> Lanes {
        let (decisive, width) = (&self.differences[0], self.differences[0].width());
        let shift = 2 - width.bits().min(2);
        decisive.lanes().iter().map(|v| width.wrap(v.wrapping_add(drop.half)) << shift >> drop.bits).collect()
    }

    /// The members of the next level.
    fn winners(&self, columns: &[RingVec], gated: &[Lanes]) -> Vec<RingVec> {
        let column = |((column, right), gated): ((&RingVec, &RingVec), &Lanes)| {
            let mut lanes = Vec::with_capacity(self.size.div_ceil(2) * self.groups);
            lanes.extend(right.lanes().iter().zip(gated.iter()).map(|(r, gated)| r.wrapping_add(*gated)));
            // The odd one out.
            lanes.extend_from_slice(&column.lanes()[self.size / 2 * 2 * self.groups..]);
            RingVec::new(right.width(), lanes)
        };
        columns.iter().zip(&self.right).zip(gated).map(column).collect()
    }
}

/// Some members of all groups, of a column that has them member by member.
fn members(column: &RingVec, groups: usize, of: impl ExactSizeIterator<Item = usize>) -> RingVec {
    let mut lanes = Vec::with_capacity(of.len() * groups);
    of.for_each(|m| lanes.extend_from_slice(&column.lanes()[m * groups..][..groups]));
    RingVec::new(column.width(), lanes)
}

/// The groups of a range, member by member.
fn by_member(column: &RingVec, range: Range<usize>, group: usize) -> RingVec {
    let of = &column.lanes()[range.start * group..range.end * group];
    let mut lanes = Vec::with_capacity(of.len());
    (0..group.min(of.len())).for_each(|m| lanes.extend(of[m..].iter().step_by(group)));
    RingVec::new(column.width(), lanes)
}

#[cfg(test)]
mod tests;
