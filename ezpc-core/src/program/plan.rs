//! Planning: which recorded operations to execute, in which level, in which batch.
//!
//! A level is one call of [`Protocol::together`](crate::protocol::Protocol::together): everything whose operands
//! come from earlier levels. Local operations run between levels. Chains of one associative operation whose
//! intermediate results nobody holds become one sum or a balanced tree.

use super::graph::{Graph, Kind, words};
use super::shared::Id;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// What to execute.
pub(super) enum Wanted<'a> {
    /// Everything that somebody holds.
    All,
    /// These slots and what they need.
    Only(&'a [Id]),
}

/// One batch: the same operation on slots of one width.
pub(super) struct Group {
    pub(super) key: Key,
    pub(super) ids: Vec<Id>,
    /// For sums: where the terms of each start.
    pub(super) starts: Vec<u32>,
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
    /// A parameter: the wiring, the owner of an input, the width of the operand, the number of terms.
    pub(super) parameter: u32,
}

/// The execution order, and the terms of sums.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) groups: Vec<Group>,
    /// Slot and coefficient of the terms of sums (kinds `Add` and `Xor`).
    pub(super) terms: Vec<(Id, u64)>,
    /// Slots that the plan touches: computed by it, absorbed, or dead.
    pub(super) done: Vec<Id>,
}

/// Scratch columns, one entry a slot.
#[derive(Default)]
pub(super) struct Scratch {
    marks: Vec<Mark>,
}

#[derive(Clone, Copy, Default)]
struct Mark {
    live: bool,
    absorbed: bool,
    uses: u32,
    user: Id,
    level: u32,
    order: u32,
}

impl Graph {
    /// Takes what is wanted out of the pending operations.
    pub(super) fn plan(&mut self, wanted: &Wanted<'_>, scratch: &mut Scratch) -> Plan {
        let pending = core::mem::take(&mut self.pending);
        scratch.marks.resize(self.slots(), Mark::default());
        let mut planner = Planner {
            graph: self,
            scratch,
            batches: HashMap::new(),
            recent: [None; RECENT],
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
            } else if matches!(wanted, Wanted::All) {
                planner.plan.done.push(id);
            } else {
                later.push(id);
            }
        }
        let mut plan = planner.plan;
        plan.groups.sort_by_key(|g| (g.key.level, g.key.order));
        for &id in pending.iter().chain(&plan.done) {
            scratch.marks[id as usize] = Mark::default();
        }
        self.pending = later;
        plan
    }

    /// Whether slots are operands of operations that stay pending.
    pub(super) fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.slots()];
        for &id in &self.pending {
            let node = self.node(id);
            for &arg in &node.args[..node.kind.arity()] {
                needed[arg as usize] = true;
            }
            needed[id as usize] = true;
        }
        needed
    }
}

struct Planner<'a> {
    graph: &'a mut Graph,
    scratch: &'a mut Scratch,
    batches: HashMap<Key, usize>,
    /// The latest batch of each kind, to spare most look-ups.
    recent: [Option<(Key, usize)>; RECENT],
    plan: Plan,
}

