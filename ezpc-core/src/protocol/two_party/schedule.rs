//! Cuts operations into windows and packs windows into bundles that travel together.
//!
//! Everything here is a function of public shapes, so that both parties and the cost model cut alike.

use super::gadget;
use crate::ops::compare::Method;
use crate::protocol::{Op, ShareVec};
use crate::transport::Link;
use crate::transport::cost::Cost;
use core::ops::Range;

/// Elements in a window: enough to amortise a message, few enough for the second-level cache. A multiple of 64,
/// so that the windows of packed bits start at whole words.
pub(crate) const WINDOW: usize = 4096;

/// Windows of at least this length are multiples of it: their halves are equal and whole blocks of a packed message.
const WHOLE: usize = 1024;

/// COTs of a window, at most. Switching between the two directions reads the tables of both anew into the second-level
/// cache, which should not happen too often; the pads of a digit stay in it.
const WINDOW_COTS: usize = 1 << 17;

/// COTs made at a time, at least: a small program is not stopped at every operation.
const REFILL_LEAST: usize = 1 << 14;

/// COTs made at a time, at most: more would only wait in memory.
pub(super) const REFILL_MOST: usize = 1 << 18;

/// What a batch of operations still needs of each direction's COTs, which decides how many are made at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand([usize; 2]);

impl Demand {
    /// The demand of all bundles of `ops`.
    pub(crate) fn of<A: ShareVec, B: ShareVec>(ops: &[Op<A, B>], link: Link) -> Self {
        Self(bundles(ops, link).fold([0; 2], |[a, b], bundle| {
            let [x, y] = bundle.cost.cots();
            [a + x, b + y]
        }))
    }

    /// How many COTs to have before a bundle that needs `next` starts.
    pub(crate) fn want(&self, next: [usize; 2]) -> [usize; 2] {
        core::array::from_fn(|p| match next[p] {
            0 => 0,
            least => self.0[p].clamp(REFILL_LEAST, REFILL_MOST).max(least),
        })
    }

    /// Counts a bundle that has started.
    pub(crate) fn started(&mut self, cots: [usize; 2]) {
        self.0 = [self.0[0] - cots[0], self.0[1] - cots[1]];
    }
}

/// Whether `available` COTs serve `cots`.
pub(crate) const fn serves(available: [usize; 2], cots: [usize; 2]) -> bool {
    cots[0] <= available[0] && cots[1] <= available[1]
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
            let cots = total(&bundle.cost) + total(&part.cost);
            bundle.parts.is_empty() || bundle.elements + elements <= WINDOW && cots <= WINDOW_COTS
        }) {
            bundle.cost = bundle.cost.beside(part.cost.clone());
            bundle.elements += elements;
            bundle.parts.push(part);
        }
        (!bundle.parts.is_empty()).then_some(bundle)
    })
}

fn total(cost: &Cost) -> usize {
    cost.cots().iter().sum()
}

fn windows<A: ShareVec, B: ShareVec>(
    index: usize,
    op: &Op<A, B>,
    link: Link,
) -> impl Iterator<Item = (Part, usize)> {
    let method = gadget::method(op, link);
    let (units, unit_len) = (op.units(), op.unit_len().max(1));
    // As many units as fit both bounds: whole words of bits, or what fits of groups that are longer than that.
    let by_cots = WINDOW_COTS * 64 / total(&gadget::cost(op, method, 64)).max(1);
    let most = (WINDOW / unit_len).max(1);
    let step = match by_cots.clamp(64, most.max(64)) {
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
