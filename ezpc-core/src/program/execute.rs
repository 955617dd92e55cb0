//! Execution of a plan: gathers operands into vectors, runs one batch per kind, stores the results.

use super::graph::{Domain, Graph, Kind, Place, ZERO, words};
use super::plan::{Group, Key, Plan};
use super::shared::Id;
use crate::error::Result;
use crate::party::Party;
use crate::protocol::{Op, Protocol, Reveal, ShareVec, Signedness, Trunc, Val};
use crate::ring::{BitPlanes, BitVec, RingVec, Width};

/// Computed share vectors; slots point into them.
pub(super) struct Store<P: Protocol> {
    batches: Vec<Batch<P>>,
    free: Vec<u32>,
    levels: usize,
}

struct Batch<P: Protocol> {
    value: Option<Val<P::Arith, P::Bool>>,
    /// Slots that point here.
    live: usize,
}

impl<P: Protocol> Store<P> {
    pub(super) const fn new() -> Self {
        Self { batches: Vec::new(), free: Vec::new(), levels: 0 }
    }

    /// The number of interactive levels run.
    pub(super) const fn levels(&self) -> usize {
        self.levels
    }

    /// Runs a plan.
    pub(super) fn run(&mut self, graph: &mut Graph, protocol: &mut P, plan: &Plan) -> Result<()> {
        let mut groups = plan.groups.as_slice();
        while let Some(first) = groups.first() {
            if first.key.order > 0 {
                let value = self.local(graph, protocol, plan, first)?;
                self.settle(graph, &first.ids, value);
                groups = &groups[1..];
                continue;
            }
            let level = first.key.level;
            let count = groups.iter().take_while(|g| g.key.level == level && g.key.order == 0).count();
            let (now, later) = groups.split_at(count);
            let ops: Vec<Op<P::Arith, P::Bool>> =
                now.iter().map(|group| self.op(graph, protocol, group)).collect();
            self.levels += 1;
            let values = protocol.together(&ops)?;
            for (group, value) in now.iter().zip(values) {
                self.settle(graph, &group.ids, value);
            }
            groups = later;
        }
        Ok(())
    }

    /// Opens slots of one domain and width; one lane each where the value is learnt.
    pub(super) fn open(
        &self,
        graph: &Graph,
        protocol: &mut P,
        ids: &[Id],
        to: Reveal,
    ) -> Result<Option<Vec<u64>>> {
        let width = Width::new(graph.width(ids[0]));
        let arith = ids.iter().any(|&id| graph.kind(id).domain() == Domain::Arith);
        Ok(if arith {
            let x = self.arith(graph, protocol, width, ids.iter().copied());
            protocol.reveal(&x, to)?.map(RingVec::into_lanes)
        } else {
            let x = self.boolean(graph, protocol, width, ids.iter().copied());
            protocol.reveal_bool(&x, to)?.map(|planes| planes.to_lanes())
        })
    }

    /// A slot does not point to its value any more.
    pub(super) fn release(&mut self, place: Place) {
        let batch = &mut self.batches[place.batch as usize];
        batch.live -= 1;
        if batch.live == 0 {
            batch.value = None;
            self.free.push(place.batch);
        }
    }

    /// Stores a share vector that no recorded operation computes; the slots are its elements.
    #[allow(clippy::cast_possible_truncation, reason = "slots and batches are counted by u32")]
    pub(super) fn settle(&mut self, graph: &mut Graph, ids: &[Id], value: Val<P::Arith, P::Bool>) {
        let made = Batch { value: Some(value), live: ids.len() };
        let batch = if let Some(free) = self.free.pop() {
            self.batches[free as usize] = made;
            free
        } else {
            self.batches.push(made);
            self.batches.len() as u32 - 1
        };
        for (index, &id) in ids.iter().enumerate() {
            graph.settle(id, Place { batch, index: index as u32 });
        }
    }

    // ---- operands ----------------------------------------------------------------------------------------

    /// The arithmetic shares of slots, in order.
    pub(super) fn arith(
        &self,
        graph: &Graph,
        protocol: &P,
        width: Width,
        ids: impl Iterator<Item = Id>,
    ) -> P::Arith {
        let public = |lanes: Vec<u64>| protocol.public(&RingVec::new(width, lanes));
        self.collect(graph, ids, public, |value| match value {
            Val::Arith(x) => x,
            Val::Bool(_) => unreachable!("the recorder converts operands"),
        })
    }

    /// The Boolean words of slots, in order.
    pub(super) fn boolean(
        &self,
        graph: &Graph,
        protocol: &P,
        width: Width,
        ids: impl Iterator<Item = Id>,
    ) -> P::Bool {
        let public = |lanes: Vec<u64>| protocol.public_bool(&BitPlanes::from_lanes(width.bits(), &lanes));
        self.collect(graph, ids, public, |value| match value {
            Val::Bool(x) => x,
            Val::Arith(_) => unreachable!("the recorder converts operands"),
        })
    }

