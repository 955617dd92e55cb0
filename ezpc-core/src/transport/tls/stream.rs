//! The two directions of a TLS connection, used from two threads.
//!
//! rustls has one state for both. A lock around it is held while records are encrypted or decrypted and never while
//! the socket is waited for: the reading half owns reading from the socket, the writing half writing to it, so
//! records stay in order without a common lock.

use super::identity::Fingerprint;
use crate::error::{Error, Result};
use crate::transport::{Halves, Transport, tcp};
use rustls::{AlertDescription, Connection};
use sha2::{Digest, Sha256};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Ciphertext is read from the socket in pieces of this size, and plaintext encrypted in such.
const PIECE: usize = 64 << 10;

/// A TCP connection under TLS.
pub struct TlsTransport {
    shared: Arc<Shared>,
    pub(super) tcp: tcp::TcpTransport,
    peer: Fingerprint,
    binding: [u8; 32],
}

struct Shared(Mutex<Connection>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        // rustls does not panic half-way; if it did, its state would answer with errors.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsTransport {
    /// A connection whose handshake is done.
    pub(super) fn new(connection: Connection, tcp: tcp::TcpTransport, own: Fingerprint) -> Result<Self> {
        let certificate = connection.peer_certificates().and_then(|all| all.first());
        let peer =
            Fingerprint::of(certificate.ok_or_else(|| Error::handshake("the peer has no certificate"))?);
        // What TLS exports depends on everything up to the listening end's certificate. The other certificate comes
        // later: both are named here.
        let exported = connection.export_keying_material([0; 32], b"EXPORTER-ezpc-session", None);
        let exported: [u8; 32] = exported.map_err(|error| Error::handshake(format!("TLS: {error}")))?;
        let (listening, connecting) =
            if matches!(connection, Connection::Server(_)) { (own, peer) } else { (peer, own) };
        let binding = Sha256::new()
            .chain_update(b"ezpc tls binding\0")
            .chain_update(exported)
            .chain_update(listening.as_bytes())
            .chain_update(connecting.as_bytes())
            .finalize()
            .into();
        Ok(Self { shared: Arc::new(Shared(Mutex::new(connection))), tcp, peer, binding })
    }

    /// The address of the peer.
    #[must_use]
    pub const fn peer_address(&self) -> SocketAddr {
        self.tcp.peer_address()
    }

    /// The fingerprint of the peer's certificate.
    #[must_use]
    pub const fn peer_fingerprint(&self) -> Fingerprint {
        self.peer
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.tcp.peer_address();
        f.debug_struct("TlsTransport")
            .field("peer", &peer)
            .field("fingerprint", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Transport for TlsTransport {
    fn peer(&self) -> String {
        self.tcp.peer()
    }

    fn split(&self) -> Result<Halves> {
        let socket = || self.tcp.connection().try_clone();
        let read = ReadHalf {
            shared: Arc::clone(&self.shared),
            socket: socket()?,
            raw: vec![0; PIECE].into(),
            start: 0,
            end: 0,
        };
        let write = WriteHalf { shared: Arc::clone(&self.shared), socket: socket()?, records: Vec::new() };
        Ok((Box::new(read), Box::new(write)))
    }

    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        self.tcp.set_timeout(timeout)
    }

    fn binding(&self) -> Option<[u8; 32]> {
        Some(self.binding)
    }

    fn shutdown(&self) {
        self.tcp.shutdown();
    }
}

/// The stream from the peer.
struct ReadHalf {
    shared: Arc<Shared>,
    socket: TcpStream,
    /// Ciphertext that rustls has not taken yet.
    raw: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Read for ReadHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut connection = self.shared.lock();
            loop {
                match connection.reader().read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // Zero after the peer's good-bye, an error when the connection was cut without one.
                    result => return result,
                }
                if self.start == self.end {
                    break;
                }
                let mut rest = &self.raw[self.start..self.end];
                connection.read_tls(&mut rest)?;
                self.start = self.end - rest.len();
                connection.process_new_packets().map_err(invalid)?;
            }
            drop(connection);
            match self.socket.read(&mut self.raw)? {
                0 => {
                    let mut connection = self.shared.lock();
                    connection.read_tls(&mut io::empty())?;
                    connection.process_new_packets().map_err(invalid)?;
                }
                count => (self.start, self.end) = (0, count),
            }
        }
    }
}

/// The stream to the peer; dropping it says good-bye.
struct WriteHalf {
    shared: Arc<Shared>,
    socket: TcpStream,
    records: Vec<u8>,
}

impl WriteHalf {
    /// Everything that rustls wants to write goes to the socket.
    fn flush_records(&mut self, mut connection: MutexGuard<'_, Connection>) -> io::Result<()> {
        self.records.clear();
        while connection.wants_write() {
            connection.write_tls(&mut self.records)?;
        }
        drop(connection);
        self.socket.write_all(&self.records)
    }
}

impl Write for WriteHalf {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let shared = Arc::clone(&self.shared);
        let mut connection = shared.lock();
        let count = connection.writer().write(&buffer[..buffer.len().min(PIECE)])?;
        self.flush_records(connection)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut connection = shared.lock();
        connection.send_close_notify();
        // Both fail when the connection is gone already, which is what we want.
        let _ = self.flush_records(connection);
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// What rustls has to say, as an error of a stream.
pub(super) fn invalid(error: rustls::Error) -> io::Error {
    use AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(_) => {
            io::Error::new(io::ErrorKind::PermissionDenied, format!("the peer is not trusted: {error}"))
        }
        rustls::Error::AlertReceived(
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError,
        ) => io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the peer does not trust this party's certificate",
        ),
        error => io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
    }
}
