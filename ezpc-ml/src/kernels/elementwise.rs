//! Element-wise layers.

use crate::tensor::Tensor;
use ezpc_core::ring::Width;
use ezpc_core::{Protocol, Result};

/// `max(x, 0)`, compared in the ring `from`, the result in the ring `width`.
pub fn relu<P: Protocol>(
    p: &mut P,
    x: &Tensor<P::Arith>,
    from: Width,
    width: Width,
) -> Result<Tensor<P::Arith>> {
    let narrow = p.reduce(x.data(), from);
    Ok(x.with(p.relu(&narrow, width)?))
}

/// 1 where `x >= 0`, else 0, compared in the ring `from`; 1 stands as 2^`frac_bits` in the ring `width`.
pub fn step<P: Protocol>(
    p: &mut P,
    x: &Tensor<P::Arith>,
    from: Width,
    width: Width,
    frac_bits: u32,
) -> Result<Tensor<P::Arith>> {
    let negative = p.msb(&p.reduce(x.data(), from))?;
    let bit = p.bit_to_arith(&p.not(&negative), width)?;
    Ok(x.with(p.scale(&bit, &[1 << frac_bits])))
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

/// `x · y / 2^shift` in the ring that the shift leaves, at most one ulp below; the products fit `ring`.
pub fn mul<P: Protocol>(
    p: &mut P,
    x: &Tensor<P::Arith>,
    y: &Tensor<P::Arith>,
    ring: Width,
    shift: u32,
) -> Result<Tensor<P::Arith>> {
    let product = p.mul(&p.reduce(x.data(), ring), &p.reduce(y.data(), ring))?;
    Ok(x.with(if shift == 0 { product } else { p.trunc_reduce(&product, shift) }))
}
