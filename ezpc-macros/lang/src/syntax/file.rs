//! Tokens of a file: what Rust's lexer refuses, such as apostrophes in comments, is no matter here.

use super::token::{self, Kind, Token, literal_kind, split};
use super::{Parser, ast};
use crate::diag::{Code, Diagnostics, Place};
use proc_macro2::{Span, TokenStream};

/// Parses the options before the name of a file.
pub fn parse_header(input: TokenStream, diagnostics: &mut Diagnostics) -> ast::Header {
    let tokens = token::scan(input, diagnostics);
    let mut parser = Parser { tokens, at: 0, diagnostics, depth: 0 };
    let header = parser.header();
    if *parser.peek() != Kind::End {
        parser.unexpected("the name of a file");
    }
    header
}

pub(super) fn scan(text: &str, span: Span, diagnostics: &mut Diagnostics) -> Vec<Token> {
    let mut scanner = Scanner { rest: text, line: 1, column: 1, span, tokens: Vec::new(), diagnostics };
    while scanner.token() {}
    let end = scanner.place();
    scanner.tokens.push(Token { kind: Kind::End, span: end });
    scanner.tokens
}

struct Scanner<'t, 'd> {
    rest: &'t str,
    line: usize,
    column: usize,
    span: Span,
    tokens: Vec<Token>,
    diagnostics: &'d mut Diagnostics,
}

impl<'t> Scanner<'t, '_> {
    /// Reads one token or comment; `false` at the end.
    fn token(&mut self) -> bool {
        let blank = self.rest.find(|c: char| !c.is_whitespace()).unwrap_or(self.rest.len());
        self.take(blank);
        let place = self.place();
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("(*") {
            self.comment("(*", "*)", place);
        } else if self.rest.starts_with("/*") {
            self.comment("/*", "*/", place);
        } else if self.rest.starts_with("//") {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            let line = self.take(end);
            if let Some(doc) = line.strip_prefix("///") {
                self.push(Kind::Doc(doc.to_owned()), place);
            }
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = self.word(false);
            self.push(Kind::Ident(word.to_owned()), place);
        } else if first.is_ascii_digit() {
            let word = self.word(true);
            let kind = literal_kind(word, place, self.diagnostics);
            self.push(kind, place);
        } else if let Some(delimiter) = DELIMITERS.into_iter().find(|d| self.rest.starts_with(d)) {
            self.take(1);
            self.push(Kind::Punct(delimiter), place);
        } else {
            self.operators();
        }
        true
    }

    /// A comment, which may be nested.
    fn comment(&mut self, open: &str, close: &str, place: Place) {
        let mut depth = 0usize;
        loop {
            if self.rest.starts_with(open) {
                depth += 1;
                self.take(open.len());
            } else if self.rest.starts_with(close) {
                depth -= 1;
                self.take(close.len());
            } else if let Some(next) = self.rest.chars().next() {
                self.take(next.len_utf8());
            } else {
                self.diagnostics.report(Code::Syntax, place, format!("the comment `{open}` does not end"));
                return;
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Letters, digits and underscores; in a number also the point before more digits.
    fn word(&mut self, number: bool) -> &'t str {
        let bytes = self.rest.as_bytes();
        let mut end = 0;
        while let Some(&byte) = bytes.get(end) {
            let point = number && byte == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || point) {
                break;
            }
            end += 1;
        }
        self.take(end)
    }

    /// A run of other characters, cut into operators.
    fn operators(&mut self) {
        let mut run = Vec::new();
        while let Some(next) = self.rest.chars().next() {
            let other = next.is_whitespace() || next.is_ascii_alphanumeric() || next == '_';
            let delimiter = DELIMITERS.iter().any(|d| self.rest.starts_with(d));
            let comment = ["//", "/*"].iter().any(|c| self.rest.starts_with(c));
            if other || delimiter || comment {
                break;
            }
            run.push((next, self.place()));
            self.take(next.len_utf8());
        }
        split(&run, &mut self.tokens);
    }

    fn push(&mut self, kind: Kind, span: Place) {
        self.tokens.push(Token { kind, span });
    }

    fn place(&self) -> Place {
        Place::of_file(self.span, self.line, self.column)
    }

    fn take(&mut self, len: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(len);
        for c in taken.chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.rest = rest;
        taken
    }
}

const DELIMITERS: [&str; 6] = ["(", ")", "[", "]", "{", "}"];
