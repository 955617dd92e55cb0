//! Opening a session of the two-party protocol: the only place that asks the operating system for randomness.

use super::two_party::{self, TwoParty};
use crate::crypto::{Block, Prg};
use crate::error::{Error, Result};
use crate::ot::CotEngine;
use crate::party::Party;
use crate::transport::cost::Cost;
use crate::transport::handshake::{self, Parameters};
use crate::transport::{Channel, Link, Transport, probe};
use std::time::Duration;

/// How a party runs a session. Nothing here is secret, and only `timeout`, `deadline`, `threads` and `weights_memory` may differ
/// between the parties.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The longest single wait for the peer; also bounds the time of one message (see [`Channel::new`]).
    pub timeout: Duration,
    /// The longest time for the whole session, `None` for any: bounds what a peer can cost that is slow on purpose.
    pub deadline: Option<Duration>,
    /// The cores this party may use; results do not depend on it.
    pub threads: usize,
    /// The most bytes for transformed weights of layers that run more than once; results do not depend on it. A layer
    /// without room transforms its weights each time.
    pub weights_memory: usize,
    /// What the program is called in the handshake; both parties must say the same.
    pub program: String,
    /// How correlated OTs are made; both parties must say the same.
    pub cots: CotEngine,
    /// The link between the parties, for the choice between fewer bytes and less work; both parties must say the same.
    /// `None`: they measure it when they connect. With a link that is given, and fixed seeds, two runs send identical bytes.
    pub link: Option<Link>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            deadline: None,
            threads: 1,
            weights_memory: 1 << 30,
            program: String::new(),
            cots: CotEngine::Ferret,
            link: Some(Link::default()),
        }
    }
}

impl Config {
    /// The default with a program's name.
    #[must_use]
    pub fn program(name: &str) -> Self {
        Self { program: name.to_owned(), ..Self::default() }
    }

    /// What both parties compare in the handshake.
    fn parameters(&self) -> Parameters {
        Parameters::new()
            .with("program", &self.program)
            .with("cots", self.cots.to_string())
            .with("link", self.link_text())
    }

    fn link_text(&self) -> String {
        match self.link {
            Some(link) => link.to_string(),
            None => String::from("measured"),
        }
    }

    /// The cost of measuring the link.
    fn probe_cost(&self) -> Cost {
        if self.link.is_none() { probe::probe_cost() } else { Cost::none() }
    }

    /// The cost of [`TwoParty::connect`].
    #[must_use]
    pub fn connect_cost(&self) -> Cost {
        let hello = handshake::hello_len(&self.parameters());
        Cost::level(hello, hello).then(self.probe_cost()).then(two_party::setup_cost())
    }
}

impl TwoParty {
    /// Opens a session over `transport`: handshake, base OTs, keys.
    ///
    /// # Errors
    /// [`ErrorKind::Handshake`](crate::error::ErrorKind::Handshake) when the peer is not the other party of the
    /// same program with the same parameters, with the difference; and whatever goes wrong on the wire.
    pub fn connect(transport: impl Transport + 'static, party: Party, config: &Config) -> Result<Self> {
        let mut seed = [0; 16];
        getrandom::fill(&mut seed)
            .map_err(|e| Error::usage(format!("the operating system gave no randomness: {e}")))?;
        Self::connect_seeded(transport, party, config, Prg::from_seed(Block::from_bytes(seed)))
    }

    /// As [`TwoParty::connect`] with this party's randomness from `rng`: with fixed seeds two runs send identical
    /// bytes. The seed decides every secret of the run; use it once.
    pub fn connect_seeded(
        transport: impl Transport + 'static,
        party: Party,
        config: &Config,
        mut rng: Prg,
    ) -> Result<Self> {
        let mut channel = Channel::new(transport, party, config.timeout)?;
        channel.set_deadline(config.deadline);
        let parameters = config.parameters();
        let nonce = rng.fork("session nonce").block().to_bytes();
        let session = handshake::open(&mut channel, &parameters, nonce)?;
        let link = match config.link {
            Some(link) => link,
            None => probe::probe(&mut channel)?,
        };
        Self::setup(channel, *session.as_bytes(), config, link, rng)
    }

    /// Swaps public data whose length the peer does not know; takes at most `limit` bytes.
    pub fn exchange_public(&mut self, what: &str, mine: Vec<u8>, limit: usize) -> Result<Vec<u8>> {
        handshake::exchange_public(self.channel(), what, mine, limit)
    }
}
