//! The rows of whole networks: random weights of a seed, one image, compiled ahead, everything else timed.

use ezpc_core::protocol::{Protocol, TwoParty};
use ezpc_core::{Error, Party, Result};
use ezpc_ml::card::{Card, Limits};
use ezpc_ml::graph::compile::{Model, Options, calibrate, compile};
use ezpc_ml::graph::exec::unwatched;
use ezpc_ml::graph::passes;
use ezpc_ml::infer::infer;
use ezpc_ml::networks::Network;
use ezpc_ml::npy::{Array, write_whole};
use ezpc_ml::onnx;
use ezpc_ml::validate::encode_samples;
use std::process::Command;

/// A network that is ready to run.
pub(crate) struct Job {
    network: Network,
    card: Card,
    /// At the server.
    model: Option<Model>,
    /// At the client.
    images: Option<Vec<i64>>,
    count: usize,
}

/// The weights' seed, and those of the images that are run and calibrated with.
const SEED: u64 = 1;
const IMAGES: u64 = 5;
const CALIBRATION: u64 = 6;

impl Job {
    /// The server compiles the network, the client learns its card. `count` images run as one batch.
    pub(crate) fn new(p: &mut TwoParty, network: Network, count: usize, options: &Options) -> Result<Self> {
        let limits = Limits::default();
        let model = (p.party() == Some(Party::Server)).then(|| model(network, options)).transpose()?;
        let mine = model.as_ref().map_or_else(Vec::new, |m| m.card.to_text().into_bytes());
        let theirs = p.exchange_public("the model card", mine, limits.text_bytes)?;
        let (card, images) = match &model {
            Some(model) => (model.card.clone(), None),
            None => {
                let card = Card::from_text(&theirs, &limits)?;
                let images = encode_samples(&card, &network.samples(IMAGES, count))?;
                (card, Some(images))
            }
        };
        Ok(Self { network, card, model, images, count })
    }

    /// Both parties' work from the first message to the opened outputs.
    pub(crate) fn run(&mut self, p: &mut TwoParty) -> Result<()> {
        let weights = self.model.as_ref().map(|m| &m.weights);
        let shape = [self.count; 2];
        infer(p, &self.card, weights, self.images.as_deref(), shape, &mut unwatched).map(drop)
    }

    /// Seconds of one image in onnxruntime on one thread, where Python and onnxruntime are installed.
    pub(crate) fn onnxruntime_seconds(&self) -> Result<Option<f64>> {
        let folder = std::env::temp_dir();
        let place =
            |ext: &str| folder.join(format!("ezpc-perf-{}-{}.{ext}", std::process::id(), self.network));
        let (model, images) = (place("onnx"), place("npy"));
        write_whole(&model, &self.network.onnx(SEED)?)?;
        self.network.samples(IMAGES, 1).save(&images)?;
        let script = include_str!("onnxruntime.py");
        let output = Command::new("python3").args(["-c", script]).arg(&model).arg(&images).output();
        for path in [&model, &images] {
            std::fs::remove_file(path).map_err(|e| Error::io(path.display().to_string(), e))?;
        }
        let printed = output.ok().filter(|o| o.status.success()).map(|o| o.stdout);
        Ok(printed.and_then(|text| String::from_utf8_lossy(&text).trim().parse().ok()))
    }
}

fn model(network: Network, options: &Options) -> Result<Model> {
    let graph = passes::optimise(onnx::import(&network.onnx(SEED)?)?.graph);
    let samples: Array = network.samples(CALIBRATION, 1);
    let calibration = calibrate(&graph, &samples.to_f64())?;
    let input_range = Network::INPUT_RANGE;
    compile(&graph, &Options { input_range, calibration: Some(calibration), ..options.clone() })
}
