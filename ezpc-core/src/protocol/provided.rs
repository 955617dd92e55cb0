//! The provided operations of [`Protocol`], built from the required ones; correct for every back end, fast in none.

use super::check::{
    can_extend, can_index, can_relu_trunc, can_trunc, index_fits, one_plane, same_len, same_shape,
    thresholds_fit, whole_groups,
};
use super::{ConvSpec, Linear, LinearKind, MatMulSpec, Operand, Protocol, ShareVec, Signedness, Trunc};
use crate::error::Result;
use crate::ring::{BitPlanes, BitVec, RingVec, Width};

pub(super) fn add_public<P: Protocol + ?Sized>(p: &P, x: &P::Arith, values: &RingVec) -> P::Arith {
    let values = if values.len() == 1 && x.len() != 1 {
        RingVec::new(values.width(), vec![values.lanes()[0]; x.len()])
    } else {
        values.clone()
    };
    p.add(x, &p.public(&values))
}

pub(super) fn not<P: Protocol + ?Sized>(p: &P, x: &P::Bool) -> P::Bool {
    let ones = BitPlanes::new(vec![BitVec::ones(x.len()); x.width().bits() as usize]);
    p.xor(x, &p.public_bool(&ones))
}

pub(super) fn or<P: Protocol + ?Sized>(p: &mut P, x: &P::Bool, y: &P::Bool) -> Result<P::Bool> {
    same_shape("or", x, y)?;
    let both = p.and(x, y)?;
    Ok(p.xor(&p.xor(x, y), &both))
}

/// The one plane of `c`, as often as the words of `like` have bits.
fn spread<P: Protocol + ?Sized>(p: &P, c: &P::Bool, like: &P::Bool) -> P::Bool {
    p.planes(c, &vec![0; like.width().bits() as usize])
}

pub(super) fn mux_bool<P: Protocol + ?Sized>(
    p: &mut P,
    c: &P::Bool,
    t: &P::Bool,
    f: &P::Bool,
) -> Result<P::Bool> {
    one_plane("choice", c)?;
    same_shape("choice", t, f)?;
    same_len("choice", c.len(), t.len())?;
    let difference = p.xor(t, f);
    let chosen = p.and(&spread(p, c, t), &difference)?;
    Ok(p.xor(f, &chosen))
}

/// Carries by a Kogge-Stone prefix: ceil(log2 k) + 1 levels of ANDs.
pub(super) fn add_bool<P: Protocol + ?Sized>(p: &mut P, x: &P::Bool, y: &P::Bool) -> Result<P::Bool> {
    same_shape("sum", x, y)?;
    let k = x.width().bits() as usize;
    let half = p.xor(x, y);
    let mut generate = p.and(x, y)?;
    let mut propagate = half.clone();
    let mut reach = 1;
    while reach < k {
        // Planes `reach..` combine with the planes `reach` below them; generate and propagate in one AND.
        let high: Vec<usize> = (reach..k).collect();
        let low: Vec<usize> = (0..k - reach).collect();
        let gates = p.planes(&propagate, &high);
        let left = B::<P>::concat(&[&gates, &gates]);
        let right = B::<P>::concat(&[&p.planes(&generate, &low), &p.planes(&propagate, &low)]);
        let both = p.and(&left, &right)?;
        let n = x.len();
        let (carry, span) = (both.slice(0..n), both.slice(n..2 * n));
        let raised = p.xor(&p.planes(&generate, &high), &carry);
        generate = raise(p, &generate, &raised, reach);
        propagate = raise(p, &propagate, &span, reach);
        reach *= 2;
    }
    if k == 1 {
        return Ok(half);
    }
    let carries: Vec<usize> = (0..k - 1).collect();
    let zero = p.public_bool(&BitPlanes::zeros(1, x.len()));
    let shifted = p.join_planes(&[&zero, &p.planes(&generate, &carries)]);
    Ok(p.xor(&half, &shifted))
}

type B<P> = <P as Protocol>::Bool;

/// `x` with its planes from `from` on replaced.
fn raise<P: Protocol + ?Sized>(p: &P, x: &P::Bool, high: &P::Bool, from: usize) -> P::Bool {
    p.join_planes(&[&p.planes(x, &(0..from).collect::<Vec<_>>()), high])
}

