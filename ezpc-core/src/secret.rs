//! Wrappers for values that must not be printed, compared or left in memory.

use core::fmt;
use core::ops::{Deref, DerefMut};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Zeros a vector and the capacity behind it with plain stores, which the compiler must keep as it cannot see that nobody
/// reads them: volatile ones would be as narrow as the values.
pub(crate) fn wipe<T: Copy + Default>(values: &mut Vec<T>) {
    let capacity = values.capacity();
    values.clear();
    values.resize(capacity, T::default());
    zeroize::optimization_barrier(&values[..]);
}

/// A secret vector: prints its length, and is wiped when dropped, at the speed of memory.
pub struct Wiped<T: Copy + Default>(Vec<T>);

impl<T: Copy + Default> Wiped<T> {
    /// Takes values into custody.
    #[must_use]
    pub const fn new(values: Vec<T>) -> Self {
        Self(values)
    }

    /// `len` zeros.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self(vec![T::default(); len])
    }

    /// Room for `len` values, with anything in it: the present room, if it is enough.
    pub fn fit(&mut self, len: usize) {
        if self.0.capacity() < len {
            *self = Self::zeros(len);
        } else {
            self.0.resize(len, T::default());
        }
    }

    /// The values, out of custody.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<T> {
        core::mem::take(&mut self.0)
    }
}

impl<T: Copy + Default> Default for Wiped<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Default> Drop for Wiped<T> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl<T: Copy + Default> Deref for Wiped<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Copy + Default> DerefMut for Wiped<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Copy + Default> FromIterator<T> for Wiped<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T: Copy + Default> fmt::Debug for Wiped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wiped({})", self.len())
    }
}

/// A secret value: prints as `Secret(..)`, cannot be compared, is wiped when dropped, and yields its content
/// only through [`Secret::expose`].
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes a value into custody.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The content.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The content, for writing.
    pub const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Numbers that one party knows, shared by clones and wiped with the last of them.
#[derive(Clone, Default)]
pub struct Values(Arc<Zeroizing<Vec<i64>>>);

impl From<Vec<i64>> for Values {
    fn from(values: Vec<i64>) -> Self {
        Self(Arc::new(Zeroizing::new(values)))
    }
}

impl FromIterator<i64> for Values {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        let values = values.into_iter();
        let mut all = Zeroizing::new(Vec::with_capacity(values.size_hint().0));
        for value in values {
            if all.len() == all.capacity() {
                // A vector that grows by itself leaves its old place behind.
                let mut more = Zeroizing::new(Vec::with_capacity(2 * all.len().max(8)));
                more.extend_from_slice(&all);
                all = more;
            }
            all.push(value);
        }
        Self(Arc::new(all))
    }
}

impl Deref for Values {
    type Target = [i64];

    fn deref(&self) -> &[i64] {
        &self.0
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Values({})", self.len())
    }
}
