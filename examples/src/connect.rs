//! The connection to the other party.

use crate::{Common, Ui, stop};
use ezpc_core::protocol::{Config, TwoParty};
#[cfg(feature = "tls")]
use ezpc_core::transport::tls;
use ezpc_core::transport::{Channel, Link, Transport, tcp};
use ezpc_core::{Party, Result};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A connection over which nothing was said yet.
pub struct Connection {
    transport: Arc<dyn Transport>,
    party: Party,
    timeout: Duration,
    deadline: Option<Duration>,
    threads: usize,
    link: Option<Link>,
}

impl Connection {
    pub(crate) fn new(common: &Common, party: Party, transport: impl Transport + 'static) -> Self {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        stop::at_signal(Arc::clone(&transport));
        let (timeout, deadline) = (common.timeout(), common.deadline());
        Self { transport, party, timeout, deadline, threads: common.threads, link: common.link() }
    }

    /// Waits for the peer or goes to it, as the flags say.
    pub(crate) fn open(common: &Common, party: Party, ui: &Ui) -> Result<Self> {
        if common.insecure_plain_tcp {
            ui.warn("the connection is neither encrypted nor authenticated (--insecure-plain-tcp)");
        }
        let waiting = |address| ui.note(&format!("waiting for the {} on {address}", party.peer()));
        #[cfg(feature = "tls")]
        if let Some(tls) = common.tls.load()? {
            let transport = match (&common.listen, &common.connect) {
                (Some(address), _) => {
                    let listener = tls::Listener::bind(address, &tls)?;
                    waiting(listener.local_address());
                    listener.accept(common.timeout(), |error| ui.note(&format!("refused: {error}")))?
                }
                (None, address) => {
                    tls::connect(address.as_deref().unwrap_or_default(), &tls, common.timeout())?
                }
            };
            ui.note(&format!(
                "connected to the {}, certificate {}",
                party.peer(),
                transport.peer_fingerprint()
            ));
            return Ok(Self::new(common, party, transport));
        }
        let transport = match (&common.listen, &common.connect) {
            (Some(address), _) => {
                let listener = match common.insecure_plain_tcp {
                    true => tcp::Listener::bind_insecure(address)?,
                    false => tcp::Listener::bind(address)?,
                };
                waiting(listener.local_address());
                listener.accept(common.timeout())?
            }
            (None, address) => {
                let address = address.as_deref().unwrap_or_default();
                match common.insecure_plain_tcp {
                    true => tcp::connect_insecure(address, common.timeout())?,
                    false => tcp::connect(address, common.timeout())?,
                }
            }
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
        config.deadline = self.deadline;
        config.threads = self.threads;
        config.link = self.link;
        TwoParty::connect(self.transport, self.party, &config)
    }

    /// A bare channel, for programs that bring their own protocol.
    pub fn channel(self) -> Result<Channel> {
        let mut channel = Channel::new(self.transport, self.party, self.timeout)?;
        channel.set_deadline(self.deadline);
        Ok(channel)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("party", &self.party).finish_non_exhaustive()
    }
}
