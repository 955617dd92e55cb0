//! COTs on hand, first in, first out.

use crate::crypto::Block;
use std::collections::VecDeque;
use zeroize::Zeroizing;

/// Keys or macs in the order of their stream.
pub(super) struct Stock {
    parts: VecDeque<Zeroizing<Vec<Block>>>,
    /// Blocks of the first part already taken.
    taken: usize,
    /// The stream's position of the next block.
    position: u64,
}

impl Stock {
    pub(super) const fn new(position: u64) -> Self {
        Self { parts: VecDeque::new(), taken: 0, position }
    }

    pub(super) fn put(&mut self, blocks: Vec<Block>) {
        if !blocks.is_empty() {
            self.parts.push_back(Zeroizing::new(blocks));
        }
    }

    /// The next `count` blocks and the position of the first of them.
    pub(super) fn take(&mut self, count: usize) -> (Vec<Block>, u64) {
        let mut blocks = Vec::with_capacity(count);
        while blocks.len() < count {
            let part = self.parts.front().expect("the pool counts what is on hand");
            let end = part.len().min(self.taken + count - blocks.len());
            blocks.extend_from_slice(&part[self.taken..end]);
            self.taken = end;
            if end == part.len() {
                self.parts.pop_front();
                self.taken = 0;
            }
        }
        let start = self.position;
        self.position += count as u64;
        (blocks, start)
    }
}
