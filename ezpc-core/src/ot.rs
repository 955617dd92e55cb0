//! Oblivious transfer: correlated OTs as values that are consumed by use, and the engines that make them.
//!
//! A correlated OT (COT) gives the sender a key `q` and the receiver a mac `t = q ^ c·Δ` for a random choice bit
//! `c`, with one secret Δ for a direction and a session; Δ's first coefficient over F_4 is 1 (bit 0 is set, bit 64 clear), so `c` is the least significant bit of `t`
//! when the sender's key has its own cleared. Gadgets turn COTs into random pads with [`SenderCots::pads`] and
//! [`ReceiverCots::pads`].
//!
//! A quad is the same over F_4: a mac `t = q + u·Δ` for a random u of F_4, which costs about what a COT costs and serves as a
//! choice of two bits at once ([`SenderOts::digit_pads_into`]). Blocks are vectors over F_4 as [`Block::CHOICE`] says.
//! Both kinds have one Δ. A session's OTs come from its [`CotPool`]; unit tests may use the ideal dealer.
//!
//! [`Block::CHOICE`]: crate::crypto::Block::CHOICE

mod cots;
mod digits;
mod domain;
mod ferret;
#[cfg(any(test, feature = "testing"))]
pub mod ideal;
#[cfg(test)]
mod measure;
mod pads;
mod pool;
mod quads;
mod softspoken;

pub use cots::{ReceiverCots, SenderCots};
pub(crate) use digits::MAX_DIGIT;
pub use domain::PadDomain;
pub use pads::{Pad, Tiles};
pub use pool::{CotEngine, CotPool, PoolState};
pub use quads::{ReceiverOts, ReceiverQuads, SenderOts, SenderQuads, digit_ots};

/// Engines make COTs in multiples of this.
pub(crate) const COT_BATCH: usize = 128;
