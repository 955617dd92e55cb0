//! COTs on hand, first in, first out.

use crate::crypto::Block;
use crate::ot::cots::Piece;
use crate::ot::ferret::{Leaves, Round};
use std::collections::VecDeque;
use std::sync::Arc;

/// Keys or macs in the order of their stream.
pub(super) struct Stock {
    pieces: VecDeque<Piece>,
    /// The stream's position of the next block.
    position: u64,
    /// Rounds whose COTs are all handed out: when these are used up, too, their memory serves again.
    spent: Vec<Arc<Round>>,
}

impl Stock {
    pub(super) const fn new(position: u64) -> Self {
        Self { pieces: VecDeque::new(), position, spent: Vec::new() }
    }

    pub(super) fn put(&mut self, blocks: Vec<Block>) {
        if !blocks.is_empty() {
            self.pieces.push_back(Piece::of(blocks));
        }
    }

    pub(super) fn put_round(&mut self, round: Round) {
        self.pieces.push_back(Piece::whole(Arc::new(round)));
    }

    /// Memory for the next round.
    pub(super) fn memory(&mut self) -> Leaves {
        let free = self.spent.iter().position(|round| Arc::strong_count(round) == 1);
        free.and_then(|i| Arc::into_inner(self.spent.swap_remove(i)))
            .map_or_else(Leaves::default, Round::into_leaves)
    }

    /// The next `count` blocks and the position of the first of them.
    pub(super) fn take(&mut self, count: usize) -> (Vec<Piece>, u64) {
        let (mut taken, mut left) = (Vec::with_capacity(1), count);
        while left > 0 {
            let mut piece = self.pieces.pop_front().expect("the pool counts what is on hand");
            let front = piece.take(left.min(piece.len()));
            left -= front.len();
            taken.push(front);
            if piece.len() > 0 {
                self.pieces.push_front(piece);
            } else if let Piece::Round(round, _) = piece {
                self.spent.push(round);
            }
        }
        let start = self.position;
        self.position += count as u64;
        (taken, start)
    }
}
