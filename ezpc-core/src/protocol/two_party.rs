//! The two-party protocol: semi-honest, over one channel, arithmetic and Boolean shares.
//!
//! Operations become machines over windows (`schedule`), which run in flight while the pool of correlated OTs
//! is refilled between them. See SECURITY.md for what each message reveals.

pub(crate) mod gadget;
pub(crate) mod layer;
mod methods;
mod opening;
mod output;
pub(crate) mod schedule;

use super::{Config, Linear, Op, Protocol, Reveal, ShareVec, Signedness, Trunc, Val, check};
use crate::crypto::SessionId;
use crate::crypto::{Block, Prg};
use crate::error::Result;
use crate::he::{HeKeys, he_setup};
use crate::ops::Ctx;
use crate::ops::compare::Method;
use crate::ot::CotPool;
use crate::party::Party;
use crate::ring::{BitPlanes, BitVec, RingVec, Width, pack_lanes, packed_len, unpack_lanes};
use crate::sharing::Shared;
use crate::transport::cost::{Cost, Ots};
use crate::transport::machine::{Machine, join_all};
use crate::transport::stats::{Phase, Stats};
use crate::transport::{Channel, Link, driver, handshake};
use layer::{Budget, Resources};
pub(super) use methods::gadget_methods;
use output::Output;
use schedule::{Bundle, Demand};

/// The cost of [`TwoParty::setup`].
pub(crate) fn setup_cost() -> Cost {
    Cost::level(Block::BYTES, Block::BYTES).then(CotPool::setup_cost())
}

/// Whether an operation needs the session's keys.
pub(crate) fn needs_keys<A, B>(op: &Op<A, B>) -> bool {
    matches!(op, Op::Linear(layer, _) if layer::encrypted(layer))
}

/// Plans the layers among the operations of a session over `link`, before anything asks what they cost.
pub(crate) fn plan_layers<A, B>(ops: &[Op<A, B>], link: Link) -> Result<()> {
    ops.iter()
        .try_for_each(|op| if let Op::Linear(layer, _) = op { layer::plan(layer, link) } else { Ok(()) })
}

/// How many bundles of windows are in flight: while the messages of one travel, the others compute.
const IN_FLIGHT: usize = 4;

/// One party of the two-party protocol.
pub struct TwoParty {
    party: Party,
    channel: Channel,
    pool: CotPool,
    /// This party's private randomness.
    rng: Prg,
    /// `masks[p]` makes the peer's share of the inputs of party p; both parties know it.
    masks: [Prg; 2],
    session: SessionId,
    /// Made before the first layer that needs them.
    keys: Option<HeKeys>,
    threads: usize,
    budget: Budget,
    link: Link,
}

type Arith = Shared<RingVec>;
type Bool = Shared<BitPlanes>;

impl TwoParty {
    /// Sets the correlations up over a channel whose handshake is done. `session` is the same at both parties
    /// and at no other session; `rng` is private randomness.
    ///
    /// Reveals nothing: the seeds exchanged here only make shares of inputs, each known to the input's owner
    /// and random to it.
    pub(super) fn setup(
        mut channel: Channel,
        session: [u8; 32],
        config: &Config,
        link: Link,
        mut rng: Prg,
    ) -> Result<Self> {
        let session = SessionId::new(session);
        let party = channel.party();
        channel.set_phase(Phase::Setup);
        let seed = rng.block();
        let received = channel.exchange(seed.to_bytes().to_vec(), Block::BYTES)?;
        let peers = Block::from_bytes(received.try_into().expect("as long as asked for"));
        let mut masks = [seed, peers];
        if party == Party::Client {
            masks.swap(0, 1);
        }
        let masks = masks.map(Prg::from_seed);
        let mut pool = None;
        let mut setup_rng = rng.fork("correlation setup");
        let machine = Machine::new(|io| {
            let pool = &mut pool;
            let rng = &mut setup_rng;
            async move {
                *pool = Some(CotPool::setup(&io, party, rng, &session, config.cots).await?);
                Ok(())
            }
        });
        driver::run(&mut channel, [Ok(machine)], 1)?;
        channel.set_phase(Phase::Online);
        let pool = pool.expect("the machine has finished");
        let (threads, budget) = (config.threads, Budget::new(config.weights_memory));
        Ok(Self { party, channel, pool, rng, masks, session, keys: None, threads, budget, link })
    }

