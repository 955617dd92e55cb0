//! Layers with weights. Results are truncated and in the smaller ring, as [`LinearSpec`] says.

use super::Stage;
use crate::card::Scale;
use crate::graph::Window;
use crate::graph::float::permutation;
use crate::tensor::Tensor;
use ezpc_core::Protocol;
use ezpc_core::protocol::{Linear, LinearKind, LinearSpec, MatMulSpec, Op, ShareVec};

/// The shape of a convolution of `batch` samples of `shape`.
#[must_use]
pub fn conv_spec(
    batch: usize,
    shape: &[usize],
    window: &Window,
    groups: usize,
    outputs: usize,
    scale: &Scale,
) -> LinearSpec {
    spec(LinearKind::Conv(window.conv(batch, shape[0], [shape[1], shape[2]], outputs, groups)), scale)
}

/// The shape of a matrix product along the last axis of `batch` samples of `shape`.
#[must_use]
pub fn dense_spec(batch: usize, shape: &[usize], outputs: usize, scale: &Scale) -> LinearSpec {
    let (inner, lead) = shape.split_last().expect("a matrix product has at least one axis");
    let cols = batch * lead.iter().product::<usize>();
    spec(LinearKind::MatMul(MatMulSpec { rows: outputs, inner: *inner, cols }), scale)
}

/// The shape of a factor and a summand for each index along `axis`: a convolution of one element a channel.
#[must_use]
pub fn affine_spec(batch: usize, shape: &[usize], axis: usize, scale: &Scale) -> LinearSpec {
    let before: usize = shape[..axis].iter().product();
    let after: usize = shape[axis + 1..].iter().product();
    spec(
        LinearKind::Conv(Window::UNIT.conv(
            batch * before,
            shape[axis],
            [1, after],
            shape[axis],
            shape[axis],
        )),
        scale,
    )
}

const fn spec(kind: LinearKind, scale: &Scale) -> LinearSpec {
    LinearSpec { kind, input: scale.ring, shift: scale.shift, weight_bits: scale.weight_bits }
}

/// A layer with weights on `x`; the result, samples of `shape`, is truncated and in the smaller ring.
pub fn apply<'k, P: Protocol>(
    p: &P,
    layer: &Linear<P::Arith>,
    x: &Tensor<P::Arith>,
    shape: &[usize],
) -> Stage<'k, P> {
    let narrow = p.reduce(x.data(), layer.spec.input);
    let (batch, shape) = (x.batch(), shape.to_vec());
    // The weights of a matrix product stand on the left, so samples are columns.
    let (operand, columns) = match layer.spec.kind {
        LinearKind::MatMul(MatMulSpec { rows, inner, cols }) => {
            (transpose(&narrow, cols, inner), Some([rows, cols]))
        }
        _ => (narrow, None),
    };
    Stage::arith(Op::Linear(layer.clone(), operand), move |_, y| {
        let y = match columns {
            Some([rows, cols]) => transpose(&y, rows, cols),
            None => y,
        };
        Ok(Stage::Done(Tensor::new(batch, &shape, y)?))
    })
}

fn transpose<V: ShareVec>(x: &V, rows: usize, cols: usize) -> V {
    if rows == 1 || cols == 1 { x.clone() } else { x.gather(&permutation(&[1, 0], &[rows, cols])) }
}
