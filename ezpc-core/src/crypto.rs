//! Local symmetric tools: blocks, a PRG, the correlation-robust hash, key derivation. No I/O.

mod aes;
mod block;
mod hash;
mod kdf;
mod prg;

pub use block::Block;
pub(crate) use block::double_half;
#[cfg(test)]
pub(crate) use block::rank;
pub use hash::Mmo;
pub use kdf::{Kdf, SessionId};
pub use prg::Prg;

pub(crate) use aes::Aes;

/// The computational security parameter κ.
pub const COMPUTATIONAL_SECURITY: usize = 128;
/// The statistical security parameter σ.
pub const STATISTICAL_SECURITY: usize = 40;

#[cfg(not(target_endian = "little"))]
compile_error!("blocks are cast to bytes in little-endian order");
