//! The connection to the other party.

use crate::{Common, Ui};
use ezpc_core::protocol::{Config, TwoParty};
use ezpc_core::transport::{Channel, tcp};
use ezpc_core::{Party, Result};
use std::time::Duration;

/// A connection over which nothing was said yet.
#[derive(Debug)]
pub struct Connection {
    transport: tcp::TcpTransport,
    party: Party,
    timeout: Duration,
    threads: usize,
}

impl Connection {
    pub(crate) fn new(common: &Common, party: Party, transport: tcp::TcpTransport) -> Self {
        Self { transport, party, timeout: common.timeout(), threads: common.threads }
    }

    /// Waits for the peer or goes to it, as the flags say.
    pub(crate) fn open(common: &Common, party: Party, ui: &Ui) -> Result<Self> {
        if common.insecure_plain_tcp {
            ui.warn("the connection is neither encrypted nor authenticated (--insecure-plain-tcp)");
        }
        let transport = match (&common.listen, &common.connect) {
            (Some(address), _) => {
                let listener = tcp::Listener::bind(address)?;
                ui.note(&format!("waiting for the {} on {}", party.peer(), listener.local_address()));
                listener.accept(common.timeout())?
            }
            (None, address) => tcp::connect(address.as_deref().unwrap_or_default(), common.timeout())?,
        };
        Ok(Self::new(common, party, transport))
    }

    /// Which party this is.
    #[must_use]
    pub const fn party(&self) -> Party {
        self.party
    }

    /// A session of the two-party protocol for the program of this name.
    pub fn session(self, program: &str) -> Result<TwoParty> {
        let mut config = Config::program(program);
        config.timeout = self.timeout;
        config.threads = self.threads;
        TwoParty::connect(self.transport, self.party, &config)
    }

    /// A bare channel, for programs that bring their own protocol.
    pub fn channel(self) -> Result<Channel> {
        Channel::new(self.transport, self.party, self.timeout)
    }
}
