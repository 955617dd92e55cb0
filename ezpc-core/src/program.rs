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
mod divide;
mod execute;
mod fold;
mod graph;
pub(crate) mod io;
mod kind;
mod lanes;
mod operand;
mod plan;
mod public;
mod record;
mod scalar;
mod shared;
mod tree;
mod twin;
mod view;

pub use array::Array;
pub use cells::{Cells, Element, Slots};
pub use fold::Fold;
pub use public::{Index, PublicInt, array_size, loop_range, shift_amount};
pub use record::Label;
pub use scalar::Scalar;
pub use shared::Shared;

use crate::error::{Error, Result};
use crate::party::Party;
use crate::protocol::{Protocol, Reveal, ShareVec, Site, Val};
use core::cell::{Cell, RefCell};
use core::marker::PhantomData;
use execute::Store;
use graph::Graph;
use kind::Domain;
use plan::{Scratch, Wanted};
use shared::Counts;
use std::rc::Rc;
use view::View;

/// The number of recorded elements at which [`Program::poll`] executes them.
pub const BUDGET: usize = 1 << 20;

/// A running program over the protocol `P`.
pub struct Program<'p, P: Protocol> {
    graph: RefCell<Graph>,
    engine: RefCell<Engine<'p, P>>,
    counts: Rc<Counts>,
    outputs: RefCell<Outputs>,
    party: Option<Party>,
    budget: Cell<usize>,
}

struct Engine<'p, P: Protocol> {
    protocol: &'p mut P,
    store: Store<P>,
    scratch: Scratch,
}

#[derive(Default)]
struct Outputs {
    asked: Vec<(View, Reveal)>,
    opened: Vec<Option<u64>>,
}

/// A value that [`Program::open_all`] will reveal.
#[must_use]
pub struct Opening<T> {
    at: usize,
    kind: PhantomData<T>,
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

    // ---- input and output --------------------------------------------------------------------------------

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
        let values = self.own(from, values)?;
        if let Some(values) = values
            && values.len() != len
        {
            return Err(Error::usage(format!("{} values where {len} are expected", values.len())));
        }
        if len == 0 {
            return Ok(Vec::new());
        }
        refuse_unfit(values.unwrap_or_default())?;
        let lanes = values.map(|v| v.iter().map(|&x| x.to_lane()).collect());
        let all = self.graph.borrow_mut().input(from, T::BITS, len, lanes);
        Ok(all.slots().map(|slot| Shared::new(View::element(slot), &self.counts)).collect())
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
        let operand = store.arith(&graph, protocol, T::width(), views.iter().copied());
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

    // ---- operations --------------------------------------------------------------------------------------

