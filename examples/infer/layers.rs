//! What each layer of a run is far from what it should be.

use ezpc_core::protocol::{Cleartext, Protocol, Reveal, ShareVec, TwoParty};
use ezpc_core::{Error, Party, Result};
use ezpc_examples::Report;
use ezpc_ml::card::Card;
use ezpc_ml::graph::compile::Model;
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::oracle::Distance;
use ezpc_ml::tensor::Tensor;

type Arith = <TwoParty as Protocol>::Arith;

/// The largest distance of each step from the oracle, at the client of a debugging run.
pub(super) struct Debug {
    /// Of every batch and step, what the oracle says; at the client.
    oracle: Vec<Vec<Vec<i64>>>,
    batch: usize,
    /// In ulp.
    largest: Vec<u64>,
}

impl Debug {
    /// At the client, which runs the model in the clear ahead; the server only takes part.
    pub(super) fn new(model: Option<&Model>, card: &Card, input: &[i64], batch: usize) -> Result<Self> {
        let mut oracle = Vec::new();
        if let Some(model) = model {
            let wide = model.card.widened();
            let mut p = Cleartext::new();
            let mut executor = Executor::new(&p, &wide, Some(&model.weights))?;
            for part in input.chunks(batch * card.input_len()) {
                let mut values = vec![Vec::new(); card.steps.len()];
                let now = part.len() / card.input_len();
                let mut keep = |_: &mut Cleartext, i: usize, value: &Tensor<_>| {
                    values[i] =
                        Cleartext::new().in_clear(value.data()).map_or_else(Vec::new, |v| v.to_signed());
                    Ok(())
                };
                executor.run_observed(&mut p, now, Some(part), &mut unwatched, [0, now], &mut keep)?;
                oracle.push(values);
            }
        }
        Ok(Self { oracle, batch: 0, largest: vec![0; card.steps.len()] })
    }

    /// Opens the value of step `i` to the client, which compares.
    pub(super) fn observe(&mut self, p: &mut TwoParty, i: usize, value: &Tensor<Arith>) -> Result<()> {
        p.scope("opened for debugging");
        let opened = p.reveal(value.data(), Reveal::To(Party::Client))?;
        // Step 0 is the input: a batch begins with it.
        self.batch += usize::from(i == 0);
        if let (Some(opened), Some(batch)) = (opened, self.oracle.get(self.batch - 1)) {
            let width = value.data().width();
            let off = |(&v, &want): (&u64, &i64)| {
                width.signed(width.wrap(v.wrapping_sub(width.from_signed(want)))).unsigned_abs()
            };
            let most = opened.lanes().iter().zip(&batch[i]).map(off).max().unwrap_or(0);
            self.largest[i] = self.largest[i].max(most);
        }
        Ok(())
    }

    /// Brings the distances to the server, who prints them.
    pub(super) fn report(&self, p: &mut TwoParty, card: &Card, report: Report) -> Result<Report> {
        let mine = self.largest.iter().flat_map(|v| v.to_le_bytes()).collect();
        let client = p.party() == Some(Party::Client);
        let mine = if client { mine } else { Vec::new() };
        let theirs = p.exchange_public("the distances of layers", mine, 8 * card.steps.len())?;
        if client {
            return Ok(report);
        }
        let (theirs, []) = theirs.as_chunks() else { return Err(Error::peer("distances of layers")) };
        let head =
            format!("{:<40} {:<10} {:>5}  largest distance from the oracle, ulp", "layer", "step", "width");
        let lines = card.steps.iter().zip(theirs).map(|(step, bytes)| {
            let ulp = u64::from_le_bytes(*bytes);
            format!("{:<40} {:<10} {:>5}  {ulp}", step.name, step.op.name(), step.width.bits())
        });
        Ok(lines.fold(report.line(head), Report::line))
    }
}

/// A line for each layer of a run in the clear.
pub(super) fn against_floating_point(card: &Card, distances: &[Option<Distance>]) -> String {
    let mut text = format!(
        "{:<40} {:<10} {:>5} {:>5} {:>10} {:>10} {:>10} {:>9}\n",
        "layer", "step", "width", "bound", "size", "usual", "largest", "of size"
    );
    for (step, distance) in card.steps.iter().zip(distances) {
        let Some(d) = distance else { continue };
        text += &format!(
            "{:<40} {:<10} {:>5} {:>5} {:>10.4} {:>10.6} {:>10.6} {:>8.3}%\n",
            step.name,
            step.op.name(),
            step.width.bits(),
            step.bound.bits,
            d.size,
            d.usual,
            d.largest,
            100.0 * d.usual / d.size.max(f64::MIN_POSITIVE)
        );
    }
    text
}
