//! Share vectors and what is free on them.

use crate::party::Party;
use crate::ring::{BitPlanes, RingVec, Width};
use core::fmt;
use core::ops::Range;
use std::sync::Arc;

/// A vector of shares: local, free operations on its shape.
pub trait ShareVec: Clone {
    /// The number of elements.
    fn len(&self) -> usize;
    /// The width of an element: the ring's for arithmetic shares, the number of planes for Boolean ones.
    fn width(&self) -> Width;
    /// Whether there is no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The elements at `indices`, in that order.
    #[must_use]
    fn gather(&self, indices: &[usize]) -> Self;
    /// The elements of `range`.
    #[must_use]
    fn slice(&self, range: Range<usize>) -> Self;
    /// The vectors one after the other.
    ///
    /// # Panics
    /// When `parts` is empty or widths differ.
    #[must_use]
    fn concat(parts: &[&Self]) -> Self;
    /// Ranges of vectors, one after the other.
    ///
    /// # Panics
    /// When `parts` is empty, widths differ, or a range is not within its vector.
    #[must_use]
    fn concat_ranges(parts: &[(&Self, Range<usize>)]) -> Self {
        let parts: Vec<Self> = parts.iter().map(|(part, range)| part.slice(range.clone())).collect();
        Self::concat(&parts.iter().collect::<Vec<_>>())
    }
}

impl ShareVec for RingVec {
    fn len(&self) -> usize {
        Self::len(self)
    }
    fn width(&self) -> Width {
        Self::width(self)
    }
    fn gather(&self, indices: &[usize]) -> Self {
        Self::gather(self, indices)
    }
    fn slice(&self, range: Range<usize>) -> Self {
        Self::slice(self, range)
    }
    fn concat(parts: &[&Self]) -> Self {
        Self::concat(parts)
    }
    fn concat_ranges(parts: &[(&Self, Range<usize>)]) -> Self {
        Self::concat_ranges(parts)
    }
}

impl ShareVec for BitPlanes {
    fn len(&self) -> usize {
        Self::len(self)
    }
    fn width(&self) -> Width {
        Width::new(self.bits())
    }
    fn gather(&self, indices: &[usize]) -> Self {
        self.map(|p| p.gather(indices))
    }
    fn slice(&self, range: Range<usize>) -> Self {
        self.map(|p| p.slice(range.clone()))
    }
    fn concat(parts: &[&Self]) -> Self {
        Self::concat(parts)
    }
}

/// Whose weights a value was multiplied with and then rounded: see SECURITY.md, Opening rule.
///
/// The rounding of such a product depends on noise of the other party's ciphertexts, so it is not opened to the owner
/// of the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounded([bool; 2]);

impl Rounded {
    /// Under nobody's weights.
    pub(crate) const NOT: Self = Self([false; 2]);

    /// Under the weights of `owner`.
    pub(crate) fn under(owner: Party) -> Self {
        Self(Party::BOTH.map(|party| party == owner))
    }

    /// Under the weights of either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self([self.0[0] || other.0[0], self.0[1] || other.0[1]])
    }

    /// Whether the weights were those of `owner`.
    pub(crate) const fn is_under(self, owner: Party) -> bool {
        self.0[owner.index()]
    }
}

/// One party's share of a vector: x = x0 + x1 mod 2^k for ring elements, x = x0 ^ x1 for Boolean words.
///
/// A type of its own, so that a share is never taken for the value. Cloning shares the memory. `Debug` prints the
/// shape.
pub struct Shared<T> {
    share: Arc<T>,
    rounded: Rounded,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { share: Arc::clone(&self.share), rounded: self.rounded }
    }
}

impl<T> Shared<T> {
    /// This party's share of a value that no layer has rounded.
    pub(crate) fn new(share: T) -> Self {
        Self::rounded_as(share, Rounded::NOT)
    }

    /// This party's share of a value with such roundings in it.
    pub(crate) fn rounded_as(share: T, rounded: Rounded) -> Self {
        Self { share: Arc::new(share), rounded }
    }

