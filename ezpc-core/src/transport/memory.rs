//! A transport within one process, for tests and first steps.

use super::{Halves, Transport};
use crate::error::Result;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// As much as a pipe holds before its writer waits: like a socket, so that tests meet the same deadlocks.
const CAPACITY: usize = 256 << 10;

/// Two connected transports.
#[must_use]
pub fn pair() -> (MemoryTransport, MemoryTransport) {
    let (left, right) = (Arc::new(Pipe::default()), Arc::new(Pipe::default()));
    let a = MemoryTransport { inward: Arc::clone(&left), outward: Arc::clone(&right) };
    let b = MemoryTransport { inward: right, outward: left };
    (a, b)
}

/// One end of [`pair`].
#[derive(Debug)]
pub struct MemoryTransport {
    inward: Arc<Pipe>,
    outward: Arc<Pipe>,
}

impl Transport for MemoryTransport {
    fn peer(&self) -> String {
        "the other thread".into()
    }

    fn split(&self) -> Result<Halves> {
        Ok((Box::new(Reader(Arc::clone(&self.inward))), Box::new(Writer(Arc::clone(&self.outward)))))
    }

    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        self.inward.lock().read_timeout = Some(timeout);
        self.outward.lock().write_timeout = Some(timeout);
        Ok(())
    }

    fn shutdown(&self) {
        self.inward.close();
        self.outward.close();
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    closed: bool,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl core::fmt::Debug for State {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("State").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panics while holding the lock leaves whole bytes behind: nothing is half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits until `ready` or closed, at most for `timeout`.
    fn wait(
        &self,
        timeout: impl Fn(&State) -> Option<Duration>,
        ready: impl Fn(&State) -> bool,
    ) -> io::Result<MutexGuard<'_, State>> {
        let start = Instant::now();
        let mut state = self.lock();
        while !ready(&state) && !state.closed {
            state = match timeout(&state) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(timeout) => {
                    let Some(left) = timeout.checked_sub(start.elapsed()) else {
                        return Err(io::ErrorKind::TimedOut.into());
                    };
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        Ok(state)
    }
}

struct Reader(Arc<Pipe>);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut state = self.0.wait(|state| state.read_timeout, |state| !state.bytes.is_empty())?;
        let was_full = state.bytes.len() >= CAPACITY;
        let count = state.bytes.read(buffer)?;
        drop(state);
        if was_full {
            self.0.changed.notify_all();
        }
        Ok(count)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Writer(Arc<Pipe>);

impl Write for Writer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let mut state = self.0.wait(|state| state.write_timeout, |state| state.bytes.len() < CAPACITY)?;
        if state.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let was_empty = state.bytes.is_empty();
        let count = buffer.len().min(CAPACITY - state.bytes.len());
        state.bytes.extend(&buffer[..count]);
        drop(state);
        if was_empty {
            self.0.changed.notify_all();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_before_the_end_is_read() {
        let (a, b) = pair();
        let (_, mut write) = a.split().expect("memory splits");
        let (mut read, _keep) = b.split().expect("memory splits");
        write.write_all(b"last words").expect("there is room");
        drop(write);
        let mut text = String::new();
        read.read_to_string(&mut text).expect("the end is no error");
        assert_eq!(text, "last words");
    }

    #[test]
    fn a_silent_peer_times_out() {
        let (a, b) = pair();
        a.set_timeout(Duration::from_millis(10)).expect("memory has time-outs");
        let (mut read, mut write) = a.split().expect("memory splits");
        assert_eq!(read.read(&mut [0]).expect_err("nothing comes").kind(), io::ErrorKind::TimedOut);
        let error = write.write_all(&vec![0; CAPACITY + 1]).expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(b);
        assert_eq!(read.read(&mut [0]).expect("the end is no error"), 0);
    }
}
