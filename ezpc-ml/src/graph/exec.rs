//! Runs a card over any protocol. The data owner's side needs nothing but the card.

use super::compile::Weights;
use crate::card::{Card, Scale, Step, StepOp};
use crate::kernels::{elementwise, linear, pool, shape};
use crate::tensor::Tensor;
use core::ops::ControlFlow;
use ezpc_core::protocol::{Linear, LinearSpec, Operand, ShareVec};
use ezpc_core::ring::RingVec;
use ezpc_core::{Error, ErrorKind, Party, Protocol, Result};
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

/// A watcher that looks away.
pub fn unwatched(_: &Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Runs batches of samples through one model.
pub struct Executor<'m, P: Protocol> {
    card: &'m Card,
    weights: Option<&'m Weights>,
    last_uses: Vec<usize>,
    /// Layers by step and batch size: a back end keeps what it prepared with them.
    layers: HashMap<(usize, usize), Linear<P::Arith>>,
    constants: HashMap<usize, P::Arith>,
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
        Ok(Self {
            card,
            weights,
            last_uses: card.last_uses(),
            layers: HashMap::new(),
            constants: HashMap::new(),
        })
    }

    /// Prepares all layers with weights for batches of `batch` samples, so that weights that cannot be used are
    /// refused before the first sample. A batch of another size prepares its layers when it runs.
    pub fn prepare(&mut self, p: &mut P, batch: usize) -> Result<()> {
        let card = self.card;
        for (i, step) in card.steps.iter().enumerate() {
            if self.spec(i, batch).is_some() {
                self.layer(i, batch)
                    .and_then(|layer| p.prepare(layer))
                    .map_err(|e| e.context(&format!("layer `{}`", step.name)))?;
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
        let card = self.card;
        let mut values: Vec<Option<Tensor<P::Arith>>> = (0..card.steps.len()).map(|_| None).collect();
        for (i, step) in card.steps.iter().enumerate() {
            let progress =
                Progress { samples: done[0], total: done[1], step: [i, card.steps.len()], name: &step.name };
            if watch(&progress).is_break() {
                return Err(Error::new(ErrorKind::Cancelled, format!("cancelled before `{}`", step.name)));
            }
            p.scope(&step.name);
            let value = self
                .step(p, i, step, batch, input, &values)
                .map_err(|e| e.context(&format!("layer `{}`", step.name)))?;
            if value.data().width() != step.width || value.shape() != step.shape {
                return Err(Error::usage(format!(
                    "layer `{}` does not have the shape that its card says",
                    step.name
                )));
            }
            values[i] = Some(value);
            for &a in step.args.iter().chain([&i]) {
                if self.last_uses[a] == i {
                    values[a] = None;
                }
            }
        }
        Ok(values[card.output].take().expect("the result is needed to the end"))
    }

    fn step(
        &mut self,
        p: &mut P,
        i: usize,
        step: &Step,
        batch: usize,
        input: Option<&[i64]>,
        values: &[Option<Tensor<P::Arith>>],
    ) -> Result<Tensor<P::Arith>> {
        let arg = |k: usize| values[step.args[k]].as_ref().expect("a value lives until its last use");
        let narrow = |p: &P, x: &Tensor<P::Arith>| x.with(p.reduce(x.data(), step.width));
        Ok(match &step.op {
            StepOp::Input => {
                let len = batch * self.card.input_len();
                let values = input.map(|v| RingVec::from_signed(step.width, v));
                Tensor::new(batch, &step.shape, p.input(Party::Client, step.width, len, values.as_ref())?)?
            }
            StepOp::Conv { .. } => linear::conv2d(p, self.layer(i, batch)?, arg(0))?,
            StepOp::Dense { .. } => linear::matmul(p, self.layer(i, batch)?, arg(0))?,
            StepOp::Affine { .. } => linear::affine(p, self.layer(i, batch)?, arg(0))?,
            StepOp::Shift { axis } => {
                let shift = self.shared_constants(p, i, step, *axis)?;
                let inner: usize = step.shape[axis + 1..].iter().product();
                let places: Vec<usize> =
                    (0..arg(0).data().len()).map(|k| k / inner % step.shape[*axis]).collect();
                let x = narrow(p, arg(0));
                x.with(p.add(x.data(), &shift.gather(&places)))
            }
            StepOp::Negate => {
                let x = narrow(p, arg(0));
                x.with(p.neg(x.data()))
            }
            StepOp::Relu { from } => elementwise::relu(p, arg(0), *from, step.width)?,
            StepOp::Step { from } => elementwise::step(p, arg(0), *from, step.width, self.card.frac_bits)?,
            StepOp::MaxPool(window) => {
                let x = narrow(p, arg(0));
                pool::max_pool(p, window, &x)?
            }
            StepOp::AvgPool { window, counted, ring, .. } => {
                pool::avg_pool(p, window, *counted, *ring, arg(0))?
            }
            StepOp::Add => elementwise::add(p, arg(0), arg(1), step.width),
            StepOp::Sub => elementwise::sub(p, arg(0), arg(1), step.width),
            StepOp::Mul { ring, shift } => elementwise::mul(p, arg(0), arg(1), *ring, *shift)?,
            StepOp::Concat { axis } => {
                let parts: Vec<&Tensor<P::Arith>> = (0..step.args.len()).map(arg).collect();
                shape::concat(p, &parts, *axis, step.width)?
            }
            StepOp::Reshape => narrow(p, arg(0)).reshape(&step.shape)?,
            StepOp::Permute(order) => shape::permute::<P>(&narrow(p, arg(0)), order)?,
            StepOp::Take { axis, indices } => shape::take(p, &narrow(p, arg(0)), *axis, indices)?,
            StepOp::Extend => {
                let x = arg(0);
                x.with(p.extend(x.data(), step.width, ezpc_core::protocol::Signedness::Signed)?)
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
        Ok(match self.layers.entry((i, batch)) {
            Entry::Occupied(layer) => layer.into_mut(),
            Entry::Vacant(place) => {
                let constants = match self.weights {
                    Some(w) => {
                        let missing = || Error::usage("the weights belong to another card");
                        Some(w.steps[i].as_ref().ok_or_else(missing)?)
                    }
                    None => None,
                };
                let private = |values: Option<&Vec<i64>>| Operand::Private {
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
        let values = match self.weights.map(|w| w.steps[i].as_ref()) {
            Some(Some(c)) => Some(RingVec::from_signed(step.width, &c.bias)),
            Some(None) => return Err(Error::usage("the weights belong to another card")),
            None => None,
        };
        let shares = p.input(Party::Server, step.width, step.shape[axis], values.as_ref())?;
        self.constants.insert(i, shares.clone());
        Ok(shares)
    }
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
