//! What functions do besides computing their result: writing to array arguments, input and output.

use crate::diag::Place;
use crate::diag::{Code, Diagnostics};
use crate::ir::{Callee, Expr, ExprKind, Function, Program, Stmt};

/// Marks functions that talk, and refuses calls within expressions that have effects.
pub(super) fn check(program: &mut Program, diagnostics: &mut Diagnostics) {
    let mut effects: Vec<Effects> = program.functions.iter().map(Effects::of).collect();
    // Effects of callees become the callers', until nothing changes.
    loop {
        let mut changed = false;
        for at in 0..effects.len() {
            for call in effects[at].calls.clone() {
                let Callee::Def(callee) = call.callee else { continue };
                changed |= !effects[at].talks && effects[callee].talks;
                effects[at].talks |= effects[callee].talks;
                for (param, own) in call.arrays {
                    if effects[callee].writes.get(param) == Some(&true) && !effects[at].writes[own] {
                        effects[at].writes[own] = true;
                        changed = true;
                    }
                }
            }
        }
        if !changed {
            break;
        }
    }
    for (at, function) in program.functions.iter_mut().enumerate() {
        function.talks = effects[at].talks;
        for call in effects[at].calls.iter().filter(|c| c.nested) {
            let Callee::Def(callee) = call.callee else { continue };
            let writes =
                call.arrays.iter().any(|&(param, _)| effects[callee].writes.get(param) == Some(&true));
            if writes || effects[callee].talks {
                let what = if writes { "writes to its arguments" } else { "has inputs or outputs" };
                diagnostics.report(Code::ImpureCall, call.span, format!("the function called here {what}"));
                function.broken = true;
            }
        }
    }
}

struct Effects {
    talks: bool,
    /// For each variable, whether the function writes to its elements.
    writes: Vec<bool>,
    calls: Vec<Call>,
}

#[derive(Clone)]
struct Call {
    callee: Callee,
    /// Parameters of the callee and the variables passed for them.
    arrays: Vec<(usize, usize)>,
    nested: bool,
    span: Place,
}

impl Effects {
    fn of(function: &Function) -> Self {
        let mut effects = Self { talks: false, writes: vec![false; function.vars.len()], calls: Vec::new() };
        effects.stmts(&function.body);
        effects
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            match stmt {
                Stmt::Declare(_, sizes, value) => {
                    sizes.iter().chain(value).for_each(|e| self.expr(e));
                }
                Stmt::Assign(var, index, value) => {
                    self.writes[*var] |= !index.is_empty();
                    index.iter().for_each(|e| self.expr(e));
                    self.expr(value);
                }
                Stmt::AssignOblivious(var, index, value) => {
                    self.writes[*var] = true;
                    self.expr(index);
                    self.expr(value);
                }
                Stmt::Copy(to, from) => {
                    if let ExprKind::Var(var) | ExprKind::Index(var, _) = to.kind {
                        self.writes[var] = true;
                    }
                    self.expr(to);
                    self.expr(from);
                }
                Stmt::Call(callee, args, span) => self.call(*callee, args, false, *span),
                Stmt::For(_, from, to, body) => {
                    self.expr(from);
                    self.expr(to);
                    self.stmts(body);
                }
                Stmt::While(guard, body) => {
                    self.expr(guard);
                    self.stmts(body);
                }
                Stmt::If(guard, then, otherwise) => {
                    self.expr(guard);
                    self.stmts(then);
                    self.stmts(otherwise);
                }
                Stmt::Return(value) => value.iter().for_each(|e| self.expr(e)),
                Stmt::Input(_, sizes, _) => {
                    self.talks = true;
                    sizes.iter().for_each(|e| self.expr(e));
                }
                Stmt::Output(value, _) => {
                    self.talks = true;
                    self.expr(value);
                }
                Stmt::Block(body) => self.stmts(body),
                Stmt::Lanes(..) | Stmt::Accumulate(..) | Stmt::Contest(..) => {
                    unreachable!("later passes make vectors")
                }
            }
        }
    }

    fn call(&mut self, callee: Callee, args: &[Expr], nested: bool, span: Place) {
        let array = |(i, arg): (usize, &Expr)| match arg.kind {
            ExprKind::Var(var) | ExprKind::Index(var, _) if arg.ty.rank > 0 => Some((i, var)),
            _ => None,
        };
        let arrays = args.iter().enumerate().filter_map(array).collect();
        self.calls.push(Call { callee, arrays, nested, span });
        args.iter().for_each(|e| self.expr(e));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int { .. } | ExprKind::Bool(_) | ExprKind::Float(_) | ExprKind::Var(_) => {}
            ExprKind::Index(_, index) => index.iter().for_each(|e| self.expr(e)),
            ExprKind::Oblivious(x, y) | ExprKind::Binary(_, _, x, y) => {
                self.expr(x);
                self.expr(y);
            }
            ExprKind::Unary(_, x) | ExprKind::Convert(x) | ExprKind::Reveal(_, x) => self.expr(x),
            ExprKind::Mux(_, c, t, e) => {
                self.expr(c);
                self.expr(t);
                self.expr(e);
            }
            ExprKind::Call(callee, args) => self.call(*callee, args, true, expr.span),
        }
    }
}
