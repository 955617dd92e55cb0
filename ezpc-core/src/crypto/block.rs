//! 128 untyped bits.

use bytemuck::{Pod, Zeroable};
use core::fmt;
use core::ops::{BitAnd, BitXor, BitXorAssign};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::DefaultIsZeroes;

/// 128 bits, often a key: prints nothing, compares in constant time.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(transparent)]
pub struct Block(u128);

impl Block {
    /// All bits zero.
    pub const ZERO: Self = Self(0);
    /// All bits one.
    pub const ONES: Self = Self(u128::MAX);
    /// Only the least significant bit.
    pub const ONE: Self = Self(1);
    /// The bytes of a block.
    pub const BYTES: usize = 16;

    /// The block with these bits.
    #[must_use]
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The block whose little-endian bytes these are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    /// The bytes, little-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// A uniform block.
    pub fn random(rng: &mut (impl rand_core::CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self::from_bytes(bytes)
    }

    /// The least significant bit, 0 or 1.
    #[must_use]
    pub const fn lsb(self) -> u8 {
        (self.0 & 1) as u8
    }

    /// With the least significant bit cleared.
    #[must_use]
    pub const fn without_lsb(self) -> Self {
        Self(self.0 & !1)
    }

    /// With the least significant bit set.
    #[must_use]
    pub const fn with_lsb(self) -> Self {
        Self(self.0 | 1)
    }

    /// All ones when `bit` is 1, zero when it is 0; `bit` must be one of the two.
    #[must_use]
    pub const fn mask(bit: u8) -> Self {
        Self((bit as u128).wrapping_neg())
    }

    /// Twice this block in GF(2^128) with the polynomial x^128 + x^7 + x^2 + x + 1.
    #[must_use]
    pub const fn double(self) -> Self {
        let carry = (self.0 >> 127).wrapping_neg() & 0x87;
        Self((self.0 << 1) ^ carry)
    }

    /// σ of Guo, Katz, Wang and Yu: (l, r) to (l ^ r, l), linear, with x ^ σ(x) invertible too.
    #[must_use]
    pub const fn sigma(self) -> Self {
        let high = self.0 >> 64;
        let low = self.0 & u64::MAX as u128;
        Self(((high ^ low) << 64) | high)
    }

    /// The wire form of blocks.
    #[must_use]
    pub fn slice_bytes(blocks: &[Self]) -> &[u8] {
        bytemuck::must_cast_slice(blocks)
    }

    /// The blocks of a wire form; bytes past the last whole block are ignored.
    #[must_use]
    pub fn vec_from_bytes(bytes: &[u8]) -> Vec<Self> {
        let (blocks, _) = bytes.as_chunks::<16>();
        blocks.iter().map(|&b| Self::from_bytes(b)).collect()
    }
}

impl BitXor for Block {
    type Output = Self;

    #[inline]
    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }
}

impl BitXorAssign for Block {
    #[inline]
    fn bitxor_assign(&mut self, other: Self) {
        self.0 ^= other.0;
    }
}

impl BitAnd for Block {
    type Output = Self;

    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl ConditionallySelectable for Block {
    fn conditional_select(a: &Self, b: &Self, choice: Choice) -> Self {
        *a ^ (Self::mask(choice.unwrap_u8()) & (*a ^ *b))
    }
}

impl ConstantTimeEq for Block {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.to_bytes().ct_eq(&other.to_bytes())
    }
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Block {}

impl DefaultIsZeroes for Block {}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Block(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_shows_nothing() {
        assert_eq!(format!("{:?}", Block::new(0x1234)), "Block(..)");
    }

    #[test]
    fn doubling_is_multiplication_by_x() {
        assert_eq!(Block::ONE.double(), Block::new(2));
        assert_eq!(Block::new(1 << 127).double(), Block::new(0x87));
        assert_eq!(Block::new(u128::MAX).double(), Block::new((u128::MAX << 1) ^ 0x87));
    }

    /// σ and x -> x ^ σ(x) are both permutations: σ^3 = 1 and 1 + σ = σ^2.
    #[test]
    fn sigma_is_a_linear_orthomorphism() {
        for x in [1, 1 << 64, 0x1234_5678_9abc_def0_0fed_cba9_8765_4321, u128::MAX].map(Block::new) {
            assert_eq!(x.sigma().sigma().sigma(), x);
            assert_eq!(x ^ x.sigma(), x.sigma().sigma());
        }
    }

    #[test]
    fn masks_and_bytes() {
        assert_eq!(Block::mask(1), Block::ONES);
        assert_eq!(Block::mask(0), Block::ZERO);
        let blocks = [Block::new(1), Block::new(u128::MAX - 5)];
        assert_eq!(Block::vec_from_bytes(Block::slice_bytes(&blocks)), blocks);
        assert_eq!(Block::from_bytes(blocks[1].to_bytes()), blocks[1]);
    }
}
