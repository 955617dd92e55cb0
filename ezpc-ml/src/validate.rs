//! Is the model good enough? The vendor holds the model, the client the labelled data, and both learn one bit: whether
//! the number of correct answers reaches the threshold. The number itself stays shared, unless both ask for it.

mod threshold;

pub use threshold::Threshold;

use crate::card::Card;
use crate::fixed;
use crate::graph::Decision;
use crate::graph::compile::Weights;
use crate::graph::exec::{Executor, Watch, batch_size};
use crate::kernels::pool;
use crate::tensor::Tensor;
use ezpc_core::protocol::{Reveal, ShareVec};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::{Error, Protocol, Result};

/// What a validation opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Opens {
    /// One bit: whether the threshold is reached.
    Verdict,
    /// That bit and the number of correct answers; only when both parties ask for it.
    Accuracy,
}

/// What both parties agree on before a validation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "the public parameters of a validation")]
pub struct Request {
    /// The number of samples.
    pub samples: usize,
    /// The least share of correct answers.
    pub threshold: Threshold,
    /// What is opened.
    pub opens: Opens,
    /// How many verdicts one data set may answer: verdicts at many thresholds would locate the count.
    pub max_verdicts: u32,
    /// The samples that run together.
    pub batch: usize,
}

impl Request {
    /// One verdict over all samples, in batches whose live shares stay within `memory` bytes.
    #[must_use]
    pub fn new(card: &Card, samples: usize, threshold: Threshold, memory: usize) -> Self {
        let batch = batch_size(card, samples, memory);
        Self { samples, threshold, opens: Opens::Verdict, max_verdicts: 1, batch }
    }

    /// The public shape of the run, for both parties to compare.
    #[must_use]
    pub fn shape(&self, card: &Card) -> String {
        format!(
            "validate card={} samples={} threshold={} opens={} verdicts={} batch={}",
            card.sha256_hex(),
            self.samples,
            self.threshold,
            match self.opens {
                Opens::Verdict => "verdict",
                Opens::Accuracy => "accuracy",
            },
            self.max_verdicts,
            self.batch
        )
    }
}

/// The data owner's side: samples in fixed point and their labels, checked.
pub struct Data {
    samples: Vec<i64>,
    labels: Vec<u64>,
}

impl core::fmt::Debug for Data {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Data({} samples)", self.labels.len())
    }
}

impl Data {
    /// Checks samples and labels against the card.
    pub fn new(card: &Card, samples: &crate::npy::Array, labels: &crate::npy::Array) -> Result<Self> {
        let samples_in_units = encode_samples(card, samples)?;
        let count = samples.shape[0];
        let flat = matches!(labels.shape.as_slice(), [n] | [n, 1] if *n == count);
        if !flat {
            return Err(Error::usage(format!("labels of shape {:?} for {count} samples", labels.shape)));
        }
        let labels = labels.to_labels(classes(card))?;
        Ok(Self { samples: samples_in_units, labels })
    }

    /// The number of samples.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Samples in fixed point, checked against the card's shape and range.
pub fn encode_samples(card: &Card, samples: &crate::npy::Array) -> Result<Vec<i64>> {
    let fits = samples.shape.split_first().is_some_and(|(&n, rest)| n > 0 && rest == card.input_shape());
    if !fits {
        return Err(Error::usage(format!(
            "samples of shape {:?}, the model takes [N, {}]",
            samples.shape,
            card.input_shape().iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
        )));
    }
    fixed::encode_checked(&samples.to_f64(), &samples.shape, card.input_range, card.frac_bits)
}

/// The number of classes: one logit tells two of them apart by its sign.
#[must_use]
pub fn classes(card: &Card) -> usize {
    let values = if card.decision == Decision::Values { card.output_len() } else { card.labels()[1] };
    values.max(2)
}

/// The ring that holds the index of a class.
#[must_use]
pub fn class_width(card: &Card) -> Width {
    index_width(classes(card))
}

fn index_width(classes: usize) -> Width {
    Width::new(usize::BITS - (classes - 1).leading_zeros())
}

/// What a validation opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Whether the model reaches the threshold.
    pub verdict: bool,
    /// The number of correct answers, when it was asked for.
    pub correct: Option<u64>,
}

/// The main job: what [`count_correct`] does, and the verdict. `weights` and `data` are `Some` exactly where they are
/// known.
pub fn validate<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    data: Option<&Data>,
    request: &Request,
    watch: &mut Watch<'_>,
) -> Result<Outcome> {
    let mut count = count_correct(p, card, weights, data, request, watch)?;
    let verdict = count.verdict(p, &request.threshold)?;
    let correct = match request.opens {
        Opens::Verdict => None,
        Opens::Accuracy => Some(count.open(p)?),
    };
    Ok(Outcome { verdict, correct })
}

