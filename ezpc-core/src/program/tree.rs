//! Balanced trees: chains of one associative operation whose intermediate results nobody holds are combined in the
//! order in which their operands are ready.

use super::graph::count;
use super::kind::Kind;
use super::plan::Planner;
use super::view::{Id, View};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

impl Planner<'_> {
    pub(super) fn place_tree(&mut self, id: Id) {
        let node = *self.graph.node(id);
        let kind = node.kind.chain().expect("the root of a chain");
        let (mut leaves, mut by) = (Vec::new(), Vec::new());
        self.leaves(id, &mut leaves, &mut by);
        if node.len == 1 {
            self.combine_elements(id, kind, &leaves);
        } else {
            self.combine_vectors(id, kind, &leaves);
        }
    }

    /// Combines vectors of one length: the two that are ready first, again and again.
    fn combine_vectors(&mut self, id: Id, kind: Kind, leaves: &[View]) {
        let len = self.graph.node(id).len;
        let level = |planner: &Self, x: View| {
            let mut level = 0;
            planner.graph.resolve(x, &mut |part| level = planner.mark_of(part).level.max(level));
            level
        };
        let mut ready: BinaryHeap<Reverse<(u32, usize, View)>> =
            leaves.iter().enumerate().map(|(i, &leaf)| Reverse((level(self, leaf), i, leaf))).collect();
        let mut next = leaves.len();
        while let (Some(Reverse((.., a))), Some(Reverse((.., b)))) = (ready.pop(), ready.pop()) {
            if ready.is_empty() {
                return self.place_parts(id, kind, &[a, b], &[]);
            }
            let made = self.graph.part(id, kind, len);
            self.plan.done.push(made);
            self.assign(made, kind, &[a, b], &[]);
            let made = View::whole(made, len);
            ready.push(Reverse((level(self, made), next, made)));
            next += 1;
        }
    }

    /// Combines the elements of vectors of any lengths into one: in each level halves of what is ready.
    fn combine_elements(&mut self, id: Id, kind: Kind, leaves: &[View]) {
        let mut waiting = Vec::new();
        for &leaf in leaves {
            self.graph.resolve(leaf, &mut |part| waiting.push((self.mark_of(part).level, part)));
        }
        waiting.sort_by_key(|w| w.0);
        let mut waiting = waiting.into_iter().peekable();
        let mut ready: Vec<View> = Vec::new();
        let mut level = 0;
        loop {
            while let Some((_, part)) = waiting.next_if(|w| w.0 <= level) {
                ready.push(part);
            }
            let len: u32 = ready.iter().map(|x| x.len).sum();
            if len < 2 {
                let Some(next) = waiting.peek() else { break };
                level = next.0;
                continue;
            }
            let half = len / 2;
            let all = self.gather(&ready);
            let [left, right] = [0, half].map(|from| self.part(all, from, half));
            if len == 2 && waiting.peek().is_none() {
                return self.assign(id, kind, &[left, right], &[]);
            }
            let made = self.graph.part(id, kind, half);
            self.plan.done.push(made);
            self.assign(made, kind, &[left, right], &[]);
            level = self.mark_of(View::whole(made, half)).level;
            let odd = (len % 2 == 1).then(|| self.part(all, len - 1, 1));
            ready = odd.into_iter().chain([View::whole(made, half)]).collect();
        }
        debug_assert!(false, "a chain of {} has at least two elements", count(leaves.len()));
    }
}
