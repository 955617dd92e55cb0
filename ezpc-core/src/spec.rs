//! Public descriptions of operations: what they are told besides their operands.

mod apply;
mod linear;

pub use apply::Number;
pub use linear::{ConvSpec, LinearKind, LinearSpec, MatMulSpec};

use crate::party::Party;

/// Who learns a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "two parties: one of them or both")]
pub enum Reveal {
    /// Both parties.
    Both,
    /// One party.
    To(Party),
}

impl Reveal {
    /// Whether `party` learns the value.
    #[must_use]
    pub fn includes(self, party: Party) -> bool {
        match self {
            Self::Both => true,
            Self::To(to) => to == party,
        }
    }
}

/// How integers are read by comparisons, extensions and shifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "two's complement or not")]
pub enum Signedness {
    /// Values in `0..2^k`.
    Unsigned,
    /// Two's complement values in `-2^{k-1}..2^{k-1}`.
    Signed,
}

/// How `Protocol::trunc` divides by `2^s`, and what the caller promises for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trunc {
    /// The exact floor (arithmetic shift of the signed value), for every input.
    Floor,
    /// The exact logical shift of the unsigned value, for every input.
    Logical,
    /// Floor or floor - 1, promised `-2^{k-2} <= x < 2^{k-2}`. The cheapest: one COT and two half-rounds.
    /// Outside the promise the result is wrong.
    Near,
    /// Floor or floor - 1, promised `0 <= x < 2^{k-1}`, as after a ReLU. As cheap as `Near`, with twice its range. Outside
    /// the promise the result is wrong.
    NearPositive,
    /// Floor or floor - 1, promised `x >= -2^{k-1} + 2^s - 1`: all but the smallest values. Costs a comparison of k - s
    /// bits. Outside the promise the result is wrong.
    NearWide,
    /// Floor or floor - 1 without a message, promised `-2^{bits-1} <= x < 2^{bits-1}` in a ring of 40 bits more and one for
    /// every doubling of the number of elements; other shapes are refused. Wrong with a chance of 2^-40 for all elements
    /// together, and outside the promise with a chance of `|x| / 2^{k-1}`.
    Local {
        /// The bits of a value, its sign among them.
        bits: u32,
    },
}
