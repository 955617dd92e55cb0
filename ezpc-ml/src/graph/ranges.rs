//! Interval analysis of the fixed-point program: which integers each value can take.

use super::Window;
use crate::kernels::pool::mean_factors;

/// The integers from `lo` to `hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "an interval has two ends")]
pub struct Span {
    /// The least value.
    pub lo: i128,
    /// The largest value.
    pub hi: i128,
}

impl Span {
    /// Only zero.
    pub const ZERO: Self = Self { lo: 0, hi: 0 };

    /// The smallest span that contains both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Sums of one value of each.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { lo: self.lo.saturating_add(other.lo), hi: self.hi.saturating_add(other.hi) }
    }

    /// The values with the other sign.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self { lo: self.hi.saturating_neg(), hi: self.lo.saturating_neg() }
    }

    /// Multiples.
    #[must_use]
    pub fn times(self, by: i128) -> Self {
        let (a, b) = (self.lo.saturating_mul(by), self.hi.saturating_mul(by));
        Self { lo: a.min(b), hi: a.max(b) }
    }

    /// Products of one value of each.
    #[must_use]
    pub fn product(self, other: Self) -> Self {
        self.times(other.lo).hull(self.times(other.hi))
    }

    /// What a layer with weights may make of it by the division by 2^shift: the nearest integer or one beside it, so from one
    /// below the floor to two above.
    #[must_use]
    pub const fn rounded(self, shift: u32) -> Self {
        if shift == 0 {
            return self;
        }
        Self { lo: (self.lo >> shift).saturating_sub(1), hi: (self.hi >> shift).saturating_add(2) }
    }

    /// The floor and the ceiling of the division by 2^shift.
    #[must_use]
    pub const fn divided(self, shift: u32) -> Self {
        Self { lo: self.lo >> shift, hi: self.hi.saturating_add((1 << shift) - 1) >> shift }
    }

    /// What both allow, when they meet; a calibrated span may lie outside a proved one only by rounding.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        let both = Self { lo: self.lo.max(other.lo), hi: self.hi.min(other.hi) };
        if both.lo <= both.hi { both } else { other }
    }

    /// The largest absolute value.
    #[must_use]
    pub fn magnitude(self) -> i128 {
        self.hi.max(self.lo.saturating_neg())
    }

    /// The least `bits` with `-2^bits <= x < 2^bits` for all values, at least 1.
    #[must_use]
    pub fn bits(self) -> u32 {
        let needed = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros();
        needed(self.lo).max(needed(self.hi)).max(1)
    }
}

/// The hull of all.
#[must_use]
pub fn hull(spans: &[Span]) -> Span {
    spans.iter().copied().reduce(Span::hull).unwrap_or(Span::ZERO)
}

/// The sums of a convolution before truncation, one span an output channel. Inputs have one span a channel.
#[must_use]
pub fn conv(x: &[Span], window: &Window, groups: usize, weights: &[i64], bias: &[i64]) -> Vec<Span> {
    let area: usize = window.kernel.iter().product();
    let per_in = x.len() / groups;
    let per_out = bias.len() / groups;
    // A place in the padding holds zero.
    let padded = window.padding != [0; 4];
    let at: Vec<Span> = x.iter().map(|&s| if padded { s.hull(Span::ZERO) } else { s }).collect();
    weights
        .chunks((per_in * area).max(1))
        .zip(bias)
        .enumerate()
        .map(|(o, (row, &b))| {
            let inputs = &at[o / per_out * per_in..][..per_in];
            let start = Span { lo: i128::from(b), hi: i128::from(b) };
            row.chunks(area).zip(inputs).fold(start, |sum, (taps, &s)| {
                taps.iter().fold(sum, |sum, &w| sum.plus(s.times(i128::from(w))))
            })
        })
        .collect()
}

/// The sums of a matrix product before truncation, one span an output. Inputs have one span a value.
#[must_use]
pub fn dense(x: &[Span], weights: &[i64], bias: &[i64]) -> Vec<Span> {
    weights
        .chunks(x.len().max(1))
        .zip(bias)
        .map(|(row, &b)| {
            let start = Span { lo: i128::from(b), hi: i128::from(b) };
            row.iter().zip(x).fold(start, |sum, (&w, s)| sum.plus(s.times(i128::from(w))))
        })
        .collect()
}

/// The scaled sums of a mean before truncation, and the shift.
#[must_use]
pub fn mean(
    x: &[Span],
    window: &Window,
    counted: [usize; 4],
    size: [usize; 2],
    out: [usize; 2],
) -> (Vec<Span>, u32) {
    let (factors, shift) = mean_factors(window, counted, size, out);
    let most: usize = window.kernel.iter().product();
    let factor = factors.iter().copied().max().unwrap_or(1);
    let padded = window.padding != [0; 4];
    let sums = x.iter().map(|&s| {
        // With padding a sum has fewer terms, and a smaller divisor where that padding does not count; the
        // product of both is largest where all terms are there or where every sum is the sum of one value.
        let s = if padded { s.hull(Span::ZERO) } else { s };
        s.times(most as i128).times(i128::from(factor))
    });
    (sums.collect(), shift)
}
