//! Hash-consing: the same operation on the same operands is recorded once.

use super::graph::Node;
use super::view::Id;

/// Finds recorded operations by what they are. A table of few probes: where it is crowded a repetition is recorded
/// twice, which costs but does no harm. It holds between two executions, in which no node is freed.
#[derive(Default)]
pub(super) struct Cons {
    entries: Vec<Entry>,
    epoch: u32,
    used: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    epoch: u32,
    id: Id,
}

impl Cons {
    /// The recorded node, or where to enter it.
    pub(super) fn find(&self, node: &Node, nodes: &[Node]) -> Result<Id, usize> {
        if self.entries.is_empty() {
            return Err(0);
        }
        let mask = self.entries.len() - 1;
        let home = hash(node) & mask;
        for probe in 0..PROBES {
            let at = (home + probe) & mask;
            let entry = self.entries[at];
            if entry.epoch != self.epoch {
                return Err(at);
            }
            if same(&nodes[entry.id as usize], node) {
                return Ok(entry.id);
            }
        }
        Err(home)
    }

    /// Enters a node at the place that [`Cons::find`] gave.
    pub(super) fn enter(&mut self, at: usize, id: Id, nodes: &[Node], pending: &[Id]) {
        self.used += 1;
        if self.used * 2 > self.entries.len() {
            let size = (self.entries.len() * 4).max(1 << 10);
            (self.entries, self.epoch) = (vec![Entry { epoch: 0, id }; size], 1);
            for &id in pending {
                if let Err(at) = self.find(&nodes[id as usize], nodes) {
                    self.entries[at] = Entry { epoch: self.epoch, id };
                }
            }
            if let Err(at) = self.find(&nodes[id as usize], nodes) {
                self.entries[at] = Entry { epoch: self.epoch, id };
            }
            return;
        }
        self.entries[at] = Entry { epoch: self.epoch, id };
    }

    /// Forgets every node.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        if self.epoch == u32::MAX || self.entries.len() > LARGE {
            (self.entries, self.epoch) = (Vec::new(), 0);
        } else {
            self.epoch += 1;
        }
    }
}

fn same(a: &Node, b: &Node) -> bool {
    a.kind == b.kind && a.width == b.width && a.len == b.len && a.param == b.param && a.args == b.args
}

#[allow(clippy::cast_possible_truncation, reason = "a hash")]
fn hash(node: &Node) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (node.kind as u64) << 8 | u64::from(node.width) ^ node.param.wrapping_mul(ODD);
    for arg in &node.args[..2] {
        let word = u64::from(arg.node) << 32 | u64::from(arg.start);
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
        hash ^= u64::from(arg.stride) << 17 ^ u64::from(arg.len);
    }
    (hash.wrapping_mul(ODD) >> 20) as usize
}

const PROBES: usize = 4;

/// Tables beyond this number of entries are given back after an execution.
const LARGE: usize = 1 << 22;
