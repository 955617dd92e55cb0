//! Recording: folds public values, chooses the domain, and writes what remains into the graph.

use super::graph::{Domain, Graph, Kind, ZERO};
use super::shared::Id;
use crate::ring::Width;

/// Where an operation that can be done in both domains is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Label {
    /// On arithmetic shares: the program says so.
    Arith,
    /// On Boolean shares: the program says so.
    Bool,
    /// On arithmetic shares unless the operands make Boolean ones cheaper.
    PreferArith,
    /// On Boolean shares unless the operands are arithmetic already.
    PreferBool,
}

impl Graph {
    // ---- domains -----------------------------------------------------------------------------------------

    /// The value as arithmetic shares; converted at most once.
    pub(super) fn arith(&mut self, x: Id) -> Id {
        let width = self.width(x);
        let kind = self.kind(x);
        if kind == Kind::Const || kind.domain() == Domain::Arith {
            return x;
        }
        if let Some(twin) = self.twin(x, Domain::Arith)
            && self.width(twin) == width
        {
            return twin;
        }
        let twin = match kind {
            Kind::Input => {
                let args = self.node(x).args;
                self.push(Kind::InputArith, width, args)
            }
            Kind::Pick => {
                let [c, t, f] = self.node(x).args;
                let (t, f) = (self.value(t), self.value(f));
                let bit = self.bit_as_arith(c, width);
                let scaled = self.scale(bit, t.wrapping_sub(f));
                let offset = self.constant(width, f);
                let sum = self.add(scaled, offset);
                if sum == bit {
                    // The bit owns this version already.
                    return bit;
                }
                sum
            }
            _ if width == 1 => self.push(Kind::BitToArith, 1, [x, 0, 0]),
            _ => self.push(Kind::B2a, width, [x, 0, 0]),
        };
        self.set_twin(x, twin);
        twin
    }

    /// The value as Boolean shares; converted at most once.
    pub(super) fn boolean(&mut self, x: Id) -> Id {
        let width = self.width(x);
        let kind = self.kind(x);
        if kind == Kind::Const || kind.domain() == Domain::Bool {
            return x;
        }
        if let Some(twin) = self.twin(x, Domain::Bool)
            && self.width(twin) == width
        {
            return twin;
        }
        let twin = match kind {
            Kind::Input => {
                let args = self.node(x).args;
                self.push(Kind::InputBool, width, args)
            }
            Kind::Pick => {
                let [c, t, f] = self.node(x).args;
                let (t, f) = (self.value(t), self.value(f));
                let c = self.boolean(c);
                let pattern: Vec<i8> =
                    (0..width).map(|i| if (t ^ f) >> i & 1 == 1 { 0 } else { ZERO }).collect();
                let spread = self.rewire(c, &pattern);
                let offset = self.constant(width, f);
                let word = self.xor(spread, offset);
                if word == c {
                    return c;
                }
                word
            }
            _ => self.push(Kind::A2b, width, [x, 0, 0]),
        };
        self.set_twin(x, twin);
        twin
    }

    /// A bit as 0 and 1 in the ring of `width` bits.
    fn bit_as_arith(&mut self, c: Id, width: u32) -> Id {
        let c = self.boolean(c);
        if let Some(twin) = self.twin(c, Domain::Arith)
            && self.width(twin) == width
        {
            return twin;
        }
        let twin = self.push(Kind::BitToArith, width, [c, 0, 0]);
        self.set_twin(c, twin);
        twin
    }

    /// Whether the value has a version on arithmetic shares or costs little to get there.
    pub(super) fn is_arith(&self, x: Id) -> bool {
        self.kind(x).domain() == Domain::Arith || self.twin(x, Domain::Arith).is_some()
    }

    pub(super) fn is_bool(&self, x: Id) -> bool {
        self.kind(x).domain() == Domain::Bool
    }

    /// The domain of an operation on `x` and `y`.
    pub(super) fn on_arith(&self, label: Label, x: Id, y: Id) -> bool {
        match label {
            Label::Arith => true,
            Label::Bool => false,
            Label::PreferArith => {
                !(self.is_bool(x) && self.is_bool(y)) || self.is_arith(x) || self.is_arith(y)
            }
            Label::PreferBool => {
                !self.is_bool(x) && !self.is_bool(y) && (self.is_arith(x) || self.is_arith(y))
            }
        }
    }

    /// Whether neither value is on arithmetic shares.
    pub(super) fn prefers_bool(&self, x: Id, y: Id) -> bool {
        !self.on_arith(Label::PreferBool, x, y)
    }

    fn value(&self, id: Id) -> u64 {
        self.constant_value(id).expect("the branches of a pick are public")
    }

    pub(super) fn mask(&self, x: Id) -> u64 {
        Width::new(self.width(x)).mask()
    }

