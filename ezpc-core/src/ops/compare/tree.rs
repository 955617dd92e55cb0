//! Comparison by a tree of ANDs over 2-bit digits: fewer bits than the chain, more OTs and more half-rounds.
//!
//! The leaf of digit i is `[x_i < y_i]` and `[x_i = y_i]`, XOR-shared, from a 1-of-4 OT with 2-bit messages; slot 0's
//! message is defined by its pad. Two neighbours merge into lt = lt_hi ^ eq_hi·lt_lo and eq = eq_hi·eq_lo: one
//! random OT each way with 2-bit pads is a pair of bit triples with the common operand eq_hi. The lowest digit needs
//! no equality, and neither does what it merges into. After Garay, Schoenmakers and Villegas (PKC 2007), with
//! the OTs of CrypTFlow2.
//!
//! Cost of n bits, D = ceil(n/2) digits: n + 2(D - 1) COTs, 2 + ceil(log2 D) half-rounds. Leaf messages are padded by
//! pads that the evaluator does not have, openings by triples: they reveal nothing.

use super::chain::bit_of_each;
use crate::ops::Ctx;
use crate::ops::lanes::{LaneReader, LaneWriter, message_len};
use crate::ops::transfer::low_mask;
use crate::ot::{PadDomain, ReceiverCots, SenderCots};
use crate::party::Party;
use crate::ring::BitVec;
use crate::secret::Wiped;
use crate::transport::cost::Cost;

/// The cost of [`carry`] of `n` additions of `bits` bits.
pub(crate) fn carry_cost(garbler: Party, bits: u32, n: usize) -> Cost {
    let leaves = Cost::of_cots(garbler, n * bits as usize)
        .then(Cost::message(garbler.peer(), message_len(n, bits as usize)))
        .then(Cost::message(garbler, message_len(n, leaf_bits(bits))));
    let mut nodes = bits.div_ceil(2) as usize;
    let mut cost = leaves;
    while nodes > 1 {
        let pairs = nodes / 2;
        let message = message_len(n, 3 * pairs - 1);
        cost = cost
            .then(Cost::of_cots(Party::Server, n * pairs))
            .then(Cost::of_cots(Party::Client, n * pairs))
            .then(Cost::level(message, message));
        nodes = nodes.div_ceil(2);
    }
    cost
}

/// This party's share of the carry out of the low `bits` bits of x0 + x1, where `x` is its share.
pub(crate) async fn carry(cx: Ctx, garbler: Party, bits: u32, x: &[u64]) -> BitVec {
    let n = x.len();
    let Ctx { io, party, mut send, mut recv, .. } = cx;
    let mut nodes = if party == garbler {
        let received = io.receive(message_len(n, bits as usize)).await;
        // 2^n - 1 - x0 < x1.
        let left: Wiped<u64> = x.iter().map(|x| !x & low_mask(bits)).collect();
        let (message, nodes) = send_leaves(send.cots.take(n * bits as usize), bits, &left, &received);
        io.send(&message).await;
        nodes
    } else {
        let cots = recv.cots.take(n * bits as usize);
        let mut flips = LaneWriter::new(n, bits as usize);
        let leaves = choose_leaves(cots, bits, x, &mut flips);
        io.send(&flips.finish()).await;
        let received = io.receive(message_len(n, leaf_bits(bits))).await;
        receive_leaves(leaves, n, &received)
    };
    while nodes.len() > 1 {
        let bits = 3 * (nodes.len() / 2) - 1;
        let triples: Vec<Triples> =
            (0..nodes.len() / 2).map(|_| Triples::new(send.cots.take(n), recv.cots.take(n))).collect();
        let mut message = LaneWriter::new(n, bits);
        for (pair, triples) in nodes.chunks_exact(2).zip(&triples) {
            pair[1].and_operand(triples).iter().for_each(|bits| message.push_bits(bits));
            pair[0].operands(triples).iter().for_each(|bits| message.push_bits(bits));
        }
        let received = io.exchange(&message.finish(), message_len(n, bits)).await;
        let mut received = LaneReader::new(&received, n, bits);
        let merged =
            nodes.chunks(2).zip(triples.iter().map(Some).chain([None])).map(|(pair, triples)| {
                match (pair, triples) {
                    ([low, high], Some(triples)) => low.merge(high, triples, &mut received, party),
                    (rest, _) => rest[0].clone(),
                }
            });
        nodes = merged.collect();
    }
    nodes.swap_remove(0).less
}

