//! Kernels per instruction set, dispatched at run time, and what wipes memory; the only place with `unsafe`.
//!
//! Every kernel has a portable version, which is the oracle of the others' tests. Kernels know plain integers
//! only, blocks are `u128`.

/// Whether this machine has an instruction set. Never under `--cfg ezpc_portable`, which serves tests of the portable
/// kernels.
#[cfg(all(target_arch = "x86_64", not(ezpc_portable)))]
macro_rules! detected {
    ($feature:tt) => {
        std::arch::is_x86_feature_detected!($feature)
    };
}
#[cfg(all(target_arch = "x86_64", ezpc_portable))]
macro_rules! detected {
    ($feature:tt) => {
        false
    };
}

pub(crate) mod fixed_key;
pub(crate) mod lpn;
pub(crate) mod mac;
pub(crate) mod ntt;
pub(crate) mod residues;
pub(crate) mod transpose;
pub(crate) mod vector;
pub(crate) mod wipe;
