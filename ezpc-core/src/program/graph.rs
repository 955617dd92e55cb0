//! The dataflow graph: nodes are vectors, operands are views of nodes. In columns, so that recording an operation
//! allocates nothing.

use super::kind::{Domain, Kind};
use super::shared::Counts;
use super::slab::{Slab, Values};
use super::view::{Id, NONE, View};
use crate::party::Party;
use crate::protocol::Site;
use crate::ring::{RingVec, Width};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// One node. `args` holds as many operands as the kind's arity, `param` what else the operation is told: the value of a
/// constant, a factor, a shift, the names of a wiring, of a table, of a list of views.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) width: u8,
    pub(super) len: u32,
    pub(super) args: [View; 3],
    pub(super) param: u64,
}

impl Node {
    pub(super) fn operands(&self) -> &[View] {
        &self.args[..self.kind.arity()]
    }
}

/// Where the values of a computed node are.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) batch: u32,
    pub(super) offset: u32,
}

/// The graph of recorded operations.
pub(super) struct Graph {
    nodes: Vec<Node>,
    places: Vec<Place>,
    pub(super) twins: super::twin::Twins,
    sites: Vec<Option<&'static Site>>,
    free: Vec<Id>,
    /// Recorded and not yet computed, in recording order, which is topological.
    pub(super) pending: Vec<Id>,
    /// The number of elements that are pending.
    pub(super) weight: usize,
    patterns: Vec<Rc<[i8]>>,
    pattern_ids: HashMap<Rc<[i8]>, u32>,
    values: Slab<Values>,
    pub(super) gathers: Slab<Rc<[View]>>,
    /// The latest public values by a hash of them.
    recent: Vec<Id>,
    /// The latest tables.
    tables: VecDeque<Id>,
    cons: super::cons::Cons,
    counts: Rc<Counts>,
    /// Where in the program's text what follows is.
    pub(super) site: Option<&'static Site>,
}

impl Graph {
    pub(super) fn new(counts: Rc<Counts>) -> Self {
        Self {
            nodes: Vec::new(),
            places: Vec::new(),
            twins: super::twin::Twins::default(),
            sites: Vec::new(),
            free: Vec::new(),
            pending: Vec::new(),
            weight: 0,
            patterns: Vec::new(),
            pattern_ids: HashMap::new(),
            values: Slab::default(),
            gathers: Slab::default(),
            recent: vec![NONE; RECENT],
            tables: VecDeque::new(),
            cons: super::cons::Cons::default(),
            counts,
            site: None,
        }
    }

    pub(super) fn counts(&self) -> &Rc<Counts> {
        &self.counts
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) fn kind(&self, x: View) -> Kind {
        self.nodes[x.node as usize].kind
    }

    pub(super) fn width(&self, x: View) -> u32 {
        u32::from(self.nodes[x.node as usize].width)
    }

    pub(super) fn place(&self, id: Id) -> Place {
        self.places[id as usize]
    }

    pub(super) fn site(&self, id: Id) -> Option<Site> {
        self.sites[id as usize].copied()
    }

    pub(super) fn pattern(&self, id: u64) -> Rc<[i8]> {
        Rc::clone(&self.patterns[at(id)])
    }

    // ---- recording ---------------------------------------------------------------------------------------

    /// Records an element-wise operation: operands of one element are repeated. The same operation on the same
    /// operands is recorded once.
    pub(super) fn push(&mut self, kind: Kind, width: u32, operands: &[View], param: u64) -> View {
        let len = operands.iter().map(|x| x.len).max().unwrap_or(1);
        if len > 1 && operands.iter().all(|x| x.is_one()) {
            let firsts = [0, 1, 2].map(|i| operands.get(i).map_or(View::NONE, |x| x.first()));
            return self.push(kind, width, &firsts[..operands.len()], param).spread(len);
        }
        let mut args = [View::NONE; 3];
        for (arg, x) in args.iter_mut().zip(operands) {
            *arg = x.spread(len);
        }
        if kind.commutes() && args[1] < args[0] {
            args.swap(0, 1);
        }
        self.append(kind, width, len, args, param)
    }

    /// Records an operation.
    #[allow(clippy::cast_possible_truncation, reason = "widths are at most 64")]
    pub(super) fn append(&mut self, kind: Kind, width: u32, len: u32, args: [View; 3], param: u64) -> View {
        let node = Node { kind, width: width as u8, len, args, param };
        let entry = match self.cons.find(&node, &self.nodes) {
            Ok(id) => return View::whole(id, len),
            Err(entry) => entry,
        };
        let id = self.insert(node);
        self.cons.enter(entry, id, &self.nodes, &self.pending);
        self.pending.push(id);
        self.weight += len as usize;
        View::whole(id, len)
    }