    pub(super) const fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// What was sent and received so far.
    pub fn stats(&mut self) -> &Stats {
        self.channel.stats()
    }

    /// The network between the parties as the session takes it: given by its [`Config`], or measured.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// Ends the session: both parties see that they computed on the same bytes, and that the peer has everything.
    /// Results are final when this has succeeded.
    ///
    /// # Errors
    /// [`ErrorKind::Peer`](crate::error::ErrorKind::Peer) when bytes were changed on the way, over a transport that does
    /// not authenticate; [`ErrorKind::Closed`](crate::error::ErrorKind::Closed) when the peer ended without this.
    pub fn close(mut self) -> Result<()> {
        self.channel.set_phase(Phase::Setup);
        self.channel.compare_streams()?;
        self.channel.close()
    }

    /// Makes and swaps the keys of linear layers.
    fn make_keys(&mut self) -> Result<()> {
        self.channel.set_phase(Phase::Setup);
        let mut rng = self.rng.fork("keys");
        let (party, session, keys) = (self.party, self.session, &mut self.keys);
        let machine = Machine::new(|io| {
            let rng = &mut rng;
            async move {
                *keys = Some(he_setup(io, party, session, rng).await?);
                Ok(())
            }
        });
        driver::run(&mut self.channel, [Ok(machine)], 1)?;
        self.channel.set_phase(Phase::Online);
        Ok(())
    }

    /// Makes correlated OTs and throws them away: how fast are they made?
    pub fn discard_ots(&mut self, mut ots: Ots) -> Result<()> {
        /// About what a window takes.
        const STEP: usize = 1 << 15;
        let at_most = |ots: Ots, most: usize| ots.zip(Ots::default(), |count, _| count.min(most));
        while ots != Ots::default() {
            let step = at_most(ots, STEP);
            if !self.pool.available().cover(step) {
                self.refill(at_most(ots, schedule::REFILL_MOST))?;
            }
            let _ = self.pool.take(step);
            ots = ots.zip(step, |all, step| all - step);
        }
        Ok(())
    }

    /// Makes at least `want` OTs available, in the offline phase.
    fn refill(&mut self, want: Ots) -> Result<()> {
        self.channel.set_phase(Phase::Offline);
        let pool = &mut self.pool;
        let machine = Machine::new(|io| async move { pool.refill(&io, want).await });
        driver::run(&mut self.channel, [Ok(machine)], 1)?;
        self.channel.set_phase(Phase::Online);
        Ok(())
    }

    /// Runs operations that have gadgets, side by side.
    fn gadgets(&mut self, ops: &[Op<Arith, Bool>]) -> Result<Vec<Val<Arith, Bool>>> {
        plan_layers(ops, self.link)?;
        if self.keys.is_none() && ops.iter().any(needs_keys) {
            self.make_keys()?;
        }
        let outputs: Vec<Output> = ops.iter().map(Output::of).collect();
        let mut bundles = schedule::bundles(ops, self.link).peekable();
        let mut demand = Demand::of(ops, self.link);
        let mut half_rounds = 0;
        while let Some(next) = bundles.peek() {
            let ots = next.cost.ots();
            if !self.pool.available().cover(ots) {
                self.refill(demand.want(ots))?;
            }
            let with = Resources { keys: self.keys.as_ref(), threads: self.threads, budget: &self.budget };
            let (pool, rng, party) = (&mut self.pool, &mut self.rng, self.party);
            let machines = core::iter::from_fn(|| {
                let bundle = bundles.next_if(|b| pool.available().cover(b.cost.ots()))?;
                demand.started(bundle.cost.ots());
                let (send, recv) = pool.take(bundle.cost.ots());
                let rng = rng.fork("window");
                Some(Ok(Machine::new(|io| {
                    run_bundle(
                        Ctx { io, party, send, recv, rng, method: Method::Chain },
                        with,
                        bundle,
                        ops,
                        &outputs,
                    )
                })))
            });
            let summary = driver::run_uncounted(&mut self.channel, machines, IN_FLIGHT)?;
            half_rounds = half_rounds.max(summary.half_rounds);
        }
        self.channel.count_half_rounds(half_rounds);
        for op in ops {
            if let Op::Linear(layer, _) = op {
                layer::failure(layer).into_iter().for_each(|log2| self.channel.may_fail(log2));
            }
        }
        Ok(outputs.into_iter().zip(ops).map(|(output, op)| output.into_val(opening::rounded(op))).collect())
    }

