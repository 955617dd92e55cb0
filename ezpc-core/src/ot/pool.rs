//! The OTs of a session: both kinds in both directions, made in bulk and handed out in order.
//!
//! A pool is set up once a session: 128 base OTs serve the direction in which the server sends; its first
//! SoftSpoken extension gives the base OTs of the other direction, with roles swapped and an independent Δ.
//! After that [`CotPool::refill`] makes COTs and quads by the session's [`CotEngine`]. A quad that SoftSpoken makes is two of
//! its COTs.
//!
//! What the messages of [`CotPool::setup`] reveal: the base OTs and trees of the first direction as in
//! [`crate::base_ot`] and the SoftSpoken module; 128 flips of the client, its base choices for the second direction
//! XORed with random choices the server does not know; the trees of the second direction.
//!
//! Every decision (which engine, how much) depends on the public [`PoolState`] alone, so a cost model predicts a
//! pool's traffic exactly without running it.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod state;
mod stock;

use super::cots::View;
use super::domain::{PadDomain, PadKeys};
use super::ferret::{self, Kind};
use super::quads::{ReceiverQuads, SenderQuads, pair_up};
use super::{COT_BATCH, ReceiverCots, ReceiverOts, SenderCots, SenderOts, softspoken};
use crate::base_ot;
use crate::crypto::{Block, Prg, SessionId};
use crate::error::Result;
use crate::party::Party;
use crate::ring::BitVec;
use crate::transport::cost::{Cost, Ots};
use crate::transport::machine::Io;
use core::fmt;
pub use state::PoolState;
use state::{Plan, StreamPlan};
use std::sync::Arc;
use stock::Stock;
use zeroize::Zeroizing;

/// How a session makes its OTs; both parties agree on it during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CotEngine {
    /// SoftSpoken OT extension: 31 bits a COT, twice that a quad, one half-round.
    SoftSpoken,
    /// Ferret: 3.1 bits a COT and 3.5 a quad, two half-rounds for every 382,848 COTs or 381,696 quads of a direction. The
    /// first ones come from SoftSpoken, and what is never needed in great numbers stays with it.
    Ferret,
}

/// The engine with its parameters, as the parties compare it in the handshake.
impl fmt::Display for CotEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SoftSpoken => f.write_str(softspoken::PARAMETERS),
            Self::Ferret => f.write_str(ferret::PARAMETERS),
        }
    }
}

/// The OTs of one party in one session.
pub struct CotPool {
    state: PoolState,
    session: SessionId,
    /// The code of Ferret, once a direction needs it.
    code: Option<ferret::Code>,
    send: SendEnd,
    receive: ReceiveEnd,
    party: Party,
}

/// One kind of OT of one direction, with its end of Ferret.
struct Stream<F> {
    kind: Kind,
    ferret: Option<F>,
    keys: Arc<PadKeys>,
    stock: Stock,
}

/// The direction in which this party is the sender.
struct SendEnd {
    softspoken: softspoken::Sender,
    cots: Stream<ferret::Sender>,
    quads: Stream<ferret::Sender>,
}

/// The direction in which this party is the receiver.
struct ReceiveEnd {
    softspoken: softspoken::Receiver,
    cots: Stream<ferret::Receiver>,
    quads: Stream<ferret::Receiver>,
    rng: Prg,
}

