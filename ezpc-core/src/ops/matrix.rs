//! Linear layers from oblivious transfers: for weights that are shared between the parties, and wherever
//! homomorphic encryption is not wanted.
//!
//! Every weight multiplies one vector of inputs (a row of the matrix, a shifted map of the convolution), so its
//! bits are COT choices and the vector is the payload: [`product`](super::product) with one factor a weight.
//! Weights in the clear at their owner are signed with a public bound; they travel as w + 2^t >= 0, and the party
//! that knows the vectors subtracts 2^t times their sum.
//!
//! Cost for weights private to one party: t + 1 COTs a weight and about (t + 1)·k bits a multiply-accumulate, 2
//! half-rounds. For shared weights k COTs a weight and direction. Memory is a few words a multiply-accumulate.

#![allow(
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::error::Result;
use crate::ops::Ctx;
use crate::ops::product::{
    ProductShape, cross_products, cross_products_cost, product_receiver, product_sender,
};
use crate::party::Party;
use crate::ring::RingVec;
use crate::spec::{ConvSpec, LinearKind, LinearSpec, MatMulSpec};
use crate::transport::cost::Cost;
use zeroize::Zeroizing;

/// Which weight multiplies which inputs, and where the products go.
struct Layout {
    /// The length of the vector a weight multiplies.
    len: usize,
    /// Input positions, `len` a distinct vector; `None` where the convolution reads padding.
    vectors: Vec<Vec<Option<usize>>>,
    /// The output positions of each row of weights.
    outputs: Vec<Vec<usize>>,
    /// For each row of weights, the vector of each weight in it.
    rows: Vec<Vec<usize>>,
}

impl Layout {
    fn new(spec: &LinearSpec) -> Self {
        match &spec.kind {
            LinearKind::MatMul(m) => Self::matmul(m),
            LinearKind::Conv(c) => Self::conv(c),
        }
    }

    fn matmul(m: &MatMulSpec) -> Self {
        let row = |start: usize| (start..start + m.cols).collect::<Vec<_>>();
        Self {
            len: m.cols,
            vectors: (0..m.inner).map(|i| row(i * m.cols).into_iter().map(Some).collect()).collect(),
            outputs: (0..m.rows).map(|r| row(r * m.cols)).collect(),
            rows: vec![(0..m.inner).collect(); m.rows],
        }
    }

    fn conv(c: &ConvSpec) -> Self {
        let [oh, ow] = c.output();
        let (per_in, per_out) = (c.in_channels / c.groups, c.out_channels / c.groups);
        let positions = || {
            (0..c.batch)
                .flat_map(move |image| (0..oh).flat_map(move |row| (0..ow).map(move |col| (image, row, col))))
        };
        let vector = |channel: usize, ky: usize, kx: usize| {
            positions()
                .map(|(image, row, col)| {
                    let y = (row * c.stride[0] + ky * c.dilation[0]).wrapping_sub(c.padding[0]);
                    let x = (col * c.stride[1] + kx * c.dilation[1]).wrapping_sub(c.padding[1]);
                    let map = (image * c.in_channels + channel) * c.input[0];
                    (y < c.input[0] && x < c.input[1]).then(|| (map + y) * c.input[1] + x)
                })
                .collect()
        };
        let taps = c.kernel[0] * c.kernel[1];
        let vectors = (0..c.in_channels * taps)
            .map(|i| vector(i / taps, i % taps / c.kernel[1], i % c.kernel[1]))
            .collect();
        let output = |o: usize| {
            positions()
                .map(|(image, row, col)| ((image * c.out_channels + o) * oh + row) * ow + col)
                .collect()
        };
        let row = |o: usize| (0..per_in * taps).map(|i| o / per_out * per_in * taps + i).collect();
        Self {
            len: c.batch * oh * ow,
            vectors,
            outputs: (0..c.out_channels).map(output).collect(),
            rows: (0..c.out_channels).map(row).collect(),
        }
    }

