//! Handles of secret values.

use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;
use std::rc::Rc;

/// The slot of a value in the graph.
pub(super) type Id = u32;

/// How many handles each slot has. Slots without handles are collected when the graph is next executed.
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
        self.refs.borrow_mut()[id as usize] += 1;
    }

    pub(super) fn release(&self, id: Id) {
        let mut refs = self.refs.borrow_mut();
        let count = &mut refs[id as usize];
        *count -= 1;
        if *count == 0 {
            self.zeros.borrow_mut().push(id);
        }
    }

    /// The slots whose last handle went since the last call.
    pub(super) fn take_zeros(&self) -> Vec<Id> {
        core::mem::take(&mut *self.zeros.borrow_mut())
    }

    /// Slots to be looked at again next time.
    pub(super) fn put_back(&self, ids: Vec<Id>) {
        self.zeros.borrow_mut().extend(ids);
    }
}

/// A secret value of type `T`: a handle into the program that computes it.
///
/// How the value is shared between the parties is the program's business; it changes as operations need it.
pub struct Shared<T> {
    id: Id,
    counts: Rc<Counts>,
    kind: PhantomData<fn() -> T>,
}

impl<T> Shared<T> {
    pub(super) fn new(id: Id, counts: &Rc<Counts>) -> Self {
        counts.retain(id);
        Self { id, counts: Rc::clone(counts), kind: PhantomData }
    }

    pub(super) fn id(&self) -> Id {
        self.id
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self::new(self.id, &self.counts)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        self.counts.release(self.id);
    }
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(..)")
    }
}
