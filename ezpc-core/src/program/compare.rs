//! Recording comparisons and choices.

use super::graph::Graph;
use super::kind::{Domain, Kind};
use super::record::{Label, plane};
use super::view::View;
use crate::ring::Width;

impl Graph {
    pub(super) fn less_than(&mut self, x: View, y: View, signed: bool) -> View {
        let width = self.width(x);
        let order = |v: u64| {
            let v = if signed { Width::new(width).signed(v).cast_unsigned() ^ 1 << 63 } else { v };
            u128::from(v)
        };
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => return self.constant(1, u64::from(order(a) < order(b))),
            (None, Some(0)) if signed => return self.sign(x),
            (None, Some(0)) => return self.constant(1, 0),
            (Some(0), None) if !signed => {
                let zero = self.equal(y, x);
                return self.invert(zero);
            }
            (Some(a), None) if signed && a == self.mask(x) => {
                let negative = self.sign(y);
                return self.invert(negative);
            }
            _ if x == y => return self.constant(1, 0),
            _ => {}
        }
        if width == 1 {
            // Unsigned bits: 0 < 1.
            let (x, y) = (self.boolean(x), self.boolean(y));
            let not = self.invert(x);
            return self.and(not, y);
        }
        let (x, y) = (self.arith(x), self.arith(y));
        self.push(if signed { Kind::LessSigned } else { Kind::LessUnsigned }, 1, &[x, y], 0)
    }

    /// Whether a signed value is negative.
    fn sign(&mut self, x: View) -> View {
        let top = self.width(x) - 1;
        if self.is_bool(x) || self.has_twin(x, Domain::Bool) || self.kind(x) == Kind::Pick {
            let x = self.boolean(x);
            return self.bit(x, top);
        }
        let x = self.arith(x);
        self.push(Kind::Msb, 1, &[x], 0)
    }

    pub(super) fn equal(&mut self, x: View, y: View) -> View {
        match (self.constant_value(x), self.constant_value(y)) {
            (Some(a), Some(b)) => return self.constant(1, u64::from(a == b)),
            _ if x == y => return self.constant(1, 1),
            _ => {}
        }
        let boolean = |graph: &Self, x: View| graph.is_bool(x) || graph.has_twin(x, Domain::Bool);
        let fits = |graph: &Self, x: View| boolean(graph, x) || graph.kind(x).domain() == Domain::Either;
        if fits(self, x) && fits(self, y) && (boolean(self, x) || boolean(self, y) || self.width(x) == 1) {
            let (x, y) = (self.boolean(x), self.boolean(y));
            let differ = self.xor(x, y);
            let same = self.invert(differ);
            return self.all_ones(same);
        }
        let (x, y) = (self.arith(x), self.arith(y));
        self.push(Kind::Equal, 1, &[x, y], 0)
    }

    /// Whether every bit of a Boolean word is set: a tree over its planes.
    fn all_ones(&mut self, mut x: View) -> View {
        while self.width(x) > 1 {
            let width = self.width(x);
            let half = width / 2;
            let low: Vec<i8> = (0..half).map(plane).collect();
            let high: Vec<i8> = (half..2 * half).map(plane).collect();
            let (a, b) = (self.rewire(x, &low), self.rewire(x, &high));
            let both = self.and(a, b);
            // An odd plane is paired with plane 0 of what remains.
            x = if width % 2 == 1 {
                let odd = self.bit(x, width - 1);
                let first = self.bit(both, 0);
                let joined = self.and(odd, first);
                if half == 1 {
                    return joined;
                }
                let rest: Vec<i8> = (1..half).map(plane).collect();
                let rest = self.rewire(both, &rest);
                let rest = self.all_ones(rest);
                return self.and(joined, rest);
            } else {
                both
            };
        }
        x
    }

    pub(super) fn mux(&mut self, label: Label, c: View, t: View, f: View) -> View {
        let width = self.width(t);
        if let Some(c) = self.constant_value(c) {
            return if c == 1 { t } else { f };
        }
        if t == f {
            return t;
        }
        let c = self.boolean(c);
        if width == 1 {
            return self.choose_bit(c, t, f);
        }
        match (self.constant_value(t), self.constant_value(f)) {
            (Some(a), Some(b)) if a == b => return t,
            (Some(_), Some(_)) => return self.pick(width, c, t, f),
            _ => {}
        }
        if self.on_arith(label, t, f) {
            let (t, f) = (self.arith(t), self.arith(f));
            if self.constant_value(f) == Some(0) {
                return self.push(Kind::Select, width, &[c, t], 0);
            }
            if self.constant_value(t) == Some(0) {
                let not = self.invert(c);
                return self.push(Kind::Select, width, &[not, f], 0);
            }
            if let Some(kind) = self.extremum(c, t, f) {
                return self.push(kind, width, &[t, f, c], 0);
            }
            return self.push(Kind::Mux, width, &[c, t, f], 0);
        }
        let (t, f) = (self.boolean(t), self.boolean(f));
        self.push(Kind::MuxBool, width, &[c, t, f], 0)
    }

    /// The maximum or minimum that `c ? t : f` is when `c` compares t and f.
    fn extremum(&self, c: View, t: View, f: View) -> Option<Kind> {
        let node = self.node(c.node);
        let args = node.args.map(|arg| if arg.len > 0 { arg.compose(c) } else { arg });
        let (node, args, inverted) = match node.kind {
            Kind::Xor => {
                let one = args[..2].iter().position(|&x| self.constant_value(x) == Some(1))?;
                let inner = args[1 - one];
                let node = self.node(inner.node);
                (node, node.args.map(|arg| if arg.len > 0 { arg.compose(inner) } else { arg }), true)
            }
            _ => (node, args, false),
        };
        // Of a < b the larger is b; of its opposite a.
        let larger = match (t == args[0] && f == args[1], t == args[1] && f == args[0]) {
            (true, false) => inverted,
            (false, true) => !inverted,
            _ => return None,
        };
        match (node.kind, larger) {
            (Kind::LessSigned, true) => Some(Kind::MaxSigned),
            (Kind::LessUnsigned, true) => Some(Kind::MaxUnsigned),
            (Kind::LessSigned, false) => Some(Kind::MinSigned),
            (Kind::LessUnsigned, false) => Some(Kind::MinUnsigned),
            _ => None,
        }
    }

    fn choose_bit(&mut self, c: View, t: View, f: View) -> View {
        let (t, f) = (self.boolean(t), self.boolean(f));
        match (self.constant_value(t), self.constant_value(f)) {
            (Some(a), Some(b)) if a == b => t,
            (Some(1), Some(_)) => c,
            (Some(_), Some(_)) => self.invert(c),
            (Some(1), None) => self.or(c, f),
            (Some(_), None) => {
                let not = self.invert(c);
                self.and(not, f)
            }
            (None, Some(0)) => self.and(c, t),
            (None, Some(_)) => {
                let not = self.invert(c);
                self.or(not, t)
            }
            (None, None) if c == t => self.or(c, f),
            (None, None) if c == f => self.and(c, t),
            (None, None) => self.push(Kind::MuxBool, 1, &[c, t, f], 0),
        }
    }
}
