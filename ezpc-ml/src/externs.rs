//! The kernels as functions that a `secure!` program declares `extern`: what a printed network calls
//! ([`Card::to_secure`](crate::card::Card::to_secure)).
//!
//! Tensors are flat arrays of 64-bit numbers, row-major, of one sample. A kernel works in the narrow ring that its
//! arguments name and extends its result to 64 bits again. Weights that are the server's own inputs stay private operands of a
//! linear layer; others are used as shares.

#![allow(
    clippy::too_many_arguments,
    reason = "the parameters of kernels are numbers; the text of a program names them"
)]

use crate::graph::Window;
use crate::kernels::{bounds, elementwise, linear, pool};
use crate::tensor::Tensor;
use ezpc_core::program::{Array, Program, Shared};
use ezpc_core::protocol::{
    ConvSpec, Linear, LinearKind, LinearSpec, MatMulSpec, Operand, ShareVec, Signedness,
};
use ezpc_core::ring::Width;
use ezpc_core::{Error, Protocol, Result};

/// A tensor of one sample.
pub type Flat = Array<Shared<i64>, 1>;

/// A convolution with `weights[at..]`: the kernels of every output channel, then one bias each; see
/// [`LinearSpec`] for `ring`, `shift` and `weight_bits`.
pub fn conv2d<P: Protocol>(
    program: &Program<'_, P>,
    channels: i32,
    height: i32,
    width: i32,
    outputs: i32,
    groups: i32,
    kernel_height: i32,
    kernel_width: i32,
    stride_down: i32,
    stride_across: i32,
    top: i32,
    left: i32,
    bottom: i32,
    right: i32,
    dilation_down: i32,
    dilation_across: i32,
    ring: i32,
    shift: i32,
    weight_bits: i32,
    at: i32,
    weights: &Flat,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let conv = ConvSpec {
        batch: 1,
        in_channels: size(channels)?,
        input: sizes([height, width])?,
        out_channels: size(outputs)?,
        kernel: sizes([kernel_height, kernel_width])?,
        stride: sizes([stride_down, stride_across])?,
        padding: sizes([top, left, bottom, right])?,
        dilation: sizes([dilation_down, dilation_across])?,
        groups: size(groups)?,
    };
    layer(program, LinearKind::Conv(conv), [ring, shift, weight_bits], at, weights, x, y)
}

/// A product of each of `rows` rows of `x` with a matrix, `weights[at..]`: its rows, then one bias each.
pub fn dense<P: Protocol>(
    program: &Program<'_, P>,
    rows: i32,
    inputs: i32,
    outputs: i32,
    ring: i32,
    shift: i32,
    weight_bits: i32,
    at: i32,
    weights: &Flat,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let product = MatMulSpec { rows: size(outputs)?, inner: size(inputs)?, cols: size(rows)? };
    layer(program, LinearKind::MatMul(product), [ring, shift, weight_bits], at, weights, x, y)
}

/// max(x, 0), compared in the ring `from` without its lowest `drop` bits.
pub fn relu<P: Protocol>(program: &Program<'_, P>, from: i32, drop: i32, x: &Flat, y: &Flat) -> Result<()> {
    let (from, drop) = (ring(from)?, bits(drop)?);
    map(program, &[x], y, |p, x| elementwise::relu(p, &x[0], from, drop, Width::W64).finish(p))
}

/// 1 where x >= 0, else 0, compared in the ring `from`; 1 stands as 2^`frac_bits`.
pub fn step<P: Protocol>(
    program: &Program<'_, P>,
    from: i32,
    frac_bits: i32,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let (from, frac_bits) = (ring(from)?, bits(frac_bits)?);
    map(program, &[x], y, |p, x| elementwise::step(p, &x[0], from, Width::W64, frac_bits).finish(p))
}

/// The nearest value from `-2^bound` (from 0 when `positive`) to `2^bound - 1`, compared in the ring `from`.
pub fn clip<P: Protocol>(
    program: &Program<'_, P>,
    bound: i32,
    positive: bool,
    from: i32,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let (bound, from) = (bits(bound)?, ring(from)?);
    map(program, &[x], y, |p, x| bounds::clip(p, &x[0], bound, positive, from, Width::W64).finish(p))
}

/// a · b / 2^`shift`; the product fits `ring_bits`.
pub fn mul<P: Protocol>(
    program: &Program<'_, P>,
    ring_bits: i32,
    shift: i32,
    a: &Flat,
    b: &Flat,
    y: &Flat,
) -> Result<()> {
    let (width, shift) = (ring(ring_bits)?, bits(shift)?);
    map(program, &[a, b], y, |p, x| elementwise::mul(p, &x[0], &x[1], width, shift).finish(p))
}

/// The largest value of each window, compared in the ring `ring_bits` without its lowest `drop` bits.
pub fn maxpool<P: Protocol>(
    program: &Program<'_, P>,
    channels: i32,
    height: i32,
    width: i32,
    kernel_height: i32,
    kernel_width: i32,
    stride_down: i32,
    stride_across: i32,
    top: i32,
    left: i32,
    bottom: i32,
    right: i32,
    dilation_down: i32,
    dilation_across: i32,
    ring_bits: i32,
    drop: i32,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let window = Window {
        kernel: sizes([kernel_height, kernel_width])?,
        stride: sizes([stride_down, stride_across])?,
        padding: sizes([top, left, bottom, right])?,
        dilation: sizes([dilation_down, dilation_across])?,
    };
    let (shape, narrow, drop) = (sizes([channels, height, width])?, ring(ring_bits)?, bits(drop)?);
    map(program, &[x], y, |p, x| {
        let x = Tensor::new(1, &shape, p.reduce(x[0].data(), narrow))?;
        pool::max_pool(&window, drop, &x)?.finish(p)
    })
}