    /// Collects slots from the batches they are in, and public ones.
    #[allow(clippy::cast_possible_truncation, reason = "batches are counted by u32")]
    fn collect<V: ShareVec>(
        &self,
        graph: &Graph,
        ids: impl Iterator<Item = Id>,
        public: impl Fn(Vec<u64>) -> V,
        vector: impl Fn(&Val<P::Arith, P::Bool>) -> &V,
    ) -> V {
        // For each source the indices taken from it, and for each slot its source and position there.
        let mut sources: Vec<(u32, Vec<usize>)> = Vec::new();
        let mut constants = Vec::new();
        let mut order: Vec<(u32, u32)> = Vec::new();
        let mut sequential = true;
        let mut seen: Vec<(u32, u32)> = Vec::new();
        for id in ids {
            let (batch, index) = match graph.constant_value(id) {
                Some(value) => {
                    constants.push(value);
                    (PUBLIC, constants.len() - 1)
                }
                None => {
                    let place = graph.place(id);
                    (place.batch, place.index as usize)
                }
            };
            let source = match sources.last() {
                Some((last, _)) if *last == batch => sources.len() - 1,
                _ => match seen.binary_search_by_key(&batch, |s| s.0) {
                    Ok(found) => {
                        sequential = false;
                        seen[found].1 as usize
                    }
                    Err(at) => {
                        sources.push((batch, Vec::new()));
                        seen.insert(at, (batch, sources.len() as u32 - 1));
                        sources.len() - 1
                    }
                },
            };
            let taken = &mut sources[source].1;
            order.push((source as u32, taken.len() as u32));
            taken.push(index);
        }
        let part = |(batch, indices): &(u32, Vec<usize>)| {
            if *batch == PUBLIC {
                return public(indices.iter().map(|&i| constants[i]).collect());
            }
            let value =
                self.batches[*batch as usize].value.as_ref().expect("computed slots keep their batch");
            take(vector(value), indices)
        };
        if let [only] = sources.as_slice() {
            return part(only);
        }
        if sources.is_empty() {
            return public(Vec::new());
        }
        let parts: Vec<V> = sources.iter().map(part).collect();
        let all = V::concat(&parts.iter().collect::<Vec<_>>());
        if sequential {
            return all;
        }
        let mut starts = Vec::with_capacity(parts.len());
        let mut start = 0;
        for part in &parts {
            starts.push(start);
            start += part.len();
        }
        all.gather(&order.iter().map(|&(s, i)| starts[s as usize] + i as usize).collect::<Vec<_>>())
    }

    // ---- batches -----------------------------------------------------------------------------------------

    /// The interactive operation of a group.
    fn op(&self, graph: &Graph, protocol: &P, group: &Group) -> Op<P::Arith, P::Bool> {
        let Key { kind, width, parameter, .. } = group.key;
        let own = Width::new(width);
        let arith = |i: usize, width: Width| self.arith(graph, protocol, width, operands(graph, group, i));
        let boolean =
            |i: usize, width: Width| self.boolean(graph, protocol, width, operands(graph, group, i));
        let operand = || Width::new(parameter);
        match kind {
            Kind::Mul => Op::Mul(arith(0, own), arith(1, own)),
            Kind::BitToArith => Op::BitToArith(boolean(0, Width::W1), own),
            Kind::B2a => Op::B2a(boolean(0, own)),
            Kind::Select => Op::Select(boolean(0, Width::W1), arith(1, own)),
            Kind::Mux => Op::Mux(boolean(0, Width::W1), arith(1, own), arith(2, own)),
            Kind::ExtendSigned => Op::Extend(arith(0, operand()), own, Signedness::Signed),
            Kind::ExtendUnsigned => Op::Extend(arith(0, operand()), own, Signedness::Unsigned),
            Kind::Trunc => Op::Trunc(arith(0, own), parameter, Trunc::Floor),
            Kind::And => Op::And(boolean(0, own), boolean(1, own)),
            Kind::Or => Op::Or(boolean(0, own), boolean(1, own)),
            Kind::AddBool => Op::AddBool(boolean(0, own), boolean(1, own)),
            Kind::MuxBool => Op::MuxBool(boolean(0, Width::W1), boolean(1, own), boolean(2, own)),
            Kind::A2b => Op::A2b(arith(0, own)),
            Kind::Msb => Op::Msb(arith(0, operand())),
            Kind::LessSigned => Op::LessThan(arith(0, operand()), arith(1, operand()), Signedness::Signed),
            Kind::LessUnsigned => {
                Op::LessThan(arith(0, operand()), arith(1, operand()), Signedness::Unsigned)
            }
            Kind::Equal => Op::Equal(arith(0, operand()), arith(1, operand())),
            _ => unreachable!("{kind:?} is no interactive operation"),
        }
    }

