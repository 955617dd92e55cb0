//! Loops as vectors: what generated code calls for an innermost loop whose iterations are independent. A handle of
//! such a loop stands for one value per iteration, a lane.

use super::array::Array;
use super::fold::Fold;
use super::graph::count;
use super::public::Index;
use super::record::Label;
use super::{Program, Scalar, Shared};
use crate::error::{Error, Result};
use crate::protocol::Protocol;
use core::ops::Range;

impl<P: Protocol> Program<'_, P> {
    /// The iterations of a loop in blocks that are recorded as vectors, none longer than the budget.
    pub fn blocks<T: Index + TryFrom<i128>>(&self, range: &Range<T>) -> impl Iterator<Item = Range<T>> {
        let (from, to) = (range.start.wide(), range.end.wide());
        let step = i128::try_from(self.budget.get().clamp(1, super::BUDGET)).expect("a budget");
        let bound = |value: i128| T::try_from(value).ok().expect("between the bounds of the loop");
        let starts = (0..).map(move |i| from + i * step).take_while(move |&start| start < to);
        starts.map(move |start| bound(start)..bound((start + step).min(to)))
    }

    /// The elements of an array at an index for each lane.
    pub fn load<T, L: Index, const R: usize>(
        &self,
        array: &Array<Shared<T>, R>,
        lanes: &Range<L>,
        mut index: impl FnMut(L) -> Result<[i128; R]>,
    ) -> Result<Shared<T>>
    where
        Range<L>: Iterator<Item = L>,
    {
        let mut failed = None;
        let cells = array.cells().borrow();
        let slots = lanes.clone().map_while(|lane| {
            let slot = index(lane).and_then(|i| array.offset(i)).map(|at| cells.at(at));
            slot.map_err(|error| failed = Some(error)).ok()
        });
        let mut slots = slots.peekable();
        let view = slots.peek().is_some().then(|| self.graph.borrow_mut().collect_slots(slots));
        match (failed, view) {
            (None, Some(view)) => Ok(Shared::new(view, &self.counts)),
            (Some(error), view) => {
                // What was gathered so far goes with its handle.
                view.map(|view| Shared::<T>::new(view, &self.counts));
                Err(error)
            }
            (None, None) => Err(Error::usage("a block of a loop has no iteration")),
        }
    }

    /// Writes each lane of `value` to an element of an array, no two lanes to the same.
    pub fn store<T, L: Index, const R: usize>(
        &self,
        array: &Array<Shared<T>, R>,
        lanes: &Range<L>,
        mut index: impl FnMut(L) -> Result<[i128; R]>,
        value: &Shared<T>,
    ) -> Result<()>
    where
        Range<L>: Iterator<Item = L>,
    {
        let at = lanes.clone().map(|lane| index(lane).and_then(|i| array.offset(i)));
        let at = at.collect::<Result<Vec<usize>>>()?;
        let graph = self.graph.borrow();
        let mut cells = array.cells().borrow_mut();
        let value = value.view().spread(count(at.len()));
        let mut from = 0;
        graph.resolve(value, &mut |part| {
            let to = from + part.len as usize;
            cells.replace(&at[from..to], part.slots());
            from = to;
        });
        Ok(())
    }

    /// Public values as secret ones, one for each lane.
    pub fn table<T: Scalar, L: Index>(
        &self,
        lanes: &Range<L>,
        value: impl FnMut(L) -> Result<T>,
    ) -> Result<Shared<T>>
    where
        Range<L>: Iterator<Item = L>,
    {
        let values = lanes.clone().map(value).map(|v| v.map(T::to_lane)).collect::<Result<Vec<u64>>>()?;
        Ok(self.record(|g| g.table(T::BITS, values)))
    }

    /// A variable combined with one value of each lane.
    pub fn accumulate<T: Scalar, L: Index>(
        &self,
        fold: Fold,
        label: Label,
        lanes: &Range<L>,
        variable: &Shared<T>,
        value: &Shared<T>,
    ) -> Shared<T> {
        let lanes = u32::try_from(lanes.end.wide() - lanes.start.wide()).expect("a block fits the budget");
        self.record(|g| g.accumulate(fold, label, variable.view(), value.view(), lanes))
    }
}
