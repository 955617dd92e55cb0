//! What does the vendor's model say about the client's samples? The client learns the model's outputs, the vendor
//! learns nothing.
//!
//! ```sh
//! cargo run --release --example infer -- --output logits.npy
//! cargo run --release --example infer -- --backend cleartext --output oracle.npy
//! ```
//!
//! With `--backend cleartext` one process computes the same fixed-point program without any protection: the oracle
//! to compare with.

use clap::{Parser, ValueEnum};
use core::ops::ControlFlow;
use ezpc_core::protocol::{Cleartext, Reveal, ShareVec};
use ezpc_core::ring::RingVec;
use ezpc_core::{Party, Protocol, Result};
use ezpc_examples::model::{ModelArgs, load_samples, parse_count};
use ezpc_examples::{Common, Connection, Example, Report, Ui};
use ezpc_ml::card::Card;
use ezpc_ml::graph::Decision;
use ezpc_ml::graph::compile::{Model, Weights};
use ezpc_ml::graph::exec::{Executor, Watch, batch_size};
use ezpc_ml::kernels::pool;
use ezpc_ml::npy::{Array, Elements, write_whole};
use ezpc_ml::validate::{class_width, encode_samples};
use ezpc_ml::{csv, fixed};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a private model on private samples; the client learns the outputs.
#[derive(Parser)]
struct Infer {
    #[command(flatten)]
    common: Common,

    #[command(flatten)]
    model: ModelArgs,

    /// The client's samples, .npy of [N, …] or a .csv table.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits_images.npy"))]
    input: PathBuf,

    /// Where the client writes the outputs: .csv, or .npy of float32, or of int64 for a model that ends in an argmax.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// What computes.
    #[arg(long, value_enum, default_value_t = Backend::TwoParty)]
    backend: Backend,

    /// How many samples run together; as many as the memory allows by default.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// The two-party protocol between two processes.
    TwoParty,
    /// No protection: one process, plain integers.
    Cleartext,
}

/// What a party brings along.
enum Input {
    Vendor(Box<Model>),
    Client(Array),
}

impl Infer {
    /// Runs all samples; the outputs, at the client.
    fn outputs<P: Protocol>(
        &self,
        p: &mut P,
        card: &Card,
        weights: Option<&Weights>,
        samples: Option<&[i64]>,
        [count, batch]: [usize; 2],
        watch: &mut Watch<'_>,
    ) -> Result<Option<Array>> {
        let size = card.input_len();
        let mut executor = Executor::new(p, card, weights)?;
        let mut outputs = Vec::with_capacity(count * card.output_len());
        let mut mine = false;
        for start in (0..count).step_by(batch) {
            let now = batch.min(count - start);
            let part = samples.map(|s| &s[start * size..(start + now) * size]);
            let y = executor.run(p, now, part, watch, [start, count])?;
            let y = match card.decision {
                Decision::ArgMax => pool::argmax(p, &y, class_width(card))?,
                _ => y.into_data(),
            };
            if let Some(values) = p.reveal(&y, Reveal::To(Party::Client))? {
                mine = true;
                outputs.extend(in_units(card, &values));
            }
            debug_assert!(ShareVec::len(&y) > 0, "a batch has samples");
        }
        Ok(mine.then(|| array(card, count, &outputs)))
    }

    fn batch(&self, card: &Card, count: usize) -> usize {
        let most = batch_size(card, count, self.model.memory_bytes());
        self.batch.map_or(most, |b| (b as usize).min(count))
    }

    fn save(&self, outputs: Option<&Array>) -> Result<()> {
        match (&self.output, outputs) {
            (Some(path), Some(array)) if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) => {
                let columns = (array.len() / array.shape[0].max(1)).max(1);
                let names: Vec<String> = (0..columns).map(|i| format!("output{i}")).collect();
                write_whole(path, csv::write(&names, &array.to_f64()).as_bytes())
            }
            (Some(path), Some(array)) => array.save(path),
            _ => Ok(()),
        }
    }

    fn cleartext(&self) -> Result<usize> {
        let model = self.model.compile()?;
        let samples = load_samples(&self.input, self.model.normalise.as_deref())?;
        let input = encode_samples(&model.card, &samples)?;
        let count = samples.shape[0];
        let shape = [count, self.batch(&model.card, count)];
        let mut p = Cleartext::new();
        let outputs =
            self.outputs(&mut p, &model.card, Some(&model.weights), Some(&input), shape, &mut |_| {
                ControlFlow::Continue(())
            })?;
        self.save(outputs.as_ref())?;
        Ok(count)
    }
}

/// Indices are not negative, values are signed.
fn in_units(card: &Card, values: &RingVec) -> Vec<i64> {
    match card.decision {
        Decision::ArgMax => values.lanes().iter().map(|&v| v as i64).collect(),
        _ => values.to_signed(),
    }
}

fn array(card: &Card, count: usize, outputs: &[i64]) -> Array {
    match card.decision {
        Decision::ArgMax => Array { shape: vec![count], data: Elements::Int64(outputs.to_vec()) },
        _ => {
            let shape = [&[count], card.steps[card.output].shape.as_slice()].concat();
            let values = outputs.iter().map(|&v| fixed::decode(v, card.frac_bits) as f32).collect();
            Array { shape, data: Elements::Float32(values) }
        }
    }
}

impl Example for Infer {
    type Input = Input;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, party: Party) -> Result<Input> {
        Ok(match party {
            Party::Server => Input::Vendor(Box::new(self.model.compile()?)),
            Party::Client => Input::Client(load_samples(&self.input, self.model.normalise.as_deref())?),
        })
    }

    fn run(&self, input: Input, connection: Connection, ui: &Ui) -> Result<Report> {
        let mut p = connection.session("infer")?;
        let (model, public) = match &input {
            Input::Vendor(model) => (Some(&**model), String::new()),
            Input::Client(samples) => (None, format!("samples={}", samples.shape[0])),
        };
        let (card, public) = self.model.exchange(&mut p, model, &public, ui)?;
        let samples = match &input {
            Input::Vendor(_) => None,
            Input::Client(samples) => Some(encode_samples(&card, samples)?),
        };
        let count = parse_count(&public)?;
        let batch = self.batch(&card, count);
        let shape = format!("infer card={} samples={count} batch={batch}", card.sha256_hex());
        p.agree("the inference's public shape", shape.as_bytes())?;
        let progress = ui.progress((card.steps.len() * count.div_ceil(batch)) as u64);
        let weights = model.map(|m| &m.weights);
        let outputs =
            self.outputs(&mut p, &card, weights, samples.as_deref(), [count, batch], &mut |at| {
                progress.set_message(at.name.to_owned());
                progress.inc(1);
                ControlFlow::Continue(())
            })?;
        let report = Report::new(p.stats())
            .line(format!("{count} samples, {} outputs each", card.output_len()))
            .field("samples", count)
            .field("card_sha256", card.sha256_hex());
        p.close()?;
        self.save(outputs.as_ref())?;
        Ok(report)
    }
}

#[allow(clippy::print_stdout, reason = "what a program prints is its result")]
fn main() -> ExitCode {
    match Infer::try_parse() {
        Ok(infer) if infer.backend == Backend::Cleartext => match infer.cleartext() {
            Ok(count) if infer.common.json => {
                println!("{{\"backend\": \"cleartext\", \"samples\": {count}}}");
                ExitCode::SUCCESS
            }
            Ok(count) => {
                println!("{count} samples in the clear, without any protection");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        },
        _ => ezpc_examples::main::<Infer>(),
    }
}
