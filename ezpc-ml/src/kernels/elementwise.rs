//! Element-wise layers.

use super::Stage;
use crate::tensor::Tensor;
use ezpc_core::Protocol;
use ezpc_core::protocol::{Op, ShareVec, Signedness};
use ezpc_core::ring::{RingVec, Width};

/// `max(x, 0)`, compared in the ring `from` without its lowest `drop` bits, the result in the ring `width`.
pub fn relu<'k, P: Protocol>(
    p: &P,
    x: &Tensor<P::Arith>,
    from: Width,
    drop: u32,
    width: Width,
) -> Stage<'k, P> {
    Stage::last(Op::Relu { x: p.reduce(x.data(), from), drop, width }, x)
}

/// 1 where `x >= 0`, else 0, compared in the ring `from`; 1 stands as 2^`frac_bits` in the ring `width`.
pub fn step<'k, P: Protocol>(
    p: &P,
    x: &Tensor<P::Arith>,
    from: Width,
    width: Width,
    frac_bits: u32,
) -> Stage<'k, P> {
    let (batch, shape) = (x.batch(), x.shape().to_vec());
    Stage::boolean(Op::Msb(p.reduce(x.data(), from)), move |p: &P, negative| {
        let bit = Op::BitToArith(p.not(&negative), width);
        Ok(Stage::arith(bit, move |p: &P, bit| {
            Ok(Stage::Done(Tensor::new(batch, &shape, p.scale(&bit, &[1 << frac_bits]))?))
        }))
    })
}

/// The same values in the ring `width`; `positive` promises that none of them is negative, or, for results of [`relu`] without
/// `drop` bits, below -2^(`drop` - 1).
pub fn extend<'k, P: Protocol + 'k>(
    p: &P,
    x: &Tensor<P::Arith>,
    positive: bool,
    drop: u32,
    width: Width,
) -> Stage<'k, P> {
    if !positive {
        return Stage::last(Op::Extend(x.data().clone(), width, Signedness::Signed), x);
    }
    let least = -(1 << drop >> 1);
    let constant = |ring: Width, v: i64| RingVec::from_signed(ring, &[v]);
    let above = p.add_public(x.data(), &constant(x.data().width(), -least));
    let (batch, shape) = (x.batch(), x.shape().to_vec());
    Stage::arith(Op::ExtendNear(above, width, Signedness::Unsigned), move |p: &P, above| {
        let values = p.add_public(&above, &constant(width, least));
        Ok(Stage::Done(Tensor::new(batch, &shape, values)?))
    })
}

/// `x` where the bit along its axis is clear, `-x` where it is set; `negative` has one bit an element.
pub fn sign<'k, P: Protocol + 'k>(x: Tensor<P::Arith>, negative: P::Bool) -> Stage<'k, P> {
    let chosen = Op::Select(negative, x.data().clone());
    Stage::arith(chosen, move |p: &P, chosen| {
        Ok(Stage::Done(x.with(p.sub(x.data(), &p.scale(&chosen, &[2])))))
    })
}

/// `x + y` in the ring `width`.
#[must_use]
pub fn add<P: Protocol>(p: &P, x: &Tensor<P::Arith>, y: &Tensor<P::Arith>, width: Width) -> Tensor<P::Arith> {
    x.with(p.add(&p.reduce(x.data(), width), &p.reduce(y.data(), width)))
}

/// `x - y` in the ring `width`.
#[must_use]
pub fn sub<P: Protocol>(p: &P, x: &Tensor<P::Arith>, y: &Tensor<P::Arith>, width: Width) -> Tensor<P::Arith> {
    x.with(p.sub(&p.reduce(x.data(), width), &p.reduce(y.data(), width)))
}

/// `x · y / 2^shift` in the ring that the shift leaves, as [`Protocol::round_reduce`]; the products, and what they are
/// rounded up to, fit `ring`.
pub fn mul<'k, P: Protocol>(
    p: &P,
    x: &Tensor<P::Arith>,
    y: &Tensor<P::Arith>,
    ring: Width,
    shift: u32,
) -> Stage<'k, P> {
    let (batch, shape) = (x.batch(), x.shape().to_vec());
    let product = Op::Mul(p.reduce(x.data(), ring), p.reduce(y.data(), ring));
    Stage::arith(product, move |p: &P, product| {
        Ok(Stage::Done(Tensor::new(batch, &shape, p.round_reduce(&product, shift))?))
    })
}

/// One bit an element of a batch from one bit for each index along `axis`.
#[must_use]
pub fn spread<V: ShareVec>(along: &V, axis: usize, batch: usize, shape: &[usize]) -> V {
    let inner: usize = shape[axis + 1..].iter().product();
    let outer = batch * shape[..axis].iter().product::<usize>();
    let mut places = Vec::with_capacity(outer * shape[axis] * inner);
    for index in (0..outer).flat_map(|_| 0..shape[axis]) {
        places.resize(places.len() + inner, index);
    }
    along.gather(&places)
}
