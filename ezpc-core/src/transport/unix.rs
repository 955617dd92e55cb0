//! Unix domain sockets: two processes of one machine.

use super::socket::Connection;
use super::{Halves, Transport, tcp};
use crate::error::{Error, Result};
use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A socket file that waits for the peer; removed when dropped.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
}

impl Listener {
    /// Creates the socket file `path`, which must not exist.
    pub fn bind(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let socket = UnixListener::bind(path)
            .map_err(|error| Error::io(format!("cannot listen on {}", path.display()), error))?;
        Ok(Self { socket, path: path.into() })
    }

    /// Waits at most `timeout` for one peer.
    pub fn accept(self, timeout: Duration) -> Result<UnixTransport> {
        let what = format!("waiting for the peer on {}", self.path.display());
        let accepted =
            tcp::poll_accept(&what, timeout, |on| self.socket.set_nonblocking(on), || self.socket.accept());
        let (stream, _) = accepted?;
        stream.set_nonblocking(false).map_err(|error| Error::io(what, error))?;
        Ok(UnixTransport::new(stream, self.path.clone()))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Somebody else may have removed it; there is nothing to tell anyone.
        let _ = fs::remove_file(&self.path);
    }
}

/// Connects to the socket file `path`; tries again until `timeout` when nobody listens yet.
pub fn connect(path: impl AsRef<Path>, timeout: Duration) -> Result<UnixTransport> {
    let path = path.as_ref();
    let stream = tcp::retry(&path.display().to_string(), timeout, |_| UnixStream::connect(path))?;
    Ok(UnixTransport::new(stream, path.into()))
}

/// A connection over a Unix domain socket.
#[derive(Debug)]
pub struct UnixTransport {
    connection: Connection<UnixStream>,
    path: PathBuf,
}

impl UnixTransport {
    fn new(stream: UnixStream, path: PathBuf) -> Self {
        Self { connection: Connection::new(stream, format!("connection over {}", path.display())), path }
    }
}

impl Transport for UnixTransport {
    fn peer(&self) -> String {
        self.path.display().to_string()
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
