//! Runs a card over any protocol. The data owner's side needs nothing but the card.

mod live;

use super::compile::{Constants, Weights};
use crate::card::{Bound, Card, Scale, Step, StepOp};
use crate::kernels::{Stage, Then, bounds, elementwise, linear, pool, shape};
use crate::tensor::Tensor;
use core::ops::ControlFlow;
use ezpc_core::protocol::{Linear, LinearSpec, Op, Operand, ShareVec};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::secret::Values;
use ezpc_core::{Error, ErrorKind, Party, Protocol, Result};
use live::Live;
use std::collections::HashMap;

/// Where a run is.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "what a progress bar shows")]
pub struct Progress<'a> {
    /// Samples whose results are there.
    pub samples: usize,
    /// All samples.
    pub total: usize,
    /// The step that starts now, and how many there are.
    pub step: [usize; 2],
    /// Its name.
    pub name: &'a str,
}

/// Called before every step; a break stops the run with [`ErrorKind::Cancelled`].
pub type Watch<'a> = dyn FnMut(&Progress<'_>) -> ControlFlow<()> + 'a;

/// Sees the value of every step: the protocol, the step's place in the card, its value.
pub type Observe<'a, P> = dyn FnMut(&mut P, usize, &Tensor<<P as Protocol>::Arith>) -> Result<()> + 'a;

/// A watcher that looks away.
pub fn unwatched(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Runs batches of samples through one model.
pub struct Executor<'m, P: Protocol> {
    card: &'m Card,
    weights: Option<&'m Weights>,
    /// Layers by step and batch size: a back end keeps what it prepared with them.
    layers: HashMap<(usize, usize), Linear<P::Arith>>,
    constants: HashMap<usize, P::Arith>,
    signs: HashMap<usize, P::Bool>,
}

impl<'m, P: Protocol> Executor<'m, P> {
    /// An executor of a checked card. `weights` is `Some` exactly where they are known: at the server, and in a
    /// back end that plays both parties.
    pub fn new(p: &P, card: &'m Card, weights: Option<&'m Weights>) -> Result<Self> {
        let weights = weights.filter(|_| p.party() != Some(Party::Client));
        match (p.party(), weights) {
            (Some(Party::Client), _) => {}
            (_, Some(w)) if w.steps.len() == card.steps.len() => {}
            (_, Some(_)) => return Err(Error::usage("the weights belong to another card")),
            (_, None) => return Err(Error::usage("the model's owner runs it with its weights")),
        }
        Ok(Self { card, weights, layers: HashMap::new(), constants: HashMap::new(), signs: HashMap::new() })
    }

    /// Checks all layers with weights for `samples` samples in batches of `batch` and a last one of what remains, so that
    /// weights that cannot be used are refused before the first sample: what a refusal tells of them must not depend on
    /// when it comes.
    pub fn check(&mut self, p: &mut P, samples: usize, batch: usize) -> Result<()> {
        let card = self.card;
        let (whole, rest) = (samples.min(batch), samples % batch.max(1));
        for size in [whole, rest].into_iter().filter(|&size| size > 0) {
            for (i, step) in card.steps.iter().enumerate() {
                if self.spec(i, size).is_some() {
                    self.layer(i, size).and_then(|layer| p.check(layer)).map_err(|e| at(step, e))?;
                }
            }
        }
        Ok(())
    }

    /// The result of `batch` samples. `input` is `Some` exactly where it is known: at the client, and in a back
    /// end that plays both parties.
    pub fn run(
        &mut self,
        p: &mut P,
        batch: usize,
        input: Option<&[i64]>,
        watch: &mut Watch<'_>,
        done: [usize; 2],
    ) -> Result<Tensor<P::Arith>> {
        self.run_observed(p, batch, input, watch, done, &mut |_, _, _| Ok(()))
    }

