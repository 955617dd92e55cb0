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

/// One party's share of a vector: x = x0 + x1 mod 2^k for ring elements, x = x0 ^ x1 for Boolean words.
///
/// A type of its own, so that a share is never taken for the value. Cloning shares the memory. `Debug` prints the
/// shape.
pub struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    /// This party's share.
    pub(crate) fn new(share: T) -> Self {
        Self(Arc::new(share))
    }

    /// This party's share: what the protocol works on, meaningless on its own.
    #[must_use]
    pub fn share(&self) -> &T {
        &self.0
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
        self.0.len()
    }
    fn width(&self) -> Width {
        self.0.width()
    }
    fn gather(&self, indices: &[usize]) -> Self {
        Self::new(self.0.gather(indices))
    }
    fn slice(&self, range: Range<usize>) -> Self {
        Self::new(self.0.slice(range))
    }
    fn concat(parts: &[&Self]) -> Self {
        Self::new(T::concat(&parts.iter().map(|p| p.share()).collect::<Vec<_>>()))
    }
}

impl<T: ShareVec> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({} x {})", self.len(), self.width())
    }
}
