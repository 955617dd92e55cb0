//! Statements.

use super::{Codegen, Scope, hidden, ident, io_ident, program_ident};
use crate::ir::{Expr, ExprKind, Stmt, Ty};
use crate::syntax::ast::{Base, Role};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

impl Codegen<'_> {
    pub(super) fn stmts(&self, scope: &Scope<'_>, stmts: &[Stmt]) -> TokenStream {
        stmts
            .iter()
            .map(|stmt| {
                let site = self.site(scope, stmt);
                let stmt = self.stmt(scope, stmt);
                quote!(#site #stmt)
            })
            .collect()
    }

    /// Tells the program where in the text it is, before statements that compute on secret values.
    fn site(&self, scope: &Scope<'_>, stmt: &Stmt) -> TokenStream {
        let secret = |e: &&Expr| e.any(&|e| !e.ty.public());
        let expr = match stmt {
            Stmt::Declare(_, _, Some(value))
            | Stmt::Assign(_, _, value)
            | Stmt::AssignOblivious(_, _, value)
            | Stmt::Accumulate(.., value)
            | Stmt::Return(Some(value))
            | Stmt::Output(value, _) => Some(value),
            Stmt::Contest(contest) => Some(&contest.value),
            Stmt::If(guard, ..) | Stmt::While(guard, _) => Some(guard),
            _ => None,
        };
        expr.filter(secret).map(|expr| self.site_at(scope, expr)).unwrap_or_default()
    }

    /// Tells the program that it is at an expression.
    pub(super) fn site_at(&self, scope: &Scope<'_>, expr: &Expr) -> TokenStream {
        let k = &self.k;
        let program = program_ident();
        let function = &scope.function.name;
        let line = Literal::usize_unsuffixed(expr.span.position().0);
        quote!(#program.at(&#k::Site { function: #function, line: #line });)
    }

    fn stmt(&self, scope: &Scope<'_>, stmt: &Stmt) -> TokenStream {
        let k = &self.k;
        let program = program_ident();
        match stmt {
            Stmt::Declare(var, _, Some(value)) if scope.lanes.is_some() && value.ty.public() => {
                self.remember(scope, *var, value);
                if self.varies(scope, value) {
                    return TokenStream::new();
                }
                let (name, ty) = (self.var(scope, *var), self.value_type(scope.function.vars[*var].ty));
                let value = self.value(scope, value);
                quote!(let #name: #ty = #value;)
            }
            Stmt::Declare(var, sizes, value) => {
                let ty = scope.function.vars[*var].ty;
                let (name, rust) = (self.var(scope, *var), self.value_type(ty));
                if ty.rank > 0 {
                    let sizes = self.sizes(scope, sizes);
                    let zero = self.zero(ty);
                    return quote!(let #name: #rust = #k::Array::filled(#sizes, #zero)?;);
                }
                let value = value.as_ref().map_or_else(|| self.zero(ty), |v| self.value(scope, v));
                quote!(let mut #name: #rust = #value;)
            }
            Stmt::Assign(var, index, value) => {
                let name = self.var(scope, *var);
                let rhs = self.value(scope, value);
                if index.is_empty() {
                    return quote!(#name = #rhs;);
                }
                if index.iter().any(|i| self.varies(scope, i)) {
                    return self.store(scope, *var, index, value);
                }
                let index = self.index(scope, index);
                let set = self.checked(value, quote!(#name.set(#index, #rhs)));
                quote!(#set;)
            }
            Stmt::AssignOblivious(var, index, value) => {
                let name = self.var(scope, *var);
                let elements = hidden("elements");
                let rank = 1usize;
                let (index, value) = (self.reference(scope, index), self.reference(scope, value));
                quote!({
                    let #elements = #program.replace(&#name.to_vec(), #index, #value);
                    #name.assign(&#k::Array::<_, #rank>::from_vec(#name.sizes(), #elements)?)?;
                })
            }
            Stmt::Copy(to, from) => {
                let (target, source) = (self.value(scope, to), self.reference(scope, from));
                let copy = quote!(#target.assign(#source));
                let copy = self.checked(to, copy);
                quote!(#copy;)
            }
            Stmt::Call(callee, args, span) => {
                let call = self.call(scope, *callee, args, *span);
                quote!(#call?;)
            }
            Stmt::For(var, from, to, body) => {
                let name = self.var(scope, *var);
                let ty = self.scalar_type(scope.function.vars[*var].ty.base);
                let (low, high) = (self.value(scope, from), self.value(scope, to));
                let range = self.checked(from, quote!(#k::loop_range::<_, _, #ty>(#low, #high)));
                let body = self.stmts(scope, body);
                quote!(for #name in #range { #body #program.poll()?; })
            }
            Stmt::While(guard, body) => {
                let (guard, body) = (self.value(scope, guard), self.stmts(scope, body));
                quote!(while #guard { #body #program.poll()?; })
            }
            Stmt::If(guard, then, otherwise) => {
                let guard = self.value(scope, guard);
                let (then, otherwise) = (self.scoped(scope, then), self.scoped(scope, otherwise));
                quote!(if #guard { #then } else { #otherwise })
            }
            Stmt::Return(value) => {
                let value = value.as_ref().map_or_else(|| quote!(()), |v| self.value(scope, v));
                quote!(return ::core::result::Result::Ok(#value);)
            }
            Stmt::Input(var, sizes, field) => self.input(scope, *var, sizes, *field),
            Stmt::Output(value, field) => self.output(scope, value, *field),
            Stmt::Block(body) => {
                let body = self.scoped(scope, body);
                quote!({ #body })
            }
            Stmt::Lanes(lanes) => self.lanes(scope, lanes),
            Stmt::Contest(contest) => self.contest(scope, contest),
            Stmt::Accumulate(var, index, op, label, value) => {
                self.accumulate(scope, *var, index, (*op, *label), value)
            }
        }
    }

    fn sizes(&self, scope: &Scope<'_>, sizes: &[Expr]) -> TokenStream {
        let k = &self.k;
        let sizes = sizes.iter().map(|s| {
            let size = self.value(scope, s);
            self.checked(s, quote!(#k::array_size(#size)))
        });
        quote!([#(#sizes),*])
    }

    /// The value of a scalar, or of an element, before anything is assigned.
    fn zero(&self, ty: Ty) -> TokenStream {
        let program = program_ident();
        let scalar = self.scalar_type(ty.base);
        let zero = match ty.base {
            Base::Bool => quote!(false),
            Base::Float => quote!(0.0),
            Base::Fix { .. } => quote!(#scalar::nearest(0.0)),
            Base::Int { .. } => quote!(0),
        };
        if ty.public() { zero } else { quote!(#program.constant::<#scalar>(#zero)) }
    }

    fn input(&self, scope: &Scope<'_>, var: usize, sizes: &[Expr], field: usize) -> TokenStream {
        let k = &self.k;
        let (program, io) = (program_ident(), io_ident());
        let ty = scope.function.vars[var].ty;
        let name = self.var(scope, var);
        let info = &self.program.inputs[field];
        let text = &info.name;
        let source = ident(text, info.span);
        let value = if info.repeated {
            quote!(#k::next_of(#io.inputs.#source.as_ref(), &mut #io.taken[#field]))
        } else {
            quote!(#io.inputs.#source.as_ref())
        };
        let rank = ty.rank;
        let own_sizes = hidden("sizes");
        let sizes = self.sizes(scope, sizes);
        let from = match info.role {
            Role::All => None,
            Role::Server => Some(quote!(#k::Party::Server)),
            Role::Client => Some(quote!(#k::Party::Client)),
        };
        let rust = self.value_type(ty);
        let read = match from {
            Some(from) if rank > 0 => quote!(#k::input_array(#program, #text, #from, #value, #own_sizes)?),
            Some(from) => quote!(#k::input(#program, #text, #from, #value)?),
            None => {
                let values = quote!(#k::public_input(#text, #value, &#own_sizes)?);
                if rank > 0 {
                    quote!(#k::Array::from_vec(#own_sizes, #values)?)
                } else {
                    quote!(#values.into_iter().next().expect("an input has a value"))
                }
            }
        };
        quote! {
            let mut #name: #rust = {
                let #own_sizes: [::core::primitive::usize; #rank] = #sizes;
                #read
            };
        }
    }

    fn output(&self, scope: &Scope<'_>, value: &Expr, field: usize) -> TokenStream {
        let (program, io) = (program_ident(), io_ident());
        let slot = format_ident!("{}", super::io::slot(field));
        let rank = value.ty.rank;
        let reference = match &value.kind {
            ExprKind::Var(_) => self.reference(scope, value),
            _ => {
                let value = self.value(scope, value);
                quote!(&#value)
            }
        };
        let own = hidden("value");
        let emit = match (value.ty.public(), rank) {
            (true, 0) => quote!(#io.#slot.public(&[*#own], &[])),
            (true, _) => quote!(#io.#slot.public(&#own.to_vec(), &#own.sizes())),
            (false, 0) => quote!(#io.#slot.share(#program, ::core::slice::from_ref(#own), &[])),
            (false, _) => quote!(#io.#slot.share(#program, &#own.to_vec(), &#own.sizes())),
        };
        quote!({ let #own = #reference; #emit; })
    }
}
