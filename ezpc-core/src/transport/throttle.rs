//! A model of a slower network, to measure on one machine what a protocol takes between two.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Halves, Transport};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// A network between the parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Bandwidth of each direction.
    pub bits_per_second: u64,
    /// The time a byte travels: half of a round trip.
    pub delay: Duration,
}

impl Link {
    /// Within a data centre: 3 Gbit/s, 0.3 ms round trip.
    pub const LAN: Self = Self::new(3_000_000_000, Duration::from_micros(150));

    /// Between cities: 400 Mbit/s, 40 ms round trip.
    pub const WAN: Self = Self::new(400_000_000, Duration::from_millis(20));

    /// A network with this bandwidth in each direction and this travelling time.
    #[must_use]
    pub const fn new(bits_per_second: u64, delay: Duration) -> Self {
        Self { bits_per_second, delay }
    }

    /// From `lan`, `wan`, or megabits a second and, after a comma, milliseconds of a round trip, as in `400,40`.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) with what is expected.
    pub fn parse(text: &str) -> Result<Self> {
        let numbers = || {
            let (bandwidth, round_trip) = text.split_once(',')?;
            let [megabits, milliseconds] = [bandwidth, round_trip].map(|n| n.trim().parse::<u32>().ok());
            let link = Self::new(
                1_000_000 * u64::from(megabits?),
                Duration::from_millis(u64::from(milliseconds?)) / 2,
            );
            (link.bits_per_second > 0).then_some(link)
        };
        match text {
            "lan" => Ok(Self::LAN),
            "wan" => Ok(Self::WAN),
            _ => numbers().ok_or_else(|| {
                Error::usage(format!(
                    "{text:?} is no link: give lan, wan, or Mbit/s and milliseconds of a round trip, as in 400,40"
                ))
            }),
        }
    }

    /// How long `bytes` occupy the link.
    #[must_use]
    pub fn occupied(self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 * 8.0 / self.bits_per_second.max(1) as f64)
    }
}

impl Default for Link {
    /// 1 Gbit/s, 0.5 ms round trip.
    fn default() -> Self {
        Self::new(1_000_000_000, Duration::from_micros(250))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bit/s and {} us", self.bits_per_second, self.delay.as_micros())
    }
}

/// A transport that sends as slowly as a [`Link`]. Both parties wrap their ends.
#[derive(Debug)]
pub struct Throttle<T> {
    inner: T,
    link: Link,
}

impl<T: Transport> Throttle<T> {
    /// `inner`, as slow as `link`.
    pub const fn new(inner: T, link: Link) -> Self {
        Self { inner, link }
    }
}

impl<T: Transport> Transport for Throttle<T> {
    fn peer(&self) -> String {
        self.inner.peer()
    }

    fn split(&self) -> Result<Halves> {
        let (read, write) = self.inner.split()?;
        Ok((read, Box::new(SlowWriter::start(write, self.link)?)))
    }

    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        self.inner.set_timeout(timeout)
    }

    fn binding(&self) -> Option<[u8; 32]> {
        self.inner.binding()
    }

    fn shutdown(&self) {
        self.inner.shutdown();
    }
}

/// Bytes enter the line in pieces of this size.
const PIECE: usize = 64 << 10;

/// The line may run ahead of the clock by this much: sleeping is not more precise.
const SLACK: Duration = Duration::from_millis(1);

/// The stream to the peer. Writing takes as long as the bytes occupy the link; then they travel, and a thread
/// delivers them when they arrive.
struct SlowWriter {
    line: Arc<Line>,
    link: Link,
    /// When the link has sent everything written so far.
    free: Instant,
    /// The most bytes on the line, more than travel at one time.
    capacity: usize,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    travelling: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    closed: bool,
    failed: Option<io::ErrorKind>,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece and the time of its arrival, or `None` at the end.
    fn next(&self) -> Option<(Instant, Vec<u8>)> {
        let mut state = self.lock();
        loop {
            match state.travelling.pop_front() {
                Some(next) => return Some(next),
                None if state.closed => return None,
                None => state = self.wait(state),
            }
        }
    }

