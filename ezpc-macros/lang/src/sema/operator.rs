//! Binary operators and `?:`.

use super::Body;
use super::default_label;
use super::expr::flexible;
use crate::diag::Code;
use crate::diag::Place;
use crate::ir::{Expr, ExprKind, Ty};
use crate::syntax::ast::{Base, BinaryOp, Label};

impl Body<'_, '_> {
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        label: Option<Label>,
        left: Expr,
        right: Expr,
        span: Place,
    ) -> Option<Expr> {
        if left.ty.rank > 0 || right.ty.rank > 0 {
            let what = format!("`{}`", op.text());
            return self.elementwise(vec![left, right], &what, span, |b, mut x| {
                let right = x.pop()?;
                b.binary(op, label, x.pop()?, right, span)
            });
        }
        let logical = matches!(op, BinaryOp::Or | BinaryOp::And | BinaryOp::BoolXor);
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        let both_bool = left.ty.base == Base::Bool && right.ty.base == Base::Bool;
        let both_int = left.ty.integer() && right.ty.integer();
        let both_real = left.ty.base.real() && right.ty.base.real();
        let on_floats = equality
            || matches!(op, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div)
            || matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
        let fits = both_int || equality && both_bool || both_real && on_floats;
        if !(if logical { both_bool } else { fits }) {
            let message = format!("`{}` on `{}` and `{}`", op.text(), left.ty.base, right.ty.base);
            let help = match op {
                BinaryOp::BitAnd if both_bool => "for bool write `&&`",
                BinaryOp::BitOr if both_bool => "for bool write `||`",
                BinaryOp::BitXor if both_bool => "for bool write `@`",
                BinaryOp::And if both_int => "for integers write `&`",
                BinaryOp::Or if both_int => "for integers write `|`",
                BinaryOp::BoolXor if both_int => "for integers write `^`",
                _ if logical => "both sides are bool",
                _ => "both sides are numbers of one type; `float` and `fix` have `+ - * /` and comparisons",
            };
            self.report_with(Code::BadOperand, span, message, help);
            return None;
        }
        let public = left.ty.public() && right.ty.public();
        let allowed: &[Label] = match op {
            _ if both_real => &[Label::Fl],
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Div | BinaryOp::Rem => &[Label::Al, Label::Bl],
            BinaryOp::Mul => &[Label::Al],
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge | BinaryOp::Eq | BinaryOp::Ne => {
                &[Label::Al, Label::Bl]
            }
            BinaryOp::Pow => &[],
            _ => &[Label::Bl],
        };
        self.operator_label(label, allowed, public, op.text(), span)?;
        match op {
            BinaryOp::Shl | BinaryOp::Shr | BinaryOp::ShrLogical => {
                return self.shift(op, label, left, right, span);
            }
            BinaryOp::Pow => return self.power(label, left, right, span),
            _ => {}
        }
        let (left, right) = self.join(left, right, op.text(), span)?;
        let compares = equality || matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge);
        // A written label on public operands asks for shares.
        let public = public && label.is_none_or(|l| l == Label::Pl);
        let operand = match (public, op) {
            (true, _) => Label::Pl,
            (false, _) if both_bool => Label::Bl,
            (false, _) if both_real => Label::Fl,
            (false, BinaryOp::Mul) => Label::Al,
            (false, BinaryOp::Add | BinaryOp::Sub | BinaryOp::Div | BinaryOp::Rem) => {
                label.unwrap_or_else(|| joint_label(left.ty.label, right.ty.label))
            }
            (false, _) => label.unwrap_or(Label::Bl),
        };
        let result = match (public, compares) {
            (true, _) => Label::Pl,
            (false, true) => Label::Bl,
            (false, false) => operand,
        };
        let base = if compares { Base::Bool } else { left.ty.base };
        let left = self.coerce(left.clone(), Ty::scalar(left.ty.base, operand))?;
        let right = self.coerce(right.clone(), Ty::scalar(right.ty.base, operand))?;
        let kind = ExprKind::Binary(op, label, Box::new(left), Box::new(right));
        Some(Expr { kind, ty: Ty::scalar(base, result), span })
    }

    fn shift(
        &mut self,
        op: BinaryOp,
        label: Option<Label>,
        left: Expr,
        right: Expr,
        span: Place,
    ) -> Option<Expr> {
        if !right.ty.public() {
            self.report(Code::SecretSize, right.span, format!("the amount of `{}` is secret", op.text()));
            return None;
        }
        if let ExprKind::Int { value, .. } = crate::opt::fold(right.clone()).kind
            && !(0..i128::from(left.ty.base.bits())).contains(&value)
        {
            let message = format!("cannot shift `{}` by {value}", left.ty.base);
            self.report_with(Code::TypeMismatch, right.span, message, "the amount is below the width");
            return None;
        }
        let secret = !left.ty.public() || label.is_some_and(|l| l != Label::Pl);
        let ty = Ty::scalar(left.ty.base, if secret { Label::Bl } else { Label::Pl });
        let left = self.coerce(left, ty)?;
        Some(Expr { kind: ExprKind::Binary(op, label, Box::new(left), Box::new(right)), ty, span })
    }

    fn power(&mut self, label: Option<Label>, left: Expr, right: Expr, span: Place) -> Option<Expr> {
        for side in [&left, &right] {
            if !side.ty.public() {
                self.report(Code::SecretSize, side.span, "`^^` is for public values");
                return None;
            }
        }
        let ty = left.ty;
        Some(Expr { kind: ExprKind::Binary(BinaryOp::Pow, label, Box::new(left), Box::new(right)), ty, span })
    }

    pub(super) fn mux(
        &mut self,
        label: Option<Label>,
        guard: Expr,
        yes: Expr,
        no: Expr,
        span: Place,
    ) -> Option<Expr> {
        if [&guard, &yes, &no].into_iter().any(|x| x.ty.rank > 0) {
            return self.elementwise(vec![guard, yes, no], "`?`", span, |b, mut x| {
                let (no, yes) = (x.pop()?, x.pop()?);
                b.mux(label, x.pop()?, yes, no, span)
            });
        }
        if guard.ty.base != Base::Bool {
            let message = format!("the condition of `?` is `{}`, not bool", guard.ty);
            self.report_with(Code::TypeMismatch, guard.span, message, "write a comparison, as `x != 0`");
            return None;
        }
        self.operator_label(label, &[Label::Al, Label::Bl, Label::Fl], guard.ty.public(), "?", span)?;
        let (yes, no) = if yes.ty.base == Base::Bool && no.ty.base == Base::Bool {
            (yes, no)
        } else {
            self.join(yes, no, "?", span)?
        };
        let base = yes.ty.base;
        let both_public = yes.ty.public() && no.ty.public();
        let target = if guard.ty.public() {
            if both_public { Label::Pl } else { joint_label(yes.ty.label, no.ty.label) }
        } else if base == Base::Bool {
            Label::Bl
        } else if base.real() {
            Label::Fl
        } else {
            label.unwrap_or(Label::Bl)
        };
        let ty = Ty::scalar(base, target);
        let (yes, no) = (self.coerce(yes, ty)?, self.coerce(no, ty)?);
        Some(Expr { kind: ExprKind::Mux(label, Box::new(guard), Box::new(yes), Box::new(no)), ty, span })
    }

    /// Two numbers in one base type.
    fn join(&mut self, left: Expr, right: Expr, operator: &str, span: Place) -> Option<(Expr, Expr)> {
        let (a, b) = (left.ty, right.ty);
        if a.base == b.base {
            return Some((left, right));
        }
        if adapts(b, a.base) || a.integer() && b.integer() && flexible(&right) {
            return Some((left, self.rebase(right, a.base)?));
        }
        if adapts(a, b.base) || a.integer() && b.integer() && flexible(&left) {
            return Some((self.rebase(left, b.base)?, right));
        }
        if !a.integer() || !b.integer() {
            let message = format!("`{operator}` on `{}` and `{}`", a.base, b.base);
            let help = match (a.base.real(), b.base.real()) {
                (true, true) => "convert one side, as `fix<32, 12>(..)`",
                (false, false) => Code::TypeMismatch.help(),
                _ => "integers and fractions do not mix: write `1.0`",
            };
            self.report_with(Code::TypeMismatch, span, message, help);
            return None;
        }
        let signed = |ty: Ty| matches!(ty.base, Base::Int { signed: true, .. });
        let (wide, narrow) = if a.base.bits() >= b.base.bits() { (a, b) } else { (b, a) };
        if wide.base.bits() != narrow.base.bits() && !(narrow.public() && signed(wide) == signed(narrow)) {
            let message = format!("`{operator}` on `{}` and `{}`", a, b);
            let help = format!("convert one side, as `{}(..)`", wide.base);
            self.report_with(Code::WidthMismatch, span, message, help);
            return None;
        }
        if signed(a) != signed(b) {
            let message = format!("`{operator}` on signed and unsigned: `{}` and `{}`", a, b);
            let help = format!("convert one side, as `{}(..)`", a.base);
            self.report_with(Code::TypeMismatch, span, message, help);
            return None;
        }
        Some((self.rebase(left, wide.base)?, self.rebase(right, wide.base)?))
    }
}

/// Whether values of a type become fixed-point ones of the type `base` by themselves: public numbers with a fraction.
pub(super) fn adapts(ty: Ty, base: Base) -> bool {
    ty.public() && ty.base == Base::Float && matches!(base, Base::Fix { .. })
}

/// The label of the secret operand; of two different ones the arithmetic.
fn joint_label(a: Label, b: Label) -> Label {
    match (a, b) {
        (Label::Pl, other) | (other, Label::Pl) => other,
        _ if a == b => a,
        _ => default_label(Base::Int { signed: false, bits: 32 }),
    }
}
