//! The model card: what the data owner learns of a model, and all that its side needs to run it.
//!
//! A card is derived by the vendor's side. It holds the graph in fixed point with every attribute, shape, ring
//! width, scale and bound, and no weight. What it does reveal besides the architecture: for each layer the number
//! of bits of its largest weight, and for each tensor the number of bits of its bound.

mod check;
mod limits;
mod source;
mod text;
mod widened;

pub use limits::Limits;

use crate::graph::{Decision, Window};
use core::fmt;
use ezpc_core::ring::Width;
use sha2::{Digest, Sha256};

/// The public description of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Card {
    /// The model's name, in the alphabet of [`identifier`].
    pub name: String,
    /// Fractional bits of the input and the result. Values in between may be scaled by powers of two, which is their vendor's matter.
    pub frac_bits: u32,
    /// The range that inputs are checked against, in units of 2^-`frac_bits`.
    pub input_range: [i64; 2],
    /// The steps; step `i` defines value `i`, from values before it. Step 0 is the input.
    pub steps: Vec<Step>,
    /// The value that is the result.
    pub output: usize,
    /// How the result is to be read.
    pub decision: Decision,
}

/// One step of a [`Card`] and the value that it defines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The name in the model, in the alphabet of [`identifier`].
    pub name: String,
    /// What is computed.
    pub op: StepOp,
    /// The values it is computed from.
    pub args: Vec<usize>,
    /// The shape of the value for one sample.
    pub shape: Vec<usize>,
    /// The ring of the value.
    pub width: Width,
    /// The bound of the value.
    pub bound: Bound,
}

/// A bound: every element x has `-2^bits <= x < 2^bits` as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a bound and where it comes from")]
pub struct Bound {
    /// The number of bits.
    pub bits: u32,
    /// Why it holds.
    pub origin: Origin,
}

/// Why a bound holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// By interval analysis of the fixed-point program, for every input in the declared range.
    Proved,
    /// Enforced: values beyond the bound are clipped to it inside the protocol.
    Clipped,
    /// Checked inside the protocol: both parties learn whether it holds, and a run in which it does not ends.
    Checked,
    /// Seen on sample inputs, with headroom: a risk that the user accepts. What is below minus that, though still within the bits,
    /// may be beyond the promise of a ReLU that leaves bits out.
    Calibrated,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proved => "proved",
            Self::Clipped => "clipped",
            Self::Checked => "checked",
            Self::Calibrated => "calibrated",
        })
    }
}

/// What a step computes. Vendor constants appear by shape only.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepOp {
    /// The sample.
    Input,
    /// A convolution with the vendor's weights and biases.
    Conv {
        /// Kernel, stride, padding, dilation.
        window: Window,
        /// Groups of channels.
        groups: usize,
        /// Output channels.
        outputs: usize,
        /// Ring and truncation.
        scale: Scale,
    },
    /// A product with the vendor's matrix along the last axis, plus biases.
    Dense {
        /// Values for each row of the input.
        outputs: usize,
        /// Ring and truncation.
        scale: Scale,
    },
    /// A product with the vendor's factors along an axis, plus summands.
    Affine {
        /// The axis, without the batch.
        axis: usize,
        /// Ring and truncation.
        scale: Scale,
    },
    /// Adds the vendor's summands along an axis.
    Shift {
        /// The axis, without the batch.
        axis: usize,
    },
    /// 0 - x.
    Negate,
    /// `max(x, 0)`, compared in the ring of `from` bits.
    Relu {
        /// The ring of the comparison.
        from: Width,
        /// The lowest bits that do not decide: from `-2^(drop - 1)` to below `2^(drop - 1)` the result is either of 0 and x.
        drop: u32,
    },
    /// 1 where `x >= 0`, else 0; compared in the ring of `from` bits.
    Step {
        /// The ring of the comparison.
        from: Width,
    },
    /// The largest value of each window.
    MaxPool {
        /// Where the windows lie.
        window: Window,
        /// The lowest bits that do not decide: each comparison may keep what is up to `2^(drop - 1)` smaller.
        drop: u32,
    },
    /// The mean of each window: its sum times a public factor, divided by `2^shift`.
    AvgPool {
        /// Where the windows lie.
        window: Window,
        /// The part of the padding whose zeros count.
        counted: [usize; 4],
        /// The ring of the product.
        ring: Width,
        /// The bits that are truncated.
        shift: u32,
    },
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product, divided by `2^shift`.
    Mul {
        /// The ring of the product.
        ring: Width,
        /// The bits that are truncated.
        shift: u32,
    },
    /// One after the other along an axis.
    Concat {
        /// The axis, without the batch.
        axis: usize,
    },
    /// The same elements in the shape of the step.
    Reshape,
    /// The axes in another order.
    Permute(Vec<usize>),
    /// Picks indices along an axis; `None` stands for a zero.
    Take {
        /// The axis, without the batch.
        axis: usize,
        /// The indices.
        indices: Vec<Option<usize>>,
    },
    /// The same values in the wider ring of the step.
    Extend {
        /// None of them is negative, or below `-2^(drop - 1)`, which makes it cheap.
        positive: bool,
        /// The bits that the ReLU before left out.
        drop: u32,
    },
    /// Changes the sign where the vendor says so: one secret bit for each index along an axis.
    Sign {
        /// The axis, without the batch.
        axis: usize,
    },
    /// The nearest value within the bound of the step; compared in the ring of `from` bits.
    Clip {
        /// The ring of the comparisons.
        from: Width,
        /// Negative values become zero: a ReLU is part of it.
        positive: bool,
    },
    /// The same values in a narrower ring, after both parties have learnt one bit: whether all values are within the
    /// bound of the step. When they are not, the run ends there.
    Check,
}

