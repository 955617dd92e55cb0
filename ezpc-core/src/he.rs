//! Ring learning with errors over Z_Q\[X\]/(X^N + 1): what the linear layers are computed under.

pub(crate) mod modulus;
pub(crate) mod ntt;
