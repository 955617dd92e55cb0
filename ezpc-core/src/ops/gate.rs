//! Values let through where a shared number is not negative: the core of ReLU and of maxima.
//!
//! u is shared over Z_{2^b}. The gate is d = [u >= 0] = 1 ^ a ^ b' ^ c, with the garbler's top bit a, the evaluator's b'
//! and the carry c of a chain over the b - 1 bits below. Payloads are values t0 + t1, each over its own ring, and
//! the results are shares of d·(t0 + t1). If asked for, also d·a·b' over one more ring, from a 1-of-4 OT: for
//! t_i = u_i read as a signed number, d·(t0 + t1) + 2^b·d·a·b' is the value of d·u over the integers.
//!
//! Messages, G garbler and E evaluator; PROOFS.md, section 4, shows that they reveal nothing:
//! 1. E → G: the flips of the chain, and of b' for the table.
//! 2. G → E: the chain. G's share of d is its random choice κ of an OT that E sends, its share of the carry being
//!    κ ^ 1 ^ a. Now E has its share v of d.
//! 3. E → G: corrections for d·t1 on choice κ, and the flips of v.
//! 4. G → E: corrections for d·t0 on choice v, and the table on choice (v, b').

use crate::ops::Ctx;
use crate::ops::compare::chain::{Rule, bit_of_each};
use crate::ops::compare::shape::Shape;
use crate::ops::compare::{chain_cost, evaluate_chain, garble_chain, masks};
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::mux::signed_by;
use crate::ops::transfer::{Lanes, Payload, correct_all, finish_all, lanes_of, low_mask, secret_pads};
use crate::ot::{PadDomain, ReceiverCots, SenderCots};
use crate::party::Party;
use crate::transport::cost::Cost;
use crate::transport::machine::join;

/// The public shape of a gate.
#[derive(Clone, Debug)]
pub(crate) struct GateShape {
    /// The chain over the bits below the top bit of u.
    chain: Shape,
    /// The ring of every payload, in bits.
    payloads: Vec<u32>,
    /// The ring of d·a·b', 0 for not wanted.
    table: u32,
}

impl GateShape {
    /// A gate on numbers of `bits` bits, at least 2.
    pub(crate) fn new(bits: u32, payloads: &[u32], table: u32) -> Self {
        Self { chain: Shape::radix4(bits - 1, &[]), payloads: payloads.to_vec(), table }
    }

    fn payload_bits(&self) -> usize {
        self.payloads.iter().sum::<u32>() as usize
    }

    /// The bits of message 3 and of message 4 per element.
    fn last_bits(&self) -> [usize; 2] {
        [self.payload_bits() + 1, self.payload_bits() + 3 * self.table as usize]
    }

    /// The cost for `n` elements.
    pub(crate) fn cost(&self, garbler: Party, n: usize) -> Cost {
        let evaluator = garbler.peer();
        let [third, fourth] = self.last_bits().map(|bits| message_len(n, bits));
        let table = usize::from(self.table > 0);
        chain_cost(garbler, &self.chain, n)
            .beside(Cost::message(evaluator, table * message_len(n, 1)))
            .then(Cost::of_cots(evaluator, n))
            .then(Cost::of_cots(garbler, n * (1 + table)))
            .then(Cost::message(evaluator, third))
            .then(Cost::message(garbler, fourth))
    }
}

/// A party's shares of the gated payloads, and of d·a·b'.
pub(crate) struct Gated {
    /// One vector a payload.
    pub(crate) payloads: Vec<Lanes>,
    /// d·a·b', zeros if not wanted.
    pub(crate) table: Lanes,
}

/// Gates `values`, one vector for every payload, on the sign of `u`.
pub(crate) async fn gate(cx: Ctx, garbler: Party, shape: &GateShape, u: &[u64], values: &[&[u64]]) -> Gated {
    if cx.party == garbler {
        garble(cx, shape, u, values).await
    } else {
        evaluate(cx, shape, u, values).await
    }
}