    /// A node that is not computed by itself: a public value, an input, a pick; or one that the caller takes care of.
    pub(super) fn insert(&mut self, node: Node) -> Id {
        let site = if node.kind.pending() { self.site } else { None };
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            self.sites[id as usize] = site;
            return id;
        }
        let id = u32::try_from(self.nodes.len())
            .ok()
            .filter(|&id| id < LARGEST)
            .expect("a program holds fewer than 2^31 values at a time");
        self.nodes.push(node);
        self.places.push(Place::default());
        self.twins.grow();
        self.sites.push(site);
        self.counts.grow();
        id
    }

    #[allow(clippy::cast_possible_truncation, reason = "widths are at most 64")]
    pub(super) fn source(&mut self, kind: Kind, width: u32, len: u32, args: [View; 3], param: u64) -> View {
        let id = self.insert(Node { kind, width: width as u8, len, args, param });
        if kind.gathers() || kind == Kind::Pick {
            // An operation may be all that ever uses it.
            self.counts.put_back(vec![id]);
        }
        View::whole(id, len)
    }

    /// A node for arithmetic values that are stored at once.
    pub(super) fn reserve(&mut self, width: u32, len: u32) -> View {
        self.source(Kind::DoneArith, width, len, [View::NONE; 3], 0)
    }

    /// A part of `of`, computed as it would be, that the planner takes care of.
    pub(super) fn part(&mut self, of: Id, kind: Kind, len: u32) -> Id {
        let site = self.sites[of as usize];
        let node = Node { kind, len, args: [View::NONE; 3], ..*self.node(of) };
        let id = self.insert(node);
        self.sites[id as usize] = site;
        id
    }

    /// Makes a new node one of bits.
    pub(super) fn narrow(&mut self, id: Id) {
        self.nodes[id as usize].width = 1;
    }

    // ---- public values and inputs ------------------------------------------------------------------------

    /// A public value.
    pub(super) fn constant(&mut self, width: u32, value: u64) -> View {
        let value = value & (u64::MAX >> (64 - width));
        let hash = (value.rotate_left(6) ^ u64::from(width)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let entry = at(hash % RECENT as u64);
        let known = self.recent[entry];
        if known != NONE {
            let view = View::whole(known, 1);
            if self.width(view) == width && self.constant_value(view) == Some(value) {
                return view;
            }
        }
        let view = self.source(Kind::Const, width, 1, [View::NONE; 3], value);
        self.counts.retain(view.node);
        if known != NONE {
            self.counts.release(known);
        }
        self.recent[entry] = view.node;
        view
    }

    /// The value of a view that is one public value.
    pub(super) fn constant_value(&self, x: View) -> Option<u64> {
        let node = self.node(x.node);
        match node.kind {
            Kind::Const => Some(node.param),
            Kind::Table if x.is_one() => Some(self.known(node)?.lanes()[x.start as usize]),
            _ => None,
        }
    }

    /// Public values.
    pub(super) fn table(&mut self, width: u32, values: Vec<u64>) -> View {
        let len = count(values.len());
        if let [value] = values[..] {
            return self.constant(width, value);
        }
        // Loops over the same numbers are common: equal tables are one, so that operations on them are.
        for &known in &self.tables {
            let view = View::whole(known, len);
            let node = self.node(known);
            if node.len == len
                && self.width(view) == width
                && self.known(node).is_some_and(|known| known.lanes() == values)
            {
                return view;
            }
        }
        let param = self.values.put(Some(Rc::new(RingVec::new(Width::new(width), values))));
        let view = self.source(Kind::Table, width, len, [View::NONE; 3], param);
        self.counts.retain(view.node);
        if self.tables.len() == TABLES
            && let Some(oldest) = self.tables.pop_front()
        {
            self.counts.release(oldest);
        }
        self.tables.push_back(view.node);
        view
    }

    /// Appends the values of a view of a public table.
    pub(super) fn table_values(&self, x: View, to: &mut Vec<u64>) {
        let values = self.known(self.node(x.node)).expect("a table has values").lanes();
        if x.stride == 1 {
            to.extend_from_slice(&values[x.start as usize..][..x.len as usize]);
        } else {
            to.extend(x.slots().map(|slot| values[slot.index as usize]));
        }
    }

    /// The table that a view is all of.
    pub(super) fn whole_table(&self, x: View) -> Option<&RingVec> {
        let node = self.node(x.node);
        let whole = node.kind == Kind::Table && x == View::whole(x.node, node.len);
        if whole { self.known(node) } else { None }
    }

    fn known(&self, node: &Node) -> Option<&RingVec> {
        self.values.get(node.param).as_deref()
    }

    /// `len` private values of `owner`, known here or not.
    pub(super) fn input(&mut self, owner: Party, width: u32, len: usize, values: Option<Vec<u64>>) -> View {
        let values = values.map(|v| Rc::new(RingVec::new(Width::new(width), v)));
        let param = self.values.put(values);
        let owner = View { start: u32::from(owner == Party::Client), ..View::NONE };
        self.source(Kind::Input, width, count(len), [owner, View::NONE, View::NONE], param)
    }

    /// An input node's owner, and its values where they are known.
    pub(super) fn input_values(&self, id: Id) -> (Party, Option<&RingVec>) {
        let node = self.node(id);
        (Party::BOTH[node.args[0].start as usize], self.known(node))
    }

    /// Records that a whole input is shared in a domain.
    pub(super) fn share_input(&mut self, id: Id, kind: Kind) -> View {
        let node = *self.node(id);
        let param = self.values.put(self.values.get(node.param).clone());
        let node = Node { kind, param, ..node };
        let id = self.insert(node);
        self.pending.push(id);
        self.weight += node.len as usize;
        View::whole(id, node.len)
    }

    /// Whose input an element is, and its value where it is known.
    pub(super) fn private(&self, x: View) -> Option<(Party, Option<u64>)> {
        if self.kind(x) != Kind::Input {
            return None;
        }
        let (owner, values) = self.input_values(x.node);
        Some((owner, values.map(|v| v.lanes()[x.start as usize])))
    }

    /// `c ? t : f` of public values.
    pub(super) fn pick(&mut self, width: u32, c: View, t: View, f: View) -> View {
        for arg in [c, t, f] {
            self.counts.retain(arg.node);
        }
        self.source(Kind::Pick, width, c.len, [c, t.first(), f.first()], 0)
    }

    /// The interned name of a wiring: each plane of the result is a plane of the operand or zeros ([`ZERO`]).
    pub(super) fn intern(&mut self, pattern: &[i8]) -> u64 {
        if let Some(&id) = self.pattern_ids.get(pattern) {
            return u64::from(id);
        }
        let id = count(self.patterns.len());
        let shared: Rc<[i8]> = pattern.into();
        self.patterns.push(Rc::clone(&shared));
        self.pattern_ids.insert(shared, id);
        u64::from(id)
    }

    // ---- life --------------------------------------------------------------------------------------------

    /// Ends a window of recording: nodes may be freed from here on.
    pub(super) fn forget(&mut self) {
        self.cons.clear();
    }

    /// Notes that a node is computed and where its values are.
    pub(super) fn settle(&mut self, id: Id, place: Place) {
        self.drop_parts(id);
        let node = &mut self.nodes[id as usize];
        node.kind = if node.kind.domain() == Domain::Bool { Kind::DoneBool } else { Kind::DoneArith };
        (node.args, node.param) = ([View::NONE; 3], 0);
        self.places[id as usize] = place;
    }

    /// Releases what a node owns besides its operands.
    fn drop_parts(&mut self, id: Id) {
        let node = *self.node(id);
        match node.kind {
            Kind::Table | Kind::Input | Kind::InputArith | Kind::InputBool => self.values.take(node.param),
            kind if kind.gathers() => {
                let parts = self.gathers.get(node.param).clone();
                parts.iter().for_each(|part| self.counts.release(part.node));
                self.gathers.take(node.param);
            }
            Kind::Pick => node.args.iter().for_each(|arg| self.counts.release(arg.node)),
            _ => {}
        }
    }

    /// Frees a node that nothing refers to; gives the place of its values when it had one.
    pub(super) fn free(&mut self, id: Id) -> Option<Place> {
        let kind = self.node(id).kind;
        if kind == Kind::Free {
            return None;
        }
        for twin in self.twins.remove(id) {
            self.counts.release(twin);
        }
        self.drop_parts(id);
        self.nodes[id as usize] =
            Node { kind: Kind::Free, width: 1, len: 1, args: [View::NONE; 3], param: 0 };
        self.free.push(id);
        matches!(kind, Kind::DoneArith | Kind::DoneBool).then(|| self.places[id as usize])
    }
}

#[allow(clippy::cast_possible_truncation, reason = "names and hashes are below the length of a vector")]
pub(super) fn at(id: u64) -> usize {
    id as usize
}

/// A number of elements.
pub(super) fn count(len: usize) -> u32 {
    u32::try_from(len).expect("vectors of programs have fewer than 2^32 elements")
}

/// In a wiring: a plane of zeros.
pub(super) const ZERO: i8 = -1;

/// Names of nodes leave a bit for other uses.
pub(super) const LARGEST: Id = 1 << 31;

const RECENT: usize = 64;

const TABLES: usize = 16;
