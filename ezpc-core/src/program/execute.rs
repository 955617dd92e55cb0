//! Execution of a plan: gathers operands into vectors, runs one batch per kind, stores the results.

use super::graph::{Graph, Place, ZERO, count};
use super::kind::{Domain, Kind};
use super::openings::joined;
use super::plan::{Group, Key, Plan};
use super::view::{Id, View};
use crate::error::Result;
use crate::party::Party;
use crate::protocol::{Op, Origins, Protocol, Reveal, ShareVec, Signedness, Site, Trunc, Val};
use crate::ring::{BitPlanes, BitVec, RingVec, Width};
use core::ops::Range;
use std::borrow::Cow;

/// Computed share vectors; nodes point into them.
pub(super) struct Store<P: Protocol> {
    batches: Vec<Batch<P>>,
    free: Vec<u32>,
    levels: usize,
}

struct Batch<P: Protocol> {
    value: Option<Val<P::Arith, P::Bool>>,
    /// Nodes that point here.
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
                let value = self.local(graph, protocol, first)?;
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
            protocol.trace(&ops, &|| now.iter().map(|group| group.origins(graph)).collect());
            let values = protocol.together(&ops)?;
            for (group, value) in now.iter().zip(values) {
                self.settle(graph, &group.ids, value);
            }
            groups = later;
        }
        for &id in &plan.joins {
            let node = *graph.node(id);
            let (width, view) = (Width::new(node.width.into()), View::whole(id, node.len));
            let value = if node.kind.domain() == Domain::Arith {
                Val::Arith(self.arith(graph, protocol, width, [view].into_iter()).into_owned())
            } else {
                Val::Bool(self.boolean(graph, protocol, width, [view].into_iter()).into_owned())
            };
            self.settle(graph, &[id], value);
        }
        Ok(())
    }

    /// The share vector of a batch.
    pub(super) fn value(&self, batch: u32) -> &Val<P::Arith, P::Bool> {
        self.batches[batch as usize].value.as_ref().expect("computed nodes keep their batch")
    }

    /// Opens views of one domain and width; one lane each element where the values are learnt.
    pub(super) fn open(
        &self,
        graph: &Graph,
        protocol: &mut P,
        views: &[View],
        to: Reveal,
    ) -> Result<Option<Vec<u64>>> {
        let width = Width::new(graph.width(views[0]));
        let arith = views.iter().any(|&x| graph.kind(x).domain() == Domain::Arith);
        Ok(if arith {
            let x = self.arith(graph, protocol, width, views.iter().copied());
            protocol.reveal(&x, to)?.map(RingVec::into_lanes)
        } else {
            let x = self.boolean(graph, protocol, width, views.iter().copied());
            protocol.reveal_bool(&x, to)?.map(|planes| planes.to_lanes())
        })
    }

    /// A node does not point to its values any more.
    pub(super) fn release(&mut self, place: Place) {
        let batch = &mut self.batches[place.batch as usize];
        batch.live -= 1;
        if batch.live == 0 {
            batch.value = None;
            self.free.push(place.batch);
        }
    }

    /// Stores a share vector; the nodes are its parts, in order.
    pub(super) fn settle(&mut self, graph: &mut Graph, ids: &[Id], value: Val<P::Arith, P::Bool>) {
        let made = Batch { value: Some(value), live: ids.len() };
        let batch = if let Some(free) = self.free.pop() {
            self.batches[free as usize] = made;
            free
        } else {
            self.batches.push(made);
            count(self.batches.len() - 1)
        };
        let mut offset = 0;
        for &id in ids {
            graph.settle(id, Place { batch, offset });
            offset += graph.node(id).len;
        }
    }

    // ---- batches -----------------------------------------------------------------------------------------

    /// The interactive operation of a group.
    fn op(&self, graph: &Graph, protocol: &P, group: &Group) -> Op<P::Arith, P::Bool> {
        let Key { kind, width, parameter, .. } = group.key;
        let own = Width::new(width);
        let arith = |i: usize, width| self.arith(graph, protocol, width, group.operand(i)).into_owned();
        let boolean = |i: usize, width| self.boolean(graph, protocol, width, group.operand(i)).into_owned();
        let operand = || Width::new(u32::try_from(parameter).expect("a width"));
        match kind {
            Kind::Mul => Op::Mul(arith(0, own), arith(1, own)),
            Kind::BitToArith => Op::BitToArith(boolean(0, Width::W1), own),
            Kind::B2a => Op::B2a(boolean(0, own)),
            Kind::Select => Op::Select(boolean(0, Width::W1), arith(1, own)),
            Kind::Mux => Op::Mux(boolean(0, Width::W1), arith(1, own), arith(2, own)),
            Kind::ExtendSigned => Op::Extend(arith(0, operand()), own, Signedness::Signed),
            Kind::ExtendUnsigned => Op::Extend(arith(0, operand()), own, Signedness::Unsigned),
            Kind::Trunc => Op::Trunc(arith(0, own), u32::try_from(parameter).expect("a shift"), Trunc::Floor),
            Kind::Read => {
                let (array, index) = (group.operands[0], Width::new(graph.width(group.operands[1])));
                match graph.whole_table(array) {
                    Some(table) => Op::Lookup(table.clone(), arith(1, index)),
                    None => {
                        let array = self.arith(graph, protocol, own, [array].into_iter());
                        Op::Read(array.into_owned(), arith(1, index))
                    }
                }
            }
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
    fn local(&self, graph: &Graph, protocol: &mut P, group: &Group) -> Result<Val<P::Arith, P::Bool>> {
        let Key { kind, width, parameter, .. } = group.key;
        let own = Width::new(width);
        Ok(match kind {
            Kind::Add => Val::Arith(self.sum(graph, protocol, group)),
            Kind::Xor => {
                let x = self.boolean(graph, protocol, own, group.terms());
                Val::Bool(fold(x, group.len, |a, b| protocol.xor(a, b)))
            }
            Kind::SumAll => {
                let x = group.by_lane(self.arith(graph, protocol, own, group.operand(0)));
                Val::Arith(fold(x, group.len, |a, b| protocol.add(a, b)))
            }
            Kind::XorAll => {
                let x = group.by_lane(self.boolean(graph, protocol, own, group.operand(0)));
                Val::Bool(fold(x, group.len, |a, b| protocol.xor(a, b)))
            }
            Kind::Reduce => {
                let from = Width::new(u32::try_from(parameter).expect("a width"));
                let x = self.arith(graph, protocol, from, group.operand(0));
                Val::Arith(protocol.reduce(&x, own))
            }
            Kind::ScaleTable => {
                let x = self.arith(graph, protocol, own, group.operand(0));
                Val::Arith(protocol.scale(&x, &table(graph, group)))
            }
            Kind::Rewire => {
                let pattern = graph.pattern(parameter);
                let from = Width::new(graph.width(group.operands[0]));
                let x = self.boolean(graph, protocol, from, group.operand(0));
                Val::Bool(rewire(protocol, &x, &pattern))
            }
            Kind::AndConst => {
                let x = self.boolean(graph, protocol, own, group.operand(0));
                let masks = group.ids.iter().flat_map(|&id| {
                    let node = graph.node(id);
                    core::iter::repeat_n(node.param, node.len as usize)
                });
                let masks = BitPlanes::from_lanes(width, &masks.collect::<Vec<_>>());
                Val::Bool(protocol.and_public(&x, &masks))
            }
            Kind::AndTable => {
                let x = self.boolean(graph, protocol, own, group.operand(0));
                Val::Bool(protocol.and_public(&x, &BitPlanes::from_lanes(width, &table(graph, group))))
            }
            Kind::InputArith => {
                let (owner, values) = inputs(graph, group);
                Val::Arith(protocol.input(owner, own, group.len, values.as_deref())?)
            }
            Kind::InputBool => {
                let (owner, known) = inputs(graph, group);
                let values = known.map(|known| BitPlanes::from_lanes(width, known.lanes()));
                Val::Bool(protocol.input_bool(owner, own, group.len, values.as_ref())?)
            }
            _ => unreachable!("{kind:?} is no local operation"),
        })
    }

    /// Linear combinations of as many terms each.
    fn sum(&self, graph: &Graph, protocol: &P, group: &Group) -> P::Arith {
        let own = Width::new(group.key.width);
        let terms = group.key.terms as usize;
        let same = |t: usize| {
            let mut all = group.by[t..].iter().step_by(terms).map(|by| by & own.mask());
            let first = all.next()?;
            all.all(|by| by == first).then_some(first)
        };
        if group.len < SHORT && terms > 2 || (0..terms).any(|t| same(t).is_none()) {
            let x = self.arith(graph, protocol, own, group.terms());
            let by: Vec<u64> = group.coefficients(graph).collect();
            let ones = by.iter().all(|&b| b & own.mask() == 1);
            let x = if ones { x } else { Cow::Owned(protocol.scale(&x, &by)) };
            return fold(x, group.len, |a, b| protocol.add(a, b));
        }
        let by: Vec<u64> = (0..terms).map(|t| same(t).expect("checked above")).collect();
        let operands: Vec<Term<'_, P>> = (0..terms).map(|t| self.term(graph, protocol, group, t)).collect();
        let parts = (0..group.len).step_by(PART).map(|from| {
            let range = from..group.len.min(from + PART);
            let terms = operands.iter().map(|term| term.part(protocol, group.len, &range));
            combination(protocol, terms.zip(by.iter().copied()), own)
        });
        let parts: Vec<P::Arith> = parts.collect();
        match <[P::Arith; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) => P::Arith::concat(&parts.iter().collect::<Vec<_>>()),
        }
    }

    /// Operand `t` of the sums of a group.
    fn term<'a>(&'a self, graph: &'a Graph, protocol: &P, group: &Group, t: usize) -> Term<'a, P> {
        let own = Width::new(group.key.width);
        let table = if group.ids.len() == 1 { graph.whole_table(group.operands[t]) } else { None };
        if let Some(table) = table {
            return Term::Public(table);
        }
        Term::Shares(self.arith(graph, protocol, own, group.operand(t)))
    }
}

