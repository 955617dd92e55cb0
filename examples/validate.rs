//! Is the vendor's model good enough on the hospital's data? Both learn the verdict, and nothing else: not the
//! model, not the data, not one prediction, not even how many of them are right.
//!
//! ```sh
//! cargo run --release --example validate
//! cargo run --release --example validate -- --threshold 0.99
//! ```
//!
//! On two machines, each with its own files:
//!
//! ```sh
//! validate --role server --listen 127.0.0.1:7000 --model model.onnx --input-range 0,1
//! validate --role client --connect 127.0.0.1:7000 --images images.npy --labels labels.npy
//! ```

use clap::{Parser, ValueEnum};
use core::ops::ControlFlow;
use ezpc_core::{Error, Party, Result};
use ezpc_examples::model::{ModelArgs, load_array, load_samples, parse_count};
use ezpc_examples::{Common, Connection, Example, Report, Ui};
use ezpc_ml::graph::compile::Model;
use ezpc_ml::npy::Array;
use ezpc_ml::validate::{Data, Opens, Request, Threshold, validate};
use std::path::PathBuf;
use std::process::ExitCode;

/// Validates a private model on private data.
#[derive(Parser)]
struct Validate {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    model: ModelArgs,

    /// The client's samples, .npy of [N, …] or a .csv table.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits_images.npy"))]
    images: PathBuf,

    /// The client's labels, .npy of [N] or a .csv table of one column.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits_labels.npy"))]
    labels: PathBuf,

    /// The share of right answers that the model must reach, a decimal number; the same at both parties.
    #[arg(long, default_value = "0.95")]
    threshold: Threshold,

    /// What is opened; `accuracy` only when both parties say so.
    #[arg(long, value_enum, default_value_t = Reveal::Verdict)]
    reveal: Reveal,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reveal {
    Verdict,
    Accuracy,
}

/// What a party brings along.
enum Input {
    Vendor(Box<Model>),
    Hospital(Array, Array),
}

impl Example for Validate {
    type Input = Input;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, party: Party) -> Result<Input> {
        Ok(match party {
            Party::Server => Input::Vendor(Box::new(self.model.compile()?)),
            Party::Client => {
                let (samples, labels) = (
                    load_samples(&self.images, self.model.normalise.as_deref())?,
                    load_array(&self.labels, None)?,
                );
                if labels.len() != samples.shape[0] {
                    let (n, place) = (samples.shape[0], self.labels.display());
                    return Err(Error::usage(format!("{place}: {} labels for {n} samples", labels.len())));
                }
                Input::Hospital(samples, labels)
            }
        })
    }

    fn run(&self, input: Input, connection: Connection, ui: &Ui) -> Result<Report> {
        let opens = match self.reveal {
            Reveal::Verdict => Opens::Verdict,
            Reveal::Accuracy => Opens::Accuracy,
        };
        // The handshake compares it and names the difference.
        let program = format!("validate threshold {}, opens {opens:?}", self.threshold);
        let mut p = connection.session(&program)?;
        let (model, public) = match &input {
            Input::Vendor(model) => (Some(&**model), String::new()),
            Input::Hospital(samples, _) => (None, format!("samples={}", samples.shape[0])),
        };
        let (card, public) = self.model.exchange(&mut p, model, &public, ui)?;
        let data = match &input {
            Input::Vendor(_) => None,
            Input::Hospital(samples, labels) => Some(Data::new(&card, samples, labels)?),
        };
        let mut request =
            Request::new(&card, parse_count(&public)?, self.threshold.clone(), self.model.memory_bytes());
        request.opens = opens;

        let progress = ui.progress((card.steps.len() * request.samples.div_ceil(request.batch)) as u64);
        let weights = model.map(|m| &m.weights);
        let outcome = validate(&mut p, &card, weights, data.as_ref(), &request, &mut |at| {
            progress.set_message(at.name.to_owned());
            progress.inc(1);
            ControlFlow::Continue(())
        })?;

        let verdict = if outcome.verdict { "good enough" } else { "not good enough" };
        let mut report = Report::new(p.stats())
            .line(format!(
                "the model is {verdict}: {} of {} samples right or more were asked for",
                request.threshold.need(request.samples as u64),
                request.samples
            ))
            .field("verdict", outcome.verdict)
            .field("samples", request.samples)
            .field("threshold", request.threshold.to_string())
            .field("card_sha256", card.sha256_hex());
        if let Some(correct) = outcome.correct {
            report =
                report.line(format!("{correct} of {} are right", request.samples)).field("correct", correct);
        }
        p.close()?;
        Ok(report)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Validate>()
}
