//! The layers of networks on tensors of shares, over any protocol.

pub mod elementwise;
pub mod linear;
pub mod pool;
pub mod shape;
