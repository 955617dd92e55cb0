//! Runs machines over a channel, several side by side.
//!
//! The unit of work is a window of a few thousand elements: a streamed operation is a sequence of machines,
//! one per window, that the driver starts as earlier ones finish. While the messages of one window travel, the
//! others compute, and no more than `in_flight` of them hold memory.
//!
//! The order is fixed: a queue; the machine at its front receives what it waits for, advances by one level and
//! goes to the back, or finishes and makes room for the next one of the source. Both parties run the same
//! order, so a byte's position in the stream says which machine it is for.

use super::Channel;
use super::channel::QUEUE_LIMIT;
use super::machine::{Machine, Step};
use crate::error::Result;
use std::collections::VecDeque;
use std::mem;

/// Messages up to this length are written together with their neighbours.
const SMALL: usize = 16 << 10;

/// A batch of small messages is handed to the writer at this length.
const BATCH: usize = 64 << 10;

/// What a run took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many machines ran.
    pub machines: u64,
    /// The levels of the deepest machine; also counted into the channel's statistics.
    pub half_rounds: u64,
    /// The most bytes that waited to be written or to be received at one time.
    pub peak_bytes: usize,
}

/// Runs the machines of `source` to their end, at most `in_flight` of them at a time (at least one).
///
/// The peer runs the machines of its side in the same order with the same `in_flight`. The run counts as many
/// half-rounds as its deepest machine has levels, because machines side by side send simultaneously and the
/// windows of a streamed operation do not wait for each other's messages.
///
/// # Errors
/// The first error of the channel, of a machine, or of the source. The channel is then to be dropped.
pub fn run<'a>(
    channel: &mut Channel,
    source: impl IntoIterator<Item = Result<Machine<'a>>>,
    in_flight: usize,
) -> Result<Summary> {
    let summary = run_uncounted(channel, source, in_flight)?;
    channel.count_half_rounds(summary.half_rounds);
    Ok(summary)
}

/// As [`run`], for a caller that counts the half-rounds itself because the run is a part of a larger one.
pub(crate) fn run_uncounted<'a>(
    channel: &mut Channel,
    source: impl IntoIterator<Item = Result<Machine<'a>>>,
    in_flight: usize,
) -> Result<Summary> {
    let mut source = source.into_iter().fuse();
    let mut driver =
        Driver { channel, queue: VecDeque::new(), batch: Vec::new(), wanted: 0, summary: Summary::default() };
    loop {
        while driver.queue.len() < in_flight.max(1) {
            let Some(machine) = source.next() else { break };
            driver.summary.machines += 1;
            driver.advance(Slot::new(machine?), Vec::new())?;
        }
        let Some(mut slot) = driver.queue.pop_front() else { break };
        let received = match slot.received.take() {
            Some(received) => received,
            None => driver.receive(slot.need)?,
        };
        if slot.need > 0 {
            driver.channel.confirm(slot.read);
        }
        driver.advance(slot, received)?;
    }
    driver.flush()?;
    Ok(driver.summary)
}

struct Driver<'c, 'a> {
    channel: &'c mut Channel,
    queue: VecDeque<Slot<'a>>,
    /// Small messages that are not with the writer yet.
    batch: Vec<u8>,
    /// Bytes that the machines in the queue wait for or have not taken yet.
    wanted: usize,
    summary: Summary,
}

/// A machine in the queue.
struct Slot<'a> {
    machine: Machine<'a>,
    levels: u64,
    need: usize,
    /// Where in our stream the message of this level begins.
    start: u64,
    /// What the peer has read of our stream when it sends its message of this level: everything before the
    /// first message that was still to be received when this machine advanced.
    read: u64,
    /// The peer's message, when it was received ahead of the machine's turn.
    received: Option<Vec<u8>>,
}

impl<'a> Slot<'a> {
    const fn new(machine: Machine<'a>) -> Self {
        Self { machine, levels: 0, need: 0, start: 0, read: 0, received: None }
    }
}

impl<'a> Driver<'_, 'a> {
    /// Advances a machine by one step and puts it at the back of the queue, unless it is done.
    fn advance(&mut self, mut slot: Slot<'a>, received: Vec<u8>) -> Result<()> {
        self.wanted -= received.len();
        let mut message = Vec::new();
        let step = slot.machine.step(received, &mut message)?;
        slot.start = self.channel.sent() + self.batch.len() as u64;
        slot.read = self.queue.front().map_or(slot.start, |first| first.start);
        self.post(message)?;
        if let Step::Need { bytes, level } = step {
            slot.levels += u64::from(level);
            slot.need = bytes;
            self.channel.expect(bytes);
            self.wanted += bytes;
            self.summary.half_rounds = self.summary.half_rounds.max(slot.levels);
            self.queue.push_back(slot);
        }
        let queued = self.batch.len() + self.channel.queued();
        self.summary.peak_bytes = self.summary.peak_bytes.max(queued + self.wanted);
        if queued > QUEUE_LIMIT { self.make_room() } else { Ok(()) }
    }

    fn post(&mut self, message: Vec<u8>) -> Result<()> {
        if message.len() > SMALL {
            self.flush()?;
            return self.channel.post(message);
        }
        self.batch.extend_from_slice(&message);
        if self.batch.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.channel.post(mem::take(&mut self.batch))
    }

    /// Receives, with everything that the peer may be waiting for on its way.
    fn receive(&mut self, need: usize) -> Result<Vec<u8>> {
        if self.channel.buffered() < need {
            self.flush()?;
        }
        self.channel.receive(need)
    }

    /// The peer is slower than we are: waits until it has taken most of what we sent. Meanwhile it may be
    /// waiting for us to take what it sent, so this first receives everything that machines wait for.
    fn make_room(&mut self) -> Result<()> {
        self.flush()?;
        for index in 0..self.queue.len() {
            if self.channel.queued() <= QUEUE_LIMIT {
                return Ok(());
            }
            if self.queue[index].received.is_none() {
                let message = self.receive(self.queue[index].need)?;
                self.queue[index].received = Some(message);
            }
        }
        self.channel.wait_for_room()
    }
}

#[cfg(test)]
mod tests;
