//! Plain TCP: for one machine, or below something that encrypts.
//!
//! Addresses of other machines are refused except by functions with `insecure` in their name; `transport::tls` (feature
//! `tls`) is what two machines talk over.

use super::socket::Connection;
use super::{Halves, Transport};
use crate::error::{Error, ErrorKind, Result};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A socket that waits for the peer.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Listens on `address` of this machine alone, for example `127.0.0.1:7000`; port 0 picks a free one.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when other machines can reach the address.
    pub fn bind(address: &str) -> Result<Self> {
        Self::bind_resolved(address, &loopback(address)?)
    }

    /// As [`Listener::bind`], also for addresses that other machines can reach. What travels is neither encrypted nor
    /// authenticated: anyone on the way can read and change everything.
    pub fn bind_insecure(address: &str) -> Result<Self> {
        Self::bind_resolved(address, &resolve(address)?)
    }

    fn bind_resolved(address: &str, resolved: &[SocketAddr]) -> Result<Self> {
        let what = || format!("cannot listen on {address}");
        let socket = TcpListener::bind(resolved).map_err(|error| Error::io(what(), error))?;
        let address = socket.local_addr().map_err(|error| Error::io(what(), error))?;
        Ok(Self { socket, address })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Waits at most `timeout` for one peer; a second one is refused by the operating system.
    pub fn accept(self, timeout: Duration) -> Result<TcpTransport> {
        self.accept_while(timeout, || true)
    }

    /// As [`Listener::accept`], and asks `go_on` several times a second whether to wait any longer; when not,
    /// the error is of the kind [`ErrorKind::Cancelled`].
    pub fn accept_while(self, timeout: Duration, go_on: impl FnMut() -> bool) -> Result<TcpTransport> {
        let (stream, peer) = self.poll(timeout, go_on, |socket| socket.accept())?;
        TcpTransport::new(stream, peer)
    }

    /// Calls `accept` again and again until it has something.
    pub(super) fn poll<T>(
        &self,
        timeout: Duration,
        mut go_on: impl FnMut() -> bool,
        mut accept: impl FnMut(&TcpListener) -> io::Result<T>,
    ) -> Result<T> {
        let what = format!("waiting for the peer on {}", self.address);
        let accepted = poll_accept(
            &what,
            timeout,
            |on| self.socket.set_nonblocking(on),
            || if go_on() { accept(&self.socket).map(Some) } else { Ok(None) },
        )?;
        accepted.ok_or_else(|| Error::new(ErrorKind::Cancelled, format!("{what}: cancelled")))
    }
}

/// Connects to a peer that listens at `address` of this machine, for example `localhost:7000`; tries again until
/// `timeout` when nobody listens yet.
///
/// # Errors
/// [`ErrorKind::Usage`] when the address is of another machine.
pub fn connect(address: &str, timeout: Duration) -> Result<TcpTransport> {
    connect_resolved(address, &loopback(address)?, timeout)
}

/// As [`connect`], also to other machines. What travels is neither encrypted nor authenticated: anyone on the way can
/// read and change everything.
pub fn connect_insecure(address: &str, timeout: Duration) -> Result<TcpTransport> {
    connect_resolved(address, &resolve(address)?, timeout)
}

fn connect_resolved(address: &str, candidates: &[SocketAddr], timeout: Duration) -> Result<TcpTransport> {
    retry(address, timeout, |left| {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for candidate in candidates {
            match TcpStream::connect_timeout(candidate, left) {
                Ok(stream) => return Ok((stream, *candidate)),
                Err(error) => last = error,
            }
        }
        Err(last)
    })
    .and_then(|(stream, peer)| TcpTransport::new(stream, peer))
}

/// The addresses behind a name and port.
fn resolve(address: &str) -> Result<Vec<SocketAddr>> {
    let found = address
        .to_socket_addrs()
        .map_err(|error| Error::new(ErrorKind::Usage, format!("`{address}` is no address: {error}")))?
        .collect::<Vec<_>>();
    if found.is_empty() {
        return Err(Error::usage(format!("`{address}` is no address: the name has none")));
    }
    Ok(found)
}

/// Whether every address behind a name and port is of this machine.
///
/// # Errors
/// [`ErrorKind::Usage`] when it is no address.
pub fn is_loopback(address: &str) -> Result<bool> {
    Ok(all_loopback(&resolve(address)?))
}

fn all_loopback(found: &[SocketAddr]) -> bool {
    found.iter().all(|one| one.ip().to_canonical().is_loopback())
}

/// The addresses behind a name and port, all of them of this machine.
fn loopback(address: &str) -> Result<Vec<SocketAddr>> {
    let found = resolve(address)?;
    if all_loopback(&found) {
        return Ok(found);
    }
    Err(Error::usage(format!(
        "{address} is not on this machine alone, and plain TCP is neither encrypted nor authenticated: use TLS, or the \
         function that is called insecure"
    )))
}

