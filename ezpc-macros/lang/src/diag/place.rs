//! Where a token is: in the Rust text, or in a file of its own.

use proc_macro2::Span;

/// The place of a token. In a program that comes from a file the span is that of the file's name, and line and
/// column are the file's.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    span: Span,
    file: Option<(usize, usize)>,
}

impl Place {
    /// A place in a file named at `span`.
    #[must_use]
    pub const fn of_file(span: Span, line: usize, column: usize) -> Self {
        Self { span, file: Some((line, column)) }
    }

    /// The macro as a whole.
    #[must_use]
    pub fn call_site() -> Self {
        Span::call_site().into()
    }

    /// The span that generated tokens get.
    #[must_use]
    pub const fn token(self) -> Span {
        self.span
    }

    /// Line and column, from 1, when the program comes from a file.
    #[must_use]
    pub const fn in_file(self) -> Option<(usize, usize)> {
        self.file
    }

    /// Line and column, from 1.
    #[must_use]
    pub fn position(self) -> (usize, usize) {
        let start = self.span.start();
        self.file.unwrap_or((start.line, start.column + 1))
    }
}

impl From<Span> for Place {
    fn from(span: Span) -> Self {
        Self { span, file: None }
    }
}
