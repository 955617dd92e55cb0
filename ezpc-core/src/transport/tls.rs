//! TCP under TLS 1.3, both ends authenticated.
//!
//! Each party has an [`Identity`], a certificate with its private key, and says with [`Trust`] whom it talks to: the
//! holders of pinned certificates, or one name that a private authority has certified. Nobody else gets past the
//! TLS handshake, and a [`Listener`] goes on waiting while strangers try.
//!
//! Only TLS 1.3 is spoken, without resumption and early data. The session above is bound to the connection and to
//! both certificates through [`Transport::binding`].
//!
//! A hospital that goes to its vendor, whose certificate it was given; the vendor has a [`Listener`] instead:
//!
//! ```no_run
//! use ezpc_core::Party;
//! use ezpc_core::protocol::{Config, TwoParty};
//! use ezpc_core::transport::tls::{self, Identity, Tls, Trust};
//! use std::{path::Path, time::Duration};
//!
//! let identity = Identity::load(Path::new("hospital.cert.pem"), Path::new("hospital.key.pem"))?;
//! let tls = Tls::new(&identity, Trust::load_pinned(Path::new("vendor.cert.pem"))?)?;
//! let transport = tls::connect("vendor.example:7000", &tls, Duration::from_secs(60))?;
//! let session = TwoParty::connect(transport, Party::Client, &Config::program("richer"))?;
//! # Ok::<(), ezpc_core::Error>(())
//! ```

mod identity;
mod listen;
mod stream;
#[cfg(test)]
mod tests;
mod trust;

pub use identity::{Fingerprint, Identity};
pub use listen::Listener;
pub use stream::TlsTransport;
pub use trust::Trust;

use super::{Transport, tcp};
use crate::error::{Error, ErrorKind, Result};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest that the TLS handshake may take, and the most bytes that it may read.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE_BYTES: u64 = 64 << 10;

/// The protocol's name in the TLS handshake.
const PROTOCOL: &[u8] = b"ezpc/1";

/// Who this party is and whom it trusts, ready for any number of connections.
#[derive(Clone, Debug)]
pub struct Tls {
    own: Fingerprint,
    listening: Arc<ServerConfig>,
    connecting: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Connections between `identity` and whom `trust` names.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when the key does not belong to the certificate.
    pub fn new(identity: &Identity, trust: Trust) -> Result<Self> {
        let unusable =
            |error: rustls::Error| Error::usage(format!("the certificate cannot be used: {error}"));
        let provider = Arc::new(provider());
        let name = trust.name();
        let verifier = Arc::new(trust.into_verifier(&provider)?);
        let (chain, key) = (identity.chain(), identity.key());

        let listening = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .and_then(|config| {
                config.with_client_cert_verifier(Arc::clone(&verifier) as _).with_single_cert(chain, key)
            });
        let mut listening = listening.map_err(unusable)?;
        listening.alpn_protocols = vec![PROTOCOL.into()];
        listening.session_storage = Arc::new(NoServerSessionStorage {});
        listening.send_tls13_tickets = 0;

        let (chain, key) = (identity.chain(), identity.key());
        let connecting = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .and_then(|config| {
                config
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_client_auth_cert(chain, key)
            });
        let mut connecting = connecting.map_err(unusable)?;
        connecting.alpn_protocols = vec![PROTOCOL.into()];
        connecting.resumption = Resumption::disabled();
        connecting.enable_sni = false;

        let own = identity.fingerprint();
        Ok(Self { own, listening: Arc::new(listening), connecting: Arc::new(connecting), name })
    }

    /// The fingerprint of this party's certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.own
    }

    /// The handshake of the listening end.
    fn accept(&self, tcp: tcp::TcpTransport, deadline: Instant) -> Result<TlsTransport> {
        let connection = ServerConnection::new(Arc::clone(&self.listening)).map(Connection::from);
        self.shake(tcp, connection, deadline)
    }

    fn shake(
        &self,
        tcp: tcp::TcpTransport,
        connection: Result<Connection, rustls::Error>,
        deadline: Instant,
    ) -> Result<TlsTransport> {
        let peer = tcp.peer();
        let what = || format!("TLS handshake with {peer}");
        let mut connection = connection.map_err(|error| failure(&what(), stream::invalid(error)))?;
        handshake(&mut connection, &tcp, deadline).map_err(|error| failure(&what(), error))?;
        if connection.alpn_protocol() != Some(PROTOCOL) {
            return Err(Error::handshake(format!("{}: the peer does not speak ezpc", what())));
        }
        TlsTransport::new(connection, tcp, self.own)
    }
}

/// Connects to a listening peer at `address`, for example `example.org:7000`; tries again until `timeout` when
/// nobody listens yet.
///
/// The listening end looks at our certificate last: when it refuses us, the first message of the session fails.
///
/// # Errors
/// [`ErrorKind::Handshake`] when the peer's certificate is not trusted.
pub fn connect(address: &str, tls: &Tls, timeout: Duration) -> Result<TlsTransport> {
    let tcp = tcp::connect_insecure(address, timeout)?;
    let connection =
        ClientConnection::new(Arc::clone(&tls.connecting), tls.name.clone()).map(Connection::from);
    tls.shake(tcp, connection, Instant::now() + timeout.min(HANDSHAKE_TIMEOUT))
}

/// ring's algorithms, AES-128 first: this is the level of security of everything above.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    provider
}

/// Both sides' handshake messages, before `deadline` and of a bounded length.
fn handshake(connection: &mut Connection, tcp: &tcp::TcpTransport, deadline: Instant) -> io::Result<()> {
    use io::Read;
    let mut socket = &tcp.connection().stream;
    let mut budget = HANDSHAKE_BYTES;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left)).and_then(|()| socket.set_write_timeout(Some(left)))?;
        if connection.wants_write() {
            connection.write_tls(&mut socket)?;
            continue;
        }
        if !connection.is_handshaking() {
            return Ok(());
        }
        if budget == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
        }
        match connection.read_tls(&mut socket.take(budget))? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => budget = budget.saturating_sub(count as u64),
        }
        if let Err(error) = connection.process_new_packets() {
            // The peer learns why, if it listens.
            while connection.wants_write() && connection.write_tls(&mut socket).is_ok_and(|count| count > 0) {
            }
            return Err(stream::invalid(error));
        }
    }
}

/// What ended a handshake, in the terms of this crate.
fn failure(what: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::PermissionDenied => {
            Error::new(ErrorKind::Handshake, format!("{what}: {error}"))
        }
        _ => Error::io(what, error),
    }
}
