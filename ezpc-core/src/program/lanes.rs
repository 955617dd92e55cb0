//! Loops as vectors: what generated code calls for an innermost loop whose iterations are independent. A handle of
//! such a loop stands for one value per iteration, a lane.

use super::array::Array;
use super::fold::Fold;
use super::graph::count;
use super::public::Index;
use super::record::Label;
use super::view::{NONE, View};
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
        index: impl Fn(L) -> Result<[i128; R]>,
    ) -> Result<Shared<T>>
    where
        Range<L>: Iterator<Item = L>,
    {
        let cells = array.cells().borrow();
        let offsets = lanes.clone().map(|lane| index(lane).and_then(|i| array.offset(i)));
        if let Some(inner) = progression(offsets)?
            && let Some(view) = cells.view(inner)
        {
            return Ok(Shared::new(view, &self.counts));
        }
        let mut failed = None;
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
        index: impl Fn(L) -> Result<[i128; R]>,
        value: &Shared<T>,
    ) -> Result<()>
    where
        Range<L>: Iterator<Item = L>,
    {
        let offsets = || lanes.clone().map(|lane| index(lane).and_then(|i| array.offset(i)));
        let all = progression(offsets())?;
        let graph = self.graph.borrow();
        let mut cells = array.cells().borrow_mut();
        let value = value.view();
        if all.is_some_and(|all| cells.overwrite(all, value.spread(all.len), &graph)) {
            return Ok(());
        }
        let at = collected(len_of(lanes), offsets())?;
        let value = value.spread(count(at.len()));
        let mut from = 0;
        graph.resolve(value, &mut |part| {
            let to = from + part.len as usize;
            cells.replace(&at[from..to], part);
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
        let values = lanes.clone().map(value).map(|v| v.map(T::to_lane));
        let values = collected(len_of(lanes), values)?;
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
        let lanes = count(len_of(lanes));
        self.record(|g| g.accumulate(fold, label, variable.view(), value.view(), lanes))
    }
}

/// The number of iterations of a block.
pub(super) fn len_of<L: Index>(lanes: &Range<L>) -> usize {
    usize::try_from(lanes.end.wide() - lanes.start.wide()).expect("a block fits the budget")
}

/// As many results, or the first error.
fn collected<T>(len: usize, results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut all = Vec::with_capacity(len);
    for result in results {
        all.push(result?);
    }
    Ok(all)
}

/// Positions with one distance, as a view of no node; `None` when they are not so.
fn progression(mut offsets: impl Iterator<Item = Result<usize>>) -> Result<Option<View>> {
    let Some(first) = offsets.next().transpose()? else { return Ok(None) };
    let (mut last, mut step, mut len) = (first, None, 1);
    for next in offsets {
        let next = next?;
        let own = next.wrapping_sub(last);
        if *step.get_or_insert(own) != own {
            return Ok(None);
        }
        (last, len) = (next, len + 1);
    }
    let stride = match step {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "views wrap, and arrays have at most 2^31 elements"
        )]
        Some(step) => step as u32,
        None => 0,
    };
    Ok(Some(View { node: NONE, start: count(first), stride, len }))
}
