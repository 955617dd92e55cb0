//! The connection of a party that runs alone.

use crate::{Common, Ui};
use ezpc_core::transport::{Channel, tcp};
use ezpc_core::{Party, Result};

pub(crate) fn listen(address: &str) -> Result<tcp::Listener> {
    tcp::Listener::bind(address)
}

/// Waits for the peer or goes to it, as the flags say.
pub(crate) fn connect(common: &Common, party: Party, ui: &Ui) -> Result<Channel> {
    if common.insecure_plain_tcp {
        ui.warn("the connection is neither encrypted nor authenticated (--insecure-plain-tcp)");
    }
    let timeout = common.timeout();
    let transport = match (&common.listen, &common.connect) {
        (Some(address), _) => {
            let listener = listen(address)?;
            ui.note(&format!("waiting for the {} on {}", party.peer(), listener.local_address()));
            listener.accept(timeout)?
        }
        (None, address) => tcp::connect(address.as_deref().unwrap_or_default(), timeout)?,
    };
    Channel::new(transport, party, timeout)
}
