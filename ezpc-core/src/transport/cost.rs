//! What a protocol costs, as a function of public shapes: bytes each way per level, and correlations.

use crate::party::Party;

/// Numbers of correlated OTs, by kind and with the server and the client as their sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ots {
    /// COTs.
    pub cots: [usize; 2],
    /// Quads: COTs over F_4.
    pub quads: [usize; 2],
}

impl Ots {
    /// `count` COTs with `sender` as their sender.
    #[must_use]
    pub fn of_cots(sender: Party, count: usize) -> Self {
        let mut ots = Self::default();
        ots.cots[sender.index()] = count;
        ots
    }

    /// `count` quads with `sender` as their sender.
    #[must_use]
    pub fn of_quads(sender: Party, count: usize) -> Self {
        let mut ots = Self::default();
        ots.quads[sender.index()] = count;
        ots
    }

    /// COTs and quads with `sender` as their sender.
    #[must_use]
    pub const fn of(self, sender: Party) -> [usize; 2] {
        [self.cots[sender.index()], self.quads[sender.index()]]
    }

    /// `f` of every number and the same one of `other`.
    #[must_use]
    pub fn zip(self, other: Self, f: impl Fn(usize, usize) -> usize) -> Self {
        let each = |a: [usize; 2], b: [usize; 2]| [f(a[0], b[0]), f(a[1], b[1])];
        Self { cots: each(self.cots, other.cots), quads: each(self.quads, other.quads) }
    }

    /// These and `other`.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    /// Whether there are as many as `other` has, of every kind and direction.
    #[must_use]
    pub fn cover(self, other: Self) -> bool {
        self.zip(other, |mine, theirs| usize::from(mine < theirs)) == Self::default()
    }

    /// All together.
    #[must_use]
    pub const fn total(self) -> usize {
        self.cots[0] + self.cots[1] + self.quads[0] + self.quads[1]
    }
}

/// The cost of a protocol: its levels of message dependency with their bytes, and the OTs it consumes.
///
/// Every interactive protocol has a function that computes its cost from shapes; the same numbers drive the
/// pool of correlations, the cost model and the tests that compare them with what a channel counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that the server and the client send at each level.
    levels: Vec<[usize; 2]>,
    ots: Ots,
}

impl Cost {
    /// Nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One level; none at all when nobody sends a byte.
    #[must_use]
    pub fn level(server: usize, client: usize) -> Self {
        let levels = if server == 0 && client == 0 { Vec::new() } else { vec![[server, client]] };
        Self { levels, ots: Ots::default() }
    }

    /// One level in which only `from` sends.
    #[must_use]
    pub fn message(from: Party, bytes: usize) -> Self {
        let mut sent = [0; 2];
        sent[from.index()] = bytes;
        Self::level(sent[0], sent[1])
    }

    /// `count` COTs with `sender` as their sender.
    #[must_use]
    pub fn of_cots(sender: Party, count: usize) -> Self {
        Self::of_ots(Ots::of_cots(sender, count))
    }

    /// OTs.
    #[must_use]
    pub const fn of_ots(ots: Ots) -> Self {
        Self { levels: Vec::new(), ots }
    }

    /// This, and then `next`.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.levels.extend(next.levels);
        self.ots = self.ots.plus(next.ots);
        self
    }

    /// This, and then more of the last level's messages: `more`, of one level, is none of its own. There is one before.
    #[must_use]
    pub fn then_more(mut self, more: Self) -> Self {
        debug_assert!(!self.levels.is_empty() && more.levels.len() <= 1, "more of a level");
        let last = self.levels.len().saturating_sub(1);
        let levels = self.levels.split_off(last);
        self.then(Self { levels, ots: Ots::default() }.beside(more))
    }

    /// This and `other` side by side, sharing levels.
    #[must_use]
    pub fn beside(mut self, other: Self) -> Self {
        if self.levels.len() < other.levels.len() {
            self.levels.resize(other.levels.len(), [0; 2]);
        }
        for (mine, theirs) in self.levels.iter_mut().zip(&other.levels) {
            *mine = [mine[0] + theirs[0], mine[1] + theirs[1]];
        }
        self.ots = self.ots.plus(other.ots);
        self
    }

    /// The number of levels.
    #[must_use]
    pub fn half_rounds(&self) -> usize {
        self.levels.len()
    }

    /// The bytes `party` sends.
    #[must_use]
    pub fn bytes(&self, party: Party) -> usize {
        self.levels.iter().map(|level| level[party.index()]).sum()
    }

    /// The OTs consumed.
    #[must_use]
    pub const fn ots(&self) -> Ots {
        self.ots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_ot_does_not_stand_in_for_another() {
        let cots = Ots::of_cots(Party::Server, 5);
        let quads = Ots::of_quads(Party::Client, 3);
        let both = cots.plus(quads);
        assert_eq!([both.of(Party::Server), both.of(Party::Client)], [[5, 0], [0, 3]]);
        assert!(both.cover(cots) && both.cover(quads) && both.cover(both));
        assert!(!cots.cover(quads) && !Ots::of_cots(Party::Client, 100).cover(quads));
        assert!(!Ots::of_quads(Party::Server, 100).cover(quads));
        assert_eq!(both.total(), 8);
    }
    #[test]
    fn more_of_a_level_is_none_of_its_own() {
        let cost = Cost::level(1, 2).then(Cost::message(Party::Server, 5)).then_more(Cost::level(7, 0));
        assert_eq!(cost, Cost::level(1, 2).then(Cost::message(Party::Server, 12)));
    }
}
