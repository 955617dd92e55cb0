//! Which gadget computes an operation, and what it costs: the one place that connects [`Op`] with `ops`.

use super::layer::{self, Resources};
use crate::error::Result;
use crate::ops::compare::{Method, thresholds};
use crate::ops::{Ctx, and, compare, convert, equal, extend, lut, maximum, mul, mux, relu, trunc};
use crate::protocol::{Op, ShareVec, Val};
use crate::ring::{BitPlanes, BitVec, RingVec};
use crate::sharing::Shared;
use crate::transport::Link;
use crate::transport::cost::Cost;

type Arith = Shared<RingVec>;
type Bool = Shared<BitPlanes>;

/// Whether `op` has a gadget of its own; others are composed of operations that have.
pub(crate) fn exists<A: ShareVec, B>(op: &Op<A, B>) -> bool {
    match op {
        Op::AddBool(..) => false,
        Op::Lookup(_, index) | Op::Read(_, index) => index.width().bits() <= lut::MAX_INDEX_BITS,
        _ => true,
    }
}

/// How `op` compares over a link, as its whole size says.
pub(crate) fn method<A: ShareVec, B: ShareVec>(op: &Op<A, B>, link: Link) -> Method {
    let of = |x: &A, bits: u32, each: usize| Method::choose(link, bits, each * x.len());
    match op {
        Op::Msb(x) | Op::LessThanNear(x, _) | Op::Argmax(x, ..) => of(x, x.width().bits() - 1, 1),
        Op::LessThan(x, ..) => of(x, x.width().bits(), 3),
        Op::Relu { x, drop, .. } | Op::Max { x, drop, .. } => of(x, x.width().bits() - drop - 1, 1),
        Op::ReluTrunc { x, bits, .. } => of(x, bits - 1, 1),
        Op::Equal(x, _) | Op::Trunc(x, ..) | Op::Extend(x, ..) => of(x, x.width().bits(), 1),
        _ => Method::Chain,
    }
}

/// The cost of `op` on `units` of its units.
pub(crate) fn cost<A: ShareVec, B: ShareVec>(op: &Op<A, B>, method: Method, units: usize) -> Cost {
    match op {
        Op::Mul(x, _) => mul::mul_cost(x.width(), units),
        Op::And(x, _) | Op::Or(x, _) | Op::MuxBool(_, x, _) => {
            and::and_cost(units * x.width().bits() as usize)
        }
        Op::Msb(x) | Op::LessThanNear(x, _) => compare::msb_cost(method, x.width(), units),
        Op::BitToArith(_, width) => convert::bit_to_arith_cost(*width, units),
        Op::A2b(x) => convert::a2b_cost(x.width(), units),
        Op::B2a(x) => convert::b2a_cost(x.width(), units),
        Op::LessThan(x, ..) => compare::less_than_cost(method, x.width(), units),
        Op::Equal(x, _) => equal::equal_cost(method, x.width(), units),
        Op::Below(x, limits, _) => thresholds::below_cost(x.width(), limits.len(), units),
        Op::Lookup(table, index) => lut::lookup_cost(index.width(), table.width(), units),
        Op::Read(array, index) => lut::read_cost(index.width(), array.width(), units),
        Op::Popcount(x, width) => convert::popcount_cost(x.width().bits(), *width, units),
        Op::Mux(_, x, _) => mux::mux_cost(x.width(), units),
        Op::Select(_, x) => mux::select_cost(x.width(), units),
        Op::Trunc(x, shift, kind) => trunc::trunc_cost(method, x.width(), *shift, *kind, units),
        Op::Extend(x, width, _) => extend::extend_cost(method, x.width(), *width, units),
        Op::ExtendNear(x, width, _) => extend::extend_near_cost(x.width(), *width, units),
        Op::Relu { x, drop, width } => relu::relu_coarse_cost(method, x.width(), *drop, *width, units),
        Op::ReluTrunc { bits, width, .. } => relu::relu_trunc_cost(method, *bits, *width, units),
        Op::Max { x, drop, group } => maximum::max_cost(method, x.width(), *drop, units * group, *group),
        Op::Argmax(x, group, width) => maximum::argmax_cost(method, x.width(), *width, units * group, *group),
        Op::Linear(layer, _) => layer::cost(layer),
        Op::AddBool(..) => Cost::none(),
    }
}

