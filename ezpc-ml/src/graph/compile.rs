//! From the network in floating point to a fixed-point program: weights rounded, ranges bounded, a ring chosen for
//! every value. The result is a public [`Card`] and the vendor's [`Weights`].

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

mod plan;
mod quantise;
mod scale;
mod weights;

use super::Graph;
use super::ranges::Span;
use crate::card::{Card, Limits};
use crate::{fixed, graph};
use ezpc_core::secret::Values;
use ezpc_core::{Error, Result};
use sha2::{Digest, Sha256};

/// How to compile.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a set of options with defaults")]
pub struct Options {
    /// Fractional bits of the input and the result, and of all values where nothing is scaled; of weights at least as many.
    pub frac_bits: u32,
    /// The range of input values; inputs outside are refused at the data owner's side.
    pub input_range: [f64; 2],
    /// The widest ring of a product with weights. By default 29 bits more than the layer truncates (or than `frac_bits`,
    /// when it is exact): a result of more bits must not be opened under a reused key.
    pub max_ring: Option<u32>,
    /// Ranges seen on sample inputs, from [`calibrate`]. Without it, a layer whose bound is not proved within the widest
    /// ring is an error.
    pub calibration: Option<Calibration>,
    /// How many times larger than seen a value may become before it exceeds its bound.
    pub headroom: f64,
    /// How much a decision of a ReLU or a maximum may miss, as a part of the usual size of its operand on the sample inputs:
    /// values are compared without the bits below, which makes it cheaper: by default 2^-6, which misses about what roundings
    /// at the default precision do. 0 compares all bits, and so does a compilation without calibration or of a model whose
    /// result is a single number. The oracle decides exactly, so only two parties show what it costs. Opened numbers then
    /// depend a little on shares: SECURITY.md, Rounded values, says what that may tell.
    pub slack: f64,
    /// The bits of a value of the usual size. Where calibration says what that is, layers with weights scale their results by
    /// a power of two, the least that gives them so many bits; the input and the result always have `frac_bits` fractional
    /// bits. Rounding changes the result of a layer by about 2^-`precision` of its size. 0 scales nothing.
    pub precision: u32,
    /// What keeps values within the bounds that calibration suggests and nothing proves.
    pub unproved: Unproved,
    /// A bound that is proved is kept although calibration suggests a smaller one, when values have at most so many bits
    /// beside their fraction. Bounds of exact layers are kept as long as they fit.
    pub proof_bits: u32,
}

/// What keeps a value within a bound that is not proved. The wider the rings, the less room for the noise of fine weights: with
/// clips and checks weights have fewer fractional bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "not at all, by force, by looking")]
pub enum Unproved {
    /// Nothing: the risk is reported, with its headroom. Rings are as narrow as the bounds allow.
    #[default]
    Report,
    /// Operands are clipped to their bounds inside the protocol wherever the next layer has no proof otherwise; then all
    /// bounds are proved. Costs two ReLUs for each value that is clipped.
    Clip,
    /// Rings are wide enough for whatever a layer may make of operands within their bounds, and after each layer both
    /// parties learn one bit: whether all its values are within theirs. For debugging.
    Check,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frac_bits: 12,
            input_range: [-16.0, 16.0],
            max_ring: None,
            calibration: None,
            headroom: 4.0,
            slack: 1.0 / 64.0,
            precision: 9,
            unproved: Unproved::Report,
            proof_bits: 8,
        }
    }
}

/// The least and the largest value seen at every node, and the usual size.
#[derive(Clone, Debug)]
pub struct Calibration {
    seen: Vec<[f32; 2]>,
    /// Sums of squares, an element.
    squares: Vec<f64>,
    samples: usize,
    /// Values are those of the network times two to the power of these.
    scales: Vec<i32>,
}

impl Calibration {
    /// The number of samples.
    #[must_use]
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// The usual size of the values of a node over that of another's; zero where one of them is always zero.
    pub(super) fn gain(&self, from: usize, to: usize) -> f64 {
        let gain = (self.squares[to] / self.squares[from]).sqrt();
        if gain.is_finite() { gain } else { 0.0 }
    }

    /// The usual size of the values of a node.
    pub(super) fn usual(&self, node: usize) -> f64 {
        (self.squares[node] / self.samples as f64).sqrt()
    }

    /// The powers of two that values of a node are scaled by.
    pub(super) fn scale(&self, node: usize) -> i32 {
        self.scales[node]
    }

    /// The calibration of the same network with scaled values.
    fn scaled(&self, scales: Vec<i32>) -> Self {
        let (mut seen, mut squares) = (self.seen.clone(), self.squares.clone());
        for (i, &scale) in scales.iter().enumerate() {
            seen[i] = seen[i].map(|v| v * 2_f32.powi(scale));
            squares[i] *= 4_f64.powi(scale);
        }
        Self { seen, squares, samples: self.samples, scales }
    }

    /// What `headroom` times the values seen at a node stay within, in units of 2^-`frac_bits`.
    pub(super) fn span(&self, node: usize, frac_bits: u32, headroom: f64) -> Span {
        let [lo, hi] = self.seen[node].map(f64::from);
        let most = i128::from(fixed::encode(hi.abs().max(lo.abs()) * headroom, frac_bits)) + 2;
        Span { lo: -most, hi: most }
    }

    /// The number of bits that hold [`Calibration::span`].
    pub(super) fn bits(&self, node: usize, frac_bits: u32, headroom: f64) -> u32 {
        self.span(node, frac_bits, headroom).bits()
    }
}

