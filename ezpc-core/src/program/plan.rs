//! Planning: which recorded operations to execute, in which level, in which batch.
//!
//! A level is one call of [`Protocol::together`](crate::protocol::Protocol::together): everything whose operands
//! come from earlier levels. Local operations run between levels. A vector whose operands come from different
//! levels is taken apart, so that each element is computed as early as if it had been recorded alone.

use super::graph::Graph;
use super::kind::Kind;
use super::view::{Id, NONE, View};
use std::collections::HashMap;

/// What to execute.
pub(super) enum Wanted<'a> {
    /// Everything that somebody holds.
    All,
    /// These values and what they need.
    Only(&'a [View]),
}

/// One batch: the same operation on nodes of one width.
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) ids: Vec<Id>,
    /// The elements of all nodes.
    pub(super) len: usize,
    /// The operands of each node, as many as the kind's arity or, for sums, as `terms`.
    pub(super) operands: Vec<View>,
    /// For sums: the coefficient of each operand.
    pub(super) by: Vec<u64>,
}

/// What the members of a batch have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// Number of interactive levels before it.
    pub(super) level: u32,
    /// 0 for interactive operations; local ones run in this order.
    pub(super) order: u32,
    pub(super) kind: Kind,
    pub(super) width: u32,
    /// The wiring, the owner of an input, the width of the operand, a shift, the number of lanes, of an array.
    pub(super) parameter: u64,
    /// The number of operands.
    pub(super) terms: u32,
}

/// The execution order.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) groups: Vec<Group>,
    /// Nodes that were taken apart, to be put together when their parts are computed.
    pub(super) joins: Vec<Id>,
    /// Nodes that the plan touches: computed by it, absorbed, or dead.
    pub(super) done: Vec<Id>,
}

/// Scratch columns, one entry a node.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) marks: Vec<Mark>,
}

#[derive(Clone, Copy)]
pub(super) struct Mark {
    live: bool,
    /// Not wanted now, but held by somebody or needed by what is.
    kept: bool,
    pub(super) absorbed: bool,
    uses: u32,
    user: Id,
    pub(super) level: u32,
    order: u32,
}

impl Default for Mark {
    fn default() -> Self {
        Self { live: false, kept: false, absorbed: false, uses: 0, user: NONE, level: 0, order: 0 }
    }
}

impl Graph {
    /// Takes what is wanted out of the pending operations.
    pub(super) fn plan(&mut self, wanted: &Wanted<'_>, scratch: &mut Scratch) -> Plan {
        let pending = core::mem::take(&mut self.pending);
        scratch.marks.clear();
        scratch.marks.resize(self.nodes(), Mark::default());
        let mut planner = Planner {
            graph: self,
            scratch,
            batches: HashMap::new(),
            recent: [None; RECENT],
            arrays: Vec::new(),
            plan: Plan::default(),
        };
        planner.mark(&pending, wanted);
        let mut later = Vec::new();
        for &id in &pending {
            let mark = planner.scratch.marks[id as usize];
            if mark.live {
                planner.plan.done.push(id);
                if !mark.absorbed {
                    planner.place(id);
                }
            } else if !mark.kept {
                planner.plan.done.push(id);
            } else {
                later.push(id);
            }
        }
        let mut plan = planner.plan;
        plan.groups.sort_by_key(|g| (g.key.level, g.key.order));
        self.weight = later.iter().map(|&id| self.node(id).len as usize).sum();
        self.pending = later;
        plan
    }

    /// Whether nodes are operands of operations that stay pending.
    pub(super) fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.nodes()];
        for &id in &self.pending {
            for arg in self.node(id).operands() {
                needed[arg.node as usize] = true;
            }
            needed[id as usize] = true;
        }
        needed
    }
}

pub(super) struct Planner<'a> {
    pub(super) graph: &'a mut Graph,
    pub(super) scratch: &'a mut Scratch,
    batches: HashMap<Key, usize>,
    /// The latest batch of each kind, to spare most look-ups.
    recent: [Option<(Key, usize)>; RECENT],
    /// The arrays that are read at secret indices, and the widths of these.
    arrays: Vec<(View, u32)>,
    pub(super) plan: Plan,
}

