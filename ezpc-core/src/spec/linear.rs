//! Shapes of linear layers, and the ring their result is in.

use crate::error::{Error, Result};
use crate::ring::Width;

/// `Y = W · X` for `W` of `rows` x `inner` and `X` of `inner` x `cols`, all row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a matrix product has three dimensions")]
pub struct MatMulSpec {
    /// Rows of the weights and of the result.
    pub rows: usize,
    /// Columns of the weights, rows of the input.
    pub inner: usize,
    /// Columns of the input and of the result.
    pub cols: usize,
}

/// A 2-D convolution (cross-correlation, as ONNX Conv) in layout NCHW with weights `[out_channels,
/// in_channels / groups, kernel_h, kernel_w]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "the attributes of ONNX Conv in two dimensions")]
pub struct ConvSpec {
    /// Images.
    pub batch: usize,
    /// Input channels.
    pub in_channels: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Output channels.
    pub out_channels: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Stride, vertical and horizontal.
    pub stride: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Dilation, vertical and horizontal.
    pub dilation: [usize; 2],
    /// Groups of channels; `in_channels` of them is a depthwise convolution.
    pub groups: usize,
}

impl ConvSpec {
    /// Output height and width.
    #[must_use]
    pub fn output(&self) -> [usize; 2] {
        core::array::from_fn(|d| {
            let padded = self.input[d] + self.padding[d] + self.padding[d + 2];
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            (padded - reach) / self.stride[d] + 1
        })
    }
}

/// The shape of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinearKind {
    /// A matrix product.
    MatMul(MatMulSpec),
    /// A 2-D convolution.
    Conv(ConvSpec),
}

/// A linear layer: the product with the weights plus the bias, divided by 2^`shift`.
///
/// The input is over Z_{2^l} (`input` bits), the result over Z_{2^{l - shift}}. Promise: every sum, with its
/// bias, satisfies `|Wx + bias| <= 2^{l-1} - 3·2^shift`. The result is the integer nearest to the quotient or off by at most one
/// ulp, depending on how the back end rounds: two parties without a bias (SECURITY.md, F_LinTrunc). With `shift` 0 it is exact. Weights are signed integers below 2^`weight_bits` in absolute value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "built with a literal by kernels")]
pub struct LinearSpec {
    /// What is multiplied with what.
    pub kind: LinearKind,
    /// The ring of the input.
    pub input: Width,
    /// How many bits are truncated.
    pub shift: u32,
    /// A public bound: `|w| < 2^weight_bits`.
    pub weight_bits: u32,
}

impl LinearSpec {
    /// The number of weights.
    #[must_use]
    pub fn weights_len(&self) -> usize {
        match &self.kind {
            LinearKind::MatMul(m) => m.rows * m.inner,
            LinearKind::Conv(c) => c.out_channels * (c.in_channels / c.groups) * c.kernel[0] * c.kernel[1],
        }
    }

    /// The number of input elements.
    #[must_use]
    pub fn input_len(&self) -> usize {
        match &self.kind {
            LinearKind::MatMul(m) => m.inner * m.cols,
            LinearKind::Conv(c) => c.batch * c.in_channels * c.input[0] * c.input[1],
        }
    }

    /// The number of output elements.
    #[must_use]
    pub fn output_len(&self) -> usize {
        match &self.kind {
            LinearKind::MatMul(m) => m.rows * m.cols,
            LinearKind::Conv(c) => {
                let [h, w] = c.output();
                c.batch * c.out_channels * h * w
            }
        }
    }

    /// The number of biases: one a row of the product, one an output channel.
    #[must_use]
    pub fn bias_len(&self) -> usize {
        match &self.kind {
            LinearKind::MatMul(m) => m.rows,
            LinearKind::Conv(c) => c.out_channels,
        }
    }

    /// The place in the bias of output element `o`.
    #[must_use]
    pub fn bias_of(&self, o: usize) -> usize {
        match &self.kind {
            LinearKind::MatMul(m) => o / m.cols,
            LinearKind::Conv(c) => {
                let area: usize = c.output().iter().product();
                o / area % c.out_channels
            }
        }
    }

    /// The ring of the result.
    #[must_use]
    pub fn output(&self) -> Width {
        Width::new(self.input.bits() - self.shift)
    }

    /// Checks that the numbers make sense together.
    pub fn check(&self) -> Result<()> {
        if self.shift >= self.input.bits() {
            return Err(Error::usage(format!(
                "cannot truncate {} bits of a ring of {}",
                self.shift, self.input
            )));
        }
        if self.weight_bits == 0 || self.weight_bits > 62 {
            return Err(Error::usage(format!("weights of {} bits", self.weight_bits)));
        }
        if let LinearKind::Conv(c) = &self.kind {
            let whole = c.groups > 0 && c.in_channels % c.groups == 0 && c.out_channels % c.groups == 0;
            let positive = c.stride.iter().chain(&c.dilation).chain(&c.kernel).all(|&v| v > 0);
            let fits = positive
                && (0..2).all(|d| {
                    c.input[d] + c.padding[d] + c.padding[d + 2] > c.dilation[d] * (c.kernel[d] - 1)
                });
            if !whole || !fits {
                return Err(Error::usage(format!("a convolution of impossible shape: {c:?}")));
            }
        }
        Ok(())
    }

    /// Checks that weights have the shape and the bound.
    pub fn check_weights(&self, weights: &[i64]) -> Result<()> {
        if weights.len() != self.weights_len() {
            return Err(Error::usage(format!(
                "{} weights given, the shape has {}",
                weights.len(),
                self.weights_len()
            )));
        }
        if weights.iter().any(|w| w.unsigned_abs() >> self.weight_bits != 0) {
            return Err(Error::usage(format!("a weight exceeds {} bits", self.weight_bits)));
        }
        Ok(())
    }

    /// Checks that there are as many biases as the shape has.
    pub fn check_bias(&self, bias: &[i64]) -> Result<()> {
        if bias.len() != self.bias_len() {
            return Err(Error::usage(format!(
                "{} biases given, the shape has {}",
                bias.len(),
                self.bias_len()
            )));
        }
        Ok(())
    }
}