impl CotPool {
    /// Sets both directions up, in four half-rounds.
    ///
    /// # Errors
    /// When the peer's points are invalid.
    pub async fn setup(
        io: &Io,
        party: Party,
        rng: &mut Prg,
        session: &SessionId,
        engine: CotEngine,
    ) -> Result<Self> {
        let delta = Block::random_delta(rng);
        let wanted = BitVec::from_fn(128, |i| softspoken::base_choices(delta).bits() >> i & 1 == 1);
        let first_keys = Arc::new(PadKeys::new(session, FIRST_SENDER));
        let (send, receive) = if party == FIRST_SENDER {
            let chosen = base_ot::receive(io, &wanted, rng, session).await?;
            let message = io.receive(FIRST_MESSAGE).await;
            let (trees, rest) = message.split_at(softspoken::TREE_BYTES);
            let (corrections, flips) = rest.split_at(softspoken::extension_bytes(COT_BATCH));
            let mut send = softspoken::Sender::new(session, FIRST_SENDER, delta, &chosen, trees);
            let keys = send.extend(COT_BATCH, corrections);
            let pads = SenderCots::new(first_keys, 0, delta, View::of(keys))
                .pads::<Block>(1, PadDomain::BaseTransfer);
            let flips = Block::vec_from_bytes(flips)[0];
            let pairs: Vec<[Block; 2]> = (0..128)
                .map(|i| {
                    let swap = Block::mask((flips.bits() >> i) as u8 & 1) & (pads[0][i] ^ pads[1][i]);
                    [pads[0][i] ^ swap, pads[1][i] ^ swap]
                })
                .collect();
            let pairs = Zeroizing::new(pairs);
            let (receive, trees) = softspoken::Receiver::new(session, FIRST_SENDER.peer(), &pairs);
            io.send(&trees).await;
            (send, receive)
        } else {
            let pairs = base_ot::send(io, 128, rng, session).await?;
            let (mut receive, mut message) = softspoken::Receiver::new(session, FIRST_SENDER, &pairs);
            let (macs, corrections) = receive.extend(COT_BATCH);
            let cots = ReceiverCots::new(first_keys, 0, View::of(macs));
            let flips = cots.choices().xor(&wanted);
            message.extend_from_slice(&corrections);
            message.extend(flips.words().iter().flat_map(|word| word.to_le_bytes()));
            io.send(&message).await;
            let chosen = Zeroizing::new(cots.pads::<Block>(1, PadDomain::BaseTransfer).1);
            let trees = io.receive(softspoken::TREE_BYTES).await;
            (softspoken::Sender::new(session, FIRST_SENDER.peer(), delta, &chosen, &trees), receive)
        };
        let peer = party.peer();
        Ok(Self {
            state: PoolState::new(engine),
            session: *session,
            code: None,
            send: SendEnd {
                softspoken: send,
                cots: Stream::of_cots(session, party),
                quads: Stream::of_quads(session, party),
            },
            receive: ReceiveEnd {
                softspoken: receive,
                cots: Stream::of_cots(session, peer),
                quads: Stream::of_quads(session, peer),
                rng: rng.fork("noise of silent transfers"),
            },
            party,
        })
    }

    /// The cost of [`CotPool::setup`].
    #[must_use]
    pub fn setup_cost() -> Cost {
        let client = FIRST_SENDER.peer();
        base_ot::cost(client, 128)
            .then(Cost::message(client, FIRST_MESSAGE))
            .then(Cost::message(FIRST_SENDER, softspoken::TREE_BYTES))
    }

    /// What is public about this pool.
    #[must_use]
    pub const fn state(&self) -> &PoolState {
        &self.state
    }

    /// OTs on hand.
    #[must_use]
    pub fn available(&self) -> Ots {
        self.state.available()
    }

