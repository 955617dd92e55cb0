//! Definitions and types.

use super::Parser;
use super::ast::{Base, Expr, Function, Header, Item, Label, Program, Role, Signature, Type};
use super::token::Kind;
use crate::diag::Code;
use crate::diag::Place;
use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};

impl Parser<'_> {
    pub(super) fn program(&mut self) -> Program {
        let header = self.header();
        let mut items = Vec::new();
        while *self.peek() != Kind::End {
            let before = self.at;
            match self.item() {
                Some(item) => items.push(item),
                None => self.next_item(before),
            }
        }
        Program { header, items }
    }

    pub(super) fn header(&mut self) -> Header {
        let mut header = Header::default();
        loop {
            // Documentation belongs to the module, or else to the first definition.
            let docs = (0..).take_while(|&i| matches!(self.peek_at(i), Kind::Doc(_))).count();
            if self.peek_at(docs).is("mod") || self.peek_at(docs).is("pub") {
                header.docs.extend(self.docs());
            }
            if self.is("crate") && self.peek_at(1).is("=") {
                self.next();
                self.next();
                header.krate = self.path();
            } else if self.is("mod") || self.is("pub") {
                self.accept("pub");
                self.next();
                header.module = self.name("the name of the module");
            } else {
                return header;
            }
            self.expect(";", "after the option");
        }
    }

    /// A Rust path.
    fn path(&mut self) -> Option<TokenStream> {
        let mut path = TokenStream::new();
        loop {
            let span = self.span().token();
            match self.peek().clone() {
                Kind::Punct(":") => {
                    self.next();
                    if self.accept(":").is_some() {
                        path.extend(quote_spanned!(span=> ::));
                    }
                }
                Kind::Ident(text) => {
                    self.next();
                    let ident = format_ident!("{}", text, span = span);
                    path.extend(quote_spanned!(span=> #ident));
                }
                _ if path.is_empty() => {
                    self.unexpected("a path");
                    return None;
                }
                _ => return Some(path),
            }
        }
    }

    /// Skips to the next definition.
    fn next_item(&mut self, before: usize) {
        if self.at == before {
            self.next();
        }
        let mut depth = 0usize;
        loop {
            let start = match self.peek() {
                Kind::End => return,
                Kind::Ident(text) => {
                    depth == 0 && (matches!(text.as_str(), "def" | "extern" | "inline" | "partition"))
                }
                Kind::Punct("{" | "(" | "[") => {
                    depth += 1;
                    false
                }
                Kind::Punct("}" | ")" | "]") => {
                    depth = depth.saturating_sub(1);
                    false
                }
                _ => false,
            };
            if start {
                return;
            }
            self.next();
        }
    }

    fn docs(&mut self) -> Vec<String> {
        let mut docs = Vec::new();
        while let Kind::Doc(text) = self.peek() {
            docs.push(text.clone());
            self.next();
        }
        docs
    }

    fn item(&mut self) -> Option<Item> {
        let docs = self.docs();
        if self.is("extern") {
            self.next();
            self.accept("def");
            let signature = self.signature(docs)?;
            self.expect(";", "after the declaration")?;
            return Some(Item::Extern(signature));
        }
        if self.is("partition") || self.is("inline") {
            self.next();
        }
        if self.accept("def").is_some() {
            let signature = self.signature(docs)?;
            if !self.is("{") {
                self.unexpected("`{` before the body");
                return None;
            }
            let (body, end) = self.braces()?;
            self.accept(";");
            return Some(Item::Function(Function { signature, body, end }));
        }
        if self.starts_type() {
            let ty = self.ty()?;
            let name = self.name("the name of a constant")?;
            self.expect("=", "before the constant's value")?;
            let value = self.expr()?;
            self.expect(";", "after the constant")?;
            return Some(Item::Constant(ty, name, value));
        }
        self.unexpected("`def` or a constant");
        None
    }

    fn signature(&mut self, docs: Vec<String>) -> Option<Signature> {
        let result = if self.accept("void").is_some() { None } else { Some(self.ty()?) };
        let name = self.name("the name of the function")?;
        self.expect("(", "before the parameters")?;
        let mut params = Vec::new();
        while !self.is(")") {
            let ty = self.ty()?;
            params.push((ty, self.name("the name of the parameter")?));
            if self.accept(",").is_none() {
                break;
            }
        }
        self.expect(")", "after the parameters")?;
        Some(Signature { docs, result, name, params })
    }

    // ---- types -------------------------------------------------------------------------------------------

    pub(super) fn starts_type(&self) -> bool {
        matches!(self.peek(), Kind::Ident(text) if text == "const" || split_type(text).is_some())
            || self.starts_fix()
    }

    /// Whether `fix<width, fraction>` comes next; `fix` by itself is a name.
    pub(super) fn starts_fix(&self) -> bool {
        let number = |ahead| matches!(self.peek_at(ahead), Kind::Int(..));
        self.is("fix")
            && self.peek_at(1).is("<")
            && number(2)
            && self.peek_at(3).is(",")
            && number(4)
            && self.peek_at(5).is(">")
    }

    /// `fix<width, fraction>`, which comes next.
    pub(super) fn fix(&mut self) -> Base {
        let span = self.span();
        let tokens: Vec<Kind> = (0..FIX).map(|_| self.next().kind).collect();
        let number = |at: usize| match &tokens[at] {
            Kind::Int(value, suffix) if suffix.is_empty() => u32::try_from(*value).ok(),
            _ => None,
        };
        if let (Some(bits @ 2..=64), Some(fraction)) = (number(2), number(4))
            && fraction < bits
        {
            return Base::Fix { bits, fraction };
        }
        self.diagnostics.report(Code::BadFormat, span, "there is no such fixed-point format");
        Base::Fix { bits: 64, fraction: 16 }
    }

    pub(super) fn ty(&mut self) -> Option<Type> {
        let constant = self.accept("const").is_some();
        let span = self.span();
        let (base, label) = if self.starts_fix() {
            (self.fix(), self.operator_label())
        } else {
            let found = match self.peek() {
                Kind::Ident(text) => split_type(text),
                _ => None,
            };
            let Some((base, label)) = found else {
                self.unexpected("a type");
                return None;
            };
            self.next();
            (base, self.checked_label(label, span))
        };
        let mut sizes = Vec::new();
        while self.accept("[").is_some() {
            sizes.push(self.expr()?);
            self.expect("]", "after the size")?;
        }
        Some(Type { base, label, sizes, constant, span })
    }

    pub(super) fn checked_label(&mut self, label: Option<&'static str>, span: Place) -> Option<Label> {
        let label = label?;
        if let Some(known) = Label::parse(label) {
            return Some(known);
        }
        self.diagnostics.report(Code::BadLabel, span, "there is no such label");
        None
    }

    pub(super) fn role(&mut self) -> Option<Role> {
        let role = match self.peek() {
            Kind::Ident(text) => match text.as_str() {
                "SERVER" => Some(Role::Server),
                "CLIENT" => Some(Role::Client),
                "ALL" => Some(Role::All),
                _ => None,
            },
            _ => None,
        };
        if role.is_none() {
            self.unexpected("`SERVER`, `CLIENT` or `ALL`");
            return None;
        }
        self.next();
        role
    }

    pub(super) fn arguments(&mut self) -> Option<Vec<Expr>> {
        self.expect("(", "before the arguments")?;
        let mut args = Vec::new();
        while !self.is(")") {
            args.push(self.expr()?);
            if self.accept(",").is_none() {
                break;
            }
        }
        self.expect(")", "after the arguments")?;
        Some(args)
    }
}

/// The number of tokens of `fix<width, fraction>`.
pub(super) const FIX: usize = 6;

/// `uint32_al` is a base type and a label; an unknown label is given as `"?"`.
fn split_type(text: &str) -> Option<(Base, Option<&'static str>)> {
    let (base, label) = match text.split_once('_') {
        Some((base, label)) => (base, Some(label)),
        None => (text, None),
    };
    let label = label.map(|l| ["pl", "al", "bl", "fl"].into_iter().find(|known| *known == l).unwrap_or("?"));
    Some((Base::parse(base)?, label))
}
