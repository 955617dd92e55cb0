//! Waiting for the one peer that is trusted.

use super::{HANDSHAKE_TIMEOUT, Tls, TlsTransport};
use crate::error::{Error, ErrorKind, Result};
use crate::transport::tcp;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// As many strangers as may be in their handshakes at one time; one more displaces another, see [`displaced`].
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
        Ok(Self { tcp: tcp::Listener::bind_insecure(address)?, tls: tls.clone() })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.tcp.local_address()
    }

    /// Waits at most `timeout` for the peer; `refused` is told about everybody else.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when the peer does not come.
    pub fn accept(self, timeout: Duration, mut refused: impl FnMut(&Error)) -> Result<TlsTransport> {
        let deadline = Instant::now() + timeout;
        let mut shaking = Shaking::new();
        let mut last = None;
        let accepted = self.tcp.poll(
            timeout,
            || true,
            |socket| {
                // Strangers who come faster than we look do not delay each other, the peer, or the end.
                loop {
                    while let Some(result) = shaking.finished() {
                        match result {
                            Ok(peer) => return Ok(peer),
                            Err(error) => {
                                refused(&error);
                                last = Some(error);
                            }
                        }
                    }
                    if Instant::now() > deadline {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    let (stream, address) = socket.accept()?;
                    let (tls, until) = (self.tls.clone(), deadline.min(Instant::now() + HANDSHAKE_TIMEOUT));
                    let shake = move |stream| {
                        tcp::TcpTransport::new(stream, address).and_then(|tcp| tls.accept(tcp, until))
                    };
                    if let Err(error) = shaking.start(stream, address.ip(), shake) {
                        let what = format!("connection from {address}");
                        refused(&Error::io(what, io::Error::new(error.kind(), error.to_string())));
                        // No thread or descriptor was free: the listener pauses, as where `accept` lacks one.
                        return Err(error);
                    }
                }
            },
        );
        accepted.map_err(|error| match last {
            Some(last) => Error::new(error.kind(), format!("{error} (somebody else came: {last})")),
            None => error,
        })
    }
}

/// The handshakes that are going on.
struct Shaking<T> {
    /// The oldest first.
    pending: VecDeque<Pending>,
    next: u64,
    done: Sender<(u64, Result<T>)>,
    results: Receiver<(u64, Result<T>)>,
}

struct Pending {
    id: u64,
    stream: TcpStream,
    network: IpAddr,
}

impl<T: Send + 'static> Shaking<T> {
    fn new() -> Self {
        let (done, results) = mpsc::channel();
        Self { pending: VecDeque::new(), next: 0, done, results }
    }

    /// The result of a handshake that has ended. Who was displaced has no connection any more, whatever the handshake
    /// came to.
    fn finished(&mut self) -> Option<Result<T>> {
        let (id, result) = self.results.try_recv().ok()?;
        let Some(at) = self.pending.iter().position(|other| other.id == id) else {
            let displaced = || Error::new(ErrorKind::Closed, "too many came at once, and this one gave way");
            return Some(result.and_then(|_| Err(displaced())));
        };
        self.pending.remove(at);
        Some(result)
    }

    /// Starts `shake` with somebody who came from `address`, and makes room for it. When that fails, this connection
    /// alone has ended.
    fn start(
        &mut self,
        stream: TcpStream,
        address: IpAddr,
        shake: impl FnOnce(TcpStream) -> Result<T> + Send + 'static,
    ) -> io::Result<()> {
        let (id, network) = (self.next, network(address));
        self.next += 1;
        let pending = Pending { id, stream: stream.try_clone()?, network };
        let done = self.done.clone();
        thread::Builder::new().name("ezpc handshake".into()).spawn(move || {
            // Nobody listens any more when the peer was found.
            let _ = done.send((id, shake(stream)));
        })?;
        if self.pending.len() == MOST_PENDING {
            self.displace(network);
        }
        // Its result is taken by nobody but the next call of `finished`.
        self.pending.push_back(pending);
        Ok(())
    }

    fn displace(&mut self, newcomer: IpAddr) {
        let networks: Vec<IpAddr> = self.pending.iter().map(|one| one.network).collect();
        if let Some(one) = self.pending.remove(displaced(&networks, newcomer)) {
            // It fails when the stranger is gone already, which is what we want.
            let _ = one.stream.shutdown(Shutdown::Both);
        }
    }
}

impl<T> Drop for Shaking<T> {
    fn drop(&mut self) {
        for one in &self.pending {
            let _ = one.stream.shutdown(Shutdown::Both);
        }
    }
}

