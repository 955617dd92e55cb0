//! A transport that remembers what passed.

use super::{Halves, Transport};
use crate::error::Result;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The bytes of a run as one party saw them.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    sent: Record,
    received: Record,
}

type Record = Arc<Mutex<Vec<u8>>>;

impl Transcript {
    /// Everything sent so far.
    #[must_use]
    pub fn sent(&self) -> Vec<u8> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything received so far.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// `inner`, and the transcript that it writes from now on.
pub fn record<T: Transport>(inner: T) -> (Recorded<T>, Transcript) {
    let transcript = Transcript::default();
    (Recorded { inner, transcript: transcript.clone() }, transcript)
}

/// A transport with a [`Transcript`].
#[derive(Debug)]
pub struct Recorded<T> {
    inner: T,
    transcript: Transcript,
}

impl<T: Transport> Transport for Recorded<T> {
    fn peer(&self) -> String {
        self.inner.peer()
    }

    fn split(&self) -> Result<Halves> {
        let (read, write) = self.inner.split()?;
        let read = Recorder { stream: read, record: Arc::clone(&self.transcript.received) };
        let write = Recorder { stream: write, record: Arc::clone(&self.transcript.sent) };
        Ok((Box::new(read), Box::new(write)))
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

struct Recorder<S> {
    stream: S,
    record: Record,
}

impl<S> Recorder<S> {
    fn note(&self, bytes: &[u8]) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }
}

impl<S: Read> Read for Recorder<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.note(&buffer[..count]);
        Ok(count)
    }
}

impl<S: Write> Write for Recorder<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.note(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Party;
    use crate::transport::{Channel, memory};
    use std::thread;

    #[test]
    fn a_transcript_has_every_byte() {
        let (a, b) = memory::pair();
        let timeout = Duration::from_secs(300);
        let peer = thread::spawn(move || {
            let mut channel = Channel::new(b, Party::Client, timeout)?;
            channel.exchange(vec![3; 100_000], 3)?;
            channel.close()
        });
        let (end, transcript) = record(a);
        let mut channel = Channel::new(end, Party::Server, timeout).expect("memory");
        channel.exchange(b"abc".to_vec(), 100_000).expect("an honest peer");
        channel.close().expect("an honest peer");
        peer.join().expect("no panic").expect("an honest run");
        assert_eq!((transcript.sent(), transcript.received()), (b"abc".to_vec(), vec![3; 100_000]));
    }
}
