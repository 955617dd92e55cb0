//! What a validation may open besides the verdict, each figure only when both parties ask for it.
//!
//! All figures are sums of integers: computed exactly, and nothing but the sum is opened. What each costs per sample
//! of C classes, in a ring of k bits for the outputs: accuracy nothing more than the verdict; top-5 C products with a
//! bit and C comparisons; the confusion matrix C equalities of an index, and a product with the client's labels; the
//! area under the ROC curve two sorts of all samples (see [`auc`]); the mean absolute error two ReLUs.

use super::auc::{self, Auc};
use super::{Request, class_width, count_width, index_width, sum};
use crate::card::Card;
use crate::tensor::Tensor;
use core::fmt;
use core::str::FromStr;
use ezpc_core::protocol::{
    Linear, LinearKind, LinearSpec, MatMulSpec, Operand, Reveal, ShareVec, Signedness, Trunc,
};
use ezpc_core::ring::{BitPlanes, RingVec, Width};
use ezpc_core::{Error, Party, Protocol, Result};

/// The most classes of a confusion matrix that is opened.
const MAX_MATRIX: usize = 256;

/// The most samples that are sorted for the area under the curve.
const MAX_SORTED: usize = 1 << 20;

/// A figure that a validation may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Metric {
    /// The number of right answers.
    Accuracy,
    /// The number of samples whose label is among the five largest outputs; of equal ones the first count.
    Top5,
    /// How often each label met each answer.
    Confusion,
    /// The area under the ROC curve of a model of two classes.
    Auc,
    /// The mean distance between a model's number and the label.
    Mae,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Accuracy, Self::Top5, Self::Confusion, Self::Auc, Self::Mae];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Top5 => "top5",
            Self::Confusion => "confusion",
            Self::Auc => "auc",
            Self::Mae => "mae",
        }
    }
}

/// What a validation opens: the verdict, and the figures in here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opens(u8);

impl Opens {
    /// The verdict alone.
    pub const VERDICT: Self = Self(0);

    /// That figure too.
    #[must_use]
    pub const fn with(self, metric: Metric) -> Self {
        Self(self.0 | 1 << metric as u8)
    }

    /// Whether that figure is opened.
    #[must_use]
    pub const fn contains(self, metric: Metric) -> bool {
        self.0 >> metric as u8 & 1 == 1
    }
}

impl fmt::Display for Opens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("verdict")?;
        Metric::ALL.iter().filter(|m| self.contains(**m)).try_for_each(|m| write!(f, ",{}", m.name()))
    }
}

impl FromStr for Opens {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split(',').try_fold(Self::VERDICT, |opens, name| match name.trim() {
            "verdict" => Ok(opens),
            name => Metric::ALL.iter().find(|m| m.name() == name).map(|m| opens.with(*m)).ok_or_else(|| {
                let names = Metric::ALL.map(Metric::name).join(", ");
                Error::usage(format!("`{name}` is none of verdict, {names}"))
            }),
        })
    }
}

/// The figures that were opened.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// The number of right answers.
    pub correct: Option<u64>,
    /// The number of samples whose label is among the five largest outputs.
    pub top5: Option<u64>,
    /// Rows of labels, columns of answers.
    pub confusion: Option<Vec<Vec<u64>>>,
    /// The area under the ROC curve, as the fraction it is.
    pub auc: Option<Auc>,
    /// The sum of all distances, in units of 2^-[`Figures::error_bits`].
    pub error: Option<u64>,
    /// The fractional bits of [`Figures::error`].
    pub error_bits: u32,
}

impl Figures {
    /// The mean absolute error over `samples`.
    #[must_use]
    pub fn mean_error(&self, samples: usize) -> Option<f64> {
        let unit = (-f64::from(self.error_bits)).exp2();
        self.error.map(|sum| sum as f64 * unit / samples.max(1) as f64)
    }
}

