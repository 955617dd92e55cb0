//! Gathered views: elements of several nodes as one.

use super::graph::Graph;
use super::kind::{Domain, Kind};
use super::view::{Id, NONE, Slot, View};

impl Graph {
    /// The views one after the other as one view. All have one width.
    pub(super) fn gather(&mut self, parts: impl IntoIterator<Item = View>) -> View {
        let mut all = Gathered::default();
        for part in parts {
            self.resolve(part, &mut |view| all.push(view));
        }
        if all.rest.is_empty() {
            return all.last.expect("at least one part");
        }
        all.rest.extend(all.last);
        self.gather_parts(all.rest)
    }

    fn gather_parts(&mut self, parts: Vec<View>) -> View {
        let (kind, width, len) = self.gathered(&parts);
        parts.iter().for_each(|part| self.counts().retain(part.node));
        let param = self.gathers.put(parts.into());
        self.source(kind, width, len, [View::NONE; 3], param)
    }

    fn gathered(&self, parts: &[View]) -> (Kind, u32, u32) {
        let mut kind = None;
        let mut len = 0;
        for part in parts {
            len += part.len;
            let own = match self.kind(*part) {
                Kind::Const | Kind::Table => continue,
                other => match other.domain() {
                    Domain::Arith => Kind::GatherArith,
                    Domain::Bool => Kind::GatherBool,
                    Domain::Either => Kind::Gather,
                },
            };
            kind = if kind.is_none_or(|k| k == own) { Some(own) } else { Some(Kind::Gather) };
        }
        (kind.unwrap_or(Kind::Gather), self.width(parts[0]), len)
    }

    /// Makes a pending node the views that compute its parts.
    pub(super) fn split(&mut self, id: Id, parts: Vec<View>) {
        let (kind, ..) = self.gathered(&parts);
        parts.iter().for_each(|part| self.counts().retain(part.node));
        let param = self.gathers.put(parts.into());
        let node = self.node_mut(id);
        (node.kind, node.param, node.args) = (kind, param, [View::NONE; 3]);
    }

    /// Hands the views of nodes that are not gathered themselves to `each`, in order.
    pub(super) fn resolve(&self, x: View, each: &mut dyn FnMut(View)) {
        let node = self.node(x.node);
        if !node.kind.gathers() {
            return each(x);
        }
        let parts = self.gathers.get(node.param);
        if x == View::whole(x.node, node.len) {
            return parts.iter().for_each(|&part| self.resolve(part, each));
        }
        let mut ends = Vec::with_capacity(parts.len());
        let mut end = 0;
        for part in parts.iter() {
            end += part.len;
            ends.push(end);
        }
        let mut i = 0;
        while i < x.len {
            let index = x.at(i).index;
            let part = ends.partition_point(|&end| end <= index);
            let first = ends[part] - parts[part].len;
            // As many of the following as lie in the same part.
            let mut len = 1;
            while i + len < x.len && (first..ends[part]).contains(&x.at(i + len).index) {
                len += 1;
            }
            let inner = View { node: NONE, start: index - first, ..x.slice(i, len) };
            self.resolve(parts[part].compose(inner), each);
            i += len;
        }
    }

    /// The element of each slot as one view.
    pub(super) fn collect_slots(&mut self, slots: impl Iterator<Item = Slot>) -> View {
        let mut all = Gathered::default();
        slots.for_each(|slot| all.push(View::element(slot)));
        match (all.rest.is_empty(), all.last) {
            (true, last) => last.expect("at least one slot"),
            _ => {
                all.rest.extend(all.last);
                self.gather_parts(all.rest)
            }
        }
    }
}

/// Views joined where they continue each other.
#[derive(Default)]
struct Gathered {
    rest: Vec<View>,
    last: Option<View>,
}

impl Gathered {
    fn push(&mut self, next: View) {
        self.last = match self.last {
            None => Some(next),
            Some(last) => last.joined(next).or_else(|| {
                self.rest.push(last);
                Some(next)
            }),
        };
    }
}
