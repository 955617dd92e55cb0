//! The dataflow graph: one slot per element, in columns, so that recording an operation allocates nothing.

use super::shared::{Counts, Id};
use crate::party::Party;
use std::collections::HashMap;
use std::rc::Rc;

/// What a slot is or will be computed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Unused.
    Free,
    /// Computed, arithmetic or Boolean shares in the store.
    DoneArith,
    DoneBool,
    /// A public value; usable in both domains.
    Const,
    /// A private value not shared yet: shared in the domains that are asked for.
    Input,
    /// `c ? t : f` with public t and f: converted cheaply to both domains.
    Pick,
    // Arithmetic, local.
    Add,
    Sub,
    Scale,
    Reduce,
    // Arithmetic, interactive.
    InputArith,
    Mul,
    BitToArith,
    B2a,
    Select,
    Mux,
    ExtendSigned,
    ExtendUnsigned,
    /// The floor of a division by 2^s.
    Trunc,
    // Boolean, local.
    Xor,
    Rewire,
    AndConst,
    // Boolean, interactive.
    InputBool,
    And,
    Or,
    AddBool,
    MuxBool,
    A2b,
    Msb,
    LessSigned,
    LessUnsigned,
    Equal,
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Domain {
    /// In both, or wherever it is asked for.
    Either,
    Arith,
    Bool,
}

impl Kind {
    pub(super) fn domain(self) -> Domain {
        match self {
            Self::Const | Self::Input | Self::Pick | Self::Free => Domain::Either,
            Self::DoneArith
            | Self::Add
            | Self::Sub
            | Self::Scale
            | Self::Reduce
            | Self::InputArith
            | Self::Mul
            | Self::BitToArith
            | Self::B2a
            | Self::Select
            | Self::Mux
            | Self::ExtendSigned
            | Self::ExtendUnsigned
            | Self::Trunc => Domain::Arith,
            _ => Domain::Bool,
        }
    }

    /// Whether the operation talks to the peer.
    pub(super) fn interactive(self) -> bool {
        !matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Scale
                | Self::Reduce
                | Self::Xor
                | Self::Rewire
                | Self::AndConst
                | Self::InputArith
                | Self::InputBool
        )
    }

    /// How many of a node's arguments are slots.
    pub(super) fn arity(self) -> usize {
        match self {
            Self::Free
            | Self::DoneArith
            | Self::DoneBool
            | Self::Const
            | Self::Input
            | Self::InputArith
            | Self::InputBool => 0,
            Self::Scale
            | Self::Reduce
            | Self::BitToArith
            | Self::B2a
            | Self::ExtendSigned
            | Self::ExtendUnsigned
            | Self::Trunc
            | Self::Rewire
            | Self::AndConst
            | Self::A2b
            | Self::Msb => 1,
            Self::Pick | Self::Mux | Self::MuxBool => 3,
            _ => 2,
        }
    }
}

/// One slot. `args` holds slots first (as many as the arity) and then parameters.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) width: u8,
    pub(super) args: [u32; 3],
}

/// Where the value of a computed slot is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) batch: u32,
    pub(super) index: u32,
}

/// What one slot is in the other domain.
#[derive(Clone, Copy)]
struct Twins {
    /// Versions that this slot owns.
    arith: Id,
    bool: Id,
    /// The slot that this one was converted from and that owns it.
    origin: Id,
}

const NONE: Id = Id::MAX;
const NO_TWINS: Twins = Twins { arith: NONE, bool: NONE, origin: NONE };

/// The graph of recorded operations.
pub(super) struct Graph {
    nodes: Vec<Node>,
    places: Vec<Place>,
    twins: Vec<Twins>,
    free: Vec<Id>,
    /// Recorded and not yet computed, in recording order, which is topological.
    pub(super) pending: Vec<Id>,
    patterns: Vec<Rc<[i8]>>,
    pattern_ids: HashMap<Rc<[i8]>, u32>,
    /// The latest public values by a hash of them.
    recent: Vec<Id>,
    counts: Rc<Counts>,
}

impl Graph {
    pub(super) fn new(counts: Rc<Counts>) -> Self {
        Self {
            nodes: Vec::new(),
            places: Vec::new(),
            twins: Vec::new(),
            free: Vec::new(),
            pending: Vec::new(),
            patterns: Vec::new(),
            pattern_ids: HashMap::new(),
            recent: vec![NONE; RECENT],
            counts,
        }
    }

    pub(super) fn counts(&self) -> &Rc<Counts> {
        &self.counts
    }

    pub(super) fn slots(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.nodes[id as usize].kind
    }

    pub(super) fn width(&self, id: Id) -> u32 {
        u32::from(self.nodes[id as usize].width)
    }

    pub(super) fn place(&self, id: Id) -> Place {
        self.places[id as usize]
    }

    pub(super) fn pattern(&self, id: u32) -> Rc<[i8]> {
        Rc::clone(&self.patterns[id as usize])
    }

    /// Records an operation.
    pub(super) fn push(&mut self, kind: Kind, width: u32, args: [u32; 3]) -> Id {
        let id = self.slot(kind, width, args);
        self.pending.push(id);
        id
    }

    /// A slot that is not computed by itself: a public value, an input, a pick.
    #[allow(clippy::cast_possible_truncation, reason = "widths are at most 64; slots are counted by u32")]
    fn slot(&mut self, kind: Kind, width: u32, args: [u32; 3]) -> Id {
        let node = Node { kind, width: width as u8, args };
        if let Some(id) = self.free.pop() {
            self.nodes[id as usize] = node;
            self.twins[id as usize] = NO_TWINS;
            return id;
        }
        let id = u32::try_from(self.nodes.len()).expect("a program holds fewer than 2^32 values at a time");
        self.nodes.push(node);
        self.places.push(Place::default());
        self.twins.push(NO_TWINS);
        self.counts.grow();
        id
    }

