//! Handles of secret values.

use super::view::{Id, View};
use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use std::rc::Rc;

/// How many handles each node has. Nodes without handles are collected when the graph is next executed.
#[derive(Default)]
pub(super) struct Counts {
    refs: RefCell<Vec<u32>>,
    zeros: RefCell<Vec<Id>>,
}

impl Counts {
    pub(super) fn grow(&self) {
        self.refs.borrow_mut().push(0);
    }

    pub(super) fn of(&self, id: Id) -> u32 {
        self.refs.borrow()[id as usize]
    }

    pub(super) fn retain(&self, id: Id) {
        self.retain_many(id, 1);
    }

    pub(super) fn retain_many(&self, id: Id, handles: u32) {
        let mut refs = self.refs.borrow_mut();
        let count = &mut refs[id as usize];
        *count = count.checked_add(handles).expect("a value has fewer than 2^32 handles");
    }

    pub(super) fn release(&self, id: Id) {
        self.release_many(id, 1);
    }

    pub(super) fn release_many(&self, id: Id, handles: u32) {
        let mut refs = self.refs.borrow_mut();
        let count = &mut refs[id as usize];
        *count -= handles;
        if *count == 0 {
            self.zeros.borrow_mut().push(id);
        }
    }

    /// The nodes whose last handle went since the last call.
    pub(super) fn take_zeros(&self) -> Vec<Id> {
        core::mem::take(&mut *self.zeros.borrow_mut())
    }

    /// Nodes to be looked at again next time.
    pub(super) fn put_back(&self, ids: Vec<Id>) {
        self.zeros.borrow_mut().extend(ids);
    }
}

/// A secret value of type `T`: a handle into the program that computes it.
///
/// How the value is shared between the parties is the program's business; it changes as operations need it.
/// Inside of a loop that runs as vectors it stands for one value per iteration.
pub struct Shared<T> {
    view: View,
    counts: Rc<Counts>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Shared<T> {
    pub(super) fn new(view: View, counts: &Rc<Counts>) -> Self {
        counts.retain(view.node);
        Self { view, counts: Rc::clone(counts), kind: PhantomData }
    }

    pub(super) fn view(&self) -> View {
        self.view
    }

    pub(super) fn counts(&self) -> &Rc<Counts> {
        &self.counts
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self::new(self.view, &self.counts)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        self.counts.release(self.view.node);
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(..)")
    }
}
