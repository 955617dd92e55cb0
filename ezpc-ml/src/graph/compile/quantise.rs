//! Rounds the weights and bounds every value: the part of compilation that looks at numbers.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::{Constants, Options, Risk};
use crate::card::Origin;
use crate::fixed;
use crate::graph::ranges::{self, Span, hull};
use crate::graph::{Graph, Node, Op};
use ezpc_core::{Error, Result};

/// What is known of a node's value.
pub(super) struct Value {
    /// One span for each index along the first axis.
    pub(super) spans: Vec<Span>,
    pub(super) origin: Origin,
    /// The span of the sums before truncation, for layers that truncate, and the shift.
    pub(super) sums: Option<(Span, u32)>,
    pub(super) constants: Option<Constants>,
    pub(super) form: Form,
}

/// How the value of an affine node is computed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By a layer with weights, or not affine at all.
    Plain,
    /// By adding constants.
    Shift,
    /// By a change of sign and adding constants.
    NegateShift,
}

pub(super) struct Quantised {
    pub(super) values: Vec<Value>,
    pub(super) risks: Vec<Risk>,
    pub(super) input_range: [i64; 2],
}

pub(super) fn quantise(graph: &Graph, options: &Options) -> Result<Quantised> {
    let f = options.frac_bits;
    let input_range = options.input_range.map(|v| fixed::encode(v, f));
    let max_ring = options.max_ring.unwrap_or(f + 29).min(62);
    let mut values: Vec<Value> = Vec::with_capacity(graph.nodes.len());
    let mut risks = Vec::new();
    let mut unproved = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let mut value = {
            let inputs: Vec<&Value> = node.inputs.iter().map(|&i| &values[i]).collect();
            let shapes: Vec<&[usize]> =
                node.inputs.iter().map(|&i| graph.nodes[i].shape.as_slice()).collect();
            bound(node, &inputs, &shapes, input_range, f)?
        };
        value.origin = node.inputs.iter().map(|&i| values[i].origin).fold(value.origin, Origin::max);
        if let Some((sums, shift)) = &mut value.sums {
            let proved = ring_bits(*sums, *shift).max(hull(&value.spans).bits() + 1 + *shift);
            if proved > max_ring {
                match &options.calibration {
                    Some(seen) => {
                        let span = seen.span(index, f, options.headroom);
                        for s in &mut value.spans {
                            *s = s.meet(span);
                        }
                        let out = hull(&value.spans);
                        *sums = Span { lo: (out.lo - 2) << *shift, hi: (out.hi + 2) << *shift };
                        value.origin = Origin::Calibrated;
                        let bits = ring_bits(*sums, *shift);
                        if bits > max_ring {
                            unproved.push(format!(
                                "`{}` needs {bits} bits on the calibration samples",
                                node.name
                            ));
                        }
                        risks.push(Risk {
                            layer: node.name.clone(),
                            bits: [proved, bits],
                            headroom: options.headroom,
                        });
                    }
                    None => unproved.push(format!("`{}` may need {proved} bits", node.name)),
                }
            }
        }
        values.push(value);
    }
    if let Some(first) = unproved.first() {
        return Err(Error::usage(format!(
            "no bound within rings of {max_ring} bits for {} layer(s), first {first}: narrow the input range, lower \
             the fractional bits, or give calibration samples",
            unproved.len()
        )));
    }
    Ok(Quantised { values, risks, input_range })
}

/// The least ring of a product: |sum| <= 2^(l-1) - 3 · 2^shift.
pub(super) fn ring_bits(sums: Span, shift: u32) -> u32 {
    let most = sums.magnitude().saturating_add(3 << shift);
    // 2^(l-1) >= most
    1 + (128 - (most - 1).max(0).leading_zeros())
}

