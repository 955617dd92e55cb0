//! Expressions, with C's precedence.

use super::Parser;
use super::ast::{Base, BinaryOp, Expr, ExprKind, Label, UnaryOp};
use super::token::Kind;
use crate::diag::Code;
use crate::diag::Place;

impl Parser<'_> {
    /// The loosest expression: `guard ? yes : no`, right-associative.
    pub(super) fn expr(&mut self) -> Option<Expr> {
        self.deeper(|p| {
            let guard = p.binary(0)?;
            let span = p.span();
            if p.accept("?").is_none() {
                return Some(guard);
            }
            let label = p.operator_label();
            let yes = p.expr()?;
            p.expect(":", "between the branches of `?`")?;
            let no = p.expr()?;
            Some(make(ExprKind::Mux(label, Box::new(guard), Box::new(yes), Box::new(no)), span))
        })
    }

    /// Binary operators that bind tighter than `above`, left-associative.
    fn binary(&mut self, above: u8) -> Option<Expr> {
        let mut left = self.unary()?;
        let mut count = 0;
        loop {
            let found = match self.peek() {
                Kind::Punct(text) => BinaryOp::ALL.iter().find(|o| o.0 == *text && o.1 > above),
                _ => None,
            };
            let Some(&(_, precedence, op)) = found else { return Some(left) };
            count += 1;
            if count > LONGEST {
                self.diagnostics.report_with(
                    Code::Syntax,
                    self.span(),
                    "the expression is too long",
                    "compute it in a loop or in parts",
                );
                return None;
            }
            let span = self.next().span;
            let label = self.operator_label();
            let right = self.deeper(|p| p.binary(precedence))?;
            left = make(ExprKind::Binary(op, label, Box::new(left), Box::new(right)), span);
        }
    }

    /// `_al` after an operator.
    pub(super) fn operator_label(&mut self) -> Option<Label> {
        let Kind::Ident(text) = self.peek() else { return None };
        let label = Label::parse(text.strip_prefix('_')?)?;
        self.next();
        Some(label)
    }

    fn unary(&mut self) -> Option<Expr> {
        let op = match self.peek() {
            Kind::Punct("!") => UnaryOp::Not,
            Kind::Punct("~") => UnaryOp::Invert,
            Kind::Punct("-") => UnaryOp::Neg,
            Kind::Punct("<") => return self.relabel(),
            _ => return self.postfix(),
        };
        let span = self.next().span;
        let label = self.operator_label();
        let value = self.deeper(Self::unary)?;
        Some(make(ExprKind::Unary(op, label, Box::new(value)), span))
    }

    /// `<from |> to> value`.
    fn relabel(&mut self) -> Option<Expr> {
        let span = self.next().span;
        let from = self.bare_label()?;
        self.expect("|", "of `|>`")?;
        self.expect(">", "of `|>`")?;
        let to = self.bare_label()?;
        self.expect(">", "after the labels")?;
        let value = self.deeper(Self::unary)?;
        Some(make(ExprKind::Relabel(from, to, Box::new(value)), span))
    }

    fn bare_label(&mut self) -> Option<Label> {
        let label = match self.peek() {
            Kind::Ident(text) => Label::parse(text),
            _ => None,
        };
        if label.is_none() {
            self.unexpected("a label");
            return None;
        }
        self.next();
        label
    }

    fn postfix(&mut self) -> Option<Expr> {
        let mut value = self.primary()?;
        while self.is("[") {
            let span = self.next().span;
            let index = self.expr()?;
            self.expect("]", "after the index")?;
            value = make(ExprKind::Index(Box::new(value), Box::new(index)), span);
        }
        Some(value)
    }

    fn primary(&mut self) -> Option<Expr> {
        let span = self.span();
        match self.peek().clone() {
            Kind::Int(value, suffix) => {
                self.next();
                if !matches!(suffix.as_str(), "" | "u" | "L" | "uL" | "UL" | "U") {
                    self.diagnostics.report_with(
                        Code::Syntax,
                        span,
                        format!("`{suffix}` is no suffix of a literal"),
                        "write `123` (int32), `123u` (uint32), `123L` (int64) or `123uL` (uint64)",
                    );
                    return None;
                }
                Some(make(ExprKind::Int(value, suffix.to_lowercase()), span))
            }
            Kind::Float(text) => {
                self.next();
                Some(make(ExprKind::Float(text), span))
            }
            Kind::Punct("(") => {
                self.next();
                let value = self.expr()?;
                self.expect(")", "after the expression")?;
                Some(value)
            }
            Kind::Ident(text) => self.named(&text, span),
            _ => {
                self.unexpected("an expression");
                None
            }
        }
    }

    fn named(&mut self, text: &str, span: Place) -> Option<Expr> {
        if text == "true" || text == "false" {
            self.next();
            return Some(make(ExprKind::Bool(text == "true"), span));
        }
        if text == "reveal" {
            self.next();
            self.expect("(", "after `reveal`")?;
            let role = self.role()?;
            self.expect(",", "after the role")?;
            let value = self.expr()?;
            self.expect(")", "after the value")?;
            return Some(make(ExprKind::Reveal(role, Box::new(value)), span));
        }
        if let (Some(base), true) = (Base::parse(text), self.peek_at(1).is("(")) {
            self.next();
            self.next();
            let value = self.expr()?;
            self.expect(")", "after the value")?;
            return Some(make(ExprKind::Cast(base, Box::new(value)), span));
        }
        if self.starts_fix() && self.peek_at(super::item::FIX).is("(") {
            let base = self.fix();
            self.next();
            let value = self.expr()?;
            self.expect(")", "after the value")?;
            return Some(make(ExprKind::Cast(base, Box::new(value)), span));
        }
        let name = self.name("an expression")?;
        if self.is("(") {
            let args = self.arguments()?;
            return Some(make(ExprKind::Call(name, args), span));
        }
        Some(make(ExprKind::Var(name.text), span))
    }
}

fn make(kind: ExprKind, span: Place) -> Expr {
    Expr { kind, span }
}

/// A chain of operators nests to the left; the later stages walk it recursively.
const LONGEST: usize = 400;
