//! The gate whose carry comes from a comparison tree, in two more half-rounds: both shares of d are what they are, so
//! both parties send flips, and then both send corrections.
//!
//! 1. The messages of the tree. Now G has its share g of d, and E its share v.
//! 2. G → E: the flips of g. E → G: the flips of v, and of b' for the table.
//! 3. E → G: corrections for d·t1 on choice g. G → E: corrections for d·t0 on choice v, and the table.
//!
//! Flips are masked by choices that their receiver does not know, corrections by pads: SECURITY.md, Proofs, sections
//! 3.1 and 5.3.

use super::{Evaluated, GateShape, Gated, Sending, send_own};
use crate::ops::Ctx;
use crate::ops::compare::chain::bit_of_each;
use crate::ops::compare::{carry_out, carry_out_cost};
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::transfer::{finish_all, lanes_of};
use crate::ot::PadDomain;
use crate::party::Party;
use crate::ring::BitVec;
use crate::transport::cost::Cost;

/// The bits of the messages of steps 2 and 3: the garbler's and the evaluator's.
fn bits(shape: &GateShape) -> [[usize; 2]; 2] {
    let payloads = shape.payload_bits();
    [[1, 1 + shape.tables()], [payloads + 3 * shape.table as usize, payloads]]
}

pub(super) fn cost(shape: &GateShape, garbler: Party, n: usize) -> Cost {
    let level = |[mine, theirs]: [usize; 2]| match garbler {
        Party::Server => Cost::level(message_len(n, mine), message_len(n, theirs)),
        Party::Client => Cost::level(message_len(n, theirs), message_len(n, mine)),
    };
    let [flips, corrections] = bits(shape);
    carry_out_cost(shape.method, garbler, shape.chain.bits(), n)
        .then(Cost::of_cots(garbler, n * (1 + shape.tables())))
        .then(Cost::of_cots(garbler.peer(), n))
        .then(level(flips))
        .then(level(corrections))
}

pub(super) async fn gate(
    mut cx: Ctx,
    garbler: Party,
    shape: &GateShape,
    u: &[u64],
    values: &[&[u64]],
) -> Gated {
    let (n, below) = (u.len(), shape.chain.bits());
    let carry_cx = cx.split(carry_out_cost(shape.method, garbler, below, n).ots());
    let carry = carry_out(carry_cx, garbler, below, u).await;
    let top = bit_of_each(u, below);
    let Ctx { io, party, send, recv, .. } = cx;
    let (mut send, mut recv) = (send.cots, recv.cots);
    let [flip_bits, correction_bits] = bits(shape);
    if party == garbler {
        let (choice_cots, table_cots) = (send.take(n), send.take(n * shape.tables()));
        let gate = top.xor(&carry).not();
        let mut flips = LaneWriter::new(n, flip_bits[0]);
        flips.push_bits(&gate.xor(&recv.choices()));
        let received = io.exchange(&flips.finish(), message_len(n, flip_bits[1])).await;
        let mut received = LaneReader::new(&received, n, flip_bits[1]);
        let v_flips = received.pull_bits();
        let top_flips = if shape.table > 0 { received.pull_bits() } else { BitVec::zeros(n) };
        let own = lanes_of(&gate);
        let zeros = shape.payloads.iter().map(|_| crate::ops::transfer::Lanes::zeros(n)).collect();
        let sending = Sending { choice_cots, table_cots, own: lanes_of(&gate), top: lanes_of(&top) };
        let (message, mut gated) = sending.send(shape, &[v_flips, top_flips], values, zeros);
        let received = io.exchange(&message, message_len(n, correction_bits[1])).await;
        let mut received = LaneReader::new(&received, n, correction_bits[1]);
        let products = finish_all(recv, PadDomain::Mux, &own, &shape.payloads, &mut received);
        for (payload, product) in gated.payloads.iter_mut().zip(&products) {
            payload.iter_mut().zip(product.iter()).for_each(|(p, product)| *p = p.wrapping_add(*product));
        }
        gated
    } else {
        let (choice_cots, table_cots) = (recv.take(n), recv.take(n * shape.tables()));
        let gate = top.xor(&carry);
        let mut flips = LaneWriter::new(n, flip_bits[1]);
        flips.push_bits(&gate.xor(&choice_cots.choices()));
        if shape.table > 0 {
            flips.push_bits(&top.xor(&table_cots.choices()));
        }
        let received = io.exchange(&flips.finish(), message_len(n, flip_bits[0])).await;
        let g_flips = LaneReader::new(&received, n, flip_bits[0]).pull_bits();
        let own = lanes_of(&gate);
        let mut message = LaneWriter::new(n, correction_bits[1]);
        let payloads = send_own(send, shape, Some(&g_flips), &own, values, &mut message);
        let received = io.exchange(&message.finish(), message_len(n, correction_bits[0])).await;
        Evaluated { shape, payloads, own, top, choice_cots, table_cots }.finish(&received)
    }
}
