//! The COTs of a session: both directions, made in bulk and handed out in order.
//!
//! A pool is set up once a session: 128 base OTs serve the direction in which the server sends; its first
//! SoftSpoken extension gives the base OTs of the other direction, with roles swapped and an independent Δ.
//! After that [`CotPool::refill`] makes COTs by the session's [`CotEngine`].
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

mod stock;

use super::cots::View;
use super::domain::{PadDomain, PadKeys};
use super::{COT_BATCH, ReceiverCots, SenderCots, ferret, softspoken};
use crate::base_ot;
use crate::crypto::{Block, Prg, SessionId};
use crate::error::Result;
use crate::party::Party;
use crate::ring::BitVec;
use crate::transport::cost::Cost;
use crate::transport::machine::Io;
use core::fmt;
use std::sync::Arc;
use stock::Stock;
use zeroize::Zeroizing;

/// How a session makes its COTs; both parties agree on it during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CotEngine {
    /// SoftSpoken OT extension: 31 bits a COT, one half-round.
    SoftSpoken,
    /// Ferret: 3.1 bits a COT, two half-rounds for every 382,848 of a direction. The first COTs come from
    /// SoftSpoken, and a direction that never needs many stays with it.
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

/// The public part of a pool: how many COTs it has, and what it does when it needs more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolState {
    engine: CotEngine,
    /// COTs on hand, by sender.
    available: [usize; 2],
    /// COTs made by SoftSpoken for use, by sender.
    extended: [usize; 2],
    /// Whether Ferret has its base, by sender.
    bootstrapped: [bool; 2],
}

/// What one direction does in a refill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Plan {
    /// COTs made by one SoftSpoken extension for use.
    extend: usize,
    /// Whether the extension also makes Ferret's first base.
    bootstrap: bool,
    /// Rounds of Ferret.
    rounds: usize,
}

impl Plan {
    /// COTs made by one SoftSpoken extension.
    const fn extension(self) -> usize {
        self.extend + if self.bootstrap { ferret::BASE } else { 0 }
    }

    fn cost(self, sender: Party) -> Cost {
        let receiver = sender.peer();
        let extension = softspoken::extension_bytes(self.extension());
        if self.rounds == 0 {
            return Cost::message(receiver, extension);
        }
        (0..self.rounds).fold(Cost::none(), |cost, round| {
            let first = if round == 0 { extension } else { 0 };
            cost.then(Cost::message(receiver, first + ferret::FLIPS_BYTES))
                .then(Cost::message(sender, ferret::SUMS_BYTES))
        })
    }

    /// COTs added to the pool.
    const fn yields(self) -> usize {
        self.extend + self.rounds * ferret::OUTPUT
    }
}

