//! Ring learning with errors over Z_Q\[X\]/(X^N + 1): what the linear layers are computed under.

pub(crate) mod answer;
pub(crate) mod codec;
pub(crate) mod encrypt;
pub(crate) mod modulus;
pub(crate) mod ntt;
pub(crate) mod ring;
pub(crate) mod sample;
pub(crate) mod tile;

pub use encrypt::{HeKeys, he_setup, he_setup_cost};
