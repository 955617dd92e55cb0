//! Recording reductions: what a loop adds to, multiplies into or joins with one variable.

use super::graph::Graph;
use super::kind::Kind;
use super::record::Label;
use super::view::View;

/// How a loop combines its values with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fold {
    /// `s = s + x`.
    Add,
    /// `s = s - x`.
    Sub,
    /// `s = s * x`.
    Mul,
    /// `s = s & x`, `s = s && x`.
    And,
    /// `s = s | x`, `s = s || x`.
    Or,
    /// `s = s ^ x`, `s = s @ x`.
    Xor,
}

impl Graph {
    /// `s` combined with `lanes` values; a single one stands for itself in each lane.
    pub(super) fn accumulate(&mut self, fold: Fold, label: Label, s: View, x: View, lanes: u32) -> View {
        match fold {
            Fold::Add | Fold::Sub => {
                // Many additions are local on arithmetic shares: cheaper than a tree of adders, even after a conversion
                // and wherever the program asks for the result.
                let (label, x) = if lanes > 1 {
                    let x = self.arith(x);
                    (Label::Arith, self.all(Kind::SumAll, x, lanes))
                } else {
                    (label, x)
                };
                if fold == Fold::Add { self.sum(label, s, x) } else { self.difference(label, s, x) }
            }
            Fold::Mul => {
                let x = self.arith(x);
                let x = self.all(Kind::MulAll, x, lanes);
                self.product(s, x)
            }
            Fold::And => self.join(Kind::AndAll, Self::and, s, x, lanes),
            Fold::Or => self.join(Kind::OrAll, Self::or, s, x, lanes),
            Fold::Xor => self.join(Kind::XorAll, Self::xor, s, x, lanes),
        }
    }

    fn join(
        &mut self,
        all: Kind,
        with: fn(&mut Self, View, View) -> View,
        s: View,
        x: View,
        lanes: u32,
    ) -> View {
        let (s, x) = (self.boolean(s), self.boolean(x));
        let x = self.all(all, x, lanes);
        with(self, s, x)
    }

    /// All lanes of `x` combined into one value.
    fn all(&mut self, kind: Kind, x: View, lanes: u32) -> View {
        if lanes == 1 {
            return x;
        }
        let width = self.width(x);
        if x.is_one() {
            let x = x.first();
            match (kind, self.constant_value(x)) {
                (Kind::AndAll | Kind::OrAll, _) => return x,
                (Kind::SumAll, _) => return self.scale(x, u64::from(lanes)),
                (Kind::XorAll, _) if lanes % 2 == 1 => return x,
                (Kind::XorAll, _) => return self.constant(width, 0),
                (Kind::MulAll, Some(v)) => return self.constant(width, v.wrapping_pow(lanes)),
                _ => {}
            }
        }
        if self.kind(x) == Kind::Table {
            let mut values = Vec::new();
            self.table_values(x, &mut values);
            let values = values.into_iter();
            let value = match kind {
                Kind::SumAll => values.fold(0, u64::wrapping_add),
                Kind::MulAll => values.fold(1, u64::wrapping_mul),
                Kind::AndAll => values.fold(u64::MAX, |a, b| a & b),
                Kind::OrAll => values.fold(0, |a, b| a | b),
                _ => values.fold(0, |a, b| a ^ b),
            };
            return self.constant(width, value);
        }
        self.append(kind, width, 1, [x.spread(lanes), View::NONE, View::NONE], 0)
    }
}
