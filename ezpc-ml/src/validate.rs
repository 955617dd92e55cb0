//! Is the model good enough? The vendor holds the model, the client the labelled data, and both learn one bit: whether
//! the number of correct answers reaches the threshold. The number itself stays shared, unless both ask for it.

mod auc;
mod data;
mod journal;
mod metrics;
mod threshold;

pub use auc::Auc;
pub use data::{Data, encode_samples};
pub use journal::Journal;
pub use metrics::{Figures, Metric, Opens};
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
use ezpc_core::{Error, Party, Protocol, Result};
use metrics::{Batch, Predicted, Shared};

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
    /// For a model of one number, not of classes: how far a right answer may be from its label, in units of
    /// 2^-`frac_bits` of the card.
    pub tolerance: Option<u64>,
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
        Self { samples, threshold, opens: Opens::VERDICT, tolerance: None, max_verdicts: 1, batch }
    }

    /// For a model of one number: an answer is right when it is at most `tolerance` from its label.
    pub fn within(mut self, card: &Card, tolerance: f64) -> Result<Self> {
        if !(0.0..=f64::from(metrics::NUMBER_BITS).exp2()).contains(&tolerance) {
            return Err(Error::usage(format!("a tolerance of {tolerance}, from 0 to 2^20 are supported")));
        }
        self.tolerance = Some(fixed::floor(tolerance, card.frac_bits).unsigned_abs());
        Ok(self)
    }

    /// The public shape of the run, for both parties to compare.
    #[must_use]
    pub fn shape(&self, card: &Card) -> String {
        format!(
            "validate card={} samples={} threshold={} opens={} tolerance={} verdicts={} batch={}",
            card.sha256_hex(),
            self.samples,
            self.threshold,
            self.opens,
            self.tolerance.map_or("none".to_owned(), |t| t.to_string()),
            self.max_verdicts,
            self.batch
        )
    }
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
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// Whether the model reaches the threshold.
    pub verdict: bool,
    /// The figures that both parties asked for.
    pub figures: Figures,
}

/// The main job: the verdict, and the figures that the request opens. `weights` and `data` are `Some` exactly where
/// they are known. Fails before the first sample unless both parties have the same card and request.
pub fn validate<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    data: Option<&Data>,
    request: &Request,
    watch: &mut Watch<'_>,
) -> Result<Outcome> {
    validate_resumably(p, card, weights, data, request, watch, None)
}

/// As [`validate`]; with a journal the run goes on where an earlier one of the same journal has stopped, and can be stopped
/// after every batch. Both parties have a journal or none. Each mark costs one opening of a masked number. A journal keeps
/// the number of right answers and no other figure.
pub fn validate_resumably<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    data: Option<&Data>,
    request: &Request,
    watch: &mut Watch<'_>,
    journal: Option<&mut Journal<'_>>,
) -> Result<Outcome> {
    let (mut count, shared) = run(p, card, weights, data, request, watch, journal)?;
    let verdict = count.verdict(p, &request.threshold)?;
    p.scope("figures");
    let mut figures = shared.open(p, card, request)?;
    if request.opens.contains(Metric::Accuracy) {
        figures.correct = Some(count.open(p)?);
    }
    Ok(Outcome { verdict, figures })
}

/// The number of correct answers, shared between the parties.
pub struct Correct<A> {
    shares: A,
    samples: usize,
    verdicts_left: u32,
}

/// Runs all samples and counts the correct answers; nothing is opened, whatever the request says. Fails before the first
/// sample unless both parties have the same card and request.
pub fn count_correct<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    data: Option<&Data>,
    request: &Request,
    watch: &mut Watch<'_>,
) -> Result<Correct<P::Arith>> {
    run(p, card, weights, data, request, watch, None).map(|(count, _)| count)
}

/// What a run has counted, nothing of it opened.
type Counts<A> = (Correct<A>, Shared<A>);