    /// The OTs that rounds of Ferret start from, for a test that looks for them where memory was freed.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn bases(&self) -> Vec<&[Block]> {
        let send = [&self.send.cots, &self.send.quads].into_iter().filter_map(|s| s.ferret.as_ref());
        let receive = [&self.receive.cots, &self.receive.quads].into_iter().filter_map(|s| s.ferret.as_ref());
        send.map(ferret::Sender::base).chain(receive.map(ferret::Receiver::base)).collect()
    }

    /// Makes at least `want` OTs available, both kinds and both directions at once.
    ///
    /// # Errors
    /// When the peer's messages are malformed.
    pub async fn refill(&mut self, io: &Io, want: Ots) -> Result<()> {
        let mine = self.state.plan(self.party, want);
        let theirs = self.state.plan(self.party.peer(), want);
        if mine.bootstraps() || theirs.bootstraps() {
            self.code.get_or_insert_with(|| ferret::Code::new(&self.session));
        }
        let mut message = self.receive.extend(theirs, &self.session);
        for round in 0..mine.rounds().max(theirs.rounds()).max(1) {
            for kind in theirs.kinds_in(round) {
                message.extend(self.receive.ask(kind));
            }
            let extension = if round == 0 { softspoken::extension_bytes(mine.extension()) } else { 0 };
            let flips: usize = mine.kinds_in(round).map(Kind::flips_bytes).sum();
            let received = io.exchange(&message, extension + flips).await;
            let (corrections, mut flips) = received.split_at(extension);
            if round == 0 {
                self.send.extend(mine, corrections, &self.session);
            }
            message.clear();
            for kind in mine.kinds_in(round) {
                let own = flips.split_off(..kind.flips_bytes()).expect("as long as asked for");
                message.extend(self.send.answer(kind, own, self.code.as_ref()));
            }
            let sums = theirs.kinds_in(round).map(Kind::sums_bytes).sum();
            let received = io.exchange(&message, sums).await;
            let mut sums = &received[..];
            message.clear();
            for kind in theirs.kinds_in(round) {
                let own = sums.split_off(..kind.sums_bytes()).expect("as long as asked for");
                self.receive.finish(kind, own, self.code.as_ref());
            }
        }
        self.state.refill(want);
        Ok(())
    }

    /// The next OTs of both directions.
    ///
    /// # Panics
    /// When fewer are on hand.
    #[must_use]
    pub fn take(&mut self, ots: Ots) -> (SenderOts, ReceiverOts) {
        self.state.take(ots);
        let delta = self.send.softspoken.delta();
        let [cots, quads] = ots.of(self.party);
        let (of_cots, of_quads) = (self.send.cots.take(cots), self.send.quads.take(quads));
        let send = SenderOts {
            cots: SenderCots::new(of_cots.0, of_cots.1, delta, of_cots.2),
            quads: SenderQuads::new(of_quads.0, of_quads.1, delta, of_quads.2),
        };
        let [cots, quads] = ots.of(self.party.peer());
        let (of_cots, of_quads) = (self.receive.cots.take(cots), self.receive.quads.take(quads));
        let receive = ReceiverOts {
            cots: ReceiverCots::new(of_cots.0, of_cots.1, of_cots.2),
            quads: ReceiverQuads::new(of_quads.0, of_quads.1, of_quads.2),
        };
        (send, receive)
    }
}

impl<F> Stream<F> {
    fn of_cots(session: &SessionId, sender: Party) -> Self {
        let keys = Arc::new(PadKeys::new(session, sender));
        Self { kind: Kind::Cots, ferret: None, keys, stock: Stock::new(FIRST_POSITION) }
    }

    fn of_quads(session: &SessionId, sender: Party) -> Self {
        let keys = Arc::new(PadKeys::of_quads(session, sender));
        Self { kind: Kind::Quads, ferret: None, keys, stock: Stock::new(0) }
    }

    /// The next `count` OTs with their pads' keys and the position of the first one.
    fn take(&mut self, count: usize) -> (Arc<PadKeys>, u64, View) {
        let (view, start) = self.stock.take(count);
        (Arc::clone(&self.keys), start, view)
    }

    /// Takes the plan's part of COTs just extended: OTs for use, and Ferret's first base, from which `start` makes its end.
    fn extend(
        &mut self,
        plan: StreamPlan,
        cots: &mut &[Block],
        start: impl FnOnce(Kind, Party, &[Block]) -> F,
    ) {
        let own = cots.split_off(..plan.extension(self.kind)).expect("as many as planned");
        let ots = Zeroizing::new(match self.kind {
            Kind::Cots => own.to_vec(),
            Kind::Quads => pair_up(own),
        });
        let (for_use, base) = ots.split_at(plan.extend);
        if plan.bootstrap {
            self.ferret = Some(start(self.kind, self.keys.sender(), base));
        }
        self.stock.put(for_use.to_vec());
    }

