//! Do the operands of an operation fit together? Every back end asks before it talks to the peer, so that both
//! parties report the same usage error and nothing is half done.

use super::{Op, ShareVec, Signedness, Trunc};
use crate::error::{Error, Result};
use crate::ops::relu::can_decide;
use crate::party::Party;
use crate::ring::{RingVec, Width};

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

/// Reports a truncation without messages whose chance of failure would be above 2^-40 for all elements together.
fn can_drop_locally(bits: u32, shift: u32, width: Width, len: usize) -> Result<()> {
    let needed =
        u64::from(bits.max(shift.saturating_add(1))) + 40 + u64::from(len.max(1).next_power_of_two().ilog2());
    if bits == 0 || needed > u64::from(width.bits()) {
        return Err(Error::usage(format!(
            "dropping {shift} bits of {len} values of {bits} bits without a message wants a ring of {needed} bits, this \
             one has {width}"
        )));
    }
    Ok(())
}

/// Reports what cannot be truncated this way.
pub(crate) fn can_trunc<V: ShareVec>(x: &V, shift: u32, kind: Trunc) -> Result<()> {
    can_drop(shift, x.width())?;
    match kind {
        Trunc::Local { bits } if shift > 0 => can_drop_locally(bits, shift, x.width(), x.len()),
        _ => Ok(()),
    }
}

/// Reports thresholds that do not fit.
pub(crate) fn thresholds_fit(width: Width, thresholds: &RingVec) -> Result<()> {
    if thresholds.width() != width {
        return Err(Error::usage(format!(
            "comparison of elements of {width} with thresholds of {}",
            thresholds.width()
        )));
    }
    if thresholds.is_empty() || thresholds.len() > 64 {
        return Err(Error::usage(format!("comparison with {} thresholds, from 1 to 64", thresholds.len())));
    }
    Ok(())
}

/// The most bits of an index into a table or an array.
pub(crate) const MAX_INDEX_BITS: u32 = 16;

/// Reports a table that an index cannot address.
pub(crate) fn can_index(len: usize, index: Width) -> Result<()> {
    let bits = index.bits();
    if bits > MAX_INDEX_BITS || len == 0 || len > 1 << bits {
        return Err(Error::usage(format!(
            "indices of {index}, at most {MAX_INDEX_BITS}, cannot address {len} elements"
        )));
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

/// Reports an extension of values that cannot have half the range of their ring.
pub(crate) fn can_extend_near(from: Width, to: Width, s: Signedness) -> Result<()> {
    can_extend(from, to)?;
    if s == Signedness::Signed && from == Width::W1 && to > from {
        return Err(Error::usage("no signed value of 1 bit uses half its range"));
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
        Op::Trunc(x, shift, kind) => can_trunc(x, *shift, *kind),
        Op::Extend(x, width, _) => can_extend(x.width(), *width),
        Op::ExtendNear(x, width, s) => can_extend_near(x.width(), *width, *s),
        Op::Below(x, thresholds, _) => thresholds_fit(x.width(), thresholds),
        Op::Lookup(table, index) => can_index(table.len(), index.width()),
        Op::Read(array, index) => can_index(array.len(), index.width()),
        Op::Relu { x, drop, width } => {
            can_decide(x.width(), *drop)?;
            can_extend(x.width(), *width)
        }
        Op::ReluTrunc { x, shift, bits, .. } => can_relu_trunc(*shift, *bits, x.width()),
        Op::Max { x, drop, group } => {
            can_decide(x.width(), *drop)?;
            whole_groups(x.len(), *group)
        }
        Op::Argmax(x, group, width) => {
            whole_groups(x.len(), *group)?;
            index_fits(*group, *width)
        }
        Op::Linear(layer, x) => layer.check_input(x),
        Op::Msb(_) | Op::A2b(_) | Op::B2a(_) | Op::Popcount(..) => Ok(()),
    }
}
