//! Byte streams between the parties, and protocol machines that run over them.
//!
//! A [`Transport`] is two byte streams. A [`Channel`] on top of it writes while it reads, so that both parties
//! may send as much as they like at the same time, and counts. [`driver::run`] runs
//! [machines](machine::Machine) over a channel, several side by side.
//!
//! ```
//! use ezpc_core::Party;
//! use ezpc_core::transport::{Channel, memory};
//! use std::time::Duration;
//!
//! let (a, b) = memory::pair();
//! let timeout = Duration::from_secs(10);
//! let client = std::thread::spawn(move || {
//!     Channel::new(b, Party::Client, timeout)?.exchange(b"pong".to_vec(), 4)
//! });
//! let mut server = Channel::new(a, Party::Server, timeout)?;
//! assert_eq!(server.exchange(b"ping".to_vec(), 4)?, b"pong");
//! assert_eq!(client.join().expect("the client does not panic")?, b"ping");
//! # Ok::<(), ezpc_core::Error>(())
//! ```

pub mod channel;
pub mod cost;
pub mod driver;
#[cfg(any(test, feature = "testing"))]
pub mod fault;
pub mod handshake;
pub mod machine;
pub mod memory;
pub(crate) mod probe;
mod socket;
pub mod stats;
pub mod tcp;
pub mod throttle;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(any(test, feature = "testing"))]
pub mod transcript;
#[cfg(unix)]
pub mod unix;

pub use channel::Channel;
pub use stats::{Counts, Phase, Stats};
pub use throttle::Link;

use crate::error::Result;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

/// The two directions of a [`Transport`].
pub type Halves = (Box<dyn Read + Send>, Box<dyn Write + Send>);

/// A connection to the peer: two byte streams, reliable and in order.
///
/// Each direction takes at least 16 KiB while the peer does not read, as sockets do.
///
/// The halves are used from different threads at the same time; the methods here act on both.
pub trait Transport: Send + Sync {
    /// Who is at the other end, for error messages: `127.0.0.1:7000`.
    fn peer(&self) -> String;

    /// The stream from the peer and the stream to the peer; called once. Dropping the second tells the peer
    /// that nothing more comes.
    fn split(&self) -> Result<Halves>;

    /// The longest time that one read or write may wait for the peer; then it fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut) or [`WouldBlock`](std::io::ErrorKind::WouldBlock).
    fn set_timeout(&self, timeout: Duration) -> Result<()>;

    /// What names this connection and its two authenticated ends, alike at both and at no other connection;
    /// `None` where the transport does not authenticate. A session's identifier depends on it.
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }

    /// Ends both directions at once: reads and writes that wait, here and at the peer, return.
    fn shutdown(&self);
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn peer(&self) -> String {
        (**self).peer()
    }

    fn split(&self) -> Result<Halves> {
        (**self).split()
    }

    fn set_timeout(&self, timeout: Duration) -> Result<()> {
        (**self).set_timeout(timeout)
    }

    fn binding(&self) -> Option<[u8; 32]> {
        (**self).binding()
    }

    fn shutdown(&self) {
        (**self).shutdown();
    }
}
