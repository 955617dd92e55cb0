//! Maxima of groups by tournaments.
//!
//! | function | result | half-rounds |
//! |---|---|---|
//! | [`max`]`(cx, x, group)` | the maximum of each `group` consecutive elements | 4·ceil(log2 group) |
//! | [`argmax`]`(cx, x, group, width)` | its index in the ring of `width`, the first of equal ones | 4·ceil(log2 group) |
//!
//! max(a, b) = b + d·(a - b) with d = [a - b >= 0], one `ops::gate` a pair; an index rides along as a second
//! payload of the same gate. Promised: differences within a group fit the signed range of the ring. The order of a
//! group is kept from level to level and the left one wins a tie, so the first of equal maxima wins.

use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::gate::{GateShape, gate};
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::party::Party;
use crate::ring::{RingVec, Width};
use crate::transport::cost::Cost;
use core::ops::Range;

/// The cost of [`max`] on `len` elements of `width`.
#[must_use]
pub fn max_cost(width: Width, len: usize, group: usize) -> Cost {
    tournament_cost(&[width], len, group)
}

/// The maximum of each group of signed elements.
pub async fn max(cx: Ctx, x: &RingVec, group: usize) -> Result<RingVec> {
    check_group(x.len(), group)?;
    let mut winners = tournament(cx, vec![x.clone()], group).await?;
    Ok(winners.pop().expect("one column"))
}

/// The cost of [`argmax`] on `len` elements of `width`, with indices in the ring of `index`.
#[must_use]
pub fn argmax_cost(width: Width, index: Width, len: usize, group: usize) -> Cost {
    tournament_cost(&[width, index], len, group)
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
    let mut winners = tournament(cx, vec![x.clone(), index], group).await?;
    Ok(winners.pop().expect("two columns"))
}

fn check_group(len: usize, group: usize) -> Result<()> {
    if group == 0 || !len.is_multiple_of(group) {
        return Err(Error::usage(format!("{len} elements do not divide into groups of {group}")));
    }
    Ok(())
}

fn shape(widths: &[Width]) -> GateShape {
    let payloads: Vec<u32> = widths.iter().map(|w| w.bits()).collect();
    GateShape::new(widths[0].bits().max(2), &payloads, 0)
}

fn tournament_cost(widths: &[Width], len: usize, group: usize) -> Cost {
    if group == 0 {
        return Cost::none();
    }
    let (groups, shape) = (len / group, shape(widths));
    let (mut cost, mut size) = (Cost::none(), group);
    while size > 1 {
        cost = cost.then(both_roles_cost(groups * (size / 2), |garbler, n| shape.cost(garbler, n)));
        size = size.div_ceil(2);
    }
    cost
}

/// The winners of every group by the first column, all columns of them.
async fn tournament(mut cx: Ctx, mut columns: Vec<RingVec>, group: usize) -> Result<Vec<RingVec>> {
    let widths: Vec<Width> = columns.iter().map(RingVec::width).collect();
    let (groups, shape) = (columns[0].len() / group, shape(&widths));
    let mut size = group;
    while size > 1 {
        let pairs = groups * (size / 2);
        let at = |i: usize| i / (size / 2) * size + 2 * (i % (size / 2));
        let left: Vec<usize> = (0..pairs).map(at).collect();
        let right: Vec<usize> = (0..pairs).map(|i| at(i) + 1).collect();
        let cost = |garbler: Party, n| shape.cost(garbler, n);
        let level = cx.split(both_roles_cost(pairs, cost).cots());
        let losers: Vec<RingVec> = columns.iter().map(|c| c.gather(&right)).collect();
        let differences: Vec<RingVec> =
            columns.iter().zip(&losers).map(|(c, right)| c.gather(&left).sub(right)).collect();
        let run = async |cx, garbler, range: Range<usize>| {
            let values: Vec<&[u64]> = differences.iter().map(|d| &d.lanes()[range.clone()]).collect();
            // A ring of one bit is compared in two: the gate needs a bit below the sign.
            let wide: Vec<u64> = values[0].iter().map(|v| v << (2 - widths[0].bits().min(2))).collect();
            let gated = gate(cx, garbler, &shape, &wide, &values).await;
            Ok(gated.payloads)
        };
        let [a, b] = both_roles(level, pairs, cost, run).await?;
        columns = (0..columns.len())
            .map(|c| {
                let gated = RingVec::new(widths[c], [&a[c][..], &b[c][..]].concat());
                let winners = losers[c].add(&gated);
                if size.is_multiple_of(2) {
                    return winners;
                }
                let odd: Vec<usize> = (0..groups).map(|g| g * size + size - 1).collect();
                interleave(&winners, &columns[c].gather(&odd), groups, size / 2)
            })
            .collect();
        size = size.div_ceil(2);
    }
    Ok(columns)
}

/// `half` winners of every group, followed by its odd one out.
fn interleave(winners: &RingVec, odd: &RingVec, groups: usize, half: usize) -> RingVec {
    let all = RingVec::concat(&[winners, odd]);
    let group = |g: usize| (g * half..(g + 1) * half).chain([groups * half + g]);
    all.gather(&(0..groups).flat_map(group).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
