//! Kernels per instruction set, dispatched at run time; the only place with `unsafe`.
//!
//! Every kernel has a portable version, which is the oracle of the others' tests. Kernels know plain integers
//! only, blocks are `u128`.

pub(crate) mod fixed_key;
pub(crate) mod lpn;
pub(crate) mod mac;
pub(crate) mod ntt;
pub(crate) mod residues;
pub(crate) mod transpose;
pub(crate) mod vector;
