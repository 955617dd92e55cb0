//! The `secure!` macro: a thin shell over `ezpc-lang`.
