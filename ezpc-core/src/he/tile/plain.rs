//! The oracle of the tests.

use crate::spec::ConvSpec;

/// The convolution of integers, by its definition.
pub(crate) fn plain(conv: &ConvSpec, w: &[i64], x: &[i64]) -> Vec<i64> {
    let [oh, ow] = conv.output();
    let [h, wd] = conv.input;
    let [cg, mg] = [conv.in_channels / conv.groups, conv.out_channels / conv.groups];
    let mut y = Vec::new();
    for n in 0..conv.batch {
        for m in 0..conv.out_channels {
            for i in 0..oh {
                for j in 0..ow {
                    let mut sum = 0_i64;
                    for c in 0..cg {
                        for a in 0..conv.kernel[0] {
                            for b in 0..conv.kernel[1] {
                                let row =
                                    (i * conv.stride[0] + a * conv.dilation[0]).checked_sub(conv.padding[0]);
                                let col =
                                    (j * conv.stride[1] + b * conv.dilation[1]).checked_sub(conv.padding[1]);
                                let (Some(row), Some(col)) = (row, col) else { continue };
                                if row < h && col < wd {
                                    let channel = m / mg * cg + c;
                                    sum += w[((m * cg + c) * conv.kernel[0] + a) * conv.kernel[1] + b]
                                        * x[((n * conv.in_channels + channel) * h + row) * wd + col];
                                }
                            }
                        }
                    }
                    y.push(sum);
                }
            }
        }
    }
    y
}