pub(super) fn b2a<P: Protocol + ?Sized>(p: &mut P, x: &P::Bool) -> Result<P::Arith> {
    let width = x.width();
    let bits: Vec<P::Bool> = (0..width.bits() as usize).map(|i| p.planes(x, &[i])).collect();
    let all = P::Bool::concat(&bits.iter().collect::<Vec<_>>());
    let digits = p.bit_to_arith(&all, width)?;
    let n = x.len();
    let mut sum = digits.slice(0..n);
    for i in 1..bits.len() {
        sum = p.add(&sum, &p.scale(&digits.slice(i * n..(i + 1) * n), &[1 << i]));
    }
    Ok(sum)
}

/// signed: m(z) ^ (m(x) ^ m(y)) & (m(z) ^ m(x)); unsigned the same with m(y) in the last place, for z = x - y.
pub(super) fn less_than<P: Protocol + ?Sized>(
    p: &mut P,
    x: &P::Arith,
    y: &P::Arith,
    s: Signedness,
) -> Result<P::Bool> {
    same_shape("comparison", x, y)?;
    let n = x.len();
    let z = p.sub(x, y);
    let signs = p.msb(&P::Arith::concat(&[&z, x, y]))?;
    let (mz, mx, my) = (signs.slice(0..n), signs.slice(n..2 * n), signs.slice(2 * n..3 * n));
    let other = match s {
        Signedness::Signed => &mx,
        Signedness::Unsigned => &my,
    };
    let fix = p.and(&p.xor(&mx, &my), &p.xor(&mz, other))?;
    Ok(p.xor(&mz, &fix))
}

/// No digit of the difference is set.
pub(super) fn equal<P: Protocol + ?Sized>(p: &mut P, x: &P::Arith, y: &P::Arith) -> Result<P::Bool> {
    same_shape("comparison", x, y)?;
    let digits = p.a2b(&p.sub(x, y))?;
    let mut zero = p.not(&digits);
    while zero.width().bits() > 1 {
        let k = zero.width().bits() as usize;
        let low: Vec<usize> = (0..k / 2).collect();
        let high: Vec<usize> = (k / 2..2 * (k / 2)).collect();
        let both = p.and(&p.planes(&zero, &low), &p.planes(&zero, &high))?;
        zero = if k % 2 == 1 { p.join_planes(&[&both, &p.planes(&zero, &[k - 1])]) } else { both };
    }
    Ok(zero)
}

pub(super) fn below<P: Protocol + ?Sized>(
    p: &mut P,
    x: &P::Arith,
    thresholds: &RingVec,
    s: Signedness,
) -> Result<P::Bool> {
    thresholds_fit(x.width(), thresholds)?;
    let n = x.len();
    let often = P::Arith::concat(&vec![x; thresholds.len()]);
    let limits = thresholds.lanes().iter().flat_map(|&t| core::iter::repeat_n(t, n)).collect();
    let less = p.less_than(&often, &p.public(&RingVec::new(x.width(), limits)), s)?;
    let planes: Vec<P::Bool> = (0..thresholds.len()).map(|t| less.slice(t * n..(t + 1) * n)).collect();
    Ok(p.join_planes(&planes.iter().collect::<Vec<_>>()))
}

pub(super) fn popcount<P: Protocol + ?Sized>(p: &mut P, x: &P::Bool, width: Width) -> Result<P::Arith> {
    let bits: Vec<P::Bool> = (0..x.width().bits() as usize).map(|i| p.planes(x, &[i])).collect();
    let ones = p.bit_to_arith(&P::Bool::concat(&bits.iter().collect::<Vec<_>>()), width)?;
    let n = x.len();
    Ok((1..bits.len()).fold(ones.slice(0..n), |sum, i| p.add(&sum, &ones.slice(i * n..(i + 1) * n))))
}

pub(super) fn lookup<P: Protocol + ?Sized>(p: &mut P, table: &RingVec, index: &P::Arith) -> Result<P::Arith> {
    can_index(table.len(), index.width())?;
    read(p, &p.public(table), index)
}

pub(super) fn read<P: Protocol + ?Sized>(p: &mut P, array: &P::Arith, index: &P::Arith) -> Result<P::Arith> {
    can_index(array.len(), index.width())?;
    let digits = p.a2b(index)?;
    let elements = (0..array.len()).map(|i| array.gather(&vec![i; index.len()])).collect();
    choose(p, elements, &digits)
}

