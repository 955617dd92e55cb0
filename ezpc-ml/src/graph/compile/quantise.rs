//! Rounds the weights and bounds every value: the part of compilation that looks at numbers.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod bound;

use super::weights::Fine;
use super::{Constants, Options, Risk, Unproved};
use crate::card::Origin;
use crate::fixed;
use crate::graph::ranges::{Span, hull};
use crate::graph::{Graph, Op};
use bound::bound;
use ezpc_core::{Error, Result};

/// What is known of a node's value.
pub(super) struct Value {
    /// One span for each index along the first axis, of the value that others use.
    pub(super) spans: Vec<Span>,
    pub(super) origin: Origin,
    /// What the node itself may yield from operands within their spans; for a ReLU that its clip replaces, its operand.
    pub(super) raw: Span,
    /// What makes `spans` of it.
    pub(super) guard: Option<Guard>,
    /// The span of the sums before truncation, for layers that truncate, and the shift.
    pub(super) sums: Option<(Span, u32)>,
    pub(super) constants: Option<Constants>,
    pub(super) form: Form,
    /// The lowest bits of its operand that do not decide, of a ReLU or a maximum.
    pub(super) drop: u32,
}

/// What keeps a value within a bound that is not proved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// It is clipped; `positive` when the node is a ReLU, which the clip replaces.
    Clip {
        /// Negative values become zero.
        positive: bool,
    },
    /// It is checked.
    Check,
}

impl Value {
    /// Bits of the ring in which the value can be compared with both ends of its bound.
    pub(super) fn room(&self) -> u32 {
        let bound = 1 << hull(&self.spans).bits();
        Span { lo: self.raw.lo - bound, hi: self.raw.hi + bound }.bits() + 1
    }

    /// Bits of the ring that holds what the node itself yields.
    fn ring(&self) -> u32 {
        let own = if self.guard.is_some() { self.room() } else { self.raw.bits() + 1 };
        self.sums.map_or(own, |(sums, shift)| ring_bits(sums, shift).max(own + shift))
    }

    /// Narrows the spans to `-2^bits..2^bits`.
    fn bounded(&mut self, bits: u32) {
        self.limited(Span { lo: -(1 << bits), hi: (1 << bits) - 1 });
    }

    /// Narrows the spans to `within`.
    fn limited(&mut self, within: Span) {
        for s in &mut self.spans {
            *s = s.meet(within);
        }
    }
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
    let mut state = State {
        graph,
        options,
        uses: graph.uses(),
        rectified: rectified(graph),
        values: Vec::with_capacity(graph.nodes.len()),
        risks: Vec::new(),
        unproved: Vec::new(),
    };
    for index in 0..graph.nodes.len() {
        state.node(index, input_range)?;
    }
    // Clips on the way have narrowed values that others had used before.
    for index in 0..graph.nodes.len() {
        state.values[index].drop = state.left_out(index);
    }
    if let Some(first) = state.unproved.first() {
        return Err(Error::usage(format!(
            "no bound that fits for {} layer(s), first {first}: narrow the input range, lower the fractional bits, or give \
             calibration samples",
            state.unproved.len()
        )));
    }
    Ok(Quantised { values: state.values, risks: state.risks, input_range })
}

fn rectified(graph: &Graph) -> Vec<bool> {
    let mut rectified = vec![true; graph.nodes.len()];
    rectified[graph.output] = false;
    for node in graph.nodes.iter().filter(|n| !matches!(n.op, Op::Relu)) {
        node.inputs.iter().for_each(|&i| rectified[i] = false);
    }
    rectified
}

/// Values so far.
struct State<'g> {
    graph: &'g Graph,
    options: &'g Options,
    uses: Vec<usize>,
    /// Whether nothing but ReLUs uses a node.
    rectified: Vec<bool>,
    values: Vec<Value>,
    risks: Vec<Risk>,
    /// Layers without a bound that fits.
    unproved: Vec<String>,
}