    /// The result of a group of local operations or inputs.
    fn local(
        &self,
        graph: &Graph,
        protocol: &mut P,
        plan: &Plan,
        group: &Group,
    ) -> Result<Val<P::Arith, P::Bool>> {
        let Key { kind, width, parameter, .. } = group.key;
        let own = Width::new(width);
        Ok(match kind {
            Kind::Add => {
                let (slots, by) = terms(plan, group);
                let x = self.arith(graph, protocol, own, slots.into_iter());
                let x = if by.iter().all(|&b| b & own.mask() == 1) { x } else { protocol.scale(&x, &by) };
                Val::Arith(fold(x, group.ids.len(), |a, b| protocol.add(a, b)))
            }
            Kind::Xor => {
                let (slots, _) = terms(plan, group);
                let x = self.boolean(graph, protocol, own, slots.into_iter());
                Val::Bool(fold(x, group.ids.len(), |a, b| protocol.xor(a, b)))
            }
            Kind::Reduce => {
                let x = self.arith(graph, protocol, Width::new(parameter), operands(graph, group, 0));
                Val::Arith(protocol.reduce(&x, own))
            }
            Kind::Rewire => {
                let pattern = graph.pattern(parameter);
                let from = Width::new(graph.width(graph.node(group.ids[0]).args[0]));
                let x = self.boolean(graph, protocol, from, operands(graph, group, 0));
                Val::Bool(rewire(protocol, &x, &pattern))
            }
            Kind::AndConst => {
                let x = self.boolean(graph, protocol, own, operands(graph, group, 0));
                let mask = |id: &Id| words(graph.node(*id).args[1], graph.node(*id).args[2]);
                let masks: Vec<u64> = group.ids.iter().map(mask).collect();
                Val::Bool(protocol.and_public(&x, &BitPlanes::from_lanes(width, &masks)))
            }
            Kind::InputArith => {
                let (owner, known) = inputs(graph, group);
                let values = known.map(|lanes| RingVec::new(own, lanes));
                Val::Arith(protocol.input(owner, own, group.ids.len(), values.as_ref())?)
            }
            Kind::InputBool => {
                let (owner, known) = inputs(graph, group);
                let values = known.map(|lanes| BitPlanes::from_lanes(width, &lanes));
                Val::Bool(protocol.input_bool(owner, own, group.ids.len(), values.as_ref())?)
            }
            _ => unreachable!("{kind:?} is no local operation"),
        })
    }
}

fn operands<'a>(graph: &'a Graph, group: &'a Group, i: usize) -> impl Iterator<Item = Id> + 'a {
    group.ids.iter().map(move |&id| graph.node(id).args[i])
}

/// The terms of a group of sums, term by term, and their coefficients.
fn terms(plan: &Plan, group: &Group) -> (Vec<Id>, Vec<u64>) {
    let count = group.key.parameter as usize;
    let all = || (0..count).flat_map(|t| group.starts.iter().map(move |&s| plan.terms[s as usize + t]));
    (all().map(|t| t.0).collect(), all().map(|t| t.1).collect())
}

/// The owner of a group of inputs and, where they are known, the values.
fn inputs(graph: &Graph, group: &Group) -> (Party, Option<Vec<u64>>) {
    let owner = Party::BOTH[group.key.parameter as usize];
    let known = group.ids.iter().all(|&id| graph.node(id).args[0] & 2 != 0);
    let value = |id: &Id| words(graph.node(*id).args[1], graph.node(*id).args[2]);
    (owner, known.then(|| group.ids.iter().map(value).collect()))
}

/// Combines the consecutive parts of `len` elements.
fn fold<V: ShareVec>(mut x: V, len: usize, combine: impl Fn(&V, &V) -> V) -> V {
    while x.len() > len {
        let parts = x.len() / len;
        let half = parts / 2 * len;
        let both = combine(&x.slice(0..half), &x.slice(half..2 * half));
        x = if parts.is_multiple_of(2) { both } else { V::concat(&[&both, &x.slice(2 * half..x.len())]) };
    }
    x
}

fn take<V: ShareVec>(x: &V, indices: &[usize]) -> V {
    let first = indices[0];
    if indices.iter().enumerate().any(|(i, &at)| at != first + i) {
        return x.gather(indices);
    }
    if indices.len() == x.len() { x.clone() } else { x.slice(first..first + indices.len()) }
}

fn rewire<P: Protocol>(protocol: &P, x: &P::Bool, pattern: &[i8]) -> P::Bool {
    if !pattern.contains(&ZERO) {
        return protocol.planes(x, &pattern.iter().map(|&p| index(p)).collect::<Vec<_>>());
    }
    let zero = protocol.public_bool(&BitPlanes::new(vec![BitVec::zeros(x.len())]));
    let planes: Vec<Option<P::Bool>> =
        pattern.iter().map(|&p| (p != ZERO).then(|| protocol.planes(x, &[index(p)]))).collect();
    protocol.join_planes(&planes.iter().map(|p| p.as_ref().unwrap_or(&zero)).collect::<Vec<_>>())
}

#[allow(clippy::cast_sign_loss, reason = "planes of an operand are not negative")]
fn index(plane: i8) -> usize {
    plane as usize
}

/// The source of public values.
const PUBLIC: u32 = u32::MAX;
