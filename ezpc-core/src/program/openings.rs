//! What programs reveal, and to whom.

use super::kind::Domain;
use super::plan::Wanted;
use super::view::View;
use super::{Engine, Program, Scalar, Shared};
use crate::error::Result;
use crate::protocol::{Protocol, Reveal};
use core::marker::PhantomData;

#[derive(Default)]
pub(super) struct Outputs {
    asked: Vec<(View, Reveal)>,
    opened: Vec<Option<u64>>,
}

/// A value that [`Program::open_all`] will reveal.
#[must_use]
pub struct Opening<T> {
    at: usize,
    kind: PhantomData<T>,
}

impl<P: Protocol> Program<'_, P> {
    /// Reveals a value: executes what it depends on and opens it. `None` at a party that does not learn it.
    pub fn reveal<T: Scalar>(&self, x: &Shared<T>, to: Reveal) -> Result<Option<T>> {
        let opened = self.open(&[(x.view(), to)])?;
        Ok(opened[0].map(T::from_lane))
    }

    /// Reveals values together.
    pub fn reveal_vec<T: Scalar>(&self, xs: &[Shared<T>], to: Reveal) -> Result<Option<Vec<T>>> {
        let asked: Vec<(View, Reveal)> = xs.iter().map(|x| (x.view(), to)).collect();
        let opened = self.open(&asked)?;
        Ok(opened.into_iter().map(|lane| lane.map(T::from_lane)).collect())
    }

    /// Notes a value to be revealed by [`Program::open_all`]. All such values share their half-rounds.
    pub fn output<T: Scalar>(&self, x: &Shared<T>, to: Reveal) -> Opening<T> {
        self.counts.retain(x.view().node);
        let mut outputs = self.outputs.borrow_mut();
        outputs.asked.push((x.view(), to));
        Opening { at: outputs.asked.len() - 1, kind: PhantomData }
    }

    /// Reveals everything that was noted.
    pub fn open_all(&self) -> Result<()> {
        let mut outputs = self.outputs.borrow_mut();
        let known = outputs.opened.len();
        let asked = outputs.asked.split_off(known);
        let opened = self.open(&asked)?;
        outputs.opened.extend(opened);
        asked.iter().for_each(|&(x, _)| self.counts.release(x.node));
        outputs.asked.extend(asked);
        Ok(())
    }

    /// A value that [`Program::open_all`] has revealed; `None` at a party that does not learn it.
    ///
    /// # Panics
    /// Before [`Program::open_all`].
    pub fn opened<T: Scalar>(&self, opening: &Opening<T>) -> Option<T> {
        let outputs = self.outputs.borrow();
        let lane = outputs.opened.get(opening.at).expect("opened after open_all");
        lane.map(T::from_lane)
    }

    /// Opens elements to whom it is asked; one lane each, in order.
    fn open(&self, asked: &[(View, Reveal)]) -> Result<Vec<Option<u64>>> {
        let views: Vec<View> = {
            let mut graph = self.graph.borrow_mut();
            let one = |&(x, _): &(View, Reveal)| match graph.kind(x).domain() {
                Domain::Either => graph.boolean(x),
                _ => x,
            };
            asked.iter().map(one).collect()
        };
        views.iter().for_each(|x| self.counts.retain(x.node));
        let executed = self.execute(&Wanted::Only(&views));
        let result = executed.and_then(|()| self.open_computed(asked, &views));
        views.iter().for_each(|x| self.counts.release(x.node));
        result
    }

    fn open_computed(&self, asked: &[(View, Reveal)], views: &[View]) -> Result<Vec<Option<u64>>> {
        let graph = self.graph.borrow();
        let mut engine = self.engine.borrow_mut();
        let Engine { protocol, store, .. } = &mut *engine;
        let mut lanes: Vec<Option<u64>> = views.iter().map(|&x| graph.constant_value(x)).collect();
        let mut groups: Vec<((Domain, u32, Reveal), Vec<usize>)> = Vec::new();
        for (at, &x) in views.iter().enumerate() {
            if lanes[at].is_some() {
                if self.party.is_some_and(|me| !asked[at].1.includes(me)) {
                    lanes[at] = None;
                }
                continue;
            }
            let key = (graph.kind(x).domain(), graph.width(x), asked[at].1);
            match groups.iter_mut().find(|g| g.0 == key) {
                Some(group) => group.1.push(at),
                None => groups.push((key, vec![at])),
            }
        }
        for ((_, _, to), places) in groups {
            let views: Vec<View> = places.iter().map(|&at| views[at]).collect();
            if let Some(values) = store.open(&graph, protocol, &views, to)? {
                for (at, value) in places.into_iter().zip(values) {
                    lanes[at] = Some(value);
                }
            }
        }
        Ok(lanes)
    }
}
