//! Front end of the ezpc language.
//!
//! Text → [`syntax`] (tree) → [`sema`] (names, types, labels) → [`ir`] (typed) → [`opt`] → [`codegen`] (Rust).
//! Every stage prints as text. Nothing here panics on any input: errors are collected in [`diag`].

pub mod codegen;
pub mod diag;
pub mod ir;
pub mod opt;
pub mod sema;
pub mod syntax;

use diag::Diagnostics;
use proc_macro2::TokenStream;

/// The stages of one compilation.
#[derive(Debug)]
pub struct Compilation {
    /// The syntax tree.
    pub tree: syntax::ast::Program,
    /// The typed representation, optimised.
    pub program: ir::Program,
    /// Every error.
    pub diagnostics: Diagnostics,
}

/// Runs the stages up to code generation.
#[must_use]
pub fn compile(input: TokenStream) -> Compilation {
    let mut diagnostics = Diagnostics::default();
    let tree = syntax::parse(input, &mut diagnostics);
    let mut program = sema::check(&tree, &mut diagnostics);
    opt::optimise(&mut program);
    Compilation { tree, program, diagnostics }
}

/// The expansion of `secure!`: Rust items, and the errors. With errors the items are stubs, so that what uses
/// them does not fail as well.
#[must_use]
pub fn expand(input: TokenStream) -> TokenStream {
    let mut compilation = compile(input);
    let mut out = compilation.diagnostics.to_tokens();
    if !compilation.diagnostics.is_empty() {
        for function in &mut compilation.program.functions {
            function.broken = true;
        }
    }
    out.extend(codegen::generate(&compilation.program));
    out
}