/// Fails when a figure that is asked for has no meaning for the model.
pub(super) fn check(card: &Card, request: &Request) -> Result<()> {
    let (opens, outputs, classes) = (request.opens, card.output_len(), super::classes(card));
    let no = |what: String| Err(Error::usage(what));
    let plain = card.decision == crate::graph::Decision::Values;
    if request.tolerance.is_some() {
        if outputs != 1 || !plain {
            return no(format!("a tolerance is for models of one number, this one has {outputs} outputs"));
        }
        let other = [Metric::Top5, Metric::Confusion, Metric::Auc].into_iter().find(|m| opens.contains(*m));
        if let Some(m) = other {
            return no(format!("{} is for models of classes, not of numbers with a tolerance", m.name()));
        }
        // The low bits that are hidden count on results that are off by roundings.
        if opens.contains(Metric::Mae) && card.steps.iter().any(|step| step.op.leaves_out()) {
            return no(
                "mae is for models that compare exactly, this one leaves out bits: compile it without slack"
                    .into(),
            );
        }
        let needed = guard(card.frac_bits, request.samples);
        if opens.contains(Metric::Mae) && needed > card.frac_bits {
            return no(format!(
                "mae of {} samples hides the {needed} low bits of the sum, the model has {} fractional bits: give it more",
                request.samples, card.frac_bits
            ));
        }
        return Ok(());
    }
    if opens.contains(Metric::Mae) {
        return no("mae is for models of one number: give a tolerance".to_owned());
    }
    if opens.contains(Metric::Top5) && (classes <= 5 || !plain) {
        return no(format!("top5 needs the values of more than five classes, the model has {classes}"));
    }
    if opens.contains(Metric::Confusion) && classes > MAX_MATRIX {
        return no(format!("confusion is for {MAX_MATRIX} classes at most, the model has {classes}"));
    }
    if opens.contains(Metric::Auc) && (classes != 2 || !plain || request.samples > MAX_SORTED) {
        return no(format!(
            "auc is for {MAX_SORTED} samples of two classes at most, the model has {classes}"
        ));
    }
    Ok(())
}

/// The figures so far, shared between the parties.
pub(super) struct Shared<A> {
    top5: Option<A>,
    confusion: Option<A>,
    scores: Vec<A>,
    positives: Vec<A>,
    error: Option<A>,
}

/// One batch of results and what the client knows of it.
pub(super) struct Batch<'a, P: Protocol> {
    pub(super) outputs: &'a Tensor<P::Arith>,
    pub(super) predicted: &'a Predicted<P>,
    pub(super) labels: Option<&'a [u64]>,
}

/// The class that each sample got.
pub(super) enum Predicted<P: Protocol> {
    /// One of two.
    Bit(P::Bool),
    /// Its index.
    Index(P::Arith),
}

impl<A: ShareVec> Shared<A> {
    pub(super) const fn new() -> Self {
        Self { top5: None, confusion: None, scores: Vec::new(), positives: Vec::new(), error: None }
    }

    /// Adds a batch to every figure that is asked for.
    pub(super) fn add<P: Protocol<Arith = A>>(
        &mut self,
        p: &mut P,
        card: &Card,
        request: &Request,
        batch: &Batch<'_, P>,
    ) -> Result<()> {
        let width = count_width(request.samples);
        if request.opens.contains(Metric::Top5) {
            let hits = top5(p, batch, width)?;
            self.top5 = Some(added(p, self.top5.take(), hits));
        }
        if request.opens.contains(Metric::Confusion) {
            let counts = confusion(p, super::classes(card), class_width(card), batch, width)?;
            self.confusion = Some(added(p, self.confusion.take(), counts));
        }
        if request.opens.contains(Metric::Auc) {
            let ring = auc::key_ring(card)?;
            self.scores.push(auc::scores(p, batch.outputs, ring)?);
            let positives = batch.labels.map(|l| RingVec::new(ring, l.to_vec()));
            self.positives.push(p.input(Party::Client, ring, batch.outputs.batch(), positives.as_ref())?);
        }
        Ok(())
    }

