//! Waiting for the one peer that is trusted.

use super::{HANDSHAKE_TIMEOUT, Tls, TlsTransport};
use crate::error::{Error, Result};
use crate::transport::tcp;
use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// As many strangers as may be in their handshakes at one time; one more displaces the oldest.
const MOST_PENDING: usize = 16;

/// A socket that waits for the peer.
///
/// Whoever connects and does not pass the TLS handshake is sent away, whatever it does, and waiting goes on: each
/// handshake has its own thread, time and limit of bytes. The first who passes is the peer.
#[derive(Debug)]
pub struct Listener {
    tcp: tcp::Listener,
    tls: Tls,
}

impl Listener {
    /// Listens on `address`, for example `0.0.0.0:7000`; port 0 picks a free one.
    pub fn bind(address: &str, tls: &Tls) -> Result<Self> {
        Ok(Self { tcp: tcp::Listener::bind(address)?, tls: tls.clone() })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.tcp.local_address()
    }

    /// Waits at most `timeout` for the peer; `refused` is told about everybody else.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`](crate::error::ErrorKind::Timeout) when the peer does not come.
    pub fn accept(self, timeout: Duration, mut refused: impl FnMut(&Error)) -> Result<TlsTransport> {
        let mut shaking = Shaking::new(&self.tls, Instant::now() + timeout);
        let mut last = None;
        let accepted = self.tcp.poll(
            timeout,
            || true,
            |socket| {
                while let Some(result) = shaking.finished() {
                    match result {
                        Ok(peer) => return Ok(peer),
                        Err(error) => {
                            refused(&error);
                            last = Some(error);
                        }
                    }
                }
                let (stream, address) = socket.accept()?;
                shaking.start(stream, address)?;
                Err(io::ErrorKind::WouldBlock.into())
            },
        );
        accepted.map_err(|error| match last {
            Some(last) => Error::new(error.kind(), format!("{error} (somebody else came: {last})")),
            None => error,
        })
    }
}

/// The handshakes that are going on.
struct Shaking<'a> {
    tls: &'a Tls,
    deadline: Instant,
    /// The oldest first.
    pending: VecDeque<(u64, TcpStream)>,
    next: u64,
    done: Sender<(u64, Result<TlsTransport>)>,
    results: Receiver<(u64, Result<TlsTransport>)>,
}

impl<'a> Shaking<'a> {
    fn new(tls: &'a Tls, deadline: Instant) -> Self {
        let (done, results) = mpsc::channel();
        Self { tls, deadline, pending: VecDeque::new(), next: 0, done, results }
    }

    /// The result of a handshake that has ended.
    fn finished(&mut self) -> Option<Result<TlsTransport>> {
        let (id, result) = self.results.try_recv().ok()?;
        self.pending.retain(|(other, _)| *other != id);
        Some(result)
    }

    fn start(&mut self, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
        if self.pending.len() == MOST_PENDING
            && let Some((_, oldest)) = self.pending.pop_front()
        {
            // It fails when the stranger is gone already, which is what we want.
            let _ = oldest.shutdown(Shutdown::Both);
        }
        let id = self.next;
        self.next += 1;
        self.pending.push_back((id, stream.try_clone()?));
        let deadline = self.deadline.min(Instant::now() + HANDSHAKE_TIMEOUT);
        let (tls, done) = (self.tls.clone(), self.done.clone());
        thread::Builder::new().name("ezpc handshake".into()).spawn(move || {
            let result = tcp::TcpTransport::new(stream, address).and_then(|tcp| tls.accept(tcp, deadline));
            // Nobody listens any more when the peer was found.
            let _ = done.send((id, result));
        })?;
        Ok(())
    }
}

impl Drop for Shaking<'_> {
    fn drop(&mut self) {
        for (_, stream) in &self.pending {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
