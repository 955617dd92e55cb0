//! Unix domain sockets: two processes of one machine.

use super::{Halves, Transport, tcp};
use crate::error::{Error, Result};
use std::fs;
use std::io::{self, Write};
use std::net::Shutdown;
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
        let what = || format!("waiting for the peer on {}", self.path.display());
        let accepted =
            tcp::poll_accept(timeout, |on| self.socket.set_nonblocking(on), || self.socket.accept());
        let (stream, _) = accepted.map_err(|error| Error::io(what(), error))?;
        stream.set_nonblocking(false).map_err(|error| Error::io(what(), error))?;
        Ok(UnixTransport { stream, path: self.path.clone() })
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
    Ok(UnixTransport { stream, path: path.into() })
}

/// A connection over a Unix domain socket.
#[derive(Debug)]
pub struct UnixTransport {
    stream: UnixStream,
    path: PathBuf,
}

impl Transport for UnixTransport {
    fn peer(&self) -> String {
        self.path.display().to_string()
    }

    fn split(&self) -> Result<Halves> {
        let clone = || {
            let stream = self.stream.try_clone();
            stream.map_err(|error| Error::io(format!("connection over {}", self.path.display()), error))
        };
        Ok((Box::new(clone()?), Box::new(WriteHalf(clone()?))))
    }

    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        // The operating system reads zero as "for ever".
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        self.stream
            .set_read_timeout(timeout)
            .and_then(|()| self.stream.set_write_timeout(timeout))
            .map_err(|error| Error::io(format!("connection over {}", self.path.display()), error))
    }

    fn shutdown(&self) {
        // It fails when the connection is gone already, which is what we want.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The stream to the peer; dropping it tells the peer that nothing more comes.
struct WriteHalf(UnixStream);

impl Write for WriteHalf {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // It fails when the connection is gone already, which is what we want.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