/// The number of correct answers, shared between the parties.
pub struct Correct<A> {
    shares: A,
    samples: usize,
    verdicts_left: u32,
}

/// Runs all samples and counts the correct answers; nothing is opened. Fails before the first sample unless both
/// parties have the same card and request.
pub fn count_correct<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    data: Option<&Data>,
    request: &Request,
    watch: &mut Watch<'_>,
) -> Result<Correct<P::Arith>> {
    let n = request.samples;
    if n == 0 || request.batch == 0 || n > 1 << 40 {
        return Err(Error::usage("a validation of no samples"));
    }
    if data.is_some_and(|d| d.len() != n) {
        return Err(Error::usage(format!("{} samples where {n} were agreed", data.map_or(0, Data::len))));
    }
    if card.decision != Decision::Values && card.labels()[0] != 1 {
        return Err(Error::usage("a model that gives a sample several labels has no single one to compare"));
    }
    let width = count_width(n);
    let size = card.input_len();
    let mut executor = Executor::new(p, card, weights)?;
    p.agree("the validation's public shape", request.shape(card).as_bytes())?;
    executor.prepare(p, request.batch.min(n))?;
    let mut total = p.public(&RingVec::zeros(width, 1));
    for start in (0..n).step_by(request.batch) {
        let batch = request.batch.min(n - start);
        let samples = data.map(|d| &d.samples[start * size..(start + batch) * size]);
        let logits = executor.run(p, batch, samples, watch, [start, n])?;
        p.scope("correct");
        let labels = data.map(|d| &d.labels[start..start + batch]);
        let hits = hits(p, card, &logits, labels)?;
        let hits = p.bit_to_arith(&hits, width)?;
        total = p.add(&total, &sum(p, hits));
    }
    Ok(Correct { shares: total, samples: n, verdicts_left: request.max_verdicts })
}

impl<A: ShareVec> Correct<A> {
    /// Opens whether the count reaches the threshold, and nothing else.
    pub fn verdict<P: Protocol<Arith = A>>(&mut self, p: &mut P, threshold: &Threshold) -> Result<bool> {
        let need = threshold.need(self.samples as u64);
        self.verdicts_left = self.verdicts_left.checked_sub(1).ok_or_else(|| {
            Error::usage("no verdict is left for this data set: many thresholds would locate the count")
        })?;
        p.scope("verdict");
        let bound = p.public(&RingVec::new(self.shares.width(), vec![need]));
        // Both lie in 0..=n and n < 2^(k-1), so the difference fits.
        let below = p.less_than_near(&self.shares, &bound)?;
        let reached = p.not(&below);
        let opened = p.reveal_bool(&reached, Reveal::Both)?;
        opened.map(|b| b.planes()[0].bit(0)).ok_or_else(|| Error::usage("the verdict was not opened"))
    }

    /// Opens the count itself; call it only when both parties asked for the accuracy.
    pub fn open<P: Protocol<Arith = A>>(self, p: &mut P) -> Result<u64> {
        let opened = p.reveal(&self.shares, Reveal::Both)?;
        opened.map(|v| v.lanes()[0]).ok_or_else(|| Error::usage("the count was not opened"))
    }
}

/// The ring of the count: n < 2^(k-1).
fn count_width(samples: usize) -> Width {
    Width::new(usize::BITS - samples.leading_zeros() + 1)
}

/// One bit a sample: the prediction is the client's label.
fn hits<P: Protocol>(
    p: &mut P,
    card: &Card,
    logits: &Tensor<P::Arith>,
    labels: Option<&[u64]>,
) -> Result<P::Bool> {
    let party = ezpc_core::Party::Client;
    if card.output_len() == 1 {
        // The sign of -x tells whether the only logit is above zero.
        let negated = p.neg(logits.data());
        let predicted = p.msb(&negated)?;
        let labels = labels.map(|l| BitPlanes::from_lanes(1, l));
        let labels = p.input_bool(party, Width::W1, logits.batch(), labels.as_ref())?;
        return Ok(p.not(&p.xor(&predicted, &labels)));
    }
    let width = class_width(card);
    let predicted = match card.decision {
        Decision::Values => pool::argmax(p, logits, width)?,
        decision => pool::decide(p, decision, logits, width)?,
    };
    let labels = labels.map(|l| RingVec::new(width, l.to_vec()));
    let labels = p.input(party, width, logits.batch(), labels.as_ref())?;
    p.equal(&predicted, &labels)
}

/// The sum of all elements, by halves.
fn sum<P: Protocol>(p: &P, mut x: P::Arith) -> P::Arith {
    while x.len() > 1 {
        let half = x.len() / 2;
        let folded = p.add(&x.slice(0..half), &x.slice(half..2 * half));
        x = if x.len() % 2 == 1 { P::Arith::concat(&[&folded, &x.slice(2 * half..x.len())]) } else { folded };
    }
    x
}
