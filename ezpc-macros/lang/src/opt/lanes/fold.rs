//! Recognises accumulation: `s = s + x`, `if (c) { s = s + x; }`, `found = found || a || b`.

use crate::ir::{Expr, ExprKind, Ty, VarId};
use crate::syntax::ast::{Base, BinaryOp, Label};

/// What is accumulated.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) var: VarId,
    pub(super) index: &'a [Expr],
}

/// One operation, the label that is written at it, and the other operand, with the label that follows for it.
type Step = (BinaryOp, Option<Label>, Expr);

/// The operations by which `value` follows from the target; `None` when they depend on their order.
pub(super) fn steps(target: Target<'_>, value: &Expr) -> Option<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut rest = relabelled(value);
    while !target.is(rest) {
        match &rest.kind {
            ExprKind::Binary(op, label, x, y) => {
                let op = *op;
                let same = associative(op, rest.ty)?;
                if steps.iter().any(|(other, ..)| class(*other) != same) {
                    return None;
                }
                let label = *label;
                if op != BinaryOp::Sub && target.is(relabelled(y)) {
                    steps.push((op, label, (**x).clone()));
                    break;
                }
                steps.push((op, label, (**y).clone()));
                rest = relabelled(x);
            }
            ExprKind::Mux(label, c, t, e) if steps.is_empty() && !c.ty.public() => {
                return chosen(target, *label, c, t, e);
            }
            _ => return None,
        }
    }
    steps.reverse();
    (!steps.is_empty()).then_some(steps)
}

/// `c ? s + x : s` adds `c ? x : 0`.
fn chosen(target: Target<'_>, label: Option<Label>, c: &Expr, t: &Expr, e: &Expr) -> Option<Vec<Step>> {
    let (value, otherwise) = match (target.is(relabelled(t)), target.is(relabelled(e))) {
        (false, true) => (t, false),
        (true, false) => (e, true),
        _ => return None,
    };
    let steps = steps(target, value)?;
    let choose = |(op, own, x): Step| {
        let neutral =
            Expr { kind: neutral(op, x.ty.base), ty: Ty { label: Label::Pl, ..x.ty }, span: x.span };
        let x_ty = x.ty;
        let ty = Ty { label: if x.ty.base.real() { Label::Fl } else { Label::Bl }, ..x.ty };
        let relabel = |e: Expr| Box::new(Expr { span: e.span, ty, kind: ExprKind::Convert(Box::new(e)) });
        let (yes, no) =
            if otherwise { (relabel(neutral), relabel(x)) } else { (relabel(x), relabel(neutral)) };
        let (span, to) = (c.span, x_ty);
        let mux = Expr { kind: ExprKind::Mux(label, Box::new(c.clone()), yes, no), ty, span };
        (op, own, Expr { kind: ExprKind::Convert(Box::new(mux)), ty: to, span })
    };
    Some(steps.into_iter().map(choose).collect())
}

/// The value that an operation leaves the other operand with.
fn neutral(op: BinaryOp, base: Base) -> ExprKind {
    let and = matches!(op, BinaryOp::And | BinaryOp::BitAnd);
    match base {
        Base::Bool => ExprKind::Bool(and),
        Base::Float | Base::Fix { .. } => ExprKind::Float(0.0),
        Base::Int { .. } => {
            let value = if and { -1 } else { i128::from(op == BinaryOp::Mul) };
            ExprKind::Int { value: crate::sema::wrap(value, base), flexible: false }
        }
    }
}

/// The operation that steps must share, when their order does not matter. Products of numbers with a fraction are
/// rounded and not associative.
fn associative(op: BinaryOp, ty: Ty) -> Option<BinaryOp> {
    match op {
        BinaryOp::Mul if !ty.integer() => None,
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::BoolXor
        | BinaryOp::BitAnd
        | BinaryOp::BitOr
        | BinaryOp::BitXor => Some(class(op)),
        _ => None,
    }
}

/// One operation for those that may be mixed.
pub(super) fn class(op: BinaryOp) -> BinaryOp {
    if op == BinaryOp::Sub { BinaryOp::Add } else { op }
}

/// An expression without conversions that change the label only.
pub(super) fn relabelled(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Convert(x) if !x.ty.public() && x.ty.base == expr.ty.base => relabelled(x),
        _ => expr,
    }
}

impl Target<'_> {
    fn is(self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Var(var) => *var == self.var && self.index.is_empty(),
            ExprKind::Index(var, index) => {
                *var == self.var
                    && index.len() == self.index.len()
                    && index.iter().zip(self.index).all(|(a, b)| a.same(b))
            }
            _ => false,
        }
    }
}
