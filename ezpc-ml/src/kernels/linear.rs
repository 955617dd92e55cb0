//! Layers with weights. Results are truncated and in the smaller ring, as [`LinearSpec`] says.

use crate::card::Scale;
use crate::graph::Window;
use crate::graph::float::permutation;
use crate::tensor::Tensor;
use ezpc_core::protocol::{ConvSpec, Linear, LinearKind, LinearSpec, MatMulSpec, ShareVec};
use ezpc_core::{Protocol, Result};

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

/// A convolution.
pub fn conv2d<P: Protocol>(
    p: &mut P,
    layer: &Linear<P::Arith>,
    x: &Tensor<P::Arith>,
) -> Result<Tensor<P::Arith>> {
    let y = p.linear(layer, &p.reduce(x.data(), layer.spec.input))?;
    let LinearKind::Conv(ConvSpec { out_channels, .. }) = layer.spec.kind else {
        return Err(ezpc_core::Error::usage("a convolution with the weights of a matrix product"));
    };
    let area = y.len() / (x.batch() * out_channels);
    let LinearKind::Conv(conv) = layer.spec.kind else { unreachable!("matched above") };
    let [h, w] = conv.output();
    debug_assert!(area == h * w, "the output has its declared shape");
    Tensor::new(x.batch(), &[out_channels, h, w], y)
}

/// A product with a matrix along the last axis.
pub fn matmul<P: Protocol>(
    p: &mut P,
    layer: &Linear<P::Arith>,
    x: &Tensor<P::Arith>,
) -> Result<Tensor<P::Arith>> {
    let LinearKind::MatMul(MatMulSpec { rows, inner, cols }) = layer.spec.kind else {
        return Err(ezpc_core::Error::usage("a matrix product with the weights of a convolution"));
    };
    // The weights stand on the left, so samples are columns.
    let columns = transpose(&p.reduce(x.data(), layer.spec.input), cols, inner);
    let y = p.linear(layer, &columns)?;
    let mut shape = x.shape().to_vec();
    *shape.last_mut().expect("a matrix product has at least one axis") = rows;
    Tensor::new(x.batch(), &shape, transpose(&y, rows, cols))
}

/// A factor and a summand for each index along an axis.
pub fn affine<P: Protocol>(
    p: &mut P,
    layer: &Linear<P::Arith>,
    x: &Tensor<P::Arith>,
) -> Result<Tensor<P::Arith>> {
    let y = p.linear(layer, &p.reduce(x.data(), layer.spec.input))?;
    Tensor::new(x.batch(), x.shape(), y)
}

fn transpose<V: ShareVec>(x: &V, rows: usize, cols: usize) -> V {
    if rows == 1 || cols == 1 { x.clone() } else { x.gather(&permutation(&[1, 0], &[rows, cols])) }
}
