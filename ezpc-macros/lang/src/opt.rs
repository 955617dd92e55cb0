//! Optimisation: public constants are folded, conversions that follow each other joined, loops made vectors.

mod lanes;

use crate::ir::{Expr, ExprKind, Program, Ty};
use crate::sema::wrap;
use crate::syntax::ast::{Base, BinaryOp, UnaryOp};

/// The passes with their names, in order.
pub const PASSES: [(&str, Pass); 2] = [("fold", fold_all), ("lanes", lanes::vectorise)];

/// Replaces a program by one with the same meaning.
pub type Pass = fn(&mut Program);

/// Runs every pass.
pub fn optimise(program: &mut Program) {
    for (_, pass) in PASSES {
        pass(program);
    }
}

/// Folds every expression of a program.
fn fold_all(program: &mut Program) {
    for function in &mut program.functions {
        function.param_sizes.iter_mut().flatten().for_each(fold_in_place);
        function.body.iter_mut().for_each(|stmt| stmt.each_expr(&mut fold_in_place));
    }
}

fn fold_in_place(expr: &mut Expr) {
    let placeholder = Expr { kind: ExprKind::Bool(false), ..expr.clone() };
    *expr = fold(core::mem::replace(expr, placeholder));
}

/// The expression with its public constant parts evaluated. What would be an error at run time is left for then.
#[must_use]
pub fn fold(expr: Expr) -> Expr {
    let Expr { kind, ty, span } = expr;
    let boxed = |x: Box<Expr>| Box::new(fold(*x));
    let list = |xs: Vec<Expr>| xs.into_iter().map(fold).collect::<Vec<_>>();
    let kind = match kind {
        ExprKind::Index(var, index) => ExprKind::Index(var, list(index)),
        ExprKind::Oblivious(x, y) => ExprKind::Oblivious(boxed(x), boxed(y)),
        ExprKind::Call(callee, args) => ExprKind::Call(callee, list(args)),
        ExprKind::Reveal(role, x) => ExprKind::Reveal(role, boxed(x)),
        ExprKind::Unary(op, x) => {
            let x = boxed(x);
            constant_unary(op, &x, ty).unwrap_or(ExprKind::Unary(op, x))
        }
        ExprKind::Binary(op, label, x, y) => {
            let (x, y) = (boxed(x), boxed(y));
            constant_binary(op, &x, &y, ty).unwrap_or(ExprKind::Binary(op, label, x, y))
        }
        ExprKind::Mux(label, c, t, e) => {
            let (c, t, e) = (boxed(c), boxed(t), boxed(e));
            match c.kind {
                ExprKind::Bool(value) => return if value { *t } else { *e },
                _ => ExprKind::Mux(label, c, t, e),
            }
        }
        ExprKind::Convert(x) => convert(fold(*x), ty),
        other => other,
    };
    Expr { kind, ty, span }
}

fn convert(x: Expr, ty: Ty) -> ExprKind {
    if ty.public() {
        match x.kind {
            ExprKind::Int { value, .. } if ty.integer() => {
                return ExprKind::Int { value: wrap(value, ty.base), flexible: false };
            }
            ExprKind::Int { value, .. } if ty.base == Base::Bool => return ExprKind::Bool(value != 0),
            ExprKind::Bool(value) if ty.integer() => {
                return ExprKind::Int { value: i128::from(value), flexible: false };
            }
            _ => {}
        }
    }
    match x.kind {
        // Only the label changes twice.
        ExprKind::Convert(inner) if inner.ty.base == x.ty.base && x.ty.base == ty.base => {
            ExprKind::Convert(inner)
        }
        kind => ExprKind::Convert(Box::new(Expr { kind, ..x })),
    }
}

fn constant_unary(op: UnaryOp, x: &Expr, ty: Ty) -> Option<ExprKind> {
    Some(match (op, &x.kind) {
        (UnaryOp::Not, ExprKind::Bool(value)) => ExprKind::Bool(!value),
        (UnaryOp::Invert, ExprKind::Int { value, .. }) => int(!value, ty),
        (UnaryOp::Neg, ExprKind::Int { value, .. }) => int(-value, ty),
        _ => return None,
    })
}

fn constant_binary(op: BinaryOp, x: &Expr, y: &Expr, ty: Ty) -> Option<ExprKind> {
    if let (ExprKind::Bool(x), ExprKind::Bool(y)) = (&x.kind, &y.kind) {
        return Some(ExprKind::Bool(match op {
            BinaryOp::Or => *x || *y,
            BinaryOp::And => *x && *y,
            BinaryOp::BoolXor | BinaryOp::Ne => x != y,
            BinaryOp::Eq => x == y,
            _ => return None,
        }));
    }
    let (ExprKind::Int { value: a, .. }, ExprKind::Int { value: b, .. }) = (&x.kind, &y.kind) else {
        return None;
    };
    let (a, b) = (*a, *b);
    let shift = || u32::try_from(b).ok().filter(|&s| s < ty.base.bits());
    let unsigned = a & ((1i128 << ty.base.bits()) - 1);
    Some(match op {
        BinaryOp::Eq => ExprKind::Bool(a == b),
        BinaryOp::Ne => ExprKind::Bool(a != b),
        BinaryOp::Lt => ExprKind::Bool(a < b),
        BinaryOp::Le => ExprKind::Bool(a <= b),
        BinaryOp::Gt => ExprKind::Bool(a > b),
        BinaryOp::Ge => ExprKind::Bool(a >= b),
        BinaryOp::BitOr => int(a | b, ty),
        BinaryOp::BitXor => int(a ^ b, ty),
        BinaryOp::BitAnd => int(a & b, ty),
        BinaryOp::Add => int(a + b, ty),
        BinaryOp::Sub => int(a - b, ty),
        BinaryOp::Mul => int(a.wrapping_mul(b), ty),
        BinaryOp::Div if b != 0 => int(a / b, ty),
        BinaryOp::Rem if b != 0 => int(a % b, ty),
        BinaryOp::Shl => int(a << shift()?, ty),
        BinaryOp::Shr => int(a >> shift()?, ty),
        BinaryOp::ShrLogical => int(unsigned >> shift()?, ty),
        BinaryOp::Pow => int(power(a, u64::try_from(b).ok()?), ty),
        _ => return None,
    })
}

fn int(value: i128, ty: Ty) -> ExprKind {
    ExprKind::Int { value: wrap(value, ty.base), flexible: false }
}

fn power(mut base: i128, mut exponent: u64) -> i128 {
    let mut result = 1i128;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}
