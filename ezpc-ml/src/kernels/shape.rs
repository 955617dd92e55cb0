//! Layers that move elements; all of them are local.

use crate::graph::float::{permutation, picks};
use crate::tensor::Tensor;
use core::ops::Range;
use ezpc_core::protocol::ShareVec;
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Protocol, Result};

/// The tensors one after the other along `axis`, in the ring `width`.
pub fn concat<P: Protocol>(
    p: &P,
    parts: &[&Tensor<P::Arith>],
    axis: usize,
    width: Width,
) -> Result<Tensor<P::Arith>> {
    let first = parts[0];
    let narrow: Vec<P::Arith> = parts.iter().map(|t| p.reduce(t.data(), width)).collect();
    let outer: usize = first.batch() * first.shape()[..axis].iter().product::<usize>();
    let mut shape = first.shape().to_vec();
    shape[axis] = parts.iter().map(|t| t.shape()[axis]).sum();
    let runs: Vec<(&P::Arith, Range<usize>)> = (0..outer)
        .flat_map(|o| {
            narrow.iter().map(move |part| {
                let run = part.len() / outer;
                (part, o * run..(o + 1) * run)
            })
        })
        .collect();
    Tensor::new(first.batch(), &shape, P::Arith::concat_ranges(&runs))
}

/// The axes of each sample in another order.
pub fn permute<P: Protocol>(x: &Tensor<P::Arith>, order: &[usize]) -> Result<Tensor<P::Arith>> {
    let shape: Vec<usize> = order.iter().map(|&a| x.shape()[a]).collect();
    x.pick(&shape, &permutation(order, x.shape()))
}

/// Picks indices along an axis; `None` stands for a zero.
pub fn take<P: Protocol>(
    p: &P,
    x: &Tensor<P::Arith>,
    axis: usize,
    indices: &[Option<usize>],
) -> Result<Tensor<P::Arith>> {
    let mut shape = x.shape().to_vec();
    shape[axis] = indices.len();
    let places = picks(axis, indices, x.shape());
    let size: usize = x.shape().iter().product();
    let zero = x.batch() * size;
    let all: Vec<usize> = (0..x.batch())
        .flat_map(|b| places.iter().map(move |place| place.map_or(zero, |at| b * size + at)))
        .collect();
    let data = if indices.iter().all(Option::is_some) {
        x.data().gather(&all)
    } else {
        with_zero(p, x).gather(&all)
    };
    Tensor::new(x.batch(), &shape, data)
}

/// The elements and a public zero behind them.
pub(crate) fn with_zero<P: Protocol>(p: &P, x: &Tensor<P::Arith>) -> P::Arith {
    let zero = p.public(&RingVec::zeros(x.data().width(), 1));
    P::Arith::concat(&[x.data(), &zero])
}
