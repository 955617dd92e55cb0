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

    /// The bits that hold a choice: this block's first coefficient over F_4 = F_2\[ω\], where a block is 64 coefficients
    /// with their parts without ω in the low half and those with ω in the high half. Multiplication by ω is
    /// [`Block::sigma`].
    pub const CHOICE: Self = Self(1 | 1 << 64);

    /// A uniform block whose first coefficient over F_4 is 1: what correlated OTs take as their Δ, so that the first
    /// coefficient of a mac is its choice.
    pub fn random_delta(rng: &mut (impl rand_core::CryptoRng + ?Sized)) -> Self {
        Self((Self::random(rng).0 & !Self::CHOICE.0) | 1)
    }

    /// The first coefficient over F_4: its part without ω is bit 0 of the result, the one with ω bit 1.
    #[must_use]
    pub const fn choice(self) -> u8 {
        self.lsb() | Self(self.0 >> 64).lsb() << 1
    }

    /// With the first coefficient over F_4 cleared.
    #[must_use]
    pub const fn without_choice(self) -> Self {
        Self(self.0 & !Self::CHOICE.0)
    }

    /// The product with an element of F_4, in the form of [`Block::choice`].
    #[must_use]
    pub const fn times(self, element: u8) -> Self {
        Self(Self::mask(element & 1).0 & self.0 ^ Self::mask(element >> 1 & 1).0 & self.sigma().0)
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

    /// Both halves doubled in GF(2^64) with the polynomial x^64 + x^4 + x^3 + x + 1: a map α that is linear over F_4. Every
    /// polynomial in α over F_4 of degree below 32 is invertible unless it is zero, as over F_4 the polynomial above has
    /// two irreducible factors of degree 32.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the halves")]
    pub const fn double_halves(self) -> Self {
        let [low, high] = [self.0 as u64, (self.0 >> 64) as u64];
        Self(double_half(low) as u128 | (double_half(high) as u128) << 64)
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

/// Twice a half in GF(2^64), as [`Block::double_halves`] doubles both.
#[inline(always)]
pub(crate) const fn double_half(half: u64) -> u64 {
    half << 1 ^ 0x1b & (half >> 63).wrapping_neg()
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

/// The rank of a linear map over F_2: 128 for an invertible one.
#[cfg(test)]
pub(crate) fn rank(map: impl Fn(Block) -> Block) -> usize {
    let mut rows: Vec<u128> = (0..128).map(|bit| map(Block::new(1 << bit)).0).collect();
    let mut rank = 0;
    for bit in 0..128 {
        let Some(pivot) = (rank..128).find(|&row| rows[row] >> bit & 1 == 1) else { continue };
        rows.swap(rank, pivot);
        let pivot = rows[rank];
        rows.iter_mut().skip(rank + 1).filter(|row| **row >> bit & 1 == 1).for_each(|row| *row ^= pivot);
        rank += 1;
    }
    rank
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

    #[test]
    fn halves_double_apart_and_linearly_over_f4() {
        let top = Block::new(1 << 63 | 1 << 127);
        assert_eq!(top.double_halves(), Block::new(0x1b | 0x1b << 64));
        assert_eq!(Block::new(3 | 5 << 64).double_halves(), Block::new(6 | 10 << 64));
        for x in [top, Block::new(0x1234_5678_9abc_def0_8fed_cba9_8765_4321)] {
            assert!((0..4).all(|by| x.times(by).double_halves() == x.double_halves().times(by)));
        }
    }

    /// σ and x -> x ^ σ(x) are both permutations: σ^3 = 1 and 1 + σ = σ^2.
    #[test]
    fn sigma_is_a_linear_orthomorphism() {
        assert_eq!([rank(Block::sigma), rank(|x| x ^ x.sigma())], [128; 2]);
        for x in [1, 1 << 64, 0x1234_5678_9abc_def0_0fed_cba9_8765_4321, u128::MAX].map(Block::new) {
            assert_eq!(x.sigma().sigma().sigma(), x);
            assert_eq!(x ^ x.sigma(), x.sigma().sigma());
        }
    }

    /// Two bits multiply as polynomials in ω modulo ω^2 + ω + 1.
    #[test]
    fn choices_are_elements_of_f4() {
        let product = |a: u8, b: u8| {
            let (low, middle, high) = (a & b & 1, (a & b >> 1) ^ (a >> 1 & b), a >> 1 & b >> 1);
            (low ^ high) | ((middle & 1) ^ high) << 1
        };
        let block = Block::new(0x1234_5678_9abc_def0_0fed_cba9_8765_4321);
        for a in 0..4 {
            assert_eq!(block.times(a).choice(), product(block.choice(), a));
            assert!((0..4).all(|b| block.times(a).times(b) == block.times(product(a, b))));
        }
        assert_eq!(block.without_choice().choice(), 0);
        assert_eq!(block ^ block.without_choice(), block & Block::CHOICE);
        let mut rng = crate::crypto::Prg::from_seed(block);
        assert!((0..20).all(|_| Block::random_delta(&mut rng).choice() == 1));
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
