//! Interactive operations as values, so that independent ones can run together.

use super::check::MAX_INDEX_BITS;
use super::{Linear, Protocol, ShareVec, Signedness, Trunc};
use crate::error::Result;
use crate::ring::{RingVec, Width};
use core::ops::Range;

/// One interactive operation of [`Protocol`] with its operands; each variant is the method of that name. [`Op::Relu`] and
/// [`Op::Max`] are the coarse ones, too, which are exact when they drop no bit.
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
    Below(A, RingVec, Signedness),
    Lookup(RingVec, A),
    Read(A, A),
    Popcount(B, Width),
    Mux(B, A, A),
    Select(B, A),
    Trunc(A, u32, Trunc),
    Extend(A, Width, Signedness),
    ExtendNear(A, Width, Signedness),
    Relu { x: A, drop: u32, width: Width },
    ReluTrunc { x: A, shift: u32, bits: u32, width: Width },
    Max { x: A, drop: u32, group: usize },
    Argmax(A, usize, Width),
    Linear(Linear<A>, A),
}

impl<A: ShareVec, B: ShareVec> Op<A, B> {
    /// How many independent units the operation has: elements, groups of a maximum, or one whole layer.
    #[must_use]
    pub fn units(&self) -> usize {
        match self {
            Self::Linear(..) => 1,
            Self::Max { x, group, .. } | Self::Argmax(x, group, _) => x.len() / group,
            Self::And(x, _)
            | Self::Or(x, _)
            | Self::AddBool(x, _)
            | Self::MuxBool(_, x, _)
            | Self::BitToArith(x, _)
            | Self::B2a(x)
            | Self::Popcount(x, _) => x.len(),
            Self::Mul(x, _)
            | Self::Msb(x)
            | Self::A2b(x)
            | Self::LessThan(x, ..)
            | Self::LessThanNear(x, _)
            | Self::Equal(x, _)
            | Self::Below(x, ..)
            | Self::Lookup(_, x)
            | Self::Read(_, x)
            | Self::Mux(_, x, _)
            | Self::Select(_, x)
            | Self::Trunc(x, ..)
            | Self::Extend(x, ..)
            | Self::ExtendNear(x, ..)
            | Self::Relu { x, .. }
            | Self::ReluTrunc { x, .. } => x.len(),
        }
    }

    /// The elements of a unit, by which windows are cut: a read of a large table counts as many, a group as its pairs. At least one.
    #[must_use]
    pub fn unit_len(&self) -> usize {
        match self {
            Self::Lookup(_, index) | Self::Read(_, index) => {
                (1_usize << index.width().bits().min(MAX_INDEX_BITS)).div_ceil(64)
            }
            Self::Max { group, .. } | Self::Argmax(_, group, _) => (group / 2).max(1),
            Self::Linear(_, x) => x.len().max(1),
            _ => 1,
        }
    }

    /// The same operation on the units of `range`. A linear layer is one unit.
    #[must_use]
    pub fn window(&self, range: Range<usize>) -> Self {
        let a = |x: &A| x.slice(range.clone());
        let b = |x: &B| x.slice(range.clone());
        let grouped = |x: &A, group: usize| x.slice(range.start * group..range.end * group);
        match self {
            Self::Mul(x, y) => Self::Mul(a(x), a(y)),
            Self::And(x, y) => Self::And(b(x), b(y)),
            Self::Or(x, y) => Self::Or(b(x), b(y)),
            Self::Msb(x) => Self::Msb(a(x)),
            Self::BitToArith(x, width) => Self::BitToArith(b(x), *width),
            Self::A2b(x) => Self::A2b(a(x)),
            Self::B2a(x) => Self::B2a(b(x)),
            Self::AddBool(x, y) => Self::AddBool(b(x), b(y)),
            Self::MuxBool(c, t, f) => Self::MuxBool(b(c), b(t), b(f)),
            Self::LessThan(x, y, s) => Self::LessThan(a(x), a(y), *s),
            Self::LessThanNear(x, y) => Self::LessThanNear(a(x), a(y)),
            Self::Equal(x, y) => Self::Equal(a(x), a(y)),
            Self::Below(x, thresholds, s) => Self::Below(a(x), thresholds.clone(), *s),
            Self::Lookup(table, index) => Self::Lookup(table.clone(), a(index)),
            Self::Read(array, index) => Self::Read(array.clone(), a(index)),
            Self::Popcount(x, width) => Self::Popcount(b(x), *width),
            Self::Mux(c, t, f) => Self::Mux(b(c), a(t), a(f)),
            Self::Select(c, x) => Self::Select(b(c), a(x)),
            Self::Trunc(x, shift, kind) => Self::Trunc(a(x), *shift, *kind),
            Self::Extend(x, width, s) => Self::Extend(a(x), *width, *s),
            Self::ExtendNear(x, width, s) => Self::ExtendNear(a(x), *width, *s),
            Self::Relu { x, drop, width } => Self::Relu { x: a(x), drop: *drop, width: *width },
            Self::ReluTrunc { x, shift, bits, width } => {
                Self::ReluTrunc { x: a(x), shift: *shift, bits: *bits, width: *width }
            }
            Self::Max { x, drop, group } => Self::Max { x: grouped(x, *group), drop: *drop, group: *group },
            Self::Argmax(x, group, width) => Self::Argmax(grouped(x, *group), *group, *width),
            Self::Linear(layer, x) => Self::Linear(layer.clone(), x.clone()),
        }
    }
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
        Op::Below(x, thresholds, s) => Val::Bool(p.below(x, thresholds, *s)?),
        Op::Lookup(table, index) => Val::Arith(p.lookup(table, index)?),
        Op::Read(array, index) => Val::Arith(p.read(array, index)?),
        Op::Popcount(x, width) => Val::Arith(p.popcount(x, *width)?),
        Op::Mux(c, t, f) => Val::Arith(p.mux(c, t, f)?),
        Op::Select(c, x) => Val::Arith(p.select(c, x)?),
        Op::Trunc(x, shift, kind) => Val::Arith(p.trunc(x, *shift, *kind)?),
        Op::Extend(x, width, s) => Val::Arith(p.extend(x, *width, *s)?),
        Op::ExtendNear(x, width, s) => Val::Arith(p.extend_near(x, *width, *s)?),
        Op::Relu { x, drop, width } => Val::Arith(p.relu_coarse(x, *drop, *width)?),
        Op::ReluTrunc { x, shift, bits, width } => Val::Arith(p.relu_trunc(x, *shift, *bits, *width)?),
        Op::Max { x, drop, group } => Val::Arith(p.max_coarse(x, *drop, *group)?),
        Op::Argmax(x, group, width) => Val::Arith(p.argmax(x, *group, *width)?),
        Op::Linear(layer, x) => Val::Arith(p.linear(layer, x)?),
    })
}
