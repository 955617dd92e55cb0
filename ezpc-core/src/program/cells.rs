//! What arrays store: public values as they are, secret ones as names of elements.

use super::graph::{Graph, count};
use super::shared::{Counts, Shared};
use super::view::{NONE, Slot, View};
use core::ops::Range;
use std::rc::Rc;

/// A type of array elements.
pub trait Element: Clone {
    /// How many of them are stored.
    type Cells: Cells<Self>;
}

/// The stored elements of arrays.
pub trait Cells<T>: Sized {
    /// `len` times `value`.
    fn filled(value: T, len: usize) -> Self;
    /// The values.
    fn from_vec(values: Vec<T>) -> Self;
    /// One value.
    fn read(&self, at: usize) -> T;
    /// Replaces one value.
    fn write(&mut self, at: usize, value: T);
    /// A copy of some of the values.
    fn part(&self, range: Range<usize>) -> Self;
    /// Replaces values, from `at` on, by those of `range` in `from`.
    fn copy(&mut self, at: usize, from: &Self, range: Range<usize>);
}

impl<T: super::Scalar> Element for T {
    type Cells = Vec<T>;
}

impl<T: Clone> Cells<T> for Vec<T> {
    fn filled(value: T, len: usize) -> Self {
        vec![value; len]
    }
    fn from_vec(values: Self) -> Self {
        values
    }
    fn read(&self, at: usize) -> T {
        self[at].clone()
    }
    fn write(&mut self, at: usize, value: T) {
        self[at] = value;
    }
    fn part(&self, range: Range<usize>) -> Self {
        self[range].to_vec()
    }
    fn copy(&mut self, at: usize, from: &Self, range: Range<usize>) {
        self[at..at + range.len()].clone_from_slice(&from[range]);
    }
}

impl<T> Element for Shared<T> {
    type Cells = Slots;
}

/// Elements of nodes, each of which counts as a handle.
pub struct Slots {
    elements: Elements,
    counts: Option<Rc<Counts>>,
}

/// One view where it names all elements, as of an input or what a loop has written; else each by its name.
enum Elements {
    View(View),
    Each(Vec<Slot>),
}

impl<T> Cells<Shared<T>> for Slots {
    fn filled(value: Shared<T>, len: usize) -> Self {
        if len == 0 {
            return Self::empty();
        }
        Self::viewed(value.view().first().spread(count(len)), Rc::clone(value.counts()))
    }
    fn from_vec(values: Vec<Shared<T>>) -> Self {
        let Some(counts) = values.first().map(|value| Rc::clone(value.counts())) else {
            return Self::empty();
        };
        Self::new(Elements::Each(values.iter().map(|value| value.view().at(0)).collect()), counts)
    }
    fn read(&self, at: usize) -> Shared<T> {
        let counts = self.counts.as_ref().expect("an array with elements belongs to a program");
        Shared::new(View::element(self.at(at)), counts)
    }
    fn write(&mut self, at: usize, value: Shared<T>) {
        let slot = value.view().at(0);
        value.counts().retain(slot.node);
        let old = core::mem::replace(&mut self.each()[at], slot);
        value.counts().release(old.node);
    }
    fn part(&self, range: Range<usize>) -> Self {
        let Some(counts) = self.counts.as_ref().filter(|_| !range.is_empty()) else {
            return Self::empty();
        };
        let elements = match &self.elements {
            Elements::View(view) => Elements::View(view.slice(count(range.start), count(range.len()))),
            Elements::Each(slots) => Elements::Each(slots[range].to_vec()),
        };
        Self::new(elements, Rc::clone(counts))
    }
    fn copy(&mut self, at: usize, from: &Self, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let from = Cells::<Shared<T>>::part(from, range);
        if let (true, Elements::View(view)) = (at == 0 && from.len() == self.len(), &from.elements) {
            return self.become_view(*view);
        }
        let to = at..at + from.len();
        if let Some(counts) = &self.counts {
            from.elements.runs(|node, handles| counts.retain_many(node, handles));
        }
        let before = self.each()[to.clone()].to_vec();
        self.each()[to].iter_mut().zip(from.slots()).for_each(|(to, from)| *to = from);
        if let Some(counts) = &self.counts {
            runs(before.into_iter(), |node, handles| counts.release_many(node, handles));
        }
    }
}

