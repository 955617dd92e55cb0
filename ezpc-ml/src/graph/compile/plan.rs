//! Chooses a ring for every value and writes the steps of the card.
//!
//! Layers with weights and means want their operand in a wide ring and leave their result in a narrow one; what
//! follows runs in the narrow ring, and the next ReLU widens on its way. What has no ReLU in between is extended, and so are
//! large results of ReLUs, which costs less traffic.

use super::quantise::{
    Form, Guard, Quantised, Value, decision_bits, difference_bits, ring_bits, window_bits,
};
use super::{Constants, Model, Options, Weights};
use crate::card::{Bound, Card, Origin, Scale, Step, StepOp, identifier};
use crate::graph::ranges::hull;
use crate::graph::{Graph, Node, Op};
use ezpc_core::ring::Width;
use ezpc_core::{Error, Result};

/// No product is computed in a narrower ring: the back ends gain nothing from it.
const MIN_RING: u32 = 20;

pub(super) fn plan(graph: &Graph, mut q: Quantised, options: &Options) -> Result<Model> {
    let constants: Vec<Option<Constants>> = q.values.iter_mut().map(|v| v.constants.take()).collect();
    let mut out = Output {
        graph,
        values: &q.values,
        wants: Wants::of(graph, &q.values),
        steps: Vec::new(),
        weights: Vec::new(),
        places: vec![Vec::new(); graph.nodes.len()],
    };
    for (i, constants) in constants.into_iter().enumerate() {
        out.emit(i, constants)?;
    }
    let output = out.place(graph.output, 0)?;
    let (steps, weights) = (out.steps, out.weights);
    let card = Card {
        name: identifier(&graph.name),
        frac_bits: options.frac_bits,
        input_range: q.input_range,
        steps,
        output,
        decision: graph.decision,
    };
    let unscaled = || vec![0; graph.nodes.len()];
    let scales = options.calibration.as_ref().map_or_else(unscaled, |seen| seen.scales.clone());
    Ok(Model { card, weights: Weights { steps: weights }, risks: q.risks, scales })
}

/// The rings that values need.
struct Wants {
    /// For its own arithmetic and that of its users, of the value that users see.
    narrow: Vec<u32>,
    /// Of what the node itself yields, before its guard.
    own: Vec<u32>,
    /// Of the widest user that would have it extended.
    wide: Vec<u32>,
}

impl Wants {
    fn of(graph: &Graph, values: &[Value]) -> Self {
        let mut narrow: Vec<u32> = values.iter().map(|v| hull(&v.spans).bits() + 1).collect();
        let (mut own, mut wide) = (narrow.clone(), vec![0; narrow.len()]);
        // The result may meet an argmax, which compares differences between all its values.
        let all = hull(&values[graph.output].spans);
        narrow[graph.output] = narrow[graph.output].max(difference_bits(all, 0));
        for (i, node) in graph.nodes.iter().enumerate().rev() {
            let value = &values[i];
            own[i] = match value.guard {
                None if widens(graph, i) => narrow[i].max(wide[i]),
                None => narrow[i],
                // A clip yields every ring that its users want.
                Some(Guard::Clip { .. }) => value.room(),
                Some(Guard::Check) => narrow[i].max(value.room()),
            };
            let through = if value.guard.is_some() { 0 } else { wide[i] };
            for &j in &node.inputs {
                let (mut small, mut large) = (0, 0);
                match &node.op {
                    Op::MaxPool(_) => small = window_bits(&values[j].spans, value.drop).max(own[i]),
                    Op::Add | Op::Sub | Op::Sign { .. } => small = own[i],
                    Op::Concat { .. } | Op::Reshape(_) | Op::Permute(_) | Op::Take { .. } => {
                        (small, large) = (own[i], through);
                    }
                    Op::Affine { .. } if value.sums.is_none() => small = own[i],
                    Op::Relu if value.guard.is_some() => small = own[i],
                    Op::Relu => small = decision_bits(hull(&values[j].spans), value.drop),
                    Op::Step | Op::Input => {}
                    Op::Conv { .. } | Op::Dense { .. } | Op::Affine { .. } | Op::AvgPool { .. } | Op::Mul => {
                        large = ring_of(value, own[i]);
                    }
                }
                narrow[j] = narrow[j].max(small);
                wide[j] = wide[j].max(large);
            }
        }
        Self { narrow, own, wide }
    }
}

