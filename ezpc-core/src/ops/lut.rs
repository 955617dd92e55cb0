//! Lookup tables at shared indices.
//!
//! | function | result | COTs | bits | half-rounds |
//! |---|---|---|---|---|
//! | [`lookup`]`(cx, table, index)` | `table[i]`, a public table of 2^m elements of w bits | m | (2^m - 1)·w + m | 2 |
//! | [`read`]`(cx, array, index)` | `array[i]`, a shared array of 2^m elements of w bits | 2m | 2((2^m - 1)·w + m) | 2 |
//!
//! A table may be shorter than 2^m, and is 0 beyond. The index is i = i0 + i1 mod 2^m. The sender rotates its table by its share and lets the other party choose the
//! entry at its own share by 1-of-2^m OT: with the pads Q_j in the receiver's order and the rotated table R, it keeps
//! R_0 - Q_0 and sends R_j - R_0 + Q_0 - Q_j for j > 0. A shared array is two tables, one a party, read in both
//! directions at once. All of the table is rotated and all corrections are read, whatever the indices are.
//!
//! For a fixed table and index the map from the pads to (the receiver's pad, all corrections) is a bijection, and the
//! receiver's flips are uniform to the sender: the messages reveal nothing.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::arch::vector::{Kernel, vectorize};
use crate::error::{Error, Result};
use crate::ops::Ctx;
use crate::ops::halves::{both_roles, both_roles_cost};
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::transfer::Lanes;
use crate::ot::{PadDomain, ReceiverCots, SenderCots};
use crate::party::Party;
use crate::ring::{RingVec, Width};
use crate::transport::cost::Cost;
use crate::transport::machine::{Io, join};

/// The most bits of an index: an element takes 2^m hashes.
pub const MAX_INDEX_BITS: u32 = 12;

/// The cost of [`lookup`] of `len` indices of `index` bits in a table of elements of `width`.
#[must_use]
pub fn lookup_cost(index: Width, width: Width, len: usize) -> Cost {
    both_roles_cost(len, |sender, n| one_way_cost(sender, index, width, n))
}

/// The elements of a public table at shared indices.
pub async fn lookup(cx: Ctx, table: &RingVec, index: &RingVec) -> Result<RingVec> {
    check(table, index)?;
    let table = &filled(table, index.width());
    let (bits, width) = (index.width(), table.width());
    let cost = |sender, n| one_way_cost(sender, bits, width, n);
    let run = async |cx: Ctx, sender, range: core::ops::Range<usize>| {
        let own = &index.lanes()[range];
        let shares = if cx.party == sender {
            send(&cx.io, cx.send.cots, table, own, bits).await
        } else {
            receive(&cx.io, cx.recv.cots, width, own, bits).await
        };
        Ok(RingVec::new(width, shares.into_vec()))
    };
    let [a, b] = both_roles(cx, index.len(), cost, run).await?;
    Ok(RingVec::concat(&[&a, &b]))
}

/// The cost of [`read`] of `len` indices of `index` bits in an array of elements of `width`.
#[must_use]
pub fn read_cost(index: Width, width: Width, len: usize) -> Cost {
    let one_way = |sender| one_way_cost(sender, index, width, len);
    one_way(Party::Server).beside(one_way(Party::Client))
}

/// The elements of a shared array at shared indices.
pub async fn read(cx: Ctx, array: &RingVec, index: &RingVec) -> Result<RingVec> {
    check(array, index)?;
    let array = &filled(array, index.width());
    let (bits, width) = (index.width(), array.width());
    let (received, sent) = join(
        receive(&cx.io, cx.recv.cots, width, index.lanes(), bits),
        send(&cx.io, cx.send.cots, array, index.lanes(), bits),
    )
    .await;
    let sum = received.iter().zip(sent.iter()).map(|(r, s)| r.wrapping_add(*s));
    Ok(RingVec::new(width, sum.collect()))
}

fn check(table: &RingVec, index: &RingVec) -> Result<()> {
    let bits = index.width().bits();
    if bits > MAX_INDEX_BITS || table.is_empty() || table.len() > 1 << bits {
        return Err(Error::usage(format!(
            "indices of {bits} bits, at most {MAX_INDEX_BITS}, cannot address a table of {} elements",
            table.len()
        )));
    }
    Ok(())
}