/// Runs one window.
pub(super) async fn run(
    cx: Ctx,
    with: Resources<'_>,
    op: Op<Arith, Bool>,
) -> Result<Val<RingVec, BitPlanes>> {
    let bit = |bits: BitVec| Val::Bool(BitPlanes::new(vec![bits]));
    Ok(match &op {
        Op::Mul(x, y) => Val::Arith(mul::mul(cx, x.share(), y.share()).await?),
        Op::And(x, y) => Val::Bool(planewise_and(cx, x.share(), y.share()).await?),
        Op::Or(x, y) => {
            let both = planewise_and(cx, x.share(), y.share()).await?;
            Val::Bool(x.share().zip(y.share(), BitVec::xor).zip(&both, BitVec::xor))
        }
        Op::MuxBool(c, t, f) => {
            let choice = c.share().select_planes(&vec![0; t.share().planes().len()]);
            let difference = t.share().zip(f.share(), BitVec::xor);
            let chosen = planewise_and(cx, &choice, &difference).await?;
            Val::Bool(f.share().zip(&chosen, BitVec::xor))
        }
        Op::Msb(x) => bit(compare::msb(cx, x.share()).await?),
        Op::LessThanNear(x, y) => bit(compare::msb(cx, &x.share().sub(y.share())).await?),
        Op::BitToArith(x, width) => Val::Arith(convert::bit_to_arith(cx, plane(x), *width).await?),
        Op::A2b(x) => Val::Bool(convert::a2b(cx, x.share()).await?),
        Op::B2a(x) => Val::Arith(convert::b2a(cx, x.share()).await?),
        Op::LessThan(x, y, s) => bit(compare::less_than(cx, x.share(), y.share(), *s).await?),
        Op::Equal(x, y) => bit(equal::equal(cx, x.share(), y.share()).await?),
        Op::Below(x, limits, s) => {
            Val::Bool(BitPlanes::new(thresholds::below(cx, x.share(), limits, *s).await?))
        }
        Op::Lookup(table, index) => Val::Arith(lut::lookup(cx, table, index.share()).await?),
        Op::Read(array, index) => Val::Arith(lut::read(cx, array.share(), index.share()).await?),
        Op::Popcount(x, width) => Val::Arith(convert::popcount(cx, x.share(), *width).await?),
        Op::Mux(c, t, f) => Val::Arith(mux::mux(cx, plane(c), t.share(), f.share()).await?),
        Op::Select(c, x) => Val::Arith(mux::select(cx, plane(c), x.share()).await?),
        Op::Trunc(x, shift, kind) => Val::Arith(trunc::trunc(cx, x.share(), *shift, *kind).await?),
        Op::Extend(x, width, s) => Val::Arith(extend::extend(cx, x.share(), *width, *s).await?),
        Op::ExtendNear(x, width, s) => Val::Arith(extend::extend_near(cx, x.share(), *width, *s).await?),
        Op::Relu { x, drop, width } => Val::Arith(relu::relu_coarse(cx, x.share(), *drop, *width).await?),
        Op::ReluTrunc { x, shift, bits, width } => {
            Val::Arith(relu::relu_trunc(cx, x.share(), *shift, *bits, *width).await?)
        }
        Op::Max { x, drop, group } => Val::Arith(maximum::max(cx, x.share(), *drop, *group).await?),
        Op::Argmax(x, group, width) => Val::Arith(maximum::argmax(cx, x.share(), *group, *width).await?),
        Op::Linear(layer, x) => Val::Arith(layer::run(cx, with, layer, x.share()).await?),
        Op::AddBool(..) => unreachable!("only operations with a gadget are scheduled"),
    })
}

/// The only plane of a vector of bits.
fn plane(bits: &Bool) -> &BitVec {
    &bits.share().planes()[0]
}

async fn planewise_and(cx: Ctx, x: &BitPlanes, y: &BitPlanes) -> Result<BitPlanes> {
    let flat = |v: &BitPlanes| BitVec::concat(&v.planes().iter().collect::<Vec<_>>());
    let product = and::and(cx, &flat(x), &flat(y)).await?;
    let n = x.len();
    Ok(BitPlanes::new((0..x.planes().len()).map(|k| product.slice(k * n..(k + 1) * n)).collect()))
}