/// Accepts one connection within `timeout`: the standard library has no time-out here, so this asks again with
/// growing pauses.
///
/// No error of `accept` ends the wait. They are about one connection (its peer gave up between knocking and being let
/// in, its network went away) or pass (no descriptor or memory is free); what the last one was is told with the time-out.
pub(super) fn poll_accept<T>(
    what: &str,
    timeout: Duration,
    set_nonblocking: impl Fn(bool) -> io::Result<()>,
    mut accept: impl FnMut() -> io::Result<T>,
) -> Result<T> {
    set_nonblocking(true).map_err(|error| Error::io(what, error))?;
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    let mut last = None;
    loop {
        match accept() {
            Ok(accepted) => return Ok(accepted),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => last = Some(error),
        }
        let Some(left) = timeout.checked_sub(start.elapsed()) else {
            let late = Error::io(what, io::ErrorKind::TimedOut.into());
            return Err(match last {
                Some(last) => {
                    Error::new(late.kind(), format!("{late} (somebody could not be let in: {last})"))
                }
                None => late,
            });
        };
        sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Connects within `timeout`, again and again while nobody listens.
pub(super) fn retry<T>(
    address: &str,
    timeout: Duration,
    connect: impl Fn(Duration) -> io::Result<T>,
) -> Result<T> {
    let what = || format!("cannot connect to {address}");
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        let left = timeout.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        let error = match connect(left) {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let nobody_yet = matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound | io::ErrorKind::ConnectionReset
        );
        if !nobody_yet {
            return Err(Error::io(what(), error));
        }
        if start.elapsed() + pause >= timeout {
            let message = format!("{}: nobody listened within {} s", what(), timeout.as_secs_f32());
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct TcpTransport {
    connection: Connection<TcpStream>,
    peer: SocketAddr,
}

impl TcpTransport {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Result<Self> {
        let connection = Connection::new(stream, format!("connection to {peer}"));
        let setup = || {
            connection.stream.set_nonblocking(false)?;
            // Messages are whole when they are written: waiting for more would only add latency.
            connection.stream.set_nodelay(true)
        };
        setup().map_err(|error| connection.error(error))?;
        Ok(Self { connection, peer })
    }

    /// The address of the peer.
    #[must_use]
    pub const fn peer_address(&self) -> SocketAddr {
        self.peer
    }

    #[cfg(feature = "tls")]
    pub(super) const fn connection(&self) -> &Connection<TcpStream> {
        &self.connection
    }
}

impl Transport for TcpTransport {
    fn peer(&self) -> String {
        self.peer.to_string()
    }

    fn split(&self) -> Result<Halves> {
        self.connection.split()
    }

    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        self.connection.set_timeout(timeout)
    }

    fn shutdown(&self) {
        self.connection.shutdown();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_port_in_use_is_named() {
        let first = Listener::bind("127.0.0.1:0").expect("a free port");
        let address = first.local_address().to_string();
        let error = Listener::bind(&address).expect_err("the port is taken");
        assert_eq!(error.kind(), ErrorKind::Io);
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("cannot listen on {address}: Address already in use")),
            "{message}"
        );
    }

    #[test]
    fn nobody_comes_and_nobody_listens() {
        let listener = Listener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_address().to_string();
        let error = listener.accept(Duration::from_millis(20)).expect_err("nobody connects");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(
            error.to_string(),
            format!("waiting for the peer on {address}: the peer did not answer in time")
        );
        let listener = Listener::bind("127.0.0.1:0").expect("a free port");
        let mut asked = 0;
        let error = listener.accept_while(Duration::from_secs(60), || {
            asked += 1;
            asked < 3
        });
        assert_eq!(error.expect_err("nobody waits any longer").kind(), ErrorKind::Cancelled);
        let error = connect(&address, Duration::from_millis(20)).expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(error.to_string(), format!("cannot connect to {address}: nobody listened within 0.02 s"));
    }

    #[test]
    fn a_failing_accept_only_pauses() {
        // Aborted, no descriptor free (EMFILE), no memory, the network is down.
        let errors = || {
            let kinds =
                [io::ErrorKind::ConnectionAborted, io::ErrorKind::OutOfMemory, io::ErrorKind::NetworkDown];
            kinds.map(io::Error::from).into_iter().chain([io::Error::from_raw_os_error(24)])
        };
        let mut results = errors().map(Err).chain([Ok(7)]);
        let accepted =
            poll_accept("here", Duration::from_secs(60), |_| Ok(()), || results.next().expect("one more"));
        assert_eq!(accepted.expect("after four pauses"), 7);
        let aborted = || -> io::Result<()> { Err(io::ErrorKind::ConnectionAborted.into()) };
        let error = poll_accept("here", Duration::from_millis(20), |_| Ok(()), aborted);
        let error = error.expect_err("nobody could be let in");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("somebody could not be let in: "), "{error}");
    }

    #[test]
    fn other_machines_are_for_tls_or_for_those_who_insist() {
        for error in [
            Listener::bind("0.0.0.0:0").map(drop).expect_err("every interface"),
            Listener::bind("[::]:0").map(drop).expect_err("every interface"),
            connect("192.0.2.1:7000", Duration::ZERO).map(drop).expect_err("another machine"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("neither encrypted nor authenticated"), "{error}");
        }
        let listener = Listener::bind_insecure("0.0.0.0:0").expect("a free port");
        let address = format!("localhost:{}", listener.local_address().port());
        let peer = thread::spawn(move || connect(&address, Duration::from_secs(60)));
        listener.accept(Duration::from_secs(60)).expect("somebody connects");
        peer.join().expect("no panic").expect("somebody listens");
    }

    #[test]
    fn nonsense_is_no_address() {
        let error = Listener::bind("nowhere").expect_err("no port");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().starts_with("`nowhere` is no address"), "{error}");
    }
}
