//! Chooses a ring for every value and writes the steps of the card.
//!
//! Layers with weights and means want their operand in a wide ring and leave their result in a narrow one; what
//! follows runs in the narrow ring, and the next ReLU widens on its way. What has no ReLU in between is extended.

use super::quantise::{Form, Quantised, Value, ring_bits};
use super::{Constants, Model, Options, Weights};
use crate::card::{Bound, Card, Scale, Step, StepOp, identifier};
use crate::graph::ranges::{Span, hull};
use crate::graph::{Graph, Op};
use ezpc_core::ring::Width;
use ezpc_core::{Error, Result};

/// No product is computed in a narrower ring: the back ends gain nothing from it.
const MIN_RING: u32 = 20;

pub(super) fn plan(graph: &Graph, mut q: Quantised, options: &Options) -> Result<Model> {
    let wants = Wants::of(graph, &q.values);
    let mut out =
        Output { graph, steps: Vec::new(), weights: Vec::new(), places: vec![Vec::new(); graph.nodes.len()] };
    for i in 0..graph.nodes.len() {
        let constants = q.values[i].constants.take();
        out.emit(i, &q.values[i], constants, &wants, &q.values)?;
    }
    let output = out.place(graph.output, 0, &q.values)?;
    let card = Card {
        name: identifier(&graph.name),
        frac_bits: options.frac_bits,
        input_range: q.input_range,
        steps: out.steps,
        output,
        decision: graph.decision,
    };
    Ok(Model { card, weights: Weights { steps: out.weights }, risks: q.risks })
}

/// The bits that the users of each node need: in the narrow sense of its own arithmetic, and widened.
struct Wants {
    narrow: Vec<u32>,
    wide: Vec<u32>,
}

impl Wants {
    fn of(graph: &Graph, values: &[Value]) -> Self {
        let mut narrow: Vec<u32> = values.iter().map(|v| hull(&v.spans).bits() + 1).collect();
        let mut wide = vec![0; narrow.len()];
        // The result may meet an argmax, which compares differences between all its values.
        let all = hull(&values[graph.output].spans);
        narrow[graph.output] = narrow[graph.output].max(difference_bits(all));
        for (i, node) in graph.nodes.iter().enumerate().rev() {
            for &j in &node.inputs {
                let (mut small, mut large) = (0, 0);
                match &node.op {
                    Op::MaxPool(_) => {
                        let within = values[j].spans.iter().map(|&s| difference_bits(s)).max().unwrap_or(0);
                        small = within.max(narrow[i]);
                    }
                    Op::Add | Op::Sub => small = narrow[i],
                    Op::Concat { .. } | Op::Reshape(_) | Op::Permute(_) | Op::Take { .. } => {
                        (small, large) = (narrow[i], wide[i]);
                    }
                    Op::Affine { .. } if values[i].sums.is_none() => small = narrow[i],
                    Op::Relu | Op::Step | Op::Input => {}
                    Op::Conv { .. } | Op::Dense { .. } | Op::Affine { .. } | Op::AvgPool { .. } | Op::Mul => {
                        large = ring_of(&values[i], narrow[i]);
                    }
                }
                narrow[j] = narrow[j].max(small);
                wide[j] = wide[j].max(large);
            }
        }
        Self { narrow, wide }
    }
}

fn difference_bits(s: Span) -> u32 {
    let most = s.hi - s.lo;
    Span { lo: -most, hi: most }.bits() + 1
}

/// The ring of the product of a layer whose result must have `narrow` bits.
fn ring_of(value: &Value, narrow: u32) -> u32 {
    let (sums, shift) = value.sums.expect("only layers that truncate have a product");
    ring_bits(sums, shift).max(narrow + shift).max(MIN_RING)
}

struct Output<'a> {
    graph: &'a Graph,
    steps: Vec<Step>,
    weights: Vec<Option<Constants>>,
    /// The steps that hold each node's value, one for each ring it is needed in.
    places: Vec<Vec<usize>>,
}

