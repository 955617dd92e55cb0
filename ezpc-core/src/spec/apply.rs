//! What a linear layer computes, over any numbers: the definition that back ends in the clear share.

use super::{ConvSpec, LinearKind, MatMulSpec};

/// Numbers that a linear layer can be computed over.
pub trait Number: Copy + Default {
    /// `self + w · x`.
    #[must_use]
    fn add_product(self, w: Self, x: Self) -> Self;
}

impl Number for f32 {
    fn add_product(self, w: Self, x: Self) -> Self {
        self + w * x
    }
}

/// Integers modulo 2^64.
impl Number for i64 {
    fn add_product(self, w: Self, x: Self) -> Self {
        self.wrapping_add(w.wrapping_mul(x))
    }
}

/// Rows and columns of the result that one pass over the inner dimension computes: they stay in registers.
const TILE: [usize; 2] = [4, 8];
/// Elements of the operand that are unrolled at once: they stay in the second-level cache.
const BLOCK: usize = 1 << 16;

impl LinearKind {
    /// The product of the weights with `x`, both in the order their shapes say, without a bias.
    ///
    /// # Panics
    /// When a slice is not as long as its shape says.
    #[must_use]
    pub fn apply<T: Number>(&self, weights: &[T], x: &[T]) -> Vec<T> {
        match self {
            Self::MatMul(m) => {
                let MatMulSpec { rows, inner, cols } = *m;
                assert!(weights.len() == rows * inner && x.len() == inner * cols, "slices fit {m:?}");
                let mut out = vec![T::default(); rows * cols];
                multiply(weights, inner, x, cols, &mut out, cols);
                out
            }
            Self::Conv(c) => conv(c, weights, x),
        }
    }
}

fn conv<T: Number>(c: &ConvSpec, weights: &[T], x: &[T]) -> Vec<T> {
    let area: usize = c.output().iter().product();
    let (per_in, per_out) = (c.in_channels / c.groups, c.out_channels / c.groups);
    let map: usize = c.input.iter().product();
    let inner = per_in * c.kernel[0] * c.kernel[1];
    assert!(
        weights.len() == c.out_channels * inner && x.len() == c.batch * c.in_channels * map,
        "slices fit {c:?}"
    );
    let mut out = vec![T::default(); c.batch * c.out_channels * area];
    if out.is_empty() || inner == 0 {
        return out;
    }
    let block = (BLOCK / inner).clamp(TILE[1], area.max(TILE[1])) / TILE[1] * TILE[1];
    let mut patches = Vec::new();
    let parts = weights.chunks(per_out * inner).cycle();
    let maps = x.chunks(per_in * map).zip(parts).zip(out.chunks_mut(per_out * area));
    for ((maps, weights), out) in maps {
        for start in (0..area).step_by(block) {
            let end = (start + block).min(area);
            c.unroll(maps, start..end, &mut patches);
            multiply(weights, inner, &patches, end - start, &mut out[start..], area);
        }
    }
    out
}

impl ConvSpec {
    /// What each weight of a row meets at the output positions `range`, a row of `patches` a weight; zero in the padding.
    fn unroll<T: Number>(&self, maps: &[T], range: core::ops::Range<usize>, patches: &mut Vec<T>) {
        let [h, w] = self.input;
        let width = self.output()[1];
        patches.clear();
        for map in maps.chunks(h * w) {
            for ky in 0..self.kernel[0] {
                for kx in 0..self.kernel[1] {
                    let mut at = range.start;
                    while at < range.end {
                        // The part of one line of the output.
                        let (row, first) = (at / width, at % width);
                        let last = (first + range.end - at).min(width);
                        at += last - first;
                        let y = (row * self.stride[0] + ky * self.dilation[0]).wrapping_sub(self.padding[0]);
                        if y >= h {
                            patches.resize(patches.len() + last - first, T::default());
                            continue;
                        }
                        let line = &map[y * w..(y + 1) * w];
                        let x = |col: usize| {
                            (col * self.stride[1] + kx * self.dilation[1]).wrapping_sub(self.padding[1])
                        };
                        if self.stride[1] == 1 && x(first) < w && x(last - 1) < w {
                            patches.extend_from_slice(&line[x(first)..=x(last - 1)]);
                        } else {
                            let value = |col| line.get(x(col)).copied().unwrap_or_default();
                            patches.extend((first..last).map(value));
                        }
                    }
                }
            }
        }
    }
}

