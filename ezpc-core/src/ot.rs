//! Oblivious transfer: correlated OTs as values that are consumed by use, and the engines that make them.
//!
//! A correlated OT (COT) gives the sender a key `q` and the receiver a mac `t = q ^ c·Δ` for a random choice bit
//! `c`, with one secret Δ for a direction and a session; lsb(Δ) = 1, so `c` is the least significant bit of `t`
//! when the sender's key has its own cleared. Gadgets turn COTs into random pads with [`SenderCots::pads`] and
//! [`ReceiverCots::pads`]. A session's COTs come from its [`CotPool`]; unit tests may use the ideal dealer.

mod cots;
mod domain;
mod ferret;
#[cfg(any(test, feature = "testing"))]
pub mod ideal;
#[cfg(test)]
mod measure;
mod pads;
mod pool;
mod softspoken;

pub use cots::{ReceiverCots, SenderCots};
pub use domain::PadDomain;
pub use pads::{Pad, Tiles};
pub use pool::{CotEngine, CotPool, PoolState};

/// Engines make COTs in multiples of this.
pub(crate) const COT_BATCH: usize = 128;
