//! Statements.

use super::Body;
use crate::diag::Code;
use crate::diag::Place;
use crate::ir::{self, Expr, ExprKind, Stmt, Ty, VarId};
use crate::syntax::ast::{self, Base, BinaryOp, Label, Role, StmtKind};
use std::collections::HashMap;

impl Body<'_, '_> {
    /// Statements in the present scope. What has errors is left out.
    pub(super) fn stmts(&mut self, stmts: &[ast::Stmt]) -> Vec<Stmt> {
        let before = core::mem::take(&mut self.pending);
        let mut out = Vec::new();
        for stmt in stmts {
            let mut own = Vec::new();
            self.stmt(stmt, &mut own);
            out.append(&mut self.pending);
            out.append(&mut own);
        }
        self.pending = before;
        out
    }

    /// Statements in a scope of their own.
    fn scoped(&mut self, stmts: &[ast::Stmt]) -> Vec<Stmt> {
        self.scopes.push(HashMap::new());
        let out = self.stmts(stmts);
        self.scopes.pop();
        out
    }

    /// Statements that may run any number of times.
    fn repeated(&mut self, stmts: &[ast::Stmt]) -> Vec<Stmt> {
        let before = core::mem::replace(&mut self.repeated, true);
        let out = self.scoped(stmts);
        self.repeated = before;
        out
    }

    fn stmt(&mut self, stmt: &ast::Stmt, out: &mut Vec<Stmt>) -> Option<()> {
        match &stmt.kind {
            StmtKind::Declare(ty, name, value) => self.declaration(ty, name, value.as_ref(), out),
            StmtKind::Assign(place, op, value) => self.assignment(place, *op, value, out),
            StmtKind::Call(name, args) => {
                let (callee, head) = self.callee(name)?;
                let args = self.arguments(&head.params, args, name);
                if head.result.is_some() {
                    self.report(
                        Code::VoidCall,
                        name.span,
                        format!("the result of `{}` is not used", name.text),
                    );
                }
                if self.guard.is_some() {
                    self.report(Code::SecretBranch, name.span, "a call in a branch on a secret value");
                }
                out.push(Stmt::Call(callee, args?, name.span));
                Some(())
            }
            StmtKind::For(name, from, to, body) => self.for_loop(name, from, to, body, out),
            StmtKind::While(guard, body) => {
                let checked = self.guard(guard, "while");
                if !self.pending.is_empty() {
                    let help = "compute it before the loop, and again at the end of its body";
                    let message = "whole arrays and secret indices cannot stand in the condition of `while`";
                    self.report_with(Code::Unsupported, guard.span, message, help);
                    self.pending.clear();
                }
                let body = self.repeated(body);
                out.push(Stmt::While(checked?, body));
                Some(())
            }
            StmtKind::If(guard, then, otherwise) => self.branch(guard, then, otherwise, out),
            StmtKind::Return(value) => self.return_value(value.as_ref(), stmt.span, out),
            StmtKind::Input(role, name, ty) => self.input(*role, name, ty, out),
            StmtKind::Output(role, value) => self.output(*role, value, stmt.span, out),
            StmtKind::Block(body) => {
                let body = self.scoped(body);
                out.push(Stmt::Block(body));
                Some(())
            }
        }
    }

