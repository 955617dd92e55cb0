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

use clap::Parser;
use core::ops::ControlFlow;
use ezpc_core::transport::Stats;
use ezpc_core::{Error, Party, Result};
use ezpc_examples::model::{ModelArgs, load_array, load_samples, parse_count};
use ezpc_examples::{Common, Connection, Example, Report, Ui};
use ezpc_ml::card::Card;
use ezpc_ml::graph::compile::{Model, Weights};
use ezpc_ml::npy::Array;
use ezpc_ml::validate::{Data, Journal, Opens, Outcome, Request, Threshold, validate_resumably};
use std::path::{Path, PathBuf};
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
    #[arg(long, default_value = "0.95", allow_negative_numbers = true)]
    threshold: Threshold,

    /// What is opened besides the verdict, only when both parties say the same: any of accuracy, top5, confusion, auc and
    /// mae (mean absolute error, with `--tolerance`), separated by commas.
    #[arg(long, value_name = "LIST", default_value = "verdict")]
    reveal: Opens,

    /// The model and the labels are numbers, not classes: an answer is right when it is off by no more than this; the same
    /// at both parties.
    #[arg(long, value_name = "NUMBER")]
    tolerance: Option<f64>,

    /// How many samples run together; as many as the memory allows by default, and at most 8 with a journal. The same at
    /// both parties.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,

    /// This party's journal, to whose name the party's is appended: when both parties start again with theirs, the run goes
    /// on after the last finished batch. The two files together are the number of right answers: keep each with its
    /// party.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Write what was opened and what it cost as a page of HTML.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
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

    fn page(&self) -> Option<&Path> {
        self.report.as_deref()
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
        let party = connection.party();
        // The handshake compares it and names the difference.
        let mut program = format!("validate threshold {}, opens {}", self.threshold, self.reveal);
        if let Some(tolerance) = self.tolerance {
            program += &format!(", tolerance {tolerance}");
        }
        let mut p = connection.session(&program)?;
        let (model, public) = match &input {
            Input::Vendor(model) => (Some(&**model), String::new()),
            Input::Hospital(samples, _) => (None, format!("samples={}", samples.shape[0])),
        };
        let (card, public) = self.model.exchange(&mut p, model, &public, ui)?;
        let data = match &input {
            Input::Vendor(_) => None,
            Input::Hospital(samples, labels) if self.tolerance.is_some() => {
                Some(Data::with_numbers(&card, samples, labels)?)
            }
            Input::Hospital(samples, labels) => Some(Data::new(&card, samples, labels)?),
        };
        let mut request =
            Request::new(&card, parse_count(&public)?, self.threshold.clone(), self.model.memory_bytes());
        request.opens = self.reveal;
        if let Some(tolerance) = self.tolerance {
            request = request.within(&card, tolerance)?;
        }
        let most = if self.journal.is_some() { request.batch.min(8) } else { request.batch };
        request.batch = self.batch.map_or(most, |b| (b as usize).min(request.samples));

        let progress = ui.progress((card.steps.len() * request.samples.div_ceil(request.batch)) as u64);
        let weights = model.map(|m| &m.weights);
        let random = &mut || getrandom::u64().map_err(|e| Error::usage(format!("no randomness: {e}")));
        let input = data.as_ref().map(Data::sha256).or(weights.map(Weights::sha256)).unwrap_or_default();
        let journal = self.journal.as_ref().map(|path| {
            let mut path = path.clone().into_os_string();
            path.push(format!(".{party}"));
            Journal::open(Path::new(&path), party, &request.shape(&card), input, random)
        });
        let mut journal = journal.transpose()?;
        let mut first = None;
        let outcome = validate_resumably(
            &mut p,
            &card,
            weights,
            data.as_ref(),
            &request,
            &mut |at| {
                let start = *first.get_or_insert(at.samples);
                if at.step[0] == 0 && at.samples == start && start > 0 {
                    progress.set_position((card.steps.len() * start.div_ceil(request.batch)) as u64);
                    progress.reset_eta();
                    ui.note(&format!("going on after {start} of {} samples", at.total));
                }
                progress.set_message(at.name.to_owned());
                progress.inc(1);
                ControlFlow::Continue(())
            },
            journal.as_mut(),
        )?;

        let mut report = self.tell(p.stats(), &card, &request, &outcome);
        if self.journal.is_some() {
            report = report.field("resumed_at", first.unwrap_or(request.samples));
        }
        p.close()?;
        Ok(report)
    }
}

impl Validate {
    fn tell(&self, stats: &Stats, card: &Card, request: &Request, outcome: &Outcome) -> Report {
        let (n, need) = (request.samples, request.threshold.need(request.samples as u64));
        let (verdict, than) = match outcome.verdict {
            true => ("good enough", "at least"),
            false => ("not good enough", "fewer than"),
        };
        let mut report = Report::new(stats)
            .layers(card)
            .line(format!("the model is {verdict}: {than} {need} of its {n} answers are right"))
            .field("verdict", outcome.verdict)
            .field("samples", n)
            .field("threshold", request.threshold.to_string())
            .field("card_sha256", card.sha256_hex())
            .opened("verdict", verdict, "one bit")
            .fact("samples", n.to_string())
            .fact("threshold", request.threshold.to_string())
            .fact("model", card.name.clone())
            .fact("model card, SHA-256", card.sha256_hex())
            .fact("fractional bits", card.frac_bits.to_string());
        if let Some(tolerance) = self.tolerance {
            report = report.field("tolerance", tolerance).fact("tolerance", tolerance.to_string());
        }
        let figures = &outcome.figures;
        let share = |count: u64| format!("{:.2} %", 100.0 * count as f64 / n as f64);
        for (name, title, count) in
            [("correct", "accuracy", figures.correct), ("top5", "top-5 accuracy", figures.top5)]
        {
            if let Some(count) = count {
                report = report
                    .line(format!("{title}: {count} of {n} are right, {}", share(count)))
                    .field(name, count)
                    .opened(title, share(count), format!("the count {count}"));
            }
        }
        if let Some(auc) = figures.auc {
            let value =
                auc.value().map_or("undefined, all labels are equal".to_owned(), |v| format!("{v:.6}"));
            let pairs = format!(
                "{} of {} half pairs in order",
                auc.twice_concordant,
                2 * auc.positives * auc.negatives
            );
            report = report
                .line(format!("area under the ROC curve: {value}, {pairs}"))
                .field("auc", auc.value())
                .field("auc_twice_concordant", auc.twice_concordant)
                .field("positives", auc.positives)
                .opened("area under the ROC curve", value, format!("{pairs}, {} positives", auc.positives));
        }
        if let (Some(mean), Some(sum)) = (figures.mean_error(n), figures.error) {
            report = report.line(format!("mean absolute error: {mean:.6}")).field("mae", mean).opened(
                "mean absolute error",
                format!("{mean:.6}"),
                format!("the sum {sum}/2^{}", figures.error_bits),
            );
        }
        if let Some(confusion) = &figures.confusion {
            let cells = format!("{} counts", confusion.len() * confusion.len());
            report = report
                .field("confusion", confusion.clone())
                .opened("confusion matrix", "below", cells)
                .matrix("Confusion matrix", confusion.clone());
            for (label, row) in confusion.iter().enumerate() {
                let counts: Vec<String> = row.iter().map(|count| format!("{count:>6}")).collect();
                report = report.line(format!("label {label:>3}: {}", counts.join("")));
            }
        }
        report
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Validate>()
}