/// The bits that the garbler sends for one element: three or one slots a digit, two bits each, one at the
/// lowest digit.
fn leaf_bits(bits: u32) -> usize {
    digits(bits).map(|(start, width)| ((1 << width) - 1) * if start == 0 { 1 } else { 2 }).sum()
}

/// Start and width of every digit, the lowest first; the top one of an odd number of bits has one bit.
fn digits(bits: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..bits).step_by(2).map(move |start| (start, 2.min(bits - start)))
}

/// Shares of "less" and "equal" of a stretch of digits; the lowest stretch has no "equal".
#[derive(Clone)]
struct Node {
    less: BitVec,
    equal: Option<BitVec>,
}

impl Node {
    fn new(mut planes: Vec<BitVec>) -> Self {
        let equal = if planes.len() > 1 { planes.pop() } else { None };
        Self { less: planes.swap_remove(0), equal }
    }

    fn equal(&self) -> &BitVec {
        self.equal.as_ref().expect("only the lowest stretch has none")
    }

    /// This upper node's masked operand.
    fn and_operand(&self, triples: &Triples) -> [BitVec; 1] {
        [self.equal().xor(&triples.x)]
    }

    /// This lower node's masked operands.
    fn operands(&self, triples: &Triples) -> Vec<BitVec> {
        let both = [Some(&self.less), self.equal.as_ref()];
        both.into_iter().flatten().zip(&triples.y).map(|(bits, y)| bits.xor(y)).collect()
    }

    /// This and the node above it, after the peer's masked operands.
    fn merge(&self, high: &Self, triples: &Triples, received: &mut LaneReader<'_>, party: Party) -> Self {
        let d = high.and_operand(triples)[0].xor(&received.pull_bits());
        let products = self.operands(triples).into_iter().zip(&triples.y).zip(&triples.z);
        let mut planes: Vec<BitVec> = products
            .map(|((e, y), z)| {
                let e = e.xor(&received.pull_bits());
                let share = z.xor(&d.and(y)).xor(&e.and(&triples.x));
                if party == Party::Server { share.xor(&d.and(&e)) } else { share }
            })
            .collect();
        planes[0] = planes[0].xor(&high.less);
        Self::new(planes)
    }
}

/// Two bit triples (x, y_i, z_i) with x·y_i = z_i, as in [`and`](crate::ops::and).
struct Triples {
    x: BitVec,
    y: [BitVec; 2],
    z: [BitVec; 2],
}

impl Triples {
    fn new(send: SenderCots, recv: ReceiverCots) -> Self {
        let sent: Vec<Wiped<u64>> = send.pads(1, PadDomain::Tree).into_iter().map(Wiped::new).collect();
        let (x, chosen) = recv.bit_pads::<u64>(PadDomain::Tree);
        let chosen = Wiped::new(chosen);
        let y = [0, 1].map(|bit| bit_of_each(&sent[0], bit).xor(&bit_of_each(&sent[1], bit)));
        let z = [0, 1].map(|bit: u32| {
            let own = x.and(&y[bit as usize]);
            own.xor(&bit_of_each(&sent[0], bit)).xor(&bit_of_each(&chosen, bit))
        });
        Self { x, y, z }
    }
}

