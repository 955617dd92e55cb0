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

/// Transforms a polynomial of 2048 coefficients modulo one prime of 26 bits so many times, and throws the result away:
/// how fast is it?
pub fn transform_repeatedly(count: usize) {
    let set = ring::RingSet::Small;
    let mut values: Vec<u32> = (0..).take(set.degree()).collect();
    for _ in 0..count {
        set.ring().ntts()[0].forward(core::hint::black_box(&mut values));
    }
}