    /// Opens packed lanes to the parties of `to`.
    fn open(&mut self, share: &RingVec, to: Reveal) -> Result<Option<Vec<u64>>> {
        let (width, len) = (share.width(), share.len());
        let mut message = Vec::new();
        if to.includes(self.party.peer()) {
            pack_lanes(width, share.lanes(), &mut message);
        }
        let mine = to.includes(self.party);
        let received = self.channel.exchange(message, if mine { packed_len(width, len) } else { 0 })?;
        Ok(mine.then(|| unpack_lanes(width, &received, len)))
    }
}

async fn run_bundle(
    mut cx: Ctx,
    with: Resources<'_>,
    bundle: Bundle,
    ops: &[Op<Arith, Bool>],
    outputs: &[Output],
) -> Result<()> {
    // Not collected on the way: `join_all` gives each part a place that is wiped.
    let parts = bundle.parts.into_iter().map(|part| {
        let cx = Ctx { method: part.method, ..cx.split(part.cost.ots()) };
        async move {
            let value = gadget::run(cx, with, ops[part.op].window(part.units.clone())).await?;
            outputs[part.op].store(part.units, &value);
            Ok(())
        }
    });
    join_all(parts).await.into_iter().collect()
}

impl Protocol for TwoParty {
    type Arith = Arith;
    type Bool = Bool;

    fn party(&self) -> Option<Party> {
        Some(self.party)
    }

    /// The peer's share comes from a common seed: no byte, no half-round. The mask is drawn before the input is
    /// looked at, so that a refused input leaves both parties at the same place of the stream.
    fn input(&mut self, from: Party, width: Width, len: usize, values: Option<&RingVec>) -> Result<Arith> {
        let mask = self.masks[from.index()].ring_vec(width, len);
        if from != self.party {
            return Ok(Shared::new(mask));
        }
        Ok(Shared::new(check::input_fits(from, width, len, values)?.sub(&mask)))
    }

    fn input_bool(
        &mut self,
        from: Party,
        width: Width,
        len: usize,
        values: Option<&BitPlanes>,
    ) -> Result<Bool> {
        let prg = &mut self.masks[from.index()];
        let mask = BitPlanes::new((0..width.bits()).map(|_| prg.bits(len)).collect());
        if from != self.party {
            return Ok(Shared::new(mask));
        }
        Ok(Shared::new(check::input_fits(from, width, len, values)?.zip(&mask, BitVec::xor)))
    }

    /// One half-round, k bits an element to each party that learns it.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) at both parties, before anything is sent, when the value
    /// holds roundings of a layer whose weights are those of a party that would learn it.
    fn reveal(&mut self, x: &Arith, to: Reveal) -> Result<Option<RingVec>> {
        opening::check(x.rounded(), to)?;
        let peers = self.open(x.share(), to)?;
        Ok(peers.map(|lanes| x.share().add(&RingVec::new(x.width(), lanes))))
    }

