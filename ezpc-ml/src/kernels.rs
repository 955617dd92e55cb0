//! The layers of networks on tensors of shares, over any protocol.
//!
//! A kernel that talks to the peer is a [`Stage`]: the operation that it waits for and what comes after it. So whoever runs
//! kernels decides which of them run together and share half-rounds.

pub mod bounds;
pub mod elementwise;
pub mod linear;
pub mod pool;
pub mod shape;
mod stage;

pub use stage::{Stage, Then};