    /// As [`Executor::run`], and shows every step's value as soon as it is there.
    ///
    /// Steps that do not depend on each other run together: a step starts as soon as its operands are there, and what all
    /// that have started ask for goes to the protocol at once. A value is freed when its last user has started.
    pub fn run_observed(
        &mut self,
        p: &mut P,
        batch: usize,
        input: Option<&[i64]>,
        watch: &mut Watch<'_>,
        done: [usize; 2],
        observe: &mut Observe<'_, P>,
    ) -> Result<Tensor<P::Arith>> {
        let card = self.card;
        let mut values = Live::new(card);
        let mut waiting: Vec<Waiting<'_, P>> = Vec::new();
        let mut not_started: Vec<usize> = (0..card.steps.len()).collect();
        let mut started = 0;
        loop {
            let mut left = Vec::new();
            for i in not_started {
                let step = &card.steps[i];
                if !step.args.iter().all(|&a| values.there(a)) {
                    left.push(i);
                    continue;
                }
                let place = [started, card.steps.len()];
                let progress = Progress { samples: done[0], total: done[1], step: place, name: &step.name };
                started += 1;
                if watch(&progress).is_break() {
                    return Err(Error::new(
                        ErrorKind::Cancelled,
                        format!("cancelled before `{}`", step.name),
                    ));
                }
                p.scope(&step.name);
                let args: Vec<&Tensor<P::Arith>> = step.args.iter().map(|&a| values.get(a)).collect();
                let stage = self.start(p, i, batch, input, &args).map_err(|e| at(step, e))?;
                values.used(&step.args);
                match stage {
                    Stage::Done(value) => self.settle(p, &mut values, i, value, observe)?,
                    Stage::Ask(op, then) => waiting.push(Waiting { step: i, op, then }),
                }
            }
            not_started = left;
            if waiting.is_empty() {
                break;
            }
            for (i, stage) in self.together(p, core::mem::take(&mut waiting))? {
                match stage {
                    Stage::Done(value) => self.settle(p, &mut values, i, value, observe)?,
                    Stage::Ask(op, then) => waiting.push(Waiting { step: i, op, then }),
                }
            }
        }
        Ok(values.take(card.output))
    }

    /// The value of step `i` alone, from given operands.
    pub fn run_step(
        &mut self,
        p: &mut P,
        i: usize,
        batch: usize,
        args: &[&Tensor<P::Arith>],
    ) -> Result<Tensor<P::Arith>> {
        let step = &self.card.steps[i];
        let stage = self.start(p, i, batch, None, args).map_err(|e| at(step, e))?;
        stage.finish(p).map_err(|e| at(step, e))
    }

