//! Syntax: tokens, the syntax tree, the parser, and the tree as text.

pub mod ast;
mod expr;
mod file;
mod item;
mod print;
mod stmt;
mod token;

pub use file::parse_header;

use crate::diag::Place;
use crate::diag::{Code, Diagnostics};
use proc_macro2::TokenStream;
use token::{Kind, Token};

/// Parses the input of `secure!`. What cannot be parsed is reported and left out.
pub fn parse(input: TokenStream, diagnostics: &mut Diagnostics) -> ast::Program {
    let tokens = token::scan(input, diagnostics);
    let mut parser = Parser { tokens, at: 0, diagnostics, depth: 0 };
    parser.program()
}

/// Parses the text of a file, whose name stands at `span`.
pub fn parse_file(text: &str, span: proc_macro2::Span, diagnostics: &mut Diagnostics) -> ast::Program {
    let tokens = file::scan(text, span, diagnostics);
    let mut parser = Parser { tokens, at: 0, diagnostics, depth: 0 };
    parser.program()
}

/// A recursive-descent parser. `None` means that an error has been reported.
struct Parser<'d> {
    tokens: Vec<Token>,
    at: usize,
    diagnostics: &'d mut Diagnostics,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn peek_at(&self, ahead: usize) -> &Kind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)].kind
    }

    fn span(&self) -> Place {
        self.tokens[self.at].span
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    fn is(&self, text: &str) -> bool {
        self.peek().is(text)
    }

    fn accept(&mut self, text: &str) -> Option<Place> {
        if !self.is(text) {
            return None;
        }
        Some(self.next().span)
    }

    fn expect(&mut self, text: &str, what: &str) -> Option<Place> {
        let found = self.accept(text);
        if found.is_none() {
            self.unexpected(&format!("`{text}` {what}"));
        }
        found
    }

    #[track_caller]
    fn unexpected(&mut self, wanted: &str) {
        let message = format!("expected {wanted}, found {}", self.peek().describe());
        let span = self.span();
        Diagnostics::report(self.diagnostics, Code::Syntax, span, message);
    }

    fn name(&mut self, what: &str) -> Option<ast::Name> {
        if let Kind::Ident(text) = self.peek()
            && !token::is_keyword(text)
        {
            let text = text.clone();
            let span = self.next().span;
            return Some(ast::Name { text, span });
        }
        self.unexpected(what);
        None
    }

    /// Enters a nested construct; refuses what would exhaust the stack.
    fn deeper<T>(&mut self, f: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth > DEEPEST {
            self.diagnostics.report_with(
                Code::Syntax,
                self.span(),
                "the nesting is too deep",
                "split the expression or the statement",
            );
            return None;
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        result
    }
}

const DEEPEST: usize = 100;