    /// This party's share: what the protocol works on, meaningless on its own.
    #[must_use]
    pub fn share(&self) -> &T {
        &self.share
    }

    /// The roundings in the value.
    pub(crate) const fn rounded(&self) -> Rounded {
        self.rounded
    }

    /// A local function of the share.
    pub(crate) fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Shared<U> {
        Shared::rounded_as(f(&self.share), self.rounded)
    }

    /// A local function of two shares.
    pub(crate) fn zip<U>(&self, other: &Self, f: impl FnOnce(&T, &T) -> U) -> Shared<U> {
        Shared::rounded_as(f(&self.share, &other.share), self.rounded.or(other.rounded))
    }

    /// A local function of several shares.
    pub(crate) fn join<U>(parts: &[&Self], f: impl FnOnce(&[&T]) -> U) -> Shared<U> {
        let shares: Vec<&T> = parts.iter().map(|p| p.share()).collect();
        let rounded = parts.iter().fold(Rounded::NOT, |all, p| all.or(p.rounded));
        Shared::rounded_as(f(&shares), rounded)
    }
}

impl Shared<RingVec> {
    /// The trivial sharing of a public vector: the server holds it, the client zero.
    #[must_use]
    pub fn public(party: Party, values: &RingVec) -> Self {
        Self::new(match party {
            Party::Server => values.clone(),
            Party::Client => RingVec::zeros(values.width(), values.len()),
        })
    }
}

impl Shared<BitPlanes> {
    /// The trivial sharing of public words: the server holds them, the client zero.
    #[must_use]
    pub fn public(party: Party, values: &BitPlanes) -> Self {
        Self::new(match party {
            Party::Server => values.clone(),
            Party::Client => BitPlanes::zeros(values.bits(), values.len()),
        })
    }
}

impl<T: ShareVec> ShareVec for Shared<T> {
    fn len(&self) -> usize {
        self.share.len()
    }
    fn width(&self) -> Width {
        self.share.width()
    }
    fn gather(&self, indices: &[usize]) -> Self {
        self.map(|share| share.gather(indices))
    }
    fn slice(&self, range: Range<usize>) -> Self {
        self.map(|share| share.slice(range))
    }
    fn concat(parts: &[&Self]) -> Self {
        Self::join(parts, T::concat)
    }
    fn concat_ranges(parts: &[(&Self, Range<usize>)]) -> Self {
        let shares: Vec<(&T, Range<usize>)> =
            parts.iter().map(|(p, range)| (p.share(), range.clone())).collect();
        let rounded = parts.iter().fold(Rounded::NOT, |all, (p, _)| all.or(p.rounded));
        Self::rounded_as(T::concat_ranges(&shares), rounded)
    }
}

impl<T: ShareVec> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} x {})", self.len(), self.width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of runs of any length, also empty ones, of one vector and of several.
    #[test]
    fn ranges_are_concatenated_as_slices_are() {
        fn check<V: ShareVec>(x: &V, y: &V, same: impl Fn(&V, &V) -> bool) {
            for ranges in [vec![(x, 0..70)], vec![(x, 3..66), (y, 0..1), (x, 9..9), (y, 69..70), (x, 0..65)]]
            {
                let slices: Vec<V> = ranges.iter().map(|(v, range)| v.slice(range.clone())).collect();
                let expected = V::concat(&slices.iter().collect::<Vec<_>>());
                assert!(same(&V::concat_ranges(&ranges), &expected));
            }
        }
        let lanes = |by: u64| (0..70_u64).map(|i| i * by).collect::<Vec<_>>();
        let ring = |by| RingVec::new(Width::new(9), lanes(by));
        check(&ring(5), &ring(7), RingVec::eq);
        let bits = |by| BitPlanes::from_lanes(3, &lanes(by));
        check(&bits(5), &bits(7), BitPlanes::eq);
        let shared = |by, owner| Shared::rounded_as(ring(by), Rounded::under(owner));
        check(&shared(5, Party::Server), &shared(7, Party::Client), |a, b| {
            a.share() == b.share() && a.rounded() == b.rounded()
        });
    }
}
