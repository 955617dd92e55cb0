//! Programs: secret values as handles, operations recorded and executed in batches.
//!
//! A [`Program`] runs over any [`Protocol`]. Operations on [`Shared`] values are recorded into a dataflow graph;
//! public control flow is Rust's own. The graph is executed when a value is revealed, or when it has grown to
//! [`BUDGET`] operations: level by level, one batch for each kind and width, all kinds of a level in one call of
//! [`Protocol::together`]. So a loop over independent comparisons costs the half-rounds of one.
//!
//! Where a value is shared arithmetically and where Boolean is decided as operations need it, and a value is
//! converted at most once in each direction.

mod array;
mod cells;
mod compare;
mod cons;
mod contest;
mod divide;
mod execute;
mod fix;
mod fold;
mod gather;
mod graph;
mod inputs;
pub(crate) mod io;
mod kind;
mod lanes;
mod openings;
mod operand;
mod operations;
mod plan;
mod public;
mod read;
mod record;
mod scalar;
mod shared;
mod slab;
mod tree;
mod twin;
mod view;

pub use array::Array;
pub use cells::{Cells, Element, Slots};
pub use contest::{Contest, Rule};
pub use fix::Fix;
pub use fold::Fold;
pub use openings::Opening;
pub use public::{Index, PublicInt, array_size, loop_range, shift_amount};
pub use record::Label;
pub use scalar::Scalar;
pub use shared::Shared;

use crate::error::{Error, Result};
use crate::party::Party;
use crate::protocol::{Protocol, ShareVec, Site, Val};
use core::cell::{Cell, RefCell};
use execute::Store;
use graph::Graph;
use openings::Outputs;
use plan::{Scratch, Wanted};
use shared::Counts;
use std::rc::Rc;
use view::View;

/// The number of recorded elements at which [`Program::poll`] executes them.
pub const BUDGET: usize = 1 << 20;

/// How deep calls of recursive functions go before they are refused: the stack of a thread holds as many.
pub const DEPTH: usize = 500;

/// A running program over the protocol `P`.
pub struct Program<'p, P: Protocol> {
    graph: RefCell<Graph>,
    engine: RefCell<Engine<'p, P>>,
    counts: Rc<Counts>,
    outputs: RefCell<Outputs>,
    party: Option<Party>,
    budget: Cell<usize>,
    depth: Cell<usize>,
    /// An execution has failed: what it had taken out of the graph is not computed.
    failed: Cell<bool>,
}

struct Engine<'p, P: Protocol> {
    protocol: &'p mut P,
    store: Store<P>,
    scratch: Scratch,
}

/// A call that [`Program::enter`] has counted, until it is dropped.
pub struct Depth<'d> {
    depth: &'d Cell<usize>,
}

impl Drop for Depth<'_> {
    fn drop(&mut self) {
        self.depth.set(self.depth.get() - 1);
    }
}

impl<'p, P: Protocol> Program<'p, P> {
    /// A program that runs over `protocol`.
    pub fn new(protocol: &'p mut P) -> Self {
        let counts = Rc::new(Counts::default());
        let party = protocol.party();
        Self {
            graph: RefCell::new(Graph::new(Rc::clone(&counts))),
            engine: RefCell::new(Engine { protocol, store: Store::new(), scratch: Scratch::default() }),
            counts,
            outputs: RefCell::default(),
            party,
            budget: Cell::new(BUDGET),
            depth: Cell::new(0),
            failed: Cell::new(false),
        }
    }

    /// Executes recorded operations whenever they have `elements` results. Results do not depend on it.
    pub fn set_budget(&self, elements: usize) {
        self.budget.set(elements);
    }

    /// Which party this is; `None` where one process plays both.
    #[must_use]
    pub fn party(&self) -> Option<Party> {
        self.party
    }

    /// Executes what is recorded when it has grown to the budget.
    pub fn poll(&self) -> Result<()> {
        if self.graph.borrow().weight < self.budget.get() {
            return Ok(());
        }
        self.execute(&Wanted::All)
    }

