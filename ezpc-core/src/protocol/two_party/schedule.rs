//! Cuts operations into windows and packs windows into bundles that travel together.
//!
//! Everything here is a function of public shapes, so that both parties and the cost model cut alike.

use super::gadget;
use crate::ops::compare::Method;
use crate::protocol::{Op, ShareVec};
use crate::transport::Link;
use crate::transport::cost::{Cost, Ots};
use core::ops::Range;

/// Elements in a window: enough to amortise a message, few enough for the second-level cache. A multiple of 64,
/// so that the windows of packed bits start at whole words.
pub(crate) const WINDOW: usize = 4096;

/// Windows of at least this length are multiples of it: their halves are equal and whole blocks of a packed message.
const WHOLE: usize = 1024;

/// OTs of a window, at most. Switching between the two directions reads the tables of both anew into the second-level
/// cache, which should not happen too often; the pads of a digit stay in it.
const WINDOW_OTS: usize = 1 << 17;

/// OTs of a kind made at a time, at least: a small program is not stopped at every operation.
const REFILL_LEAST: usize = 1 << 14;

/// OTs of a kind made at a time, at most: more would only wait in memory.
pub(super) const REFILL_MOST: usize = 1 << 18;

/// What a batch of operations still needs of each kind of OTs and direction, which decides how many are made at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand(Ots);

impl Demand {
    /// The demand of all bundles of `ops`.
    pub(crate) fn of<A: ShareVec, B: ShareVec>(ops: &[Op<A, B>], link: Link) -> Self {
        Self(bundles(ops, link).fold(Ots::default(), |sum, bundle| sum.plus(bundle.cost.ots())))
    }

    /// How many OTs to have before a bundle that needs `next` starts.
    pub(crate) fn want(&self, next: Ots) -> Ots {
        self.0.zip(next, |all, least| match least {
            0 => 0,
            least => all.clamp(REFILL_LEAST, REFILL_MOST).max(least),
        })
    }

    /// Counts a bundle that has started.
    pub(crate) fn started(&mut self, ots: Ots) {
        self.0 = self.0.zip(ots, |all, started| all - started);
    }
}

/// One window of one operation.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// The place of the operation in the batch.
    pub(crate) op: usize,
    /// The units of the window.
    pub(crate) units: Range<usize>,
    /// How it compares: the whole operation decides.
    pub(crate) method: Method,
    /// What it costs.
    pub(crate) cost: Cost,
}

/// Windows that run side by side as one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bundle {
    /// The windows.
    pub(crate) parts: Vec<Part>,
    /// What they cost together.
    pub(crate) cost: Cost,
    elements: usize,
}

/// The bundles of a batch of operations over a link, in the order in which they run.
pub(crate) fn bundles<A: ShareVec, B: ShareVec>(
    ops: &[Op<A, B>],
    link: Link,
) -> impl Iterator<Item = Bundle> {
    let mut parts = ops.iter().enumerate().flat_map(move |(op, of)| windows(op, of, link)).peekable();
    core::iter::from_fn(move || {
        let mut bundle = Bundle::default();
        while let Some((part, elements)) = parts.next_if(|(part, elements)| {
            let ots = bundle.cost.ots().total() + part.cost.ots().total();
            bundle.parts.is_empty() || bundle.elements + elements <= WINDOW && ots <= WINDOW_OTS
        }) {
            bundle.cost = bundle.cost.beside(part.cost.clone());
            bundle.elements += elements;
            bundle.parts.push(part);
        }
        (!bundle.parts.is_empty()).then_some(bundle)
    })
}

fn windows<A: ShareVec, B: ShareVec>(
    index: usize,
    op: &Op<A, B>,
    link: Link,
) -> impl Iterator<Item = (Part, usize)> {
    let method = gadget::method(op, link);
    let (units, unit_len) = (op.units(), op.unit_len().max(1));
    // As many units as fit both bounds: whole words of bits, or what fits of groups that are longer than that.
    let by_ots = WINDOW_OTS * 64 / gadget::cost(op, method, 64).ots().total().max(1);
    let most = (WINDOW / unit_len).max(1);
    let step = match by_ots.clamp(64, most.max(64)) {
        _ if most < 64 => most,
        step if step < WHOLE => step / 64 * 64,
        step => step / WHOLE * WHOLE,
    };
    (0..units).step_by(step).map(move |start| {
        let units = start..(start + step).min(units);
        let len = units.len();
        (Part { op: index, units, method, cost: gadget::cost(op, method, len) }, len * unit_len)
    })
}
