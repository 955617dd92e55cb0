//! Networks of the literature with seeded random weights, as ONNX files: models to test and to measure with, made
//! without a download.
//!
//! Convolutions are initialised as He et al. do. The running statistics of each batch normalisation are those measured on
//! a few images, so that activations have the size that they have in a trained network. Nothing else in this crate knows
//! these networks: they are read back from their files like any other model.

#![allow(clippy::cast_possible_truncation, reason = "weights and images need no more than single precision")]

mod architectures;
mod file;
mod layers;
mod random;

use crate::npy::{Array, Elements};
use core::fmt;
use core::str::FromStr;
use ezpc_core::{Error, Result};
use layers::Layers;
use random::Random;

/// A network that can be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Network {
    /// LeNet-5 for digits of 28x28, with ReLU and maxima.
    LeNet5,
    /// The network for CIFAR-10 that MiniONN, GAZELLE and Delphi were measured with.
    MiniOnnCifar,
    /// SqueezeNet 1.0.
    SqueezeNet,
    /// MobileNetV2.
    MobileNetV2,
    /// ResNet-50, with the stride in the 3x3 convolutions.
    ResNet50,
    /// DenseNet-121.
    DenseNet121,
}

impl Network {
    /// All networks, small ones first.
    pub const ALL: [Self; 6] = [
        Self::LeNet5,
        Self::MiniOnnCifar,
        Self::SqueezeNet,
        Self::MobileNetV2,
        Self::ResNet50,
        Self::DenseNet121,
    ];

    /// The name, as [`FromStr`] takes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeNet5 => "lenet5",
            Self::MiniOnnCifar => "minionn_cifar",
            Self::SqueezeNet => "squeezenet",
            Self::MobileNetV2 => "mobilenetv2",
            Self::ResNet50 => "resnet50",
            Self::DenseNet121 => "densenet121",
        }
    }

    /// The shape of a sample: channels, height, width.
    #[must_use]
    pub const fn input_shape(self) -> [usize; 3] {
        match self {
            Self::LeNet5 => [1, 28, 28],
            Self::MiniOnnCifar => [3, 32, 32],
            _ => [3, 224, 224],
        }
    }

    /// The range of the values of [`Network::samples`].
    pub const INPUT_RANGE: [f64; 2] = [-2.0, 2.0];

    /// The network with the weights of `seed`, as the bytes of an ONNX file.
    pub fn onnx(self, seed: u64) -> Result<Vec<u8>> {
        let images = self.images(seed, 2);
        let mut layers = Layers::new(self.name(), Random::new(seed ^ 0x6e65_7473), images)?;
        architectures::build(self, &mut layers)?;
        Ok(layers.into_onnx())
    }

    /// `count` images of `seed`, smooth like photographs, their values in [`Network::INPUT_RANGE`].
    #[must_use]
    pub fn samples(self, seed: u64, count: usize) -> Array {
        let (shape, images) = self.images(seed, count);
        Array { shape: [&[count], &shape[..]].concat(), data: Elements::Float32(images.concat()) }
    }

    fn images(self, seed: u64, count: usize) -> (Vec<usize>, Vec<Vec<f32>>) {
        let mut random = Random::new(seed ^ 0x7069_6373);
        let shape = self.input_shape();
        (shape.to_vec(), (0..count).map(|_| random.image(shape)).collect())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Network {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|n| n.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|n| n.name()).collect();
            Error::usage(format!("no network is called `{text}`; there are {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{float, passes};
    use crate::onnx;

    #[test]
    fn a_built_network_is_read_back_and_computes_the_same_numbers_every_time() {
        let network = Network::LeNet5;
        let bytes = network.onnx(7).expect("builds");
        assert_eq!(bytes, network.onnx(7).expect("builds"));
        assert_ne!(bytes, network.onnx(8).expect("builds"));
        let graph = onnx::import(&bytes).expect("imports").graph;
        let samples = network.samples(1, 3);
        assert_eq!(samples.shape, [3, 1, 28, 28]);
        let [low, high] = Network::INPUT_RANGE;
        let values: Vec<f32> = samples.to_f64().iter().map(|&v| v as f32).collect();
        assert!(values.iter().all(|&v| f64::from(v) >= low && f64::from(v) <= high));
        let logits: Vec<f32> =
            values.chunks(28 * 28).flat_map(|x| float::run(&graph, x).expect("runs")).collect();
        let spread =
            logits.iter().copied().fold(f32::MIN, f32::max) - logits.iter().copied().fold(f32::MAX, f32::min);
        assert!(logits.len() == 30 && (0.5..100.0).contains(&spread), "{spread}");
    }

    #[test]
    fn activations_have_the_size_that_they_have_in_trained_networks() {
        let network = Network::MiniOnnCifar;
        let graph = onnx::import(&network.onnx(1).expect("builds")).expect("imports").graph;
        let graph = passes::optimise(graph);
        let image: Vec<f32> = network.samples(9, 1).to_f64().iter().map(|&v| v as f32).collect();
        for (node, values) in graph.nodes.iter().zip(float::trace(&graph, &image).expect("runs")) {
            let size = (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt();
            assert!((0.02..20.0).contains(&size), "{} has values of size {size}", node.name);
        }
    }

    #[test]
    fn names_are_read_back() {
        for network in Network::ALL {
            assert_eq!(network.to_string().parse::<Network>().expect("its own name"), network);
        }
        let error = "alexnet".parse::<Network>().expect_err("none of ours").to_string();
        assert!(error.contains("alexnet") && error.contains("squeezenet"), "{error}");
    }
}
