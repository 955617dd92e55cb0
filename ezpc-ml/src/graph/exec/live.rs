//! The values of a network while it runs.

use crate::card::Card;
use crate::tensor::Tensor;
use ezpc_core::protocol::ShareVec;

/// The values of steps, each until its last user has started.
pub(super) struct Live<A> {
    values: Vec<Option<Tensor<A>>>,
    uses: Vec<usize>,
}

impl<A: ShareVec> Live<A> {
    pub(super) fn new(card: &Card) -> Self {
        Self { values: card.steps.iter().map(|_| None).collect(), uses: card.uses() }
    }

    pub(super) fn there(&self, i: usize) -> bool {
        self.values[i].is_some()
    }

    pub(super) fn get(&self, i: usize) -> &Tensor<A> {
        self.values[i].as_ref().expect("a value lives until its last use")
    }

    pub(super) fn put(&mut self, i: usize, value: Tensor<A>) {
        if self.uses[i] > 0 {
            self.values[i] = Some(value);
        }
    }

    pub(super) fn used(&mut self, args: &[usize]) {
        for &a in args {
            self.uses[a] -= 1;
            if self.uses[a] == 0 {
                self.values[a] = None;
            }
        }
    }

    pub(super) fn take(&mut self, i: usize) -> Tensor<A> {
        self.values[i].take().expect("the result is needed to the end")
    }
}