    fn declaration(
        &mut self,
        ty: &ast::Type,
        name: &ast::Name,
        value: Option<&ast::Expr>,
        out: &mut Vec<Stmt>,
    ) -> Option<()> {
        let sizes = self.sizes(&ty.sizes);
        let checked = self.sema.ty(ty);
        let list = value.filter(|v| matches!(v.kind, ast::ExprKind::List(_)));
        // The value does not see the variable.
        let value = if list.is_some() { None } else { value.map(|v| self.expr(v)) };
        let scalar = |b: &mut Self, v: Expr| if checked.rank == 0 { b.coerce(v, checked) } else { Some(v) };
        let value = value.map(|v| v.and_then(|v| scalar(self, v)));
        let var = self.declare(name, checked);
        if sizes.len() != ty.sizes.len() {
            return None;
        }
        let to = Expr { kind: ExprKind::Var(var), ty: checked, span: name.span };
        if checked.rank == 0 {
            if let Some(list) = list {
                let help = format!("write one value, or declare an array, as `{checked}[3]`");
                let message = format!("a list where `{checked}` is needed");
                self.report_with(Code::RankMismatch, list.span, message, help);
                return None;
            }
            let value = match value {
                Some(value) => Some(value?),
                None => None,
            };
            out.push(Stmt::Declare(var, sizes, value));
            return Some(());
        }
        let sizes = self.sized(var, sizes, out);
        out.push(Stmt::Declare(var, sizes, None));
        match (list, value) {
            (Some(list), _) => self.fill(&to, list, out),
            (None, Some(value)) => self.copy(to, value?, out),
            (None, None) => Some(()),
        }
    }

    fn assignment(
        &mut self,
        place: &ast::Expr,
        op: Option<BinaryOp>,
        value: &ast::Expr,
        out: &mut Vec<Stmt>,
    ) -> Option<()> {
        let target = match &place.kind {
            ast::ExprKind::Index(..) => self.indices(place).map(|(var, index, ty)| {
                let kind = ExprKind::Index(var, index);
                Expr { kind, ty, span: place.span }
            }),
            _ => self.expr(place),
        };
        let value = self.expr(value);
        let target = target?;
        let writable = self.writable(&target, root(place), place.span);
        if let ExprKind::Index(var, index) = &target.kind
            && index.iter().any(|i| !i.ty.public())
        {
            let (value, ()) = (value?, writable?);
            out.append(&mut self.pending);
            let guard = self.outer_guard(*var, place.span);
            return self.assign_oblivious((*var, index.clone(), place.span), op, value, guard, out);
        }
        let value = match op {
            Some(op) => self.binary(op, None, target.clone(), value?, place.span)?,
            None => value?,
        };
        writable?;
        if target.ty.rank > 0 {
            let var = match target.kind {
                ExprKind::Var(var) | ExprKind::Index(var, _) => var,
                _ => return None,
            };
            let value = match self.outer_guard(var, place.span) {
                Some(_) if target.ty.public() => {
                    let message = format!("the public `{}` would tell the condition", self.called(var));
                    self.report(Code::SecretToPublic, place.span, message);
                    return None;
                }
                Some(guard) => self.mux(None, guard, value, target.clone(), place.span)?,
                None => value,
            };
            out.append(&mut self.pending);
            return self.copy(target, value, out);
        }
        let mut value = self.coerce(value, target.ty)?;
        let var = match &target.kind {
            ExprKind::Var(var) | ExprKind::Index(var, _) => *var,
            _ => return None,
        };
        self.vars[var].written = true;
        if let Some(guard) = self.outer_guard(var, place.span) {
            if target.ty.public() {
                let message = format!("the public `{}` would tell the condition", self.called(var));
                self.report(Code::SecretToPublic, place.span, message);
                return None;
            }
            value = self.mux(None, guard, value, target.clone(), place.span)?;
            value = self.coerce(value, target.ty)?;
        }
        out.push(match target.kind {
            ExprKind::Var(var) => Stmt::Assign(var, Vec::new(), value),
            ExprKind::Index(var, index) => Stmt::Assign(var, index, value),
            _ => return None,
        });
        Some(())
    }

    /// The condition of the secret branch that a variable lives outside of.
    fn outer_guard(&self, var: VarId, span: Place) -> Option<Expr> {
        let (guard, _) = self.guard.filter(|&(_, depth)| self.depths[var] < depth)?;
        Some(Expr { kind: ExprKind::Var(guard), ty: Ty::scalar(Base::Bool, Label::Bl), span })
    }

