//! Poolings.

use crate::graph::Window;
use crate::graph::float::window_sizes;
use crate::tensor::Tensor;
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Protocol, Result};

/// The largest value of each window; differences within a window fit the signed range of the ring.
///
/// The maximum is taken along the rows and then down the columns, so that overlapping windows share comparisons.
/// Padding never wins: a place in the padding repeats a place of the same window.
pub fn max_pool<P: Protocol>(p: &mut P, window: &Window, x: &Tensor<P::Arith>) -> Result<Tensor<P::Arith>> {
    let (channels, size) = (x.shape()[0], [x.shape()[1], x.shape()[2]]);
    let out = window.output(size)?;
    let across: Vec<usize> = (0..channels * size[0])
        .flat_map(|row| groups(window, 1, out[1], size[1]).into_iter().map(move |at| row * size[1] + at))
        .collect();
    let kernel = window.kernel[1];
    let picked = x.pick(&[channels, size[0], out[1], kernel], &across)?;
    let rows = Tensor::new(x.batch(), &[channels, size[0], out[1]], maximum(p, picked.into_data(), kernel)?)?;
    let kernel = window.kernel[0];
    let down: Vec<usize> = (0..channels)
        .flat_map(|c| {
            let starts = groups(window, 0, out[0], size[0]);
            let per = kernel;
            (0..out[0]).flat_map(move |r| {
                let starts = starts[r * per..(r + 1) * per].to_vec();
                (0..out[1]).flat_map(move |col| {
                    starts.clone().into_iter().map(move |at| (c * size[0] + at) * out[1] + col)
                })
            })
        })
        .collect();
    let picked = rows.pick(&[channels, out[0], out[1], kernel], &down)?;
    Tensor::new(x.batch(), &[channels, out[0], out[1]], maximum(p, picked.into_data(), kernel)?)
}

fn maximum<P: Protocol>(p: &mut P, x: P::Arith, group: usize) -> Result<P::Arith> {
    if group == 1 { Ok(x) } else { p.max(&x, group) }
}

/// For each window along dimension `d` the places it covers, always as many as its kernel has.
fn groups(window: &Window, d: usize, out: usize, size: usize) -> Vec<usize> {
    (0..out)
        .flat_map(|o| {
            let covered: Vec<usize> = window.covered(d, o, size).collect();
            let first = covered.first().copied().expect("no window lies in the padding alone");
            covered.into_iter().chain(core::iter::repeat(first)).take(window.kernel[d])
        })
        .collect()
}

/// The public factors of a mean: 2^shift divided by the size of each window, and the shift.
#[must_use]
pub fn mean_factors(
    window: &Window,
    counted: [usize; 4],
    size: [usize; 2],
    out: [usize; 2],
) -> (Vec<u64>, u32) {
    let sizes = window_sizes(window, counted, size, out);
    let largest = sizes.iter().copied().max().unwrap_or(1).max(1) as u64;
    let same = sizes.iter().all(|&s| s as u64 == largest);
    if same && largest.is_power_of_two() {
        return (vec![1], largest.trailing_zeros());
    }
    // The factor has at least 12 significant bits.
    let shift = 12 + largest.next_power_of_two().trailing_zeros();
    let factor = |s: usize| ((1_u64 << shift) + s as u64 / 2) / s.max(1) as u64;
    if same { (vec![factor(sizes[0])], shift) } else { (sizes.into_iter().map(factor).collect(), shift) }
}

/// The mean of each window, with the factors of [`mean_factors`]; the products fit `ring`, and the result is in
/// the ring that the shift leaves, at most one ulp below the product's quotient.
pub fn avg_pool<P: Protocol>(
    p: &P,
    window: &Window,
    counted: [usize; 4],
    ring: Width,
    x: &Tensor<P::Arith>,
) -> Result<Tensor<P::Arith>> {
    let (channels, size) = (x.shape()[0], [x.shape()[1], x.shape()[2]]);
    let out = window.output(size)?;
    let (factors, shift) = mean_factors(window, counted, size, out);
    let shape = [channels, out[0], out[1]];
    // One element more, a zero, stands for every place in the padding.
    let padded = crate::kernels::shape::with_zero(p, &x.with(p.reduce(x.data(), ring)));
    let total: usize = x.shape().iter().product();
    let zero = x.batch() * total;
    let mut sum: Option<P::Arith> = None;
    for ky in 0..window.kernel[0] {
        for kx in 0..window.kernel[1] {
            let at = |d: usize, o: usize, k: usize| {
                let at = (o * window.stride[d] + k * window.dilation[d]).wrapping_sub(window.padding[d]);
                (at < size[d]).then_some(at)
            };
            let mut places = Vec::with_capacity(x.batch() * channels * out[0] * out[1]);
            for plane in 0..x.batch() * channels {
                for r in 0..out[0] {
                    for c in 0..out[1] {
                        let place = at(0, r, ky).zip(at(1, c, kx));
                        places.push(place.map_or(zero, |(y, x)| (plane * size[0] + y) * size[1] + x));
                    }
                }
            }
            let part = ezpc_core::protocol::ShareVec::gather(&padded, &places);
            sum = Some(match sum {
                None => part,
                Some(sum) => p.add(&sum, &part),
            });
        }
    }
    let sum = sum.expect("a kernel has at least one element");
    let scaled = match factors.as_slice() {
        [1] => sum,
        [one] => p.scale(&sum, &[*one]),
        each => {
            let all: Vec<u64> = (0..x.batch() * channels).flat_map(|_| each.iter().copied()).collect();
            p.scale(&sum, &all)
        }
    };
    let mean = if shift == 0 { scaled } else { p.trunc_reduce(&scaled, shift) };
    Tensor::new(x.batch(), &shape, mean)
}

/// The index of the largest value of each sample, the first of equal ones, in the ring of `width` bits.
pub fn argmax<P: Protocol>(p: &mut P, x: &Tensor<P::Arith>, width: Width) -> Result<P::Arith> {
    let classes: usize = x.shape().iter().product();
    if classes == 1 {
        return Ok(p.public(&RingVec::zeros(width, x.batch())));
    }
    p.argmax(x.data(), classes, width)
}
