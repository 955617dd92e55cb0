//! What is public about a pool: what it has, and what it does when it needs more.

use crate::ot::{COT_BATCH, CotEngine, ferret::Kind, softspoken};
use crate::party::Party;
use crate::transport::cost::{Cost, Ots};

/// The public part of a pool: how many OTs it has, and what it does when it needs more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolState {
    engine: CotEngine,
    /// COTs and quads, by sender.
    streams: [[StreamState; 2]; 2],
}

/// One kind of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StreamState {
    /// OTs on hand.
    available: usize,
    /// OTs made by SoftSpoken for use.
    extended: usize,
    /// Whether Ferret has its base.
    bootstrapped: bool,
}

/// What one kind of one direction does in a refill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamPlan {
    /// OTs made by one SoftSpoken extension for use.
    pub(super) extend: usize,
    /// Whether the extension also makes Ferret's first base.
    pub(super) bootstrap: bool,
    /// Rounds of Ferret.
    pub(super) rounds: usize,
}

impl StreamPlan {
    /// COTs that SoftSpoken makes: a quad takes two.
    pub(super) const fn extension(self, kind: Kind) -> usize {
        kind.bits() * (self.extend + if self.bootstrap { kind.base() } else { 0 })
    }
}

/// What one direction does in a refill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) cots: StreamPlan,
    pub(super) quads: StreamPlan,
}

impl Plan {
    /// COTs made by one SoftSpoken extension: those for COTs come first.
    pub(super) const fn extension(self) -> usize {
        self.cots.extension(Kind::Cots) + self.quads.extension(Kind::Quads)
    }

    pub(super) fn rounds(self) -> usize {
        self.cots.rounds.max(self.quads.rounds)
    }

    pub(super) const fn bootstraps(self) -> bool {
        self.cots.bootstrap || self.quads.bootstrap
    }

    /// Which kinds have a round of that number, in the order of their messages.
    pub(super) fn kinds_in(self, round: usize) -> impl Iterator<Item = Kind> {
        let kinds = [(Kind::Cots, self.cots), (Kind::Quads, self.quads)];
        kinds.into_iter().filter(move |(_, plan)| round < plan.rounds).map(|(kind, _)| kind)
    }

    fn cost(self, sender: Party) -> Cost {
        let receiver = sender.peer();
        let extension = softspoken::extension_bytes(self.extension());
        if self.rounds() == 0 {
            return Cost::message(receiver, extension);
        }
        (0..self.rounds()).fold(Cost::none(), |cost, round| {
            let first = if round == 0 { extension } else { 0 };
            let flips: usize = self.kinds_in(round).map(Kind::flips_bytes).sum();
            let sums = self.kinds_in(round).map(Kind::sums_bytes).sum();
            cost.then(Cost::message(receiver, first + flips)).then(Cost::message(sender, sums))
        })
    }
}

impl PoolState {
    /// A pool just set up.
    #[must_use]
    pub fn new(engine: CotEngine) -> Self {
        Self { engine, streams: Default::default() }
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> CotEngine {
        self.engine
    }

    /// OTs on hand.
    #[must_use]
    pub fn available(&self) -> Ots {
        let [cots, quads] = self.streams.map(|kind| kind.map(|stream| stream.available));
        Ots { cots, quads }
    }

    /// The cost of [`CotPool::refill`](super::CotPool::refill) in this state. It consumes no OTs of the pool.
    #[must_use]
    pub fn refill_cost(&self, want: Ots) -> Cost {
        let [server, client] = Party::BOTH.map(|sender| self.plan(sender, want).cost(sender));
        server.beside(client)
    }

    /// Counts what [`CotPool::refill`](super::CotPool::refill) makes.
    pub fn refill(&mut self, want: Ots) {
        for sender in Party::BOTH {
            let Plan { cots, quads } = self.plan(sender, want);
            let kinds = [(Kind::Cots, cots), (Kind::Quads, quads)];
            for (streams, (kind, plan)) in self.streams.iter_mut().zip(kinds) {
                let stream = &mut streams[sender.index()];
                stream.available += plan.extend + plan.rounds * kind.output();
                stream.extended += plan.extend;
                stream.bootstrapped |= plan.bootstrap;
            }
        }
    }

    /// Counts what [`CotPool::take`](super::CotPool::take) takes.
    ///
    /// # Panics
    /// When fewer are on hand.
    pub fn take(&mut self, ots: Ots) {
        for (streams, counts) in self.streams.iter_mut().zip([ots.cots, ots.quads]) {
            for (StreamState { available, .. }, count) in streams.iter_mut().zip(counts) {
                *available = available
                    .checked_sub(count)
                    .unwrap_or_else(|| panic!("{count} OTs asked for, {available} on hand"));
            }
        }
    }

    pub(super) fn plan(&self, sender: Party, want: Ots) -> Plan {
        let [cots, quads] = want.of(sender);
        let stream = |kind: usize| self.streams[kind][sender.index()];
        Plan {
            cots: stream(0).plan(self.engine, Kind::Cots, cots),
            quads: stream(1).plan(self.engine, Kind::Quads, quads),
        }
    }
}

impl StreamState {
    fn plan(self, engine: CotEngine, kind: Kind, want: usize) -> StreamPlan {
        let missing = want.saturating_sub(self.available);
        let extend = missing.next_multiple_of(COT_BATCH);
        // Until SoftSpoken has made about what the first base costs.
        let few = !self.bootstrapped && self.extended + extend <= kind.base();
        if missing == 0 || engine == CotEngine::SoftSpoken || few {
            return StreamPlan { extend, ..StreamPlan::default() };
        }
        let rounds = missing.div_ceil(kind.output());
        StreamPlan { extend: 0, bootstrap: !self.bootstrapped, rounds }
    }
}
