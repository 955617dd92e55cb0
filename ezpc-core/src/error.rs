//! The error of everything that can fail: what went wrong and where, in one line, without secrets.

use std::io;

/// `Result` with [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What kind of thing went wrong; decides exit codes and whether to retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's arguments do not make sense: shapes, widths, ranges, options.
    Usage,
    /// The operating system refused a socket or a file.
    Io,
    /// The peer did not answer in time.
    Timeout,
    /// The peer closed the connection.
    Closed,
    /// The peer runs something else: version, parameters, program, role.
    Handshake,
    /// The peer sent bytes that no honest party sends.
    Peer,
    /// The caller asked to stop.
    Cancelled,
}

/// An error with its [`ErrorKind`] and a one-line message. It never contains secret values.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    #[source]
    source: Option<io::Error>,
}

impl Error {
    /// An error of the given kind; the message is lower-case, one line, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The caller's arguments do not make sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// The peer sent bytes that no honest party sends.
    pub fn peer(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Peer, message)
    }

    /// The peer runs something else.
    pub fn handshake(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Handshake, message)
    }

    /// An operating-system error while doing `what`. Time-outs and closed connections get their own kinds.
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        let (kind, message) = match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                (ErrorKind::Timeout, format!("{what}: the peer did not answer in time"))
            }
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => {
                (ErrorKind::Closed, format!("{what}: the peer closed the connection"))
            }
            _ => (ErrorKind::Io, format!("{what}: {source}")),
        };
        Self { kind, message, source: Some(source) }
    }

    /// The same error with a prefix that says where it happened.
    #[must_use]
    pub fn context(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }
}