    fn deliver(&self, mut stream: Box<dyn Write + Send>) {
        while let Some((arrival, piece)) = self.next() {
            sleep(arrival.saturating_duration_since(Instant::now()));
            let result = stream.write_all(&piece).and_then(|()| stream.flush());
            let mut state = self.lock();
            state.bytes -= piece.len();
            if let Err(error) = result {
                state.failed = Some(error.kind());
                state.travelling.clear();
            }
            let failed = state.failed.is_some();
            drop(state);
            self.changed.notify_all();
            if failed {
                return;
            }
        }
    }
}

impl SlowWriter {
    fn start(stream: Box<dyn Write + Send>, link: Link) -> Result<Self> {
        let line = Arc::new(Line::default());
        let theirs = Arc::clone(&line);
        let thread = thread::Builder::new()
            .name("ezpc link".into())
            .spawn(move || theirs.deliver(stream))
            .map_err(|error| Error::io("cannot start a thread", error))?;
        let travelling = link.bits_per_second as f64 / 8.0 * (link.delay + 2 * SLACK).as_secs_f64();
        let capacity = travelling as usize + 4 * PIECE;
        Ok(Self { line, link, free: Instant::now(), capacity, thread: Some(thread) })
    }
}

impl Write for SlowWriter {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let piece = &buffer[..buffer.len().min(PIECE)];
        let mut state = self.line.lock();
        while state.failed.is_none() && state.bytes > 0 && state.bytes + piece.len() > self.capacity {
            state = self.line.wait(state);
        }
        if let Some(kind) = state.failed {
            return Err(kind.into());
        }
        self.free = self.free.max(Instant::now()) + self.link.occupied(piece.len() as u64);
        state.bytes += piece.len();
        state.travelling.push_back((self.free + self.link.delay, piece.to_vec()));
        drop(state);
        self.line.changed.notify_all();
        let ahead = self.free.saturating_duration_since(Instant::now());
        if ahead > SLACK {
            sleep(ahead);
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SlowWriter {
    /// Waits until what was written has arrived; the time-out of the transport below bounds that.
    fn drop(&mut self) {
        self.line.lock().closed = true;
        self.line.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been reported by the thread.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Party;
    use crate::transport::{Channel, memory};

    const TIMEOUT: Duration = Duration::from_secs(20);

    /// The time of `rounds` exchanges of `bytes` each way.
    fn measure(link: Link, rounds: usize, bytes: usize) -> Duration {
        let (a, b) = memory::pair();
        let run = move |end, party| {
            let mut channel = Channel::new(Throttle::new(end, link), party, TIMEOUT)?;
            let start = Instant::now();
            for _ in 0..rounds {
                assert_eq!(channel.exchange(vec![1; bytes], bytes)?.len(), bytes);
            }
            Ok::<_, Error>(start.elapsed())
        };
        let peer = thread::spawn(move || run(b, Party::Client));
        let time = run(a, Party::Server).expect("an honest run");
        peer.join().expect("no panic").expect("an honest run");
        time
    }

    #[test]
    fn rounds_cost_the_delay_and_bytes_the_bandwidth() {
        let delayed = measure(Link::new(1 << 40, Duration::from_millis(5)), 10, 1);
        assert!(delayed.as_millis() >= 50, "{delayed:?}");
        // 1 MiB at 80 Mbit/s.
        let narrow = measure(Link::new(80_000_000, Duration::ZERO), 1, 1 << 20);
        assert!(narrow.as_millis() >= 100, "{narrow:?}");
    }

    #[test]
    fn last_words_arrive() {
        let (a, b) = memory::pair();
        let link = Link::new(1 << 40, Duration::from_millis(20));
        let mut channel = Channel::new(Throttle::new(a, link), Party::Server, TIMEOUT).expect("memory");
        channel.send(b"farewell".to_vec()).expect("there is room");
        drop(channel);
        let mut peer = Channel::new(b, Party::Client, TIMEOUT).expect("memory");
        assert_eq!(peer.receive_only(8).expect("it was sent"), b"farewell");
    }
}
