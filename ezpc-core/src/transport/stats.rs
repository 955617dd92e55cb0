//! What a channel counted: bytes, half-rounds and time, per phase and per named scope.

use core::ops::AddAssign;
use std::time::Instant;

/// A part of a run whose cost is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Once per session: handshake, base oblivious transfers, keys.
    Setup,
    /// Correlations that do not depend on the inputs.
    Offline,
    /// Everything that depends on the inputs.
    Online,
}

impl Phase {
    /// All phases, in the order of time.
    pub const ALL: [Self; 3] = [Self::Setup, Self::Offline, Self::Online];

    /// The name in tables: `setup`, `offline`, `online`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Offline => "offline",
            Self::Online => "online",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Setup => 0,
            Self::Offline => 1,
            Self::Online => 2,
        }
    }
}

/// What was counted in some part of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Payload bytes sent to the peer, without what the transport adds.
    pub bytes_sent: u64,
    /// Payload bytes received from the peer.
    pub bytes_received: u64,
    /// Levels of message dependency: simultaneous messages count one, windows of a streamed operation do not
    /// add.
    pub half_rounds: u64,
    /// Wall time.
    pub seconds: f64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.half_rounds += other.half_rounds;
        self.seconds += other.seconds;
    }
}

/// Everything that a channel counted so far.
#[derive(Clone, Debug)]
pub struct Stats {
    /// In the order in which they were first named; the first is the unnamed one.
    scopes: Vec<Scope>,
    scope: usize,
    phase: Phase,
    since: Instant,
}

#[derive(Clone, Debug)]
struct Scope {
    name: String,
    counts: [Counts; 3],
    /// log2 of a bound, where something was computed that can fail.
    failure: Option<f64>,
}

impl Scope {
    fn new(name: &str) -> Self {
        Self { name: name.into(), counts: Default::default(), failure: None }
    }

    fn total(&self) -> Counts {
        sum(self.counts)
    }
}

impl Stats {
    pub(super) fn new() -> Self {
        Self { scopes: vec![Scope::new("")], scope: 0, phase: Phase::Setup, since: Instant::now() }
    }

    /// The whole run.
    #[must_use]
    pub fn total(&self) -> Counts {
        sum(self.scopes.iter().map(Scope::total))
    }

    /// One phase of the run.
    #[must_use]
    pub fn phase(&self, phase: Phase) -> Counts {
        sum(self.scopes.iter().map(|scope| scope.counts[phase.index()]))
    }

    /// One phase of what was counted under a name.
    #[must_use]
    pub fn scope_in(&self, name: &str, phase: Phase) -> Counts {
        let scope = self.scopes.iter().find(|scope| scope.name == name);
        scope.map(|scope| scope.counts[phase.index()]).unwrap_or_default()
    }

    /// What was counted under a name; zero for a name that never was.
    #[must_use]
    pub fn scope(&self, name: &str) -> Counts {
        self.scopes.iter().find(|scope| scope.name == name).map(Scope::total).unwrap_or_default()
    }

    /// The named scopes in the order of their first use. What was counted before any had a name stands under
    /// the empty one.
    pub fn scopes(&self) -> impl Iterator<Item = (&str, Counts)> {
        self.scopes.iter().map(|scope| (&*scope.name, scope.total()))
    }

    /// log2 of a bound of the chance that some result under a name is further off than its operation says; `None` where
    /// nothing was computed that has such a chance. Each party bounds it by what it knows.
    #[must_use]
    pub fn failure(&self, name: &str) -> Option<f64> {
        self.scopes.iter().find(|scope| scope.name == name).and_then(|scope| scope.failure)
    }

    /// The phase and the scope that are being counted.
    pub(super) fn current(&self) -> (Phase, &str) {
        (self.phase, &self.scopes[self.scope].name)
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.counts().bytes_sent += bytes as u64;
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.counts().bytes_received += bytes as u64;
    }

    pub(super) fn half_rounds(&mut self, count: u64) {
        self.counts().half_rounds += count;
    }

    /// Adds to the chance of a failure, given as log2.
    pub(super) fn may_fail(&mut self, log2: f64) {
        let failure = &mut self.scopes[self.scope].failure;
        *failure = Some(failure.map_or(log2, |known| {
            let (most, least) = (known.max(log2), known.min(log2));
            most + (least - most).exp2().ln_1p() * core::f64::consts::LOG2_E
        }));
    }

    pub(super) fn set_phase(&mut self, phase: Phase) {
        self.clock();
        self.phase = phase;
    }

    pub(super) fn set_scope(&mut self, name: &str) {
        self.clock();
        let known = self.scopes.iter().position(|scope| scope.name == name);
        self.scope = known.unwrap_or_else(|| {
            self.scopes.push(Scope::new(name));
            self.scopes.len() - 1
        });
    }

    /// Books the time since the last call.
    pub(super) fn clock(&mut self) {
        let now = Instant::now();
        let seconds = (now - self.since).as_secs_f64();
        self.since = now;
        self.counts().seconds += seconds;
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.scopes[self.scope].counts[self.phase.index()]
    }
}

fn sum(parts: impl IntoIterator<Item = Counts>) -> Counts {
    let mut total = Counts::default();
    for part in parts {
        total += part;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_and_scopes_add_up() {
        let mut stats = Stats::new();
        stats.sent(1);
        stats.set_phase(Phase::Online);
        stats.set_scope("layer 1");
        stats.sent(10);
        stats.half_rounds(2);
        stats.set_scope("layer 2");
        stats.received(100);
        stats.may_fail(-40.0);
        stats.set_scope("layer 1");
        stats.sent(1000);
        stats.may_fail(-2000.0);
        stats.may_fail(-2000.0);
        assert_eq!(stats.current(), (Phase::Online, "layer 1"));
        let bytes = |counts: Counts| (counts.bytes_sent, counts.bytes_received, counts.half_rounds);
        assert_eq!(bytes(stats.total()), (1011, 100, 2));
        assert_eq!(bytes(stats.phase(Phase::Setup)), (1, 0, 0));
        assert_eq!(bytes(stats.phase(Phase::Online)), (1010, 100, 2));
        assert_eq!(bytes(stats.scope("layer 1")), (1010, 0, 2));
        assert_eq!(stats.failure("layer 2"), Some(-40.0));
        assert!(stats.failure("layer 1").is_some_and(|log2| (log2 + 1999.0).abs() < 1e-9));
        assert_eq!((stats.failure(""), stats.failure("nowhere")), (None, None));
        assert_eq!(bytes(stats.scope("nowhere")), (0, 0, 0));
        assert_eq!(stats.scopes().map(|(name, _)| name).collect::<Vec<_>>(), ["", "layer 1", "layer 2"]);
    }
}