    /// Adds the distances of a batch.
    pub(super) fn add_distances<P: Protocol<Arith = A>>(&mut self, p: &P, distances: A) {
        let total = sum(p, distances);
        self.error = Some(added(p, self.error.take(), total));
    }

    /// Opens the figures.
    pub(super) fn open<P: Protocol<Arith = A>>(
        self,
        p: &mut P,
        card: &Card,
        request: &Request,
    ) -> Result<Figures> {
        let mut figures = Figures::default();
        if let Some(x) = &self.top5 {
            figures.top5 = Some(opened(p, x)?[0]);
        }
        if let Some(x) = &self.confusion {
            let classes = super::classes(card);
            figures.confusion = Some(opened(p, x)?.chunks(classes).map(<[u64]>::to_vec).collect());
        }
        if !self.scores.is_empty() {
            let join = |parts: &[A]| A::concat(&parts.iter().collect::<Vec<_>>());
            figures.auc = Some(auc::area(p, &join(&self.scores), &join(&self.positives), request.samples)?);
        }
        if let Some(x) = &self.error {
            // The lower bits tell how layers rounded: an exact floor drops them.
            let guard = guard(card.frac_bits, request.samples);
            figures.error_bits = card.frac_bits - guard;
            let x = p.trunc(x, guard, Trunc::Floor)?;
            figures.error = Some(opened(p, &x)?[0]);
        }
        Ok(figures)
    }
}

/// The low bits of a sum over `samples` outputs in which the roundings of layers are: half of the fraction, as in an
/// inference, and as far as that many independent roundings spread.
fn guard(frac_bits: u32, samples: usize) -> u32 {
    frac_bits.div_ceil(2).max(4) + samples.next_power_of_two().ilog2().div_ceil(2)
}

fn added<P: Protocol>(p: &P, total: Option<P::Arith>, x: P::Arith) -> P::Arith {
    match total {
        Some(total) => p.add(&total, &x),
        None => x,
    }
}

pub(super) fn opened<P: Protocol>(p: &mut P, x: &P::Arith) -> Result<Vec<u64>> {
    let values = p.reveal(x, Reveal::Both)?;
    values.map(RingVec::into_lanes).ok_or_else(|| Error::usage("a figure was not opened"))
}

/// The number of samples whose label has fewer than five classes ahead of it.
///
/// Class j is ahead of label l when its value is larger, or equal and j < l: when `v_l < v_j + [j < l]`, which needs one
/// unit of room. The ring of the outputs has it: it was chosen for differences of -m to m, and holds -m - 1.
fn top5<P: Protocol>(p: &mut P, batch: &Batch<'_, P>, width: Width) -> Result<P::Arith> {
    let (x, n) = (batch.outputs, batch.outputs.batch());
    let (classes, ring) = (x.data().len() / n, x.data().width());
    let per_class = |f: fn(u64, u64) -> bool| -> Option<Vec<u64>> {
        let each = |&l: &u64| (0..classes as u64).map(move |j| u64::from(f(j, l)));
        batch.labels.map(|labels| labels.iter().flat_map(each).collect())
    };
    let own = per_class(|j, l| j == l).map(|bits| BitPlanes::from_lanes(1, &bits));
    let own = p.input_bool(Party::Client, Width::W1, n * classes, own.as_ref())?;
    let earlier = per_class(|j, l| j < l).map(|bits| RingVec::new(ring, bits));
    let earlier = p.input(Party::Client, ring, n * classes, earlier.as_ref())?;
    let picked = p.select(&own, x.data())?;
    let label_value = group_sums(p, &picked, classes);
    let repeated: Vec<usize> = (0..n * classes).map(|i| i / classes).collect();
    let ahead = p.less_than_near(&label_value.gather(&repeated), &p.add(x.data(), &earlier))?;
    let count_ring = Width::new(index_width(classes).bits() + 2);
    let ahead = p.bit_to_arith(&ahead, count_ring)?;
    let ahead = group_sums(p, &ahead, classes);
    let five = p.public(&RingVec::new(count_ring, vec![5; n]));
    let hits = p.less_than_near(&ahead, &five)?;
    let hits = p.bit_to_arith(&hits, width)?;
    Ok(sum(p, hits))
}