/// A vector of a sum.
enum Term<'a, P: Protocol> {
    Shares(Cow<'a, P::Arith>),
    Public(&'a RingVec),
}

impl<P: Protocol> Term<'_, P> {
    /// The elements of `range`, of `len`.
    fn part(&self, protocol: &P, len: usize, range: &Range<usize>) -> Cow<'_, P::Arith> {
        match self {
            Self::Shares(x) if range.len() == len => Cow::Borrowed(x),
            Self::Shares(x) => Cow::Owned(x.slice(range.clone())),
            Self::Public(x) if range.len() == len => Cow::Owned(protocol.public(x)),
            Self::Public(x) => Cow::Owned(protocol.public(&x.slice(range.clone()))),
        }
    }
}

/// A linear combination.
fn combination<'a, P: Protocol>(
    protocol: &P,
    terms: impl Iterator<Item = (Cow<'a, P::Arith>, u64)>,
    own: Width,
) -> P::Arith
where
    P::Arith: 'a,
{
    let mut sum: Option<Cow<'_, P::Arith>> = None;
    for (x, by) in terms {
        sum = Some(match (sum, by) {
            (None, 1) => x,
            (None, by) => Cow::Owned(protocol.scale(&x, &[by])),
            (Some(sum), 1) => Cow::Owned(protocol.add(&sum, &x)),
            (Some(sum), by) if by == own.mask() => Cow::Owned(protocol.sub(&sum, &x)),
            (Some(sum), by) => Cow::Owned(protocol.add(&sum, &protocol.scale(&x, &[by]))),
        });
    }
    sum.expect("a sum has a term").into_owned()
}

