//! The reading side of a channel.

use crate::error::{Error, Result};
use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Small messages are read through a buffer of this size, larger ones go straight to their place.
const BUFFER: usize = 64 << 10;

/// Space for a message is taken in steps of at least this size, as bytes arrive.
const STEP: usize = 1 << 20;

/// Reads exactly what was declared.
pub(super) struct Reader {
    stream: Box<dyn Read + Send>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Declared and not yet taken from the stream.
    expected: usize,
}

/// Why receiving failed.
pub(super) enum Failure {
    Read(io::Error),
    Other(Error),
}

impl Failure {
    pub(super) fn into_error(self, what: &str) -> Error {
        match self {
            // What an authenticated transport says about a peer that breaks its rules, or does not trust us.
            Self::Read(error) if error.kind() == io::ErrorKind::InvalidData => {
                Error::peer(format!("{what}: {error}"))
            }
            Self::Read(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Error::handshake(format!("{what}: {error}"))
            }
            Self::Read(error) => Error::io(what, error),
            Self::Other(error) => error.context(what),
        }
    }
}

impl Reader {
    pub(super) fn new(stream: Box<dyn Read + Send>) -> Self {
        Self { stream, buffer: vec![0; BUFFER].into(), start: 0, end: 0, expected: 0 }
    }

    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected += bytes;
    }

    pub(super) fn buffered(&self) -> usize {
        self.end - self.start
    }

    /// Receives `need` bytes; `before_read` is called before every wait for the peer.
    pub(super) fn receive(
        &mut self,
        need: usize,
        before_read: impl Fn() -> Result<()>,
    ) -> Result<Vec<u8>, Failure> {
        debug_assert!(need <= self.buffered() + self.expected, "receiving more than was declared");
        let mut message = Vec::with_capacity(need.min(STEP));
        self.take(&mut message, need);
        while message.len() < need {
            before_read().map_err(Failure::Other)?;
            let missing = need - message.len();
            if missing < BUFFER {
                // What is declared beyond this message may come along, and nothing else.
                let most = self.expected.min(BUFFER);
                self.end = read_some(&mut self.stream, &mut self.buffer[..most])?;
                self.start = 0;
                self.expected -= self.end;
                self.take(&mut message, need);
            } else {
                let old = message.len();
                let step = missing.min(old.max(STEP));
                message.reserve_exact(step);
                message.resize(old + step, 0);
                let mut filled = old;
                while filled < message.len() {
                    if filled > old {
                        before_read().map_err(Failure::Other)?;
                    }
                    let count = read_some(&mut self.stream, &mut message[filled..])?;
                    filled += count;
                    self.expected -= count;
                }
            }
        }
        Ok(message)
    }

    /// Reads until the peer ends, or `most` bytes or `bound` of time are spent.
    pub(super) fn discard(&mut self, most: usize, bound: Duration) {
        let start = Instant::now();
        let mut total = 0;
        while total < most && start.elapsed() < bound {
            match read_some(&mut self.stream, &mut self.buffer) {
                Ok(count) => total += count,
                Err(_) => return,
            }
        }
    }

    /// Moves buffered bytes to the end of `message`, up to the length `need`.
    fn take(&mut self, message: &mut Vec<u8>, need: usize) {
        let count = (need - message.len()).min(self.buffered());
        message.extend_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
    }
}

/// At least one byte.
fn read_some(stream: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, Failure> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Err(Failure::Read(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::Read(error)),
        }
    }
}
