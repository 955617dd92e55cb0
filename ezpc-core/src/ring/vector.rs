//! Vectors over Z_{2^k}: one 64-bit lane an element, always reduced.

use super::Width;
use crate::secret::wipe;
use core::fmt;

/// A vector over Z_{2^k}. Invariant: every lane is below 2^k.
///
/// It holds cleartext values and shares alike, so `Debug` prints its shape and never its content, and it is
/// wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RingVec {
    width: Width,
    lanes: Vec<u64>,
}

impl RingVec {
    /// `lanes` mod 2^k.
    #[must_use]
    pub fn new(width: Width, mut lanes: Vec<u64>) -> Self {
        let mask = width.mask();
        for lane in &mut lanes {
            *lane &= mask;
        }
        Self { width, lanes }
    }

    /// `len` zeros.
    #[must_use]
    pub fn zeros(width: Width, len: usize) -> Self {
        Self { width, lanes: vec![0; len] }
    }

    /// Signed integers mod 2^k.
    #[must_use]
    pub fn from_signed(width: Width, values: &[i64]) -> Self {
        Self { width, lanes: values.iter().map(|&v| width.from_signed(v)).collect() }
    }

    /// The width k.
    #[must_use]
    pub const fn width(&self) -> Width {
        self.width
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// The lanes, each below 2^k.
    #[must_use]
    pub fn lanes(&self) -> &[u64] {
        &self.lanes
    }

    /// The lanes as two's complement integers.
    #[must_use]
    pub fn to_signed(&self) -> Vec<i64> {
        self.lanes.iter().map(|&v| self.width.signed(v)).collect()
    }

    /// Takes the lanes out.
    #[must_use]
    pub fn into_lanes(mut self) -> Vec<u64> {
        core::mem::take(&mut self.lanes)
    }

    /// Applies `f` to every lane and reduces into the ring of width `width`.
    #[must_use]
    pub fn map(&self, width: Width, f: impl Fn(u64) -> u64) -> Self {
        let mask = width.mask();
        Self { width, lanes: self.lanes.iter().map(|&v| f(v) & mask).collect() }
    }

    /// Applies `f` to the pairs of lanes of two vectors of one width and length.
    ///
    /// # Panics
    /// When widths or lengths differ.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        self.assert_same_shape(other);
        let mask = self.width.mask();
        let lanes = self.lanes.iter().zip(&other.lanes).map(|(&a, &b)| f(a, b) & mask).collect();
        Self { width: self.width, lanes }
    }

    /// Element-wise sum.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        self.zip(other, u64::wrapping_add)
    }

    /// Element-wise difference.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        self.zip(other, u64::wrapping_sub)
    }

    /// Element-wise product.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        self.zip(other, u64::wrapping_mul)
    }

    /// Element-wise product with public values; a single one multiplies every element.
    ///
    /// # Panics
    /// When `by` has neither one value nor as many as there are elements.
    #[must_use]
    pub fn scale(&self, by: &[u64]) -> Self {
        if let [one] = by {
            return self.map(self.width, |v| v.wrapping_mul(*one));
        }
        assert!(self.len() == by.len(), "{} elements scaled by {} values", self.len(), by.len());
        let mask = self.width.mask();
        let lanes = self.lanes.iter().zip(by).map(|(v, b)| v.wrapping_mul(*b) & mask).collect();
        Self { width: self.width, lanes }
    }

    /// The elements mod 2^`width`.
    ///
    /// # Panics
    /// When `width` is more than the present one.
    #[must_use]
    pub fn reduce(&self, width: Width) -> Self {
        assert!(width <= self.width, "cannot reduce a ring of {} to {width}", self.width);
        self.map(width, |v| v)
    }

    /// Drops the low `shift` bits of every element: a ring of k - `shift` bits.
    ///
    /// # Panics
    /// When no bit would be left.
    #[must_use]
    pub fn shift_down(&self, shift: u32) -> Self {
        assert!(shift < self.width.bits(), "cannot drop {shift} bits of a ring of {}", self.width);
        self.map(Width::new(self.width.bits() - shift), |v| v >> shift)
    }

    /// The elements at `indices`, in that order.
    #[must_use]
    pub fn gather(&self, indices: &[usize]) -> Self {
        Self { width: self.width, lanes: indices.iter().map(|&i| self.lanes[i]).collect() }
    }

    /// The elements of `range`.
    #[must_use]
    pub fn slice(&self, range: core::ops::Range<usize>) -> Self {
        Self { width: self.width, lanes: self.lanes[range].to_vec() }
    }

    /// The vectors one after the other.
    ///
    /// # Panics
    /// When `parts` is empty or widths differ.
    #[must_use]
    pub fn concat(parts: &[&Self]) -> Self {
        Self::concat_ranges(&parts.iter().map(|&part| (part, 0..part.len())).collect::<Vec<_>>())
    }

    /// Ranges of vectors, one after the other.
    ///
    /// # Panics
    /// When `parts` is empty, widths differ, or a range is not within its vector.
    #[must_use]
    pub fn concat_ranges(parts: &[(&Self, core::ops::Range<usize>)]) -> Self {
        let width = parts.first().expect("concat of at least one part").0.width;
        let mut lanes = Vec::with_capacity(parts.iter().map(|(_, range)| range.len()).sum());
        for (part, range) in parts {
            assert!(part.width == width, "concat of vectors of {width} and {}", part.width);
            lanes.extend_from_slice(&part.lanes[range.clone()]);
        }
        Self { width, lanes }
    }

    fn assert_same_shape(&self, other: &Self) {
        assert!(self.width == other.width, "operands of {} and {}", self.width, other.width);
        assert!(self.len() == other.len(), "operands of {} and {} elements", self.len(), other.len());
    }
}

impl Drop for RingVec {
    fn drop(&mut self) {
        wipe(&mut self.lanes);
    }
}

impl fmt::Debug for RingVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingVec({} x {})", self.len(), self.width)
    }
}
