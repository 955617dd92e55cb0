//! The `secure!` macro: a thin shell over `ezpc-lang`.

use proc_macro::TokenStream;

#[allow(missing_docs, reason = "documented where `ezpc_core` re-exports it")]
#[proc_macro]
pub fn secure(input: TokenStream) -> TokenStream {
    ezpc_lang::expand(input.into()).into()
}
