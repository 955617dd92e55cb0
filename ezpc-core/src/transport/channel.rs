//! A transport that writes while it reads, and counts.

mod digest;
mod reader;
mod writer;

use super::stats::{Phase, Stats};
use super::{Halves, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::party::Party;
use digest::Digest;
use reader::Reader;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use writer::Writer;

/// More bytes than this waiting to be written make the next [`Channel::exchange`] wait.
pub(super) const QUEUE_LIMIT: usize = 4 << 20;

/// Messages are written from the calling thread while at most this many bytes may be unread by the peer. Every
/// transport holds that much, so such a write does not wait.
const DIRECT: u64 = 8 << 10;

/// Bytes a second below which a peer is taken for one that means to stall.
const SLOWEST: u64 = 1 << 10;

/// The longest that dropping a channel waits for the peer to take the last messages.
const LINGER: Duration = Duration::from_secs(5);

/// The longest and the most that [`Channel::hang_up`] reads what it does not want.
const HANG_UP: Duration = Duration::from_secs(1);
const HANG_UP_BYTES: usize = 64 << 10;

/// A connection on which both parties can send any amount at the same time.
///
/// A thread owns the stream to the peer and takes messages as they are, without copying; the calling thread
/// reads, never more than the lengths that its caller declared. So whatever the peer sends, the memory used is
/// a function of our own public shapes.
///
/// After an error the position in the streams is unknown: drop the channel.
///
/// # Why two parties never wait for each other
/// Both run the same sequence of exchanges with the same lengths. [`Channel::exchange`] hands its message over
/// without waiting for the peer, then reads. It waits for room in the queue only before that, when everything
/// declared so far has been read: if both parties waited there, each would have unwritten messages of earlier
/// exchanges, which the other one has completed. The driver keeps the same rule.
pub struct Channel {
    party: Party,
    peer: String,
    timeout: Duration,
    deadline: Option<Instant>,
    transport: Arc<dyn Transport>,
    reader: Reader,
    writer: Writer,
    /// Bytes sent so far, and how many of them the peer is known to have read.
    sent: u64,
    confirmed: u64,
    /// What was sent and received so far, where the transport does not authenticate.
    digests: Option<[Digest; 2]>,
    stats: Stats,
}

impl Channel {
    /// A channel for `party` over `transport`. No single wait for the peer lasts longer than `timeout`, and no message
    /// may take longer than that and the time it travels at 1 KiB a second, however busily the peer sends.
    pub fn new(transport: impl Transport + 'static, party: Party, timeout: Duration) -> Result<Self> {
        let transport: Arc<dyn Transport> = Arc::new(transport);
        transport.set_timeout(timeout)?;
        let (read, write): Halves = transport.split()?;
        let peer = transport.peer();
        let digests = transport.binding().is_none().then(|| [Digest::new(), Digest::new()]);
        let writer = Writer::start(write, Arc::clone(&transport), format!("sending to {peer}"))?;
        Ok(Self {
            party,
            peer,
            timeout,
            deadline: None,
            transport,
            reader: Reader::new(read),
            writer,
            sent: 0,
            confirmed: 0,
            digests,
            stats: Stats::new(),
        })
    }

    /// Which party this is.
    #[must_use]
    pub const fn party(&self) -> Party {
        self.party
    }

    /// Who is at the other end, for error messages.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// What the transport says that names this connection and both its ends; see [`Transport::binding`].
    pub(super) fn binding(&self) -> Option<[u8; 32]> {
        self.transport.binding()
    }

    /// The longest single wait for the peer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Everything has to be received by this time from now. Noticed at waits for the peer, each of which still has its
    /// own time-out.
    pub fn set_deadline(&mut self, deadline: Option<Duration>) {
        self.deadline = deadline.map(|left| Instant::now() + left);
    }

    /// One half-round: sends `message` and receives exactly `need` bytes, however long both are.
    ///
    /// Nothing happens when both lengths are zero.
    pub fn exchange(&mut self, message: Vec<u8>, need: usize) -> Result<Vec<u8>> {
        if message.is_empty() && need == 0 {
            return Ok(Vec::new());
        }
        self.stats.half_rounds(1);
        self.wait_for_room()?;
        self.expect(need);
        let before = self.sent;
        self.post(message)?;
        let received = self.receive(need)?;
        if need > 0 {
            // The peer sent this after it had completed the exchange before this one.
            self.confirm(before);
        }
        Ok(received)
    }

    /// Sends a message while the peer sends nothing.
    pub fn send(&mut self, message: Vec<u8>) -> Result<()> {
        self.exchange(message, 0).map(drop)
    }

    /// Receives exactly `need` bytes while this party sends nothing.
    pub fn receive_only(&mut self, need: usize) -> Result<Vec<u8>> {
        self.exchange(Vec::new(), need)
    }

    /// What was counted so far.
    pub fn stats(&mut self) -> &Stats {
        self.stats.clock();
        &self.stats
    }

    /// Attributes what follows to `phase`; a new channel is in [`Phase::Setup`].
    pub fn set_phase(&mut self, phase: Phase) {
        self.stats.set_phase(phase);
    }

    /// The phase that is being counted.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.stats.current().0
    }

    /// Attributes what follows to the named scope (a layer, a function), until the next call.
    pub fn set_scope(&mut self, name: &str) {
        self.stats.set_scope(name);
    }

    /// The scope that is being counted.
    #[must_use]
    pub fn scope(&self) -> &str {
        self.stats.current().1
    }

    /// Fails when the transport changed what was sent, so that a run that ends well was computed on what both parties
    /// sent. One half-round of 32 bytes each way; nothing where the transport authenticates, and does so itself.
    pub fn compare_streams(&mut self) -> Result<()> {
        let Some([sent, received]) = &self.digests else { return Ok(()) };
        let (sent, received) = (sent.value(), received.value());
        let theirs = self.exchange([sent, received].concat(), 32)?;
        if theirs[..16] == received && theirs[16..] == sent {
            return Ok(());
        }
        let message = format!("the bytes between {} and this side were changed on the way", self.peer);
        Err(Error::peer(message))
    }

    /// Waits until everything is written and ends the connection. Dropping does the same and forgets errors.
    pub fn close(self) -> Result<()> {
        self.writer.finish(self.timeout.min(LINGER))
    }

    /// Declares that `bytes` will be received: the reader may take that many more from the transport.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.reader.expect(bytes);
    }

    /// Sends a message without waiting for the peer.
    pub(super) fn post(&mut self, message: Vec<u8>) -> Result<()> {
        self.stats.sent(message.len());
        self.sent += message.len() as u64;
        if let Some([sent, _]) = &mut self.digests {
            sent.update(&message);
        }
        if self.sent - self.confirmed <= DIRECT {
            self.writer.write_or_post(message)
        } else {
            self.writer.post(message)
        }
    }

    /// The bytes sent so far: a position in the stream to the peer.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// The peer has read everything before this position.
    pub(super) fn confirm(&mut self, position: u64) {
        self.confirmed = self.confirmed.max(position);
    }

    /// Receives `need` bytes that were declared with [`Channel::expect`].
    pub(super) fn receive(&mut self, need: usize) -> Result<Vec<u8>> {
        let (session, start) = (self.deadline, Instant::now());
        let slowest = self.slowest(need);
        self.receive_while(need, |_| {
            if start.elapsed() > slowest {
                return Err(Error::new(ErrorKind::Timeout, "the peer sends too slowly"));
            }
            match session {
                Some(end) if Instant::now() > end => {
                    Err(Error::new(ErrorKind::Timeout, "the session has reached its deadline"))
                }
                _ => Ok(()),
            }
        })
    }

    /// The longest that a message of `bytes` may take in either direction.
    fn slowest(&self, bytes: usize) -> Duration {
        self.timeout + Duration::from_secs(bytes as u64 / SLOWEST)
    }

    /// As [`Channel::receive`], all of it before `deadline`.
    pub(super) fn receive_by(&mut self, need: usize, deadline: Instant) -> Result<Vec<u8>> {
        self.receive_while(need, |transport| {
            transport.set_timeout(deadline.saturating_duration_since(Instant::now()))
        })
    }

    /// Asks `go_on` before every wait for the peer.
    fn receive_while(
        &mut self,
        need: usize,
        go_on: impl Fn(&dyn Transport) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let transport = &*self.transport;
        match self.reader.receive(need, || go_on(transport)) {
            Ok(message) => {
                self.stats.received(need);
                if let Some([_, received]) = &mut self.digests {
                    received.update(&message);
                }
                Ok(message)
            }
            // When writing failed, the writer shut the connection down; its error is the cause of ours.
            Err(error) => {
                self.writer.check()?;
                Err(error.into_error(&format!("receiving from {}", self.peer)))
            }
        }
    }

    /// How many bytes have arrived that nobody has received.
    pub(super) fn buffered(&self) -> usize {
        self.reader.buffered()
    }

    /// How many bytes wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.writer.queued()
    }

    /// Waits until at most [`QUEUE_LIMIT`] bytes wait to be written. Everything declared must have been
    /// received.
    pub(super) fn wait_for_room(&mut self) -> Result<()> {
        let slowest = Instant::now() + self.slowest(self.writer.queued());
        self.writer.wait_for_room(QUEUE_LIMIT, self.deadline.map_or(slowest, |end| end.min(slowest)))
    }

    /// Ends a deadline that [`Channel::receive_by`] has set.
    pub(super) fn restore_timeout(&self) -> Result<()> {
        self.transport.set_timeout(self.timeout)
    }

    /// Says good-bye to a peer with whom there is nothing to talk about: everything sent so far reaches it, even
    /// when it has sent things that we did not read, which a plain close would answer by a reset.
    pub(super) fn hang_up(&mut self) {
        let bound = self.timeout.min(HANG_UP);
        if self.writer.finish(bound).is_ok() && self.transport.set_timeout(bound).is_ok() {
            self.reader.discard(HANG_UP_BYTES, bound);
        }
    }

    pub(crate) fn count_half_rounds(&mut self, count: u64) {
        self.stats.half_rounds(count);
    }

    /// Notes that what was just computed fails with a chance of 2^`log2` at most.
    pub(crate) fn may_fail(&mut self, log2: f64) {
        self.stats.may_fail(log2);
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("party", &self.party)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.writer.finish(self.timeout.min(LINGER));
    }
}

#[cfg(test)]
mod tests;