impl Planner<'_> {
    /// Marks what is live, how often it is used, and what its user absorbs.
    fn mark(&mut self, pending: &[Id], wanted: &Wanted<'_>) {
        if let Wanted::Only(ids) = wanted {
            for &id in *ids {
                self.scratch.marks[id as usize].live = true;
            }
        }
        for &id in pending.iter().rev() {
            if matches!(wanted, Wanted::All) && self.graph.counts().of(id) > 0 {
                self.scratch.marks[id as usize].live = true;
            }
            if !self.scratch.marks[id as usize].live {
                continue;
            }
            let node = *self.graph.node(id);
            for &arg in &node.args[..node.kind.arity()] {
                let mark = &mut self.scratch.marks[arg as usize];
                mark.live = true;
                mark.uses += 1;
                mark.user = id;
            }
        }
        if let Wanted::Only(ids) = wanted {
            // Operations that stay pending may need a slot that looks used once.
            for &id in pending {
                if !self.scratch.marks[id as usize].live {
                    let node = *self.graph.node(id);
                    for &arg in &node.args[..node.kind.arity()] {
                        self.scratch.marks[arg as usize].uses += 1;
                    }
                }
            }
            for &id in *ids {
                self.scratch.marks[id as usize].uses += 1;
            }
        }
        for &id in pending {
            let mark = self.scratch.marks[id as usize];
            if mark.live && mark.uses == 1 && self.graph.counts().of(id) == 0 {
                let (kind, user) = (self.graph.kind(id), *self.graph.node(mark.user));
                let same = chain(kind).is_some_and(|c| chain(user.kind) == Some(c));
                self.scratch.marks[id as usize].absorbed =
                    same && self.graph.width(id) == u32::from(user.width);
            }
        }
        // Computed and public slots are not pending: nobody else resets their marks.
        let mut reset = |id: Id| {
            if matches!(self.graph.kind(id), Kind::DoneArith | Kind::DoneBool | Kind::Const) {
                self.scratch.marks[id as usize] = Mark::default();
            }
        };
        for &id in pending {
            let node = *self.graph.node(id);
            node.args[..node.kind.arity()].iter().for_each(|&arg| reset(arg));
        }
        if let Wanted::Only(ids) = wanted {
            ids.iter().for_each(|&id| reset(id));
        }
    }

    /// Puts one live operation where it belongs.
    fn place(&mut self, id: Id) {
        let node = *self.graph.node(id);
        match node.kind {
            Kind::Add | Kind::Sub | Kind::Scale | Kind::Xor => self.place_sum(id),
            Kind::Mul | Kind::And | Kind::Or | Kind::AddBool => self.place_tree(id),
            _ => self.assign(id),
        }
    }

    /// The slots that a chain with root `id` combines.
    fn leaves(&self, id: Id, leaves: &mut Vec<(Id, u64)>) {
        let mut stack = vec![(id, 1u64)];
        let mut inner = true;
        while let Some((id, by)) = stack.pop() {
            let node = self.graph.node(id);
            let args = node.args;
            inner = inner || self.scratch.marks[id as usize].absorbed;
            match node.kind {
                _ if !inner => leaves.push((id, by)),
                Kind::Sub => stack.extend([(args[1], by.wrapping_neg()), (args[0], by)]),
                Kind::Scale => stack.push((args[0], by.wrapping_mul(words(args[1], args[2])))),
                Kind::Add | Kind::Xor | Kind::Mul | Kind::And | Kind::Or | Kind::AddBool => {
                    stack.extend([(args[1], by), (args[0], by)]);
                }
                _ => leaves.push((id, by)),
            }
            inner = false;
        }
    }

    fn place_sum(&mut self, id: Id) {
        let start = self.plan.terms.len();
        let mut terms = core::mem::take(&mut self.plan.terms);
        self.leaves(id, &mut terms);
        self.plan.terms = terms;
        let count = u32::try_from(self.plan.terms.len() - start).expect("a sum has fewer terms than slots");
        let (level, order) = self.after((start..self.plan.terms.len()).map(|i| self.plan.terms[i].0));
        let kind = if self.graph.kind(id) == Kind::Xor { Kind::Xor } else { Kind::Add };
        self.insert(id, Key { level, order, kind, width: self.graph.width(id), parameter: count });
        let group = self.recent[kind as usize % RECENT].expect("the batch was just used").1;
        self.plan.groups[group].starts.push(u32::try_from(start).expect("fewer terms than slots"));
    }

    /// Combines the two leaves that are ready first, again and again.
    fn place_tree(&mut self, id: Id) {
        let node = *self.graph.node(id);
        if !node.args[..2].iter().any(|&a| self.scratch.marks[a as usize].absorbed) {
            return self.assign(id);
        }
        let mut leaves = Vec::new();
        self.leaves(id, &mut leaves);
        let mut ready: BinaryHeap<Reverse<(u32, usize, Id)>> = leaves
            .iter()
            .enumerate()
            .map(|(i, &(leaf, _))| Reverse((self.scratch.marks[leaf as usize].level, i, leaf)))
            .collect();
        let mut next = leaves.len();
        while let (Some(Reverse((_, _, a))), Some(Reverse((_, _, b)))) = (ready.pop(), ready.pop()) {
            if ready.is_empty() {
                self.graph.rewrite(id, [a, b]);
                return self.assign(id);
            }
            let made = self.graph.push(node.kind, u32::from(node.width), [a, b, 0]);
            self.graph.pending.pop();
            self.scratch.marks.resize(self.graph.slots(), Mark::default());
            self.plan.done.push(made);
            self.assign(made);
            ready.push(Reverse((self.scratch.marks[made as usize].level, next, made)));
            next += 1;
        }
    }

    /// Level, order and batch of an operation whose operands are slots.
    fn assign(&mut self, id: Id) {
        let node = *self.graph.node(id);
        let args = node.args;
        let (mut level, mut order) = self.after(args[..node.kind.arity()].iter().copied());
        if node.kind.interactive() {
            (level, order) = (level + 1, 0);
        }
        let parameter = match node.kind {
            Kind::Rewire | Kind::Trunc => args[1],
            Kind::InputArith | Kind::InputBool => args[0] & 1,
            Kind::Reduce | Kind::ExtendSigned | Kind::ExtendUnsigned => self.graph.width(args[0]),
            Kind::Msb | Kind::LessSigned | Kind::LessUnsigned | Kind::Equal => self.graph.width(args[0]),
            _ => 0,
        };
        self.insert(id, Key { level, order, kind: node.kind, width: u32::from(node.width), parameter });
    }

    /// The earliest place of a local operation on `args`.
    fn after(&self, args: impl Iterator<Item = Id>) -> (u32, u32) {
        let latest = args.map(|a| {
            let mark = &self.scratch.marks[a as usize];
            (mark.level, mark.order)
        });
        let (level, order) = latest.max().unwrap_or((0, 0));
        (level, order + 1)
    }

    fn insert(&mut self, id: Id, key: Key) {
        let mark = &mut self.scratch.marks[id as usize];
        (mark.level, mark.order) = (key.level, key.order);
        let recent = &mut self.recent[key.kind as usize % RECENT];
        let group = match *recent {
            Some((last, group)) if last == key => group,
            _ => {
                let groups = &mut self.plan.groups;
                *self.batches.entry(key).or_insert_with(|| {
                    groups.push(Group { key, ids: Vec::new(), starts: Vec::new() });
                    groups.len() - 1
                })
            }
        };
        *recent = Some((key, group));
        self.plan.groups[group].ids.push(id);
    }
}

/// The associative operations: linear combinations, and products of each kind.
fn chain(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::Add | Kind::Sub | Kind::Scale => Some(Kind::Add),
        Kind::Xor | Kind::Mul | Kind::And | Kind::Or | Kind::AddBool => Some(kind),
        _ => None,
    }
}

const RECENT: usize = 64;
