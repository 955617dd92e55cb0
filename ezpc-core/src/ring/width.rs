//! The width k of a ring Z_{2^k}.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::error::{Error, Result};
use core::fmt;

/// The width k of a ring Z_{2^k}, 1 <= k <= 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Width(u8);

impl Width {
    /// One bit.
    pub const W1: Self = Self(1);
    /// 32 bits.
    pub const W32: Self = Self(32);
    /// 64 bits.
    pub const W64: Self = Self(64);

    /// The width `bits`.
    ///
    /// # Panics
    /// When `bits` is not in `1..=64`; use [`Width::try_new`] for widths that come from outside.
    #[must_use]
    pub const fn new(bits: u32) -> Self {
        assert!(bits >= 1 && bits <= 64, "a ring's width is between 1 and 64 bits");
        Self(bits as u8)
    }

    /// The width `bits`, or a usage error when it is not in `1..=64`.
    pub fn try_new(bits: u32) -> Result<Self> {
        if (1..=64).contains(&bits) {
            Ok(Self::new(bits))
        } else {
            Err(Error::usage(format!("a ring's width is between 1 and 64 bits, not {bits}")))
        }
    }

    /// k.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0 as u32
    }

    /// 2^k - 1.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - self.0 as u32)
    }

    /// `value` mod 2^k.
    #[must_use]
    pub const fn wrap(self, value: u64) -> u64 {
        value & self.mask()
    }

    /// The two's complement value of `value` mod 2^k, in `-2^{k-1}..2^{k-1}`.
    #[must_use]
    pub const fn signed(self, value: u64) -> i64 {
        let shift = 64 - self.0 as u32;
        ((value << shift) as i64) >> shift
    }

    /// The ring element that represents a signed integer: `value` mod 2^k.
    #[must_use]
    pub const fn from_signed(self, value: i64) -> u64 {
        self.wrap(value as u64)
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bits", self.0)
    }
}
