//! The largest or smallest of many values and what belongs to it, as a tree of choices between neighbours.
//!
//! Comparisons are exact over the full range, so values are totally ordered, and a choice between neighbours that
//! keeps the earlier (or the later) of equal ones gives what a loop from the first to the last would.

use super::graph::{Graph, count};
use super::lanes::len_of;
use super::public::Index;
use super::record::Label;
use super::view::View;
use super::{Program, Scalar, Shared};
use crate::protocol::Protocol;
use core::ops::Range;

/// Which of two values wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "generated code writes it")]
pub struct Rule {
    /// The larger one, else the smaller.
    pub larger: bool,
    /// Of equal ones the first, else the last.
    pub first: bool,
}

/// A tree of choices: for each level, first to last, whether the second of each pair of neighbours won.
pub struct Contest {
    levels: Vec<Shared<bool>>,
    lanes: u32,
}

impl<P: Protocol> Program<'_, P> {
    /// The winner among a variable and one value of each lane, and the choices that led to it.
    pub fn contest<T: Scalar, L: Index>(
        &self,
        rule: Rule,
        label: Label,
        lanes: &Range<L>,
        variable: &Shared<T>,
        value: &Shared<T>,
    ) -> (Shared<T>, Contest) {
        let lanes = count(len_of(lanes));
        let mut levels = Vec::new();
        let winner = self.record(|g| {
            let mut now = g.line_up(variable.view(), value.view(), lanes);
            now = g.arith(now);
            while now.len > 1 {
                let (left, right) = (neighbours(now, 0), neighbours(now, 1));
                let second = g.beats(rule, left, right, T::SIGNED);
                now = g.choose(label, second, now);
                levels.push(second);
            }
            now
        });
        let levels = levels.into_iter().map(|level| Shared::new(level, &self.counts)).collect();
        (winner, Contest { levels, lanes })
    }

    /// What belongs to the winner: of a variable and one value of each lane.
    pub fn winner<T: Scalar>(
        &self,
        contest: &Contest,
        label: Label,
        variable: &Shared<T>,
        value: &Shared<T>,
    ) -> Shared<T> {
        self.record(|g| {
            let now = g.line_up(variable.view(), value.view(), contest.lanes);
            contest.levels.iter().fold(now, |now, level| g.choose(label, level.view(), now))
        })
    }
}

impl Graph {
    /// A value and one of each lane, one after the other.
    fn line_up(&mut self, first: View, rest: View, lanes: u32) -> View {
        self.gather([first.first(), rest.spread(lanes)])
    }

    /// Whether the second of two is to be chosen.
    fn beats(&mut self, rule: Rule, left: View, right: View, signed: bool) -> View {
        match (rule.larger, rule.first) {
            (true, true) => self.less_than(left, right, signed),
            (false, true) => self.less_than(right, left, signed),
            (true, false) => {
                let less = self.less_than(right, left, signed);
                self.invert(less)
            }
            (false, false) => {
                let less = self.less_than(left, right, signed);
                self.invert(less)
            }
        }
    }

    /// Of each pair of neighbours the second where `second` says so; the last of an odd number stays.
    fn choose(&mut self, label: Label, second: View, now: View) -> View {
        let chosen = self.mux(label, second, neighbours(now, 1), neighbours(now, 0));
        let chosen = chosen.spread(now.len / 2);
        if now.len.is_multiple_of(2) { chosen } else { self.gather([chosen, now.slice(now.len - 1, 1)]) }
    }
}

/// The first or second of each pair.
fn neighbours(now: View, which: u32) -> View {
    let pairs = now.len / 2;
    now.compose(View { node: now.node, start: which, stride: if pairs > 1 { 2 } else { 0 }, len: pairs })
}
