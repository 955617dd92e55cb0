//! What programs reveal, and to whom.

use super::kind::Domain;
use super::plan::Wanted;
use super::view::View;
use super::{Engine, Program, Scalar, Shared};
use crate::error::Result;
use crate::protocol::{Origins, Protocol, Reveal, Site};
use crate::ring::Width;
use core::marker::PhantomData;

#[derive(Default)]
pub(super) struct Outputs {
    asked: Vec<Asked>,
    opened: Vec<Option<u64>>,
}

/// A value to be opened: to whom, and which line of the program asks.
#[derive(Clone, Copy)]
struct Asked {
    view: View,
    to: Reveal,
    site: Option<&'static Site>,
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
        let opened = self.open(&[self.asked(x, to)])?;
        Ok(opened[0].map(T::from_lane))
    }

    /// Reveals values together.
    pub fn reveal_vec<T: Scalar>(&self, xs: &[Shared<T>], to: Reveal) -> Result<Option<Vec<T>>> {
        let asked: Vec<Asked> = xs.iter().map(|x| self.asked(x, to)).collect();
        let opened = self.open(&asked)?;
        Ok(opened.into_iter().map(|lane| lane.map(T::from_lane)).collect())
    }

    /// Notes a value to be revealed by [`Program::open_all`]. All such values share their half-rounds.
    pub fn output<T: Scalar>(&self, x: &Shared<T>, to: Reveal) -> Opening<T> {
        self.counts.retain(x.view().node);
        let mut outputs = self.outputs.borrow_mut();
        outputs.asked.push(self.asked(x, to));
        Opening { at: outputs.asked.len() - 1, kind: PhantomData }
    }

    /// Reveals everything that was noted, the values of each width and receiver together. After an error all of it is
    /// still noted.
    pub fn open_all(&self) -> Result<()> {
        let mut outputs = self.outputs.borrow_mut();
        let known = outputs.opened.len();
        let opened = self.open(&outputs.asked[known..])?;
        outputs.opened.extend(opened);
        outputs.asked[known..].iter().for_each(|asked| self.counts.release(asked.view.node));
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

    fn asked<T>(&self, x: &Shared<T>, to: Reveal) -> Asked {
        Asked { view: x.view(), to, site: self.graph.borrow().site }
    }

    /// Opens elements to whom it is asked; one lane each, in order.
    fn open(&self, asked: &[Asked]) -> Result<Vec<Option<u64>>> {
        let views: Vec<View> = {
            let mut graph = self.graph.borrow_mut();
            let one = |&Asked { view, .. }: &Asked| match graph.kind(view).domain() {
                Domain::Either => graph.boolean(view),
                _ => view,
            };
            asked.iter().map(one).collect()
        };
        views.iter().for_each(|x| self.counts.retain(x.node));
        let executed = self.execute(&Wanted::Only(&views));
        let result = executed.and_then(|()| self.open_computed(asked, &views));
        views.iter().for_each(|x| self.counts.release(x.node));
        result
    }

    fn open_computed(&self, asked: &[Asked], views: &[View]) -> Result<Vec<Option<u64>>> {
        let graph = self.graph.borrow();
        let mut engine = self.engine.borrow_mut();
        let Engine { protocol, store, .. } = &mut *engine;
        let mut lanes: Vec<Option<u64>> = views.iter().map(|&x| graph.constant_value(x)).collect();
        let mut groups: Vec<((Domain, u32, Reveal), Vec<usize>)> = Vec::new();
        for (at, &x) in views.iter().enumerate() {
            if lanes[at].is_some() {
                if self.party.is_some_and(|me| !asked[at].to.includes(me)) {
                    lanes[at] = None;
                }
                continue;
            }
            let key = (graph.kind(x).domain(), graph.width(x), asked[at].to);
            match groups.iter_mut().find(|g| g.0 == key) {
                Some(group) => group.1.push(at),
                None => groups.push((key, vec![at])),
            }
        }
        for ((_, width, to), places) in groups {
            let sites = places.iter().map(|&at| (asked[at].site.copied().unwrap_or(Site::NOWHERE), 1));
            protocol.trace_opening(Width::new(width), to, &|| joined(sites.clone()));
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

/// Units of lines, those of one line that follow each other together.
pub(super) fn joined(units: impl Iterator<Item = (Site, usize)>) -> Origins {
    let mut all = Origins::new();
    for (site, units) in units {
        match all.last_mut() {
            Some((last, count)) if *last == site => *count += units,
            _ => all.push((site, units)),
        }
    }
    all
}
