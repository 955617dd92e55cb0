//! Views: arithmetic progressions of the elements of a node.

/// The name of a node in the graph.
pub(super) type Id = u32;

/// No node.
pub(super) const NONE: Id = Id::MAX;

/// One element of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) node: Id,
    pub(super) index: u32,
}

/// The elements `start`, `start + stride`, … of a node. One element has stride 0; an element repeated as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct View {
    pub(super) node: Id,
    pub(super) start: u32,
    /// Wraps: a view may run backwards.
    pub(super) stride: u32,
    pub(super) len: u32,
}

impl View {
    pub(super) const NONE: Self = Self { node: NONE, start: 0, stride: 0, len: 0 };

    /// All `len` elements of a node.
    pub(super) fn whole(node: Id, len: u32) -> Self {
        Self { node, start: 0, stride: u32::from(len > 1), len }
    }

    pub(super) fn element(slot: Slot) -> Self {
        Self { node: slot.node, start: slot.index, stride: 0, len: 1 }
    }

    pub(super) fn at(self, i: u32) -> Slot {
        Slot { node: self.node, index: self.start.wrapping_add(self.stride.wrapping_mul(i)) }
    }

    pub(super) fn slots(self) -> impl Iterator<Item = Slot> {
        (0..self.len).map(move |i| self.at(i))
    }

    /// `len` elements from the one at `from` on.
    pub(super) fn slice(self, from: u32, len: u32) -> Self {
        Self { start: self.at(from).index, stride: if len == 1 { 0 } else { self.stride }, len, ..self }
    }

    /// The elements that `inner`, a view of this view's elements, names.
    pub(super) fn compose(self, inner: Self) -> Self {
        let stride = if inner.len == 1 { 0 } else { self.stride.wrapping_mul(inner.stride) };
        Self { node: self.node, start: self.at(inner.start).index, stride, len: inner.len }
    }

    /// The first element.
    pub(super) fn first(self) -> Self {
        Self { stride: 0, len: 1, ..self }
    }

    /// A single element, `len` times; other views as they are.
    pub(super) fn spread(self, len: u32) -> Self {
        debug_assert!(self.len == len || self.is_one(), "{self:?} for {len} lanes");
        if self.is_one() { Self { len, ..self } } else { self }
    }

    /// Whether it names one element, once or repeated.
    pub(super) fn is_one(self) -> bool {
        self.stride == 0
    }

    /// The view that continues this one by `next`, when there is one.
    pub(super) fn joined(self, next: Self) -> Option<Self> {
        if self.node != next.node {
            return None;
        }
        let step = next.start.wrapping_sub(self.at(self.len - 1).index);
        let fits = (self.len == 1 || self.stride == step) && (next.len == 1 || next.stride == step);
        fits.then_some(Self { stride: step, len: self.len + next.len, ..self })
    }
}