impl Group {
    /// The lines that the nodes come from.
    fn origins(&self, graph: &Graph) -> Origins {
        joined(
            self.ids.iter().map(|&id| (graph.site(id).unwrap_or(Site::NOWHERE), graph.node(id).len as usize)),
        )
    }

    /// Operand `i` of each node.
    fn operand(&self, i: usize) -> impl Iterator<Item = View> {
        self.operands[i..].iter().step_by(self.key.terms as usize).copied()
    }

    /// Term by term the operands of each node.
    fn terms(&self) -> impl Iterator<Item = View> {
        (0..self.key.terms as usize).flat_map(|t| self.operand(t))
    }

    /// The lanes of the only operand of each node, one after the other: first of all nodes the first.
    fn by_lane<'v, V: ShareVec>(&self, x: Cow<'v, V>) -> Cow<'v, V> {
        let nodes = self.ids.len();
        let lanes = x.len() / nodes;
        if nodes == 1 {
            return x;
        }
        let order = (0..lanes).flat_map(|lane| (0..nodes).map(move |node| node * lanes + lane));
        Cow::Owned(x.gather(&order.collect::<Vec<_>>()))
    }

    /// The coefficients of [`Group::terms`].
    fn coefficients<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = u64> + 'a {
        let terms = self.key.terms as usize;
        (0..terms).flat_map(move |t| {
            let each = self.by[t..].iter().step_by(terms).zip(&self.ids);
            each.flat_map(|(&by, &id)| core::iter::repeat_n(by, graph.node(id).len as usize))
        })
    }
}

/// The elements of the tables that are the second operands of a group.
fn table(graph: &Graph, group: &Group) -> Vec<u64> {
    let mut values = Vec::with_capacity(group.len);
    group.operand(1).for_each(|x| graph.table_values(x, &mut values));
    values
}

/// The owner of a group of inputs and, where they are known, the values.
fn inputs<'g>(graph: &'g Graph, group: &Group) -> (Party, Option<Cow<'g, RingVec>>) {
    let (owner, first) = graph.input_values(group.ids[0]);
    if group.ids.len() == 1 {
        return (owner, first.map(Cow::Borrowed));
    }
    let all = group.ids.iter().map(|&id| graph.input_values(id).1).collect::<Option<Vec<_>>>();
    (owner, all.map(|all| Cow::Owned(RingVec::concat(&all))))
}

/// Combines the consecutive parts of `len` elements.
fn fold<V: ShareVec>(mut x: Cow<'_, V>, len: usize, combine: impl Fn(&V, &V) -> V) -> V {
    while x.len() > len {
        let parts = x.len() / len;
        let half = parts / 2 * len;
        let both = combine(&x.slice(0..half), &x.slice(half..2 * half));
        let odd = (parts % 2 == 1).then(|| x.slice(2 * half..x.len()));
        x = Cow::Owned(match odd {
            Some(odd) => V::concat(&[&both, &odd]),
            None => both,
        });
    }
    x.into_owned()
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

/// Below this number of elements the terms of sums are collected first.
const SHORT: usize = 64;

/// Sums are computed in parts that stay in the second-level cache.
const PART: usize = 1 << 13;
