//! What the two-party protocol would cost: runs a program on another back end and counts bytes, half-rounds and
//! correlations, exactly, from public shapes.

mod lines;

pub use lines::Lines;

use super::two_party::schedule::{self, Demand};
use super::two_party::{needs_keys, plan_layers};
use super::{Cleartext, Config, Linear, Op, Origins, Protocol, Reveal, ShareVec, Signedness, Trunc, Val, op};
use crate::error::Result;
use crate::he::he_setup_cost;
use crate::ot::PoolState;
use crate::party::Party;
use crate::ring::{BitPlanes, RingVec, Width, packed_len};
use crate::transport::Link;
use crate::transport::cost::Cost;
use crate::transport::handshake;
use crate::transport::stats::Phase;
use std::collections::BTreeMap;

/// Bytes each way, half-rounds and correlations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Payload bytes sent by the server and by the client.
    pub bytes: [u64; 2],
    /// Levels of message dependency.
    pub half_rounds: u64,
    /// COTs consumed with the server and with the client as their sender.
    pub cots: [u64; 2],
    /// Quads, which are COTs over F_4, consumed with the server and with the client as their sender.
    pub quads: [u64; 2],
}

impl Totals {
    /// COTs and quads, of both directions.
    #[must_use]
    pub fn ots(&self) -> u64 {
        self.cots.iter().chain(&self.quads).sum()
    }
}

/// A back end that counts what [`TwoParty`](super::TwoParty) would send, and computes with `P`.
pub struct Tally<P = Cleartext> {
    inner: P,
    pool: PoolState,
    phases: BTreeMap<Phase, Totals>,
    scopes: BTreeMap<String, Totals>,
    scope: String,
    lines: Lines,
    /// Whether the keys of linear layers were counted.
    keys: bool,
    link: Link,
}

impl<P: Protocol> Tally<P> {
    /// Counts a session of the default configuration, computing with `inner`.
    pub fn new(inner: P) -> Self {
        Self::with_config(inner, &Config::default())
    }

    /// Counts a session from its handshake on, computing with `inner`. Where `config` has the link measured, the session
    /// is counted for the default one, with the cost of measuring; [`Tally::over`] changes that.
    pub fn with_config(inner: P, config: &Config) -> Self {
        let mut tally = Self {
            inner,
            pool: PoolState::new(config.cots),
            phases: BTreeMap::new(),
            scopes: BTreeMap::new(),
            scope: String::new(),
            lines: Lines::default(),
            keys: false,
            link: config.link.unwrap_or_default(),
        };
        let setup = config.connect_cost();
        tally.count(Phase::Setup, &setup, setup.half_rounds());
        tally
    }

    /// The same for what a session has measured.
    #[must_use]
    pub const fn over(mut self, link: Link) -> Self {
        self.link = link;
        self
    }

    /// What was counted in a phase so far.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Totals {
        self.phases.get(&phase).copied().unwrap_or_default()
    }

    /// What was counted in a scope so far.
    #[must_use]
    pub fn scope_totals(&self, scope: &str) -> Totals {
        self.scopes.get(scope).copied().unwrap_or_default()
    }

    /// All scopes with what was counted in them.
    pub fn scopes(&self) -> impl Iterator<Item = (&str, Totals)> {
        self.scopes.iter().map(|(scope, totals)| (scope.as_str(), *totals))
    }

    /// What each line and each function of the programs so far costs online. It prints as a table.
    #[must_use]
    pub fn lines(&self) -> Lines {
        self.lines.within(self.phase(Phase::Online))
    }

    fn count(&mut self, phase: Phase, cost: &Cost, half_rounds: usize) {
        self.phases.entry(phase).or_default().add(cost, half_rounds);
        if !self.scopes.contains_key(&self.scope) {
            self.scopes.insert(self.scope.clone(), Totals::default());
        }
        self.scopes.get_mut(&self.scope).expect("inserted above").add(cost, half_rounds);
    }

    /// Counts operations that run side by side, and computes them.
    fn gadgets(&mut self, ops: &[Op<P::Arith, P::Bool>]) -> Result<Vec<Val<P::Arith, P::Bool>>> {
        plan_layers(ops, self.link)?;
        if !self.keys && ops.iter().any(needs_keys) {
            let setup = he_setup_cost();
            self.count(Phase::Setup, &setup, setup.half_rounds());
            self.keys = true;
        }
        let mut demand = Demand::of(ops, self.link);
        let mut half_rounds = 0;
        for bundle in schedule::bundles(ops, self.link) {
            let ots = bundle.cost.ots();
            if !self.pool.available().cover(ots) {
                let want = demand.want(ots);
                let refill = self.pool.refill_cost(want);
                self.pool.refill(want);
                self.count(Phase::Offline, &refill, refill.half_rounds());
            }
            demand.started(ots);
            self.pool.take(ots);
            self.count(Phase::Online, &bundle.cost, 0);
            half_rounds = half_rounds.max(bundle.cost.half_rounds());
        }
        self.count(Phase::Online, &Cost::none(), half_rounds);
        ops.iter().map(|op| op::run(&mut self.inner, op)).collect()
    }

    fn opened(&mut self, width: Width, len: usize, to: Reveal) {
        let cost = opening(width, len, to);
        self.count(Phase::Online, &cost, cost.half_rounds());
    }
}

