//! What the tests need unsafe code for, and nothing else.

pub mod memory;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod valgrind;
