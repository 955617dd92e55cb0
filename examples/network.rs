//! Writes a network of the literature with random weights as an ONNX file, and images to try it on.
//!
//! ```sh
//! cargo run --release --example network -- resnet50 --output resnet50.onnx --samples images.npy
//! cargo run --release --example infer -- --model resnet50.onnx --input images.npy --input-range=-2,2 --calibrate images.npy
//! ```

use clap::Parser;
use ezpc_core::Result;
use ezpc_ml::networks::Network;
use ezpc_ml::npy::write_whole;
use std::path::PathBuf;
use std::process::ExitCode;

/// Writes a network of the literature with random weights, and images for it.
#[derive(Parser)]
struct Args {
    /// The network: lenet5, minionn_cifar, squeezenet, mobilenetv2, resnet50 or densenet121.
    network: Network,

    /// Where the network goes, an ONNX file.
    #[arg(long, value_name = "FILE", required_unless_present = "samples")]
    output: Option<PathBuf>,

    /// Where images go, .npy of float32, `[N, channels, height, width]`.
    #[arg(long, value_name = "FILE")]
    samples: Option<PathBuf>,

    /// The number of images.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,

    /// What weights depend on.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What images depend on.
    #[arg(long, default_value_t = 1)]
    image_seed: u64,
}

impl Args {
    fn run(&self) -> Result<()> {
        if let Some(path) = &self.output {
            write_whole(path, &self.network.onnx(self.seed)?)?;
        }
        if let Some(path) = &self.samples {
            self.network.samples(self.image_seed, self.count as usize).save(path)?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    ezpc_examples::tool(Args::run)
}
