//! Products of factors that one party knows with vectors that the other one knows (Gilboa, CRYPTO 1999, batched).
//!
//! For a factor w known to the COT receiver and a vector v known to the sender, bit b of w chooses between pads:
//! the sender keeps -G0, sends G0 - G1 + v for its two expanded pads, and the receiver computes G0 + w_b·v, all mod
//! 2^{k-b} since the result is shifted left by b. The flips w_b ^ c are uniform to the sender, the corrections
//! are padded by the pad the receiver did not choose: neither message reveals anything.
//!
//! Cost per factor of t bits times a vector of n elements over Z_{2^k}: t COTs, 2 half-rounds, t bits one way and
//! the sum over b < t of n·(k-b) bits the other way.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::crypto::{Block, Prg};
use crate::ops::Ctx;
use crate::ot::{PadDomain, ReceiverCots, SenderCots};
use crate::party::Party;
use crate::ring::{BitVec, RingVec, Width, pack_lanes, packed_len, unpack_lanes};
use crate::transport::cost::Cost;
use crate::transport::machine::{Io, join};
use zeroize::Zeroizing;

/// A batch of products: `factors` factors, each times its own vector of `len` elements over `width`.
#[derive(Clone, Copy, Debug)]
pub struct ProductShape {
    /// The ring of the products.
    pub width: Width,
    /// The number of factors.
    pub factors: usize,
    /// The low bits of a factor that are used, at most the ring's width.
    pub bits: u32,
    /// The length of the vector a factor multiplies.
    pub len: usize,
}

impl ProductShape {
    /// The COTs that the batch consumes.
    #[must_use]
    pub const fn cots(&self) -> usize {
        self.factors * self.bits as usize
    }

    /// The bytes of the receiver's flips.
    #[must_use]
    pub const fn flips_len(&self) -> usize {
        self.cots().div_ceil(8)
    }

    /// The bytes of the sender's corrections: bit by bit, each packed at its own width.
    #[must_use]
    pub fn corrections_len(&self) -> usize {
        (0..self.bits).map(|b| packed_len(self.ring_of(b), self.factors * self.len)).sum()
    }

    /// The cost with `sender` as the sender of the COTs, the party that knows the vectors.
    #[must_use]
    pub fn cost(&self, sender: Party) -> Cost {
        Cost::of_cots(sender, self.cots())
            .then(Cost::message(sender.peer(), self.flips_len()))
            .then(Cost::message(sender, self.corrections_len()))
    }

    /// A product with bit b of a factor needs only the low k - b bits.
    fn ring_of(&self, b: u32) -> Width {
        Width::new(self.width.bits() - b)
    }

    /// The COTs of bit b.
    fn plane(&self, b: u32) -> core::ops::Range<usize> {
        b as usize * self.factors..(b as usize + 1) * self.factors
    }
}

/// The pads of one bit, expanded to one vector of `len` elements a factor.
fn expand(pads: &[u128], width: Width, len: usize, out: &mut [u64]) {
    if len == 1 {
        for (lane, &pad) in out.iter_mut().zip(pads) {
            *lane = width.wrap(pad as u64);
        }
        return;
    }
    for (lanes, &pad) in out.chunks_mut(len.max(1)).zip(pads) {
        Prg::from_seed(Block::new(pad)).fill_lanes(width, lanes);
    }
}

/// The side that knows the vectors, `factors * len` lanes; returns its shares of the products.
pub async fn product_sender(io: &Io, cots: SenderCots, shape: &ProductShape, vectors: &[u64]) -> RingVec {
    let flips = BitVec::from_bytes(shape.cots(), &io.receive(shape.flips_len()).await);
    let pads = Zeroizing::new(cots.pads::<u128>(1, PadDomain::Matrix));
    let mut shares = vec![0_u64; shape.factors * shape.len];
    let [mut g0, mut g1] = [(); 2].map(|()| Zeroizing::new(vec![0_u64; shape.factors * shape.len]));
    let mut message = Vec::with_capacity(shape.corrections_len());
    for b in 0..shape.bits {
        let [mut p0, mut p1] = [0, 1].map(|c| Zeroizing::new(pads[c][shape.plane(b)].to_vec()));
        let flips = flips.slice(shape.plane(b)).to_lanes();
        for ((a, b), flip) in p0.iter_mut().zip(p1.iter_mut()).zip(flips) {
            let swap = (*a ^ *b) & u128::from(flip).wrapping_neg();
            (*a, *b) = (*a ^ swap, *b ^ swap);
        }
        expand(&p0, shape.ring_of(b), shape.len, &mut g0);
        expand(&p1, shape.ring_of(b), shape.len, &mut g1);
        for (((g1, g0), v), share) in g1.iter_mut().zip(g0.iter()).zip(vectors).zip(&mut shares) {
            *g1 = g0.wrapping_sub(*g1).wrapping_add(*v);
            *share = share.wrapping_sub(*g0 << b);
        }
        pack_lanes(shape.ring_of(b), &g1, &mut message);
    }
    io.send(&message).await;
    RingVec::new(shape.width, shares)
}

/// The side that knows the factors; returns its shares of the products.
pub async fn product_receiver(io: &Io, cots: ReceiverCots, shape: &ProductShape, factors: &[u64]) -> RingVec {
    let mut lanes = Zeroizing::new(Vec::with_capacity(shape.cots()));
    lanes.extend((0..shape.bits).flat_map(|b| factors.iter().map(move |w| w >> b & 1)));
    let (choices, pads) = cots.bit_pads::<u128>(PadDomain::Matrix);
    let pads = Zeroizing::new(pads);
    io.send(&choices.xor(&BitVec::from_lanes(&lanes)).to_bytes()).await;
    let received = io.receive(shape.corrections_len()).await;
    let mut shares = vec![0_u64; shape.factors * shape.len];
    let mut chosen = Zeroizing::new(vec![0_u64; shares.len()]);
    let (mut at, len) = (0, shape.len.max(1));
    for b in 0..shape.bits {
        expand(&pads[shape.plane(b)], shape.ring_of(b), shape.len, &mut chosen);
        let corrections = unpack_lanes(shape.ring_of(b), &received[at..], shares.len());
        at += packed_len(shape.ring_of(b), shares.len());
        let vectors = shares.chunks_mut(len).zip(chosen.chunks(len)).zip(corrections.chunks(len));
        for (((shares, chosen), corrections), bit) in vectors.zip(&lanes[shape.plane(b)]) {
            let mask = bit.wrapping_neg();
            for ((share, g), correction) in shares.iter_mut().zip(chosen).zip(corrections) {
                *share = share.wrapping_add(g.wrapping_add(correction & mask) << b);
            }
        }
    }
    RingVec::new(shape.width, shares)
}

/// Both directions at once: the products of this party's `factors` with the peer's vectors, and of the peer's
/// factors with this party's `vectors`. `shapes[p]` is the batch whose factors party p knows.
pub async fn cross_products(
    cx: Ctx,
    shapes: [ProductShape; 2],
    factors: &[u64],
    vectors: &[u64],
) -> [RingVec; 2] {
    let (mine, theirs) = (&shapes[cx.party.index()], &shapes[cx.party.peer().index()]);
    let (own, peers) = join(
        product_receiver(&cx.io, cx.recv.cots, mine, factors),
        product_sender(&cx.io, cx.send.cots, theirs, vectors),
    )
    .await;
    [own, peers]
}

/// The cost of [`cross_products`].
#[must_use]
pub fn cross_products_cost(shapes: [ProductShape; 2]) -> Cost {
    let [server, client] = shapes;
    server.cost(Party::Client).beside(client.cost(Party::Server))
}
