//! The rings Z_{2^k} for every width k in 1..=64: widths, masks, vectors, packing, bit planes.

mod pack;
mod planes;
mod vector;
mod width;

pub use pack::{pack_lanes, packed_len, unpack_lanes};
pub use planes::{BitPlanes, BitVec};
pub use vector::RingVec;
pub use width::Width;
