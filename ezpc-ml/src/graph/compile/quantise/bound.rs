//! What bounds the value of a node: its operands, and its weights once these are rounded.

use super::{Form, Value};
use crate::card::Origin;
use crate::graph::compile::Constants;
use crate::graph::compile::weights::{Fine, constants, integers};
use crate::graph::ranges::{self, Span, hull};
use crate::graph::{Node, Op};
use ezpc_core::Result;
use ezpc_core::secret::Values;

/// The value of a node from those of its operands.
pub(super) fn bound(
    node: &Node,
    inputs: &[&Value],
    shapes: &[&[usize]],
    range: [i64; 2],
    fine: Fine,
) -> Result<Value> {
    let (rows, f) = (node.shape[0], fine.bits);
    let x = || inputs[0].spans.as_slice();
    let layered = |sums: &[Span], spans: Vec<Span>, shift: u32, constants: Constants| Value {
        sums: Some((hull(sums), shift)),
        constants: Some(constants),
        ..plain(spans)
    };
    Ok(match &node.op {
        Op::Input => {
            let [lo, hi] = range.map(i128::from);
            plain(vec![Span { lo, hi }; rows])
        }
        Op::Conv { window, groups, weights, bias } => {
            let (c, shift) = constants(&node.name, weights, bias, fine)?;
            let sums = ranges::conv(x(), window, *groups, &c.weights, &c.bias);
            let spans = sums.iter().map(|s| s.rounded(shift)).collect();
            layered(&sums, spans, shift, c)
        }
        Op::Dense { weights, bias } => {
            let (c, shift) = constants(&node.name, weights, bias, fine)?;
            let inner = c.weights.len() / c.bias.len();
            let one_row = shapes[0].len() == 1;
            let each = if one_row { x().to_vec() } else { vec![hull(x()); inner] };
            let sums = ranges::dense(&each, &c.weights, &c.bias);
            let spans: Vec<Span> = sums.iter().map(|s| s.rounded(shift)).collect();
            let spans = if one_row { spans } else { vec![hull(&spans); rows] };
            layered(&sums, spans, shift, c)
        }
        Op::Affine { axis, scale, shift } => affine(node, x(), *axis, scale, shift, fine)?,
        Op::Sign { axis, negative } => {
            let at = |k: usize| if *axis == 0 { x()[k] } else { hull(x()) };
            let signed = negative.iter().enumerate().map(|(k, &n)| if n { at(k).negated() } else { at(k) });
            let spans: Vec<Span> = signed.collect();
            let signs = negative.iter().map(|&n| if n { -1 } else { 1 }).collect();
            Value {
                constants: Some(Constants { weights: signs, bias: Values::default() }),
                ..plain(if *axis == 0 { spans } else { vec![hull(&spans); rows] })
            }
        }
        Op::Relu => plain(x().iter().map(|s| Span { lo: s.lo.max(0), hi: s.hi.max(0) }).collect()),
        Op::Step => plain(vec![Span { lo: 0, hi: 1 << f }; rows]),
        Op::MaxPool(_) => plain(x().to_vec()),
        Op::AvgPool { window, counted } => {
            let (size, out) = ([shapes[0][1], shapes[0][2]], [node.shape[1], node.shape[2]]);
            let (sums, shift) = ranges::mean(x(), window, *counted, size, out);
            let spans = sums.iter().map(|s| s.divided(shift)).collect();
            Value { sums: Some((hull(&sums), shift)), ..plain(spans) }
        }
        Op::Add => plain(x().iter().zip(&inputs[1].spans).map(|(a, b)| a.plus(*b)).collect()),
        Op::Sub => plain(x().iter().zip(&inputs[1].spans).map(|(a, b)| a.plus(b.negated())).collect()),
        Op::Mul => {
            let sums: Vec<Span> = x().iter().zip(&inputs[1].spans).map(|(a, b)| a.product(*b)).collect();
            let spans = sums.iter().map(|s| s.divided(f)).collect();
            Value { sums: Some((hull(&sums), f)), ..plain(spans) }
        }
        Op::Concat { axis: 0 } => plain(inputs.iter().flat_map(|v| v.spans.iter().copied()).collect()),
        Op::Concat { .. } => plain(
            (0..rows)
                .map(|i| inputs.iter().map(|v| v.spans[i]).reduce(Span::hull).unwrap_or(Span::ZERO))
                .collect(),
        ),
        Op::Reshape(_) => {
            let old = shapes[0][0];
            // Rows that split into whole new rows keep their spans.
            let spans = if rows.is_multiple_of(old) {
                x().iter().flat_map(|&s| core::iter::repeat_n(s, rows / old)).collect()
            } else {
                vec![hull(x()); rows]
            };
            plain(spans)
        }
        Op::Permute(order) => plain(if order[0] == 0 { x().to_vec() } else { vec![hull(x()); rows] }),
        Op::Take { axis: 0, indices } => {
            plain(indices.iter().map(|i| i.map_or(Span::ZERO, |i| x()[i])).collect())
        }
        Op::Take { indices, .. } => {
            let zero = indices.contains(&None);
            plain(x().iter().map(|&s| if zero { s.hull(Span::ZERO) } else { s }).collect())
        }
    })
}

/// A value that nothing but its operands bounds.
fn plain(spans: Vec<Span>) -> Value {
    Value {
        raw: hull(&spans),
        spans,
        origin: Origin::Proved,
        guard: None,
        sums: None,
        constants: None,
        form: Form::Plain,
        drop: 0,
    }
}

fn affine(node: &Node, x: &[Span], axis: usize, scale: &[f32], shift: &[f32], fine: Fine) -> Result<Value> {
    let all = |v: f32| scale.iter().all(|&s| s == v);
    let at = |k: usize| if axis == 0 { x[k] } else { hull(x) };
    let spread = |spans: Vec<Span>| if axis == 0 { spans } else { vec![hull(&spans); node.shape[0]] };
    let (form, sign) = if all(1.0) { (Form::Shift, 1) } else { (Form::NegateShift, -1) };
    if all(1.0) || all(-1.0) {
        let bias = integers(&node.name, shift, fine.bits)?;
        let spans = (0..scale.len())
            .map(|k| at(k).times(sign).plus(Span { lo: i128::from(bias[k]), hi: i128::from(bias[k]) }))
            .collect();
        let constants = Some(Constants { weights: Values::default(), bias });
        return Ok(Value { constants, form, ..plain(spread(spans)) });
    }
    let (c, cut) = constants(&node.name, scale, shift, fine)?;
    let sums: Vec<Span> = (0..scale.len())
        .map(|k| {
            let b = i128::from(c.bias[k]);
            at(k).times(i128::from(c.weights[k])).plus(Span { lo: b, hi: b })
        })
        .collect();
    let spans = spread(sums.iter().map(|s| s.rounded(cut)).collect());
    Ok(Value { sums: Some((hull(&sums), cut)), constants: Some(c), ..plain(spans) })
}
