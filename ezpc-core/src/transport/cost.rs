//! What a protocol costs, as a function of public shapes: bytes each way per level, and correlations.

use crate::party::Party;

/// The cost of a protocol: its levels of message dependency with their bytes, and the COTs it consumes.
///
/// Every interactive protocol has a function that computes its cost from shapes; the same numbers drive the
/// pool of correlations, the cost model and the tests that compare them with what a channel counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes that the server and the client send at each level.
    levels: Vec<[usize; 2]>,
    /// COTs in which the server and the client is the sender.
    cots: [usize; 2],
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
        Self { levels, cots: [0; 2] }
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
        let mut cots = [0; 2];
        cots[sender.index()] = count;
        Self { levels: Vec::new(), cots }
    }

    /// This, and then `next`.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.levels.extend(next.levels);
        self.cots = [self.cots[0] + next.cots[0], self.cots[1] + next.cots[1]];
        self
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
        self.cots = [self.cots[0] + other.cots[0], self.cots[1] + other.cots[1]];
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

    /// The COTs consumed with the server and with the client as their sender.
    #[must_use]
    pub const fn cots(&self) -> [usize; 2] {
        self.cots
    }
}
