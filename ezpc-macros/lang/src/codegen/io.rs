//! The entry point: typed inputs and outputs around `main`.

use super::{Codegen, ident};
use crate::ir::Field;
use crate::syntax::ast::Role;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use sha2::{Digest, Sha256};

impl Codegen<'_> {
    /// `Inputs`, `Outputs` and `main`.
    pub(super) fn entry(&self) -> TokenStream {
        let Some(main) = self.program.functions.iter().find(|f| f.name == "main") else {
            return TokenStream::new();
        };
        let k = &self.k;
        let inputs = self.program.inputs.iter().map(|f| self.input_field(f));
        let outputs = self.program.outputs.iter().map(|f| self.output_field(f));
        let broken = self.program.functions.iter().any(|f| f.broken);
        let body = if broken {
            quote!(::core::unreachable!("the program has errors"))
        } else {
            self.entry_body(main.talks)
        };
        let docs = &main.docs;
        let docs =
            if docs.is_empty() { quote!(#[doc = "Runs the program."]) } else { quote!(#(#[doc = #docs])*) };
        let slots = self.program.outputs.iter().enumerate().map(|(i, f)| {
            let (slot, scalar) = (format_ident!("{}", slot(i)), self.scalar_type(f.ty.base));
            quote!(#slot: #k::Emitted<#scalar>)
        });
        let count = self.program.inputs.len();
        quote! {
            /// The inputs of the program. Each party fills in its own; the other's are ignored.
            #[derive(Clone, Default)]
            #[allow(non_snake_case, clippy::exhaustive_structs, reason = "generated from the program's text")]
            pub struct Inputs { #(#inputs),* }

            /// The outputs of the program, `None` where this party does not learn them.
            #[derive(Clone, Debug, Default, PartialEq)]
            #[allow(non_snake_case, clippy::exhaustive_structs, reason = "generated from the program's text")]
            pub struct Outputs { #(#outputs),* }

            #[allow(dead_code, reason = "generated from the program's text")]
            struct __EzpcIo<'i> { inputs: &'i Inputs, taken: [usize; #count], #(#slots),* }

            #docs
            #[allow(unused, clippy::all, clippy::pedantic, reason = "generated from the program's text")]
            pub fn main<__P: #k::Protocol>(protocol: &mut __P, inputs: &Inputs) -> #k::Result<Outputs> {
                #body
            }
        }
    }

    fn entry_body(&self, talks: bool) -> TokenStream {
        let k = &self.k;
        let count = self.program.inputs.len();
        let slots = self.program.outputs.iter().enumerate().map(|(i, f)| {
            let (slot, to) = (format_ident!("{}", slot(i)), self.reveal(f.role));
            quote!(#slot: #k::Emitted::new(#to))
        });
        let fields = self.program.outputs.iter().enumerate().map(|(i, f)| {
            let (name, slot) = (ident(&f.name, f.span), format_ident!("{}", slot(i)));
            let value = quote!(io.#slot.take(&program));
            let value = if f.repeated { quote!(#k::every(#value)) } else { quote!(#k::only(#value)) };
            let value = if f.role == Role::All { quote!(#k::known(#value)) } else { value };
            quote!(#name: #value)
        });
        let io = talks.then(|| quote!(&mut io));
        let shape = fingerprint(&self.program.to_string());
        let public: Vec<_> = self.program.inputs.iter().filter(|f| f.role == Role::All).collect();
        let public = public.iter().map(|f| ident(&f.name, f.span));
        let public: Vec<_> = public.map(|name| quote!(&inputs.#name)).collect();
        // Sizes may depend on them: with others a party would wait for what never comes.
        let public = (!public.is_empty()).then(|| {
            quote! {
                let public = ::std::format!("{:?}", (#(#public,)*));
                #k::Protocol::agree(protocol, "the public inputs", public.as_bytes())?;
            }
        });
        quote! {
            #k::Protocol::agree(protocol, "the program", #shape.as_bytes())?;
            #public
            let program = #k::Program::new(protocol);
            let mut io = __EzpcIo { inputs, taken: [0; #count], #(#slots),* };
            __ezpc_main(&program, #io)?;
            program.open_all()?;
            ::core::result::Result::Ok(Outputs { #(#fields),* })
        }
    }

    fn input_field(&self, field: &Field) -> TokenStream {
        let (name, ty) = (ident(&field.name, field.span), self.nested(field));
        let doc = format!("`{}` of {}.", field.ty, field.role);
        let ty = if field.repeated { quote!(::std::vec::Vec<#ty>) } else { ty };
        quote!(#[doc = #doc] pub #name: ::core::option::Option<#ty>)
    }

    fn output_field(&self, field: &Field) -> TokenStream {
        let (name, ty) = (ident(&field.name, field.span), self.nested(field));
        let doc = format!("`{}` to {}.", field.ty, field.role);
        let ty = if field.repeated { quote!(::std::vec::Vec<#ty>) } else { ty };
        let ty = if field.role == Role::All { ty } else { quote!(::core::option::Option<#ty>) };
        quote!(#[doc = #doc] pub #name: #ty)
    }

    /// A scalar, or vectors of vectors.
    fn nested(&self, field: &Field) -> TokenStream {
        let scalar = self.scalar_type(field.ty.base);
        (0..field.ty.rank).fold(scalar, |inner, _| quote!(::std::vec::Vec<#inner>))
    }

    fn reveal(&self, role: Role) -> TokenStream {
        let k = &self.k;
        match role {
            Role::All => quote!(#k::Reveal::Both),
            Role::Server => quote!(#k::Reveal::To(#k::Party::Server)),
            Role::Client => quote!(#k::Reveal::To(#k::Party::Client)),
        }
    }
}

/// The name of the slot that collects an output.
pub(super) fn slot(field: usize) -> String {
    format!("output_{field}")
}

/// Names the typed program, public constants and all: SHA-256 of its printed form. Both parties compare it before the
/// first input; nobody can make two programs with one name.
fn fingerprint(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
