//! Do the operands of an operation fit together? Every back end asks before it talks to the peer, so that both
//! parties report the same usage error and nothing is half done.

use super::{Op, ShareVec};
use crate::error::{Error, Result};
use crate::party::Party;
use crate::ring::Width;

/// Reports two operands that do not fit together.
pub(crate) fn same_shape<V: ShareVec>(what: &str, x: &V, y: &V) -> Result<()> {
    if x.width() != y.width() {
        return Err(Error::usage(format!("{what} of vectors of {} and {}", x.width(), y.width())));
    }
    same_len(what, x.len(), y.len())
}

/// Reports two operands of different lengths.
pub(crate) fn same_len(what: &str, x: usize, y: usize) -> Result<()> {
    if x != y {
        return Err(Error::usage(format!("{what} of vectors of {x} and {y} elements")));
    }
    Ok(())
}

/// Reports a vector of words where single bits are wanted.
pub(crate) fn one_plane<V: ShareVec>(what: &str, x: &V) -> Result<()> {
    if x.width() != Width::W1 {
        return Err(Error::usage(format!("{what} wants single bits, not words of {}", x.width())));
    }
    Ok(())
}

/// The input of `from` where it is needed, or what is wrong with it.
pub(crate) fn input_fits<V: ShareVec>(
    from: Party,
    width: Width,
    len: usize,
    values: Option<&V>,
) -> Result<&V> {
    let values = values.ok_or_else(|| Error::usage(format!("the {from}'s input is missing")))?;
    same_len("input", len, values.len())?;
    if values.width() != width {
        return Err(Error::usage(format!("input of {width} given as {}", values.width())));
    }
    Ok(values)
}

/// Reports a truncation that leaves no bit.
pub(crate) fn can_drop(shift: u32, width: Width) -> Result<()> {
    if shift >= width.bits() {
        return Err(Error::usage(format!("cannot truncate {shift} bits of a ring of {width}")));
    }
    Ok(())
}

/// Reports an extension that would shrink.
pub(crate) fn can_extend(from: Width, to: Width) -> Result<()> {
    if to < from {
        return Err(Error::usage(format!("cannot extend a ring of {from} to {to}")));
    }
    Ok(())
}

/// Reports a length that is no whole number of groups.
pub(crate) fn whole_groups(len: usize, group: usize) -> Result<()> {
    if group == 0 || !len.is_multiple_of(group) {
        return Err(Error::usage(format!("{len} elements do not divide into groups of {group}")));
    }
    Ok(())
}

/// Reports a fused truncation whose significant bits are not in the ring.
pub(crate) fn can_relu_trunc(shift: u32, bits: u32, width: Width) -> Result<()> {
    if bits < 2 || shift.saturating_add(bits) > width.bits() {
        return Err(Error::usage(format!("{bits} bits above the lowest {shift} of a ring of {width}")));
    }
    Ok(())
}

/// Reports a ring that is too small for the index of a maximum.
pub(crate) fn index_fits(group: usize, width: Width) -> Result<()> {
    if group == 0 || group as u64 - 1 > width.mask() {
        return Err(Error::usage(format!("an index below {group} does not fit {width}")));
    }
    Ok(())
}

/// Checks the operands of `op`.
pub(crate) fn operands<A: ShareVec, B: ShareVec>(op: &Op<A, B>) -> Result<()> {
    match op {
        Op::Mul(x, y) => same_shape("product", x, y),
        Op::And(x, y) => same_shape("and", x, y),
        Op::Or(x, y) => same_shape("or", x, y),
        Op::AddBool(x, y) => same_shape("sum", x, y),
        Op::LessThan(x, y, _) | Op::LessThanNear(x, y) | Op::Equal(x, y) => same_shape("comparison", x, y),
        Op::BitToArith(x, _) => one_plane("a bit in arithmetic form", x),
        Op::MuxBool(c, t, f) => {
            one_plane("choice", c)?;
            same_shape("choice", t, f)?;
            same_len("choice", c.len(), t.len())
        }
        Op::Mux(c, t, f) => {
            one_plane("choice", c)?;
            same_shape("choice", t, f)?;
            same_len("choice", c.len(), t.len())
        }
        Op::Select(c, x) => {
            one_plane("choice", c)?;
            same_len("choice", c.len(), x.len())
        }
        Op::Trunc(x, shift, _) => can_drop(*shift, x.width()),
        Op::Extend(x, width, _) | Op::Relu(x, width) => can_extend(x.width(), *width),
        Op::ReluTrunc { x, shift, bits, .. } => can_relu_trunc(*shift, *bits, x.width()),
        Op::Max(x, group) => whole_groups(x.len(), *group),
        Op::Argmax(x, group, width) => {
            whole_groups(x.len(), *group)?;
            index_fits(*group, *width)
        }
        Op::Linear(layer, x) => layer.check_input(x),
        Op::Msb(_) | Op::A2b(_) | Op::B2a(_) => Ok(()),
    }
}