/// What it costs to open `len` values.
fn opening(width: Width, len: usize, to: Reveal) -> Cost {
    let bytes = packed_len(width, len);
    let [server, client] = Party::BOTH.map(|p| if to.includes(p.peer()) { bytes } else { 0 });
    Cost::level(server, client)
}

impl<P: Protocol> Protocol for Tally<P> {
    type Arith = P::Arith;
    type Bool = P::Bool;

    fn party(&self) -> Option<Party> {
        self.inner.party()
    }

    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<P::Arith> {
        self.inner.input(from, width, len, values)
    }

    fn input_bool(
        &mut self,
        from: Party,
        width: Width,
        len: usize,
        values: Option<&BitPlanes>,
    ) -> Result<P::Bool> {
        self.inner.input_bool(from, width, len, values)
    }

    fn reveal(&mut self, x: &P::Arith, to: Reveal) -> Result<Option<RingVec>> {
        self.opened(x.width(), x.len(), to);
        self.inner.reveal(x, to)
    }

    fn reveal_bool(&mut self, x: &P::Bool, to: Reveal) -> Result<Option<BitPlanes>> {
        self.opened(x.width(), x.len(), to);
        self.inner.reveal_bool(x, to)
    }

    fn public(&self, values: &RingVec) -> P::Arith {
        self.inner.public(values)
    }

    fn public_bool(&self, values: &BitPlanes) -> P::Bool {
        self.inner.public_bool(values)
    }

    fn add(&self, x: &P::Arith, y: &P::Arith) -> P::Arith {
        self.inner.add(x, y)
    }

    fn sub(&self, x: &P::Arith, y: &P::Arith) -> P::Arith {
        self.inner.sub(x, y)
    }

    fn scale(&self, x: &P::Arith, by: &[u64]) -> P::Arith {
        self.inner.scale(x, by)
    }

    fn reduce(&self, x: &P::Arith, width: Width) -> P::Arith {
        self.inner.reduce(x, width)
    }

    fn trunc_reduce(&self, x: &P::Arith, shift: u32) -> P::Arith {
        self.inner.trunc_reduce(x, shift)
    }

    fn round_reduce(&self, x: &P::Arith, shift: u32) -> P::Arith {
        self.inner.round_reduce(x, shift)
    }

    fn xor(&self, x: &P::Bool, y: &P::Bool) -> P::Bool {
        self.inner.xor(x, y)
    }

    fn and_public(&self, x: &P::Bool, mask: &BitPlanes) -> P::Bool {
        self.inner.and_public(x, mask)
    }

    fn planes(&self, x: &P::Bool, planes: &[usize]) -> P::Bool {
        self.inner.planes(x, planes)
    }

    fn join_planes(&self, planes: &[&P::Bool]) -> P::Bool {
        self.inner.join_planes(planes)
    }

    fn agree(&mut self, what: &str, public: &[u8]) -> Result<()> {
        let cost = handshake::agree_cost();
        self.count(Phase::Setup, &cost, cost.half_rounds());
        self.inner.agree(what, public)
    }

    fn check(&mut self, layer: &Linear<P::Arith>) -> Result<()> {
        self.inner.check(layer)
    }

    fn prepare(&mut self, layer: &Linear<P::Arith>) -> Result<()> {
        self.inner.prepare(layer)
    }

    fn in_clear(&self, x: &P::Arith) -> Option<RingVec> {
        self.inner.in_clear(x)
    }

    fn trace(&mut self, ops: &[Op<P::Arith, P::Bool>], origins: &dyn Fn() -> Vec<Origins>) {
        self.lines.add(ops, &origins(), self.link);
    }

    fn trace_opening(&mut self, width: Width, to: Reveal, origins: &dyn Fn() -> Origins) {
        let origins = origins();
        let cost = opening(width, origins.iter().map(|o| o.1).sum(), to);
        self.lines.add_opening(&cost, &origins);
    }

    fn scope(&mut self, name: &str) {
        name.clone_into(&mut self.scope);
        self.inner.scope(name);
    }

    super::two_party::gadget_methods!();
}
