//! The windows of convolutions and poolings.

use super::mismatch;
use ezpc_core::Result;
use ezpc_core::protocol::ConvSpec;

/// A kernel that slides over height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs, reason = "the attributes of ONNX's windows in two dimensions")]
pub struct Window {
    /// Height and width.
    pub kernel: [usize; 2],
    /// Stride, vertical and horizontal.
    pub stride: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Dilation, vertical and horizontal.
    pub dilation: [usize; 2],
}

/// No attribute of a window exceeds it; keeps sums far from overflow.
const MAX_EXTENT: usize = 1 << 16;

impl Window {
    /// One element at a time.
    pub const UNIT: Self = Self::whole([1, 1]);

    /// A window over everything, without padding.
    #[must_use]
    pub const fn whole(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], padding: [0; 4], dilation: [1, 1] }
    }

    /// Output height and width.
    pub fn output(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let positive = self.kernel.iter().chain(&self.stride).chain(&self.dilation).all(|&v| v > 0);
        let all =
            self.kernel.iter().chain(&self.stride).chain(&self.dilation).chain(&self.padding).chain(&input);
        if !positive || all.into_iter().any(|&v| v > MAX_EXTENT) {
            return Err(mismatch(&format!("a window {self:?} over {input:?}")));
        }
        let mut out = [0; 2];
        for d in 0..2 {
            let padded = input[d] + self.padding[d] + self.padding[d + 2];
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            if padded < reach {
                return Err(mismatch(&format!("a window of reach {reach} over {padded} elements")));
            }
            out[d] = (padded - reach) / self.stride[d] + 1;
        }
        Ok(out)
    }

    /// The positions that window `out` covers along dimension `d` of `size` elements, padding left out.
    pub fn covered(&self, d: usize, out: usize, size: usize) -> impl Iterator<Item = usize> + use<> {
        let (start, step, pad) = (out * self.stride[d], self.dilation[d], self.padding[d]);
        (0..self.kernel[d]).map(move |k| (start + k * step).wrapping_sub(pad)).filter(move |&at| at < size)
    }

    /// Whether every window covers at least one element of the input.
    #[must_use]
    pub fn never_empty(&self, input: [usize; 2]) -> bool {
        self.output(input).is_ok_and(|out| {
            (0..2).all(|d| (0..out[d]).all(|o| self.covered(d, o, input[d]).next().is_some()))
        })
    }

    /// A convolution of `batch` samples of `[in_channels, input]` with these windows.
    #[must_use]
    pub const fn conv(
        &self,
        batch: usize,
        in_channels: usize,
        input: [usize; 2],
        out_channels: usize,
        groups: usize,
    ) -> ConvSpec {
        ConvSpec {
            batch,
            in_channels,
            input,
            out_channels,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups,
        }
    }
}