/// Whether node `i` is a mean that is better taken in the wide ring that its users want than extended to it: its operand
/// comes in any ring, and the bits that each element of a window has more are fewer than an extension costs.
fn widens(graph: &Graph, i: usize) -> bool {
    /// Bits of the messages of an extension, about.
    const EXTENSION: usize = 400;
    let Op::AvgPool { window, .. } = &graph.nodes[i].op else { return false };
    let area: usize = window.kernel.iter().product();
    let shift =
        if area.is_power_of_two() { 0 } else { 12 } + area.next_power_of_two().trailing_zeros() as usize;
    2 * area * shift < EXTENSION && any_ring(graph, graph.nodes[i].inputs[0])
}

/// Whether the result of a ReLU is better extended afterwards than made in the ring of `widest` bits: an extension takes one bit of
/// messages for each bit more, a ReLU five, but it takes two half-rounds. The card does not know its link: for a fast one.
fn extends(node: &Node, from: u32, widest: u32) -> bool {
    /// Bits of messages that are worth two half-rounds, about: 20 microseconds at a gigabit a second.
    const HALF_ROUNDS: usize = 20_000;
    let elements: usize = node.shape.iter().product();
    elements * 4 * (widest.saturating_sub(from)) as usize > HALF_ROUNDS
}

/// Whether the value of a node comes in any ring for a few bits.
fn any_ring(graph: &Graph, i: usize) -> bool {
    let node = &graph.nodes[i];
    match &node.op {
        Op::Relu | Op::Step | Op::Input => true,
        Op::Concat { .. } | Op::Reshape(_) | Op::Permute(_) | Op::Take { .. } => {
            node.inputs.iter().all(|&j| any_ring(graph, j))
        }
        _ => false,
    }
}

/// The ring of the product of a layer whose result must have `narrow` bits.
fn ring_of(value: &Value, narrow: u32) -> u32 {
    let (sums, shift) = value.sums.expect("only layers that truncate have a product");
    ring_bits(sums, shift).max(narrow + shift).max(MIN_RING)
}

struct Output<'a> {
    graph: &'a Graph,
    values: &'a [Value],
    wants: Wants,
    steps: Vec<Step>,
    weights: Vec<Option<Constants>>,
    /// The steps that hold each node's value, one for each ring it is needed in.
    places: Vec<Vec<usize>>,
}

