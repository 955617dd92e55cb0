//! Arithmetic modulo a prime below 2^26, in Montgomery form with R = 2^32.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::arch::residues::Prime;

/// A prime p < 2^26 with p = 1 mod 4096, and what is needed to compute modulo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Modulus {
    p: u32,
    /// p^{-1} mod 2^32.
    inverse: u32,
    /// 2^32 mod p.
    r: u32,
    /// 2^64 mod p.
    r2: u32,
}

impl Modulus {
    /// The modulus `p`.
    ///
    /// # Panics
    /// When `p` is even or not below 2^26: moduli are constants of this crate.
    pub(crate) const fn new(p: u32) -> Self {
        assert!(p % 2 == 1 && p < 1 << 26, "a modulus is odd and below 2^26");
        let mut inverse: u32 = 1;
        let mut i = 0;
        while i < 5 {
            inverse = inverse.wrapping_mul(2_u32.wrapping_sub(p.wrapping_mul(inverse)));
            i += 1;
        }
        let r = ((1_u64 << 32) % p as u64) as u32;
        let r2 = ((r as u64 * r as u64) % p as u64) as u32;
        Self { p, inverse, r, r2 }
    }

    /// p.
    pub(crate) const fn p(self) -> u32 {
        self.p
    }

    /// p^{-1} mod 2^32.
    pub(crate) const fn inverse(self) -> u32 {
        self.inverse
    }

    /// The constants of the vector kernels.
    pub(crate) const fn prime(self) -> Prime {
        Prime { p: self.p, inverse: self.inverse, r: self.r, r2: self.r2 }
    }

    /// `a · b / 2^32` mod p, reduced, for `a · b < p · 2^32`.
    #[inline]
    pub(crate) const fn mont_mul(self, a: u32, b: u32) -> u32 {
        let product = a as u64 * b as u64;
        let q = (product as u32).wrapping_mul(self.inverse);
        let high = (product >> 32) as u32;
        let correction = ((q as u64 * self.p as u64) >> 32) as u32;
        self.reduce_once(high.wrapping_sub(correction).wrapping_add(self.p))
    }

    /// `a · b` mod p for reduced values.
    pub(crate) const fn mul(self, a: u32, b: u32) -> u32 {
        self.mont_mul(self.mont_mul(a, b), self.r2)
    }

    /// The Montgomery form `a · 2^32` mod p.
    #[inline]
    pub(crate) const fn to_mont(self, a: u32) -> u32 {
        self.mont_mul(a, self.r2)
    }

    /// `a + b` mod p for reduced values.
    #[inline]
    pub(crate) const fn add(self, a: u32, b: u32) -> u32 {
        self.reduce_once(a + b)
    }

    /// `a - b` mod p for reduced values.
    #[inline]
    pub(crate) const fn sub(self, a: u32, b: u32) -> u32 {
        self.reduce_once(a + self.p - b)
    }

    /// Subtracts p from a value below 2p unless it is below p, without a branch.
    #[inline]
    pub(crate) const fn reduce_once(self, a: u32) -> u32 {
        let reduced = a.wrapping_sub(self.p);
        // The top bit tells a borrow, as both values are far below 2^31.
        let borrow = (reduced as i32 >> 31) as u32;
        reduced.wrapping_add(self.p & borrow)
    }

    /// `a` mod p for a value below 2^64.
    #[inline]
    pub(crate) const fn reduce_u64(self, a: u64) -> u32 {
        // a = high 2^32 + low, folded twice, as high · r < 2^58 and then high' · r < 2^52 + 2^32.
        let folded = (a >> 32) * self.r as u64 + (a & 0xFFFF_FFFF);
        let folded = (folded >> 32) * self.r as u64 + (folded & 0xFFFF_FFFF);
        // Below 2^53: one Montgomery step divides by 2^32 and leaves a value below 2^21 + p, another restores.
        let q = (folded as u32).wrapping_mul(self.inverse);
        let correction = ((q as u64 * self.p as u64) >> 32) as u32;
        let divided = ((folded >> 32) as u32).wrapping_sub(correction).wrapping_add(self.p);
        self.to_mont(self.reduce_once(divided))
    }

    /// `a` mod p.
    #[inline]
    pub(crate) const fn reduce_u128(self, a: u128) -> u32 {
        let high = self.mont_mul(self.to_mont(self.reduce_u64((a >> 64) as u64)), self.r2);
        self.add(high, self.reduce_u64(a as u64))
    }

    /// A signed integer mod p, without a branch on its sign.
    #[inline]
    pub(crate) const fn reduce_i64(self, a: i64) -> u32 {
        // A negative value was read as itself plus 2^64.
        let wrap = self.r2 & (a >> 63) as u32;
        self.sub(self.reduce_u64(a as u64), wrap)
    }

    /// `base`^`exponent` mod p; the exponent is public.
    pub(crate) const fn pow(self, base: u32, mut exponent: u64) -> u32 {
        let (mut result, mut square) = (1, base);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, square);
            }
            square = self.mul(square, square);
            exponent >>= 1;
        }
        result
    }

    /// The inverse of a public value mod p.
    pub(crate) const fn invert(self, a: u32) -> u32 {
        self.pow(a, self.p as u64 - 2)
    }

    /// A primitive `order`-th root of unity; `order` is a power of two that divides p - 1.
    pub(crate) const fn root(self, order: usize) -> u32 {
        let mut candidate = 2;
        loop {
            let root = self.pow(candidate, (self.p as u64 - 1) / order as u64);
            if self.pow(root, order as u64 / 2) == self.p - 1 {
                return root;
            }
            candidate += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODULI: [Modulus; 2] = [Modulus::new(67_104_769), Modulus::new(67_084_289)];

    proptest! {
        #[test]
        fn operations_agree_with_wide_integers(a: u64, b: u64, c: i64, d: u128) {
            for m in MODULI {
                let p = u64::from(m.p());
                let (x, y) = (m.reduce_u64(a), m.reduce_u64(b));
                prop_assert_eq!(u64::from(x), a % p);
                prop_assert_eq!(u64::from(m.mul(x, y)), (a % p) * (b % p) % p);
                prop_assert_eq!(u64::from(m.add(x, y)), (a % p + b % p) % p);
                prop_assert_eq!(u64::from(m.sub(x, y)), (a % p + p - b % p) % p);
                prop_assert_eq!(i64::from(m.reduce_i64(c)), c.rem_euclid(p as i64));
                prop_assert_eq!(u128::from(m.reduce_u128(d)), d % u128::from(p));
                prop_assert_eq!(u64::from(m.to_mont(x)), ((a % p) << 32) % p);
            }
        }
    }

    #[test]
    fn edges_of_the_reductions() {
        for m in MODULI {
            let p = u64::from(m.p());
            for a in [0, 1, p - 1, p, p + 1, 2 * p, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, 1 << 32] {
                assert_eq!(u64::from(m.reduce_u64(a)), a % p);
                assert_eq!(i64::from(m.reduce_i64(a as i64)), (a as i64).rem_euclid(p as i64));
            }
            assert_eq!(m.mul(m.invert(12_345), 12_345), 1);
        }
    }
}