    /// x + y.
    pub fn add<T: Scalar>(&self, label: Label, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| g.sum(label, x.view(), y.view()))
    }
    /// x - y.
    pub fn sub<T: Scalar>(&self, label: Label, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| g.difference(label, x.view(), y.view()))
    }
    /// x * y; of fixed-point values the floor, for products below 2^31 in magnitude.
    pub fn mul<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            let product = g.product(x.view(), y.view());
            g.truncate(product, T::FRACTION)
        })
    }
    /// The quotient truncated toward zero; all ones when y is zero. Of fixed-point values for dividends below 2^31
    /// in magnitude.
    pub fn div<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            let by = g.constant_value(y.view()).filter(|v| T::FRACTION > 0 && v.is_power_of_two());
            if let Some(by) = by.map(u64::trailing_zeros).filter(|&by| by >= T::FRACTION) {
                return g.truncate(x.view(), by - T::FRACTION);
            }
            let x = g.shift_left(x.view(), T::FRACTION);
            g.divide(x, y.view(), T::SIGNED)[0]
        })
    }
    /// The remainder with the sign of x; x when y is zero.
    pub fn rem<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| g.divide(x.view(), y.view(), T::SIGNED)[1])
    }
    /// x & y; and for bool.
    pub fn and<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.bitwise(x, y, Graph::and)
    }
    /// x | y; or for bool.
    pub fn or<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.bitwise(x, y, Graph::or)
    }
    /// x ^ y; exclusive or for bool.
    pub fn xor<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.bitwise(x, y, Graph::xor)
    }
    /// Every bit inverted; not for bool.
    pub fn not<T: Scalar>(&self, x: &Shared<T>) -> Shared<T> {
        self.record(|g| g.complement(x.view()))
    }
    /// x << by, for a public amount below the width.
    pub fn shl<T: Scalar>(&self, x: &Shared<T>, by: u32) -> Shared<T> {
        self.record(|g| g.shift_left(x.view(), by))
    }
    /// x >> by: arithmetic on signed, logical on unsigned values.
    pub fn shr<T: Scalar>(&self, x: &Shared<T>, by: u32) -> Shared<T> {
        self.record(|g| g.shift_right(x.view(), by, T::SIGNED))
    }
    /// x >> by, logical.
    pub fn shr_logical<T: Scalar>(&self, x: &Shared<T>, by: u32) -> Shared<T> {
        self.record(|g| g.shift_right(x.view(), by, false))
    }
    /// x < y.
    pub fn lt<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.record(|g| g.less_than(x.view(), y.view(), T::SIGNED))
    }
    /// x > y.
    pub fn gt<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.lt(y, x)
    }
    /// x <= y.
    pub fn le<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.not(&self.lt(y, x))
    }
    /// x >= y.
    pub fn ge<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.not(&self.lt(x, y))
    }
    /// x == y.
    pub fn eq<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.record(|g| g.equal(x.view(), y.view()))
    }
    /// x != y.
    pub fn ne<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<bool> {
        self.not(&self.eq(x, y))
    }
    /// -x.
    pub fn neg<T: Scalar>(&self, label: Label, x: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            let zero = g.constant(T::BITS, 0);
            g.difference(label, zero, x.view())
        })
    }
    /// The element at a secret index; 0 outside of the array. Every element is compared with the index.
    pub fn lookup<T: Scalar, I: Scalar>(&self, elements: &[Shared<T>], index: &Shared<I>) -> Shared<T> {
        let zero = self.constant(T::from_lane(0));
        let mut sum = zero.clone();
        for (i, element) in elements.iter().enumerate().take_while(|&(i, _)| reaches::<I>(i)) {
            let hit = self.eq(index, &self.constant(I::from_lane(i as u64)));
            let term = self.mux(Label::PreferBool, &hit, element, &zero);
            sum = if T::BITS == 1 { self.xor(&sum, &term) } else { self.add_disjoint(&sum, &term) };
        }
        sum
    }

    /// The elements with the one at a secret index replaced.
    pub fn replace<T: Scalar, I: Scalar>(
        &self,
        elements: &[Shared<T>],
        index: &Shared<I>,
        value: &Shared<T>,
    ) -> Vec<Shared<T>> {
        let choose = |(i, element): (usize, &Shared<T>)| {
            if !reaches::<I>(i) {
                return element.clone();
            }
            let hit = self.eq(index, &self.constant(I::from_lane(i as u64)));
            self.mux(Label::PreferBool, &hit, value, element)
        };
        elements.iter().enumerate().map(choose).collect()
    }

    /// The sum of values of which at most one is not zero: exclusive or, on Boolean shares.
    fn add_disjoint<T: Scalar>(&self, x: &Shared<T>, y: &Shared<T>) -> Shared<T> {
        self.record(|g| {
            if g.prefers_bool(x.view(), y.view()) {
                let (x, y) = (g.boolean(x.view()), g.boolean(y.view()));
                return g.xor(x, y);
            }
            g.sum(Label::Arith, x.view(), y.view())
        })
    }

    /// c ? t : f.
    pub fn mux<T: Scalar>(&self, label: Label, c: &Shared<bool>, t: &Shared<T>, f: &Shared<T>) -> Shared<T> {
        self.record(|g| g.mux(label, c.view(), t.view(), f.view()))
    }
    /// The value in another type: reduced, or extended as T's signedness says; to bool, whether it is not zero.
    pub fn cast<T: Scalar, U: Scalar>(&self, x: &Shared<T>) -> Shared<U> {
        self.record(|g| {
            if U::BITS == 1 && T::BITS > 1 {
                let zero = g.constant(T::BITS, 0);
                let is_zero = g.equal(x.view(), zero);
                return g.invert(is_zero);
            }
            g.resize(x.view(), U::BITS, T::SIGNED)
        })
    }

    // ---- inside ------------------------------------------------------------------------------------------

    fn record<T>(&self, f: impl FnOnce(&mut Graph) -> View) -> Shared<T> {
        let view = f(&mut self.graph.borrow_mut());
        Shared::new(view, &self.counts)
    }

    fn bitwise<T>(&self, x: &Shared<T>, y: &Shared<T>, f: fn(&mut Graph, View, View) -> View) -> Shared<T> {
        self.record(|g| {
            let (x, y) = (g.boolean(x.view()), g.boolean(y.view()));
            f(g, x, y)
        })
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

    fn execute(&self, wanted: &Wanted<'_>) -> Result<()> {
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
        Ok(())
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

/// Whether an index of type `I` can be `i`.
fn reaches<I: Scalar>(i: usize) -> bool {
    let most = I::width().mask() >> u32::from(I::SIGNED);
    i as u64 <= most
}