    /// Whether an expression is a place that may be written.
    fn writable(&mut self, target: &Expr, root: Option<&str>, span: Place) -> Option<()> {
        let var = match &target.kind {
            ExprKind::Var(var) | ExprKind::Index(var, _) => *var,
            _ => {
                let global = root.filter(|name| self.sema.constants.contains_key(*name));
                let message = match global {
                    Some(name) => format!("the global `{name}` is a constant"),
                    None => "this is not a place that can be assigned to".to_owned(),
                };
                self.report(Code::Immutable, span, message);
                return None;
            }
        };
        let name = self.called(var);
        if self.fixed.contains(&var) {
            self.report(Code::Immutable, span, format!("the loop variable `{name}` cannot be written"));
            return None;
        }
        if target.ty.constant {
            self.report(Code::Immutable, span, format!("the array `{name}` is `const`"));
            return None;
        }
        Some(())
    }

    fn for_loop(
        &mut self,
        name: &ast::Name,
        from: &ast::Expr,
        to: &ast::Expr,
        body: &[ast::Stmt],
        out: &mut Vec<Stmt>,
    ) -> Option<()> {
        let from = self.public_integer(from, "the bound of a loop");
        let to = self.public_integer(to, "the bound of a loop");
        let bits = [&from, &to].into_iter().flatten().map(|b| b.ty.base.bits()).max().unwrap_or(32).max(32);
        let ty = Ty::scalar(Base::Int { signed: true, bits }, Label::Pl);
        self.scopes.push(HashMap::new());
        let var = self.declare(name, ty);
        self.fixed.push(var);
        let body = self.repeated(body);
        self.scopes.pop();
        out.push(Stmt::For(var, from?, to?, body));
        Some(())
    }

    fn guard(&mut self, guard: &ast::Expr, what: &str) -> Option<Expr> {
        let checked = self.expr(guard)?;
        if checked.ty.base != Base::Bool || checked.ty.rank > 0 {
            let message = format!("the condition of `{what}` is `{}`, not bool", checked.ty);
            self.report_with(Code::TypeMismatch, checked.span, message, "write a comparison, as `x != 0`");
            return None;
        }
        if !checked.ty.public() && what == "while" {
            self.report(Code::SecretGuard, checked.span, "`while` cannot depend on a secret value");
            return None;
        }
        Some(checked)
    }

    fn branch(
        &mut self,
        guard: &ast::Expr,
        then: &[ast::Stmt],
        otherwise: &[ast::Stmt],
        out: &mut Vec<Stmt>,
    ) -> Option<()> {
        let Some(guard) = self.guard(guard, "if") else {
            self.repeated(then);
            self.repeated(otherwise);
            return None;
        };
        if guard.ty.public() {
            let (then, otherwise) = (self.repeated(then), self.repeated(otherwise));
            out.push(Stmt::If(guard, then, otherwise));
            return Some(());
        }
        // Both branches run; what they assign becomes a choice.
        let span = guard.span;
        let condition = self.condition(guard, out)?;
        let mut block = self.guarded(condition, then);
        out.push(Stmt::Block(core::mem::take(&mut block)));
        if !otherwise.is_empty() {
            let ty = Ty::scalar(Base::Bool, Label::Bl);
            let condition = Expr { kind: ExprKind::Var(condition), ty, span };
            let not = ExprKind::Unary(ast::UnaryOp::Not, Box::new(condition));
            let mut inverted = Vec::new();
            let condition = self.condition(Expr { kind: not, ty, span }, &mut inverted)?;
            inverted.extend(self.guarded(condition, otherwise));
            out.push(Stmt::Block(inverted));
        }
        Some(())
    }