/// A read of an array of `len` elements in blocks of 2^`bits`; `read` reads the elements of a range.
pub(super) fn in_blocks<P: Protocol + ?Sized>(
    p: &mut P,
    len: usize,
    bits: u32,
    index: &P::Arith,
    read: impl Fn(core::ops::Range<usize>, P::Arith) -> super::Op<P::Arith, P::Bool>,
) -> Result<P::Arith> {
    let low = p.reduce(index, Width::new(bits));
    let blocks = (0..len).step_by(1 << bits).map(|start| start..len.min(start + (1 << bits)));
    let reads: Vec<_> = blocks.map(|block| read(block, low.clone())).collect();
    let elements = p.together(&reads)?.into_iter().map(super::Val::into_arith).collect();
    let digits = p.a2b(index)?;
    let high: Vec<usize> = (bits as usize..index.width().bits() as usize).collect();
    let high = p.planes(&digits, &high);
    choose(p, elements, &high)
}

/// Of vectors, element by element the one that the word of `digits` names; zero beyond them. A level of choices a digit.
fn choose<P: Protocol + ?Sized>(p: &mut P, mut vectors: Vec<P::Arith>, digits: &P::Bool) -> Result<P::Arith> {
    let n = digits.len();
    for k in 0..digits.width().bits() as usize {
        if vectors.len() % 2 == 1 {
            vectors.push(p.public(&RingVec::zeros(vectors[0].width(), n)));
        }
        let of = |first: usize| P::Arith::concat(&vectors.iter().skip(first).step_by(2).collect::<Vec<_>>());
        let (even, odd, pairs) = (of(0), of(1), vectors.len() / 2);
        let digit = P::Bool::concat(&vec![&p.planes(digits, &[k]); pairs]);
        let chosen = p.mux(&digit, &odd, &even)?;
        vectors = (0..pairs).map(|i| chosen.slice(i * n..(i + 1) * n)).collect();
    }
    Ok(vectors.swap_remove(0))
}

pub(super) fn select<P: Protocol + ?Sized>(p: &mut P, c: &P::Bool, x: &P::Arith) -> Result<P::Arith> {
    one_plane("choice", c)?;
    same_len("choice", c.len(), x.len())?;
    let bit = p.bit_to_arith(c, x.width())?;
    p.mul(&bit, x)
}

pub(super) fn mux<P: Protocol + ?Sized>(
    p: &mut P,
    c: &P::Bool,
    t: &P::Arith,
    f: &P::Arith,
) -> Result<P::Arith> {
    same_shape("choice", t, f)?;
    let difference = p.sub(t, f);
    let chosen = p.select(c, &difference)?;
    Ok(p.add(f, &chosen))
}

pub(super) fn trunc<P: Protocol + ?Sized>(
    p: &mut P,
    x: &P::Arith,
    shift: u32,
    kind: Trunc,
) -> Result<P::Arith> {
    let width = x.width();
    if shift == 0 {
        return Ok(x.clone());
    }
    can_trunc(x, shift, kind)?;
    let digits = p.a2b(x)?;
    let top = width.bits() as usize - 1;
    let mut planes: Vec<usize> = (shift as usize..=top).collect();
    let result = if kind == Trunc::Logical {
        let zeros = p.public_bool(&BitPlanes::zeros(shift, x.len()));
        p.join_planes(&[&p.planes(&digits, &planes), &zeros])
    } else {
        planes.resize(top + 1, top);
        p.planes(&digits, &planes)
    };
    p.b2a(&result)
}

pub(super) fn extend<P: Protocol + ?Sized>(
    p: &mut P,
    x: &P::Arith,
    width: Width,
    s: Signedness,
) -> Result<P::Arith> {
    let from = x.width();
    can_extend(from, width)?;
    if width == from {
        return Ok(x.clone());
    }
    let digits = p.a2b(x)?;
    let more = width.bits() - from.bits();
    let high = match s {
        Signedness::Signed => p.planes(&digits, &vec![from.bits() as usize - 1; more as usize]),
        Signedness::Unsigned => p.public_bool(&BitPlanes::zeros(more, x.len())),
    };
    p.b2a(&p.join_planes(&[&digits, &high]))
}

pub(super) fn relu<P: Protocol + ?Sized>(p: &mut P, x: &P::Arith, width: Width) -> Result<P::Arith> {
    can_extend(x.width(), width)?;
    let wide = p.extend(x, width, Signedness::Signed)?;
    let negative = p.msb(x)?;
    p.select(&p.not(&negative), &wide)
}