    /// The number of levels executed so far: calls of [`Protocol::together`].
    #[must_use]
    pub fn levels(&self) -> usize {
        self.engine.borrow().store.levels()
    }

    /// Says where in the program's text what follows is.
    pub fn at(&self, site: &'static Site) {
        self.graph.borrow_mut().site = Some(site);
    }

    /// A call of a function that may call itself: refuses more than [`DEPTH`] of them within each other.
    pub fn enter(&self, function: &str) -> Result<Depth<'_>> {
        let depth = self.depth.get();
        if depth >= DEPTH {
            return Err(Error::usage(format!("`{function}` calls itself more than {DEPTH} times")));
        }
        self.depth.set(depth + 1);
        Ok(Depth { depth: &self.depth })
    }

    /// Attributes what follows to the named scope in the statistics.
    pub fn scope(&self, name: &str) {
        self.engine.borrow_mut().protocol.scope(name);
    }

    // ---- shares in and out -------------------------------------------------------------------------------

    /// Runs `f` on the arithmetic shares of `xs` after everything they depend on; its result becomes the shares
    /// of as many values of type `U`.
    pub fn with_arith<T: Scalar, U: Scalar>(
        &self,
        xs: &[Shared<T>],
        f: impl FnOnce(&mut P, P::Arith) -> Result<P::Arith>,
    ) -> Result<Vec<Shared<U>>> {
        let views: Vec<View> = {
            let mut graph = self.graph.borrow_mut();
            xs.iter().map(|x| graph.arith(x.view())).collect()
        };
        let held: Vec<Shared<T>> = views.iter().map(|&x| Shared::new(x, &self.counts)).collect();
        self.execute(&Wanted::Only(&views))?;
        let mut engine = self.engine.borrow_mut();
        let Engine { protocol, store, .. } = &mut *engine;
        let mut graph = self.graph.borrow_mut();
        let operand = store.arith(&graph, protocol, T::width(), views.iter().copied()).into_owned();
        drop(held);
        let result = f(protocol, operand)?;
        if result.width() != U::width() {
            let (got, want) = (result.width(), U::width());
            return Err(Error::usage(format!("shares of {got} where values of {want} are expected")));
        }
        if result.is_empty() {
            return Ok(Vec::new());
        }
        let all = graph.reserve(U::BITS, graph::count(result.len()));
        store.settle(&mut graph, &[all.node], Val::Arith(result));
        Ok(all.slots().map(|slot| Shared::new(View::element(slot), &self.counts)).collect())
    }

    // ---- inside ------------------------------------------------------------------------------------------

    fn record<T>(&self, f: impl FnOnce(&mut Graph) -> View) -> Shared<T> {
        let view = f(&mut self.graph.borrow_mut());
        Shared::new(view, &self.counts)
    }

    fn execute(&self, wanted: &Wanted<'_>) -> Result<()> {
        if self.failed.replace(true) {
            return Err(Error::usage("a program does not go on after an error"));
        }
        let mut graph = self.graph.borrow_mut();
        let mut engine = self.engine.borrow_mut();
        let Engine { protocol, store, scratch } = &mut *engine;
        graph.forget();
        let plan = graph.plan(wanted, scratch);
        store.run(&mut graph, protocol, &plan)?;
        // What nobody holds goes; what is freed may have been the last to hold others.
        let needed = if graph.pending.is_empty() { Vec::new() } else { graph.needed() };
        let mut loose = plan.done;
        let mut postponed = Vec::new();
        loop {
            let Some(id) = loose.pop() else {
                loose = self.counts.take_zeros();
                if loose.is_empty() {
                    break;
                }
                continue;
            };
            if self.counts.of(id) > 0 {
                continue;
            }
            if needed.get(id as usize).copied().unwrap_or(false) {
                postponed.push(id);
            } else if let Some(place) = graph.free(id) {
                store.release(place);
            }
        }
        self.counts.put_back(postponed);
        self.failed.set(false);
        Ok(())
    }
}
