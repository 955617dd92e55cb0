//! The macros `secure!` and `secure_file!`: a thin shell over `ezpc-lang`.

use proc_macro::TokenStream;

#[allow(missing_docs, reason = "documented where `ezpc_core` re-exports it")]
#[proc_macro]
pub fn secure(input: TokenStream) -> TokenStream {
    ezpc_lang::expand(input.into()).into()
}

#[allow(missing_docs, reason = "documented where `ezpc_core` re-exports it")]
#[proc_macro]
pub fn secure_file(input: TokenStream) -> TokenStream {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    ezpc_lang::expand_file(input.into(), root.as_ref()).into()
}