impl Elements {
    fn runs(&self, count: impl Fn(super::view::Id, u32)) {
        match self {
            Self::View(view) => count(view.node, view.len),
            Self::Each(slots) => runs(slots.iter().copied(), count),
        }
    }
}

impl Slots {
    const fn empty() -> Self {
        Self { elements: Elements::Each(Vec::new()), counts: None }
    }

    /// The elements of a view of at least one.
    pub(super) fn viewed(view: View, counts: Rc<Counts>) -> Self {
        Self::new(Elements::View(view), counts)
    }

    fn new(elements: Elements, counts: Rc<Counts>) -> Self {
        elements.runs(|node, handles| counts.retain_many(node, handles));
        Self { elements, counts: Some(counts) }
    }

    fn len(&self) -> usize {
        match &self.elements {
            Elements::View(view) => view.len as usize,
            Elements::Each(slots) => slots.len(),
        }
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.len()).map(|at| self.at(at))
    }

    #[allow(clippy::cast_possible_truncation, reason = "an array has at most 2^31 elements")]
    pub(super) fn at(&self, at: usize) -> Slot {
        match &self.elements {
            Elements::View(view) => {
                assert!(at < view.len as usize, "an index of the array");
                view.at(at as u32)
            }
            Elements::Each(slots) => slots[at],
        }
    }

    /// The elements at `inner`, positions in the array, where one view names all of it.
    pub(super) fn view(&self, inner: View) -> Option<View> {
        match &self.elements {
            Elements::View(view) => Some(view.compose(inner)),
            Elements::Each(_) => None,
        }
    }

    /// Each element by its name.
    fn each(&mut self) -> &mut Vec<Slot> {
        if let Elements::View(view) = self.elements {
            self.elements = Elements::Each(view.slots().collect());
        }
        match &mut self.elements {
            Elements::Each(slots) => slots,
            Elements::View(_) => unreachable!("the elements were just named"),
        }
    }

    /// Replaces all elements by those of a view, as many.
    fn become_view(&mut self, view: View) {
        let Some(counts) = &self.counts else { return };
        counts.retain_many(view.node, view.len);
        let before = core::mem::replace(&mut self.elements, Elements::View(view));
        before.runs(|node, handles| counts.release_many(node, handles));
    }

    /// Replaces all elements by those of a view, when `at` is all of them, in order; tells whether it is.
    pub(super) fn overwrite(&mut self, at: View, view: View, graph: &Graph) -> bool {
        let all = at == View::whole(NONE, count(self.len())) && !graph.kind(view).gathers();
        if all {
            self.become_view(view);
        }
        all
    }

    /// Replaces the elements `at` by those of a view, as many.
    pub(super) fn replace(&mut self, at: &[usize], view: View) {
        let Some(counts) = self.counts.clone() else { return };
        let each = self.each();
        let mut old = Run::default();
        // New handles first: what is replaced may be what replaces it.
        counts.retain_many(view.node, view.len);
        for (&at, slot) in at.iter().zip(view.slots()) {
            let before = core::mem::replace(&mut each[at], slot);
            old.push(before.node, |node, handles| counts.release_many(node, handles));
        }
        old.flush(|node, handles| counts.release_many(node, handles));
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Some(counts) = &self.counts {
            self.elements.runs(|node, handles| counts.release_many(node, handles));
        }
    }
}

/// A number of handles of one node, to be counted at once.
struct Run {
    node: super::view::Id,
    handles: u32,
}

impl Default for Run {
    fn default() -> Self {
        Self { node: NONE, handles: 0 }
    }
}

impl Run {
    fn push(&mut self, node: super::view::Id, count: impl Fn(super::view::Id, u32)) {
        if node != self.node {
            self.flush(count);
            self.node = node;
        }
        self.handles += 1;
    }

    fn flush(&mut self, count: impl Fn(super::view::Id, u32)) {
        if self.handles > 0 {
            count(self.node, self.handles);
            self.handles = 0;
        }
    }
}

fn runs(slots: impl Iterator<Item = Slot>, count: impl Fn(super::view::Id, u32)) {
    let mut run = Run::default();
    for slot in slots {
        run.push(slot.node, &count);
    }
    run.flush(&count);
}