/// The mean of each window, in the ring `ring_bits`; `count_top` and so on are the padding whose zeros count.
pub fn avgpool<P: Protocol>(
    program: &Program<'_, P>,
    channels: i32,
    height: i32,
    width: i32,
    kernel_height: i32,
    kernel_width: i32,
    stride_down: i32,
    stride_across: i32,
    top: i32,
    left: i32,
    bottom: i32,
    right: i32,
    dilation_down: i32,
    dilation_across: i32,
    count_top: i32,
    count_left: i32,
    count_bottom: i32,
    count_right: i32,
    ring_bits: i32,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let window = Window {
        kernel: sizes([kernel_height, kernel_width])?,
        stride: sizes([stride_down, stride_across])?,
        padding: sizes([top, left, bottom, right])?,
        dilation: sizes([dilation_down, dilation_across])?,
    };
    let counted = sizes([count_top, count_left, count_bottom, count_right])?;
    let (shape, wide) = (sizes([channels, height, width])?, ring(ring_bits)?);
    map(program, &[x], y, |p, x| {
        let x = Tensor::new(1, &shape, x[0].data().clone())?;
        pool::avg_pool(p, &window, counted, wide, &x)
    })
}

/// The index of the largest value, the first of equal ones, compared in the ring `ring_bits`.
pub fn argmax<P: Protocol>(program: &Program<'_, P>, ring_bits: i32, x: &Flat, y: &Flat) -> Result<()> {
    let narrow = ring(ring_bits)?;
    map(program, &[x], y, |p, x| {
        let x = x[0].with(p.reduce(x[0].data(), narrow));
        Tensor::new(1, &[1], pool::argmax(p, &x, Width::W64)?)
    })
}

/// A linear layer whose constants are `weights[at..]`.
fn layer<P: Protocol>(
    program: &Program<'_, P>,
    kind: LinearKind,
    [ring_bits, shift, weight_bits]: [i32; 3],
    at: i32,
    weights: &Flat,
    x: &Flat,
    y: &Flat,
) -> Result<()> {
    let spec =
        LinearSpec { kind, input: ring(ring_bits)?, shift: bits(shift)?, weight_bits: bits(weight_bits)? };
    spec.check()?;
    let start = size(at)?;
    let split = spec.weights_len();
    let constants = (start..start + split + spec.bias_len())
        .map(|i| weights.get([i64::try_from(i).unwrap_or(i64::MAX)]))
        .collect::<Result<Vec<_>>>()?;
    let shape = [y.len()];
    if let Some((owner, values)) = program.private(&constants) {
        let operand =
            |values: Option<&[i64]>| Operand::Private { owner, values: values.map(|v| v.to_vec().into()) };
        let known = values.as_deref();
        let bias = operand(known.map(|v| &v[split..]));
        let layer = Linear::new(spec, operand(known.map(|v| &v[..split])), Some(bias))?;
        return map(program, &[x], y, |p, x| linear::apply(p, &layer, &x[0], &shape).finish(p));
    }
    let constants = Flat::from_vec([constants.len()], constants)?;
    map(program, &[x, &constants], y, |p, x| {
        let shared = p.reduce(x[1].data(), spec.input);
        let (weights, bias) = (shared.slice(0..split), shared.slice(split..shared.len()));
        let layer = Linear::new(spec, Operand::Shared(weights), Some(Operand::Shared(bias)))?;
        linear::apply(p, &layer, &x[0], &shape).finish(p)
    })
}

/// Runs a kernel on arrays; its result, extended to 64 bits, is the new value of `y`.
fn map<P: Protocol>(
    program: &Program<'_, P>,
    xs: &[&Flat],
    y: &Flat,
    kernel: impl FnOnce(&mut P, &[Tensor<P::Arith>]) -> Result<Tensor<P::Arith>>,
) -> Result<()> {
    let all: Vec<Shared<i64>> = xs.iter().flat_map(|x| x.to_vec()).collect();
    let lens: Vec<usize> = xs.iter().map(|x| x.len()).collect();
    let values = program.with_arith(&all, |p, shares| {
        let mut start = 0;
        let mut operands = Vec::with_capacity(lens.len());
        for &len in &lens {
            operands.push(Tensor::new(1, &[len], shares.slice(start..start + len))?);
            start += len;
        }
        let narrow = kernel(p, &operands)?.into_data();
        if narrow.width() == Width::W64 {
            Ok(narrow)
        } else {
            p.extend(&narrow, Width::W64, Signedness::Signed)
        }
    })?;
    y.assign(&Flat::from_vec([values.len()], values)?)
}

fn size(n: i32) -> Result<usize> {
    usize::try_from(n).map_err(|_| Error::usage(format!("{n} where a size is expected")))
}

fn sizes<const N: usize>(n: [i32; N]) -> Result<[usize; N]> {
    let mut sizes = [0; N];
    for (to, n) in sizes.iter_mut().zip(n) {
        *to = size(n)?;
    }
    Ok(sizes)
}

fn bits(n: i32) -> Result<u32> {
    u32::try_from(n)
        .ok()
        .filter(|b| *b <= 64)
        .ok_or_else(|| Error::usage(format!("{n} where bits are expected")))
}

fn ring(n: i32) -> Result<Width> {
    Width::try_new(bits(n)?).map_err(|_| Error::usage("a ring of no bits"))
}
