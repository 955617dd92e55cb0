//! Where the windows of an operation put their results.

#![allow(clippy::cast_possible_truncation, reason = "a width is at most 64")]

use crate::protocol::{Op, ShareVec, Val};
use crate::ring::{BitPlanes, BitVec, RingVec, Width};
use crate::sharing::{Rounded, Shared};
use core::cell::RefCell;
use core::ops::Range;

/// The result of one operation in the making, filled by its windows.
pub(super) struct Output(RefCell<Buffer>);

enum Buffer {
    Arith {
        width: Width,
        lanes: Vec<u64>,
    },
    /// `planes[i]` in packed words.
    Bool {
        len: usize,
        planes: Vec<Vec<u64>>,
    },
}

impl Output {
    pub(super) fn of<A: ShareVec, B: ShareVec>(op: &Op<A, B>) -> Self {
        let arith = |width: Width, len: usize| Buffer::Arith { width, lanes: vec![0; len] };
        let bits = |width: Width, len: usize| Buffer::Bool {
            len,
            planes: vec![vec![0; len.div_ceil(64)]; width.bits() as usize],
        };
        Self(RefCell::new(match op {
            Op::And(x, _) | Op::Or(x, _) | Op::AddBool(x, _) | Op::MuxBool(_, x, _) => {
                bits(x.width(), x.len())
            }
            Op::A2b(x) => bits(x.width(), x.len()),
            Op::Msb(x) | Op::LessThan(x, ..) | Op::LessThanNear(x, _) | Op::Equal(x, _) => {
                bits(Width::W1, x.len())
            }
            Op::Below(x, thresholds, _) => bits(Width::new(thresholds.len() as u32), x.len()),
            Op::Lookup(table, index) => arith(table.width(), index.len()),
            Op::Read(array, index) => arith(array.width(), index.len()),
            Op::BitToArith(x, width) | Op::Popcount(x, width) => arith(*width, x.len()),
            Op::B2a(x) => arith(x.width(), x.len()),
            Op::Mul(x, _) | Op::Mux(_, x, _) | Op::Select(_, x) | Op::Trunc(x, ..) => {
                arith(x.width(), x.len())
            }
            Op::Extend(x, width, _) | Op::ExtendNear(x, width, _) => arith(*width, x.len()),
            Op::Relu { x, width, .. } | Op::ReluTrunc { x, width, .. } => arith(*width, x.len()),
            Op::Max { x, group, .. } => arith(x.width(), x.len() / group),
            Op::Argmax(x, group, width) => arith(*width, x.len() / group),
            Op::Linear(layer, _) => arith(layer.spec.output(), layer.spec.output_len()),
        }))
    }

    /// Stores the result of the window over `units`; a layer's only window is the whole result.
    pub(super) fn store(&self, units: Range<usize>, value: &Val<RingVec, BitPlanes>) {
        match (&mut *self.0.borrow_mut(), value) {
            (Buffer::Arith { lanes, .. }, Val::Arith(x)) => {
                let start = if x.len() == lanes.len() { 0 } else { units.start };
                lanes[start..start + x.len()].copy_from_slice(x.lanes());
            }
            (Buffer::Bool { planes, .. }, Val::Bool(x)) => {
                assert!(units.start.is_multiple_of(64), "windows of bits start at whole words");
                for (plane, window) in planes.iter_mut().zip(x.planes()) {
                    let words = window.words();
                    plane[units.start / 64..][..words.len()].copy_from_slice(words);
                }
            }
            _ => unreachable!("an operation's kind of result is fixed"),
        }
    }

    /// The result, with what is known of the roundings in it.
    pub(super) fn into_val(self, rounded: Rounded) -> Val<Shared<RingVec>, Shared<BitPlanes>> {
        match self.0.into_inner() {
            Buffer::Arith { width, lanes } => {
                Val::Arith(Shared::rounded_as(RingVec::new(width, lanes), rounded))
            }
            Buffer::Bool { len, planes } => {
                let planes = planes.into_iter().map(|words| BitVec::from_words(len, words)).collect();
                Val::Bool(Shared::rounded_as(BitPlanes::new(planes), rounded))
            }
        }
    }
}
