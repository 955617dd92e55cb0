//! A transport that breaks where a test wants it to.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Halves, Transport};
use crate::error::Result;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// What goes wrong with the bytes on their way to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The connection breaks after this many bytes.
    DropAfter(u64),
    /// The bit with this index, counted from the first byte's least significant one, arrives inverted.
    FlipBit(u64),
    /// Nothing arrives after this many bytes, though the connection stays.
    Swallow(u64),
}

/// `inner` with a fault in what it sends.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: Arc<T>,
    fault: Fault,
}

impl<T: Transport> Faulty<T> {
    /// `inner` with `fault`.
    pub fn new(inner: T, fault: Fault) -> Self {
        Self { inner: Arc::new(inner), fault }
    }
}

impl<T: Transport + 'static> Transport for Faulty<T> {
    fn peer(&self) -> String {
        self.inner.peer()
    }

    fn split(&self) -> Result<Halves> {
        let (read, stream) = self.inner.split()?;
        let writer = FaultyWriter { stream, inner: Arc::clone(&self.inner), fault: self.fault, position: 0 };
        Ok((read, Box::new(writer)))
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

struct FaultyWriter<T> {
    stream: Box<dyn Write + Send>,
    inner: Arc<T>,
    fault: Fault,
    position: u64,
}

impl<T: Transport> Write for FaultyWriter<T> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // How many bytes may still pass untouched.
        let left = |limit: u64| (limit.saturating_sub(self.position)).min(buffer.len() as u64) as usize;
        let count = match self.fault {
            Fault::DropAfter(limit) => match left(limit) {
                0 if !buffer.is_empty() => {
                    self.inner.shutdown();
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                count => self.stream.write(&buffer[..count])?,
            },
            Fault::Swallow(limit) => match left(limit) {
                0 => buffer.len(),
                count => self.stream.write(&buffer[..count])?,
            },
            Fault::FlipBit(bit) if self.position == bit / 8 && !buffer.is_empty() => {
                self.stream.write(&[buffer[0] ^ 1 << (bit % 8)])?
            }
            Fault::FlipBit(bit) => match left(bit / 8) {
                0 => self.stream.write(buffer)?,
                count => self.stream.write(&buffer[..count])?,
            },
        };
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::party::Party;
    use crate::transport::{Channel, memory};
    use std::thread;

    /// What the peer receives of 100 zeros, sent in two messages.
    fn receive(fault: Fault) -> Result<Vec<u8>> {
        let (a, b) = memory::pair();
        // Only a swallowed message is waited for.
        let timeout = Duration::from_millis(if matches!(fault, Fault::Swallow(_)) { 100 } else { 300_000 });
        let sender = thread::spawn(move || {
            let mut channel = Channel::new(Faulty::new(a, fault), Party::Server, timeout)?;
            channel.send(vec![0; 60])?;
            channel.send(vec![0; 40])?;
            channel.receive_only(1)
        });
        let mut channel = Channel::new(b, Party::Client, timeout)?;
        let result = channel.receive_only(100);
        drop(channel);
        assert!(sender.join().expect("no panic").is_err(), "the answer never comes");
        result
    }

    #[test]
    fn a_bit_flips() {
        for bit in [0, 7, 59 * 8, 60 * 8, 799] {
            let bytes = receive(Fault::FlipBit(bit)).expect("everything arrives");
            let ones = (0..800).filter(|i| bytes[i / 8] >> (i % 8) & 1 == 1).collect::<Vec<_>>();
            assert_eq!(ones, [bit as usize]);
        }
        assert_eq!(receive(Fault::FlipBit(800)).expect("everything arrives"), [0; 100]);
    }

    #[test]
    fn a_broken_connection_is_noticed() {
        for bytes in [0, 59, 60, 99] {
            let error = receive(Fault::DropAfter(bytes)).expect_err("something is missing");
            assert_eq!(error.kind(), ErrorKind::Closed);
            let error = receive(Fault::Swallow(bytes)).expect_err("something is missing");
            assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Closed), "{error}");
        }
    }
}
