//! The `secure!` macro: a thin shell over `ezpc-lang`.

use proc_macro::TokenStream;

/// Generates Rust functions from a program in the ezpc language; documented in `ezpc_core`.
#[proc_macro]
pub fn secure(input: TokenStream) -> TokenStream {
    ezpc_lang::expand(input.into()).into()
}
