//! Recording: folds public values, chooses the domain, and writes what remains into the graph.

use super::graph::{Graph, ZERO};
use super::kind::{Domain, Kind};
use super::view::View;
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
    pub(super) fn arith(&mut self, x: View) -> View {
        self.convert(x, Domain::Arith)
    }

    /// The value as Boolean shares; converted at most once.
    pub(super) fn boolean(&mut self, x: View) -> View {
        self.convert(x, Domain::Bool)
    }

    fn convert(&mut self, x: View, domain: Domain) -> View {
        let kind = self.kind(x);
        if matches!(kind, Kind::Const | Kind::Table) || kind.domain() == domain {
            return x;
        }
        if x.len > 1 && x.is_one() {
            return self.convert(x.first(), domain).spread(x.len);
        }
        if kind.gathers() {
            return self.convert_parts(x, domain);
        }
        if let Some(twin) = self.twin(x, domain) {
            return twin;
        }
        let twin = match kind {
            Kind::Input => {
                let to = if domain == Domain::Arith { Kind::InputArith } else { Kind::InputBool };
                let shared = self.share_input(x.node, to);
                self.set_twin(View::whole(x.node, shared.len), shared);
                return View { node: shared.node, ..x };
            }
            Kind::Pick => {
                let picked = self.picked(x, domain);
                let c = self.node(x.node).args[0].compose(x);
                if picked == c || self.has_twin(c, domain) && self.twin(c, domain) == Some(picked) {
                    // The bit owns this version already.
                    return picked;
                }
                picked
            }
            _ => match self.missing(x, domain) {
                Some(missing) if !missing.is_empty() => {
                    let rest = self.collect_slots(missing.into_iter().map(|i| x.at(i)));
                    let converted = self.convert_now(rest, domain);
                    self.set_twin(rest, converted);
                    return self.twin(x, domain).unwrap_or_else(|| self.convert_now(x, domain));
                }
                _ => self.convert_now(x, domain),
            },
        };
        self.set_twin(x, twin);
        twin
    }

    /// Converts the parts of a gathered view: those without a version in `domain` together.
    fn convert_parts(&mut self, x: View, domain: Domain) -> View {
        let mut parts = Vec::new();
        self.resolve(x, &mut |part| parts.push(part));
        let mut rest = Vec::new();
        for part in &mut parts {
            let kind = self.kind(*part);
            if matches!(kind, Kind::Input | Kind::Pick) || kind.domain() == domain {
                *part = self.convert(*part, domain);
            } else if let Some(twin) = self.twin(*part, domain) {
                *part = twin;
            } else if !matches!(kind, Kind::Const | Kind::Table) {
                rest.push(*part);
            }
        }
        if !rest.is_empty() {
            let all = self.gather(rest.iter().copied());
            let converted = self.convert_now(all, domain);
            self.set_twin(all, converted);
            let mut from = 0;
            let mut rest = rest.into_iter().peekable();
            for part in &mut parts {
                if rest.next_if_eq(part).is_some() {
                    *part = converted.slice(from, part.len);
                    from += part.len;
                }
            }
        }
        self.gather(parts)
    }

    fn convert_now(&mut self, x: View, domain: Domain) -> View {
        let width = self.width(x);
        let kind = match domain {
            Domain::Arith if width == 1 => Kind::BitToArith,
            Domain::Arith => Kind::B2a,
            _ => Kind::A2b,
        };
        self.push(kind, width, &[x], 0)
    }

    /// The choice between public values in a domain.
    fn picked(&mut self, x: View, domain: Domain) -> View {
        let width = self.width(x);
        let (c, t, f) = self.choice(x);
        let offset = self.constant(width, f);
        if domain == Domain::Arith {
            let bit = self.bit_as_arith(c, width);
            let scaled = self.scale(bit, t.wrapping_sub(f));
            return self.add(scaled, offset);
        }
        let c = self.boolean(c);
        let pattern: Vec<i8> = (0..width).map(|i| if (t ^ f) >> i & 1 == 1 { 0 } else { ZERO }).collect();
        let spread = self.rewire(c, &pattern);
        self.xor(spread, offset)
    }

    /// The condition and the public branches of a pick.
    fn choice(&self, x: View) -> (View, u64, u64) {
        let [c, t, f] = self.node(x.node).args;
        (c.compose(x), self.value(t), self.value(f))
    }

    /// A bit as 0 and 1 in the ring of `width` bits.
    fn bit_as_arith(&mut self, c: View, width: u32) -> View {
        let c = self.boolean(c);
        if let Some(twin) = self.twin_of_width(c, Domain::Arith, width) {
            return twin;
        }
        let twin = self.push(Kind::BitToArith, width, &[c], 0);
        self.set_twin(c, twin);
        twin
    }

    /// Whether the value has a version on arithmetic shares or costs little to get there.
    pub(super) fn is_arith(&self, x: View) -> bool {
        self.kind(x).domain() == Domain::Arith || self.has_twin(x, Domain::Arith)
    }

    pub(super) fn is_bool(&self, x: View) -> bool {
        self.kind(x).domain() == Domain::Bool
    }

    /// The domain of an operation on `x` and `y`.
    pub(super) fn on_arith(&self, label: Label, x: View, y: View) -> bool {
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
    pub(super) fn prefers_bool(&self, x: View, y: View) -> bool {
        !self.on_arith(Label::PreferBool, x, y)
    }

    fn value(&self, id: View) -> u64 {
        self.constant_value(id).expect("the branches of a pick are public")
    }

    pub(super) fn mask(&self, x: View) -> u64 {
        Width::new(self.width(x)).mask()
    }

    // ---- sums and products -------------------------------------------------------------------------------

    pub(super) fn sum(&mut self, label: Label, x: View, y: View) -> View {
        if self.on_arith(label, x, y) {
            let (x, y) = (self.arith(x), self.arith(y));
            self.add(x, y)
        } else {
            let (x, y) = (self.boolean(x), self.boolean(y));
            self.add_bool(x, y)
        }
    }

    pub(super) fn difference(&mut self, label: Label, x: View, y: View) -> View {
        if self.on_arith(label, x, y) {
            let (x, y) = (self.arith(x), self.arith(y));
            self.sub(x, y)
        } else {
            let (x, y) = (self.boolean(x), self.boolean(y));
            self.sub_bool(x, y)
        }
    }

    pub(super) fn product(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        for (pick, other) in [(x, y), (y, x)] {
            // A bit times a value needs no conversion of the bit.
            if self.kind(pick) == Kind::Pick
                && self.kind(other) != Kind::Const
                && let (c, by, 0) = self.choice(pick)
            {
                let (c, other) = (self.boolean(c), self.arith(other));
                let selected = self.push(Kind::Select, width, &[c, other], 0);
                return self.scale(selected, by);
            }
        }
        let (x, y) = (self.arith(x), self.arith(y));
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_mul(b)),
            (Some(a), None) => self.scale(y, a),
            (None, Some(b)) => self.scale(x, b),
            (None, None) if self.kind(y) == Kind::Table => self.push(Kind::ScaleTable, width, &[x, y], 0),
            (None, None) if self.kind(x) == Kind::Table => self.push(Kind::ScaleTable, width, &[y, x], 0),
            (None, None) => self.push(Kind::Mul, width, &[x, y], 0),
        }
    }

    pub(super) fn add(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_add(b)),
            (Some(0), None) => y,
            (None, Some(0)) => x,
            _ => self.push(Kind::Add, width, &[x, y], 0),
        }
    }

    pub(super) fn sub(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_sub(b)),
            (None, Some(0)) => x,
            (Some(0), None) => self.scale(y, u64::MAX),
            _ => self.push(Kind::Sub, width, &[x, y], 0),
        }
    }

    pub(super) fn scale(&mut self, x: View, by: u64) -> View {
        let width = self.width(x);
        let by = by & self.mask(x);
        match (self.constant_value(x), by) {
            (Some(a), _) => self.constant(width, a.wrapping_mul(by)),
            (None, 0) => self.constant(width, 0),
            (None, 1) => x,
            (None, _) => self.push(Kind::Scale, width, &[x], by),
        }
    }

    pub(super) fn add_bool(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a.wrapping_add(b)),
            (Some(0), None) => y,
            (None, Some(0)) => x,
            _ if width == 1 => self.xor(x, y),
            _ => self.push(Kind::AddBool, width, &[x, y], 0),
        }
    }

    /// x - y = ~(~x + y).
    pub(super) fn sub_bool(&mut self, x: View, y: View) -> View {
        if self.constant_value(y) == Some(0) {
            return x;
        }
        let inverted = self.invert(x);
        let sum = self.add_bool(inverted, y);
        self.invert(sum)
    }

    // ---- Boolean words -----------------------------------------------------------------------------------

    pub(super) fn xor(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a ^ b),
            (Some(0), None) => y,
            (None, Some(0)) => x,
            _ if x == y => self.constant(width, 0),
            _ => self.push(Kind::Xor, width, &[x, y], 0),
        }
    }

    pub(super) fn and(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        let masked = |graph: &mut Self, x: View, by: u64| match by {
            0 => graph.constant(width, 0),
            by if by == graph.mask(x) => x,
            by => graph.push(Kind::AndConst, width, &[x], by),
        };
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => self.constant(width, a & b),
            (Some(a), None) => masked(self, y, a),
            (None, Some(b)) => masked(self, x, b),
            _ if x == y => x,
            _ if self.kind(y) == Kind::Table => self.push(Kind::AndTable, width, &[x, y], 0),
            _ if self.kind(x) == Kind::Table => self.push(Kind::AndTable, width, &[y, x], 0),
            _ => self.push(Kind::And, width, &[x, y], 0),
        }
    }

    pub(super) fn or(&mut self, x: View, y: View) -> View {
        let width = self.width(x);
        let with = |graph: &mut Self, x: View, value: u64| {
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
            _ => self.push(Kind::Or, width, &[x, y], 0),
        }
    }

    /// The complement of every bit of a Boolean word.
    pub(super) fn invert(&mut self, x: View) -> View {
        let ones = self.constant(self.width(x), u64::MAX);
        self.xor(x, ones)
    }

    /// `~x`: on arithmetic shares -1 - x.
    pub(super) fn complement(&mut self, x: View) -> View {
        if self.kind(x).domain() == Domain::Arith && !self.has_twin(x, Domain::Bool) {
            let ones = self.constant(self.width(x), u64::MAX);
            return self.sub(ones, x);
        }
        let x = self.boolean(x);
        self.invert(x)
    }

    /// Plane `i` of the result is plane `pattern[i]` of `x`, or zeros.
    pub(super) fn rewire(&mut self, x: View, pattern: &[i8]) -> View {
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
        self.push(Kind::Rewire, width, &[x], pattern)
    }

    /// One bit of a Boolean word.
    pub(super) fn bit(&mut self, x: View, i: u32) -> View {
        self.rewire(x, &[plane(i)])
    }

    // ---- shifts by public amounts, below the width --------------------------------------------------------

    pub(super) fn shift_left(&mut self, x: View, by: u32) -> View {
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

    pub(super) fn shift_right(&mut self, x: View, by: u32, arithmetic: bool) -> View {
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
    pub(super) fn truncate(&mut self, x: View, by: u32) -> View {
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
        self.push(Kind::Trunc, width, &[x], u64::from(by))
    }

    fn map_pick(&mut self, x: View, width: u32, f: impl Fn(u64) -> u64) -> View {
        let (c, t, e) = self.choice(x);
        let (t, e) = (f(t), f(e));
        let (t, e) = (self.constant(width, t), self.constant(width, e));
        self.pick(width, c, t, e)
    }

    // ---- widths ------------------------------------------------------------------------------------------

    /// The value in the ring of `width` bits: reduced, or extended as a `signed` or unsigned number.
    pub(super) fn resize(&mut self, x: View, width: u32, signed: bool) -> View {
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
            return self.push(Kind::Reduce, width, &[x], 0);
        }
        self.push(if signed { Kind::ExtendSigned } else { Kind::ExtendUnsigned }, width, &[x], 0)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "there are at most 64 planes")]
pub(super) fn plane(i: u32) -> i8 {
    i as i8
}