    /// Runs one operation of each of several steps, side by side.
    fn together<'k>(&self, p: &mut P, waiting: Vec<Waiting<'k, P>>) -> Result<Vec<(usize, Stage<'k, P>)>> {
        let steps: Vec<&Step> = waiting.iter().map(|w| &self.card.steps[w.step]).collect();
        let names: Vec<&str> = steps.iter().map(|s| s.name.as_str()).collect();
        p.scope(&names.join(" + "));
        let (ops, rest): (Vec<_>, Vec<_>) = waiting.into_iter().map(|w| (w.op, (w.step, w.then))).unzip();
        let results = p.together(&ops).map_err(|e| {
            // The oracle names the operation that broke a promise.
            let oracle = p.party().is_none();
            let culprit = ops.iter().position(|op| oracle && p.together(core::slice::from_ref(op)).is_err());
            match culprit {
                Some(k) => at(steps[k], e),
                None => e.context(&format!("layer `{}`", names.join("` + `"))),
            }
        })?;
        let next = rest.into_iter().zip(results).zip(steps);
        next.map(|(((i, then), value), step)| Ok((i, then(p, value).map_err(|e| at(step, e))?))).collect()
    }

    /// Checks the value of a step and keeps it for those that need it.
    fn settle(
        &self,
        p: &mut P,
        values: &mut Live<P::Arith>,
        i: usize,
        value: Tensor<P::Arith>,
        observe: &mut Observe<'_, P>,
    ) -> Result<()> {
        let step = &self.card.steps[i];
        if value.data().width() != step.width || value.shape() != step.shape {
            return Err(Error::usage(format!(
                "layer `{}` does not have the shape that its card says",
                step.name
            )));
        }
        // The oracle sees what others must trust.
        if let Some(clear) = p.in_clear(value.data()) {
            within(step, &clear)?;
        }
        observe(p, i, &value)?;
        values.put(i, value);
        Ok(())
    }

    fn start<'k>(
        &mut self,
        p: &mut P,
        i: usize,
        batch: usize,
        input: Option<&[i64]>,
        args: &[&Tensor<P::Arith>],
    ) -> Result<Stage<'k, P>>
    where
        P: 'k,
    {
        let card = self.card;
        let step = &card.steps[i];
        let narrow = |p: &P, x: &Tensor<P::Arith>| x.with(p.reduce(x.data(), step.width));
        Ok(match &step.op {
            StepOp::Input => {
                let len = batch * card.input_len();
                let values = input.map(|v| RingVec::from_signed(step.width, v));
                let shares = p.input(Party::Client, step.width, len, values.as_ref())?;
                Stage::Done(Tensor::new(batch, &step.shape, shares)?)
            }
            StepOp::Conv { .. } | StepOp::Dense { .. } | StepOp::Affine { .. } => {
                linear::apply(p, self.layer(i, batch)?, args[0], &step.shape)
            }
            StepOp::Shift { axis } => {
                let shift = self.shared_constants(p, i, step, *axis)?;
                let x = narrow(p, args[0]);
                let shift = elementwise::spread(&shift, *axis, batch, &step.shape);
                Stage::Done(x.with(p.add(x.data(), &shift)))
            }
            StepOp::Negate => {
                let x = narrow(p, args[0]);
                Stage::Done(x.with(p.neg(x.data())))
            }
            StepOp::Relu { from, drop } => elementwise::relu(p, args[0], *from, *drop, step.width),
            StepOp::Step { from } => elementwise::step(p, args[0], *from, step.width, card.frac_bits),
            StepOp::MaxPool { window, drop } => pool::max_pool(window, *drop, &narrow(p, args[0]))?,
            StepOp::AvgPool { window, counted, ring, .. } => {
                Stage::Done(pool::avg_pool(p, window, *counted, *ring, args[0])?)
            }
            StepOp::Add => Stage::Done(elementwise::add(p, args[0], args[1], step.width)),
            StepOp::Sub => Stage::Done(elementwise::sub(p, args[0], args[1], step.width)),
            StepOp::Mul { ring, shift } => elementwise::mul(p, args[0], args[1], *ring, *shift),
            StepOp::Concat { axis } => Stage::Done(shape::concat(p, args, *axis, step.width)?),
            StepOp::Reshape => Stage::Done(narrow(p, args[0]).reshape(&step.shape)?),
            StepOp::Permute(order) => Stage::Done(shape::permute::<P>(&narrow(p, args[0]), order)?),
            StepOp::Take { axis, indices } => {
                Stage::Done(shape::take(p, &narrow(p, args[0]), *axis, indices)?)
            }
            StepOp::Extend { positive, drop } => {
                elementwise::extend(p, args[0], *positive, *drop, step.width)
            }
            StepOp::Sign { axis } => {
                let signs = self.shared_signs(p, i, step, *axis)?;
                let signs = elementwise::spread(&signs, *axis, batch, &step.shape);
                elementwise::sign(narrow(p, args[0]), signs)
            }
            StepOp::Clip { from, positive } => {
                bounds::clip(p, args[0], step.bound.bits, *positive, *from, step.width)
            }
            StepOp::Check => {
                if !bounds::all_within(p, args[0].data(), step.bound.bits)? {
                    return Err(exceeded(step, "a value exceeds"));
                }
                Stage::Done(narrow(p, args[0]))
            }
        })
    }

    /// The shape of a layer with weights for `batch` samples; `None` for other steps.
    fn spec(&self, i: usize, batch: usize) -> Option<LinearSpec> {
        let step = &self.card.steps[i];
        let shape = || self.card.steps[step.args[0]].shape.as_slice();
        match &step.op {
            StepOp::Conv { window, groups, outputs, scale } => {
                Some(linear::conv_spec(batch, shape(), window, *groups, *outputs, scale))
            }
            StepOp::Dense { outputs, scale } => Some(linear::dense_spec(batch, shape(), *outputs, scale)),
            StepOp::Affine { axis, scale } => Some(linear::affine_spec(batch, shape(), *axis, scale)),
            _ => None,
        }
    }

    fn layer(&mut self, i: usize, batch: usize) -> Result<&Linear<P::Arith>> {
        use std::collections::hash_map::Entry;
        let spec = self.spec(i, batch).ok_or_else(|| Error::usage("a step without weights"))?;
        let constants = self.constants_of(i)?;
        Ok(match self.layers.entry((i, batch)) {
            Entry::Occupied(layer) => layer.into_mut(),
            Entry::Vacant(place) => {
                let private = |values: Option<&Values>| Operand::Private {
                    owner: Party::Server,
                    values: values.cloned(),
                };
                let weights = private(constants.map(|c| &c.weights));
                let bias = private(constants.map(|c| &c.bias));
                place.insert(Linear::new(spec, weights, Some(bias))?)
            }
        })
    }

    /// The vendor's summands of a step as shares, one along its axis.
    fn shared_constants(&mut self, p: &mut P, i: usize, step: &Step, axis: usize) -> Result<P::Arith> {
        if let Some(shares) = self.constants.get(&i) {
            return Ok(shares.clone());
        }
        let values = self.constants_of(i)?.map(|c| RingVec::from_signed(step.width, &c.bias));
        let shares = p.input(Party::Server, step.width, step.shape[axis], values.as_ref())?;
        self.constants.insert(i, shares.clone());
        Ok(shares)
    }

    /// The vendor's signs of a step as shared bits, one along its axis.
    fn shared_signs(&mut self, p: &mut P, i: usize, step: &Step, axis: usize) -> Result<P::Bool> {
        if let Some(shares) = self.signs.get(&i) {
            return Ok(shares.clone());
        }
        let negative = self.constants_of(i)?.map(|c| {
            let bits: Vec<u64> = c.weights.iter().map(|&w| u64::from(w < 0)).collect();
            BitPlanes::from_lanes(1, &bits)
        });
        let shares = p.input_bool(Party::Server, Width::W1, step.shape[axis], negative.as_ref())?;
        self.signs.insert(i, shares.clone());
        Ok(shares)
    }

    /// The vendor's constants of a step, where they are known.
    fn constants_of(&self, i: usize) -> Result<Option<&'m Constants>> {
        let missing = || Error::usage("the weights belong to another card");
        self.weights.map(|w| w.steps[i].as_ref().ok_or_else(missing)).transpose()
    }
}

