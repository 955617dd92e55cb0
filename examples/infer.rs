//! What does the vendor's model say about the client's samples? The client learns the model's outputs, the vendor
//! learns nothing.
//!
//! ```sh
//! cargo run --release --example infer -- --output logits.npy
//! cargo run --release --example infer -- --backend cleartext --output oracle.npy
//! ```
//!
//! Numbers are opened with half of the fractional bits of `--frac-bits`: the others show how layers rounded, which depends
//! on shares (SECURITY.md, rounded values).
//!
//! With `--backend cleartext` one process computes the same fixed-point program without any protection: the oracle
//! to compare with. Its `--layers` says what each layer's fixed point loses against floating point.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

#[path = "infer/layers.rs"]
mod layers;

use clap::{Parser, ValueEnum};
use core::ops::ControlFlow;
use ezpc_core::protocol::{Cleartext, TwoParty};
use ezpc_core::{Error, Party, Result};
use ezpc_examples::model::{ModelArgs, load_samples, parse_count};
use ezpc_examples::{Common, Connection, Example, Report, Role, Ui};
use ezpc_ml::card::Card;
use ezpc_ml::csv;
use ezpc_ml::graph::compile::Model;
use ezpc_ml::graph::exec::{Progress, batch_size, unwatched};
use ezpc_ml::graph::oracle;
use ezpc_ml::infer::{infer, infer_observed};
use ezpc_ml::npy::{Array, write_whole};
use ezpc_ml::tensor::Tensor;
use ezpc_ml::validate::encode_samples;
use layers::Debug;
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

    /// A line for each layer. In the clear: its ring, the size of its values and how far they are from floating point. Between
    /// two parties, for debugging and with `--role both` alone: how far its values are from the oracle's. That opens all of
    /// them, and both processes read the model.
    #[arg(long)]
    layers: bool,

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
    /// And the model, in a debugging run.
    Client(Array, Option<Box<Model>>),
}

impl Infer {
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
        let (graph, model) = self.model.compile_with_graph()?;
        let samples = load_samples(&self.input, self.model.normalise.as_deref())?;
        let input = encode_samples(&model.card, &samples)?;
        if self.layers {
            let distances = oracle::distances(&model, &graph, &samples.to_f64())?;
            eprint!("{}", layers::against_floating_point(&model.card, &distances));
        }
        let count = samples.shape[0];
        let shape = [count, self.batch(&model.card, count)];
        let mut p = Cleartext::new();
        // In rings that nothing overflows, so that a value beyond its bound shows.
        let card = model.card.widened();
        let outputs = infer(&mut p, &card, Some(&model.weights), Some(&input), shape, &mut unwatched)?;
        self.save(outputs.as_ref())?;
        Ok(count)
    }
}

impl Example for Infer {
    type Input = Input;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, party: Party) -> Result<Input> {
        if self.layers && self.common.role != Role::Both && !self.common.second {
            return Err(Error::usage(
                "--layers opens everything: it takes both parties on one machine, --role both",
            ));
        }
        Ok(match party {
            Party::Server => Input::Vendor(Box::new(self.model.compile()?)),
            Party::Client => {
                let samples = load_samples(&self.input, self.model.normalise.as_deref())?;
                Input::Client(samples, self.layers.then(|| self.model.compile().map(Box::new)).transpose()?)
            }
        })
    }

    fn run(&self, input: Input, connection: Connection, ui: &Ui) -> Result<Report> {
        let mut p = connection.session("infer")?;
        let (model, public) = match &input {
            Input::Vendor(model) => (Some(&**model), String::new()),
            Input::Client(samples, _) => (None, format!("samples={}", samples.shape[0])),
        };
        let (card, public) = self.model.exchange(&mut p, model, &public, ui)?;
        let samples = match &input {
            Input::Vendor(_) => None,
            Input::Client(samples, _) => Some(encode_samples(&card, samples)?),
        };
        let count = parse_count(&public)?;
        let batch = self.batch(&card, count);
        let progress = ui.progress((card.steps.len() * count.div_ceil(batch)) as u64);
        let weights = model.map(|m| &m.weights);
        let mut watch = |at: &Progress<'_>| {
            progress.set_message(at.name.to_owned());
            progress.inc(1);
            ControlFlow::Continue(())
        };
        let seen = match &input {
            Input::Client(_, seen) => seen.as_deref(),
            Input::Vendor(_) => None,
        };
        let mut debug = self
            .layers
            .then(|| Debug::new(seen, &card, samples.as_deref().unwrap_or_default(), batch))
            .transpose()?;
        let mut observe = |p: &mut TwoParty, i: usize, value: &Tensor<_>| match &mut debug {
            Some(debug) => debug.observe(p, i, value),
            None => Ok(()),
        };
        let shape = [count, batch];
        let outputs =
            infer_observed(&mut p, &card, weights, samples.as_deref(), shape, &mut watch, &mut observe)?;
        let mut report = Report::new(p.stats())
            .line(format!("{count} samples, {} outputs each", card.output_len()))
            .field("samples", count)
            .layers(&card)
            .field("card_sha256", card.sha256_hex());
        if let Some(debug) = debug {
            report = debug.report(&mut p, &card, report)?;
        }
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