impl PoolState {
    /// A pool just set up.
    #[must_use]
    pub const fn new(engine: CotEngine) -> Self {
        Self { engine, available: [0; 2], extended: [0; 2], bootstrapped: [false; 2] }
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> CotEngine {
        self.engine
    }

    /// COTs on hand with the server and with the client as their sender.
    #[must_use]
    pub const fn available(&self) -> [usize; 2] {
        self.available
    }

    /// The cost of [`CotPool::refill`] in this state. It consumes no COTs of the pool.
    #[must_use]
    pub fn refill_cost(&self, want: [usize; 2]) -> Cost {
        let [server, client] = Party::BOTH.map(|sender| self.plan(sender, want).cost(sender));
        server.beside(client)
    }

    /// Counts what [`CotPool::refill`] makes.
    pub fn refill(&mut self, want: [usize; 2]) {
        for sender in Party::BOTH {
            let (i, plan) = (sender.index(), self.plan(sender, want));
            self.available[i] += plan.yields();
            self.extended[i] += plan.extend;
            self.bootstrapped[i] |= plan.bootstrap;
        }
    }

    /// Counts what [`CotPool::take`] takes.
    ///
    /// # Panics
    /// When fewer are on hand.
    pub fn take(&mut self, cots: [usize; 2]) {
        for (available, count) in self.available.iter_mut().zip(cots) {
            *available = available
                .checked_sub(count)
                .unwrap_or_else(|| panic!("{count} OTs asked for, {available} on hand"));
        }
    }

    fn plan(&self, sender: Party, want: [usize; 2]) -> Plan {
        let i = sender.index();
        let missing = want[i].saturating_sub(self.available[i]);
        let extend = missing.next_multiple_of(COT_BATCH);
        let few = !self.bootstrapped[i] && self.extended[i] + extend <= BOOTSTRAP_AFTER;
        if missing == 0 || self.engine == CotEngine::SoftSpoken || few {
            return Plan { extend, ..Plan::default() };
        }
        Plan { extend: 0, bootstrap: !self.bootstrapped[i], rounds: missing.div_ceil(ferret::OUTPUT) }
    }
}

/// The COTs of one party in one session.
pub struct CotPool {
    state: PoolState,
    session: SessionId,
    /// The code of Ferret, once a direction needs it.
    code: Option<ferret::Code>,
    send: SendEnd,
    receive: ReceiveEnd,
    party: Party,
}

/// The direction in which this party is the sender.
struct SendEnd {
    softspoken: softspoken::Sender,
    ferret: Option<ferret::Sender>,
    keys: Arc<PadKeys>,
    stock: Stock,
}

/// The direction in which this party is the receiver.
struct ReceiveEnd {
    softspoken: softspoken::Receiver,
    ferret: Option<ferret::Receiver>,
    keys: Arc<PadKeys>,
    stock: Stock,
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
        let delta = Block::random(rng).with_lsb();
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
        let keys = |sender| Arc::new(PadKeys::new(session, sender));
        Ok(Self {
            state: PoolState::new(engine),
            session: *session,
            code: None,
            send: SendEnd {
                softspoken: send,
                ferret: None,
                keys: keys(party),
                stock: Stock::new(FIRST_POSITION),
            },
            receive: ReceiveEnd {
                softspoken: receive,
                ferret: None,
                keys: keys(party.peer()),
                stock: Stock::new(FIRST_POSITION),
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

    /// COTs on hand with the server and with the client as their sender.
    #[must_use]
    pub const fn available(&self) -> [usize; 2] {
        self.state.available()
    }

    /// The cost of [`CotPool::refill`] now.
    #[must_use]
    pub fn refill_cost(&self, want: [usize; 2]) -> Cost {
        self.state.refill_cost(want)
    }

    /// Makes at least `want` COTs available in each direction, both directions at once.
    ///
    /// # Errors
    /// When the peer's messages are malformed.
    pub async fn refill(&mut self, io: &Io, want: [usize; 2]) -> Result<()> {
        let mine = self.state.plan(self.party, want);
        let theirs = self.state.plan(self.party.peer(), want);
        if mine.bootstrap || theirs.bootstrap {
            self.code.get_or_insert_with(|| ferret::Code::new(&self.session));
        }
        let mut message = self.receive.extend(theirs, &self.session);
        for round in 0..mine.rounds.max(theirs.rounds).max(1) {
            let (send, receive) = (round < mine.rounds, round < theirs.rounds);
            if receive {
                message.extend(self.receive.ask());
            }
            let extension = if round == 0 { softspoken::extension_bytes(mine.extension()) } else { 0 };
            let flips = if send { ferret::FLIPS_BYTES } else { 0 };
            let received = io.exchange(&message, extension + flips).await;
            let (corrections, flips) = received.split_at(extension);
            if round == 0 {
                self.send.extend(mine, corrections, &self.session);
            }
            message = if send { self.send.answer(flips, self.code.as_ref()) } else { Vec::new() };
            let answer = io.exchange(&message, if receive { ferret::SUMS_BYTES } else { 0 }).await;
            message.clear();
            if receive {
                self.receive.finish(&answer, self.code.as_ref());
            }
        }
        self.state.refill(want);
        Ok(())
    }

    /// The next COTs of both directions, counted by their sender.
    ///
    /// # Panics
    /// When fewer are on hand.
    #[must_use]
    pub fn take(&mut self, cots: [usize; 2]) -> (SenderCots, ReceiverCots) {
        self.state.take(cots);
        let (keys, start) = self.send.stock.take(cots[self.party.index()]);
        let send = SenderCots::new(Arc::clone(&self.send.keys), start, self.send.softspoken.delta(), keys);
        let (macs, start) = self.receive.stock.take(cots[self.party.peer().index()]);
        (send, ReceiverCots::new(Arc::clone(&self.receive.keys), start, macs))
    }
}

impl SendEnd {
    /// Takes the peer's corrections: COTs for use, and Ferret's first base.
    fn extend(&mut self, plan: Plan, corrections: &[u8], session: &SessionId) {
        if plan.extension() == 0 {
            return;
        }
        let mut keys = self.softspoken.extend(plan.extension(), corrections);
        if plan.bootstrap {
            let base = Zeroizing::new(keys.split_off(plan.extend));
            let (delta, sender) = (self.softspoken.delta(), self.keys.sender());
            self.ferret = Some(ferret::Sender::new(session, sender, delta, &base));
        }
        self.stock.put(keys);
    }

    /// Ferret's round.
    fn answer(&mut self, flips: &[u8], code: Option<&ferret::Code>) -> Vec<u8> {
        let (ferret, code) = self.ferret.as_mut().zip(code).expect(BOOTSTRAPPED);
        let mut cots = self.stock.memory();
        let answer = ferret.answer(flips, code, &mut cots);
        self.stock.put_round(cots);
        answer
    }
}

impl ReceiveEnd {
    /// Makes COTs for use, and Ferret's first base. Returns the corrections.
    fn extend(&mut self, plan: Plan, session: &SessionId) -> Vec<u8> {
        if plan.extension() == 0 {
            return Vec::new();
        }
        let (mut macs, corrections) = self.softspoken.extend(plan.extension());
        if plan.bootstrap {
            let base = Zeroizing::new(macs.split_off(plan.extend));
            let sender = self.keys.sender();
            self.ferret = Some(ferret::Receiver::new(session, sender, &base));
        }
        self.stock.put(macs);
        corrections
    }

    fn ask(&mut self) -> Vec<u8> {
        self.ferret.as_mut().expect(BOOTSTRAPPED).ask(&mut self.rng)
    }

    /// Ends Ferret's round.
    fn finish(&mut self, answer: &[u8], code: Option<&ferret::Code>) {
        let (ferret, code) = self.ferret.as_mut().zip(code).expect(BOOTSTRAPPED);
        let mut cots = self.stock.memory();
        ferret.finish(answer, code, &mut cots);
        self.stock.put_round(cots);
    }
}

const BOOTSTRAPPED: &str = "rounds are planned after the bootstrap";

/// The sender of the direction that is set up by base OTs.
const FIRST_SENDER: Party = Party::Server;

/// The client's message after the base OTs: trees, corrections and flips.
const FIRST_MESSAGE: usize = softspoken::TREE_BYTES + softspoken::extension_bytes(COT_BATCH) + Block::BYTES;

/// COTs of a direction that SoftSpoken makes before Ferret takes over: about what the first base costs.
const BOOTSTRAP_AFTER: usize = ferret::BASE;

/// The positions before this one belong to the base OTs of the second direction.
const FIRST_POSITION: u64 = COT_BATCH as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Kdf;
    use crate::testing::run_machines;

    pub(super) fn session() -> SessionId {
        SessionId::new([3; 32])
    }

    /// Runs `refills` of COTs and checks correlation, independence of directions, costs and determinism.
    /// Returns a digest of all macs.
    fn check(engine: CotEngine, refills: &[[usize; 2]]) -> String {
        let one = |party: Party| {
            move |io: Io| async move {
                let mut rng = Prg::from_seed(Block::new(11 + party.index() as u128));
                let mut pool = CotPool::setup(&io, party, &mut rng, &session(), engine).await?;
                let mut taken = Vec::new();
                for &want in refills {
                    pool.refill(&io, want).await?;
                    assert!(pool.available()[0] >= want[0] && pool.available()[1] >= want[1]);
                    taken.push(pool.take(want));
                }
                Ok((taken, pool.state().clone()))
            }
        };
        let ((server, state), (client, _), counted) = run_machines(one(Party::Server), one(Party::Client));
        let mut predicted = PoolState::new(engine);
        let mut cost = CotPool::setup_cost();
        for &want in refills {
            cost = cost.then(predicted.refill_cost(want));
            predicted.refill(want);
            predicted.take(want);
        }
        assert_eq!((counted, state), (cost, predicted));

        let mut trace = Kdf::new("trace");
        let mut deltas = [Block::ZERO; 2];
        for ((server_send, server_receive), (client_send, client_receive)) in server.into_iter().zip(client) {
            for (direction, (sender, receiver)) in
                [(server_send, client_receive), (client_send, server_receive)].into_iter().enumerate()
            {
                let (keys, macs) = (sender.batch.blocks(), receiver.batch.blocks());
                assert_eq!(keys.len(), macs.len());
                assert_eq!(sender.delta.lsb(), 1);
                for (&q, &t) in keys.iter().zip(macs) {
                    assert_eq!(q ^ (Block::mask(t.lsb()) & sender.delta), t);
                    assert_eq!(q.lsb(), 0);
                }
                if keys.len() > 1000 {
                    let ones: usize = macs.iter().map(|t| usize::from(t.lsb())).sum();
                    let deviation =
                        (2.0 * ones as f64 - keys.len() as f64).abs() / (keys.len() as f64).sqrt();
                    assert!(deviation < 5.0, "{ones} ones of {}", keys.len());
                    let mut distinct: Vec<u128> = keys.iter().map(|q| q.bits()).collect();
                    distinct.sort_unstable();
                    distinct.dedup();
                    assert_eq!(distinct.len(), keys.len(), "keys repeat");
                }
                deltas[direction] = sender.delta;
                trace = trace.part(Block::slice_bytes(macs));
            }
        }
        assert_ne!(deltas[0], deltas[1]);
        format!("{:032x}", trace.block().bits())
    }

    #[test]
    fn softspoken_makes_cots_in_both_directions() {
        let refills = [[0, 0], [1, 0], [0, 300], [9000, 20_000], [128, 128], [5, 5000]];
        // A seed determines everything, on every machine; a change here changes the wire.
        assert_eq!(check(CotEngine::SoftSpoken, &refills), "552ee7bf2c659811a3f8472da8329a95");
    }

    #[test]
    fn ferret_makes_cots_in_both_directions() {
        let refills = [[300, 0], [50_000, 20_000], [400_000, 30_000], [900_000, 0], [10, 100_000]];
        // A seed determines everything, on every machine; a change here changes the wire.
        assert_eq!(check(CotEngine::Ferret, &refills), "54f49f790e94e06b5deedd0ed4922854");
    }

    #[test]
    #[should_panic(expected = "on hand")]
    fn taking_too_many_panics() {
        PoolState::new(CotEngine::SoftSpoken).take([1, 0]);
    }
}
