//! Interactive operations as values, so that independent ones can run together.

use super::{Linear, Protocol, Signedness, Trunc};
use crate::error::Result;
use crate::ring::Width;

/// One interactive operation of [`Protocol`] with its operands; each variant is the method of that name.
#[derive(Clone)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is documented by the method of its name")]
pub enum Op<A, B> {
    Mul(A, A),
    And(B, B),
    Or(B, B),
    Msb(A),
    BitToArith(B, Width),
    A2b(A),
    B2a(B),
    AddBool(B, B),
    MuxBool(B, B, B),
    LessThan(A, A, Signedness),
    LessThanNear(A, A),
    Equal(A, A),
    Mux(B, A, A),
    Select(B, A),
    Trunc(A, u32, Trunc),
    Extend(A, Width, Signedness),
    Relu(A, Width),
    ReluTrunc { x: A, shift: u32, bits: u32, width: Width },
    Max(A, usize),
    Argmax(A, usize, Width),
    Linear(std::sync::Arc<Linear<A>>, A),
}

/// The result of an [`Op`].
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, reason = "a protocol has exactly two kinds of share vectors")]
pub enum Val<A, B> {
    /// Arithmetic shares.
    Arith(A),
    /// Boolean shares.
    Bool(B),
}

impl<A, B> Val<A, B> {
    /// The arithmetic shares.
    ///
    /// # Panics
    /// When the value is Boolean: each operation's kind of result is fixed.
    pub fn into_arith(self) -> A {
        match self {
            Self::Arith(x) => x,
            Self::Bool(_) => panic!("the operation has a Boolean result"),
        }
    }

    /// The Boolean shares.
    ///
    /// # Panics
    /// When the value is arithmetic: each operation's kind of result is fixed.
    pub fn into_bool(self) -> B {
        match self {
            Self::Bool(x) => x,
            Self::Arith(_) => panic!("the operation has an arithmetic result"),
        }
    }
}

/// Runs one operation by the method of its name.
pub(super) fn run<P: Protocol + ?Sized>(
    p: &mut P,
    op: &Op<P::Arith, P::Bool>,
) -> Result<Val<P::Arith, P::Bool>> {
    Ok(match op {
        Op::Mul(x, y) => Val::Arith(p.mul(x, y)?),
        Op::And(x, y) => Val::Bool(p.and(x, y)?),
        Op::Or(x, y) => Val::Bool(p.or(x, y)?),
        Op::Msb(x) => Val::Bool(p.msb(x)?),
        Op::BitToArith(x, width) => Val::Arith(p.bit_to_arith(x, *width)?),
        Op::A2b(x) => Val::Bool(p.a2b(x)?),
        Op::B2a(x) => Val::Arith(p.b2a(x)?),
        Op::AddBool(x, y) => Val::Bool(p.add_bool(x, y)?),
        Op::MuxBool(c, t, f) => Val::Bool(p.mux_bool(c, t, f)?),
        Op::LessThan(x, y, s) => Val::Bool(p.less_than(x, y, *s)?),
        Op::LessThanNear(x, y) => Val::Bool(p.less_than_near(x, y)?),
        Op::Equal(x, y) => Val::Bool(p.equal(x, y)?),
        Op::Mux(c, t, f) => Val::Arith(p.mux(c, t, f)?),
        Op::Select(c, x) => Val::Arith(p.select(c, x)?),
        Op::Trunc(x, shift, kind) => Val::Arith(p.trunc(x, *shift, *kind)?),
        Op::Extend(x, width, s) => Val::Arith(p.extend(x, *width, *s)?),
        Op::Relu(x, width) => Val::Arith(p.relu(x, *width)?),
        Op::ReluTrunc { x, shift, bits, width } => Val::Arith(p.relu_trunc(x, *shift, *bits, *width)?),
        Op::Max(x, group) => Val::Arith(p.max(x, *group)?),
        Op::Argmax(x, group, width) => Val::Arith(p.argmax(x, *group, *width)?),
        Op::Linear(layer, x) => Val::Arith(p.linear(layer, x)?),
    })
}
