//! The writing side of a channel: a thread that owns the stream to the peer.

use super::Transport;
use crate::error::{Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A handle to the writing thread.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Until it is joined.
    thread: Mutex<Option<JoinHandle<()>>>,
    transport: Arc<dyn Transport>,
    what: String,
}

struct Shared {
    state: Mutex<State>,
    /// The stream to the peer, until the thread ends. Never contended: the caller writes only while the thread
    /// has nothing to write.
    stream: Mutex<Option<Box<dyn Write + Send>>>,
    /// The queue has a message, or is closed.
    work: Condvar,
    /// A message was written, or the thread has ended.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    /// Bytes in the queue and in the message being written.
    bytes: usize,
    /// No more messages will come.
    closed: bool,
    /// The thread has ended.
    done: bool,
    error: Option<(ErrorKind, String)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, message: &[u8]) -> io::Result<()> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = stream.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stream.write_all(message)?;
        stream.flush()
    }

    /// Ends writing and says so: the peer sees the end, waiting callers the state.
    fn end(&self, error: Option<Error>) {
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut state = self.lock();
        if let Some(error) = error {
            state.error.get_or_insert((error.kind(), error.to_string()));
        }
        state.queue.clear();
        state.bytes = 0;
        state.closed = true;
        state.done = true;
        drop(state);
        self.work.notify_one();
        self.progress.notify_all();
    }
}

impl State {
    fn check(&self) -> Result<()> {
        match &self.error {
            None => Ok(()),
            Some((kind, message)) => Err(Error::new(*kind, message.clone())),
        }
    }
}

impl Writer {
    /// Starts the thread; `what` opens its error messages.
    pub(super) fn start(
        stream: Box<dyn Write + Send>,
        transport: Arc<dyn Transport>,
        what: String,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::default()),
            stream: Mutex::new(Some(stream)),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let (mine, control, opening) = (Arc::clone(&shared), Arc::clone(&transport), what.clone());
        let thread = thread::Builder::new()
            .name("ezpc writer".into())
            .spawn(move || write_queue(&mine, &*control, &opening))
            .map_err(|error| Error::io("cannot start a thread", error))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), transport, what })
    }

    /// Writes a message from the calling thread, sparing it the way through the other one, unless that one is
    /// writing. For messages that fit into the transport's own buffers.
    pub(super) fn write_or_post(&self, message: Vec<u8>) -> Result<()> {
        let state = self.shared.lock();
        state.check()?;
        if state.bytes > 0 {
            drop(state);
            return self.post(message);
        }
        drop(state);
        match self.shared.write(&message) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.shared.end(Some(Error::io(&self.what, error)));
                self.transport.shutdown();
                self.check()
            }
        }
    }

    /// Hands a message over without waiting.
    pub(super) fn post(&self, message: Vec<u8>) -> Result<()> {
        let mut state = self.shared.lock();
        state.check()?;
        if message.is_empty() {
            return Ok(());
        }
        state.bytes += message.len();
        state.queue.push_back(message);
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }

    /// The error that ended the thread, if one did.
    pub(super) fn check(&self) -> Result<()> {
        self.shared.lock().check()
    }

    pub(super) fn queued(&self) -> usize {
        self.shared.lock().bytes
    }

    /// Waits until at most `limit` bytes are queued, at most until `end`. The transport's time-out bounds the wait for
    /// a peer that takes nothing.
    pub(super) fn wait_for_room(&self, limit: usize, end: Instant) -> Result<()> {
        let mut state = self.shared.lock();
        while state.error.is_none() && state.bytes > limit {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("{}: the peer takes too little", self.what),
                ));
            }
            let waited = self.shared.progress.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.check()
    }

    /// Takes no more messages and waits at most `bound` until the last is written and the thread has ended.
    pub(super) fn finish(&self, bound: Duration) -> Result<()> {
        let start = Instant::now();
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.work.notify_one();
        while !state.done {
            let Some(left) = bound.checked_sub(start.elapsed()) else {
                drop(state);
                // The thread ends when its write returns.
                self.transport.shutdown();
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "closing the connection to {}: the peer did not take the last messages",
                        self.transport.peer()
                    ),
                ));
            };
            let waited = self.shared.progress.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let result = state.check();
        drop(state);
        // It writes no more, so this does not wait for the peer.
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
        result
    }
}

/// The thread: writes message after message until the queue is closed and empty, or a write fails.
fn write_queue(shared: &Shared, transport: &dyn Transport, what: &str) {
    while let Some(message) = next(shared) {
        if let Err(error) = shared.write(&message) {
            shared.end(Some(Error::io(what, error)));
            // Our own reader must not wait for a peer that waits for us.
            transport.shutdown();
            return;
        }
        shared.lock().bytes -= message.len();
        shared.progress.notify_all();
    }
    shared.end(None);
}

/// The next message, or `None` when the queue is closed and empty.
fn next(shared: &Shared) -> Option<Vec<u8>> {
    let mut state = shared.lock();
    loop {
        if let Some(message) = state.queue.pop_front() {
            return Some(message);
        }
        if state.closed {
            return None;
        }
        state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}
