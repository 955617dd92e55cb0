//! Interactive operations on shares, as machines without I/O.
//!
//! Each operation is an `async fn` over one window of a few thousand elements, takes a [`Ctx`] with exactly the
//! correlations its cost function names, and consumes them. Cost functions are exact to the byte.

pub mod and;
pub mod compare;
pub mod convert;
pub mod equal;
pub mod extend;
mod gate;
mod halves;
mod lanes;
pub mod linear;
pub mod lut;
pub mod matrix;
pub mod maximum;
pub mod mul;
pub mod mux;
pub mod product;
pub mod relu;
#[cfg(test)]
pub(crate) mod testing;
mod transfer;
pub mod trunc;
mod wrap;

use crate::crypto::Prg;
use crate::ops::compare::Method;
use crate::ot::{ReceiverOts, SenderOts};
use crate::party::Party;
use crate::transport::cost::Ots;
use crate::transport::machine::Io;

/// What an operation runs with: its mailbox, its correlations and its private randomness.
pub struct Ctx {
    /// The mailbox.
    pub io: Io,
    /// Which party this is.
    pub party: Party,
    /// OTs in which this party is the sender.
    pub send: SenderOts,
    /// OTs in which this party is the receiver.
    pub recv: ReceiverOts,
    /// This party's private randomness.
    pub rng: Prg,
    /// How to compare; the same at both parties.
    pub method: Method,
}

impl Ctx {
    /// A context for a sub-operation that runs with the first `ots` of this one's.
    #[must_use]
    pub fn split(&mut self, ots: Ots) -> Self {
        Self {
            io: self.io.clone(),
            party: self.party,
            send: self.send.take(ots),
            recv: self.recv.take(ots),
            rng: self.rng.fork("sub-operation"),
            method: self.method,
        }
    }
}
