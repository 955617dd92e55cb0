//! Statements.

use super::Parser;
use super::ast::{BinaryOp, Expr, ExprKind, Stmt, StmtKind};
use super::token::Kind;
use crate::diag::Code;
use crate::diag::Place;

impl Parser<'_> {
    /// `{ … }` and the span of its end.
    pub(super) fn braces(&mut self) -> Option<(Vec<Stmt>, Place)> {
        self.expect("{", "before the statements")?;
        let mut stmts = Vec::new();
        loop {
            while self.accept(";").is_some() {}
            if let Some(end) = self.accept("}") {
                return Some((stmts, end));
            }
            if *self.peek() == Kind::End {
                // Only in a file: Rust pairs braces.
                Self::unexpected(self, "`}`");
                return None;
            }
            let before = self.at;
            match self.deeper(Self::stmt) {
                Some(stmt) => {
                    let ends = matches!(
                        stmt.kind,
                        StmtKind::For(..) | StmtKind::While(..) | StmtKind::If(..) | StmtKind::Block(_)
                    );
                    stmts.push(stmt);
                    if !ends && !self.is(";") && !self.is("}") {
                        self.unexpected("`;` after the statement");
                        self.next_stmt(before);
                    }
                }
                None => {
                    stmts.extend(self.head_of_declaration(before));
                    self.next_stmt(before);
                }
            }
        }
    }

    /// A variable whose value has errors is declared all the same, so that its uses have none.
    fn head_of_declaration(&mut self, before: usize) -> Option<Stmt> {
        let (reached, told) = (core::mem::replace(&mut self.at, before), self.diagnostics.all().len());
        let span = self.span();
        let head = if self.starts_type() { self.ty().zip(self.name("a name")) } else { None };
        self.at = reached;
        self.diagnostics.truncate(told);
        let (ty, name) = head?;
        Some(Stmt { kind: StmtKind::Declare(ty, name, None), span })
    }

    /// Skips to the end of a statement.
    fn next_stmt(&mut self, before: usize) {
        // Start over from the statement's beginning, so that brackets are counted in pairs.
        self.at = self.at.max(before);
        let mut depth = (before..self.at).fold(0usize, |d, i| match self.tokens[i].kind {
            Kind::Punct("{" | "(" | "[") => d + 1,
            Kind::Punct("}" | ")" | "]") => d.saturating_sub(1),
            _ => d,
        });
        loop {
            match self.peek() {
                Kind::End => return,
                Kind::Punct(";") if depth == 0 => return,
                Kind::Punct("}") if depth == 0 => return,
                Kind::Punct("{" | "(" | "[") => depth += 1,
                Kind::Punct("}" | ")" | "]") => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && self.is("}") {
                        self.next();
                        return;
                    }
                }
                _ => {}
            }
            self.next();
        }
    }

    /// The body of a loop or branch: a block, or one statement.
    fn body(&mut self) -> Option<Vec<Stmt>> {
        if self.is("{") {
            return Some(self.braces()?.0);
        }
        Some(vec![self.deeper(Self::stmt)?])
    }

    fn stmt(&mut self) -> Option<Stmt> {
        while matches!(self.peek(), Kind::Doc(_)) {
            self.next();
        }
        let span = self.span();
        let kind = self.stmt_kind()?;
        Some(Stmt { kind, span })
    }

    fn stmt_kind(&mut self) -> Option<StmtKind> {
        if self.is("{") {
            return Some(StmtKind::Block(self.braces()?.0));
        }
        let cast = if self.starts_fix() { super::item::FIX } else { 1 };
        if self.starts_type() && !self.peek_at(cast).is("(") {
            let ty = self.ty()?;
            let name = self.name("the name of a variable")?;
            let value = if self.accept("=").is_some() { Some(self.initialiser()?) } else { None };
            return Some(StmtKind::Declare(ty, name, value));
        }
        if self.is("unroll") || self.is("partition") {
            self.next();
            if !self.is("for") {
                self.unexpected("`for`");
                return None;
            }
        }
        if self.accept("for").is_some() {
            let name = self.name("the loop variable")?;
            self.expect("=", "before the loop's range")?;
            self.expect("[", "before the loop's range")?;
            let from = self.expr()?;
            self.expect(":", "between the bounds")?;
            let to = self.expr()?;
            self.expect("]", "after the loop's range")?;
            return Some(StmtKind::For(name, from, to, self.body()?));
        }
        if self.accept("while").is_some() {
            let guard = self.expr()?;
            return Some(StmtKind::While(guard, self.body()?));
        }
        if self.accept("if").is_some() {
            return self.branch();
        }
        if self.accept("return").is_some() {
            let value = if self.is(";") || self.is("}") { None } else { Some(self.expr()?) };
            return Some(StmtKind::Return(value));
        }
        if self.accept("input").is_some() {
            self.expect("(", "after `input`")?;
            let role = self.role()?;
            self.expect(",", "after the role")?;
            let name = self.name("the name of the input")?;
            self.expect(",", "after the name")?;
            let ty = self.ty()?;
            self.expect(")", "after the input")?;
            return Some(StmtKind::Input(role, name, ty));
        }
        if self.accept("output").is_some() {
            self.expect("(", "after `output`")?;
            let role = self.role()?;
            self.expect(",", "after the role")?;
            let value = self.expr()?;
            self.expect(")", "after the output")?;
            return Some(StmtKind::Output(role, value));
        }
        self.assignment_or_call()
    }

    /// The value of a declaration: `{1, 2, 3}`, or an expression.
    fn initialiser(&mut self) -> Option<Expr> {
        let span = self.span();
        if self.accept("{").is_none() {
            return self.expr();
        }
        let mut values = Vec::new();
        while !self.is("}") {
            values.push(self.deeper(Self::initialiser)?);
            if self.accept(",").is_none() {
                break;
            }
        }
        self.expect("}", "after the values")?;
        Some(Expr { kind: ExprKind::List(values), span })
    }

    fn branch(&mut self) -> Option<StmtKind> {
        self.expect("(", "before the condition")?;
        let guard = self.expr()?;
        self.expect(")", "after the condition")?;
        let then = self.body()?;
        // `if (c) a = 1; else a = 2;`
        if self.is(";") && self.peek_at(1).is("else") {
            self.next();
        }
        let otherwise = if self.accept("else").is_some() { self.body()? } else { Vec::new() };
        Some(StmtKind::If(guard, then, otherwise))
    }

    fn assignment_or_call(&mut self) -> Option<StmtKind> {
        if matches!(self.peek(), Kind::Ident(_)) && self.peek_at(1).is("(") {
            let name = self.name("the name of a function")?;
            let args = self.arguments()?;
            if self.is("=") {
                self.unexpected("`;`: a call cannot be assigned to");
                return None;
            }
            return Some(StmtKind::Call(name, args));
        }
        if !matches!(self.peek(), Kind::Ident(_) | Kind::Punct("(")) {
            self.unexpected("a statement");
            return None;
        }
        let place = self.expr()?;
        let span = self.span();
        if self.accept("=").is_some() {
            return Some(StmtKind::Assign(place, None, self.expr()?));
        }
        let op = match self.peek() {
            Kind::Punct(text) => text.strip_suffix('=').filter(|t| !t.is_empty()),
            _ => None,
        };
        let op = op.and_then(|text| BinaryOp::ALL.iter().find(|o| o.0 == text));
        let Some(&(_, _, op)) = op else {
            self.diagnostics.report_with(
                Code::Syntax,
                span,
                format!("expected `=` after the expression, found {}", self.peek().describe()),
                "a statement assigns, calls, declares or controls",
            );
            return None;
        };
        self.next();
        Some(StmtKind::Assign(place, Some(op), self.expr()?))
    }
}
