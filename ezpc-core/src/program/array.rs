//! Arrays of programs: any rank, passed by reference, with row views.

use super::cells::{Cells, Element};
use super::graph::{self, Graph};
use super::public::Index;
use super::shared::Shared;
use super::view::{NONE, View};
use crate::error::{Error, Result};
use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

/// An array of rank `R`, row-major. Clones and views are the same array: what is written through one is read
/// through all.
pub struct Array<T: Element, const R: usize> {
    cells: Rc<RefCell<T::Cells>>,
    start: usize,
    sizes: [usize; R],
}

impl<T: Element, const R: usize> Array<T, R> {
    /// An array of the given sizes with every element `value`.
    pub fn filled(sizes: [usize; R], value: T) -> Result<Self> {
        Ok(Self::new(sizes, T::Cells::filled(value, count(&sizes)?)))
    }

    /// The row-major `values` as an array of the given sizes.
    pub fn from_vec(sizes: [usize; R], values: Vec<T>) -> Result<Self> {
        let expected = count(&sizes)?;
        if values.len() != expected {
            let given = values.len();
            return Err(Error::usage(format!("{given} values for an array of {expected} ({sizes:?})")));
        }
        Ok(Self::new(sizes, T::Cells::from_vec(values)))
    }

    /// An array of as many cells as the sizes say.
    pub(super) fn new(sizes: [usize; R], cells: T::Cells) -> Self {
        Self { cells: Rc::new(RefCell::new(cells)), start: 0, sizes }
    }

    /// The sizes.
    #[must_use]
    pub const fn sizes(&self) -> [usize; R] {
        self.sizes
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, row-major.
    #[must_use]
    pub fn to_vec(&self) -> Vec<T> {
        let cells = self.cells.borrow();
        (self.start..self.start + self.len()).map(|at| cells.read(at)).collect()
    }

    /// The element at `index`.
    pub fn get<I: Index>(&self, index: [I; R]) -> Result<T> {
        let at = self.offset(index)?;
        Ok(self.cells.borrow().read(at))
    }

    /// Writes the element at `index`.
    pub fn set<I: Index>(&self, index: [I; R], value: T) -> Result<()> {
        let at = self.offset(index)?;
        self.cells.borrow_mut().write(at, value);
        Ok(())
    }

    /// The row view at a partial index: the first `K` of `K + S = R` indices.
    pub fn row<const K: usize, const S: usize, I: Index>(&self, index: [I; K]) -> Result<Array<T, S>> {
        assert!(K + S == R, "a view of rank {S} by {K} indices of rank {R}");
        let mut at = 0;
        for (i, size) in index.into_iter().zip(self.sizes) {
            at = at * size + bounded(i, size)?;
        }
        let mut sizes = [0; S];
        sizes.copy_from_slice(&self.sizes[K..]);
        let start = self.start + at * sizes.iter().product::<usize>();
        Ok(Array { cells: Rc::clone(&self.cells), start, sizes })
    }

    /// Copies the elements of an array of the same sizes.
    pub fn assign(&self, from: &Self) -> Result<()> {
        if self.sizes != from.sizes {
            let (to, from) = (self.sizes, from.sizes);
            return Err(Error::usage(format!("cannot assign an array of {from:?} to one of {to:?}")));
        }
        if Rc::ptr_eq(&self.cells, &from.cells) {
            let values = from.cells.borrow().part(from.start..from.start + from.len());
            self.cells.borrow_mut().copy(self.start, &values, 0..from.len());
        } else {
            let values = from.cells.borrow();
            self.cells.borrow_mut().copy(self.start, &values, from.start..from.start + from.len());
        }
        Ok(())
    }

    /// Refuses an argument whose sizes are not the declared ones.
    pub fn expect_sizes(&self, name: &str, sizes: [usize; R]) -> Result<()> {
        if self.sizes == sizes {
            return Ok(());
        }
        let given = self.sizes;
        Err(Error::usage(format!("array `{name}` has sizes {given:?} where {sizes:?} are declared")))
    }

    /// Whether what is written to one may be read from the other.
    #[must_use]
    pub fn overlaps<const S: usize>(&self, other: &Array<T, S>) -> bool {
        let ends = (self.start + self.len(), other.start + other.len());
        Rc::ptr_eq(&self.cells, &other.cells) && self.start < ends.1 && other.start < ends.0
    }

    pub(super) fn cells(&self) -> &RefCell<T::Cells> {
        &self.cells
    }

    /// Where an element is among the cells.
    pub(super) fn offset<I: Index>(&self, index: [I; R]) -> Result<usize> {
        let mut at = 0;
        for (i, size) in index.into_iter().zip(self.sizes) {
            at = at * size + bounded(i, size)?;
        }
        Ok(self.start + at)
    }
}

impl<T, const R: usize> Array<Shared<T>, R> {
    /// All elements, at least one, row-major.
    pub(super) fn elements(&self, graph: &mut Graph) -> View {
        let (cells, range) = (self.cells.borrow(), self.start..self.start + self.len());
        let inner = View::whole(NONE, graph::count(range.len()));
        let inner = View { start: graph::count(range.start), ..inner };
        match cells.view(inner) {
            Some(view) => view,
            None => graph.collect_slots(range.map(|at| cells.at(at))),
        }
    }
}

impl<T: Element, const R: usize> Clone for Array<T, R> {
    fn clone(&self) -> Self {
        Self { cells: Rc::clone(&self.cells), start: self.start, sizes: self.sizes }
    }
}

impl<T: Element, const R: usize> fmt::Debug for Array<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({:?})", self.sizes)
    }
}

fn bounded<I: Index>(index: I, size: usize) -> Result<usize> {
    let index = index.wide();
    match usize::try_from(index) {
        Ok(i) if i < size => Ok(i),
        _ => Err(Error::usage(format!("index {index} is outside an array of {size}"))),
    }
}

/// The number of elements of an array.
pub(super) fn count(sizes: &[usize]) -> Result<usize> {
    let all = sizes.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n <= LARGEST);
    all.ok_or_else(|| Error::usage(format!("an array of sizes {sizes:?} is too large")))
}

/// Elements have 32-bit names.
const LARGEST: usize = 1 << 31;
