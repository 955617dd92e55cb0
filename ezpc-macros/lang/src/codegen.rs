//! Code generation: calls on `ezpc_core`'s `Program`, with public control flow as Rust's own.

mod expr;
mod io;
mod lanes;
mod stmt;

use crate::diag::Place;
use crate::ir::{Function, Program, Ty, Var};
use crate::syntax::ast::{Base, Label};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use std::collections::HashSet;

/// The Rust text of a program. Broken functions become stubs.
#[must_use]
pub fn generate(program: &Program) -> TokenStream {
    let krate = program.header.krate.clone().unwrap_or_else(|| quote!(::ezpc_core));
    let codegen = Codegen { program, k: quote!(#krate::private) };
    let mut items = TokenStream::new();
    let mut names = HashSet::new();
    for function in &program.functions {
        // A second function of one name has been reported.
        if names.insert(&function.name) {
            items.extend(codegen.function(function));
        }
    }
    items.extend(codegen.entry());
    match &program.header.module {
        Some(name) => {
            let doc = vec![format!("The program `{}`.", name.text)];
            let docs = if program.header.docs.is_empty() { &doc } else { &program.header.docs };
            let name = ident(&name.text, name.span);
            quote! {
                #(#[doc = #docs])*
                pub mod #name {
                    #[allow(unused_imports, reason = "functions of the surroundings, for `extern`")]
                    use super::*;
                    #items
                }
            }
        }
        None => items,
    }
}

struct Codegen<'a> {
    program: &'a Program,
    /// The path of what generated code may name.
    k: TokenStream,
}

/// What is known while one function is generated.
struct Scope<'a> {
    function: &'a Function,
    /// Inside of a loop that runs as vectors.
    lanes: Option<lanes::Scope<'a>>,
}

impl Codegen<'_> {
    fn function(&self, function: &Function) -> TokenStream {
        let k = &self.k;
        let is_main = function.name == "main";
        let name =
            if is_main { ident("__ezpc_main", function.span) } else { ident(&function.name, function.span) };
        let hidden = is_main || function.talks;
        let public = if hidden { quote!() } else { quote!(pub) };
        let docs = &function.docs;
        let summary = format!("`{}` of the program.", function.name);
        let docs = if docs.is_empty() { quote!(#[doc = #summary]) } else { quote!(#(#[doc = #docs])*) };
        let program = program_ident();
        let params: Vec<&Var> = function.vars[..function.params].iter().collect();
        let declared = params.iter().map(|v| {
            let (name, ty) = (ident(&v.name, v.span), self.value_type(v.ty));
            let name = if function.broken { quote!(_) } else { quote!(#name) };
            if v.ty.rank == 0 && v.ty.public() { quote!(#name: #ty) } else { quote!(#name: &#ty) }
        });
        let io = function.talks.then(|| {
            let io = io_ident();
            quote!(#io: &mut __EzpcIo<'_>,)
        });
        let result = function.result.map_or_else(|| quote!(()), |ty| self.value_type(ty));
        let body = if function.broken {
            quote!(::core::unreachable!("the program has errors"))
        } else {
            self.body(function)
        };
        quote! {
            #docs
            #[allow(
                unused, unused_mut, unused_parens, unused_braces, unreachable_code, non_snake_case,
                clippy::all, clippy::pedantic,
                reason = "generated from the program's text"
            )]
            #public fn #name<__P: #k::Protocol>(
                #program: &#k::Program<'_, __P>, #io #(#declared),*
            ) -> #k::Result<#result> {
                #body
            }
        }
    }

    fn body(&self, function: &Function) -> TokenStream {
        let scope = Scope { function, lanes: None };
        let k = &self.k;
        let mut own = TokenStream::new();
        for (var, sizes) in function.vars[..function.params].iter().zip(&function.param_sizes) {
            let name = ident(&var.name, var.span);
            if var.ty.rank > 0 {
                let text = &var.name;
                let sizes = sizes.iter().map(|s| self.value(&scope, s));
                own.extend(quote! {
                    let #name = ::core::clone::Clone::clone(#name);
                    #name.expect_sizes(#text, [#(#k::array_size(#sizes)?),*])?;
                });
            } else {
                own.extend(quote!(let mut #name = ::core::clone::Clone::clone(&#name);));
            }
            if var.ty.rank == 0 && !var.ty.public() {
                // The parameter is a reference: clone what it refers to.
                own.extend(quote!(let mut #name = ::core::clone::Clone::clone(#name);));
            }
        }
        if function.recursive {
            let (program, depth, text) = (program_ident(), hidden("depth"), &function.name);
            own.extend(quote!(let #depth = #program.enter(#text)?;));
        }
        let body = self.stmts(&scope, &function.body);
        let end = function.result.is_none().then(|| quote!(::core::result::Result::Ok(())));
        quote! { #own #body #end }
    }

    /// The Rust type of values of a type.
    fn value_type(&self, ty: Ty) -> TokenStream {
        let k = &self.k;
        let scalar = self.scalar_type(ty.base);
        let element = if ty.public() { scalar } else { quote!(#k::Shared<#scalar>) };
        let rank = ty.rank;
        if rank == 0 { element } else { quote!(#k::Array<#element, #rank>) }
    }

    /// The Rust type of a scalar.
    fn scalar_type(&self, base: Base) -> TokenStream {
        let k = &self.k;
        match base {
            Base::Fix { bits, fraction } => quote!(#k::Fix::<#bits, #fraction>),
            _ => primitive(base),
        }
    }

    fn label(&self, written: Option<Label>, fallback: Label) -> TokenStream {
        let k = &self.k;
        match (written, fallback) {
            (Some(Label::Al), _) => quote!(#k::Label::Arith),
            (Some(Label::Bl), _) => quote!(#k::Label::Bool),
            (_, Label::Al | Label::Fl) => quote!(#k::Label::PreferArith),
            _ => quote!(#k::Label::PreferBool),
        }
    }
}

/// The Rust type of an integer or of `bool`.
fn primitive(base: Base) -> TokenStream {
    let name = match base {
        Base::Int { signed, bits } => format!("{}{bits}", if signed { 'i' } else { 'u' }),
        Base::Bool => "bool".to_owned(),
        Base::Float | Base::Fix { .. } => "f64".to_owned(),
    };
    let name = Ident::new(&name, Span::call_site());
    quote!(::core::primitive::#name)
}

/// A local name that no name of the user's text can refer to.
fn hidden(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The program parameter.
fn program_ident() -> Ident {
    hidden("program")
}

/// The parameter with inputs and outputs.
fn io_ident() -> Ident {
    hidden("io")
}

/// A name of the program as a Rust name.
fn ident(name: &str, place: Place) -> Ident {
    let span = place.token();
    match name {
        "self" | "Self" | "super" | "crate" | "_" => format_ident!("{name}_", span = span),
        _ if RUST_KEYWORDS.contains(&name) => Ident::new_raw(name, span),
        _ => Ident::new(name, span),
    }
}

const RUST_KEYWORDS: [&str; 46] = [
    "as", "break", "const", "continue", "else", "enum", "extern", "false", "fn", "for", "if", "impl", "in",
    "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static", "struct", "trait",
    "true", "type", "unsafe", "use", "where", "while", "async", "await", "dyn", "abstract", "become", "box",
    "do", "final", "macro", "override", "priv", "typeof", "unsized", "virtual", "try",
];