/// The garbler's message and its shares of the leaves.
fn send_leaves(mut cots: SenderCots, bits: u32, x: &[u64], flips: &[u8]) -> (Vec<u8>, Vec<Node>) {
    let n = x.len();
    let mut flips = LaneReader::new(flips, n, bits as usize);
    let mut message = LaneWriter::new(n, leaf_bits(bits));
    let leaf = |(start, width): (u32, u32)| {
        let flips: Vec<BitVec> = (0..width).map(|_| flips.pull_bits()).collect();
        let digit: Vec<BitVec> = (0..width).map(|b| bit_of_each(x, start + b)).collect();
        let pads = cots.take(n * width as usize).pads::<u64>(width as usize, PadDomain::Tree);
        let pads: Vec<Wiped<u64>> = pads.into_iter().map(Wiped::new).collect();
        // [j = x] for every slot j, and [j > x] after it.
        let equal: Vec<BitVec> = (0..1 << width).map(|j| is_slot(&digit, j)).collect();
        let mut above = vec![BitVec::zeros(n)];
        (1..1 << width).for_each(|j: usize| above.push(above[j - 1].xor(&equal[j - 1])));
        let wanted = if start == 0 { &[0][..] } else { &[0, 1] };
        let planes = wanted.iter().map(|&bit| {
            let slots = pads.iter().map(|p| bit_of_each(p, bit)).collect();
            let contents = if bit == 0 { &above } else { &equal };
            let slots: Vec<BitVec> =
                unflip(slots, &flips).iter().zip(contents).map(|(p, t)| p.xor(t)).collect();
            slots[1..].iter().for_each(|slot| message.push_bits(&slot.xor(&slots[0])));
            // The evaluator's slot opens to its pad of slot 0 and the difference of the contents.
            slots[0].clone()
        });
        Node::new(planes.collect())
    };
    let nodes = digits(bits).map(leaf).collect();
    (message.finish(), nodes)
}

/// The evaluator's digits and pads.
struct Leaf {
    digit: Vec<BitVec>,
    pads: Wiped<u64>,
    lowest: bool,
}

fn choose_leaves(mut cots: ReceiverCots, bits: u32, y: &[u64], flips: &mut LaneWriter) -> Vec<Leaf> {
    let leaf = |(start, width): (u32, u32)| {
        let digit: Vec<BitVec> = (0..width).map(|b| bit_of_each(y, start + b)).collect();
        let (choices, pads) =
            cots.take(y.len() * width as usize).pads::<u64>(width as usize, PadDomain::Tree);
        for (b, bits) in digit.iter().enumerate() {
            flips.push_bits(&bits.xor(&BitVec::from_fn(y.len(), |e| choices[e] >> b & 1 == 1)));
        }
        Leaf { digit, pads: Wiped::new(pads), lowest: start == 0 }
    };
    digits(bits).map(leaf).collect()
}

fn receive_leaves(leaves: Vec<Leaf>, n: usize, received: &[u8]) -> Vec<Node> {
    let bits: usize = leaves.iter().map(|l| ((1 << l.digit.len()) - 1) * if l.lowest { 1 } else { 2 }).sum();
    let mut received = LaneReader::new(received, n, bits);
    let node = |leaf: Leaf| {
        let wanted = if leaf.lowest { &[0][..] } else { &[0, 1] };
        let planes = wanted.iter().map(|&bit| {
            let corrections =
                (1..1 << leaf.digit.len()).map(|j| received.pull_bits().and(&is_slot(&leaf.digit, j)));
            corrections.fold(bit_of_each(&leaf.pads, bit), |sum, c| sum.xor(&c))
        });
        Node::new(planes.collect())
    };
    leaves.into_iter().map(node).collect()
}

/// Whether the digit is j.
fn is_slot(digit: &[BitVec], j: usize) -> BitVec {
    let bits = digit.iter().enumerate().map(|(b, bit)| if j >> b & 1 == 1 { bit.clone() } else { bit.not() });
    bits.reduce(|a, b| a.and(&b)).expect("a digit has bits")
}

/// The pads of y's slots from the pads of the OT's: entry j is the pad of `j ^ flip`.
fn unflip(mut pads: Vec<BitVec>, flips: &[BitVec]) -> Vec<BitVec> {
    for (b, flip) in flips.iter().enumerate() {
        for j in (0..pads.len()).filter(|j| j >> b & 1 == 0) {
            let swap = pads[j].xor(&pads[j | 1 << b]).and(flip);
            pads[j] = pads[j].xor(&swap);
            pads[j | 1 << b] = pads[j | 1 << b].xor(&swap);
        }
    }
    pads
}
