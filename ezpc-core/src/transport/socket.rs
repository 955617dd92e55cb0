//! What the sockets of the operating system share.

use super::Halves;
use crate::error::{Error, Result};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A connected stream socket.
pub(super) trait Socket: Read + Write + Send + Sized + 'static {
    fn try_clone(&self) -> io::Result<Self>;
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;
}

macro_rules! socket {
    ($type:ty) => {
        impl Socket for $type {
            fn try_clone(&self) -> io::Result<Self> {
                <$type>::try_clone(self)
            }
            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$type>::set_read_timeout(self, timeout)
            }
            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                <$type>::set_write_timeout(self, timeout)
            }
            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                <$type>::shutdown(self, how)
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(UnixStream);

/// A connection over a socket; `name` opens its error messages: `connection to 127.0.0.1:7000`.
#[derive(Debug)]
pub(super) struct Connection<S> {
    pub(super) stream: S,
    name: String,
}

impl<S: Socket> Connection<S> {
    pub(super) const fn new(stream: S, name: String) -> Self {
        Self { stream, name }
    }

    pub(super) fn error(&self, error: io::Error) -> Error {
        Error::io(&self.name, error)
    }

    pub(super) fn try_clone(&self) -> Result<S> {
        self.stream.try_clone().map_err(|error| self.error(error))
    }

    pub(super) fn split(&self) -> Result<Halves> {
        Ok((Box::new(self.try_clone()?), Box::new(WriteHalf(self.try_clone()?))))
    }

    pub(super) fn set_timeout(&self, timeout: Duration) -> Result<()> {
        // The operating system reads zero as "for ever".
        let timeout = Some(timeout.max(Duration::from_millis(1)));
        self.stream
            .set_read_timeout(timeout)
            .and_then(|()| self.stream.set_write_timeout(timeout))
            .map_err(|error| self.error(error))
    }

    pub(super) fn shutdown(&self) {
        // It fails when the connection is gone already, which is what we want.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// The stream to the peer; dropping it tells the peer that nothing more comes.
struct WriteHalf<S: Socket>(S);

impl<S: Socket> Write for WriteHalf<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Socket> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        // It fails when the connection is gone already, which is what we want.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
