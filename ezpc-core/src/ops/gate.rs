//! Values let through where a shared number is not negative: the core of ReLU and of maxima.
//!
//! u is shared over Z_{2^b}. The gate is d = [u >= 0] = 1 ^ a ^ b' ^ c, with the garbler's top bit a, the evaluator's b'
//! and the carry c of a chain over the b - 1 bits below. Payloads are values t0 + t1, each over its own ring, and
//! the results are shares of d·(t0 + t1). If asked for, also d·a·b' over one more ring, from a 1-of-4 OT: for
//! t_i = u_i read as a signed number, d·(t0 + t1) + 2^b·d·a·b' is the value of d·u over the integers.
//!
//! Messages, G garbler and E evaluator; SECURITY.md, Proofs, section 4, shows that they reveal nothing:
//! 1. E → G: the flips of the chain, and of b' for the table.
//! 2. G → E: the chain. G's share of d is its random choice κ of an OT that E sends, its share of the carry being
//!    κ ^ 1 ^ a. Now E has its share v of d.
//! 3. E → G: corrections for d·t1 on choice κ, and the flips of v.
//! 4. G → E: corrections for d·t0 on choice v, and the table on choice (v, b').
//!
//! On a thin link the carry comes from a tree: see `by_tree`.

mod by_tree;

use crate::arch::wipe::boxed;
use crate::ops::Ctx;
use crate::ops::compare::chain::{Rule, bit_of_each};
use crate::ops::compare::shape::Shape;
use crate::ops::compare::{Evaluation, Method, garbled, masks};
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::mux::signed_by;
use crate::ops::transfer::{Lanes, Payload, correct_all, finish_all, lanes_of, low_mask, secret_pads};
use crate::ot::{PadDomain, ReceiverCots, SenderCots};
use crate::party::Party;
use crate::ring::BitVec;
use crate::transport::cost::{Cost, Ots};

/// The public shape of a gate.
#[derive(Clone, Debug)]
pub(crate) struct GateShape {
    method: Method,
    /// The chain over the bits below the top bit of u.
    chain: Shape,
    /// The ring of every payload, in bits.
    payloads: Vec<u32>,
    /// The ring of d·a·b', 0 for not wanted.
    table: u32,
}

impl GateShape {
    /// A gate on numbers of `bits` bits, at least 2.
    pub(crate) fn new(method: Method, bits: u32, payloads: &[u32], table: u32) -> Self {
        Self { method, chain: method.shape(bits - 1, &[]), payloads: payloads.to_vec(), table }
    }

    fn payload_bits(&self) -> usize {
        self.payloads.iter().sum::<u32>() as usize
    }

    /// The bits of message 3 and of message 4 per element.
    fn last_bits(&self) -> [usize; 2] {
        [self.payload_bits() + 1, self.payload_bits() + 3 * self.table as usize]
    }

    /// The bytes of the four messages for `n` elements.
    pub(crate) fn message_lens(&self, n: usize) -> [usize; 4] {
        let [flips, corrections] = self.chain.message_lens(n);
        let [third, fourth] = self.last_bits().map(|bits| message_len(n, bits));
        [flips + self.tables() * message_len(n, 1), corrections, third, fourth]
    }

    /// The OTs for `n` elements.
    pub(crate) fn ots(&self, garbler: Party, n: usize) -> Ots {
        let others = Ots::of_cots(garbler, n * (1 + self.tables())).plus(Ots::of_cots(garbler.peer(), n));
        self.chain.ots(garbler, n).plus(others)
    }

    /// The cost for `n` elements.
    pub(crate) fn cost(&self, garbler: Party, n: usize) -> Cost {
        if self.method == Method::Tree {
            return by_tree::cost(self, garbler, n);
        }
        let senders = [garbler.peer(), garbler, garbler.peer(), garbler];
        let messages = senders.into_iter().zip(self.message_lens(n));
        messages
            .fold(Cost::of_ots(self.ots(garbler, n)), |cost, (from, len)| cost.then(Cost::message(from, len)))
    }

    fn tables(&self) -> usize {
        usize::from(self.table > 0)
    }

