//! Where in a program's text operations come from.

/// A line of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(clippy::exhaustive_structs, reason = "generated code makes constants of it")]
pub struct Site {
    /// The function.
    pub function: &'static str,
    /// The line in the file that the program is in, from 1.
    pub line: u32,
}

impl Site {
    /// Of what Rust code does by itself.
    pub const NOWHERE: Self = Self { function: "", line: 0 };
}

/// The lines that the units of one operation come from, in order, and how many units of each.
pub type Origins = Vec<(Site, usize)>;