fn run<P: Protocol>(
    p: &mut P,
    card: &Card,
    weights: Option<&Weights>,
    data: Option<&Data>,
    request: &Request,
    watch: &mut Watch<'_>,
    mut journal: Option<&mut Journal<'_>>,
) -> Result<Counts<P::Arith>> {
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
    metrics::check(card, request)?;
    let width = count_width(n);
    let size = card.input_len();
    let mut executor = Executor::new(p, card, weights)?;
    let others = Metric::ALL.into_iter().find(|m| *m != Metric::Accuracy && request.opens.contains(*m));
    if let (Some(_), Some(metric)) = (&journal, others) {
        let name = metric.name();
        return Err(Error::usage(format!(
            "a journal keeps the number of right answers, {name} needs a run without"
        )));
    }
    let kept = if journal.is_some() { " with a journal" } else { "" };
    p.agree("the validation's public shape", format!("{}{kept}", request.shape(card)).as_bytes())?;
    let (first, mut total) = match &mut journal {
        Some(journal) => journal.begin(p, width)?,
        None => (0, p.public(&RingVec::zeros(width, 1))),
    };
    if first > n {
        return Err(Error::usage(format!("a journal of {first} samples for a run of {n}")));
    }
    executor.check(p, n - first, request.batch)?;
    let mut shared = Shared::new();
    for start in (first..n).step_by(request.batch) {
        let batch = request.batch.min(n - start);
        let samples = data.map(|d| &d.samples[start * size..(start + batch) * size]);
        let logits = executor.run(p, batch, samples, watch, [start, n])?;
        p.scope("correct");
        let range = start..start + batch;
        let hits = match request.tolerance {
            None => {
                let labels = data.map(|d| d.classes(range).ok_or_else(not_asked)).transpose()?;
                let (hits, predicted) = hits(p, card, &logits, labels)?;
                p.scope("figures");
                let batch = Batch { outputs: &logits, predicted: &predicted, labels };
                shared.add(p, card, request, &batch)?;
                p.scope("correct");
                hits
            }
            Some(tolerance) => {
                let labels = data.map(|d| d.numbers(range).ok_or_else(not_asked)).transpose()?;
                let sizes = [n as u64, tolerance];
                let (distances, hits) = metrics::distances(p, card, logits.data(), labels, sizes)?;
                if request.opens.contains(Metric::Mae) {
                    shared.add_distances(p, distances);
                }
                hits
            }
        };
        let hits = p.bit_to_arith(&hits, width)?;
        total = p.add(&total, &sum(p, hits));
        if let Some(journal) = &mut journal {
            journal.mark(p, &total, start + batch)?;
        }
    }
    Ok((Correct { shares: total, samples: n, verdicts_left: request.max_verdicts }, shared))
}

fn not_asked() -> Error {
    Error::usage("classes go without a tolerance, and numbers with one")
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

/// One bit a sample: the prediction is the client's label. And the prediction, as the index of a class.
fn hits<P: Protocol>(
    p: &mut P,
    card: &Card,
    logits: &Tensor<P::Arith>,
    labels: Option<&[u64]>,
) -> Result<(P::Bool, Predicted<P>)> {
    let width = class_width(card);
    if card.output_len() == 1 {
        // The sign of -x tells whether the only logit is above zero.
        let negated = p.neg(logits.data());
        let predicted = p.msb(&negated)?;
        let labels = labels.map(|l| BitPlanes::from_lanes(1, l));
        let labels = p.input_bool(Party::Client, Width::W1, logits.batch(), labels.as_ref())?;
        let hits = p.not(&p.xor(&predicted, &labels));
        return Ok((hits, Predicted::Bit(predicted)));
    }
    let predicted = match card.decision {
        Decision::Values => pool::argmax(p, logits, width)?,
        decision => pool::decide(p, decision, logits, width)?,
    };
    let labels = labels.map(|l| RingVec::new(width, l.to_vec()));
    let labels = p.input(Party::Client, width, logits.batch(), labels.as_ref())?;
    Ok((p.equal(&predicted, &labels)?, Predicted::Index(predicted)))
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