/// What one stranger can have many addresses of: a /64 of IPv6, one address of IPv4 in either notation.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Who gives up its place for one more from `newcomer`: the oldest of the network that has most places with that one.
/// So whoever floods the listener from one place displaces itself.
fn displaced(pending: &[IpAddr], newcomer: IpAddr) -> usize {
    let places = |network: IpAddr| {
        pending.iter().filter(|one| **one == network).count() + usize::from(network == newcomer)
    };
    let most = pending.iter().map(|one| places(*one)).max().unwrap_or_default();
    pending.iter().position(|one| places(*one) == most).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};
    use std::time::Duration;

    const fn v4(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[test]
    fn networks_are_what_one_stranger_has() {
        let parse = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(parse("2001:db8::1"), parse("2001:db8::ffff:1"));
        assert_ne!(parse("2001:db8::1"), parse("2001:db8:0:1::1"));
        assert_eq!(parse("::ffff:192.0.2.1"), v4(1));
        assert_ne!(parse("192.0.2.1"), parse("192.0.2.2"));
    }

    #[test]
    fn the_busiest_network_gives_way() {
        assert_eq!(displaced(&[v4(1), v4(2), v4(3), v4(2)], v4(4)), 1, "two places");
        assert_eq!(displaced(&[v4(1), v4(2), v4(3)], v4(3)), 2, "two places with the new one");
        assert_eq!(displaced(&[v4(1), v4(2), v4(3)], v4(4)), 0, "all alike: the oldest");
    }

    /// Two ends of a connection.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let far = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
        (listener.accept().expect("somebody came").0, far)
    }

    /// A handshake that ends when the connection does.
    fn wait(mut stream: TcpStream) -> Result<()> {
        stream.read(&mut [0]).map(drop).map_err(|error| Error::io("waiting", error))
    }

    fn is_open(far: &mut TcpStream) -> bool {
        far.set_nonblocking(true).expect("TCP");
        far.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    #[test]
    fn a_flood_from_one_place_leaves_others_alone() {
        let mut shaking = Shaking::new();
        let (near, mut slow) = connection();
        shaking.start(near, v4(1), wait).expect("a thread");
        let mut flood: Vec<TcpStream> = (0..3 * MOST_PENDING)
            .map(|_| {
                let (near, far) = connection();
                shaking.start(near, v4(2), wait).expect("a thread");
                assert!(shaking.pending.len() <= MOST_PENDING);
                far
            })
            .collect();
        // The displaced ones end, without anybody's help.
        for far in &mut flood[..2 * MOST_PENDING] {
            assert_eq!(far.read(&mut [0]).expect("an end"), 0);
        }
        assert!(is_open(&mut slow), "who came first is still there");
        drop(shaking);
        assert_eq!(flood[3 * MOST_PENDING - 1].read(&mut [0]).expect("an end"), 0, "nobody is left waiting");
    }

    #[test]
    fn a_finished_handshake_gives_its_place_back() {
        let mut shaking = Shaking::new();
        let (near, far) = connection();
        shaking.start(near, v4(1), wait).expect("a thread");
        assert_eq!(shaking.pending.len(), 1);
        drop(far);
        let result = loop {
            match shaking.finished() {
                Some(result) => break result,
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        result.expect("an end of the stream is what it waits for");
        assert!(shaking.pending.is_empty());
    }

    /// A stranger who comes when the peer's handshake has ended, and nobody has looked, does not end the wait with a
    /// connection that is gone.
    #[test]
    fn who_is_displaced_after_its_handshake_is_not_the_peer() {
        let mut shaking = Shaking::new();
        let (near, mut far) = connection();
        let (shaken, is_shaken) = mpsc::channel();
        let shake = move |stream| {
            shaken.send(()).expect("the test waits");
            Ok(Some(stream))
        };
        shaking.start(near, v4(1), shake).expect("a thread");
        is_shaken.recv().expect("a handshake");
        let _flood: Vec<TcpStream> = (0..MOST_PENDING)
            .map(|_| {
                let (near, far) = connection();
                shaking.start(near, v4(1), |stream| wait(stream).map(|()| None)).expect("a thread");
                far
            })
            .collect();
        let result = loop {
            match shaking.finished() {
                Some(result) => break result,
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        assert_eq!(result.map(drop).expect_err("it was displaced").kind(), ErrorKind::Closed);
        assert_eq!(far.read(&mut [0]).expect("an end"), 0);
        assert_eq!(shaking.pending.len(), MOST_PENDING);
        assert!(shaking.finished().is_none(), "the others are still there");
    }
}