async fn garble(cx: Ctx, shape: &GateShape, u: &[u64], values: &[&[u64]]) -> Gated {
    let n = u.len();
    let Ctx { io, mut send, recv: kappa, mut rng, .. } = cx;
    let bits = shape.chain.bits();
    let chain_cots = send.take(n * bits as usize);
    let choice_cots = send.take(n);
    let top = lanes_of(&bit_of_each(u, bits));

    // Message 2, with the evaluator's flips of b' of message 1.
    let mut pi = masks(&mut rng, n);
    let own = lanes_of(&kappa.choices());
    let last = shape.chain.len() - 1;
    for ((pi, kappa), top) in pi.iter_mut().zip(own.iter()).zip(top.iter()) {
        *pi = *pi & !(1 << last) | (kappa ^ 1 ^ top) << last;
    }
    let mask = low_mask(bits);
    let complement: Lanes = u.iter().map(|&v| !v & mask).collect();
    let table_len = if shape.table > 0 { message_len(n, 1) } else { 0 };
    let ((), top_flips) = join(
        garble_chain(&io, chain_cots, &shape.chain, Rule::Less, &complement, &pi),
        io.receive(table_len),
    )
    .await;

    // Message 3.
    let [third, fourth] = shape.last_bits();
    let received = io.receive(message_len(n, third)).await;
    let mut received = LaneReader::new(&received, n, third);
    let mut payloads = finish_all(kappa, PadDomain::Mux, &own, &shape.payloads, &mut received);
    let flips = received.pull_bits();

    // Message 4.
    let mut message = LaneWriter::new(n, fourth);
    let signed: Vec<Lanes> = values.iter().map(|t| signed_by(&own, t)).collect();
    let sent: Vec<Payload<'_>> =
        shape.payloads.iter().zip(&signed).map(|(&bits, t)| (bits, &t[..])).collect();
    let (choice_cots, table_cots) = both_uses(choice_cots, shape.table, SenderCots::twice);
    for (i, (corrections, shares)) in
        correct_all(choice_cots, PadDomain::Mux, Some(&flips), &sent).into_iter().enumerate()
    {
        message.push(shape.payloads[i], &corrections);
        add_gated(&mut payloads[i], &shares, &own, values[i]);
    }
    let table = match table_cots {
        None => Lanes::zeros(n),
        Some(low) => {
            let cots = low.interleave(send);
            let top_flips = LaneReader::new(&top_flips, n, 1).pull_bits();
            let flips = [lanes_of(&flips), lanes_of(&top_flips)];
            garble_table(cots, shape.table, &flips, &own, &top, &mut message)
        }
    };
    io.send(&message.finish()).await;
    Gated { payloads, table }
}

async fn evaluate(cx: Ctx, shape: &GateShape, u: &[u64], values: &[&[u64]]) -> Gated {
    let n = u.len();
    let Ctx { io, send, mut recv, .. } = cx;
    let bits = shape.chain.bits();
    let chain_cots = recv.take(n * bits as usize);
    let choice_cots = recv.take(n);
    let top = bit_of_each(u, bits);

    // Messages 1 and 2.
    let mut top_flips = LaneWriter::new(n, 1);
    if shape.table > 0 {
        top_flips.push_bits(&top.xor(&recv.choices()));
    }
    let top_flips = if shape.table > 0 { top_flips.finish() } else { Vec::new() };
    let mask = low_mask(bits);
    let low: Lanes = u.iter().map(|&v| v & mask).collect();
    let taps = [shape.chain.len()];
    let (carry, ()) =
        join(evaluate_chain(&io, chain_cots, &shape.chain, Rule::Less, &low, &taps), io.send(&top_flips))
            .await;
    let gate = top.xor(&carry[0]);
    let own = lanes_of(&gate);

    // Message 3.
    let [third, fourth] = shape.last_bits();
    let mut message = LaneWriter::new(n, third);
    let signed: Vec<Lanes> = values.iter().map(|t| signed_by(&own, t)).collect();
    let sent: Vec<Payload<'_>> =
        shape.payloads.iter().zip(&signed).map(|(&bits, t)| (bits, &t[..])).collect();
    let mut payloads = Vec::with_capacity(values.len());
    for (i, (corrections, mut shares)) in
        correct_all(send, PadDomain::Mux, None, &sent).into_iter().enumerate()
    {
        message.push(shape.payloads[i], &corrections);
        let zeros = vec![0; n];
        add_gated(&mut shares, &zeros, &own, values[i]);
        payloads.push(shares);
    }
    message.push_bits(&gate.xor(&choice_cots.choices()));
    io.send(&message.finish()).await;

    // Message 4.
    let received = io.receive(message_len(n, fourth)).await;
    let mut received = LaneReader::new(&received, n, fourth);
    let (choice_cots, table_cots) = both_uses(choice_cots, shape.table, ReceiverCots::twice);
    let shares = finish_all(choice_cots, PadDomain::Mux, &own, &shape.payloads, &mut received);
    for (payload, share) in payloads.iter_mut().zip(&shares) {
        payload.iter_mut().zip(share.iter()).for_each(|(p, s)| *p = p.wrapping_add(*s));
    }
    let table = match table_cots {
        None => Lanes::zeros(n),
        Some(low) => {
            let cots = low.interleave(recv);
            evaluate_table(cots, shape.table, &own, &lanes_of(&top), &mut received)
        }
    };
    Gated { payloads, table }
}

