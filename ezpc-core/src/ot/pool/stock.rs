//! OTs on hand, first in, first out.

use crate::crypto::Block;
use crate::ot::cots::{Blocks, View};
use crate::ot::ferret::{self, Kind};
use std::collections::VecDeque;
use std::sync::Arc;

/// OTs that are copied rather than that they keep a round's memory.
const FEW: usize = ferret::LENGTH / 8;

/// Keys or macs in the order of their stream.
pub(super) struct Stock {
    views: VecDeque<View>,
    /// The stream's position of the next block.
    position: u64,
    /// Memory of rounds, to be used again when nobody views it any more. It is wiped when dropped.
    rounds: Vec<Arc<Blocks>>,
}

impl Stock {
    pub(super) const fn new(position: u64) -> Self {
        Self { views: VecDeque::new(), position, rounds: Vec::new() }
    }

    pub(super) fn put(&mut self, blocks: Vec<Block>) {
        if !blocks.is_empty() {
            self.views.push_back(View::of(blocks));
        }
    }

    /// The OTs of a round, but those for the next one.
    pub(super) fn put_round(&mut self, round: Blocks, kind: Kind) {
        let round = Arc::new(round);
        self.views.push_back(View::new(Arc::clone(&round), kind.base()..ferret::LENGTH));
        self.rounds.push(round);
    }

    /// Memory for the next round. One more that nobody views is kept, others are given back.
    pub(super) fn memory(&mut self) -> Blocks {
        // A few OTs that are left would keep the memory of a whole round.
        let left = self.views.iter().map(View::len).sum();
        if left <= FEW {
            let mut blocks = Vec::with_capacity(left);
            self.views.drain(..).for_each(|view| blocks.extend_from_slice(view.blocks()));
            self.put(blocks);
        }
        let rounds = core::mem::take(&mut self.rounds);
        let (mut free, viewed): (Vec<_>, Vec<_>) =
            rounds.into_iter().partition(|round| Arc::strong_count(round) == 1);
        self.rounds = viewed;
        let memory = free.pop().and_then(Arc::into_inner);
        // Two take turns: one is viewed while the next is made.
        self.rounds.extend(free.pop());
        memory.unwrap_or_else(|| Blocks::zeros(ferret::LENGTH))
    }

    /// The next `count` blocks and the position of the first of them.
    pub(super) fn take(&mut self, count: usize) -> (View, u64) {
        let start = self.position;
        self.position += count as u64;
        let first = self.next(count);
        if first.len() == count {
            return (first, start);
        }
        // They span two parts: the only ones that are copied.
        let mut blocks = Vec::with_capacity(count);
        blocks.extend_from_slice(first.blocks());
        while blocks.len() < count {
            blocks.extend_from_slice(self.next(count - blocks.len()).blocks());
        }
        (View::of(blocks), start)
    }

    /// As many of the next `count` blocks as lie together.
    fn next(&mut self, count: usize) -> View {
        let Some(view) = self.views.front_mut() else {
            assert!(count == 0, "the pool counts what is on hand");
            return View::of(Vec::new());
        };
        let next = view.take(count.min(view.len()));
        if view.len() == 0 {
            self.views.pop_front();
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left over from a round: few free its memory for the next one, more keep it; their order stays. To
    /// have taken none keeps nothing.
    #[test]
    fn few_ots_do_not_keep_the_memory_of_their_round() {
        for (left, again) in [(0, true), (1, true), (FEW, true), (FEW + 1, false)] {
            let mut stock = Stock::new(0);
            let mut round = stock.memory();
            let place = round.as_ptr();
            let numbered = |n: usize| Block::new(n as u128);
            round.iter_mut().enumerate().for_each(|(n, block)| *block = numbered(n));
            stock.put_round(round, Kind::Cots);
            let none = [stock.take(0), stock.take(0)];
            drop(stock.take(Kind::Cots.output() - left));
            let next = stock.memory();
            assert_eq!(next.as_ptr() == place, again, "{left} left");
            drop(none);
            stock.put_round(next, Kind::Cots);
            let expected = (ferret::LENGTH - left..ferret::LENGTH).map(numbered);
            assert!(stock.take(left).0.blocks().iter().copied().eq(expected), "{left} left");
        }
    }
}