/// The sum of each group of `group` elements.
fn group_sums<P: Protocol>(p: &P, x: &P::Arith, group: usize) -> P::Arith {
    let column = |j: usize| x.gather(&(0..x.len() / group).map(|i| i * group + j).collect::<Vec<_>>());
    (1..group).fold(column(0), |total, j| p.add(&total, &column(j)))
}

/// How often each label met each answer: the client's matrix of labels times the shared matrix of answers.
fn confusion<P: Protocol>(
    p: &mut P,
    classes: usize,
    index: Width,
    batch: &Batch<'_, P>,
    width: Width,
) -> Result<P::Arith> {
    let n = batch.outputs.batch();
    let answers = match batch.predicted {
        Predicted::Bit(bit) => {
            let second = p.bit_to_arith(bit, width)?;
            let first = p.add_public(&p.neg(&second), &RingVec::new(width, vec![1]));
            let pairs: Vec<usize> = (0..n).flat_map(|i| [i, n + i]).collect();
            P::Arith::concat(&[&first, &second]).gather(&pairs)
        }
        Predicted::Index(predicted) => {
            let repeated: Vec<usize> = (0..n * classes).map(|i| i / classes).collect();
            let all = RingVec::new(index, (0..n * classes).map(|i| (i % classes) as u64).collect());
            let all = p.public(&all);
            let answers = p.equal(&predicted.gather(&repeated), &all)?;
            p.bit_to_arith(&answers, width)?
        }
    };
    let kind = LinearKind::MatMul(MatMulSpec { rows: classes, inner: n, cols: classes });
    let spec = LinearSpec { kind, input: width, shift: 0, weight_bits: 1 };
    let values = batch.labels.map(|labels| {
        (0..classes as u64).flat_map(|c| labels.iter().map(move |&l| i64::from(l == c))).collect()
    });
    let layer = Linear::new(spec, Operand::Private { owner: Party::Client, values }, None)?;
    p.linear(&layer, &answers)
}

/// The distance of each output from its label; and whether it is at most `tolerance`, in units.
pub(super) fn distances<P: Protocol>(
    p: &mut P,
    card: &Card,
    outputs: &P::Arith,
    targets: Option<&[i64]>,
    [samples, tolerance]: [u64; 2],
) -> Result<(P::Arith, P::Bool)> {
    let ring = distance_ring(card, samples)?;
    let outputs = p.extend(outputs, ring, Signedness::Signed)?;
    let targets = targets.map(|t| RingVec::from_signed(ring, t));
    let targets = p.input(Party::Client, ring, outputs.len(), targets.as_ref())?;
    let difference = p.sub(&outputs, &targets);
    let n = difference.len();
    let both = P::Arith::concat(&[&difference, &p.neg(&difference)]);
    let parts = p.relu(&both, ring)?;
    let distance = p.add(&parts.slice(0..n), &parts.slice(n..2 * n));
    let bound = p.public(&RingVec::new(ring, vec![tolerance; n]));
    let beyond = p.less_than_near(&bound, &distance)?;
    Ok((distance, p.not(&beyond)))
}

/// Labels that are numbers are below 2^20 in absolute value.
pub(super) const NUMBER_BITS: u32 = 20;

/// The ring of distances and their sum.
fn distance_ring(card: &Card, samples: u64) -> Result<Width> {
    let bits = card.steps[card.output].bound.bits.max(card.frac_bits + NUMBER_BITS);
    // A distance is at most 2^(bits+1), and the sum of all of them must not look negative.
    let needed = bits + 1 + (u64::BITS - samples.leading_zeros()) + 1;
    Width::try_new(needed)
        .map_err(|_| Error::usage(format!("a sum of {samples} distances needs a ring of {needed} bits")))
}