    /// Ferret with its code.
    fn engine<'a>(&mut self, code: Option<&'a ferret::Code>) -> (&mut F, &'a ferret::Code) {
        self.ferret.as_mut().zip(code).expect(BOOTSTRAPPED)
    }
}

impl SendEnd {
    const fn stream(&mut self, kind: Kind) -> &mut Stream<ferret::Sender> {
        match kind {
            Kind::Cots => &mut self.cots,
            Kind::Quads => &mut self.quads,
        }
    }

    /// Takes the peer's corrections.
    fn extend(&mut self, plan: Plan, corrections: &[u8], session: &SessionId) {
        if plan.extension() == 0 {
            return;
        }
        let delta = self.softspoken.delta();
        let keys = Zeroizing::new(self.softspoken.extend(plan.extension(), corrections));
        let mut keys = &keys[..];
        let start = |kind, sender, base: &[Block]| ferret::Sender::new(kind, session, sender, delta, base);
        self.cots.extend(plan.cots, &mut keys, start);
        self.quads.extend(plan.quads, &mut keys, start);
    }

    /// Ferret's round.
    fn answer(&mut self, kind: Kind, flips: &[u8], code: Option<&ferret::Code>) -> Vec<u8> {
        let stream = self.stream(kind);
        let mut ots = stream.stock.memory();
        let (ferret, code) = stream.engine(code);
        let answer = ferret.answer(flips, code, &mut ots);
        stream.stock.put_round(ots, kind);
        answer
    }
}

impl ReceiveEnd {
    const fn stream(&mut self, kind: Kind) -> &mut Stream<ferret::Receiver> {
        match kind {
            Kind::Cots => &mut self.cots,
            Kind::Quads => &mut self.quads,
        }
    }

    /// Returns the corrections.
    fn extend(&mut self, plan: Plan, session: &SessionId) -> Vec<u8> {
        if plan.extension() == 0 {
            return Vec::new();
        }
        let (macs, corrections) = self.softspoken.extend(plan.extension());
        let macs = Zeroizing::new(macs);
        let mut macs = &macs[..];
        let start = |kind, sender, base: &[Block]| ferret::Receiver::new(kind, session, sender, base);
        self.cots.extend(plan.cots, &mut macs, start);
        self.quads.extend(plan.quads, &mut macs, start);
        corrections
    }

    fn ask(&mut self, kind: Kind) -> Vec<u8> {
        let ferret = match kind {
            Kind::Cots => &mut self.cots.ferret,
            Kind::Quads => &mut self.quads.ferret,
        };
        ferret.as_mut().expect(BOOTSTRAPPED).ask(&mut self.rng)
    }

    /// Ends Ferret's round.
    fn finish(&mut self, kind: Kind, answer: &[u8], code: Option<&ferret::Code>) {
        let stream = self.stream(kind);
        let mut ots = stream.stock.memory();
        let (ferret, code) = stream.engine(code);
        ferret.finish(answer, code, &mut ots);
        stream.stock.put_round(ots, kind);
    }
}

const BOOTSTRAPPED: &str = "rounds are planned after the bootstrap";

/// The sender of the direction that is set up by base OTs.
const FIRST_SENDER: Party = Party::Server;

/// The client's message after the base OTs: trees, corrections and flips.
const FIRST_MESSAGE: usize = softspoken::TREE_BYTES + softspoken::extension_bytes(COT_BATCH) + Block::BYTES;

/// The positions of COTs before this one belong to the base OTs of the second direction.
const FIRST_POSITION: u64 = COT_BATCH as u64;

#[cfg(test)]
mod tests;