    /// A hidden variable for a condition and those it is nested in.
    fn condition(&mut self, guard: Expr, out: &mut Vec<Stmt>) -> Option<VarId> {
        let span = guard.span;
        let ty = Ty::scalar(Base::Bool, Label::Bl);
        let guard = match self.guard {
            Some((outer, _)) => {
                let outer = Expr { kind: ExprKind::Var(outer), ty, span };
                self.binary(BinaryOp::And, None, outer, guard, span)?
            }
            None => guard,
        };
        let name = format!("__condition_{}", self.vars.len());
        let var = self.hidden(&name, span, ty);
        out.push(Stmt::Declare(var, Vec::new(), Some(guard)));
        Some(var)
    }

    fn guarded(&mut self, condition: VarId, body: &[ast::Stmt]) -> Vec<Stmt> {
        self.scopes.push(HashMap::new());
        let outer = self.guard.replace((condition, self.scopes.len()));
        let stmts = self.stmts(body);
        self.guard = outer;
        self.scopes.pop();
        stmts
    }

    fn return_value(&mut self, value: Option<&ast::Expr>, span: Place, out: &mut Vec<Stmt>) -> Option<()> {
        let value = value.map(|v| self.expr(v));
        if self.guard.is_some() {
            self.report(Code::SecretBranch, span, "`return` in a branch on a secret value");
        }
        let declared = self.result?;
        match (declared, value) {
            (None, None) => out.push(Stmt::Return(None)),
            (Some(ty), Some(value)) => {
                // A return with an error still ends its path.
                let value = value.and_then(|v| self.coerce(v, ty));
                out.push(Stmt::Return(value));
            }
            (None, Some(_)) => {
                self.report(Code::BadReturn, span, "a `void` function returns a value");
            }
            (Some(ty), None) => {
                self.report(Code::BadReturn, span, format!("`return` without the `{ty}` of the function"));
                out.push(Stmt::Return(None));
            }
        }
        Some(())
    }

    fn input(&mut self, role: Role, name: &ast::Name, ty: &ast::Type, out: &mut Vec<Stmt>) -> Option<()> {
        let sizes = self.sizes(&ty.sizes);
        let checked = self.sema.ty(ty);
        let var = self.declare(name, checked);
        if (role == Role::All) != checked.public() {
            let message = format!("an input of {role} cannot be `{checked}`");
            self.report(Code::BadInput, ty.span, message);
        }
        if self.guard.is_some() {
            self.report(Code::SecretBranch, name.span, "`input` in a branch on a secret value");
        }
        let sizes = if checked.rank > 0 { self.sized(var, sizes, out) } else { sizes };
        let field = self.field(role, &name.text, name.span, checked);
        self.sema.out.inputs.push(field);
        out.push(Stmt::Input(var, sizes, self.sema.out.inputs.len() - 1));
        Some(())
    }

    fn output(&mut self, role: Role, value: &ast::Expr, span: Place, out: &mut Vec<Stmt>) -> Option<()> {
        let checked = self.expr(value)?;
        if self.guard.is_some() {
            self.report(Code::SecretBranch, span, "`output` in a branch on a secret value");
        }
        let name = match &value.kind {
            ast::ExprKind::Var(name) => name.as_str(),
            ast::ExprKind::Index(..) => root(value).unwrap_or("output"),
            _ => "output",
        };
        let field = self.field(role, name, checked.span, checked.ty);
        self.sema.out.outputs.push(field);
        out.push(Stmt::Output(checked, self.sema.out.outputs.len() - 1));
        Some(())
    }

    fn field(&self, role: Role, name: &str, span: Place, ty: Ty) -> ir::Field {
        ir::Field { name: name.to_owned(), span, role, ty, repeated: self.repeated }
    }
}

/// The name that an expression with indices starts with.
fn root(mut place: &ast::Expr) -> Option<&str> {
    while let ast::ExprKind::Index(array, _) = &place.kind {
        place = array;
    }
    match &place.kind {
        ast::ExprKind::Var(name) => Some(name),
        _ => None,
    }
}
