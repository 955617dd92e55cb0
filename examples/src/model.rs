//! What the examples with a model share: the vendor compiles it, the data owner checks its card.

use crate::Ui;
use clap::Args;
use ezpc_core::protocol::TwoParty;
use ezpc_core::{Error, Result};
use ezpc_ml::card::{Card, Limits};
use ezpc_ml::csv::{Normalisation, Table};
use ezpc_ml::graph::compile::{Calibration, Model, Options, Unproved, calibrate, compile};
use ezpc_ml::graph::{Graph, passes};
use ezpc_ml::npy::Array;
use ezpc_ml::onnx;
use std::path::{Path, PathBuf};

/// The model that the examples run when the user names none.
const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/digits_cnn.onnx");

/// The flags about a model and its card.
#[derive(Args, Clone, Debug)]
pub struct ModelArgs {
    /// The vendor's model, an ONNX file.
    #[arg(long, value_name = "FILE", default_value = DIGITS)]
    pub model: PathBuf,

    /// Fractional bits of the input and the result (vendor).
    #[arg(long, value_name = "BITS", default_value_t = 12)]
    pub frac_bits: u32,

    /// The range of input values that the model takes (vendor); others are refused at the client.
    #[arg(long, value_name = "LOW,HIGH", default_value = "0,1", value_parser = range, allow_hyphen_values = true)]
    pub input_range: [f64; 2],

    /// Sample inputs, .npy: bounds that cannot be proved are taken from them, and reported (vendor).
    #[arg(long, value_name = "FILE")]
    pub calibrate: Option<PathBuf>,

    /// How many times larger than in the samples of `--calibrate` a value may become (vendor).
    #[arg(long, value_name = "FACTOR", default_value_t = 4.0, requires = "calibrate", value_parser = headroom)]
    pub headroom: f64,

    /// The bits of a value of the usual size in the samples of `--calibrate`: fewer are faster and less accurate, and
    /// what is opened depends more on shares. 0 gives all values `--frac-bits` fractional bits (vendor).
    #[arg(long, value_name = "BITS", default_value_t = 9, requires = "calibrate")]
    pub precision: u32,

    /// How much ReLUs and maxima may miss, as a part of the usual size of their operand in the samples of `--calibrate`:
    /// about what roundings miss at the default precision, for a quarter of the traffic less. 0 compares exactly; with
    /// more, numbers that are opened depend a little more on shares: SECURITY.md, Rounded values (vendor).
    #[arg(long, value_name = "PART", default_value_t = 0.015625, requires = "calibrate", value_parser = slack)]
    pub slack: f64,

    /// Clip values inside the protocol where no other bound can be proved (vendor).
    #[arg(long, requires = "calibrate", conflicts_with = "check_ranges")]
    pub clip: bool,

    /// For debugging: check inside the protocol that values keep the bounds of `--calibrate`. Both parties learn one bit
    /// for each checked layer, and the first layer that does not keep its bounds ends the run. Both must ask for it.
    #[arg(long)]
    pub check_ranges: bool,

    /// What the client does to the columns of a .csv table: lines of name,mean,deviation (client).
    #[arg(long, value_name = "FILE")]
    pub normalise: Option<PathBuf>,

    /// Show the network after each rewrite that changed it (vendor).
    #[arg(long)]
    pub show_passes: bool,

    /// Show the model card: all that the client learns of the model.
    #[arg(long)]
    pub show_card: bool,

    /// Go on only with the model card of this SHA-256 (client).
    #[arg(long, value_name = "HEX")]
    pub card_sha256: Option<String>,

    /// The most memory for the shares of one batch, in MiB; the same at both parties.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub memory: u32,
}

fn headroom(text: &str) -> Result<f64, String> {
    let factor = text.parse::<f64>().map_err(|_| format!("`{text}` is no number"))?;
    if (1.0..=1e6).contains(&factor) { Ok(factor) } else { Err("not from 1 to 1000000".to_owned()) }
}

fn slack(text: &str) -> Result<f64, String> {
    let part = text.parse::<f64>().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..1.0).contains(&part) { Ok(part) } else { Err("not from 0 to below 1".to_owned()) }
}

fn range(text: &str) -> Result<[f64; 2], String> {
    let (low, high) = text.split_once(',').ok_or("not two numbers with a comma in between")?;
    let number = |t: &str| t.trim().parse::<f64>().map_err(|_| format!("`{t}` is no number"));
    Ok([number(low)?, number(high)?])
}

