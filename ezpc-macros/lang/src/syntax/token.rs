//! Tokens: Rust's, with comments dropped, groups opened up, and the language's operators joined.

use crate::diag::{Code, Diagnostics, Place};
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Ident(String),
    /// Digits and suffix.
    Int(u128, String),
    Float(String),
    /// An operator or a delimiter.
    Punct(&'static str),
    /// A documentation comment.
    Doc(String),
    /// Anything else Rust can lex.
    Other(String),
    End,
}

impl Kind {
    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Ident(own) => own == text,
            Self::Punct(own) => *own == text,
            _ => false,
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Ident(text) | Self::Other(text) | Self::Float(text) => format!("`{text}`"),
            Self::Int(value, suffix) => format!("`{value}{suffix}`"),
            Self::Punct(text) => format!("`{text}`"),
            Self::Doc(_) => "a documentation comment".to_owned(),
            Self::End => "the end of the program".to_owned(),
        }
    }
}

/// Flattens the input.
pub(super) fn scan(input: TokenStream, diagnostics: &mut Diagnostics) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut work = vec![(input.into_iter(), None)];
    let mut end = Place::call_site();
    while let Some((stream, close)) = work.last_mut() {
        let Some(tree) = stream.next() else {
            if let Some((text, span)) = *close {
                tokens.push(Token { kind: Kind::Punct(text), span });
                end = span;
            }
            work.pop();
            continue;
        };
        end = tree.span().into();
        match tree {
            TokenTree::Group(group) if is_comment(&group) => {}
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", Some((")", group.span_close().into()))),
                    Delimiter::Brace => ("{", Some(("}", group.span_close().into()))),
                    Delimiter::Bracket => ("[", Some(("]", group.span_close().into()))),
                    Delimiter::None => ("", None),
                };
                if let Some(doc) = take_doc(&mut tokens, &group) {
                    tokens.push(doc);
                    continue;
                }
                if close.is_some() {
                    tokens.push(Token { kind: Kind::Punct(open), span: group.span_open().into() });
                }
                work.push((group.stream().into_iter(), close));
            }
            TokenTree::Ident(ident) => {
                let text = ident.to_string();
                let text = text.strip_prefix("r#").unwrap_or(&text).to_owned();
                let kind = if text == "_" { Kind::Other(text) } else { Kind::Ident(text) };
                tokens.push(Token { kind, span: ident.span().into() });
            }
            TokenTree::Literal(literal) => {
                let kind = literal_kind(&literal.to_string(), literal.span().into(), diagnostics);
                tokens.push(Token { kind, span: literal.span().into() });
            }
            TokenTree::Punct(first) => {
                let mut run = vec![(first.as_char(), Place::from(first.span()))];
                let mut joint = first.spacing() == Spacing::Joint;
                while joint {
                    match stream.clone().next() {
                        Some(TokenTree::Punct(more)) => {
                            run.push((more.as_char(), more.span().into()));
                            joint = more.spacing() == Spacing::Joint;
                            stream.next();
                        }
                        _ => break,
                    }
                }
                split(&run, &mut tokens);
            }
        }
    }
    tokens.push(Token { kind: Kind::End, span: end });
    tokens
}

/// `(* … *)`.
fn is_comment(group: &proc_macro2::Group) -> bool {
    if group.delimiter() != Delimiter::Parenthesis {
        return false;
    }
    let star = |tree: Option<TokenTree>| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == '*');
    let mut trees = group.stream().into_iter();
    star(trees.next()) && (trees.next().is_none() || star(group.stream().into_iter().last()))
}

/// Rust turns `/// text` into `#[doc = "text"]`.
fn take_doc(tokens: &mut Vec<Token>, group: &proc_macro2::Group) -> Option<Token> {
    if group.delimiter() != Delimiter::Bracket || !tokens.last()?.kind.is("#") {
        return None;
    }
    let mut trees = group.stream().into_iter();
    let (Some(TokenTree::Ident(name)), Some(TokenTree::Punct(_)), Some(TokenTree::Literal(text))) =
        (trees.next(), trees.next(), trees.next())
    else {
        return None;
    };
    if name != "doc" {
        return None;
    }
    tokens.pop();
    let text = text.to_string();
    let text = text.trim_start_matches('r').trim_matches('#').trim_matches('"').replace("\\\"", "\"");
    Some(Token { kind: Kind::Doc(text), span: group.span().into() })
}

pub(super) fn literal_kind(text: &str, span: Place, diagnostics: &mut Diagnostics) -> Kind {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Kind::Other(text.to_owned());
    }
    let (radix, digits) = match text.get(..2) {
        Some("0x") => (16, &text[2..]),
        Some("0o") => (8, &text[2..]),
        Some("0b") => (2, &text[2..]),
        _ => (10, text),
    };
    if radix == 10 && (text.contains('.') || text.contains(['e', 'E'])) {
        return Kind::Float(text.replace('_', ""));
    }
    let end = digits.find(|c: char| !(c.is_digit(radix) || c == '_')).unwrap_or(digits.len());
    let (digits, suffix) = (digits[..end].replace('_', ""), &digits[end..]);
    match u128::from_str_radix(&digits, radix) {
        Ok(value) => Kind::Int(value, suffix.to_owned()),
        Err(_) if digits.is_empty() => Kind::Other(text.to_owned()),
        Err(_) => {
            diagnostics.report(Code::LiteralOverflow, span, format!("no type holds the literal `{text}`"));
            Kind::Int(0, suffix.to_owned())
        }
    }
}

/// Cuts a run of adjacent characters into the longest operators.
pub(super) fn split(mut run: &[(char, Place)], tokens: &mut Vec<Token>) {
    while let Some(&(first, span)) = run.first() {
        let longest = OPERATORS
            .iter()
            .find(|op| op.len() <= run.len() && op.chars().zip(run).all(|(c, &(own, _))| c == own));
        if let Some(op) = longest {
            // `macro_rules!` takes `>>>` and `^^` apart.
            match (tokens.last_mut().map(|t| &mut t.kind), *op) {
                (Some(last @ Kind::Punct(">>")), ">") => *last = Kind::Punct(">>>"),
                (Some(last @ Kind::Punct("^")), "^") => *last = Kind::Punct("^^"),
                _ => tokens.push(Token { kind: Kind::Punct(op), span }),
            }
            run = &run[op.len()..];
        } else {
            tokens.push(Token { kind: Kind::Other(first.to_string()), span });
            run = &run[1..];
        }
    }
}

pub(super) fn is_keyword(text: &str) -> bool {
    KEYWORDS.contains(&text)
}

/// Longer ones first.
const OPERATORS: [&str; 43] = [
    ">>>", ">>", "<<", ">=", "<=", "==", "!=", "&&", "||", "^^", "+=", "-=", "*=", "/=", "%=", "&=", "|=",
    "^=", "+", "-", "*", "/", "%", "<", ">", "=", "!", "~", "?", ":", ";", ",", "&", "|", "^", "@", "#", ".",
    "$", "(", ")", "[", "]",
];

const KEYWORDS: [&str; 34] = [
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "float",
    "bool",
    "void",
    "true",
    "false",
    "al",
    "bl",
    "pl",
    "fl",
    "output",
    "input",
    "return",
    "partition",
    "inline",
    "extern",
    "unroll",
    "const",
    "if",
    "else",
    "def",
    "for",
    "while",
    "SERVER",
    "CLIENT",
    "ALL",
    "reveal",
];