/// The table with zeros up to 2^m elements.
fn filled(table: &RingVec, index: Width) -> RingVec {
    let missing = (1_usize << index.bits()) - table.len();
    RingVec::concat(&[table, &RingVec::zeros(table.width(), missing)])
}

fn correction_bits(index: Width, width: Width) -> usize {
    (index.mask() * u64::from(width.bits())) as usize
}

fn one_way_cost(sender: Party, index: Width, width: Width, n: usize) -> Cost {
    Cost::of_cots(sender, n * index.bits() as usize)
        .then(Cost::message(sender.peer(), message_len(n, index.bits() as usize)))
        .then(Cost::message(sender, message_len(n, correction_bits(index, width))))
}

/// The sender's shares of its table's elements.
async fn send(io: &Io, cots: SenderCots, table: &RingVec, own: &[u64], index: Width) -> Lanes {
    let (n, bits, width) = (own.len(), index.bits(), table.width());
    let received = io.receive(message_len(n, bits as usize)).await;
    let flips = LaneReader::new(&received, n, bits as usize).pull::<u64>(bits);
    let mut pads: Vec<Lanes> =
        cots.pads::<u64>(bits as usize, PadDomain::Lookup).into_iter().map(Lanes::new).collect();
    let slots = pads.len();
    let mut rotated = Lanes::zeros(slots);
    let mut ordered = Lanes::zeros(slots);
    let mut shares = Lanes::zeros(n);
    for e in 0..n {
        rotated.copy_from_slice(table.lanes());
        vectorize(Rotate { table: &mut rotated, by: own[e], spare: &mut ordered });
        // Flips are public: they may be indices.
        for (j, pad) in ordered.iter_mut().enumerate() {
            *pad = pads[j ^ flips[e] as usize][e];
        }
        let (r0, q0) = (rotated[0], ordered[0]);
        shares[e] = r0.wrapping_sub(q0);
        for (j, pad) in pads.iter_mut().enumerate().skip(1) {
            pad[e] = rotated[j].wrapping_sub(r0).wrapping_add(q0).wrapping_sub(ordered[j]);
        }
    }
    let mut message = LaneWriter::new(n, correction_bits(index, width));
    pads[1..].iter().for_each(|corrections| message.push(width.bits(), corrections));
    io.send(&message.finish()).await;
    shares
}

/// The receiver's shares.
async fn receive(io: &Io, cots: ReceiverCots, width: Width, own: &[u64], index: Width) -> Lanes {
    let (n, bits) = (own.len(), index.bits());
    let (choices, pads) = cots.pads::<u64>(bits as usize, PadDomain::Lookup);
    let mut sum = Lanes::new(pads);
    let flips: Vec<u64> = own.iter().zip(&*choices).map(|(i, &c)| i ^ u64::from(c)).collect();
    let mut message = LaneWriter::new(n, bits as usize);
    message.push(bits, &flips);
    io.send(&message.finish()).await;
    let received = io.receive(message_len(n, correction_bits(index, width))).await;
    let mut reader = LaneReader::new(&received, n, correction_bits(index, width));
    let mut corrections = vec![0_u64; n];
    for slot in 1..=index.mask() {
        reader.pull_into(width.bits(), &mut corrections);
        for ((sum, correction), i) in sum.iter_mut().zip(&corrections).zip(own) {
            // All ones where i = slot: both are below 2^12.
            let hit = ((i ^ slot).wrapping_sub(1) >> 63).wrapping_neg();
            *sum = sum.wrapping_add(correction & hit);
        }
    }
    sum
}

/// Rotates a table left by a secret amount, bit by bit.
struct Rotate<'a> {
    table: &'a mut [u64],
    by: u64,
    spare: &'a mut [u64],
}

impl Kernel for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let slots = self.table.len();
        for k in 0..slots.trailing_zeros() {
            // Opaque: a compiler that knows that the mask is all or nothing branches on it.
            let (step, mask) = (1 << k, core::hint::black_box((self.by >> k & 1).wrapping_neg()));
            self.spare[..slots - step].copy_from_slice(&self.table[step..]);
            self.spare[slots - step..].copy_from_slice(&self.table[..step]);
            for (entry, moved) in self.table.iter_mut().zip(self.spare.iter()) {
                *entry ^= (*entry ^ moved) & mask;
            }
        }
    }
}

#[cfg(test)]
mod tests;
