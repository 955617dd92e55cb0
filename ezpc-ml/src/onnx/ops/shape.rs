//! Operators that give the same elements other axes, on computed tensors and on constants.

use super::super::builder::{Builder, Squash, Value};
use super::super::call::{Call, axis};
use super::super::constant::{Constant, Int};
use super::super::tensor::Tensor;
use super::{arithmetic, pool};
use crate::graph::{Op, elements};

type Out = Result<Vec<Value>, String>;

fn renamed(k: &Constant, dims: Vec<usize>) -> Value {
    Value::constant(Constant { dims, data: k.data.clone() })
}

pub(super) fn reshape(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let target = c.constant(1)?.symbolic()?.to_vec();
    let keep_zero = c.int("allowzero", 0)? == 0;
    let value = match c.value(0) {
        // A label for each sample, however it is shaped.
        Some(Value::Label(node, how)) => Value::Label(*node, *how),
        Some(Value::Constant(k)) => renamed(k, resolve(&target, &k.dims, k.len(), keep_zero)?),
        // A softmax over the classes of a vector is one whatever axes of one element are around it.
        Some(Value::Squashed(x, squash)) if over_a_vector(b, *x, squash) => {
            let (x, mut squash) = (*x, squash.clone());
            let y = computed(b, c, x, &target, keep_zero)?;
            squash.axes = 0..y.rank;
            Value::Squashed(y, squash)
        }
        _ => {
            let x = c.data(0)?;
            Value::Node(computed(b, c, x, &target, keep_zero)?)
        }
    };
    Ok(vec![value])
}

/// Whether the only axis of several elements is one along which the order is kept.
fn over_a_vector(b: &Builder<'_>, x: Tensor, squash: &Squash) -> bool {
    let sample = b.sample(x);
    let mut long = (0..x.rank).filter(|&d| x.within(d).is_some_and(|s| sample[s] > 1));
    let first = long.next();
    long.next().is_none() && first.is_none_or(|d| squash.sigmoid || squash.axes.contains(&d))
}

fn computed(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    x: Tensor,
    target: &[Int],
    keep_zero: bool,
) -> Result<Tensor, String> {
    let old = b.sample(x).to_vec();
    let total: usize = old.iter().product();
    let mixes = || format!("a reshape to {} would mix the samples", text(target));
    match x.batch {
        None => {
            let dims = resolve(target, &old, total, keep_zero)?;
            b.reshape(c.name, x, &dims, None)
        }
        Some(0) => {
            let (first, rest) = target.split_first().ok_or_else(mixes)?;
            let known: Option<usize> = rest.iter().try_fold(1, |n: usize, v| match v {
                Int::Known(v) => n.checked_mul(usize::try_from(*v).ok()?),
                Int::Batch => None,
            });
            let keeps = match first {
                Int::Batch => true,
                Int::Known(0) => keep_zero,
                Int::Known(-1) => known == Some(total),
                // A model exported for a batch of one, or for one of a size that it states.
                Int::Known(n) => *n == b.batch_size.unwrap_or(1),
            };
            if !keeps {
                return Err(mixes());
            }
            // A 0 copies from its own place among the old axes.
            let dims = resolve(rest, &old, total, keep_zero)?;
            b.reshape(c.name, x, &dims, Some(0))
        }
        Some(_) => Err("a reshape while the batch is not the first axis".into()),
    }
}

fn text(target: &[Int]) -> String {
    let all: Vec<String> = target
        .iter()
        .map(|v| match v {
            Int::Known(v) => v.to_string(),
            Int::Batch => "batch".to_owned(),
        })
        .collect();
    format!("[{}]", all.join(", "))
}

/// The shape that `target` means for `total` elements: 0 copies from `old`, -1 is what remains.
fn resolve(target: &[Int], old: &[usize], total: usize, keep_zero: bool) -> Result<Vec<usize>, String> {
    let mut dims = Vec::with_capacity(target.len());
    let mut open = None;
    for (i, v) in target.iter().enumerate() {
        match v {
            Int::Known(-1) if open.is_none() => {
                open = Some(i);
                dims.push(1);
            }
            Int::Known(0) if keep_zero => dims.push(*old.get(i).ok_or("a 0 beyond the old shape")?),
            Int::Known(v) => dims.push(usize::try_from(*v).map_err(|_| format!("a dimension of {v}"))?),
            Int::Batch => return Err("the batch is not the first dimension".into()),
        }
    }
    if let Some(open) = open {
        let rest = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).filter(|&n| n > 0);
        dims[open] = rest
            .filter(|r| total.is_multiple_of(*r))
            .map(|r| total / r)
            .ok_or_else(|| format!("cannot reshape {total} elements to {}", text(target)))?;
    }
    let product = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    if product != Some(total) {
        return Err(format!("cannot reshape {total} elements to {dims:?}"));
    }
    Ok(dims)
}