impl Output<'_> {
    fn emit(
        &mut self,
        i: usize,
        value: &Value,
        constants: Option<Constants>,
        wants: &Wants,
        values: &[Value],
    ) -> Result<()> {
        let node = &self.graph.nodes[i];
        let (narrow, widest) = (wants.narrow[i], wants.narrow[i].max(wants.wide[i]));
        let scale = |constants: &Constants| -> Result<Scale> {
            let most = constants.weights.iter().map(|w| w.unsigned_abs()).max().unwrap_or(0);
            let (_, shift) = value.sums.expect("a layer with weights truncates");
            let weight_bits = (64 - most.leading_zeros()).max(1);
            Ok(Scale { ring: self.width(i, ring_of(value, narrow))?, shift, weight_bits })
        };
        let (op, need, width) = match &node.op {
            Op::Input => (StepOp::Input, 0, widest),
            Op::Conv { window, groups, bias, .. } => {
                let scale = scale(constants.as_ref().expect("a convolution has weights"))?;
                let op = StepOp::Conv { window: *window, groups: *groups, outputs: bias.len(), scale };
                (op, scale.ring.bits(), scale.ring.bits() - scale.shift)
            }
            Op::Dense { bias, .. } => {
                let scale = scale(constants.as_ref().expect("a matrix product has weights"))?;
                (
                    StepOp::Dense { outputs: bias.len(), scale },
                    scale.ring.bits(),
                    scale.ring.bits() - scale.shift,
                )
            }
            Op::Affine { axis, .. } if value.form == Form::Plain => {
                let scale = scale(constants.as_ref().expect("an affine layer has factors"))?;
                (StepOp::Affine { axis: *axis, scale }, scale.ring.bits(), scale.ring.bits() - scale.shift)
            }
            Op::Affine { axis, .. } => return self.emit_shift(i, *axis, value, constants, narrow, values),
            Op::Relu => {
                let from = hull(&values[node.inputs[0]].spans).bits() + 1;
                (StepOp::Relu { from: self.width(i, from)? }, from, widest.max(from))
            }
            Op::Step => {
                let from = hull(&values[node.inputs[0]].spans).bits() + 1;
                (StepOp::Step { from: self.width(i, from)? }, from, widest)
            }
            Op::MaxPool(window) => {
                (StepOp::MaxPool(*window), narrow.max(wants.narrow[node.inputs[0]].min(narrow)), narrow)
            }
            Op::AvgPool { window, counted } => {
                let (ring, (_, shift)) = (ring_of(value, narrow), value.sums.expect("a mean truncates"));
                let op =
                    StepOp::AvgPool { window: *window, counted: *counted, ring: self.width(i, ring)?, shift };
                (op, ring, ring - shift)
            }
            Op::Mul => {
                let (ring, (_, shift)) = (ring_of(value, narrow), value.sums.expect("a product truncates"));
                (StepOp::Mul { ring: self.width(i, ring)?, shift }, ring, ring - shift)
            }
            Op::Add => (StepOp::Add, narrow, narrow),
            Op::Sub => (StepOp::Sub, narrow, narrow),
            Op::Concat { axis } => (StepOp::Concat { axis: *axis }, widest, widest),
            Op::Reshape(_) => (StepOp::Reshape, widest, widest),
            Op::Permute(order) => (StepOp::Permute(order.clone()), widest, widest),
            Op::Take { axis, indices } => {
                (StepOp::Take { axis: *axis, indices: indices.clone() }, widest, widest)
            }
        };
        let (need, width) = match &node.op {
            // The pool compares differences of its operand, so it runs in the operand's ring.
            Op::MaxPool(_) => {
                let within =
                    values[node.inputs[0]].spans.iter().map(|&s| difference_bits(s)).max().unwrap_or(0);
                (within.max(narrow), within.max(narrow))
            }
            _ => (need, width),
        };
        self.push(i, op, need, width, value, constants, values)
    }

    /// A change of sign where the form says so, then the constants where there are any.
    fn emit_shift(
        &mut self,
        i: usize,
        axis: usize,
        value: &Value,
        constants: Option<Constants>,
        narrow: u32,
        values: &[Value],
    ) -> Result<()> {
        let node = &self.graph.nodes[i];
        let adds = constants.as_ref().is_some_and(|c| c.bias.iter().any(|&b| b != 0));
        // Between the two steps the value has only changed its sign.
        let before = hull(&values[node.inputs[0]].spans).negated().bits() + 1;
        let width = narrow.max(before);
        if value.form == Form::NegateShift {
            self.push(i, StepOp::Negate, width, width, value, None, values)?;
            let last = self.steps.len() - 1;
            self.steps[last].bound.bits = self.steps[last].bound.bits.max(before - 1);
            if !adds {
                return Ok(());
            }
            let args = vec![last];
            self.places[i].clear();
            return self.push_step(i, StepOp::Shift { axis }, args, width, value, constants);
        }
        let op = if adds { StepOp::Shift { axis } } else { StepOp::Reshape };
        self.push(i, op, width, width, value, constants.filter(|_| adds), values)
    }

    #[allow(clippy::too_many_arguments, reason = "a step and where it comes from")]
    fn push(
        &mut self,
        i: usize,
        op: StepOp,
        need: u32,
        width: u32,
        value: &Value,
        constants: Option<Constants>,
        values: &[Value],
    ) -> Result<()> {
        let inputs = self.graph.nodes[i].inputs.clone();
        let args = inputs.into_iter().map(|j| self.place(j, need, values)).collect::<Result<Vec<_>>>()?;
        self.push_step(i, op, args, width, value, constants)
    }

    fn push_step(
        &mut self,
        i: usize,
        op: StepOp,
        args: Vec<usize>,
        width: u32,
        value: &Value,
        constants: Option<Constants>,
    ) -> Result<()> {
        let node = &self.graph.nodes[i];
        let bound = Bound { bits: hull(&value.spans).bits(), origin: value.origin };
        let width = self.width(i, width)?;
        self.places[i].push(self.steps.len());
        self.steps.push(Step {
            name: identifier(&node.name),
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
    fn place(&mut self, j: usize, bits: u32, values: &[Value]) -> Result<usize> {
        let widest = *self.places[j].last().expect("operands precede their users");
        if let Some(&found) = self.places[j].iter().find(|&&s| self.steps[s].width.bits() >= bits) {
            return Ok(found);
        }
        self.push_step(j, StepOp::Extend, vec![widest], bits, &values[j], None)?;
        Ok(self.steps.len() - 1)
    }

    fn width(&self, i: usize, bits: u32) -> Result<Width> {
        Width::try_new(bits).map_err(|_| {
            Error::usage(format!("layer `{}` needs a ring of {bits} bits", self.graph.nodes[i].name))
        })
    }
}
