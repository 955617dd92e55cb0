//! Public integers: what Rust's operators leave open, decided as the language defines it.

use crate::error::{Error, Result};
use core::ops::Range;

/// A public integer that may index an array.
pub trait Index: Copy {
    /// The value.
    fn wide(self) -> i128;
}

/// Public integers with the language's operators: wrapping, division by zero and long shifts refused.
pub trait PublicInt: Index + PartialEq + Sized {
    /// Quotient truncated toward zero.
    fn quotient(self, by: Self) -> Result<Self>;
    /// Remainder with the sign of the dividend.
    fn remainder(self, by: Self) -> Result<Self>;
    /// `self` to the power `exponent`, mod 2^width.
    fn power<I: Index>(self, exponent: I) -> Result<Self>;
    /// `<<` by a public amount below the width.
    fn shift_left<I: Index>(self, by: I) -> Result<Self>;
    /// `>>`: arithmetic on signed, logical on unsigned values.
    fn shift_right<I: Index>(self, by: I) -> Result<Self>;
    /// `>>>`: always logical.
    fn shift_right_logical<I: Index>(self, by: I) -> Result<Self>;
}

macro_rules! public_integers {
    ($($t:ty: $unsigned:ty),*) => {$(
        impl Index for $t {
            fn wide(self) -> i128 {
                i128::from(self)
            }
        }
        #[allow(
            clippy::cast_sign_loss,
            clippy::cast_possible_wrap,
            reason = "a logical shift is a shift of the unsigned value"
        )]
        impl PublicInt for $t {
            fn quotient(self, by: Self) -> Result<Self> {
                if by == 0 { Err(Error::usage("division of a public value by zero")) } else { Ok(self.wrapping_div(by)) }
            }
            fn remainder(self, by: Self) -> Result<Self> {
                if by == 0 { Err(Error::usage("remainder of a public value by zero")) } else { Ok(self.wrapping_rem(by)) }
            }
            fn power<I: Index>(self, exponent: I) -> Result<Self> {
                let exponent = exponent.wide();
                let mut left = u64::try_from(exponent)
                    .map_err(|_| Error::usage(format!("the exponent {exponent} is negative")))?;
                let (mut base, mut result) = (self, 1);
                while left > 0 {
                    if left & 1 == 1 {
                        result = Self::wrapping_mul(result, base);
                    }
                    base = base.wrapping_mul(base);
                    left >>= 1;
                }
                Ok(result)
            }
            fn shift_left<I: Index>(self, by: I) -> Result<Self> {
                Ok(self << shift_amount(by, Self::BITS)?)
            }
            fn shift_right<I: Index>(self, by: I) -> Result<Self> {
                Ok(self >> shift_amount(by, Self::BITS)?)
            }
            fn shift_right_logical<I: Index>(self, by: I) -> Result<Self> {
                Ok(((self as $unsigned) >> shift_amount(by, Self::BITS)?) as Self)
            }
        }
    )*};
}

public_integers!(u8: u8, u16: u16, u32: u32, u64: u64, i8: u8, i16: u16, i32: u32, i64: u64);

impl Index for i128 {
    fn wide(self) -> i128 {
        self
    }
}

impl Index for usize {
    #[allow(clippy::cast_possible_wrap, reason = "lengths of vectors fit an i64")]
    fn wide(self) -> i128 {
        self as i128
    }
}

/// A shift amount that is below the width of what is shifted.
pub fn shift_amount<I: Index>(by: I, bits: u32) -> Result<u32> {
    let by = by.wide();
    match u32::try_from(by) {
        Ok(amount) if amount < bits => Ok(amount),
        _ => Err(Error::usage(format!("cannot shift a value of {bits} bits by {by}"))),
    }
}

/// The size of an array.
pub fn array_size<I: Index>(size: I) -> Result<usize> {
    let size = size.wide();
    usize::try_from(size).map_err(|_| Error::usage(format!("{size} is no size of an array")))
}

/// The range of a loop, in the type of its variable.
pub fn loop_range<I: Index, J: Index, T: TryFrom<i128>>(from: I, to: J) -> Result<Range<T>> {
    let bound = |value: i128| {
        T::try_from(value)
            .map_err(|_| Error::usage(format!("the loop bound {value} does not fit the loop variable")))
    };
    Ok(bound(from.wide())?..bound(to.wide())?)
}
