//! Operands: the elements of views collected into one share vector.

use super::execute::Store;
use super::graph::Graph;
use super::kind::Kind;
use super::view::View;
use crate::protocol::{Protocol, ShareVec, Val};
use crate::ring::{BitPlanes, RingVec, Width};
use std::borrow::Cow;

/// Elements `start`, `start + stride`, … of a batch, or of the public values.
#[derive(Clone, Copy)]
struct Run {
    batch: u32,
    start: u32,
    stride: u32,
    len: u32,
}

/// The source of public values.
const PUBLIC: u32 = u32::MAX;

#[derive(Default)]
struct Runs {
    runs: Vec<Run>,
    public: Vec<u64>,
    len: usize,
}

impl Runs {
    fn of(graph: &Graph, views: impl Iterator<Item = View>) -> Self {
        let mut runs = Self::default();
        for view in views {
            runs.add(graph, view);
        }
        runs
    }

    #[allow(clippy::cast_possible_truncation, reason = "a batch has fewer than 2^32 elements")]
    fn add(&mut self, graph: &Graph, view: View) {
        let View { node, start, stride, len } = view;
        match graph.node(node).kind {
            Kind::DoneArith | Kind::DoneBool => {
                let place = graph.place(node);
                let start = place.offset.wrapping_add(start);
                self.push(Run { batch: place.batch, start, stride, len });
            }
            Kind::Const | Kind::Table => {
                let start = self.public.len() as u32;
                match graph.constant_value(view) {
                    Some(value) => self.public.extend(core::iter::repeat_n(value, len as usize)),
                    None => graph.table_values(view, &mut self.public),
                }
                self.push(Run { batch: PUBLIC, start, stride: u32::from(len > 1), len });
            }
            kind if kind.gathers() => graph.resolve(view, &mut |part| self.add(graph, part)),
            kind => unreachable!("{kind:?} is not computed yet"),
        }
    }

    fn push(&mut self, next: Run) {
        self.len += next.len as usize;
        if let Some(last) = self.runs.last_mut()
            && last.batch == next.batch
        {
            let end = last.start.wrapping_add(last.stride.wrapping_mul(last.len - 1));
            let step = next.start.wrapping_sub(end);
            if (last.len == 1 || last.stride == step) && (next.len == 1 || next.stride == step) {
                (last.stride, last.len) = (step, last.len + next.len);
                return;
            }
        }
        self.runs.push(next);
    }
}

impl Run {
    fn indices(self) -> impl Iterator<Item = usize> {
        (0..self.len).map(move |i| self.start.wrapping_add(self.stride.wrapping_mul(i)) as usize)
    }

    fn take<V: ShareVec>(self, from: &V) -> Cow<'_, V> {
        let (start, len) = (self.start as usize, self.len as usize);
        if self.stride != 1 && len > 1 {
            return Cow::Owned(from.gather(&self.indices().collect::<Vec<_>>()));
        }
        if len == from.len() { Cow::Borrowed(from) } else { Cow::Owned(from.slice(start..start + len)) }
    }
}

impl<P: Protocol> Store<P> {
    /// The arithmetic shares of views, in order.
    pub(super) fn arith(
        &self,
        graph: &Graph,
        protocol: &P,
        width: Width,
        mut views: impl Iterator<Item = View>,
    ) -> Cow<'_, P::Arith> {
        let (first, second) = (views.next(), views.next());
        if let (Some(table), None) = (first.and_then(|x| graph.whole_table(x)), second) {
            return Cow::Owned(protocol.public(table));
        }
        let views = first.into_iter().chain(second).chain(views);
        let public = |lanes: Vec<u64>| protocol.public(&RingVec::new(width, lanes));
        self.collect(Runs::of(graph, views), public, |value| match value {
            Val::Arith(x) => x,
            Val::Bool(_) => unreachable!("the recorder converts operands"),
        })
    }

    /// The Boolean words of views, in order.
    pub(super) fn boolean(
        &self,
        graph: &Graph,
        protocol: &P,
        width: Width,
        views: impl Iterator<Item = View>,
    ) -> Cow<'_, P::Bool> {
        let public = |lanes: Vec<u64>| protocol.public_bool(&BitPlanes::from_lanes(width.bits(), &lanes));
        self.collect(Runs::of(graph, views), public, |value| match value {
            Val::Bool(x) => x,
            Val::Arith(_) => unreachable!("the recorder converts operands"),
        })
    }

    fn collect<V: ShareVec>(
        &self,
        all: Runs,
        public: impl Fn(Vec<u64>) -> V,
        vector: impl Fn(&Val<P::Arith, P::Bool>) -> &V,
    ) -> Cow<'_, V> {
        let Runs { runs, public: values, len } = all;
        let own = (!values.is_empty() || runs.is_empty()).then(|| public(values));
        match runs[..] {
            // Public values are collected in their order.
            [] | [Run { batch: PUBLIC, .. }] => return Cow::Owned(own.expect("made for these")),
            [only] => return only.take(vector(self.value(only.batch))),
            _ => {}
        }
        let source = |batch: u32| match &own {
            Some(own) if batch == PUBLIC => own,
            _ => vector(self.value(batch)),
        };
        // Few long runs are joined; many short ones are picked, source by source, and put in order.
        if runs.len() * LONG <= len {
            let parts: Vec<Cow<'_, V>> = runs.iter().map(|run| run.take(source(run.batch))).collect();
            return Cow::Owned(V::concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()));
        }
        let mut batches: Vec<u32> = runs.iter().map(|run| run.batch).collect();
        batches.sort_unstable();
        batches.dedup();
        let at = |batch: u32| batches.partition_point(|&b| b < batch);
        let mut indices: Vec<Vec<usize>> = vec![Vec::new(); batches.len()];
        for run in &runs {
            indices[at(run.batch)].extend(run.indices());
        }
        let parts: Vec<V> = batches.iter().zip(&indices).map(|(&b, i)| source(b).gather(i)).collect();
        let [_, _, ..] = parts[..] else {
            return Cow::Owned(parts.into_iter().next().expect("one source"));
        };
        let all = V::concat(&parts.iter().collect::<Vec<_>>());
        let mut next: Vec<usize> = parts
            .iter()
            .scan(0, |start, part| {
                *start += part.len();
                Some(*start - part.len())
            })
            .collect();
        let mut order = Vec::with_capacity(len);
        for run in &runs {
            let next = &mut next[at(run.batch)];
            order.extend(*next..*next + run.len as usize);
            *next += run.len as usize;
        }
        Cow::Owned(all.gather(&order))
    }
}

/// The average length from which on runs are copied one by one.
const LONG: usize = 8;