impl Planner<'_> {
    /// Marks what is live, how often it is used, and what its user absorbs.
    fn mark(&mut self, pending: &[Id], wanted: &Wanted<'_>) {
        if let Wanted::Only(views) = wanted {
            // Whoever wants it uses it.
            for &view in *views {
                self.touch(view, NONE);
            }
        }
        let all = matches!(wanted, Wanted::All);
        for &id in pending.iter().rev() {
            let mark = &mut self.scratch.marks[id as usize];
            if self.graph.counts().of(id) > 0 {
                (mark.live, mark.kept) = (mark.live || all, mark.kept || !all);
            }
            let (live, kept) = (mark.live, mark.kept);
            let node = *self.graph.node(id);
            if live {
                // A maximum may be computed without the comparison it was recorded with.
                let needs = if node.kind.extremum().is_some() { 2 } else { node.operands().len() };
                node.args[..needs].iter().for_each(|&arg| self.touch(arg, id));
            } else if kept {
                // What stays pending may need a value that looks used once.
                let marks = &mut self.scratch.marks;
                for &arg in node.operands() {
                    self.graph.resolve(arg, &mut |part| {
                        let mark = &mut marks[part.node as usize];
                        (mark.kept, mark.uses) = (true, mark.uses + 2);
                    });
                }
            }
        }
        for &id in pending {
            let mark = self.scratch.marks[id as usize];
            if mark.live && mark.uses == 1 && mark.user != NONE && self.graph.counts().of(id) == 0 {
                let (node, user) = (self.graph.node(id), self.graph.node(mark.user));
                let same = node.kind.chain().is_some_and(|c| user.kind.chain() == Some(c));
                self.scratch.marks[id as usize].absorbed = same && node.width == user.width;
            }
        }
    }

    /// Notes that `user` needs the values of a view.
    fn touch(&mut self, view: View, user: Id) {
        let (graph, marks) = (&*self.graph, &mut self.scratch.marks);
        graph.resolve(view, &mut |part| {
            if !graph.kind(part).pending() {
                return;
            }
            let whole = part == view && part == View::whole(part.node, graph.node(part.node).len);
            let mark = &mut marks[part.node as usize];
            mark.live = true;
            mark.uses += 1;
            mark.user = if whole { user } else { NONE };
        });
    }

    /// Puts one live operation where it belongs.
    fn place(&mut self, id: Id) {
        let node = *self.graph.node(id);
        match node.kind.chain() {
            Some(Kind::Add | Kind::Xor) => self.place_sum(id),
            Some(kind) if kind.extremum().is_some() => self.place_extremum(id),
            Some(_) if node.kind.folds() || self.absorbs(node.operands()) => self.place_tree(id),
            // The first operand is the same array for all lanes.
            _ if node.kind == Kind::Read => self.assign(id, node.kind, node.operands(), &[]),
            _ => self.place_parts(id, node.kind, node.operands(), &[]),
        }
    }

    fn place_extremum(&mut self, id: Id) {
        let node = *self.graph.node(id);
        let [t, f, c] = node.args;
        let mark = self.mark_of(c);
        let computed = !self.graph.kind(c).pending() || mark.live && !mark.absorbed;
        if self.absorbs(&[t, f]) {
            self.place_tree(id);
        } else if computed {
            self.place_parts(id, Kind::Mux, &[c, t, f], &[]);
        } else {
            self.place_parts(id, node.kind, &[t, f], &[]);
        }
    }

    fn absorbs(&self, operands: &[View]) -> bool {
        operands.iter().any(|arg| self.scratch.marks[arg.node as usize].absorbed)
    }

    /// The views that a chain with root `id` combines, and their coefficients.
    pub(super) fn leaves(&self, id: Id, leaves: &mut Vec<View>, by: &mut Vec<u64>) {
        let mut stack = vec![(View::whole(id, 1), 1u64)];
        let mut inner = true;
        while let Some((view, factor)) = stack.pop() {
            let node = self.graph.node(view.node);
            let args = node.args;
            if !inner && !self.scratch.marks[view.node as usize].absorbed {
                leaves.push(view);
                by.push(factor);
                continue;
            }
            inner = false;
            match node.kind {
                Kind::Sub => stack.extend([(args[1], factor.wrapping_neg()), (args[0], factor)]),
                Kind::Scale => stack.push((args[0], factor.wrapping_mul(node.param))),
                kind if kind.folds() => stack.push((args[0], factor)),
                _ => stack.extend([(args[1], factor), (args[0], factor)]),
            }
        }
    }

    fn place_sum(&mut self, id: Id) {
        let (mut leaves, mut by) = (Vec::new(), Vec::new());
        self.leaves(id, &mut leaves, &mut by);
        let kind = if self.graph.node(id).kind == Kind::Xor { Kind::Xor } else { Kind::Add };
        self.place_parts(id, kind, &leaves, &by);
    }

    /// Places an operation, in parts where the elements of its operands come from different levels.
    pub(super) fn place_parts(&mut self, id: Id, kind: Kind, operands: &[View], by: &[u64]) {
        let len = self.graph.node(id).len;
        let cuts = if len > 1 { self.cuts(operands, len) } else { Vec::new() };
        if cuts.is_empty() {
            return self.assign(id, kind, operands, by);
        }
        let mut parts = Vec::new();
        let mut from = 0;
        for to in cuts.into_iter().chain([len]) {
            let part = self.graph.part(id, kind, to - from);
            self.plan.done.push(part);
            let own: Vec<View> = operands.iter().map(|x| self.part(*x, from, to - from)).collect();
            self.assign(part, kind, &own, by);
            parts.push(View::whole(part, to - from));
            from = to;
        }
        self.graph.split(id, parts);
        self.plan.joins.push(id);
    }

    /// A slice of an operand; the planner's own nodes go when the plan has run.
    pub(super) fn part(&mut self, x: View, from: u32, len: u32) -> View {
        let slice = x.slice(from, len);
        if self.graph.kind(x).gathers() { self.gather(&[slice]) } else { slice }
    }

    /// The views as one.
    pub(super) fn gather(&mut self, parts: &[View]) -> View {
        let all = self.graph.gather(parts.iter().copied());
        if self.graph.kind(all).gathers() {
            self.plan.done.push(all.node);
        }
        all
    }

    /// Where, in `len` lanes, the latest level of the operands changes.
    fn cuts(&self, operands: &[View], len: u32) -> Vec<u32> {
        let gathered = |x: &View| self.graph.kind(*x).gathers();
        if !operands.iter().any(gathered) {
            return Vec::new();
        }
        let mut levels = vec![0; len as usize];
        for &x in operands {
            let mut from = 0;
            self.graph.resolve(x, &mut |part| {
                let level = self.mark_of(part).level;
                let to = from + part.len as usize;
                levels[from..to].iter_mut().for_each(|l| *l = level.max(*l));
                from = to;
            });
        }
        (1..len).filter(|&i| levels[i as usize] != levels[i as usize - 1]).collect()
    }

    /// The mark of the node of a view; nodes that the planner made may have none yet.
    pub(super) fn mark_of(&self, x: View) -> Mark {
        self.scratch.marks.get(x.node as usize).copied().unwrap_or_default()
    }

    /// Level, order and batch of an operation.
    pub(super) fn assign(&mut self, id: Id, kind: Kind, operands: &[View], by: &[u64]) {
        let node = *self.graph.node(id);
        if let Some((less, larger)) = kind.extremum() {
            let (a, b) = (operands[0], operands[1]);
            let c = self.graph.part(id, less, node.len);
            self.graph.narrow(c);
            self.plan.done.push(c);
            self.assign(c, less, &[a, b], &[]);
            let c = View::whole(c, node.len);
            let choice = if larger { [c, b, a] } else { [c, a, b] };
            return self.assign(id, Kind::Mux, &choice, &[]);
        }
        let (mut level, mut order) = self.after(operands);
        if kind.interactive() {
            (level, order) = (level + 1, 0);
        }
        let parameter = match kind {
            Kind::Rewire | Kind::Trunc => node.param,
            Kind::Read => self.array(operands),
            Kind::InputArith | Kind::InputBool => node.args[0].start.into(),
            Kind::SumAll | Kind::XorAll => operands[0].len.into(),
            Kind::Reduce
            | Kind::ExtendSigned
            | Kind::ExtendUnsigned
            | Kind::Msb
            | Kind::LessSigned
            | Kind::LessUnsigned
            | Kind::Equal => self.graph.width(operands[0]).into(),
            _ => 0,
        };
        let terms = super::graph::count(operands.len());
        self.insert(id, Key { level, order, kind, width: u32::from(node.width), parameter, terms });
        let group = self.recent[kind as usize % RECENT].expect("the batch was just used").1;
        let group = &mut self.plan.groups[group];
        group.ids.push(id);
        group.len += node.len as usize;
        group.operands.extend_from_slice(operands);
        if kind == Kind::Add {
            group.by.extend_from_slice(by);
        }
    }

    /// The number of the array that is read; reads of one array at indices of one width are one batch.
    fn array(&mut self, operands: &[View]) -> u64 {
        let array = (operands[0], self.graph.width(operands[1]));
        let known = self.arrays.iter().position(|&known| known == array);
        known.unwrap_or_else(|| {
            self.arrays.push(array);
            self.arrays.len() - 1
        }) as u64
    }

    /// The earliest place of a local operation on `operands`.
    fn after(&self, operands: &[View]) -> (u32, u32) {
        let mut latest = (0, 0);
        for &x in operands {
            self.graph.resolve(x, &mut |part| {
                let mark = self.mark_of(part);
                latest = latest.max((mark.level, mark.order));
            });
        }
        (latest.0, latest.1 + 1)
    }

    fn insert(&mut self, id: Id, key: Key) {
        if id as usize >= self.scratch.marks.len() {
            self.scratch.marks.resize(self.graph.nodes(), Mark::default());
        }
        let mark = &mut self.scratch.marks[id as usize];
        (mark.level, mark.order) = (key.level, key.order);
        let recent = &mut self.recent[key.kind as usize % RECENT];
        let group = match *recent {
            Some((last, group)) if last == key => group,
            _ => {
                let groups = &mut self.plan.groups;
                *self.batches.entry(key).or_insert_with(|| {
                    groups.push(Group { key, ids: Vec::new(), len: 0, operands: Vec::new(), by: Vec::new() });
                    groups.len() - 1
                })
            }
        };
        *recent = Some((key, group));
    }
}

const RECENT: usize = 64;
