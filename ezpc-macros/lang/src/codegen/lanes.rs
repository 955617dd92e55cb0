//! Loops as vectors: each statement once, on a value for each iteration.

use super::{Codegen, hidden, program_ident};
use crate::ir::{self, Expr, Stmt, VarId};
use crate::syntax::ast::{BinaryOp, Label};
use core::cell::RefCell;
use proc_macro2::TokenStream;
use quote::quote;

/// What is known inside of a loop that runs as vectors.
pub(super) struct Scope<'a> {
    lanes: &'a ir::Lanes,
    /// The public variables of the body so far: evaluated again for each iteration where they are used.
    locals: RefCell<TokenStream>,
}

impl Codegen<'_> {
    /// Whether an expression differs between the iterations that run together.
    pub(super) fn varies(&self, scope: &super::Scope<'_>, expr: &Expr) -> bool {
        scope.lanes.as_ref().is_some_and(|s| expr.depends_on(&s.lanes.varying))
    }

    pub(super) fn lanes(&self, scope: &super::Scope<'_>, lanes: &ir::Lanes) -> TokenStream {
        let k = &self.k;
        let program = program_ident();
        let (range, block) = (hidden("range"), hidden("lanes"));
        let ty = self.scalar_type(scope.function.vars[lanes.var].ty.base);
        let (low, high) = (self.value(scope, &lanes.from), self.value(scope, &lanes.to));
        let bounds = self.checked(&lanes.from, quote!(#k::loop_range::<_, _, #ty>(#low, #high)));
        let inner = super::Scope {
            function: scope.function,
            lanes: Some(Scope { lanes, locals: RefCell::default() }),
        };
        let body = self.stmts(&inner, &lanes.body);
        let vector = quote!(for #block in #program.blocks(&#range) { #body #program.poll()?; });
        if lanes.apart.is_empty() {
            return quote!({ let #range = #bounds; #vector });
        }
        let name = self.var(scope, lanes.var);
        let body = self.stmts(scope, &lanes.body);
        let overlaps = lanes.apart.iter().map(|&(a, b)| {
            let (a, b) = (self.var(scope, a), self.var(scope, b));
            quote!(#a.overlaps(&#b))
        });
        quote!({
            let #range = #bounds;
            if #(#overlaps)||* { for #name in #range { #body #program.poll()?; } } else { #vector }
        })
    }

    /// Statements whose public variables end with them.
    pub(super) fn scoped(&self, scope: &super::Scope<'_>, body: &[Stmt]) -> TokenStream {
        let before = scope.lanes.as_ref().map(|s| s.locals.borrow().clone());
        let out = self.stmts(scope, body);
        if let (Some(lanes), Some(before)) = (&scope.lanes, before) {
            lanes.locals.replace(before);
        }
        out
    }

    /// Notes a public variable of the body.
    pub(super) fn remember(&self, scope: &super::Scope<'_>, var: VarId, value: &Expr) {
        let Some(lanes) = &scope.lanes else { return };
        let (name, ty) = (self.var(scope, var), self.value_type(scope.function.vars[var].ty));
        let value = self.value(scope, value);
        lanes.locals.borrow_mut().extend(quote!(let #name: #ty = #value;));
    }

    /// A function of the loop variable.
    fn each(&self, scope: &super::Scope<'_>, value: &TokenStream) -> TokenStream {
        let k = &self.k;
        let Some(lanes) = &scope.lanes else { return TokenStream::new() };
        let var = lanes.lanes.var;
        let (name, ty) = (self.var(scope, var), self.scalar_type(scope.function.vars[var].ty.base));
        let locals = lanes.locals.borrow().clone();
        quote!(|#name: #ty| -> #k::Result<_> { #locals ::core::result::Result::Ok(#value) })
    }

    /// The elements of an array at indices that depend on the iteration.
    pub(super) fn load(
        &self,
        scope: &super::Scope<'_>,
        var: VarId,
        index: &[Expr],
        expr: &Expr,
    ) -> TokenStream {
        let (program, block, name) = (program_ident(), hidden("lanes"), self.var(scope, var));
        let index = self.each(scope, &self.index(scope, index));
        self.checked(expr, quote!(#program.load(&#name, &#block, #index)))
    }

    /// Writes elements of an array at indices that depend on the iteration.
    pub(super) fn store(
        &self,
        scope: &super::Scope<'_>,
        var: VarId,
        index: &[Expr],
        value: &Expr,
    ) -> TokenStream {
        let (program, block, name) = (program_ident(), hidden("lanes"), self.var(scope, var));
        let index = self.each(scope, &self.index(scope, index));
        let rhs = self.reference(scope, value);
        let stored = hidden("value");
        let store = self.checked(value, quote!(#program.store(&#name, &#block, #index, #stored)));
        quote!({ let #stored = #rhs; #store; })
    }

    /// A public expression that depends on the iteration, as a secret value.
    pub(super) fn table(&self, scope: &super::Scope<'_>, x: &Expr, expr: &Expr) -> TokenStream {
        let (program, block) = (program_ident(), hidden("lanes"));
        let ty = self.scalar_type(expr.ty.base);
        let public = ir::Ty { label: Label::Pl, ..expr.ty };
        let value = self.convert(scope, x, &Expr { ty: public, ..expr.clone() });
        let each = self.each(scope, &value);
        self.checked(expr, quote!(#program.table::<#ty, _>(&#block, #each)))
    }

    /// A variable or an element combined with a value of each iteration.
    pub(super) fn accumulate(
        &self,
        scope: &super::Scope<'_>,
        var: VarId,
        index: &[Expr],
        (op, label): (BinaryOp, Option<Label>),
        value: &Expr,
    ) -> TokenStream {
        let k = &self.k;
        let (program, name) = (program_ident(), self.var(scope, var));
        let label = self.label(label, value.ty.label);
        let rhs = self.reference(scope, value);
        let at = self.index(scope, index);
        let (before, after) = (hidden("before"), hidden("after"));
        let combined = if scope.lanes.is_some() {
            let block = hidden("lanes");
            let fold = match op {
                BinaryOp::Add => quote!(Add),
                BinaryOp::Sub => quote!(Sub),
                BinaryOp::Mul => quote!(Mul),
                BinaryOp::And | BinaryOp::BitAnd => quote!(And),
                BinaryOp::Or | BinaryOp::BitOr => quote!(Or),
                _ => quote!(Xor),
            };
            quote!(#program.accumulate(#k::Fold::#fold, #label, &#block, &#before, #rhs))
        } else {
            self.operation(op, &label, &quote!(&#before), &rhs, value)
        };
        if index.is_empty() {
            return quote!(#name = { let #before = ::core::clone::Clone::clone(&#name); #combined };);
        }
        let get = self.checked(value, quote!(#name.get(#at)));
        let set = self.checked(value, quote!(#name.set(#at, #after)));
        quote!({ let #before = #get; let #after = #combined; #set; })
    }

    /// A variable that becomes the largest or smallest of itself and a value of each iteration.
    pub(super) fn contest(&self, scope: &super::Scope<'_>, contest: &ir::Contest) -> TokenStream {
        let k = &self.k;
        let (program, name) = (program_ident(), self.var(scope, contest.var));
        let (block, result, found) = (hidden("lanes"), hidden("contest"), hidden("found"));
        // A loop in order has one at a time.
        let lanes = if scope.lanes.is_some() { quote!(&#block) } else { quote!(&(0..1)) };
        let (larger, first) = (contest.larger, contest.first);
        let label = self.label(contest.label, Label::Bl);
        let value = self.reference(scope, &contest.value);
        let with = contest.with.iter().map(|(var, label, value)| {
            let (name, label) = (self.var(scope, *var), self.label(*label, Label::Bl));
            let value = self.reference(scope, value);
            quote!(#name = #program.winner(&#result, #label, &#name, #value);)
        });
        quote!({
            let (#found, #result) = #program.contest(
                #k::Rule { larger: #larger, first: #first }, #label, #lanes, &#name, #value
            );
            #(#with)*
            #name = #found;
        })
    }
}
