//! The area under the ROC curve, exactly: how many pairs of a positive and a negative sample the model puts in order.
//!
//! With ranks from sorting, that is Mann and Whitney's statistic: when the samples stand in ascending order of their
//! scores and position t (from 0) holds the label y_t, the pairs in order are Σ t·y_t - P(P-1)/2 for P positives, a sum
//! of shares by public factors. Ties count half: the samples are sorted twice, by 2s + y, where a positive stands
//! behind the negatives of its score, and by 2s + (1 - y), where it stands before them, and the mean of both counts is
//! taken. The label is the last bit of the key, so keys are all that is sorted.
//!
//! The sorts are Batcher's odd-even merge sort with about n·log²(n)/4 comparisons and as many selections each, both at
//! once, in log(n)·(log(n)+1)/2 layers. Opened are the number of positives and twice the number of pairs in order,
//! nothing of any sample.

use super::metrics::opened;
use crate::card::Card;
use crate::tensor::Tensor;
use ezpc_core::protocol::{ShareVec, Signedness};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Error, Protocol, Result};

/// The area under the ROC curve as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a fraction and the counts that it is made of")]
pub struct Auc {
    /// Twice the pairs of a positive and a negative sample in order; pairs of equal scores count once.
    pub twice_concordant: u64,
    /// Samples of class 1.
    pub positives: u64,
    /// Samples of class 0.
    pub negatives: u64,
}

impl Auc {
    /// The area; `None` when all samples are of one class.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let pairs = self.positives as f64 * self.negatives as f64;
        (pairs > 0.0).then(|| self.twice_concordant as f64 / (2.0 * pairs))
    }
}

/// The bits of a score, sign included: an output, or the difference of two.
fn score_bits(card: &Card) -> u32 {
    let bits = card.steps[card.output].bound.bits + 1;
    if card.output_len() == 1 { bits } else { bits + 1 }
}

/// The ring of keys: one bit more for the label and one for differences of keys.
pub(super) fn key_ring(card: &Card) -> Result<Width> {
    let bits = score_bits(card) + 2;
    Width::try_new(bits).map_err(|_| Error::usage(format!("auc needs a ring of {bits} bits")))
}

/// The score of each sample: how far class 1 is ahead of class 0.
pub(super) fn scores<P: Protocol>(p: &mut P, outputs: &Tensor<P::Arith>, ring: Width) -> Result<P::Arith> {
    let x = outputs.data();
    let wide = if x.width() < ring { p.extend(x, ring, Signedness::Signed)? } else { p.reduce(x, ring) };
    let n = outputs.batch();
    if wide.len() == n {
        return Ok(wide);
    }
    let column = |j: usize| wide.gather(&(0..n).map(|i| 2 * i + j).collect::<Vec<_>>());
    Ok(p.sub(&column(1), &column(0)))
}

/// Sorts and counts; `positives` are the labels in the ring of the scores.
pub(super) fn area<P: Protocol>(
    p: &mut P,
    scores: &P::Arith,
    positives: &P::Arith,
    samples: usize,
) -> Result<Auc> {
    let (ring, n) = (scores.width(), samples);
    let doubled = p.scale(scores, &[2]);
    let one = RingVec::new(ring, vec![1]);
    let behind = p.add(&doubled, positives);
    let before = p.add_public(&p.sub(&doubled, positives), &one);
    let sorted = sort(p, P::Arith::concat(&[&behind, &before]), n)?;
    // The last bit of a key: its label, or the contrary in the second half.
    let last = p.msb(&p.reduce(&sorted, Width::W1))?;
    let pair_ring = Width::new((2 * (usize::BITS - n.leading_zeros()) + 2).min(64));
    let last = p.bit_to_arith(&last, pair_ring)?;
    let labels = P::Arith::concat(&[
        &last.slice(0..n),
        &p.add_public(&p.neg(&last.slice(n..2 * n)), &RingVec::new(pair_ring, vec![1])),
    ]);
    let ranks: Vec<u64> = (0..2 * n).map(|i| (i % n) as u64).collect();
    let ranked = super::sum(p, p.scale(&labels, &ranks));
    let count = super::sum(p, labels.slice(0..n));
    let values = opened(p, &P::Arith::concat(&[&count, &ranked]))?;
    let (positives, ranked) = (values[0], values[1]);
    // Both halves count the pairs of positives. The peer's share is in what was opened.
    let negatives = (n as u64).checked_sub(positives);
    let twice_concordant =
        positives.checked_mul(positives.saturating_sub(1)).and_then(|pairs| ranked.checked_sub(pairs));
    match (twice_concordant, negatives) {
        (Some(twice_concordant), Some(negatives))
            if u128::from(twice_concordant) <= 2 * u128::from(positives) * u128::from(negatives) =>
        {
            Ok(Auc { twice_concordant, positives, negatives })
        }
        _ => Err(Error::peer("the opened area under the curve is none that these many samples can have")),
    }
}

