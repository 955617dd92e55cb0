//! Recursion: which functions call themselves, and which do so on every path and never return.

use crate::diag::{Code, Diagnostics};
use crate::ir::{Callee, Expr, ExprKind, Function, Program, Stmt};
use crate::syntax::ast::BinaryOp;
use std::collections::BTreeSet;

type Calls = BTreeSet<usize>;

/// Marks functions that may call themselves, and refuses those that always do.
pub(super) fn check(program: &mut Program, diagnostics: &mut Diagnostics) {
    let may = closure(program.functions.iter().map(|f| Walk { always: false }.function(f)).collect());
    let must = closure(program.functions.iter().map(|f| Walk { always: true }.function(f)).collect());
    for (at, function) in program.functions.iter_mut().enumerate() {
        function.recursive = may[at].contains(&at);
        if must[at].contains(&at) && !function.broken {
            let message = format!("`{}` calls itself on every path and never returns", function.name);
            diagnostics.report(Code::EndlessRecursion, function.span, message);
            function.broken = true;
        }
    }
}

/// What functions call by what they call.
fn closure(mut calls: Vec<Calls>) -> Vec<Calls> {
    loop {
        let before = calls.clone();
        for own in &mut calls {
            let more: Calls = own.iter().filter_map(|&c| before.get(c)).flatten().copied().collect();
            own.extend(more);
        }
        if calls == before {
            return calls;
        }
    }
}

/// Collects calls: all of them, or those that every run of the function reaches.
#[derive(Clone, Copy)]
struct Walk {
    always: bool,
}

/// The calls on the paths that go on, `None` where none does, and on those that have returned.
struct Paths {
    on: Option<Calls>,
    returned: Option<Calls>,
}

impl Walk {
    fn function(self, function: &Function) -> Calls {
        let paths = self.stmts(&function.body, Calls::new());
        self.either(paths.on, paths.returned).unwrap_or_default()
    }

    /// The calls of a path that is one of two.
    fn either(self, a: Option<Calls>, b: Option<Calls>) -> Option<Calls> {
        match (a, b) {
            (Some(a), Some(b)) if self.always => Some(&a & &b),
            (Some(a), Some(b)) => Some(&a | &b),
            (a, b) => a.or(b),
        }
    }

    fn stmts(self, stmts: &[Stmt], before: Calls) -> Paths {
        let mut paths = Paths { on: Some(before), returned: None };
        for stmt in stmts {
            let Some(calls) = paths.on.take() else { break };
            let next = self.stmt(stmt, calls);
            paths = Paths { on: next.on, returned: self.either(paths.returned, next.returned) };
        }
        paths
    }

    fn stmt(self, stmt: &Stmt, mut calls: Calls) -> Paths {
        let on = |calls| Paths { on: Some(calls), returned: None };
        match stmt {
            Stmt::Declare(_, sizes, value) => {
                sizes.iter().chain(value).for_each(|e| self.expr(e, &mut calls));
            }
            Stmt::Assign(_, index, value) => {
                index.iter().chain([value]).for_each(|e| self.expr(e, &mut calls));
            }
            Stmt::AssignOblivious(_, x, y) | Stmt::Copy(x, y) => {
                [x, y].into_iter().for_each(|e| self.expr(e, &mut calls));
            }
            Stmt::Call(callee, args, _) => {
                args.iter().for_each(|e| self.expr(e, &mut calls));
                calls.extend(defined(*callee));
            }
            // A loop may have no iteration.
            Stmt::For(_, from, to, body) => {
                [from, to].into_iter().for_each(|e| self.expr(e, &mut calls));
                return self.maybe(body, calls);
            }
            Stmt::While(guard, body) => {
                self.expr(guard, &mut calls);
                return self.maybe(body, calls);
            }
            Stmt::If(guard, then, otherwise) => {
                self.expr(guard, &mut calls);
                let (then, otherwise) = (self.stmts(then, calls.clone()), self.stmts(otherwise, calls));
                return Paths {
                    on: self.either(then.on, otherwise.on),
                    returned: self.either(then.returned, otherwise.returned),
                };
            }
            Stmt::Return(value) => {
                value.iter().for_each(|e| self.expr(e, &mut calls));
                return Paths { on: None, returned: Some(calls) };
            }
            Stmt::Input(_, sizes, _) => sizes.iter().for_each(|e| self.expr(e, &mut calls)),
            Stmt::Output(value, _) => self.expr(value, &mut calls),
            Stmt::Block(body) => return self.stmts(body, calls),
            Stmt::Lanes(..) | Stmt::Accumulate(..) | Stmt::Contest(..) => {}
        }
        on(calls)
    }

    /// Statements that may not run.
    fn maybe(self, body: &[Stmt], before: Calls) -> Paths {
        let paths = self.stmts(body, before.clone());
        Paths { on: self.either(Some(before), paths.on), returned: paths.returned }
    }

    fn expr(self, expr: &Expr, calls: &mut Calls) {
        match &expr.kind {
            ExprKind::Int { .. } | ExprKind::Bool(_) | ExprKind::Float(_) | ExprKind::Var(_) => {}
            ExprKind::Index(_, list) => list.iter().for_each(|e| self.expr(e, calls)),
            ExprKind::Call(callee, args) => {
                args.iter().for_each(|e| self.expr(e, calls));
                calls.extend(defined(*callee));
            }
            ExprKind::Unary(_, x) | ExprKind::Convert(x) | ExprKind::Reveal(_, x) => self.expr(x, calls),
            // Of public truth values the second is asked for only where the first leaves it open.
            ExprKind::Binary(BinaryOp::And | BinaryOp::Or, _, x, _) if x.ty.public() && self.always => {
                self.expr(x, calls);
            }
            ExprKind::Oblivious(x, y) | ExprKind::Binary(_, _, x, y) => {
                self.expr(x, calls);
                self.expr(y, calls);
            }
            ExprKind::Mux(_, c, t, e) if c.ty.public() => {
                self.expr(c, calls);
                let (mut yes, mut no) = (calls.clone(), calls.clone());
                self.expr(t, &mut yes);
                self.expr(e, &mut no);
                *calls = self.either(Some(yes), Some(no)).unwrap_or_default();
            }
            ExprKind::Mux(_, c, t, e) => [c, t, e].into_iter().for_each(|x| self.expr(x, calls)),
        }
    }
}

fn defined(callee: Callee) -> Option<usize> {
    match callee {
        Callee::Def(id) => Some(id),
        Callee::Extern(_) => None,
    }
}