impl State<'_> {
    fn node(&mut self, index: usize, input_range: [i64; 2]) -> Result<()> {
        let node = &self.graph.nodes[index];
        let (mut value, mut limit) = self.bound(index, input_range)?;
        let clips = self.options.unproved == Unproved::Clip && self.options.calibration.is_some();
        if clips && value.ring() > limit {
            for &j in &node.inputs {
                self.clip(j);
            }
            (value, limit) = self.bound(index, input_range)?;
        }
        if !clips {
            self.calibrate(index, &mut value, limit);
        }
        let ring = value.ring();
        if ring > limit {
            let from = match (&self.options.calibration, value.guard) {
                (_, Some(Guard::Check)) => ", for its bound to be checked",
                (Some(_), _) => " on the calibration samples",
                _ => "",
            };
            self.unproved.push(format!(
                "`{}`, which may need a ring of {ring} bits{from}, more than {limit}",
                node.name
            ));
        }
        self.values.push(value);
        Ok(())
    }

    /// What is known of a node's value from its operands, and the widest ring of its product.
    fn bound(&self, index: usize, input_range: [i64; 2]) -> Result<(Value, u32)> {
        let node = &self.graph.nodes[index];
        let inputs: Vec<&Value> = node.inputs.iter().map(|&i| &self.values[i]).collect();
        let shapes: Vec<&[usize]> =
            node.inputs.iter().map(|&i| self.graph.nodes[i].shape.as_slice()).collect();
        let mut value = bound(node, &inputs, &shapes, input_range, self.fine(index))?;
        if matches!(node.op, Op::Relu) {
            // Small values may pass or become zero, whatever their sign.
            let missed = self.missed(node.inputs[0]);
            let close = value.spans.iter_mut().zip(&inputs[0].spans).filter(|(_, x)| x.lo < missed);
            close.for_each(|(v, x)| v.lo = x.lo.clamp(-missed, 0));
            value.raw = hull(&value.spans);
        }
        if let (true, Form::Shift, Some(c)) = (self.rectified[index], value.form, &mut value.constants) {
            let Op::Affine { axis, .. } = node.op else { unreachable!("a form of affine nodes") };
            let before = |k: usize| if axis == 0 { inputs[0].spans[k] } else { hull(&inputs[0].spans) };
            // What is never above zero may as well be at most zero, or what no ReLU takes for more.
            let below = match self.missed(index) {
                0 => 0,
                missed => missed + 1,
            };
            let least = |k: usize| i64::try_from(-before(k).hi - below).unwrap_or(i64::MIN);
            c.bias = c.bias.iter().enumerate().map(|(k, &b)| b.max(least(k))).collect();
            let after = |k: usize| before(k).plus(Span { lo: c.bias[k].into(), hi: c.bias[k].into() });
            let spans: Vec<Span> = (0..c.bias.len()).map(after).collect();
            value.spans = if axis == 0 { spans } else { vec![hull(&spans); node.shape[0]] };
            value.raw = hull(&value.spans);
        }
        // What follows from a bound that is enforced is proved.
        let enforced = |o: Origin| if o == Origin::Calibrated { o } else { Origin::Proved };
        value.origin = inputs.iter().map(|v| enforced(v.origin)).fold(value.origin, Origin::max);
        let shift = value.sums.map_or(0, |(_, shift)| shift);
        let weights = matches!(node.op, Op::Conv { .. } | Op::Dense { .. } | Op::Affine { .. });
        // A clip compares in one bit more than its operand has.
        let spare = u32::from(self.options.unproved == Unproved::Clip);
        let cut = if shift == 0 { self.options.frac_bits } else { shift };
        let widest = if weights { cut + 29 - spare } else { MAX_RING };
        Ok((value, self.options.max_ring.filter(|_| weights).unwrap_or(widest).min(MAX_RING)))
    }

    /// The power of two that values of a node are scaled by.
    fn scale(&self, index: usize) -> i32 {
        self.options.calibration.as_ref().map_or(0, |seen| seen.scale(index))
    }

    /// The bits up to which a bound that is proved is kept.
    fn proof(&self, index: usize) -> u32 {
        (self.options.frac_bits + self.options.proof_bits).saturating_add_signed(self.scale(index))
    }

    /// What decides how fine the weights of a node are.
    fn fine(&self, index: usize) -> Fine {
        let bits = self.options.frac_bits;
        let operand = self.graph.nodes[index].inputs.first().copied().unwrap_or(index);
        let calibrated = self.options.calibration.as_ref().map(|seen| {
            let result = match self.options.unproved {
                // A bound that is proved may be kept up to the second.
                Unproved::Report => {
                    seen.bits(index, bits, self.options.headroom).max(self.proof(index).min(28))
                }
                // The widest result that is not exact: a clip or a check comes behind it.
                Unproved::Clip | Unproved::Check => 28,
            };
            (seen.gain(operand, index), result)
        });
        Fine { bits, up: self.scale(index) - self.scale(operand), calibrated }
    }

    /// By how much a decision about the values of a node may miss: in front of a single number not at all, for the reason
    /// that no value there is coarser (`scale`).
    fn missed(&self, index: usize) -> i128 {
        /// More than any value has.
        const MOST: i128 = 1 << 62;
        match &self.options.calibration {
            Some(seen) if !self.graph.single_number() => {
                let unit = f64::from(self.options.frac_bits).exp2();
                ((seen.usual(index) * unit * self.options.slack) as i128).min(MOST)
            }
            _ => 0,
        }
    }

    /// The bits that do not decide at a ReLU or a maximum: what makes the comparison shortest, the fewest of these.
    fn left_out(&self, index: usize) -> u32 {
        let node = &self.graph.nodes[index];
        let maximum = matches!(node.op, Op::MaxPool(_));
        if !maximum && !matches!(node.op, Op::Relu) {
            return 0;
        }
        let operand = node.inputs[0];
        let spans = &self.values[operand].spans;
        let ring = |drop| if maximum { window_bits(spans, drop) } else { decision_bits(hull(spans), drop) };
        // A sign and more than one other bit are left.
        let most = hull(spans).bits().saturating_sub(2);
        // A decision misses half of what it leaves out.
        let fits = |drop: &u32| 1 << drop >> 1 <= self.missed(operand);
        (0..=most).filter(fits).min_by_key(|&drop| ring(drop) - drop).unwrap_or(0)
    }

    /// Takes the bound of calibration where it is smaller and wanted.
    fn calibrate(&mut self, index: usize, value: &mut Value, limit: u32) {
        let (node, options) = (&self.graph.nodes[index], self.options);
        let Some(seen) = &options.calibration else { return };
        let (own, bits) = (value.raw.bits(), seen.bits(index, options.frac_bits, options.headroom));
        let (proof, missed) = (self.proof(index), self.missed(index));
        let taken = match (&node.op, value.sums) {
            // What is exact stays proved, as long as that fits.
            (_, Some((_, 0))) => value.ring() > limit,
            // A mean is not larger than its operand.
            (Op::AvgPool { .. }, _) => false,
            (_, Some((_, shift))) => value.ring() > (proof + shift).min(limit),
            // Sums of what is bounded by calibration are, too.
            (Op::Affine { .. } | Op::Add | Op::Sub, None) => {
                let risky = node.inputs.iter().any(|&j| self.values[j].origin >= Origin::Checked);
                risky && value.ring() > proof.min(limit)
            }
            _ => false,
        };
        if !taken || bits >= own {
            return;
        }
        value.bounded(bits);
        value.origin = match options.unproved {
            Unproved::Check => {
                value.guard = Some(Guard::Check);
                Origin::Checked
            }
            _ => {
                // Comparisons that leave bits out want a little less than the ring has on either side.
                let Span { lo, hi } = seen.span(index, options.frac_bits, options.headroom);
                value.limited(Span { lo, hi: hi.max((1 << bits) - 1 - missed) });
                // Nothing beyond the bound is expected, so no ring has room for it.
                value.raw = hull(&value.spans);
                if let Some((sums, shift)) = &mut value.sums {
                    *sums = Span { lo: (value.raw.lo - 2) << *shift, hi: (value.raw.hi + 2) << *shift };
                }
                Origin::Calibrated
            }
        };
        self.risk(index, [own, bits]);
    }

    /// Clips the value of a node to the bound of calibration, where that is smaller.
    fn clip(&mut self, mut index: usize) {
        let Some(seen) = &self.options.calibration else { return };
        // In front of a change of shape, perhaps at a ReLU, which then is part of the clip.
        while matches!(self.graph.nodes[index].op, Op::Reshape(_) | Op::Permute(_)) && self.uses[index] == 1 {
            let below = self.graph.nodes[index].inputs[0];
            let bits = seen.bits(index, self.options.frac_bits, self.options.headroom);
            self.values[index].bounded(bits);
            self.values[index].raw = hull(&self.values[index].spans);
            index = below;
        }
        let bits = seen.bits(index, self.options.frac_bits, self.options.headroom);
        let value = &mut self.values[index];
        let own = hull(&value.spans).bits();
        if bits < own {
            let positive = matches!(self.graph.nodes[index].op, Op::Relu);
            value.guard = Some(Guard::Clip { positive });
            value.bounded(bits);
            value.origin = Origin::Clipped;
            if positive {
                let operand = self.graph.nodes[index].inputs[0];
                self.values[index].raw = hull(&self.values[operand].spans);
            }
            self.risk(index, [own, bits]);
        }
    }

    fn risk(&mut self, index: usize, bits: [u32; 2]) {
        self.risks.push(Risk {
            layer: self.graph.nodes[index].name.clone(),
            bits,
            headroom: self.options.headroom,
            kept: self.options.unproved,
        });
    }
}

/// Sums in the clear are computed in 64 bits.
const MAX_RING: u32 = 62;

/// Bits of the ring in which the values of a window can be compared without the lowest `drop` bits, one span a channel.
pub(super) fn window_bits(spans: &[Span], drop: u32) -> u32 {
    spans.iter().map(|&s| difference_bits(s, drop)).max().unwrap_or(0)
}

/// The same for any two values within a span.
pub(super) fn difference_bits(s: Span, drop: u32) -> u32 {
    // A maximum rounds by half of what it leaves out.
    let most = s.hi - s.lo + (1 << drop >> 1);
    Span { lo: -most, hi: most }.bits() + 1
}

/// Bits of the ring in which the signs of values are found without the lowest `drop` bits.
pub(super) fn decision_bits(s: Span, drop: u32) -> u32 {
    let half = 1 << drop >> 1;
    Span { lo: s.lo - half, hi: s.hi + half }.bits() + 1
}

/// The least ring of a product: |sum| <= 2^(l-1) - 3 · 2^shift.
pub(super) fn ring_bits(sums: Span, shift: u32) -> u32 {
    let most = sums.magnitude().saturating_add(3 << shift);
    // 2^(l-1) >= most
    1 + (128 - (most - 1).max(0).leading_zeros())
}
