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

use diag::{Code, Diagnostics, Place};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;
use std::path::Path;

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
    check(tree, diagnostics)
}

/// Runs the stages on the text of a file, whose name stands at `span`.
#[must_use]
pub fn compile_file(text: &str, span: Span) -> Compilation {
    let mut diagnostics = Diagnostics::default();
    let tree = syntax::parse_file(text, span, &mut diagnostics);
    check(tree, diagnostics)
}

/// One stage of a compilation as text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stage {
    /// `syntax`, `typed`, the name of a pass, or `rust`.
    pub name: &'static str,
    /// The program after it.
    pub text: String,
}

/// The program after each stage: its tree, its typed form before and after every pass, the generated Rust. Errors end
/// it early and are printed as the last stage, `errors`.
#[must_use]
pub fn stages(text: &str) -> Vec<Stage> {
    let mut diagnostics = Diagnostics::default();
    let tree = syntax::parse_file(text, Span::call_site(), &mut diagnostics);
    let mut all = vec![Stage { name: "syntax", text: tree.to_string() }];
    let mut program = sema::check(&tree, &mut diagnostics);
    if !diagnostics.is_empty() {
        all.push(Stage { name: "errors", text: diagnostics.print() });
        return all;
    }
    all.push(Stage { name: "typed", text: program.to_string() });
    for (name, pass) in opt::PASSES {
        pass(&mut program);
        all.push(Stage { name, text: program.to_string() });
    }
    all.push(Stage { name: "rust", text: codegen::generate(&program).to_string() });
    all
}

fn check(tree: syntax::ast::Program, mut diagnostics: Diagnostics) -> Compilation {
    let mut program = sema::check(&tree, &mut diagnostics);
    opt::optimise(&mut program);
    Compilation { tree, program, diagnostics }
}

/// The expansion of `secure!`: Rust items, and the errors. With errors the items are stubs, so that what uses
/// them does not fail as well.
#[must_use]
pub fn expand(input: TokenStream) -> TokenStream {
    generate(compile(input))
}

/// The expansion of `secure_file!`: options, and the name of a file relative to `root`.
#[must_use]
pub fn expand_file(input: TokenStream, root: &Path) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let mut trees: Vec<TokenTree> = input.into_iter().collect();
    let name = trees.pop().and_then(|last| match last {
        TokenTree::Literal(literal) => Some((literal.to_string(), literal.span())),
        _ => None,
    });
    let header = syntax::parse_header(trees.into_iter().collect(), &mut diagnostics);
    let Some((name, span)) = name.filter(|n| n.0.starts_with('"')) else {
        diagnostics.report_with(
            Code::Syntax,
            Place::call_site(),
            "expected the name of a file in quotes",
            "write `secure_file!(\"program.ezpc\")`",
        );
        return diagnostics.to_tokens();
    };
    let path = root.join(name.trim_matches('"'));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            let help = "the name is relative to the package's directory";
            diagnostics.report_with(Code::Syntax, span.into(), message, help);
            return diagnostics.to_tokens();
        }
    };
    let mut compilation = compile_file(&text, span);
    let file = core::mem::take(&mut compilation.program.header);
    let docs = if header.docs.is_empty() { file.docs } else { header.docs };
    compilation.program.header =
        syntax::ast::Header { module: header.module.or(file.module), docs, ..header };
    let mut out = diagnostics.to_tokens();
    out.extend(generate(compilation));
    // The compiler runs the macro again when the file changes.
    let path = path.display().to_string();
    out.extend(quote!(
        const _: &[u8] = ::core::include_bytes!(#path);
    ));
    out
}

/// The Rust items of a compilation, and its errors.
#[must_use]
pub fn generate(mut compilation: Compilation) -> TokenStream {
    let mut out = compilation.diagnostics.to_tokens();
    if !compilation.diagnostics.is_empty() {
        for function in &mut compilation.program.functions {
            function.broken = true;
        }
    }
    out.extend(codegen::generate(&compilation.program));
    out
}
