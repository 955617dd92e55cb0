//! Counters: a public variable that every iteration moves by the same constant is a function of the loop variable.

use crate::ir::{Expr, ExprKind, Function, Stmt, Ty, Var, VarId};
use crate::syntax::ast::{BinaryOp, Label};

/// The head of a loop.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) var: VarId,
    pub(super) from: &'a Expr,
    pub(super) to: &'a Expr,
}

/// The body with its counters as variables of each iteration, and what they are after the loop.
pub(super) fn replace(function: &mut Function, head: Head<'_>, body: &[Stmt]) -> (Vec<Stmt>, Vec<Stmt>) {
    let mut out = body.to_vec();
    let mut after = Vec::new();
    for (var, op, step) in counters(function, body) {
        let Some(at) = out.iter().position(|s| matches!(s, Stmt::Assign(v, ..) if *v == var)) else {
            continue;
        };
        let ty = Ty::scalar(function.vars[var].ty.base, Label::Pl);
        let counter = Expr { kind: ExprKind::Var(var), ty, span: step.span };
        let moved = |by: Expr| {
            let steps = binary(BinaryOp::Mul, convert(by, ty), step.clone());
            binary(op, counter.clone(), steps)
        };
        let loop_ty = function.vars[head.var].ty;
        let lane = Expr { kind: ExprKind::Var(head.var), ty: loop_ty, span: head.from.span };
        let first = convert(head.from.clone(), loop_ty);
        let before = moved(binary(BinaryOp::Sub, lane, first.clone()));
        let own = [(); 2].map(|()| fresh(function, var));
        let next = binary(op, Expr { kind: ExprKind::Var(own[0]), ..counter.clone() }, step.clone());
        for (i, stmt) in out.iter_mut().enumerate() {
            stmt.each_expr(&mut |e| e.rename(var, own[usize::from(i > at)]));
        }
        out[at] = Stmt::Declare(own[1], Vec::new(), Some(next));
        out.insert(0, Stmt::Declare(own[0], Vec::new(), Some(before)));
        let last = convert(head.to.clone(), loop_ty);
        let runs = Ty::scalar(crate::syntax::ast::Base::Bool, Label::Pl);
        let zero = Expr { kind: ExprKind::Int { value: 0, flexible: false }, ty: loop_ty, span: last.span };
        let runs = Expr { ty: runs, ..binary(BinaryOp::Gt, last.clone(), first.clone()) };
        let count = binary(BinaryOp::Sub, last, first);
        let kind = ExprKind::Mux(None, Box::new(runs), Box::new(count), Box::new(zero));
        let count = Expr { kind, ty: loop_ty, span: head.to.span };
        after.push(Stmt::Assign(var, Vec::new(), moved(count)));
    }
    (out, after)
}

/// The public integers that the body assigns exactly once, at its top level, and only moves by a constant.
fn counters(function: &Function, body: &[Stmt]) -> Vec<(VarId, BinaryOp, Expr)> {
    let counter = |stmt: &Stmt| {
        let Stmt::Assign(var, index, value) = stmt else { return None };
        let ty = function.vars[*var].ty;
        if !index.is_empty() || !ty.public() || !ty.integer() || assigned(body, *var) != 1 {
            return None;
        }
        let ExprKind::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), _, x, step) = &value.kind else {
            return None;
        };
        let own = matches!(x.kind, ExprKind::Var(v) if v == *var);
        let fits = own && matches!(step.kind, ExprKind::Int { .. }) && step.ty.base == ty.base;
        fits.then(|| (*var, *op, (**step).clone()))
    };
    body.iter().filter_map(counter).collect()
}

/// How many statements assign a scalar.
fn assigned(body: &[Stmt], var: VarId) -> usize {
    body.iter()
        .map(|stmt| match stmt {
            Stmt::Assign(v, ..) | Stmt::Declare(v, ..) | Stmt::Input(v, ..) => usize::from(*v == var),
            Stmt::For(_, _, _, body) | Stmt::While(_, body) | Stmt::Block(body) => assigned(body, var),
            Stmt::If(_, then, otherwise) => assigned(then, var) + assigned(otherwise, var),
            Stmt::Lanes(lanes) => assigned(&lanes.body, var),
            _ => 0,
        })
        .sum()
}

fn fresh(function: &mut Function, like: VarId) -> VarId {
    let like = &function.vars[like];
    let var = Var { written: false, ty: Ty { label: Label::Pl, ..like.ty }, ..like.clone() };
    function.vars.push(var);
    function.vars.len() - 1
}

fn binary(op: BinaryOp, x: Expr, y: Expr) -> Expr {
    let (ty, span) = (x.ty, x.span);
    Expr { kind: ExprKind::Binary(op, None, Box::new(x), Box::new(y)), ty, span }
}

fn convert(x: Expr, ty: Ty) -> Expr {
    if x.ty.base == ty.base {
        return x;
    }
    let span = x.span;
    crate::opt::fold(Expr { kind: ExprKind::Convert(Box::new(x)), ty, span })
}