pub(super) fn flatten(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let at = c.int("axis", 1)?;
    let split = |rank: usize| {
        let end = i64::try_from(rank).map_err(|_| "too many axes")?;
        if at == end { Ok(rank) } else { axis(at, rank) }
    };
    let two = |dims: &[usize], at: usize| vec![dims[..at].iter().product(), dims[at..].iter().product()];
    match c.value(0) {
        Some(Value::Label(node, how)) => return Ok(vec![Value::Label(*node, *how)]),
        Some(Value::Constant(k)) => {
            let dims = two(&k.dims, split(k.dims.len())?);
            return Ok(vec![renamed(k, dims)]);
        }
        _ => {}
    }
    let x = c.data(0)?;
    let (at, sample) = (split(x.rank)?, b.sample(x).to_vec());
    let y = match x.batch {
        None => b.reshape(c.name, x, &two(&sample, at), None)?,
        Some(0) if at == 1 => b.reshape(c.name, x, &[sample.iter().product()], Some(0))?,
        Some(_) => return Err("only axis 1 keeps the samples apart".into()),
    };
    Ok(vec![Value::Node(y)])
}

pub(super) fn squeeze(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let given = c.list("axes", 1)?;
    let dropped = |rank: usize, ones: Vec<usize>| match &given {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>(),
        None => Ok(ones),
    };
    match c.value(0) {
        Some(Value::Label(node, how)) => return Ok(vec![Value::Label(*node, *how)]),
        Some(Value::Constant(k)) => {
            let ones = (0..k.dims.len()).filter(|&d| k.dims[d] == 1).collect();
            let drop = dropped(k.dims.len(), ones)?;
            if drop.iter().any(|&d| k.dims[d] != 1) {
                return Err(format!("an axis of more than one element in {:?}", k.dims));
            }
            let dims = (0..k.dims.len()).filter(|d| !drop.contains(d)).map(|d| k.dims[d]).collect();
            return Ok(vec![renamed(k, dims)]);
        }
        _ => {}
    }
    let x = c.data(0)?;
    if given.is_none() && x.batch.is_some() && b.batch_size.is_none_or(|n| n == 1) {
        return Err("without axes it could drop the batch".into());
    }
    let sample = b.sample(x);
    let is_one = |d: usize| x.within(d).is_some_and(|s| sample[s] == 1);
    let drop = dropped(x.rank, (0..x.rank).filter(|&d| is_one(d)).collect())?;
    if drop.iter().any(|&d| x.within(d).is_none()) {
        return Err("it would drop the batch".into());
    }
    if drop.iter().any(|&d| !is_one(d)) {
        return Err(format!("an axis of more than one element in {sample:?}"));
    }
    let axes: Vec<Option<usize>> = (0..x.rank).filter(|d| !drop.contains(d)).map(Some).collect();
    Ok(vec![Value::Node(b.rename(c.name, x, &axes)?)])
}

pub(super) fn unsqueeze(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let given = c.list("axes", 1)?.ok_or("it has no axes")?;
    let axes = |old: usize| -> Result<Vec<Option<usize>>, String> {
        let rank = old + given.len();
        let at = given.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
        let mut rest = 0..old;
        let axes: Vec<Option<usize>> =
            (0..rank).map(|d| if at.contains(&d) { None } else { rest.next() }).collect();
        if rest.next().is_some() { Err(format!("axes {given:?} twice")) } else { Ok(axes) }
    };
    match c.value(0) {
        Some(Value::Label(node, how)) => Ok(vec![Value::Label(*node, *how)]),
        Some(Value::Constant(k)) => {
            let dims = axes(k.dims.len())?.into_iter().map(|a| a.map_or(1, |a| k.dims[a])).collect();
            Ok(vec![renamed(k, dims)])
        }
        _ => {
            let x = c.data(0)?;
            let axes = axes(x.rank)?;
            Ok(vec![Value::Node(b.rename(c.name, x, &axes)?)])
        }
    }
}

