//! The scalar types of programs.

use crate::ring::Width;

/// A type of scalars that programs compute on: the integers of 8 to 64 bits, `bool`, `f64` and [`Fix`](super::Fix).
pub trait Scalar: Copy + sealed::Sealed + 'static {
    /// The number of bits.
    const BITS: u32;
    /// How many of the bits are a fraction.
    const FRACTION: u32 = 0;
    /// Whether values are read as two's complement.
    const SIGNED: bool;
    /// The ring element that represents the value.
    fn to_lane(self) -> u64;
    /// The value that a ring element represents.
    fn from_lane(lane: u64) -> Self;
    /// Whether the format holds the value, rounded to its fraction.
    fn fits(self) -> bool {
        true
    }
    /// The width of the ring.
    fn width() -> Width {
        Width::new(Self::BITS)
    }
}

pub(super) mod sealed {
    #[allow(unnameable_types, reason = "sealed: nobody outside implements it")]
    pub trait Sealed {}
}

macro_rules! integers {
    ($($t:ty: $bits:literal $signed:literal),*) => {$(
        impl sealed::Sealed for $t {}
        #[allow(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "lanes are residues: the cast is the reduction"
        )]
        impl Scalar for $t {
            const BITS: u32 = $bits;
            const SIGNED: bool = $signed;
            fn to_lane(self) -> u64 {
                Width::new($bits).wrap(self as u64)
            }
            fn from_lane(lane: u64) -> Self {
                lane as Self
            }
        }
    )*};
}

integers!(u8: 8 false, u16: 16 false, u32: 32 false, u64: 64 false);
integers!(i8: 8 true, i16: 16 true, i32: 32 true, i64: 64 true);

impl sealed::Sealed for f64 {}
/// Fixed point of 64 bits, 16 of them fraction: what a secret `float` is. Inputs outside of [-2^47, 2^47) are refused,
/// public values saturate.
#[allow(
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounding to the fixed-point format"
)]
impl Scalar for f64 {
    const BITS: u32 = 64;
    const FRACTION: u32 = 16;
    const SIGNED: bool = true;
    fn fits(self) -> bool {
        let most = (1u64 << (63 - Self::FRACTION)) as Self;
        // The largest value below 2^47 is rounded up to it; no number is in no range.
        (-most..=most - 1.0).contains(&self)
    }
    fn to_lane(self) -> u64 {
        (self * (1u64 << Self::FRACTION) as Self).round() as i64 as u64
    }
    fn from_lane(lane: u64) -> Self {
        lane as i64 as Self / (1u64 << Self::FRACTION) as Self
    }
}

impl sealed::Sealed for bool {}
impl Scalar for bool {
    const BITS: u32 = 1;
    const SIGNED: Self = false;
    fn to_lane(self) -> u64 {
        u64::from(self)
    }
    fn from_lane(lane: u64) -> Self {
        lane & 1 == 1
    }
}
