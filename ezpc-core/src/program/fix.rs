//! Fixed-point numbers of any format.

use super::scalar::sealed;
use super::{Index, Scalar};
use crate::error::{Error, Result};
use crate::ring::Width;
use core::fmt;
use core::ops::{Add, Mul, Neg, Sub};

/// A fixed-point number: two's complement of `BITS` bits, `FRACTION` of them to the right of the point. The language's
/// `fix<BITS, FRACTION>`.
///
/// Values are the multiples of 2^-`FRACTION` in [-2^(`BITS` - 1 - `FRACTION`), 2^(`BITS` - 1 - `FRACTION`)). Operators
/// mean what they mean on shares: sums wrap; products are reduced mod 2^`BITS` and then rounded to the floor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fix<const BITS: u32, const FRACTION: u32> {
    raw: i64,
}

impl<const BITS: u32, const FRACTION: u32> Fix<BITS, FRACTION> {
    const FORMAT: () = assert!(2 <= BITS && BITS <= 64 && FRACTION < BITS, "a fixed-point format");

    /// The nearest number; refuses what the format does not reach.
    pub fn new(value: f64) -> Result<Self> {
        let scaled = (value * Self::unit()).round();
        // The largest f64 below 2^63 is an i64; a power of two is exact.
        let most = 2f64.powi(BITS.cast_signed() - 1);
        if (-most..most).contains(&scaled) {
            return Ok(Self::nearest(value));
        }
        let whole = BITS - 1 - FRACTION;
        Err(Error::usage(format!("a value is no number below 2^{whole}: {FRACTION} bits are its fraction")))
    }

    /// The nearest number of the format; 0 for what is no number.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the conversion saturates")]
    pub fn nearest(value: f64) -> Self {
        let most = i64::MAX >> (64 - BITS);
        Self { raw: ((value * Self::unit()).round() as i64).clamp(-most - 1, most) }
    }

    /// The number as a float: exact up to 53 bits.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "documented")]
    pub fn to_f64(self) -> f64 {
        self.raw as f64 / Self::unit()
    }

    /// `raw` · 2^-`FRACTION`, `raw` mod 2^`BITS`.
    #[must_use]
    pub fn from_raw(raw: i64) -> Self {
        let () = Self::FORMAT;
        Self { raw: Width::new(BITS).signed(raw.cast_unsigned() & Width::new(BITS).mask()) }
    }

    /// The number · 2^`FRACTION`.
    #[must_use]
    pub const fn raw(self) -> i64 {
        self.raw
    }

    /// An integer, mod 2^(`BITS` - `FRACTION`).
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the format wraps")]
    pub fn integer(value: impl Index) -> Self {
        Self::from_raw((value.wide() << FRACTION) as i64)
    }

    /// The largest integer that is not above.
    #[must_use]
    pub const fn floor(self) -> i64 {
        self.raw >> FRACTION
    }

    /// The number in another format: the floor where the fraction is shorter, wrapping where the range is smaller.
    #[must_use]
    pub fn resized<const FROM: u32, const OF: u32>(value: Fix<FROM, OF>) -> Self {
        let floor = value.raw >> OF.saturating_sub(FRACTION);
        Self::from_raw(floor << FRACTION.saturating_sub(OF))
    }

    /// The quotient truncated toward zero, for dividends below 2^(`BITS` - 1 - 2·`FRACTION`), or the floor when the divisor
    /// is a power of two that is at least 1; refuses to divide by zero.
    pub fn quotient(self, by: Self) -> Result<Self> {
        if by.raw == 0 {
            return Err(Error::usage("division of a public value by zero"));
        }
        if by.raw >= 1 << FRACTION && by.raw.count_ones() == 1 {
            return Ok(Self::from_raw(self.raw >> (by.raw.trailing_zeros() - FRACTION)));
        }
        Ok(Self::from_raw(Self::from_raw(self.raw << FRACTION).raw.wrapping_div(by.raw)))
    }

    fn unit() -> f64 {
        let () = Self::FORMAT;
        2f64.powi(FRACTION.cast_signed())
    }
}

impl<const BITS: u32, const FRACTION: u32> Add for Fix<BITS, FRACTION> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::from_raw(self.raw.wrapping_add(other.raw))
    }
}

impl<const BITS: u32, const FRACTION: u32> Sub for Fix<BITS, FRACTION> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::from_raw(self.raw.wrapping_sub(other.raw))
    }
}

impl<const BITS: u32, const FRACTION: u32> Mul for Fix<BITS, FRACTION> {
    type Output = Self;
    #[allow(clippy::suspicious_arithmetic_impl, reason = "the product has twice the fraction")]
    fn mul(self, other: Self) -> Self {
        Self::from_raw(Self::from_raw(self.raw.wrapping_mul(other.raw)).raw >> FRACTION)
    }
}

impl<const BITS: u32, const FRACTION: u32> Neg for Fix<BITS, FRACTION> {
    type Output = Self;
    fn neg(self) -> Self {
        Self::from_raw(self.raw.wrapping_neg())
    }
}

impl<const BITS: u32, const FRACTION: u32> fmt::Display for Fix<BITS, FRACTION> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f64().fmt(f)
    }
}

/// The number and what it is made of: two that differ print differently.
impl<const BITS: u32, const FRACTION: u32> fmt::Debug for Fix<BITS, FRACTION> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}/2^{FRACTION})", self.to_f64(), self.raw)
    }
}

impl<const BITS: u32, const FRACTION: u32> sealed::Sealed for Fix<BITS, FRACTION> {}
impl<const BITS: u32, const FRACTION: u32> Scalar for Fix<BITS, FRACTION> {
    const BITS: u32 = BITS;
    const FRACTION: u32 = FRACTION;
    const SIGNED: bool = true;
    fn to_lane(self) -> u64 {
        self.raw.cast_unsigned() & Width::new(BITS).mask()
    }
    fn from_lane(lane: u64) -> Self {
        Self::from_raw(lane.cast_signed())
    }
}
