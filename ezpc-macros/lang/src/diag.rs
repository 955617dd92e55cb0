//! Diagnostics: every error of one compilation, each on the smallest token that is wrong.

mod catalogue;

mod place;

pub use catalogue::{Code, catalogue};
pub use place::Place;

use core::panic::Location;
use proc_macro2::TokenStream;
use quote::quote_spanned;

/// One error: where, what, and how to repair it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Its entry in the catalogue.
    pub code: Code,
    /// The smallest token that is wrong.
    pub span: Place,
    /// A lower-case sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: String,
    /// Where in the front end it is reported: tests hold that each such place has an example.
    pub origin: &'static Location<'static>,
}

/// The errors collected so far.
#[derive(Debug, Default)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds an error; the help is the catalogue's.
    #[track_caller]
    pub fn report(&mut self, code: Code, span: Place, message: impl Into<String>) {
        self.report_with(code, span, message, code.help());
    }

    /// Adds an error with a help of its own.
    #[track_caller]
    pub fn report_with(
        &mut self,
        code: Code,
        span: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (message, help) = (message.into(), help.into());
        self.all.push(Diagnostic { code, span, message, help, origin: Location::caller() });
    }

    /// Forgets all but the first `count`.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.all.truncate(count);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The errors in the order they were found.
    #[must_use]
    pub fn all(&self) -> &[Diagnostic] {
        &self.all
    }

    /// One `compile_error!` an error.
    #[must_use]
    pub fn to_tokens(&self) -> TokenStream {
        self.all.iter().map(Diagnostic::to_tokens).collect()
    }

    /// The errors as text, one a line, for tests and humans.
    #[must_use]
    pub fn print(&self) -> String {
        let line = |d: &Diagnostic| {
            let (line, column) = d.span.position();
            format!("{line}:{column}: {}: {}\n  help: {}\n", d.code.name(), d.message, d.help)
        };
        self.all.iter().map(line).collect()
    }
}

impl Diagnostic {
    fn to_tokens(&self) -> TokenStream {
        let at = self.span.in_file().map(|(line, column)| format!("line {line}, column {column}: "));
        let text = format!("{}{}\nhelp: {}", at.unwrap_or_default(), self.message, self.help);
        let span = self.span.token();
        quote_spanned!(span=> ::core::compile_error!(#text);)
    }
}
