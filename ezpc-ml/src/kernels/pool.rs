//! Poolings.

use super::Stage;
use crate::graph::float::window_sizes;
use crate::graph::{Decision, Window};
use crate::tensor::Tensor;
use ezpc_core::protocol::Op;
use ezpc_core::protocol::ShareVec;
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Protocol, Result};

/// The largest value of each window; differences within a window fit the signed range of the ring.
///
/// Padding never wins: a place in the padding repeats a place of the same window. Where that takes fewer comparisons the
/// maximum is taken along one dimension and then along the other, so that overlapping windows share them. The lowest `drop`
/// bits do not decide: each comparison may keep what is up to 2^(`drop` - 1) smaller.
pub fn max_pool<'k, P: Protocol + 'k>(
    window: &Window,
    drop: u32,
    x: &Tensor<P::Arith>,
) -> Result<Stage<'k, P>> {
    let (channels, size) = (x.shape()[0], [x.shape()[1], x.shape()[2]]);
    let out = window.output(size)?;
    let window = *window;
    match MaxOrder::of(&window, size, out) {
        MaxOrder::Whole => {
            let places = places(&window, channels, size, [Some(out[0]), Some(out[1])]);
            maximum(x, drop, &places, window.kernel[0] * window.kernel[1], vec![channels, out[0], out[1]])
        }
        MaxOrder::Separate { first } => {
            let second = 1 - first;
            let mut along = [None; 2];
            along[first] = Some(out[first]);
            let first_places = places(&window, channels, size, along);
            let mut between = size;
            between[first] = out[first];
            let mut along = [None; 2];
            along[second] = Some(out[second]);
            let second_places = places(&window, channels, between, along);
            let shape = vec![channels, between[0], between[1]];
            let done = vec![channels, out[0], out[1]];
            then(maximum(x, drop, &first_places, window.kernel[first], shape)?, move |between| {
                maximum(&between, drop, &second_places, window.kernel[second], done)
            })
        }
    }
}

/// In which order the comparisons of a maximum are made.
enum MaxOrder {
    /// Every window by itself.
    Whole,
    /// Along dimension `first` for all places of the other, then along that.
    Separate {
        /// 0 for height, 1 for width.
        first: usize,
    },
}

impl MaxOrder {
    /// The order with the fewest comparisons; of equal ones the one with the fewest half-rounds.
    fn of(window: &Window, size: [usize; 2], out: [usize; 2]) -> Self {
        let [h, w] = window.kernel;
        let whole = out[0] * out[1] * (h * w - 1);
        let separate = |first: usize| {
            let second = 1 - first;
            out[first]
                * ((window.kernel[first] - 1) * size[second] + (window.kernel[second] - 1) * out[second])
        };
        let first = usize::from(separate(1) <= separate(0));
        if separate(first) < whole { Self::Separate { first } } else { Self::Whole }
    }
}

/// The places that each window covers in each plane, along the dimensions with a number of windows; along the others
/// each place by itself.
fn places(window: &Window, channels: usize, size: [usize; 2], along: [Option<usize>; 2]) -> Vec<usize> {
    let groups: [Vec<Vec<usize>>; 2] = core::array::from_fn(|d| match along[d] {
        Some(out) => (0..out).map(|o| covered(window, d, o, size[d])).collect(),
        None => (0..size[d]).map(|at| vec![at]).collect(),
    });
    let mut of_one = Vec::new();
    for rows in &groups[0] {
        for cols in &groups[1] {
            for row in rows {
                of_one.extend(cols.iter().map(|col| row * size[1] + col));
            }
        }
    }
    let mut places = Vec::with_capacity(channels * of_one.len());
    (0..channels).for_each(|plane| places.extend(of_one.iter().map(|p| plane * size[0] * size[1] + p)));
    places
}

/// The places of window `out` along dimension `d`, always as many as its kernel has.
fn covered(window: &Window, d: usize, out: usize, size: usize) -> Vec<usize> {
    let covered: Vec<usize> = window.covered(d, out, size).collect();
    let first = covered.first().copied().expect("no window lies in the padding alone");
    covered.into_iter().chain(core::iter::repeat(first)).take(window.kernel[d]).collect()
}

/// The maxima of groups of places, as samples of `shape`.
fn maximum<'k, P: Protocol>(
    x: &Tensor<P::Arith>,
    drop: u32,
    places: &[usize],
    group: usize,
    shape: Vec<usize>,
) -> Result<Stage<'k, P>> {
    let (batch, picked) = (x.batch(), x.pick(&[places.len()], places)?.into_data());
    if group == 1 {
        return Ok(Stage::Done(Tensor::new(batch, &shape, picked)?));
    }
    let op = Op::Max { x: picked, drop, group };
    Ok(Stage::arith(op, move |_, y| Ok(Stage::Done(Tensor::new(batch, &shape, y)?))))
}

/// What follows the value of a stage.
fn then<'k, P: Protocol + 'k>(
    stage: Stage<'k, P>,
    next: impl FnOnce(Tensor<P::Arith>) -> Result<Stage<'k, P>> + 'k,
) -> Result<Stage<'k, P>> {
    Ok(match stage {
        Stage::Done(value) => next(value)?,
        Stage::Ask(op, rest) => Stage::Ask(op, Box::new(move |p, value| then(rest(p, value)?, next))),
    })
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

/// The mean of each window, with the factors of [`mean_factors`]; the products, and what they are rounded up to, fit
/// `ring`, and the result is in the ring that the shift leaves, as [`Protocol::round_reduce`].
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
            let part = P::Arith::gather(&padded, &places);
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
    Tensor::new(x.batch(), &shape, p.round_reduce(&scaled, shift))
}

/// The index of the largest value of each sample, the first of equal ones, in the ring of `width` bits.
pub fn argmax<P: Protocol>(p: &mut P, x: &Tensor<P::Arith>, width: Width) -> Result<P::Arith> {
    let classes: usize = x.shape().iter().product();
    largest(p, x.data(), classes, width)
}

/// The labels of each sample as its model decides them, along the last axis, in the ring of `width` bits.
pub fn decide<P: Protocol>(
    p: &mut P,
    decision: Decision,
    x: &Tensor<P::Arith>,
    width: Width,
) -> Result<P::Arith> {
    let classes = x.shape().last().copied().unwrap_or(1);
    let index = largest(p, x.data(), classes, width)?;
    Ok(match decision {
        Decision::ArgMaxLast => {
            let end = RingVec::new(width, vec![classes as u64 - 1]);
            p.add_public(&p.neg(&index), &end)
        }
        _ => index,
    })
}

fn largest<P: Protocol>(p: &mut P, x: &P::Arith, classes: usize, width: Width) -> Result<P::Arith> {
    if classes == 1 {
        return Ok(p.public(&RingVec::zeros(width, x.len())));
    }
    p.argmax(x, classes, width)
}