impl Output<'_> {
    fn emit(&mut self, i: usize, constants: Option<Constants>) -> Result<()> {
        let (node, value) = (&self.graph.nodes[i], &self.values[i]);
        let own = self.wants.own[i];
        // The widest ring that users want, of a node that can give it.
        let widest = if value.guard.is_some() { own } else { own.max(self.wants.wide[i]) };
        if value.guard == Some(Guard::Clip { positive: true }) {
            return self.emit_clip(i, node.inputs[0], true);
        }
        let from_operand = || hull(&self.values[node.inputs[0]].spans).bits() + 1;
        // The operation, the ring that it needs of its operands, and the ring of its result.
        let (op, need, width) = match &node.op {
            Op::Input => (StepOp::Input, 0, widest),
            Op::Conv { window, groups, bias, .. } => {
                let scale = self.scale(i, constants.as_ref())?;
                let op = StepOp::Conv { window: *window, groups: *groups, outputs: bias.len(), scale };
                (op, scale.ring.bits(), scale.output_bits())
            }
            Op::Dense { bias, .. } => {
                let scale = self.scale(i, constants.as_ref())?;
                (StepOp::Dense { outputs: bias.len(), scale }, scale.ring.bits(), scale.output_bits())
            }
            Op::Affine { axis, .. } if value.form == Form::Plain => {
                let scale = self.scale(i, constants.as_ref())?;
                (StepOp::Affine { axis: *axis, scale }, scale.ring.bits(), scale.output_bits())
            }
            Op::Affine { axis, .. } => {
                self.emit_shift(i, *axis, constants)?;
                return self.emit_guard(i);
            }
            Op::Sign { axis, .. } => (StepOp::Sign { axis: *axis }, own, own),
            Op::Relu => {
                let from = decision_bits(hull(&self.values[node.inputs[0]].spans), value.drop);
                // An operand that was clipped for another user may be narrower than what the ReLU was said to yield.
                let yields = from.max(hull(&value.spans).bits() + 1);
                if value.guard.is_none() && extends(node, yields, widest) {
                    return self.emit_extended_relu(i, [from, yields], widest);
                }
                (StepOp::Relu { from: self.width(i, from)?, drop: value.drop }, from, widest.max(from))
            }
            Op::Step => {
                let from = from_operand();
                (StepOp::Step { from: self.width(i, from)? }, from, widest)
            }
            // The pool compares differences of its operand, so it runs in the operand's ring.
            Op::MaxPool(window) => {
                let ring = window_bits(&self.values[node.inputs[0]].spans, value.drop).max(own);
                (StepOp::MaxPool { window: *window, drop: value.drop }, ring, ring)
            }
            Op::AvgPool { window, counted } => {
                let (ring, (_, shift)) = (ring_of(value, own), value.sums.expect("a mean truncates"));
                let op =
                    StepOp::AvgPool { window: *window, counted: *counted, ring: self.width(i, ring)?, shift };
                (op, ring, ring - shift)
            }
            Op::Mul => {
                let (ring, (_, shift)) = (ring_of(value, own), value.sums.expect("a product truncates"));
                (StepOp::Mul { ring: self.width(i, ring)?, shift }, ring, ring - shift)
            }
            Op::Add => (StepOp::Add, own, own),
            Op::Sub => (StepOp::Sub, own, own),
            Op::Concat { axis } => (StepOp::Concat { axis: *axis }, widest, widest),
            Op::Reshape(_) => (StepOp::Reshape, widest, widest),
            Op::Permute(order) => (StepOp::Permute(order.clone()), widest, widest),
            Op::Take { axis, indices } => {
                (StepOp::Take { axis: *axis, indices: indices.clone() }, widest, widest)
            }
        };
        let args = self.operands(i, need)?;
        self.push(i, op, args, width, constants)?;
        self.emit_guard(i)
    }

    /// What keeps the value of node `i` within its bound.
    fn emit_guard(&mut self, i: usize) -> Result<()> {
        match self.values[i].guard {
            None => Ok(()),
            Some(Guard::Clip { positive }) => self.emit_clip(i, i, positive),
            Some(Guard::Check) => {
                let args = vec![self.place(i, 0)?];
                self.places[i].clear();
                self.push(i, StepOp::Check, args, self.wants.narrow[i], None)
            }
        }
    }

    /// The value of node `of`, clipped, as the value of node `i`.
    fn emit_clip(&mut self, i: usize, of: usize, positive: bool) -> Result<()> {
        let from = self.wants.own[i];
        let args = vec![self.place(of, from)?];
        self.places[i].clear();
        let width = from.max(self.wants.narrow[i]).max(self.wants.wide[i]);
        let positive = positive || hull(&self.values[i].spans).lo >= 0;
        self.push(i, StepOp::Clip { from: self.width(i, from)?, positive }, args, width, None)
    }

    /// A ReLU from the ring of its comparison into that of its values, then in the widest ring.
    fn emit_extended_relu(&mut self, i: usize, [from, yields]: [u32; 2], widest: u32) -> Result<()> {
        let drop = self.values[i].drop;
        let op = StepOp::Relu { from: self.width(i, from)?, drop };
        let args = self.operands(i, from)?;
        self.push(i, op, args, yields, None)?;
        let narrow = vec![self.place(i, yields)?];
        self.push(i, StepOp::Extend { positive: true, drop }, narrow, widest, None)
    }

    /// A change of sign where the form says so, then the constants where there are any.
    fn emit_shift(&mut self, i: usize, axis: usize, constants: Option<Constants>) -> Result<()> {
        let (node, value) = (&self.graph.nodes[i], &self.values[i]);
        let adds = constants.as_ref().is_some_and(|c| c.bias.iter().any(|&b| b != 0));
        // Between the two steps the value has only changed its sign.
        let before = hull(&self.values[node.inputs[0]].spans).negated().bits() + 1;
        let width = self.wants.own[i].max(before);
        let mut args = self.operands(i, width)?;
        if value.form == Form::NegateShift {
            self.push(i, StepOp::Negate, args, width, None)?;
            let last = self.steps.len() - 1;
            self.steps[last].bound.bits = self.steps[last].bound.bits.max(before - 1);
            if !adds {
                return Ok(());
            }
            args = vec![last];
            self.places[i].clear();
        }
        let op = if adds { StepOp::Shift { axis } } else { StepOp::Reshape };
        self.push(i, op, args, width, constants.filter(|_| adds))
    }

    fn scale(&self, i: usize, constants: Option<&Constants>) -> Result<Scale> {
        let value = &self.values[i];
        let constants = constants.expect("a layer with weights has them");
        let most = constants.weights.iter().map(|w| w.unsigned_abs()).max().unwrap_or(0);
        let (_, shift) = value.sums.expect("a layer with weights truncates");
        let weight_bits = (64 - most.leading_zeros()).max(1);
        Ok(Scale { ring: self.width(i, ring_of(value, self.wants.own[i]))?, shift, weight_bits })
    }

    /// The operands of node `i` in rings of at least `need` bits.
    fn operands(&mut self, i: usize, need: u32) -> Result<Vec<usize>> {
        self.graph.nodes[i].inputs.iter().map(|&j| self.place(j, need)).collect()
    }

    /// Appends a step that holds the value of node `i`, or leads to it.
    fn push(
        &mut self,
        i: usize,
        op: StepOp,
        args: Vec<usize>,
        width: u32,
        constants: Option<Constants>,
    ) -> Result<()> {
        let (node, value) = (&self.graph.nodes[i], &self.values[i]);
        let guarded = matches!(op, StepOp::Clip { .. } | StepOp::Check | StepOp::Extend { .. })
            || value.guard.is_none();
        let bound = if guarded {
            Bound { bits: hull(&value.spans).bits(), origin: value.origin }
        } else {
            Bound { bits: value.raw.bits(), origin: Origin::Proved }
        };
        let width = self.width(i, width)?;
        // So that figures by layer tell them from what they extend.
        let suffix = if matches!(op, StepOp::Extend { .. }) { "/wide" } else { "" };
        self.places[i].push(self.steps.len());
        self.steps.push(Step {
            name: identifier(&format!("{}{suffix}", node.name)),
            op,
            args,
            shape: node.shape.clone(),
            width,
            bound,
        });
        self.weights.push(constants);
        Ok(())
    }

    /// A step that holds the value of node `j` in a ring of at least `bits`, extended when there is none.
    fn place(&mut self, j: usize, bits: u32) -> Result<usize> {
        let widest = *self.places[j].last().expect("operands precede their users");
        if let Some(&found) = self.places[j].iter().find(|&&s| self.steps[s].width.bits() >= bits) {
            return Ok(found);
        }
        self.push(j, StepOp::Extend { positive: false, drop: 0 }, vec![widest], bits, None)?;
        Ok(self.steps.len() - 1)
    }

    fn width(&self, i: usize, bits: u32) -> Result<Width> {
        Width::try_new(bits).map_err(|_| {
            Error::usage(format!("layer `{}` needs a ring of {bits} bits", self.graph.nodes[i].name))
        })
    }
}