fn bound(node: &Node, inputs: &[&Value], shapes: &[&[usize]], range: [i64; 2], f: u32) -> Result<Value> {
    let rows = node.shape[0];
    let plain = |spans: Vec<Span>| Value {
        spans,
        origin: Origin::Proved,
        sums: None,
        constants: None,
        form: Form::Plain,
    };
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
            let (c, shift) = constants(&node.name, weights, bias, f)?;
            let sums = ranges::conv(x(), window, *groups, &c.weights, &c.bias);
            let spans = sums.iter().map(|s| s.shifted(shift, 1, 2)).collect();
            layered(&sums, spans, shift, c)
        }
        Op::Dense { weights, bias } => {
            let (c, shift) = constants(&node.name, weights, bias, f)?;
            let inner = c.weights.len() / c.bias.len();
            let one_row = shapes[0].len() == 1;
            let each = if one_row { x().to_vec() } else { vec![hull(x()); inner] };
            let sums = ranges::dense(&each, &c.weights, &c.bias);
            let spans: Vec<Span> = sums.iter().map(|s| s.shifted(shift, 1, 2)).collect();
            let spans = if one_row { spans } else { vec![hull(&spans); rows] };
            layered(&sums, spans, shift, c)
        }
        Op::Affine { axis, scale, shift } => affine(node, x(), *axis, scale, shift, f)?,
        Op::Relu => plain(x().iter().map(|s| Span { lo: s.lo.max(0), hi: s.hi.max(0) }).collect()),
        Op::Step => plain(vec![Span { lo: 0, hi: 1 << f }; rows]),
        Op::MaxPool(_) => plain(x().to_vec()),
        Op::AvgPool { window, counted } => {
            let (size, out) = ([shapes[0][1], shapes[0][2]], [node.shape[1], node.shape[2]]);
            let (sums, shift) = ranges::mean(x(), window, *counted, size, out);
            let spans = sums.iter().map(|s| s.shifted(shift, 1, 0)).collect();
            Value { sums: Some((hull(&sums), shift)), ..plain(spans) }
        }
        Op::Add => plain(x().iter().zip(&inputs[1].spans).map(|(a, b)| a.plus(*b)).collect()),
        Op::Sub => plain(x().iter().zip(&inputs[1].spans).map(|(a, b)| a.plus(b.negated())).collect()),
        Op::Mul => {
            let sums: Vec<Span> = x().iter().zip(&inputs[1].spans).map(|(a, b)| a.product(*b)).collect();
            let spans = sums.iter().map(|s| s.shifted(f, 1, 0)).collect();
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

fn affine(node: &Node, x: &[Span], axis: usize, scale: &[f32], shift: &[f32], f: u32) -> Result<Value> {
    let all = |v: f32| scale.iter().all(|&s| s == v);
    let at = |k: usize| if axis == 0 { x[k] } else { hull(x) };
    let spread = |spans: Vec<Span>| if axis == 0 { spans } else { vec![hull(&spans); node.shape[0]] };
    let (form, sign) = if all(1.0) { (Form::Shift, 1) } else { (Form::NegateShift, -1) };
    if all(1.0) || all(-1.0) {
        let bias = integers(&node.name, shift, f)?;
        let spans = (0..scale.len())
            .map(|k| at(k).times(sign).plus(Span { lo: i128::from(bias[k]), hi: i128::from(bias[k]) }))
            .collect();
        let constants = Some(Constants { weights: Vec::new(), bias });
        return Ok(Value { spans: spread(spans), origin: Origin::Proved, sums: None, constants, form });
    }
    let (c, cut) = constants(&node.name, scale, shift, f)?;
    let sums: Vec<Span> = (0..scale.len())
        .map(|k| {
            let b = i128::from(c.bias[k]);
            at(k).times(i128::from(c.weights[k])).plus(Span { lo: b, hi: b })
        })
        .collect();
    let spans = spread(sums.iter().map(|s| s.shifted(cut, 1, 2)).collect());
    Ok(Value {
        spans,
        origin: Origin::Proved,
        sums: Some((hull(&sums), cut)),
        constants: Some(c),
        form: Form::Plain,
    })
}

/// Weights with f fractional bits, or none when all are integers and the product is exact; biases at the scale of the
/// products. The second value is what is truncated.
fn constants(name: &str, weights: &[f32], bias: &[f32], f: u32) -> Result<(Constants, u32)> {
    let whole = weights.iter().all(|w| w.fract() == 0.0 && w.abs() <= 65536.0);
    let shift = if whole { 0 } else { f };
    Ok((
        Constants { weights: integers(name, weights, shift)?, bias: integers(name, bias, f + shift)? },
        shift,
    ))
}

fn integers(name: &str, values: &[f32], frac_bits: u32) -> Result<Vec<i64>> {
    values
        .iter()
        .map(|&v| {
            let scaled = f64::from(v) * f64::from(frac_bits).exp2();
            if scaled.is_finite() && scaled.abs() < 4e18 {
                Ok(scaled.round() as i64)
            } else {
                Err(Error::usage(format!(
                    "layer `{name}`: a constant does not fit {frac_bits} fractional bits"
                )))
            }
        })
        .collect()
}