    // ---- sums and products -------------------------------------------------------------------------------

    pub(super) fn sum(&mut self, label: Label, x: Id, y: Id) -> Id {
        if self.on_arith(label, x, y) {
            let (x, y) = (self.arith(x), self.arith(y));
            self.add(x, y)
        } else {
            let (x, y) = (self.boolean(x), self.boolean(y));
            self.add_bool(x, y)
        }
    }

    pub(super) fn difference(&mut self, label: Label, x: Id, y: Id) -> Id {
        if self.on_arith(label, x, y) {
            let (x, y) = (self.arith(x), self.arith(y));
            self.sub(x, y)
        } else {
            let (x, y) = (self.boolean(x), self.boolean(y));
            self.sub_bool(x, y)
        }
    }

    pub(super) fn product(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        for (pick, other) in [(x, y), (y, x)] {
            // A bit times a value needs no conversion of the bit.
            if self.kind(pick) == Kind::Pick
                && self.kind(other) != Kind::Const
                && let [c, t, f] = self.node(pick).args
                && self.value(f) == 0
            {
                let by = self.value(t);
                let (c, other) = (self.boolean(c), self.arith(other));
                let selected = self.push(Kind::Select, width, [c, other, 0]);
                return self.scale(selected, by);
            }
        }
        let (x, y) = (self.arith(x), self.arith(y));
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_mul(b)),
            (Some(a), None) => self.scale(y, a),
            (None, Some(b)) => self.scale(x, b),
            (None, None) => self.push(Kind::Mul, width, [x, y, 0]),
        }
    }

    pub(super) fn add(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_add(b)),
            (Some(0), None) => y,
            (None, Some(0)) => x,
            _ => self.push(Kind::Add, width, [x, y, 0]),
        }
    }

    pub(super) fn sub(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_sub(b)),
            (None, Some(0)) => x,
            (Some(0), None) => self.scale(y, u64::MAX),
            _ => self.push(Kind::Sub, width, [x, y, 0]),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(super) fn scale(&mut self, x: Id, by: u64) -> Id {
        let width = self.width(x);
        let by = by & self.mask(x);
        match (self.constant_value(x), by) {
            (Some(a), _) => self.constant(width, a.wrapping_mul(by)),
            (None, 0) => self.constant(width, 0),
            (None, 1) => x,
            (None, _) => self.push(Kind::Scale, width, [x, by as u32, (by >> 32) as u32]),
        }
    }

    pub(super) fn add_bool(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_add(b)),
            (Some(0), None) => y,
            (None, Some(0)) => x,
            _ if width == 1 => self.xor(x, y),
            _ => self.push(Kind::AddBool, width, [x, y, 0]),
        }
    }

    /// x - y = ~(~x + y).
    pub(super) fn sub_bool(&mut self, x: Id, y: Id) -> Id {
        if self.constant_value(y) == Some(0) {
            return x;
        }
        let inverted = self.invert(x);
        let sum = self.add_bool(inverted, y);
        self.invert(sum)
    }

    // ---- Boolean words -----------------------------------------------------------------------------------

    pub(super) fn xor(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a ^ b),
            (Some(0), None) => y,
            (None, Some(0)) => x,
            _ if x == y => self.constant(width, 0),
            _ => self.push(Kind::Xor, width, [x, y, 0]),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "two halves of a word")]
    pub(super) fn and(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        let masked = |graph: &mut Self, x: Id, by: u64| match by {
            0 => graph.constant(width, 0),
            by if by == graph.mask(x) => x,
            by => graph.push(Kind::AndConst, width, [x, by as u32, (by >> 32) as u32]),
        };
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a & b),
            (Some(a), None) => masked(self, y, a),
            (None, Some(b)) => masked(self, x, b),
            _ if x == y => x,
            _ => self.push(Kind::And, width, [x, y, 0]),
        }
    }

    pub(super) fn or(&mut self, x: Id, y: Id) -> Id {
        let width = self.width(x);
        let with = |graph: &mut Self, x: Id, value: u64| {
            let keep = graph.constant(width, !value);
            let kept = graph.and(x, keep);
            let value = graph.constant(width, value);
            graph.xor(kept, value)
        };
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a | b),
            (Some(a), None) => with(self, y, a),
            (None, Some(b)) => with(self, x, b),
            _ if x == y => x,
            _ => self.push(Kind::Or, width, [x, y, 0]),
        }
    }

    /// The complement of every bit of a Boolean word.
    pub(super) fn invert(&mut self, x: Id) -> Id {
        let ones = self.constant(self.width(x), u64::MAX);
        self.xor(x, ones)
    }

    /// `~x`: on arithmetic shares -1 - x.
    pub(super) fn complement(&mut self, x: Id) -> Id {
        if self.kind(x).domain() == Domain::Arith && self.twin(x, Domain::Bool).is_none() {
            let ones = self.constant(self.width(x), u64::MAX);
            return self.sub(ones, x);
        }
        let x = self.boolean(x);
        self.invert(x)
    }

    /// Plane `i` of the result is plane `pattern[i]` of `x`, or zeros.
    pub(super) fn rewire(&mut self, x: Id, pattern: &[i8]) -> Id {
        let width = u32::try_from(pattern.len()).expect("at most 64 planes");
        if let Some(value) = self.constant_value(x) {
            let bit = |p: i8| u32::try_from(p).map_or(0, |p| value >> p & 1);
            let value = pattern.iter().enumerate().fold(0, |v, (i, &p)| v | bit(p) << i);
            return self.constant(width, value);
        }
        if pattern.iter().all(|&p| p == ZERO) {
            return self.constant(width, 0);
        }
        if width == self.width(x) && pattern.iter().enumerate().all(|(i, &p)| usize::try_from(p) == Ok(i)) {
            return x;
        }
        let pattern = self.intern(pattern);
        self.push(Kind::Rewire, width, [x, pattern, 0])
    }

    /// One bit of a Boolean word.
    pub(super) fn bit(&mut self, x: Id, i: u32) -> Id {
        self.rewire(x, &[plane(i)])
    }

    // ---- shifts by public amounts, below the width --------------------------------------------------------

    pub(super) fn shift_left(&mut self, x: Id, by: u32) -> Id {
        if self.kind(x).domain() == Domain::Arith {
            return self.scale(x, 1 << by);
        }
        if self.kind(x) == Kind::Pick {
            return self.map_pick(x, self.width(x), |v| v << by);
        }
        let x = self.boolean(x);
        let width = self.width(x);
        let pattern: Vec<i8> = (0..width).map(|i| if i < by { ZERO } else { plane(i - by) }).collect();
        self.rewire(x, &pattern)
    }

    pub(super) fn shift_right(&mut self, x: Id, by: u32, arithmetic: bool) -> Id {
        let width = self.width(x);
        if by == 0 {
            return x;
        }
        let x = self.boolean(x);
        let fill = if arithmetic { plane(width - 1) } else { ZERO };
        let pattern: Vec<i8> =
            (0..width).map(|i| if i + by < width { plane(i + by) } else { fill }).collect();
        self.rewire(x, &pattern)
    }

    /// The floor of a signed value divided by 2^`by`, on the shares it is on.
    pub(super) fn truncate(&mut self, x: Id, by: u32) -> Id {
        let width = self.width(x);
        if by == 0 {
            return x;
        }
        if let Some(value) = self.constant_value(x) {
            return self.constant(width, (Width::new(width).signed(value) >> by).cast_unsigned());
        }
        if self.is_bool(x) {
            return self.shift_right(x, by, true);
        }
        let x = self.arith(x);
        self.push(Kind::Trunc, width, [x, by, 0])
    }

    fn map_pick(&mut self, x: Id, width: u32, f: impl Fn(u64) -> u64) -> Id {
        let [c, t, e] = self.node(x).args;
        let (t, e) = (f(self.value(t)), f(self.value(e)));
        let (t, e) = (self.constant(width, t), self.constant(width, e));
        self.pick(width, c, t, e)
    }

    // ---- widths ------------------------------------------------------------------------------------------

    /// The value in the ring of `width` bits: reduced, or extended as a `signed` or unsigned number.
    pub(super) fn resize(&mut self, x: Id, width: u32, signed: bool) -> Id {
        let from = self.width(x);
        if from == width {
            return x;
        }
        let extend = |v: u64| if signed { Width::new(from).signed(v).cast_unsigned() } else { v };
        if let Some(value) = self.constant_value(x) {
            return self.constant(width, extend(value));
        }
        if self.kind(x) == Kind::Pick {
            return self.map_pick(x, width, extend);
        }
        if from == 1 && !signed {
            let (one, zero) = (self.constant(width, 1), self.constant(width, 0));
            return self.pick(width, x, one, zero);
        }
        if self.is_bool(x) && !(width < from && self.is_arith(x)) {
            let fill = if signed { plane(from - 1) } else { ZERO };
            let pattern: Vec<i8> = (0..width).map(|i| if i < from { plane(i) } else { fill }).collect();
            return self.rewire(x, &pattern);
        }
        let x = self.arith(x);
        if width < from {
            return self.push(Kind::Reduce, width, [x, 0, 0]);
        }
        self.push(if signed { Kind::ExtendSigned } else { Kind::ExtendUnsigned }, width, [x, 0, 0])
    }
}

#[allow(clippy::cast_possible_truncation, reason = "there are at most 64 planes")]
pub(super) fn plane(i: u32) -> i8 {
    i as i8
}
