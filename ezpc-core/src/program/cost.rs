//! Where in a program's text an operation comes from.

/// A line of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// The function.
    pub function: &'static str,
    /// The line in the file that the program is in, from 1.
    pub line: u32,
}

impl Site {
    /// A line of a function.
    #[must_use]
    pub const fn new(function: &'static str, line: u32) -> Self {
        Self { function, line }
    }
}