pub(super) fn relu_trunc<P: Protocol + ?Sized>(
    p: &mut P,
    x: &P::Arith,
    shift: u32,
    bits: u32,
    width: Width,
) -> Result<P::Arith> {
    can_relu_trunc(shift, bits, x.width())?;
    let small = p.reduce(&p.trunc_reduce(x, shift), Width::new(bits));
    if width >= small.width() {
        return p.relu(&small, width);
    }
    let same = p.relu(&small, small.width())?;
    Ok(p.reduce(&same, width))
}

/// The positions of the left and right partners and of the odd ones out, for one level of a tournament in
/// groups of `size`.
fn pairs(groups: usize, size: usize) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let half = size / 2;
    let at = |g: usize, i: usize| g * size + i;
    let left = (0..groups).flat_map(|g| (0..half).map(move |i| at(g, 2 * i))).collect();
    let right = (0..groups).flat_map(|g| (0..half).map(move |i| at(g, 2 * i + 1))).collect();
    let odd = if size % 2 == 1 { (0..groups).map(|g| at(g, size - 1)).collect() } else { Vec::new() };
    (left, right, odd)
}

/// Winners and odd ones out, back in group order.
fn merge<V: ShareVec>(winners: &V, odd: &V, groups: usize, half: usize) -> V {
    if odd.is_empty() {
        return winners.clone();
    }
    let all = V::concat(&[winners, odd]);
    let order: Vec<usize> =
        (0..groups).flat_map(|g| (0..half).map(move |i| g * half + i).chain([groups * half + g])).collect();
    all.gather(&order)
}

/// A tournament, ceil(log2 group) levels.
pub(super) fn max<P: Protocol + ?Sized>(p: &mut P, x: &P::Arith, group: usize) -> Result<P::Arith> {
    whole_groups(x.len(), group)?;
    let groups = x.len() / group;
    let (mut best, mut size) = (x.clone(), group);
    while size > 1 {
        let (left, right, odd) = pairs(groups, size);
        let (a, b) = (best.gather(&left), best.gather(&right));
        let smaller = p.less_than_near(&a, &b)?;
        let winners = p.mux(&smaller, &b, &a)?;
        best = merge(&winners, &best.gather(&odd), groups, size / 2);
        size = size.div_ceil(2);
    }
    Ok(best)
}

/// A tournament of values with their indices. The left partner wins ties, so the first of equal ones stays.
pub(super) fn argmax<P: Protocol + ?Sized>(
    p: &mut P,
    x: &P::Arith,
    group: usize,
    width: Width,
) -> Result<P::Arith> {
    whole_groups(x.len(), group)?;
    index_fits(group, width)?;
    let groups = x.len() / group;
    let indices: Vec<u64> = (0..groups).flat_map(|_| 0..group as u64).collect();
    let mut index = p.public(&RingVec::new(width, indices));
    let (mut best, mut size) = (x.clone(), group);
    while size > 1 {
        let (left, right, odd) = pairs(groups, size);
        let (a, b) = (best.gather(&left), best.gather(&right));
        let (ia, ib) = (index.gather(&left), index.gather(&right));
        let smaller = p.less_than_near(&a, &b)?;
        let winners = p.mux(&smaller, &b, &a)?;
        let places = p.mux(&smaller, &ib, &ia)?;
        best = merge(&winners, &best.gather(&odd), groups, size / 2);
        index = merge(&places, &index.gather(&odd), groups, size / 2);
        size = size.div_ceil(2);
    }
    Ok(index)
}