/// A step that has started, and the operation that it waits for.
struct Waiting<'k, P: Protocol> {
    step: usize,
    op: Op<P::Arith, P::Bool>,
    then: Then<'k, P>,
}

fn at(step: &Step, error: Error) -> Error {
    error.context(&format!("layer `{}`", step.name))
}

/// Whether the plain values of a step are within its bound.
fn within(step: &Step, values: &RingVec) -> Result<()> {
    let bits = step.bound.bits;
    let outside = |v: &i64| *v >> bits != 0 && *v >> bits != -1;
    match values.to_signed().iter().position(outside) {
        None => Ok(()),
        Some(k) => Err(at(step, exceeded(step, &format!("element {k} exceeds")))),
    }
}

fn exceeded(step: &Step, what: &str) -> Error {
    let Bound { bits, origin } = step.bound;
    Error::usage(format!("{what} the bound of {bits} bits that is {origin}"))
}

/// The number of samples that run together so that live shares stay within `memory` bytes, at least one.
#[must_use]
pub fn batch_size(card: &Card, samples: usize, memory: usize) -> usize {
    // A share is a 64-bit lane; protocols hold several vectors of its size while they work on it.
    let each = card.live_elements().saturating_mul(8 * 8).max(1);
    (memory / each).clamp(1, samples.max(1))
}

impl Scale {
    /// The ring of the result.
    #[must_use]
    pub const fn output_bits(&self) -> u32 {
        self.ring.bits() - self.shift
    }
}