    /// A slot for an arithmetic value that is stored at once.
    pub(super) fn reserve(&mut self, width: u32) -> Id {
        self.slot(Kind::DoneArith, width, [0; 3])
    }

    /// A public value.
    #[allow(clippy::cast_possible_truncation, reason = "a hash and two halves of a word")]
    pub(super) fn constant(&mut self, width: u32, value: u64) -> Id {
        let value = value & (u64::MAX >> (64 - width));
        let hash = (value ^ u64::from(width) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let entry = hash as usize % RECENT;
        let known = self.recent[entry];
        if known != NONE && self.width(known) == width && self.constant_value(known) == Some(value) {
            return known;
        }
        let id = self.slot(Kind::Const, width, [value as u32, (value >> 32) as u32, 0]);
        self.counts.retain(id);
        if known != NONE {
            self.counts.release(known);
        }
        self.recent[entry] = id;
        id
    }

    /// The value of a public slot.
    pub(super) fn constant_value(&self, id: Id) -> Option<u64> {
        let node = self.node(id);
        (node.kind == Kind::Const).then(|| words(node.args[0], node.args[1]))
    }

    /// A private value of `owner`, known here or not.
    #[allow(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(super) fn input(&mut self, owner: Party, width: u32, value: Option<u64>) -> Id {
        let flags = (owner.index() as u32) | u32::from(value.is_some()) << 1;
        let value = value.unwrap_or(0);
        self.slot(Kind::Input, width, [flags, value as u32, (value >> 32) as u32])
    }

    /// Whose input a slot is, and its value where it is known.
    pub(super) fn private(&self, id: Id) -> Option<(Party, Option<u64>)> {
        let node = self.node(id);
        let value = words(node.args[1], node.args[2]);
        (node.kind == Kind::Input)
            .then(|| (Party::BOTH[(node.args[0] & 1) as usize], (node.args[0] & 2 != 0).then_some(value)))
    }

    /// `c ? t : f` of public values.
    pub(super) fn pick(&mut self, width: u32, c: Id, t: Id, f: Id) -> Id {
        for arg in [c, t, f] {
            self.counts.retain(arg);
        }
        self.slot(Kind::Pick, width, [c, t, f])
    }

    /// The interned name of a wiring: each plane of the result is a plane of the operand or zeros ([`ZERO`]).
    pub(super) fn intern(&mut self, pattern: &[i8]) -> u32 {
        if let Some(&id) = self.pattern_ids.get(pattern) {
            return id;
        }
        let id = u32::try_from(self.patterns.len()).expect("fewer wirings than slots");
        let shared: Rc<[i8]> = pattern.into();
        self.patterns.push(Rc::clone(&shared));
        self.pattern_ids.insert(shared, id);
        id
    }

    /// The version of `id` in `domain`, when it exists.
    pub(super) fn twin(&self, id: Id, domain: Domain) -> Option<Id> {
        let twins = &self.twins[id as usize];
        let own = if domain == Domain::Arith { twins.arith } else { twins.bool };
        if own != NONE {
            return Some(own);
        }
        let origin = twins.origin;
        (origin != NONE && self.kind(origin).domain() == domain).then_some(origin)
    }

    /// Makes `twin` the version of `id` in its domain; it lives as long as `id`.
    pub(super) fn set_twin(&mut self, id: Id, twin: Id) {
        let domain = self.kind(twin).domain();
        let owned = self.twins[twin as usize].origin != NONE;
        let twins = &mut self.twins[id as usize];
        let entry = if domain == Domain::Arith { &mut twins.arith } else { &mut twins.bool };
        if *entry != NONE || owned {
            return;
        }
        *entry = twin;
        self.counts.retain(twin);
        self.twins[twin as usize].origin = id;
    }

    /// Replaces the operands of a pending operation by equivalent ones.
    pub(super) fn rewrite(&mut self, id: Id, operands: [Id; 2]) {
        self.nodes[id as usize].args[..2].copy_from_slice(&operands);
    }

    /// Notes that a slot is computed and where its value is.
    pub(super) fn settle(&mut self, id: Id, place: Place) {
        let node = &mut self.nodes[id as usize];
        node.kind = if node.kind.domain() == Domain::Arith { Kind::DoneArith } else { Kind::DoneBool };
        node.args = [0; 3];
        self.places[id as usize] = place;
    }

    /// Frees a slot that nothing refers to; gives the place of its value when it had one.
    pub(super) fn free(&mut self, id: Id) -> Option<Place> {
        let node = self.nodes[id as usize];
        if node.kind == Kind::Free {
            return None;
        }
        let Twins { arith, bool, .. } = core::mem::replace(&mut self.twins[id as usize], NO_TWINS);
        for twin in [arith, bool] {
            if twin != NONE {
                self.twins[twin as usize].origin = NONE;
                self.counts.release(twin);
            }
        }
        if node.kind == Kind::Pick {
            for arg in node.args {
                self.counts.release(arg);
            }
        }
        self.nodes[id as usize] = Node { kind: Kind::Free, width: 1, args: [0; 3] };
        self.free.push(id);
        matches!(node.kind, Kind::DoneArith | Kind::DoneBool).then(|| self.places[id as usize])
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        // Inputs hold a party's own values.
        for node in &mut self.nodes {
            node.args.zeroize();
        }
    }
}

/// The 64-bit word of two halves.
pub(super) fn words(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// In a wiring: a plane of zeros.
pub(super) const ZERO: i8 = -1;

const RECENT: usize = 64;