    /// The vectors of all weights in order, one after the other.
    fn spread(&self, x: &RingVec) -> Vec<u64> {
        let lanes = x.lanes();
        let value = |at: &Option<usize>| at.map_or(0, |i| lanes[i]);
        self.rows.iter().flatten().flat_map(|&v| self.vectors[v].iter().map(value)).collect()
    }

    /// Sums the products of each row of weights into its outputs.
    fn gather(&self, spec: &LinearSpec, products: &[u64]) -> RingVec {
        let mut sums = vec![0_u64; spec.output_len()];
        let mut products = products.chunks(self.len.max(1));
        for (row, outputs) in self.rows.iter().zip(&self.outputs) {
            for products in products.by_ref().take(row.len()) {
                for (&o, p) in outputs.iter().zip(products) {
                    sums[o] = sums[o].wrapping_add(*p);
                }
            }
        }
        RingVec::new(spec.input, sums)
    }
}

/// The weights' product with a vector that this party knows, in the clear.
#[must_use]
pub fn local(spec: &LinearSpec, weights: &[u64], x: &RingVec) -> RingVec {
    let layout = Layout::new(spec);
    let mut products = layout.spread(x);
    for (lanes, w) in products.chunks_mut(layout.len.max(1)).zip(weights) {
        for lane in lanes {
            *lane = lane.wrapping_mul(*w);
        }
    }
    layout.gather(spec, &products)
}

fn shape(spec: &LinearSpec, bits: u32) -> ProductShape {
    let factors = spec.weights_len();
    let len = match &spec.kind {
        LinearKind::MatMul(m) => m.cols,
        LinearKind::Conv(c) => c.batch * c.output().iter().product::<usize>(),
    };
    ProductShape { width: spec.input, factors, bits, len }
}

fn private_shape(spec: &LinearSpec) -> ProductShape {
    shape(spec, (spec.weight_bits + 1).min(spec.input.bits()))
}

/// The cost of [`private`].
#[must_use]
pub fn private_cost(spec: &LinearSpec, owner: Party) -> Cost {
    private_shape(spec).cost(owner.peer())
}

/// The shares of W·x in the ring of the input, where `owner` knows W and `x` is shared. `weights` is `Some` at the
/// owner.
pub async fn private(cx: Ctx, spec: &LinearSpec, weights: Option<&[i64]>, x: &RingVec) -> Result<RingVec> {
    let shape = private_shape(spec);
    let layout = Layout::new(spec);
    let offset = 1_i64 << spec.weight_bits;
    Ok(match weights {
        Some(weights) => {
            let factors: Zeroizing<Vec<u64>> =
                Zeroizing::new(weights.iter().map(|&w| (w + offset) as u64).collect());
            let cross = product_receiver(&cx.io, cx.recv.cots, &shape, &factors).await;
            let clear: Zeroizing<Vec<u64>> = Zeroizing::new(weights.iter().map(|&w| w as u64).collect());
            layout.gather(spec, cross.lanes()).add(&local(spec, &clear, x))
        }
        None => {
            let vectors = RingVec::new(spec.input, layout.spread(x));
            let cross = product_sender(&cx.io, cx.send.cots, &shape, vectors.lanes()).await;
            let excess = vectors.scale(&[offset as u64]);
            layout.gather(spec, cross.sub(&excess).lanes())
        }
    })
}

/// The cost of [`shared`].
#[must_use]
pub fn shared_cost(spec: &LinearSpec) -> Cost {
    cross_products_cost([shape(spec, spec.input.bits()); 2])
}

/// The shares of W·x in the ring of the input, where both W and x are shared.
pub async fn shared(cx: Ctx, spec: &LinearSpec, weights: &RingVec, x: &RingVec) -> Result<RingVec> {
    let shape = shape(spec, spec.input.bits());
    let layout = Layout::new(spec);
    let [own, peers] = cross_products(cx, [shape; 2], weights.lanes(), &layout.spread(x)).await;
    let cross = own.add(&peers);
    Ok(layout.gather(spec, cross.lanes()).add(&local(spec, weights.lanes(), x)))
}
