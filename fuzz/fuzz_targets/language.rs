//! Programs, as files and as tokens.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proc_macro2::{Span, TokenStream};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let compilation = ezpc_lang::compile_file(text, Span::call_site());
    let _ = (compilation.tree.to_string(), compilation.diagnostics.print());
    if let Ok(tokens) = text.parse::<TokenStream>() {
        let _ = ezpc_lang::expand(tokens).to_string();
    }
});
