//! Inputs of programs.

use super::cells::Slots;
use super::view::View;
use super::{Array, Program, Scalar, Shared};
use crate::error::{Error, Result};
use crate::party::Party;
use crate::protocol::Protocol;
use std::rc::Rc;

impl<P: Protocol> Program<'_, P> {
    /// A public value as a secret one.
    pub fn constant<T: Scalar>(&self, value: T) -> Shared<T> {
        self.record(|g| g.constant(T::BITS, value.to_lane()))
    }

    /// A private value of party `from`; `value` is `Some` at that party.
    pub fn input<T: Scalar>(&self, from: Party, value: Option<T>) -> Result<Shared<T>> {
        let value = self.own(from, value)?;
        refuse_unfit(value.as_slice())?;
        Ok(self.record(|g| g.input(from, T::BITS, 1, value.map(|v| vec![v.to_lane()]))))
    }

    /// `len` private values of party `from`.
    pub fn input_vec<T: Scalar>(
        &self,
        from: Party,
        len: usize,
        values: Option<&[T]>,
    ) -> Result<Vec<Shared<T>>> {
        let all = self.inputs(from, len, values)?;
        let slots = all.into_iter().flat_map(View::slots);
        Ok(slots.map(|slot| Shared::new(View::element(slot), &self.counts)).collect())
    }

    /// The private values of party `from`, row-major, as an array of the given sizes.
    pub fn input_array<T: Scalar, const R: usize>(
        &self,
        from: Party,
        sizes: [usize; R],
        values: Option<&[T]>,
    ) -> Result<Array<Shared<T>, R>> {
        let len = super::array::count(&sizes)?;
        match self.inputs(from, len, values)? {
            Some(all) => Ok(Array::new(sizes, Slots::viewed(all, Rc::clone(&self.counts)))),
            None => Array::from_vec(sizes, Vec::new()),
        }
    }

    /// `len` private values; `None` when `len` is 0.
    fn inputs<T: Scalar>(&self, from: Party, len: usize, values: Option<&[T]>) -> Result<Option<View>> {
        let values = self.own(from, values)?;
        if let Some(values) = values
            && values.len() != len
        {
            return Err(Error::usage(format!("{} values where {len} are expected", values.len())));
        }
        if len == 0 {
            return Ok(None);
        }
        refuse_unfit(values.unwrap_or_default())?;
        let lanes = values.map(|v| v.iter().map(|&x| x.to_lane()).collect());
        Ok(Some(self.graph.borrow_mut().input(from, T::BITS, len, lanes)))
    }

    /// A party's own value; what the peer knows is nobody else's business.
    fn own<V>(&self, from: Party, value: Option<V>) -> Result<Option<V>> {
        if self.party.is_some_and(|me| me != from) {
            return Ok(None);
        }
        if value.is_none() {
            return Err(Error::usage(format!("the {from} gave no value for its input")));
        }
        Ok(value)
    }

    /// Whose inputs `xs` are when all are inputs of one party, as they came; with their values where they are known.
    /// So an operation can take them as one party's private values.
    #[must_use]
    pub fn private<T: Scalar>(&self, xs: &[Shared<T>]) -> Option<(Party, Option<Vec<T>>)> {
        let graph = self.graph.borrow();
        let (first, _) = graph.private(xs.first()?.view())?;
        let mut values = Some(Vec::with_capacity(xs.len()));
        for x in xs {
            let (owner, value) = graph.private(x.view())?;
            if owner != first {
                return None;
            }
            values = values.zip(value).map(|(mut values, value)| {
                values.push(T::from_lane(value));
                values
            });
        }
        Some((first, values))
    }
}

/// A party's own values have to be what their type can hold.
fn refuse_unfit<T: Scalar>(values: &[T]) -> Result<()> {
    if values.iter().all(|v| v.fits()) {
        return Ok(());
    }
    let (whole, fraction) = (T::BITS - 1 - T::FRACTION, T::FRACTION);
    Err(Error::usage(format!("a value is no number below 2^{whole}: {fraction} bits are its fraction")))
}