    /// Payloads with the values of one party.
    fn with<'v>(&self, values: &'v [Lanes]) -> Vec<Payload<'v>> {
        self.payloads.iter().zip(values).map(|(&bits, values)| (bits, &values[..])).collect()
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
pub(crate) async fn gate(
    mut cx: Ctx,
    garbler: Party,
    shape: &GateShape,
    u: &[u64],
    values: &[&[u64]],
) -> Gated {
    if shape.method == Method::Tree {
        // In a place of its own: every gate would be as large otherwise.
        return boxed(by_tree::gate(cx, garbler, shape, u, values)).await;
    }
    let [first, second, third, fourth] = shape.message_lens(u.len());
    if cx.party == garbler {
        let received = cx.io.receive(first).await;
        let (message, state) = Garbling::new(&mut cx, shape, u, &received);
        cx.io.send(&message).await;
        let received = cx.io.receive(third).await;
        let (message, gated) = state.finish(values, &received);
        cx.io.send(&message).await;
        gated
    } else {
        let (message, state) = Evaluating::new(&mut cx, shape, u);
        cx.io.send(&message).await;
        let received = cx.io.receive(second).await;
        let (message, state) = state.open(values, &received);
        cx.io.send(&message).await;
        let received = cx.io.receive(fourth).await;
        state.finish(&received)
    }
}

/// The garbler between messages 2 and 3.
pub(crate) struct Garbling<'a> {
    shape: &'a GateShape,
    n: usize,
    /// The OTs whose choices are the garbler's shares of d, and these shares.
    kappa: ReceiverCots,
    own: Lanes,
    /// The top bits of u.
    top: Lanes,
    choice_cots: SenderCots,
    table_cots: SenderCots,
    top_flips: BitVec,
}

impl<'a> Garbling<'a> {
    /// Message 2, from message 1.
    pub(crate) fn new(cx: &mut Ctx, shape: &'a GateShape, u: &[u64], received: &[u8]) -> (Vec<u8>, Self) {
        let (n, bits) = (u.len(), shape.chain.bits());
        let chain_ots = cx.send.take(shape.chain.ots(cx.party, n));
        let [choice_cots, table_cots] = [1, shape.tables()].map(|count| cx.send.cots.take(n * count));
        let kappa = cx.recv.cots.take(n);
        let (own, top) = (lanes_of(&kappa.choices()), lanes_of(&bit_of_each(u, bits)));
        let mut pi = masks(&mut cx.rng, n);
        let last = shape.chain.len() - 1;
        for ((pi, kappa), top) in pi.iter_mut().zip(own.iter()).zip(top.iter()) {
            *pi = *pi & !(1 << last) | (kappa ^ 1 ^ top) << last;
        }
        let mask = low_mask(bits);
        let complement: Lanes = u.iter().map(|&v| !v & mask).collect();
        let (flips, top_flips) = received.split_at(shape.chain.message_lens(n)[0]);
        let message = garbled(chain_ots, &shape.chain, Rule::Less, &complement, flips, &pi);
        let top_flips =
            if shape.table > 0 { LaneReader::new(top_flips, n, 1).pull_bits() } else { BitVec::zeros(n) };
        (message, Self { shape, n, kappa, own, top, choice_cots, table_cots, top_flips })
    }

    /// Message 4 and the garbler's shares, from message 3.
    pub(crate) fn finish(self, values: &[&[u64]], received: &[u8]) -> (Vec<u8>, Gated) {
        let Self { shape, n, kappa, own, top, choice_cots, table_cots, top_flips } = self;
        let mut received = LaneReader::new(received, n, shape.last_bits()[0]);
        let payloads = finish_all(kappa, PadDomain::Mux, &own, &shape.payloads, &mut received);
        let flips = [received.pull_bits(), top_flips];
        Sending { choice_cots, table_cots, own, top }.send(shape, &flips, values, payloads)
    }
}

/// The garbler with its share of d, before it sends the products with the evaluator's share.
struct Sending {
    choice_cots: SenderCots,
    table_cots: SenderCots,
    /// Its shares of d.
    own: Lanes,
    /// The top bits of u.
    top: Lanes,
}

impl Sending {
    /// The corrections, for the flips of v and of b', and the garbler's shares; `payloads` are its shares of the products
    /// of its own share of d with the evaluator's values.
    fn send(
        self,
        shape: &GateShape,
        flips: &[BitVec; 2],
        values: &[&[u64]],
        mut payloads: Vec<Lanes>,
    ) -> (Vec<u8>, Gated) {
        let Self { choice_cots, table_cots, own, top } = self;
        let mut message = LaneWriter::new(own.len(), shape.last_bits()[1]);
        let signed: Vec<Lanes> = values.iter().map(|t| signed_by(&own, t)).collect();
        let (choice_cots, low) = both_uses(choice_cots, shape.table, SenderCots::twice);
        let sent = correct_all(choice_cots, PadDomain::Mux, Some(&flips[0]), &shape.with(&signed));
        for (i, (corrections, shares)) in sent.into_iter().enumerate() {
            message.push(shape.payloads[i], &corrections);
            add_gated(&mut payloads[i], &shares, &own, values[i]);
        }
        let table = match low {
            None => Lanes::zeros(own.len()),
            Some(low) => {
                let cots = low.interleave(table_cots);
                garble_table(cots, shape.table, &flips.each_ref().map(lanes_of), &own, &top, &mut message)
            }
        };
        (message.finish(), Gated { payloads, table })
    }
}

