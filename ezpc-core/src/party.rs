//! The two parties.

use core::fmt;

/// One of the two parties of a computation.
///
/// `Server` is the vendor, the one who owns a model; `Client` owns the data. Which of the two listens on a
/// socket and which connects is independent of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(clippy::exhaustive_enums, reason = "two-party computation has two parties")]
pub enum Party {
    /// Party 0.
    Server,
    /// Party 1.
    Client,
}

impl Party {
    /// Both parties, in the order of [`Party::index`].
    pub const BOTH: [Self; 2] = [Self::Server, Self::Client];

    /// The other party.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }

    /// 0 for the server, 1 for the client: an index into `[T; 2]`.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Server => 0,
            Self::Client => 1,
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}