/// Weights shared as they come, every product its own multiplication.
pub(super) fn linear<P: Protocol + ?Sized>(
    p: &mut P,
    layer: &Linear<P::Arith>,
    x: &P::Arith,
) -> Result<P::Arith> {
    let spec = &layer.spec;
    layer.check_input(x)?;
    let weights = shared(p, &layer.weights, spec.input, spec.weights_len())?;
    let terms = match &spec.kind {
        LinearKind::MatMul(m) => matmul_terms(m),
        LinearKind::Conv(c) => conv_terms(c),
    };
    let depth = terms.iter().map(Vec::len).max().unwrap_or(0);
    let outputs = terms.len();
    // All products in one batch, output by output; missing terms multiply element 0 by zero.
    let flat: Vec<(usize, usize)> = terms.concat();
    let w = weights.gather(&flat.iter().map(|t| t.0).collect::<Vec<_>>());
    let v = x.gather(&flat.iter().map(|t| t.1).collect::<Vec<_>>());
    let products = match &*layer.weights {
        Operand::Public(values) => {
            let by: Vec<u64> = flat.iter().map(|t| spec.input.from_signed(values[t.0])).collect();
            if by.is_empty() { v } else { p.scale(&v, &by) }
        }
        _ => p.mul(&w, &v)?,
    };
    let starts: Vec<usize> = terms
        .iter()
        .scan(0, |at, t| {
            let start = *at;
            *at += t.len();
            Some(start)
        })
        .collect();
    let mut sum = p.public(&RingVec::zeros(spec.input, outputs));
    for round in 0..depth {
        let live: Vec<usize> = (0..outputs).filter(|&o| round < terms[o].len()).collect();
        let part = products.gather(&live.iter().map(|&o| starts[o] + round).collect::<Vec<_>>());
        if live.len() == outputs {
            sum = p.add(&sum, &part);
        } else {
            let mut order: Vec<usize> = (0..outputs).collect();
            for (i, &o) in live.iter().enumerate() {
                order[o] = outputs + i;
            }
            let raised = p.add(&sum.gather(&live), &part);
            sum = P::Arith::concat(&[&sum, &raised]).gather(&order);
        }
    }
    if let Some(bias) = &layer.bias {
        let bias = shared(p, bias, spec.input, spec.bias_len())?;
        let per: Vec<usize> = (0..outputs).map(|o| spec.bias_of(o)).collect();
        sum = p.add(&sum, &bias.gather(&per));
    }
    Ok(p.round_reduce(&sum, spec.shift))
}

pub(super) fn round_reduce<P: Protocol + ?Sized>(p: &P, x: &P::Arith, shift: u32) -> P::Arith {
    if shift == 0 {
        return x.clone();
    }
    let half = RingVec::new(x.width(), vec![1 << (shift - 1)]);
    p.trunc_reduce(&p.add_public(x, &half), shift)
}

fn shared<P: Protocol + ?Sized>(
    p: &mut P,
    operand: &Operand<P::Arith>,
    width: Width,
    len: usize,
) -> Result<P::Arith> {
    match operand {
        Operand::Public(values) => Ok(p.public(&RingVec::from_signed(width, values))),
        Operand::Private { owner, values } => {
            let values = values.as_ref().map(|v| RingVec::from_signed(width, v));
            p.input(*owner, width, len, values.as_ref())
        }
        Operand::Shared(x) => Ok(x.clone()),
    }
}

/// For each output, the (weight, input) pairs whose products it sums.
fn matmul_terms(m: &MatMulSpec) -> Vec<Vec<(usize, usize)>> {
    (0..m.rows * m.cols)
        .map(|o| {
            let (row, col) = (o / m.cols, o % m.cols);
            (0..m.inner).map(|i| (row * m.inner + i, i * m.cols + col)).collect()
        })
        .collect()
}

fn conv_terms(c: &ConvSpec) -> Vec<Vec<(usize, usize)>> {
    let [oh, ow] = c.output();
    let (per_in, per_out) = (c.in_channels / c.groups, c.out_channels / c.groups);
    let mut all = Vec::with_capacity(c.batch * c.out_channels * oh * ow);
    for index in 0..c.batch * c.out_channels * oh * ow {
        let (col, row) = (index % ow, index / ow % oh);
        let (out, image) = (index / (ow * oh) % c.out_channels, index / (ow * oh * c.out_channels));
        let mut terms = Vec::new();
        for i in 0..per_in {
            let channel = out / per_out * per_in + i;
            for ky in 0..c.kernel[0] {
                for kx in 0..c.kernel[1] {
                    let y = (row * c.stride[0] + ky * c.dilation[0]).wrapping_sub(c.padding[0]);
                    let x = (col * c.stride[1] + kx * c.dilation[1]).wrapping_sub(c.padding[1]);
                    if y < c.input[0] && x < c.input[1] {
                        let weight = ((out * per_in + i) * c.kernel[0] + ky) * c.kernel[1] + kx;
                        let input = ((image * c.in_channels + channel) * c.input[0] + y) * c.input[1] + x;
                        terms.push((weight, input));
                    }
                }
            }
        }
        all.push(terms);
    }
    all
}
