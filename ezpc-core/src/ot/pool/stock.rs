//! COTs on hand, first in, first out.

use crate::crypto::Block;
use crate::ot::ferret::{self, Leaves, Round};
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// Keys or macs in the order of their stream.
pub(super) struct Stock {
    parts: VecDeque<Part>,
    /// Blocks of the first part already taken.
    taken: usize,
    /// The stream's position of the next block.
    position: u64,
    /// Memory of a round whose COTs are all taken.
    spare: Leaves,
}

enum Part {
    Blocks(Zeroizing<Vec<Block>>),
    Round(Round),
}

impl Stock {
    pub(super) fn new(position: u64) -> Self {
        Self { parts: VecDeque::new(), taken: 0, position, spare: Leaves::default() }
    }

    pub(super) fn put(&mut self, blocks: Vec<Block>) {
        if !blocks.is_empty() {
            self.parts.push_back(Part::Blocks(Zeroizing::new(blocks)));
        }
    }

    pub(super) fn put_round(&mut self, round: Round) {
        self.parts.push_back(Part::Round(round));
    }

    /// Memory for the next round.
    pub(super) fn memory(&mut self) -> Leaves {
        core::mem::take(&mut self.spare)
    }

    /// The next `count` blocks and the position of the first of them.
    pub(super) fn take(&mut self, count: usize) -> (Vec<Block>, u64) {
        let mut blocks = vec![Block::ZERO; count];
        let mut rest = &mut blocks[..];
        while !rest.is_empty() {
            let part = self.parts.front().expect("the pool counts what is on hand");
            let len = match part {
                Part::Blocks(blocks) => blocks.len(),
                Part::Round(_) => ferret::OUTPUT,
            };
            let (now, later) = rest.split_at_mut(rest.len().min(len - self.taken));
            match part {
                Part::Blocks(blocks) => now.copy_from_slice(&blocks[self.taken..self.taken + now.len()]),
                Part::Round(round) => round.output(self.taken, now),
            }
            self.taken += now.len();
            rest = later;
            if self.taken == len {
                self.taken = 0;
                if let Some(Part::Round(round)) = self.parts.pop_front() {
                    self.spare = round.into_leaves();
                }
            }
        }
        let start = self.position;
        self.position += count as u64;
        (blocks, start)
    }
}