/// Sorts each run of `n` elements in ascending order, all runs at once.
fn sort<P: Protocol>(p: &mut P, mut x: P::Arith, n: usize) -> Result<P::Arith> {
    let runs = x.len() / n;
    for layer in network(n) {
        let at = |upper: bool| -> Vec<usize> {
            let pick = |&(a, b): &(usize, usize)| if upper { b } else { a };
            (0..runs).flat_map(|r| layer.iter().map(move |pair| r * n + pick(pair))).collect()
        };
        let (low, high) = (at(false), at(true));
        let (a, b) = (x.gather(&low), x.gather(&high));
        let swap = p.less_than_near(&b, &a)?;
        let moved = p.select(&swap, &p.sub(&b, &a))?;
        let (a, b) = (p.add(&a, &moved), p.sub(&b, &moved));
        // Untouched elements stay in their places.
        let mut places: Vec<usize> = (0..x.len()).collect();
        for (k, (&l, &h)) in low.iter().zip(&high).enumerate() {
            places[l] = x.len() + k;
            places[h] = x.len() + low.len() + k;
        }
        x = P::Arith::concat(&[&x, &a, &b]).gather(&places);
    }
    Ok(x)
}

/// Batcher's odd-even merge sort for `n` elements, layer by layer: pairs of which the first shall hold the smaller.
///
/// For the next power of two the absent elements at the end would be larger than all others, so that the pairs that
/// touch them never swap and are left out.
fn network(n: usize) -> Vec<Vec<(usize, usize)>> {
    let size = n.next_power_of_two();
    let mut layers = Vec::new();
    let mut run = 1;
    while run < size {
        let mut step = run;
        while step > 0 {
            let mut layer = Vec::new();
            let first = step % run;
            for start in (first..size.saturating_sub(step)).step_by(2 * step) {
                for a in start..(start + step).min(size - step) {
                    let b = a + step;
                    // Both in one run of the next size.
                    if a / (2 * run) == b / (2 * run) && b < n {
                        layer.push((a, b));
                    }
                }
            }
            if !layer.is_empty() {
                layers.push(layer);
            }
            step /= 2;
        }
        run *= 2;
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_sorts_every_sequence_of_zeros_and_ones() {
        // Which suffices for all sequences; and no element is in two pairs of a layer.
        for n in 1..=13_usize {
            let layers = network(n);
            for layer in &layers {
                let mut seen: Vec<usize> = layer.iter().flat_map(|&(a, b)| [a, b]).collect();
                seen.sort_unstable();
                seen.dedup();
                assert_eq!(seen.len(), 2 * layer.len());
            }
            for bits in 0..1_u32 << n {
                let mut x: Vec<u32> = (0..n).map(|i| bits >> i & 1).collect();
                for &(a, b) in layers.iter().flatten() {
                    if x[b] < x[a] {
                        x.swap(a, b);
                    }
                }
                assert!(x.is_sorted(), "{n} elements, {bits:b}");
            }
        }
    }
}