/// The OTs of v for the payloads, and again for the table: pads of two domains.
fn both_uses<C>(
    cots: C,
    table: u32,
    twice: impl FnOnce(C, PadDomain, PadDomain) -> [C; 2],
) -> (C, Option<C>) {
    if table == 0 {
        return (cots, None);
    }
    let [payloads, table] = twice(cots, PadDomain::Mux, PadDomain::Table);
    (payloads, Some(table))
}

/// Adds a party's own part: `sum += share + own bit · value`.
fn add_gated(sum: &mut [u64], shares: &[u64], own: &[u64], values: &[u64]) {
    for ((sum, share), (own, value)) in sum.iter_mut().zip(shares).zip(own.iter().zip(values)) {
        *sum = sum.wrapping_add(*share).wrapping_add(value & own.wrapping_neg());
    }
}

/// Corrections of the slots 1..4 of the table, at (v, b') = v + 2b' with the content (κ ^ v)·a·b'; returns
/// the garbler's shares.
fn garble_table(
    cots: SenderCots,
    bits: u32,
    flips: &[Lanes; 2],
    kappa: &[u64],
    top: &[u64],
    message: &mut LaneWriter,
) -> Lanes {
    let mask = low_mask(bits);
    let [mut p0, mut p1, mut p2, mut p3] = secret_pads::<u64, 4>(cots, PadDomain::Table);
    let n = kappa.len();
    for e in 0..n {
        let mut pad = [p0[e], p1[e], p2[e], p3[e]];
        for (bit, flips) in flips.iter().enumerate() {
            let swap = flips[e].wrapping_neg();
            for j in [0, 2 - bit] {
                let t = (pad[j] ^ pad[j | 1 << bit]) & swap;
                pad[j] ^= t;
                pad[j | 1 << bit] ^= t;
            }
        }
        // Only b' = 1 has content: slot 2 is κ·a, slot 3 is (1 - κ)·a.
        let content = [0, 0, kappa[e] & top[e], (kappa[e] ^ 1) & top[e]];
        let corrected = |j: usize| pad[0].wrapping_sub(pad[j]).wrapping_add(content[j]) & mask;
        (p1[e], p2[e], p3[e]) = (corrected(1), corrected(2), corrected(3));
        p0[e] = pad[0].wrapping_neg() & mask;
    }
    [p1, p2, p3].iter().for_each(|corrections| message.push(bits, corrections));
    p0
}

fn evaluate_table(
    cots: ReceiverCots,
    bits: u32,
    v: &[u64],
    top: &[u64],
    message: &mut LaneReader<'_>,
) -> Lanes {
    let mask = low_mask(bits);
    let mut sum = Lanes::new(cots.pads::<u64>(2, PadDomain::Table).1);
    for slot in 1..4_u64 {
        let corrections = message.pull::<u64>(bits);
        let (low, high) = (slot & 1 ^ 1, slot >> 1 ^ 1);
        for (e, sum) in sum.iter_mut().enumerate() {
            let hit = (v[e] ^ low) & (top[e] ^ high);
            *sum = sum.wrapping_add(corrections[e] & hit.wrapping_neg());
        }
    }
    sum.iter_mut().for_each(|s| *s &= mask);
    sum
}
