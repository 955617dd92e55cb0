//! What the data owner brings to a validation.

use super::{classes, metrics};
use crate::card::Card;
use crate::fixed;
use crate::npy::Array;
use core::ops::Range;
use ezpc_core::{Error, Result};
use sha2::{Digest, Sha256};

/// The data owner's side: samples in fixed point and their labels, checked.
pub struct Data {
    pub(super) samples: Vec<i64>,
    labels: Labels,
}

enum Labels {
    Classes(Vec<u64>),
    /// In fixed point.
    Numbers(Vec<i64>),
}

impl core::fmt::Debug for Data {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Data({} samples)", self.len())
    }
}

impl Data {
    /// Checks samples and labels, which are indices of classes, against the card.
    pub fn new(card: &Card, samples: &Array, labels: &Array) -> Result<Self> {
        let (samples, count) = (encode_samples(card, samples)?, samples.shape[0]);
        one_each(labels, count)?;
        Ok(Self { samples, labels: Labels::Classes(labels.to_labels(classes(card))?) })
    }

    /// Checks samples and labels, which are numbers, against the card.
    pub fn with_numbers(card: &Card, samples: &Array, labels: &Array) -> Result<Self> {
        let (samples, count) = (encode_samples(card, samples)?, samples.shape[0]);
        one_each(labels, count)?;
        let most = (1 << (metrics::NUMBER_BITS + card.frac_bits)) - 1;
        let labels = fixed::encode_checked(&labels.to_f64(), &labels.shape, [-most, most], card.frac_bits)
            .map_err(|e| e.context("labels"))?;
        Ok(Self { samples, labels: Labels::Numbers(labels) })
    }

    /// The number of samples.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.labels {
            Labels::Classes(labels) => labels.len(),
            Labels::Numbers(labels) => labels.len(),
        }
    }

    /// SHA-256 of samples and labels: for the owner's own journal, since a guess of the data could be checked with it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for sample in &self.samples {
            hash.update(sample.to_le_bytes());
        }
        match &self.labels {
            Labels::Classes(labels) => labels.iter().for_each(|l| hash.update(l.to_le_bytes())),
            Labels::Numbers(labels) => labels.iter().for_each(|l| hash.update(l.to_le_bytes())),
        }
        hash.finalize().into()
    }

    /// Whether there is no sample.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn classes(&self, range: Range<usize>) -> Option<&[u64]> {
        match &self.labels {
            Labels::Classes(labels) => labels.get(range),
            Labels::Numbers(_) => None,
        }
    }

    pub(super) fn numbers(&self, range: Range<usize>) -> Option<&[i64]> {
        match &self.labels {
            Labels::Numbers(labels) => labels.get(range),
            Labels::Classes(_) => None,
        }
    }
}

fn one_each(labels: &Array, count: usize) -> Result<()> {
    match labels.shape.as_slice() {
        [n] | [n, 1] if *n == count => Ok(()),
        shape => Err(Error::usage(format!("labels of shape {shape:?} for {count} samples"))),
    }
}

/// Samples in fixed point, checked against the card's shape and range.
pub fn encode_samples(card: &Card, samples: &Array) -> Result<Vec<i64>> {
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