impl ModelArgs {
    /// The bytes of shares that a batch may take.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        (self.memory as usize) << 20
    }

    /// The vendor's side: reads and compiles the model, and says on stderr what the user should know.
    pub fn compile(&self) -> Result<Model> {
        self.compile_with_graph().map(|(_, model)| model)
    }

    /// As [`ModelArgs::compile`], with the graph in floating point that was compiled.
    pub fn compile_with_graph(&self) -> Result<(Graph, Model)> {
        let import = onnx::load(&self.model)?;
        for notice in &import.notices {
            eprintln!("note: {notice}");
        }
        let graph = passes::optimise_watched(import.graph, &mut |pass, graph| {
            if self.show_passes {
                eprintln!("after {} ({}):\n{graph}", pass.name, pass.about);
            }
        });
        let calibration = self.calibrate.as_deref().map(|path| calibration(&graph, path)).transpose()?;
        let options = Options {
            frac_bits: self.frac_bits,
            input_range: self.input_range,
            calibration,
            headroom: self.headroom,
            slack: self.slack,
            precision: self.precision,
            unproved: match (self.check_ranges, self.clip) {
                (true, _) => Unproved::Check,
                (false, true) => Unproved::Clip,
                (false, false) => Unproved::Report,
            },
            ..Options::default()
        };
        let model = compile(&graph, &options).map_err(|e| e.context(&self.model.display().to_string()))?;
        for risk in &model.risks {
            let kind = if risk.kept == Unproved::Report { "warning" } else { "note" };
            eprintln!("{kind}: {risk}");
        }
        if self.check_ranges && !model.card.opens_checks() {
            eprintln!("note: every bound is proved, so there is nothing to check");
        }
        Ok((graph, model))
    }

    /// Brings the card to the client, which checks and pins it. `public` is what the client says of its data;
    /// both learn the peer's.
    pub fn exchange(
        &self,
        p: &mut TwoParty,
        model: Option<&Model>,
        public: &str,
        ui: &Ui,
    ) -> Result<(Card, String)> {
        let limits = Limits { checks: self.check_ranges, ..Limits::default() };
        let mine = model.map_or_else(|| public.to_owned(), |m| m.card.to_text());
        let theirs =
            p.exchange_public("the model card and the size of the data", mine.into(), limits.text_bytes)?;
        let (card, public) = match model {
            Some(model) => {
                let text = String::from_utf8(theirs);
                (
                    model.card.clone(),
                    text.map_err(|_| Error::peer("the client's data have no readable size"))?,
                )
            }
            None => (Card::from_text(&theirs, &limits)?, public.to_owned()),
        };
        let sha256 = card.sha256_hex();
        if self.show_card {
            ui.note(&format!("{card}sha256 {sha256}"));
        }
        if let Some(pin) = self.card_sha256.as_ref().filter(|pin| !pin.eq_ignore_ascii_case(&sha256)) {
            return Err(Error::handshake(format!("the model card has SHA-256 {sha256}, not {pin}")));
        }
        Ok((card, public))
    }
}

fn calibration(graph: &Graph, path: &Path) -> Result<Calibration> {
    let samples = load_array(path, None)?;
    calibrate(graph, &samples.to_f64()).map_err(|e| e.context(&path.display().to_string()))
}

/// Reads a .csv table or a .npy array.
pub fn load_array(path: &Path, normalise: Option<&Path>) -> Result<Array> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) {
        let mut table = Table::load(path)?;
        if let Some(rules) = normalise {
            table
                .normalise(&Normalisation::load(rules)?)
                .map_err(|e| e.context(&path.display().to_string()))?;
        }
        return Ok(table.into_array());
    }
    match normalise {
        None => Array::load(path),
        Some(_) => {
            Err(Error::usage("--normalise goes with samples in a .csv table, whose columns have names"))
        }
    }
}

/// Reads samples and checks what needs no model: there are some, and all are finite.
pub fn load_samples(path: &Path, normalise: Option<&Path>) -> Result<Array> {
    let samples = load_array(path, normalise)?;
    let place = path.display().to_string();
    if samples.shape.len() < 2 || samples.is_empty() {
        return Err(Error::usage(format!(
            "{place}: samples of shape {:?} are not [N, …] with at least one sample",
            samples.shape
        )));
    }
    ezpc_ml::fixed::check_finite(&samples.to_f64(), &samples.shape).map_err(|e| e.context(&place))?;
    Ok(samples)
}

/// The peer's count of samples, as it stands in what it says of its data.
pub fn parse_count(public: &str) -> Result<usize> {
    let count = public.strip_prefix("samples=").and_then(|n| n.parse().ok());
    count
        .filter(|n| (1..=1 << 24).contains(n))
        .ok_or_else(|| Error::peer("the client's data have no readable size"))
}
