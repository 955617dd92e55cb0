//! What arrays store: public values as they are, secret ones as names of elements.

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
    slots: Vec<Slot>,
    counts: Option<Rc<Counts>>,
}

impl<T> Cells<Shared<T>> for Slots {
    fn filled(value: Shared<T>, len: usize) -> Self {
        let slots = vec![value.view().at(0); len];
        Self::new(slots, Rc::clone(value.counts()))
    }
    fn from_vec(values: Vec<Shared<T>>) -> Self {
        let counts = values.first().map(|value| Rc::clone(value.counts()));
        let slots = values.iter().map(|value| value.view().at(0)).collect();
        counts.map_or_else(|| Self { slots: Vec::new(), counts: None }, |counts| Self::new(slots, counts))
    }
    fn read(&self, at: usize) -> Shared<T> {
        let counts = self.counts.as_ref().expect("an array with elements belongs to a program");
        Shared::new(View::element(self.slots[at]), counts)
    }
    fn write(&mut self, at: usize, value: Shared<T>) {
        let slot = value.view().at(0);
        value.counts().retain(slot.node);
        let old = core::mem::replace(&mut self.slots[at], slot);
        value.counts().release(old.node);
    }
    fn part(&self, range: Range<usize>) -> Self {
        let slots = self.slots[range].to_vec();
        self.counts.as_ref().map_or_else(
            || Self { slots: Vec::new(), counts: None },
            |counts| Self::new(slots.clone(), Rc::clone(counts)),
        )
    }
    fn copy(&mut self, at: usize, from: &Self, range: Range<usize>) {
        let to = at..at + range.len();
        if let Some(counts) = &self.counts {
            runs(&from.slots[range.clone()], |node, handles| counts.retain_many(node, handles));
            runs(&self.slots[to.clone()], |node, handles| counts.release_many(node, handles));
        }
        self.slots[to].copy_from_slice(&from.slots[range]);
    }
}

impl Slots {
    fn new(slots: Vec<Slot>, counts: Rc<Counts>) -> Self {
        runs(&slots, |node, handles| counts.retain_many(node, handles));
        Self { slots, counts: Some(counts) }
    }

    pub(super) fn at(&self, at: usize) -> Slot {
        self.slots[at]
    }

    /// Replaces the elements `at` by `slots`, as many.
    pub(super) fn replace(&mut self, at: &[usize], slots: impl Iterator<Item = Slot>) {
        let Some(counts) = &self.counts else { return };
        let (mut old, mut new) = (Run::default(), Run::default());
        for (&at, slot) in at.iter().zip(slots) {
            let before = core::mem::replace(&mut self.slots[at], slot);
            // New handles first: what is replaced may be what replaces it.
            new.push(slot.node, |node, handles| counts.retain_many(node, handles));
            if old.node != before.node {
                new.flush(|node, handles| counts.retain_many(node, handles));
            }
            old.push(before.node, |node, handles| counts.release_many(node, handles));
        }
        new.flush(|node, handles| counts.retain_many(node, handles));
        old.flush(|node, handles| counts.release_many(node, handles));
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        if let Some(counts) = &self.counts {
            runs(&self.slots, |node, handles| counts.release_many(node, handles));
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

fn runs(slots: &[Slot], count: impl Fn(super::view::Id, u32)) {
    let mut run = Run::default();
    for slot in slots {
        run.push(slot.node, &count);
    }
    run.flush(&count);
}
