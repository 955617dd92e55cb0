//! What each line and each function of a program costs.

use super::Totals;
use crate::protocol::two_party::schedule;
use crate::protocol::{Op, Origins, ShareVec, Site};
use crate::transport::Link;
use crate::transport::cost::Cost;
use core::fmt;
use std::collections::BTreeMap;

/// The cost of a program by line and by function.
///
/// Operations of different lines share their half-rounds, so those of a line are the ones it takes part in: their sum
/// is more than the program's. Bytes and OTs add up.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: BTreeMap<Site, Totals>,
    functions: BTreeMap<&'static str, Totals>,
    online: Totals,
}

impl Lines {
    /// The lines with their costs, function by function.
    pub fn lines(&self) -> impl Iterator<Item = (Site, Totals)> {
        self.lines.iter().map(|(site, totals)| (*site, *totals))
    }

    /// The functions with their costs.
    pub fn functions(&self) -> impl Iterator<Item = (&'static str, Totals)> {
        self.functions.iter().map(|(name, totals)| (*name, *totals))
    }

    /// The lines of what was counted so far, with the total of the online phase.
    pub(super) fn within(&self, online: Totals) -> Self {
        Self { online, ..self.clone() }
    }

    /// Adds operations that run side by side.
    pub(super) fn add<A: ShareVec, B: ShareVec>(
        &mut self,
        ops: &[Op<A, B>],
        origins: &[Origins],
        link: Link,
    ) {
        let mut rounds: BTreeMap<Site, u64> = BTreeMap::new();
        for (op, origins) in ops.iter().zip(origins) {
            let mut all = Totals::default();
            let mut half_rounds = 0;
            for bundle in schedule::bundles(core::slice::from_ref(op), link) {
                all.add(&bundle.cost, 0);
                half_rounds = half_rounds.max(bundle.cost.half_rounds() as u64);
            }
            self.divide(all, origins, half_rounds, &mut rounds);
        }
        self.take_part(rounds);
    }

    /// Adds values that are opened together.
    pub(super) fn add_opening(&mut self, cost: &Cost, origins: &Origins) {
        let (mut all, mut rounds) = (Totals::default(), BTreeMap::new());
        all.add(cost, 0);
        self.divide(all, origins, cost.half_rounds() as u64, &mut rounds);
        self.take_part(rounds);
    }

    /// Gives each line its part of the bytes and OTs of an operation.
    fn divide(&mut self, all: Totals, origins: &Origins, half_rounds: u64, rounds: &mut BTreeMap<Site, u64>) {
        let units: usize = origins.iter().map(|o| o.1).sum();
        let mut before = Totals::default();
        let mut done = 0;
        for &(site, count) in origins {
            done += count;
            let until = all.part(done as u64, units as u64);
            let own = until.without(before);
            before = until;
            self.lines.entry(site).or_default().join(own);
            self.functions.entry(site.function).or_default().join(own);
            let most = rounds.entry(site).or_default();
            *most = half_rounds.max(*most);
        }
    }

    /// Counts the half-rounds that lines take part in.
    fn take_part(&mut self, rounds: BTreeMap<Site, u64>) {
        let mut functions: BTreeMap<&str, u64> = BTreeMap::new();
        for (site, half_rounds) in rounds {
            self.lines.entry(site).or_default().half_rounds += half_rounds;
            let most = functions.entry(site.function).or_default();
            *most = half_rounds.max(*most);
        }
        for (name, half_rounds) in functions {
            if let Some(totals) = self.functions.get_mut(name) {
                totals.half_rounds += half_rounds;
            }
        }
    }
}

impl Totals {
    pub(super) fn add(&mut self, cost: &Cost, half_rounds: usize) {
        for party in crate::party::Party::BOTH {
            self.bytes[party.index()] += cost.bytes(party) as u64;
            let [cots, quads] = cost.ots().of(party);
            self.cots[party.index()] += cots as u64;
            self.quads[party.index()] += quads as u64;
        }
        self.half_rounds += half_rounds as u64;
    }

    /// `units` of `all` parts of it, rounded down.
    fn part(&self, units: u64, all: u64) -> Self {
        let part = |v: u64| u64::try_from(u128::from(v) * u128::from(units) / u128::from(all.max(1)));
        let parts = |v: [u64; 2]| v.map(|v| part(v).expect("a part of the whole"));
        Self { bytes: parts(self.bytes), half_rounds: 0, cots: parts(self.cots), quads: parts(self.quads) }
    }

    fn without(self, other: Self) -> Self {
        let minus = |a: [u64; 2], b: [u64; 2]| [a[0] - b[0], a[1] - b[1]];
        Self {
            bytes: minus(self.bytes, other.bytes),
            half_rounds: self.half_rounds,
            cots: minus(self.cots, other.cots),
            quads: minus(self.quads, other.quads),
        }
    }

    /// Adds bytes and OTs.
    fn join(&mut self, other: Self) {
        for i in 0..2 {
            self.bytes[i] += other.bytes[i];
            self.cots[i] += other.cots[i];
            self.quads[i] += other.quads[i];
        }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, line: &str, totals: &Totals| {
            let (bytes, ots) = (totals.bytes[0] + totals.bytes[1], totals.ots());
            writeln!(f, "{name:<24}{line:>6}{:>14}{bytes:>14}{ots:>14}", totals.half_rounds)
        };
        writeln!(f, "{:<24}{:>6}{:>14}{:>14}{:>14}", "function", "line", "half-rounds", "bytes", "OTs")?;
        let mut rest = self.online;
        for (name, totals) in &self.functions {
            row(f, name, "", totals)?;
            for (site, totals) in self.lines.iter().filter(|l| l.0.function == *name) {
                row(f, "", &site.line.to_string(), totals)?;
            }
            rest = rest.without(Self::bytes_of(totals));
        }
        rest.half_rounds = 0;
        if rest != Totals::default() {
            row(f, "elsewhere", "", &rest)?;
        }
        row(f, "the program, online", "", &self.online)?;
        f.write_str("half-rounds of a line are those it takes part in: lines share them\n")
    }
}

impl Lines {
    fn bytes_of(totals: &Totals) -> Totals {
        Totals { half_rounds: 0, ..*totals }
    }
}