pub(super) fn transpose(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let order = |rank: usize| -> Result<Vec<usize>, String> {
        let order: Vec<usize> = match c.ints("perm") {
            Some(perm) => perm.iter().map(|&a| axis(a, rank)).collect::<Result<_, _>>()?,
            None => (0..rank).rev().collect(),
        };
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if sorted.into_iter().eq(0..rank) { Ok(order) } else { Err(format!("axes {order:?} of {rank}")) }
    };
    if let Some(Value::Constant(k)) = c.value(0) {
        let order = order(k.dims.len())?;
        let dims = order.iter().map(|&a| k.dims[a]).collect();
        return Ok(vec![Value::constant(k.gather(dims, &crate::graph::float::permutation(&order, &k.dims)))]);
    }
    let x = c.data(0)?;
    let order = order(x.rank)?;
    let batch = x.batch.and_then(|at| order.iter().position(|&a| a == at));
    let within: Vec<usize> = order.iter().filter_map(|&a| x.within(a)).collect();
    let y = b.permute(c.name, x, within)?;
    Ok(vec![Value::Node(Tensor { batch, ..y })])
}

pub(super) fn expand(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let target = c.constant(1)?.symbolic()?.to_vec();
    if let Some(Value::Constant(k)) = c.value(0) {
        let dims = broadcast(&k.dims, &super::constants::sizes(&c.constant(1)?.to_ints()?)?)?;
        elements(&dims).map_err(|e| e.to_string())?;
        let raised = [&vec![1; dims.len() - k.dims.len()], k.dims.as_slice()].concat();
        let places = arithmetic::places(&raised, &dims);
        return Ok(vec![Value::constant(k.gather(dims, &places))]);
    }
    let x = c.data(0)?;
    let x = b.raise(c.name, x, target.len())?;
    let lead = x.rank - target.len();
    let mut wanted = vec![1; b.sample(x).len()];
    for (d, v) in target.iter().enumerate() {
        match (x.within(lead + d), v) {
            (None, Int::Batch | Int::Known(1)) => {}
            (None, Int::Known(n)) if Some(*n) == b.batch_size => {}
            (Some(at), Int::Known(v)) => {
                wanted[at] =
                    usize::try_from(*v).ok().filter(|&v| v > 0).ok_or("a dimension that is not positive")?;
            }
            _ => return Err("it changes the batch".into()),
        }
    }
    let shape = broadcast(b.sample(x), &wanted)?;
    Ok(vec![Value::Node(b.spread(c.name, x, &shape)?)])
}

/// The shape of two operands together.
fn broadcast(x: &[usize], y: &[usize]) -> Result<Vec<usize>, String> {
    let rank = x.len().max(y.len());
    let at = |k: &[usize], d: usize| (d + k.len()).checked_sub(rank).map_or(1, |d| k[d]);
    (0..rank)
        .map(|d| match (at(x, d), at(y, d)) {
            (a, 1) => Ok(a),
            (1, b) => Ok(b),
            (a, b) if a == b => Ok(a),
            (a, b) => Err(format!("{b} along an axis of {a}")),
        })
        .collect()
}

pub(super) fn depth_to_space(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let (s, [depth, h, w]) = block(b, c)?;
    if depth % (s * s) != 0 {
        return Err(format!("{depth} channels in blocks of {s}"));
    }
    let rest = depth / (s * s);
    let (split, order) = match c.text("mode", "DCR").as_str() {
        "DCR" => (vec![s, s, rest, h, w], vec![2, 3, 0, 4, 1]),
        "CRD" => (vec![rest, s, s, h, w], vec![0, 3, 1, 4, 2]),
        other => return Err(format!("mode {other}")),
    };
    regroup(b, c, split, order, vec![rest, h * s, w * s])
}

pub(super) fn space_to_depth(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let (s, [depth, h, w]) = block(b, c)?;
    if h % s != 0 || w % s != 0 {
        return Err(format!("{h}x{w} in blocks of {s}"));
    }
    let split = vec![depth, h / s, s, w / s, s];
    regroup(b, c, split, vec![2, 4, 0, 1, 3], vec![depth * s * s, h / s, w / s])
}

fn block(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Result<(usize, [usize; 3]), String> {
    let s = usize::try_from(c.int("blocksize", 0)?)
        .ok()
        .filter(|s| (1..1 << 12).contains(s))
        .ok_or("no blocksize")?;
    let x = c.data(0)?;
    let node = b.samples(c.name, x)?;
    match *b.shape(node) {
        [depth, h, w] => Ok((s, [depth, h, w])),
        _ => Err(format!("a sample of shape {:?}", b.shape(node))),
    }
}

fn regroup(
    b: &mut Builder<'_>,
    c: &Call<'_, '_>,
    split: Vec<usize>,
    order: Vec<usize>,
    shape: Vec<usize>,
) -> Out {
    pool::on_samples(b, c, |b, node| {
        let y = b.push(c.name, Op::Reshape(split), &[node])?;
        let y = b.push(c.name, Op::Permute(order), &[y])?;
        b.push(c.name, Op::Reshape(shape), &[y])
    })
}