/// The evaluator between messages 1 and 2.
pub(crate) struct Evaluating<'a> {
    shape: &'a GateShape,
    chain: Evaluation,
    top: BitVec,
    kappa: SenderCots,
    choice_cots: ReceiverCots,
    table_cots: ReceiverCots,
}

/// The evaluator between messages 3 and 4.
pub(crate) struct Evaluated<'a> {
    shape: &'a GateShape,
    payloads: Vec<Lanes>,
    /// Its shares of d.
    own: Lanes,
    top: BitVec,
    choice_cots: ReceiverCots,
    table_cots: ReceiverCots,
}

impl<'a> Evaluating<'a> {
    /// Message 1.
    pub(crate) fn new(cx: &mut Ctx, shape: &'a GateShape, u: &[u64]) -> (Vec<u8>, Self) {
        let (n, bits) = (u.len(), shape.chain.bits());
        let chain_ots = cx.recv.take(shape.chain.ots(cx.party.peer(), n));
        let [choice_cots, table_cots] = [1, shape.tables()].map(|count| cx.recv.cots.take(n * count));
        let kappa = cx.send.cots.take(n);
        let (top, mask) = (bit_of_each(u, bits), low_mask(bits));
        let low: Lanes = u.iter().map(|&v| v & mask).collect();
        let (mut message, chain) = Evaluation::new(chain_ots, &shape.chain, Rule::Less, &low);
        if shape.table > 0 {
            let mut flips = LaneWriter::new(n, 1);
            flips.push_bits(&top.xor(&table_cots.choices()));
            message.extend(flips.finish());
        }
        (message, Self { shape, chain, top, kappa, choice_cots, table_cots })
    }

    /// Message 3, from message 2.
    pub(crate) fn open(self, values: &[&[u64]], received: &[u8]) -> (Vec<u8>, Evaluated<'a>) {
        let Self { shape, chain, top, kappa, choice_cots, table_cots } = self;
        let carry = chain.open(received, &[shape.chain.len()]);
        let gate = top.xor(&carry[0]);
        let own = lanes_of(&gate);
        let mut message = LaneWriter::new(own.len(), shape.last_bits()[0]);
        let payloads = send_own(kappa, shape, None, &own, values, &mut message);
        message.push_bits(&gate.xor(&choice_cots.choices()));
        (message.finish(), Evaluated { shape, payloads, own, top, choice_cots, table_cots })
    }
}

/// The evaluator's corrections for the products of the garbler's share of d with its values, and its shares of these
/// with those of its own share of d.
fn send_own(
    kappa: SenderCots,
    shape: &GateShape,
    flips: Option<&BitVec>,
    own: &[u64],
    values: &[&[u64]],
    message: &mut LaneWriter,
) -> Vec<Lanes> {
    let zeros = vec![0; own.len()];
    let signed: Vec<Lanes> = values.iter().map(|t| signed_by(own, t)).collect();
    let sent = correct_all(kappa, PadDomain::Mux, flips, &shape.with(&signed));
    let mut payloads = Vec::with_capacity(values.len());
    for (i, (corrections, mut shares)) in sent.into_iter().enumerate() {
        message.push(shape.payloads[i], &corrections);
        add_gated(&mut shares, &zeros, own, values[i]);
        payloads.push(shares);
    }
    payloads
}

impl Evaluated<'_> {
    /// The evaluator's shares, from message 4.
    pub(crate) fn finish(self, received: &[u8]) -> Gated {
        let Self { shape, mut payloads, own, top, choice_cots, table_cots } = self;
        let mut received = LaneReader::new(received, own.len(), shape.last_bits()[1]);
        let (choice_cots, low) = both_uses(choice_cots, shape.table, ReceiverCots::twice);
        let shares = finish_all(choice_cots, PadDomain::Mux, &own, &shape.payloads, &mut received);
        for (payload, share) in payloads.iter_mut().zip(&shares) {
            payload.iter_mut().zip(share.iter()).for_each(|(p, s)| *p = p.wrapping_add(*s));
        }
        let table = match low {
            None => Lanes::zeros(own.len()),
            Some(low) => {
                let cots = low.interleave(table_cots);
                evaluate_table(cots, shape.table, &own, &lanes_of(&top), &mut received)
            }
        };
        Gated { payloads, table }
    }
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