    /// One half-round, k bits a word to each party that learns it. Refuses as [`Protocol::reveal`].
    fn reveal_bool(&mut self, x: &Bool, to: Reveal) -> Result<Option<BitPlanes>> {
        opening::check(x.rounded(), to)?;
        let lanes = RingVec::new(x.width(), x.share().to_lanes());
        let peers = self.open(&lanes, to)?;
        Ok(peers.map(|p| x.share().zip(&BitPlanes::from_lanes(x.width().bits(), &p), BitVec::xor)))
    }

    fn public(&self, values: &RingVec) -> Arith {
        Shared::<RingVec>::public(self.party, values)
    }

    fn public_bool(&self, values: &BitPlanes) -> Bool {
        Shared::<BitPlanes>::public(self.party, values)
    }

    fn add(&self, x: &Arith, y: &Arith) -> Arith {
        x.zip(y, RingVec::add)
    }

    fn sub(&self, x: &Arith, y: &Arith) -> Arith {
        x.zip(y, RingVec::sub)
    }

    /// The server holds public values, so the client's share stays as it is.
    fn add_public(&self, x: &Arith, values: &RingVec) -> Arith {
        assert!(x.width() == values.width(), "operands of {} and {}", x.width(), values.width());
        assert!(matches!(values.len(), n if n == 1 || n == x.len()), "one value, or one an element");
        match (self.party, values.lanes()) {
            (Party::Client, _) => x.clone(),
            (Party::Server, &[one]) => x.map(|share| share.map(x.width(), |v| v.wrapping_add(one))),
            (Party::Server, _) => x.map(|share| share.add(values)),
        }
    }

    fn scale(&self, x: &Arith, by: &[u64]) -> Arith {
        x.map(|share| share.scale(by))
    }

    fn reduce(&self, x: &Arith, width: Width) -> Arith {
        if width == x.width() { x.clone() } else { x.map(|share| share.reduce(width)) }
    }

    fn trunc_reduce(&self, x: &Arith, shift: u32) -> Arith {
        x.map(|share| share.shift_down(shift))
    }

    fn round_reduce(&self, x: &Arith, shift: u32) -> Arith {
        x.map(|share| layer::round_down(self.party, share, shift))
    }

    fn xor(&self, x: &Bool, y: &Bool) -> Bool {
        x.zip(y, |x, y| x.zip(y, BitVec::xor))
    }

    fn and_public(&self, x: &Bool, mask: &BitPlanes) -> Bool {
        x.map(|share| share.zip(mask, BitVec::and))
    }

    fn planes(&self, x: &Bool, planes: &[usize]) -> Bool {
        x.map(|share| share.select_planes(planes))
    }

    fn join_planes(&self, planes: &[&Bool]) -> Bool {
        Shared::join(planes, BitPlanes::stack)
    }

    /// One half-round of 32 bytes each way, counted as setup.
    fn agree(&mut self, what: &str, public: &[u8]) -> Result<()> {
        self.channel.set_phase(Phase::Setup);
        handshake::agree(&mut self.channel, what, public)?;
        self.channel.set_phase(Phase::Online);
        Ok(())
    }

    fn scope(&mut self, name: &str) {
        self.channel.set_scope(name);
    }

    /// Checks at the owner of the weights that their noise fits: a refusal that depends on weights happens before anything
    /// is sent. The weights stay as they are: a layer that runs once transforms them piece by piece on its way.
    fn check(&mut self, layer: &Linear<Arith>) -> Result<()> {
        layer::plan(layer, self.link)?;
        layer::check(layer, self.party, self.threads)
    }

    /// Checks the weights, and transforms them at their owner, as long as [`Config::weights_memory`] has room.
    fn prepare(&mut self, layer: &Linear<Arith>) -> Result<()> {
        layer::plan(layer, self.link)?;
        layer::prepare(layer, self.party, self.threads, &self.budget)
    }

    gadget_methods!();
}

#[cfg(test)]
mod tests;