/// Adds the product of `weights`, rows of `inner`, with `x`, rows of `cols`, to `out`, rows of `stride`.
fn multiply<T: Number>(weights: &[T], inner: usize, x: &[T], cols: usize, out: &mut [T], stride: usize) {
    let rows = weights.len() / inner.max(1);
    let [high, wide] = TILE;
    for top in (0..rows).step_by(high) {
        let here = high.min(rows - top);
        for left in (0..cols).step_by(wide) {
            if here == high && left + wide <= cols {
                let w: [&[T]; TILE[0]] =
                    core::array::from_fn(|r| &weights[(top + r) * inner..(top + r + 1) * inner]);
                let mut sums = [[T::default(); TILE[1]]; TILE[0]];
                for (i, x) in x.chunks_exact(cols).enumerate() {
                    let x: &[T; TILE[1]] = x[left..left + wide].try_into().expect("a tile is this wide");
                    for (sums, w) in sums.iter_mut().zip(w) {
                        for (sum, &x) in sums.iter_mut().zip(x) {
                            *sum = sum.add_product(w[i], x);
                        }
                    }
                }
                for (r, sums) in sums.iter().enumerate() {
                    out[(top + r) * stride + left..][..wide].copy_from_slice(sums);
                }
            } else {
                for r in top..top + here {
                    for col in left..(left + wide).min(cols) {
                        let row = &weights[r * inner..(r + 1) * inner];
                        let terms = row.iter().zip(x[col..].iter().step_by(cols));
                        out[r * stride + col] =
                            terms.fold(T::default(), |sum, (&w, &x)| sum.add_product(w, x));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: i64) -> Vec<i64> {
        (0..n as i64).map(|i| (i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) >> 40).collect()
    }

    /// The sum over all taps of one output, as the definition has it.
    fn one(c: &ConvSpec, w: &[i64], x: &[i64], [image, o, row, col]: [usize; 4]) -> i64 {
        let (per_in, per_out) = (c.in_channels / c.groups, c.out_channels / c.groups);
        let mut sum = 0_i64;
        for i in 0..per_in {
            for ky in 0..c.kernel[0] {
                for kx in 0..c.kernel[1] {
                    let y = (row * c.stride[0] + ky * c.dilation[0]).wrapping_sub(c.padding[0]);
                    let at = (col * c.stride[1] + kx * c.dilation[1]).wrapping_sub(c.padding[1]);
                    if y < c.input[0] && at < c.input[1] {
                        let map = image * c.in_channels + o / per_out * per_in + i;
                        let weight = w[((o * per_in + i) * c.kernel[0] + ky) * c.kernel[1] + kx];
                        sum = sum
                            .wrapping_add(weight.wrapping_mul(x[(map * c.input[0] + y) * c.input[1] + at]));
                    }
                }
            }
        }
        sum
    }

    #[test]
    fn convolutions_are_those_of_the_definition() {
        for (channels, kernel, stride, padding, dilation, groups) in [
            ([3, 5], [3, 3], [1, 1], [1; 4], [1, 1], 1),
            ([4, 8], [1, 1], [1, 1], [0; 4], [1, 1], 1),
            ([4, 6], [3, 2], [2, 3], [2, 0, 1, 4], [1, 2], 2),
            ([6, 6], [5, 5], [2, 2], [2; 4], [2, 1], 6),
            ([1, 9], [7, 7], [1, 1], [6; 4], [1, 1], 1),
        ] {
            let c = ConvSpec {
                batch: 2,
                in_channels: channels[0],
                input: [9, 13],
                out_channels: channels[1],
                kernel,
                stride,
                padding,
                dilation,
                groups,
            };
            let [h, w] = c.output();
            let weights = numbers(c.out_channels * (c.in_channels / groups) * kernel[0] * kernel[1], 1);
            let x = numbers(c.batch * c.in_channels * 9 * 13, 2);
            let y = LinearKind::Conv(c).apply(&weights, &x);
            assert_eq!(y.len(), c.batch * c.out_channels * h * w);
            for (k, &y) in y.iter().enumerate() {
                let at = [k / (c.out_channels * h * w), k / (h * w) % c.out_channels, k / w % h, k % w];
                assert_eq!(y, one(&c, &weights, &x, at), "{c:?} at {at:?}");
            }
        }
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, inner, cols) in [(1, 1, 1), (5, 7, 1), (4, 3, 8), (9, 2, 17), (8, 16, 16), (3, 0, 2)] {
            let (w, x) = (numbers(rows * inner, 3), numbers(inner * cols, 4));
            let y = LinearKind::MatMul(MatMulSpec { rows, inner, cols }).apply(&w, &x);
            for (k, &y) in y.iter().enumerate() {
                let want = (0..inner).fold(0, |sum: i64, i| {
                    sum.wrapping_add(w[k / cols * inner + i].wrapping_mul(x[i * cols + k % cols]))
                });
                assert_eq!(y, want, "{rows} {inner} {cols}");
            }
        }
    }
}
