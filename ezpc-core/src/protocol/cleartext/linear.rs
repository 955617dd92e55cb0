//! Linear layers in the clear, in the exact order of the definition.

#![allow(
    clippy::cast_sign_loss,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use crate::error::{Error, Result};
use crate::protocol::{ConvSpec, Linear, LinearKind, MatMulSpec, Operand};
use crate::ring::RingVec;
use std::borrow::Cow;

/// The layer's result, rounded to the floor. Checks the promise on every sum.
pub(super) fn linear(layer: &Linear<RingVec>, x: &RingVec) -> Result<RingVec> {
    let spec = &layer.spec;
    layer.check_input(x)?;
    let weights = values(&layer.weights, spec.weights_len())?;
    let input = x.to_signed();
    let mut sums = vec![0_i64; spec.output_len()];
    match &spec.kind {
        LinearKind::MatMul(m) => matmul(m, &weights, &input, &mut sums),
        LinearKind::Conv(c) => conv(c, &weights, &input, &mut sums),
    }
    if let Some(bias) = &layer.bias {
        let bias = values(bias, spec.bias_len())?;
        for (o, sum) in sums.iter_mut().enumerate() {
            *sum = sum.wrapping_add(bias[spec.bias_of(o)]);
        }
    }
    if spec.shift > 0 {
        let bound = (1_i128 << (spec.input.bits() - 1)) - (3 << spec.shift);
        if let Some(o) = sums.iter().position(|&s| i128::from(s).abs() > bound) {
            return Err(Error::usage(format!("linear layer: output {o} is outside the promised range")));
        }
    }
    let output = spec.output();
    Ok(RingVec::new(output, sums.iter().map(|s| (s >> spec.shift) as u64).collect()))
}

fn values(operand: &Operand<RingVec>, len: usize) -> Result<Cow<'_, [i64]>> {
    let values = match operand {
        Operand::Public(values) | Operand::Private { values: Some(values), .. } => Cow::Borrowed(&values[..]),
        Operand::Private { owner, values: None } => {
            return Err(Error::usage(format!("the {owner}'s weights are missing")));
        }
        Operand::Shared(x) => Cow::Owned(x.to_signed()),
    };
    if values.len() != len {
        return Err(Error::usage(format!("{} weights given, the shape has {len}", values.len())));
    }
    Ok(values)
}

fn matmul(m: &MatMulSpec, weights: &[i64], x: &[i64], out: &mut [i64]) {
    for (row, out) in out.chunks_mut(m.cols.max(1)).enumerate() {
        for (i, &w) in weights[row * m.inner..(row + 1) * m.inner].iter().enumerate() {
            for (o, &v) in out.iter_mut().zip(&x[i * m.cols..(i + 1) * m.cols]) {
                *o = o.wrapping_add(w.wrapping_mul(v));
            }
        }
    }
}

fn conv(c: &ConvSpec, weights: &[i64], x: &[i64], out: &mut [i64]) {
    let [oh, ow] = c.output();
    let [ih, iw] = c.input;
    let (per_in, per_out) = (c.in_channels / c.groups, c.out_channels / c.groups);
    for (plane, out) in out.chunks_mut((oh * ow).max(1)).enumerate() {
        let (image, channel) = (plane / c.out_channels, plane % c.out_channels);
        for i in 0..per_in {
            let source = image * c.in_channels + channel / per_out * per_in + i;
            let map = &x[source * ih * iw..(source + 1) * ih * iw];
            for ky in 0..c.kernel[0] {
                for kx in 0..c.kernel[1] {
                    let w = weights[((channel * per_in + i) * c.kernel[0] + ky) * c.kernel[1] + kx];
                    for row in 0..oh {
                        let y = (row * c.stride[0] + ky * c.dilation[0]).wrapping_sub(c.padding[0]);
                        if y >= ih {
                            continue;
                        }
                        for col in 0..ow {
                            let at = (col * c.stride[1] + kx * c.dilation[1]).wrapping_sub(c.padding[1]);
                            if at < iw {
                                let o = &mut out[row * ow + col];
                                *o = o.wrapping_add(w.wrapping_mul(map[y * iw + at]));
                            }
                        }
                    }
                }
            }
        }
    }
}
