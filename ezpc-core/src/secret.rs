//! Wrappers for values that must not be printed, compared or left in memory.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

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
