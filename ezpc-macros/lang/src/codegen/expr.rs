//! Expressions.

use super::{Codegen, Scope, hidden, ident, program_ident};
use crate::ir::{Callee, Expr, ExprKind, Ty};
use crate::syntax::ast::{Base, BinaryOp, Label, Role, UnaryOp};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};

impl Codegen<'_> {
    /// An expression as a value of its own.
    pub(super) fn value(&self, scope: &Scope<'_>, expr: &Expr) -> TokenStream {
        let k = &self.k;
        let span = expr.span.token();
        let program = program_ident();
        match &expr.kind {
            ExprKind::Int { value, .. } => integer(*value, expr.ty),
            ExprKind::Bool(value) => quote_spanned!(span=> #value),
            ExprKind::Float(value) => {
                let negative = value.is_sign_negative();
                let value = Literal::f64_suffixed(value.abs());
                let value = if negative { quote!((-#value)) } else { quote!(#value) };
                match expr.ty.base {
                    Base::Fix { .. } => {
                        let ty = self.scalar_type(expr.ty.base);
                        quote_spanned!(span=> #ty::nearest(#value))
                    }
                    _ => quote_spanned!(span=> #value),
                }
            }
            ExprKind::Var(var) => {
                let name = self.var(scope, *var);
                if expr.ty.rank == 0 && expr.ty.public() {
                    quote!(#name)
                } else {
                    quote!(::core::clone::Clone::clone(&#name))
                }
            }
            ExprKind::Index(var, index) if self.varies(scope, expr) && !expr.ty.public() => {
                self.load(scope, *var, index, expr)
            }
            ExprKind::Index(var, index) => {
                let name = self.var(scope, *var);
                let count = index.len();
                let index = self.index(scope, index);
                let rest = expr.ty.rank;
                let access = if rest == 0 {
                    quote_spanned!(span=> #name.get(#index))
                } else {
                    quote_spanned!(span=> #name.row::<#count, #rest, _>(#index))
                };
                self.checked(expr, access)
            }
            ExprKind::Oblivious(row, index) => {
                let (array, index) = (self.value(scope, row), self.reference(scope, index));
                if row.ty.public() {
                    quote_spanned!(span=> #program.read_public(&#array, #index))
                } else {
                    quote_spanned!(span=> #program.read(&#array, #index))
                }
            }
            ExprKind::Unary(op, x) => self.unary(scope, *op, x, expr),
            ExprKind::Binary(op, label, x, y) => self.binary(scope, *op, *label, x, y, expr),
            ExprKind::Mux(label, c, t, e) => {
                if c.ty.public() {
                    let (c, t, e) = (self.value(scope, c), self.value(scope, t), self.value(scope, e));
                    return quote_spanned!(span=> (if #c { #t } else { #e }));
                }
                let label = self.label(*label, Label::Bl);
                let (c, t, e) =
                    (self.reference(scope, c), self.reference(scope, t), self.reference(scope, e));
                quote_spanned!(span=> #program.mux(#label, #c, #t, #e))
            }
            ExprKind::Call(callee, args) => {
                let call = self.call(scope, *callee, args, expr.span);
                // What follows in this expression is not the callee's any more.
                let (called, site) = (hidden("called"), self.site_at(scope, expr));
                quote_spanned!(span=> { let #called = #call?; #site #called })
            }
            ExprKind::Convert(x) if x.ty.public() && !expr.ty.public() && self.varies(scope, x) => {
                self.table(scope, x, expr)
            }
            ExprKind::Convert(x) => self.convert(scope, x, expr),
            ExprKind::Reveal(role, x) => {
                let x = self.reference(scope, x);
                let to = match role {
                    Role::All => return quote_spanned!(span=> #k::reveal_now(#program, #x)?),
                    Role::Server => quote!(#k::Party::Server),
                    Role::Client => quote!(#k::Party::Client),
                };
                quote_spanned!(span=> #k::reveal_to(#program, #x, #to)?)
            }
        }
    }

    /// An expression by reference, without a copy where it is a variable.
    pub(super) fn reference(&self, scope: &Scope<'_>, expr: &Expr) -> TokenStream {
        match &expr.kind {
            ExprKind::Var(var) => {
                let name = self.var(scope, *var);
                quote!(&#name)
            }
            // A conversion that changes nothing but the label.
            ExprKind::Convert(x) if !x.ty.public() && x.ty.base == expr.ty.base => self.reference(scope, x),
            _ => {
                let value = self.value(scope, expr);
                quote!(&#value)
            }
        }
    }

    pub(super) fn var(&self, scope: &Scope<'_>, var: usize) -> Ident {
        let var = &scope.function.vars[var];
        ident(&var.name, var.span)
    }

    /// Indices as an array of one type.
    pub(super) fn index(&self, scope: &Scope<'_>, index: &[Expr]) -> TokenStream {
        let k = &self.k;
        let index = index.iter().map(|i| self.value(scope, i));
        quote!([#(#k::Index::wide(#index)),*])
    }

    /// A fallible operation with its line in the error.
    pub(super) fn checked(&self, expr: &Expr, operation: TokenStream) -> TokenStream {
        let (k, line, span) = (&self.k, expr.span.position().0, expr.span.token());
        quote_spanned!(span=> #k::at_line(#operation, #line)?)
    }

    /// A call, without `?`.
    pub(super) fn call(
        &self,
        scope: &Scope<'_>,
        callee: Callee,
        args: &[Expr],
        place: crate::diag::Place,
    ) -> TokenStream {
        let program = program_ident();
        let args: Vec<TokenStream> = args
            .iter()
            .map(|arg| {
                let scalar = arg.ty.rank == 0 && arg.ty.public();
                if scalar { self.value(scope, arg) } else { self.reference(scope, arg) }
            })
            .collect();
        let (name, io) = match callee {
            Callee::Def(id) => {
                let function = &self.program.functions[id];
                let name = if function.name == "main" { "__ezpc_main" } else { &function.name };
                let io = function.talks.then(|| {
                    let io = super::io_ident();
                    quote!(#io,)
                });
                (ident(name, place), io)
            }
            Callee::Extern(id) => (ident(&self.program.externs[id].name, place), None),
        };
        let span = place.token();
        quote_spanned!(span=> #name(#program, #io #(#args),*))
    }

    fn unary(&self, scope: &Scope<'_>, op: UnaryOp, x: &Expr, expr: &Expr) -> TokenStream {
        let span = expr.span.token();
        let program = program_ident();
        if x.ty.public() {
            let float = x.ty.base.real();
            let x = self.value(scope, x);
            return match op {
                UnaryOp::Neg if float => quote_spanned!(span=> (-(#x))),
                UnaryOp::Not | UnaryOp::Invert => quote_spanned!(span=> (!(#x))),
                UnaryOp::Neg => quote_spanned!(span=> (#x).wrapping_neg()),
            };
        }
        let label = self.label(None, x.ty.label);
        let x = self.reference(scope, x);
        match op {
            UnaryOp::Not | UnaryOp::Invert => quote_spanned!(span=> #program.not(#x)),
            UnaryOp::Neg => quote_spanned!(span=> #program.neg(#label, #x)),
        }
    }

    fn binary(
        &self,
        scope: &Scope<'_>,
        op: BinaryOp,
        label: Option<Label>,
        x: &Expr,
        y: &Expr,
        expr: &Expr,
    ) -> TokenStream {
        let k = &self.k;
        let span = expr.span.token();
        if x.ty.public() {
            return self.public_binary(scope, op, x, y, expr);
        }
        let program = program_ident();
        let shift = match op {
            BinaryOp::Shl => Some("shl"),
            BinaryOp::Shr => Some("shr"),
            BinaryOp::ShrLogical => Some("shr_logical"),
            _ => None,
        };
        if let Some(method) = shift {
            let (method, bits) = (format_ident!("{method}"), x.ty.base.bits());
            let (x, y) = (self.reference(scope, x), self.value(scope, y));
            let amount = self.checked(expr, quote!(#k::shift_amount(#y, #bits)));
            return quote_spanned!(span=> #program.#method(#x, #amount));
        }
        let label = self.label(label, x.ty.label);
        let (x, y) = (self.reference(scope, x), self.reference(scope, y));
        self.operation(op, &label, &x, &y, expr)
    }

    /// An operation on two secret values; shifts are not among them.
    pub(super) fn operation(
        &self,
        op: BinaryOp,
        label: &TokenStream,
        x: &TokenStream,
        y: &TokenStream,
        at: &Expr,
    ) -> TokenStream {
        let program = program_ident();
        let span = at.span.token();
        let method = format_ident!(
            "{}",
            match op {
                BinaryOp::Add => return quote_spanned!(span=> #program.add(#label, #x, #y)),
                BinaryOp::Sub => return quote_spanned!(span=> #program.sub(#label, #x, #y)),
                BinaryOp::Mul => "mul",
                BinaryOp::Div => "div",
                BinaryOp::Rem => "rem",
                BinaryOp::Or | BinaryOp::BitOr => "or",
                BinaryOp::And | BinaryOp::BitAnd => "and",
                BinaryOp::BoolXor | BinaryOp::BitXor => "xor",
                BinaryOp::Ne => "ne",
                BinaryOp::Lt => "lt",
                BinaryOp::Le => "le",
                BinaryOp::Gt => "gt",
                BinaryOp::Ge => "ge",
                _ => "eq",
            }
        );
        quote_spanned!(span=> #program.#method(#x, #y))
    }

    fn public_binary(&self, scope: &Scope<'_>, op: BinaryOp, x: &Expr, y: &Expr, expr: &Expr) -> TokenStream {
        let k = &self.k;
        let span = expr.span.token();
        let (float, fixed) = (x.ty.base.real(), matches!(x.ty.base, Base::Fix { .. }));
        let (x, y) = (self.value(scope, x), self.value(scope, y));
        match op {
            BinaryOp::Add if float => quote_spanned!(span=> ((#x) + (#y))),
            BinaryOp::Sub if float => quote_spanned!(span=> ((#x) - (#y))),
            BinaryOp::Mul if float => quote_spanned!(span=> ((#x) * (#y))),
            BinaryOp::Div if fixed => self.checked(expr, quote!((#x).quotient(#y))),
            BinaryOp::Div if float => quote_spanned!(span=> ((#x) / (#y))),
            BinaryOp::Or => quote_spanned!(span=> ((#x) || (#y))),
            BinaryOp::And => quote_spanned!(span=> ((#x) && (#y))),
            BinaryOp::BoolXor | BinaryOp::BitXor => quote_spanned!(span=> ((#x) ^ (#y))),
            BinaryOp::BitOr => quote_spanned!(span=> ((#x) | (#y))),
            BinaryOp::BitAnd => quote_spanned!(span=> ((#x) & (#y))),
            BinaryOp::Eq => quote_spanned!(span=> ((#x) == (#y))),
            BinaryOp::Ne => quote_spanned!(span=> ((#x) != (#y))),
            BinaryOp::Lt => quote_spanned!(span=> ((#x) < (#y))),
            BinaryOp::Le => quote_spanned!(span=> ((#x) <= (#y))),
            BinaryOp::Gt => quote_spanned!(span=> ((#x) > (#y))),
            BinaryOp::Ge => quote_spanned!(span=> ((#x) >= (#y))),
            BinaryOp::Add => quote_spanned!(span=> (#x).wrapping_add(#y)),
            BinaryOp::Sub => quote_spanned!(span=> (#x).wrapping_sub(#y)),
            BinaryOp::Mul => quote_spanned!(span=> (#x).wrapping_mul(#y)),
            BinaryOp::Div => self.checked(expr, quote!(#k::PublicInt::quotient(#x, #y))),
            BinaryOp::Rem => self.checked(expr, quote!(#k::PublicInt::remainder(#x, #y))),
            BinaryOp::Pow => self.checked(expr, quote!(#k::PublicInt::power(#x, #y))),
            BinaryOp::Shl => self.checked(expr, quote!(#k::PublicInt::shift_left(#x, #y))),
            BinaryOp::Shr => self.checked(expr, quote!(#k::PublicInt::shift_right(#x, #y))),
            BinaryOp::ShrLogical => self.checked(expr, quote!(#k::PublicInt::shift_right_logical(#x, #y))),
        }
    }

    pub(super) fn convert(&self, scope: &Scope<'_>, x: &Expr, expr: &Expr) -> TokenStream {
        let span = expr.span.token();
        let program = program_ident();
        let (from, to) = (self.scalar_type(x.ty.base), self.scalar_type(expr.ty.base));
        if !x.ty.public() {
            if x.ty.base == expr.ty.base {
                return self.value(scope, x);
            }
            let x = self.reference(scope, x);
            return quote_spanned!(span=> #program.cast::<#from, #to>(#x));
        }
        let value = self.value(scope, x);
        let value = match (x.ty.base, expr.ty.base) {
            (a, b) if a == b => value,
            (Base::Fix { .. }, Base::Fix { .. }) => quote_spanned!(span=> #to::resized(#value)),
            (Base::Float, Base::Fix { .. }) => quote_spanned!(span=> #to::nearest(#value)),
            (Base::Fix { .. }, Base::Float) => quote_spanned!(span=> (#value).to_f64()),
            (Base::Fix { .. }, Base::Bool) => quote_spanned!(span=> ((#value).raw() != 0)),
            (Base::Fix { .. }, _) => quote_spanned!(span=> ((#value).floor() as #to)),
            (_, Base::Fix { .. }) => quote_spanned!(span=> #to::integer((#value) as ::core::primitive::i128)),
            (Base::Bool, _) => quote_spanned!(span=> #to::from(#value)),
            (_, Base::Bool) => quote_spanned!(span=> ((#value) != 0)),
            _ => quote_spanned!(span=> ((#value) as #to)),
        };
        if expr.ty.public() { value } else { quote_spanned!(span=> #program.constant::<#to>(#value)) }
    }
}

/// An integer literal of a type.
fn integer(value: i128, ty: Ty) -> TokenStream {
    let size = Literal::u128_unsuffixed(value.unsigned_abs());
    let to = super::primitive(ty.base);
    if value < 0 { quote!((-#size as #to)) } else { quote!((#size as #to)) }
}