/// What is left to the user's judgement after compiling.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Risk {
    /// The layer.
    pub layer: String,
    /// The bits that its values could need in the worst case, and those of the bound that they have.
    pub bits: [u32; 2],
    /// How many times larger than seen in calibration its values may become.
    pub headroom: f64,
    /// What keeps them within the bound.
    pub kept: Unproved,
}

impl core::fmt::Display for Risk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { layer, bits: [worst, bound], headroom, kept } = self;
        write!(
            f,
            "layer `{layer}`: values could need {worst} bits; {headroom} times those of the samples fit {bound} bits, "
        )?;
        f.write_str(match kept {
            Unproved::Report => "and nothing keeps them within",
            Unproved::Clip => "to which they are clipped",
            Unproved::Check => "which is checked",
        })
    }
}

/// The vendor's constants of each step of a card.
pub struct Weights {
    pub(super) steps: Vec<Option<Constants>>,
}

impl Weights {
    /// All constants, layer by layer, in each weights before biases.
    #[must_use]
    pub fn flat(&self) -> Vec<i64> {
        let of = |c: &Constants| [&c.weights[..], &c.bias].concat();
        self.steps.iter().flatten().flat_map(of).collect()
    }
}

/// The integers of one layer.
#[derive(Clone)]
pub(super) struct Constants {
    pub(super) weights: Values,
    pub(super) bias: Values,
}

impl Weights {
    /// SHA-256 of all constants: for their owner's own records, since a guess of the weights could be checked with it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for constants in self.steps.iter().flatten() {
            for list in [&constants.weights, &constants.bias] {
                hash.update((list.len() as u64).to_le_bytes());
                for value in list.iter() {
                    hash.update(value.to_le_bytes());
                }
            }
        }
        hash.finalize().into()
    }
}

impl core::fmt::Debug for Weights {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Weights(of {} steps)", self.steps.len())
    }
}

/// A compiled model at its vendor.
#[derive(Debug)]
#[non_exhaustive]
pub struct Model {
    /// What the data owner learns.
    pub card: Card,
    /// What it does not.
    pub weights: Weights,
    /// The bounds that calibration suggests, and what keeps values within them.
    pub risks: Vec<Risk>,
    /// For each node of the graph the power of two that its values are scaled by.
    pub scales: Vec<i32>,
}

/// Values of so many bits leave room for products in 62.
const MAX_PRECISION: u32 = 20;

/// Compiles an optimised graph ([`graph::passes::optimise`]).
pub fn compile(graph: &Graph, options: &Options) -> Result<Model> {
    if !(4..=fixed::MAX_FRAC_BITS).contains(&options.frac_bits) {
        return Err(Error::usage(format!(
            "{} fractional bits, supported are 4 to {}",
            options.frac_bits,
            fixed::MAX_FRAC_BITS
        )));
    }
    if !(0.0..1.0).contains(&options.slack) {
        return Err(Error::usage(format!("a slack of {}, supported is from 0 to below 1", options.slack)));
    }
    if options.precision > MAX_PRECISION {
        return Err(Error::usage(format!(
            "a precision of {} bits, supported are up to {MAX_PRECISION}",
            options.precision
        )));
    }
    let [low, high] = options.input_range;
    if !(low.is_finite() && high.is_finite() && low <= high && low.abs().max(high.abs()) <= 1e6) {
        return Err(Error::usage(format!("an input range of {low} to {high}")));
    }
    let scaled = options.calibration.as_ref().filter(|_| options.precision > 0);
    let scaled = scaled.map(|seen| scale::scaled(graph, seen, options));
    let model = match scaled {
        Some((graph, seen)) => lower(&graph, &Options { calibration: Some(seen), ..options.clone() }),
        None => lower(graph, options),
    }?;
    model.card.check(&Limits { checks: options.unproved == Unproved::Check, ..Limits::default() })?;
    Ok(model)
}

fn lower(graph: &Graph, options: &Options) -> Result<Model> {
    plan::plan(graph, quantise::quantise(graph, options)?, options)
}

/// Runs the samples, `rows` of them, through the graph and notes the range of every node.
pub fn calibrate(graph: &Graph, samples: &[f64]) -> Result<Calibration> {
    let size = graph::elements(&graph.nodes[0].shape)?;
    if samples.is_empty() || !samples.len().is_multiple_of(size) || samples.iter().any(|v| !v.is_finite()) {
        return Err(Error::usage(format!("calibration needs whole finite samples of {size} values")));
    }
    let mut seen = vec![[f32::MAX, f32::MIN]; graph.nodes.len()];
    let mut squares = vec![0.0; graph.nodes.len()];
    for sample in samples.chunks(size) {
        let sample: Vec<f32> = sample.iter().map(|&v| v as f32).collect();
        for ((seen, square), values) in
            seen.iter_mut().zip(&mut squares).zip(super::float::trace(graph, &sample)?)
        {
            *seen = values.iter().fold(*seen, |[lo, hi], &v| [lo.min(v), hi.max(v)]);
            *square += values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64;
        }
        if let Some(node) = squares.iter().position(|square| !square.is_finite()) {
            let name = &graph.nodes[node].name;
            return Err(Error::usage(format!("values of `{name}` overflow on a sample for calibration")));
        }
    }
    let scales = vec![0; graph.nodes.len()];
    Ok(Calibration { seen, squares, samples: samples.len() / size, scales })
}