impl StepOp {
    /// The operation's name, as the text of a card has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        text::operation(self).0
    }

    /// Whether it decides without the lowest bits of its operand.
    #[must_use]
    pub const fn leaves_out(&self) -> bool {
        matches!(self, Self::Relu { drop, .. } | Self::MaxPool { drop, .. } if *drop > 0)
    }
}

/// Ring and truncation of a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "what a linear layer publishes")]
pub struct Scale {
    /// The ring of the product.
    pub ring: Width,
    /// The bits that are truncated.
    pub shift: u32,
    /// Every weight is below `2^weight_bits` in absolute value.
    pub weight_bits: u32,
}

impl Card {
    /// The canonical text, which is also what travels.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::encode(self)
    }

    /// Reads and checks a card; anything but the canonical text of a card that can run within `limits` is refused.
    pub fn from_text(bytes: &[u8], limits: &Limits) -> ezpc_core::Result<Self> {
        text::decode(bytes, limits)
    }

    /// SHA-256 of the canonical text.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.to_text().as_bytes()).into()
    }

    /// [`Card::sha256`] in hexadecimal digits, as `--card-sha256` takes it.
    #[must_use]
    pub fn sha256_hex(&self) -> String {
        self.sha256().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Checks that every step fits its operands and that the whole stays within `limits`.
    pub fn check(&self, limits: &Limits) -> ezpc_core::Result<()> {
        check::check(self, limits)
    }

    /// The shape of a sample.
    #[must_use]
    pub fn input_shape(&self) -> &[usize] {
        &self.steps[0].shape
    }

    /// The number of values of a sample.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input_shape().iter().product()
    }

    /// The number of values of a result.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.steps[self.output].shape.iter().product()
    }

    /// The labels that a sample gets when the result is a decision, and the classes of each: the last axis of the
    /// result.
    #[must_use]
    pub fn labels(&self) -> [usize; 2] {
        let classes = self.steps[self.output].shape.last().copied().unwrap_or(1).max(1);
        [self.output_len() / classes, classes]
    }

    /// The most elements that are alive at once for one sample.
    #[must_use]
    pub fn live_elements(&self) -> usize {
        limits::live_elements(self)
    }

    /// The same program in the widest rings. While every value is within its bound, all values are the same integers;
    /// where one is not, it shows. For the oracle: such a card is not for two parties.
    #[must_use]
    pub fn widened(&self) -> Self {
        widened::widened(self)
    }

    /// The network as a program in the language of `secure!`, for one sample. Its externs are the functions of
    /// [`externs`](crate::externs); the vendor's input is [`Weights::flat`](crate::graph::compile::Weights::flat). Compiled, it
    /// gives what [`infer`](crate::infer::infer) opens: a number without its guard bits, or the index of the largest.
    pub fn to_secure(&self) -> ezpc_core::Result<String> {
        source::print(self)
    }

    /// Whether the run opens bits on the way: one for each [`StepOp::Check`].
    #[must_use]
    pub fn opens_checks(&self) -> bool {
        self.steps.iter().any(|s| s.op == StepOp::Check)
    }

    /// For every value how many operands refer to it; the result counts as one.
    #[must_use]
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.steps.len()];
        for &a in self.steps.iter().flat_map(|s| &s.args).chain([&self.output]) {
            uses[a] += 1;
        }
        uses
    }

    /// For every value the last step that needs it; the result is needed to the end.
    #[must_use]
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.steps.len()).collect();
        for (i, step) in self.steps.iter().enumerate() {
            for &a in &step.args {
                last[a] = i;
            }
        }
        last[self.output] = self.steps.len();
        last
    }
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A name in the alphabet of cards: letters, digits and `_./-`, at most 64 of them.
#[must_use]
pub fn identifier(name: &str) -> String {
    let clean: String = name
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || "_./-".contains(c) { c } else { '_' })
        .collect();
    if clean.is_empty() { "_".to_owned() } else { clean }
}
