//! Tables of what nodes own besides their operands.

use super::graph::at;
use super::view::View;
use crate::ring::RingVec;
use std::rc::Rc;

/// Values of a table or an input, `None` at the party that does not know them.
pub(super) type Values = Option<Rc<RingVec>>;

/// Values with stable names that are used again.
pub(super) struct Slab<T> {
    all: Vec<T>,
    free: Vec<u64>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { all: Vec::new(), free: Vec::new() }
    }
}

pub(super) trait Empty {
    fn empty() -> Self;
}

impl Empty for Values {
    fn empty() -> Self {
        None
    }
}

impl Empty for Rc<[View]> {
    fn empty() -> Self {
        Self::from([])
    }
}

impl<T: Empty> Slab<T> {
    pub(super) fn put(&mut self, value: T) -> u64 {
        if let Some(id) = self.free.pop() {
            self.all[at(id)] = value;
            return id;
        }
        self.all.push(value);
        self.all.len() as u64 - 1
    }

    pub(super) fn get(&self, id: u64) -> &T {
        &self.all[at(id)]
    }

    pub(super) fn take(&mut self, id: u64) {
        self.all[at(id)] = T::empty();
        self.free.push(id);
    }
}
