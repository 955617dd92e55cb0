//! Whole arrays and secret indices: what is written in one expression becomes loops over elements.
//!
//! An expression that needs loops puts them into `pending`; they stand before the statement that the expression is
//! in, and the expression is then a variable of its own.

use super::Body;
use crate::diag::{Code, Place};
use crate::ir::{Expr, ExprKind, Stmt, Ty, VarId};
use crate::syntax::ast::{self, Base, BinaryOp, Label};

/// The type of the variables of these loops.
const COUNTER: Ty = Ty::scalar(Base::Int { signed: true, bits: 64 }, Label::Pl);

impl Body<'_, '_> {
    /// Notes the sizes of a new array, for loops over it. Sizes that are no constants get variables, so that they are
    /// computed once.
    pub(super) fn sized(&mut self, var: VarId, sizes: Vec<Expr>, out: &mut Vec<Stmt>) -> Vec<Expr> {
        let mut known = Vec::new();
        for size in sizes {
            let size = crate::opt::fold(size);
            known.push(match size.kind {
                ExprKind::Int { .. } => size,
                _ => self.bind("size", size, out),
            });
        }
        if known.len() == self.vars[var].ty.rank {
            self.sizes_of.insert(var, known.clone());
        }
        known
    }

    /// The value in a hidden variable.
    fn bind(&mut self, name: &str, value: Expr, out: &mut Vec<Stmt>) -> Expr {
        let (ty, span) = (value.ty, value.span);
        let var = self.hidden(&format!("__{name}_{}", self.vars.len()), span, ty);
        out.push(Stmt::Declare(var, Vec::new(), Some(value)));
        Expr { kind: ExprKind::Var(var), ty, span }
    }

    /// A hidden array of those sizes.
    fn temporary(&mut self, name: &str, ty: Ty, sizes: &[Expr], span: Place, out: &mut Vec<Stmt>) -> Expr {
        let ty = Ty { rank: sizes.len(), constant: false, ..ty };
        let var = self.hidden(&format!("__{name}_{}", self.vars.len()), span, ty);
        self.sizes_of.insert(var, sizes.to_vec());
        out.push(Stmt::Declare(var, sizes.to_vec(), None));
        Expr { kind: ExprKind::Var(var), ty, span }
    }

    /// A hidden loop variable.
    fn counter(&mut self, span: Place) -> Expr {
        let var = self.hidden(&format!("__at_{}", self.vars.len()), span, COUNTER);
        Expr { kind: ExprKind::Var(var), ty: COUNTER, span }
    }

    /// The sizes of an array or row.
    fn sizes_of(&self, array: &Expr) -> Option<Vec<Expr>> {
        let (var, from) = match &array.kind {
            ExprKind::Var(var) => (*var, 0),
            ExprKind::Index(var, index) => (*var, index.len()),
            _ => return None,
        };
        Some(self.sizes_of.get(&var)?.get(from..)?.to_vec())
    }

    /// What `f` computes, with the loops that it needs before it in `out` in place of `pending`.
    fn inside<T>(&mut self, out: &mut Vec<Stmt>, f: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = core::mem::take(&mut self.pending);
        let result = f(self);
        out.append(&mut self.pending);
        self.pending = before;
        result
    }

    // ---- element by element ------------------------------------------------------------------------------

    /// An operation on scalars `f` on arrays of one shape; scalars among the operands are the same for all elements.
    pub(super) fn elementwise(
        &mut self,
        operands: Vec<Expr>,
        what: &str,
        span: Place,
        f: impl FnOnce(&mut Self, Vec<Expr>) -> Option<Expr>,
    ) -> Option<Expr> {
        let sizes = self.common_sizes(&operands, what, span)?;
        let mut pending = Vec::new();
        let mut fixed = Vec::new();
        for operand in operands {
            fixed.push(match operand.kind {
                ExprKind::Var(_) | ExprKind::Int { .. } | ExprKind::Bool(_) | ExprKind::Float(_) => operand,
                _ if operand.ty.rank > 0 => operand,
                _ => self.bind("value", operand, &mut pending),
            });
        }
        let at: Vec<Expr> = sizes.iter().map(|_| self.counter(span)).collect();
        let elements =
            fixed.iter().map(|x| if x.ty.rank > 0 { element(x, &at) } else { x.clone() }).collect();
        let mut body = Vec::new();
        let value = self.inside(&mut body, |b| f(b, elements))?;
        let result = self.temporary("array", value.ty, &sizes, span, &mut pending);
        body.push(store(&result, &at, value)?);
        pending.push(nest(&at, &sizes, body));
        self.pending.append(&mut pending);
        Some(Expr { ty: Ty { constant: true, ..result.ty }, ..result })
    }

    /// The sizes that all arrays among the operands have. Where that is not known, the largest: the index into a
    /// smaller one is then an error of the run.
    fn common_sizes(&mut self, operands: &[Expr], what: &str, span: Place) -> Option<Vec<Expr>> {
        let mut common: Option<Vec<Expr>> = None;
        for array in operands.iter().filter(|x| x.ty.rank > 0) {
            let sizes = self.sizes_of(array)?;
            let Some(before) = common else {
                common = Some(sizes);
                continue;
            };
            if before.len() != sizes.len() {
                let message = format!("{what} on arrays of ranks {} and {}", before.len(), sizes.len());
                self.report_with(
                    Code::RankMismatch,
                    span,
                    message,
                    "both have one shape, or one is a scalar",
                );
                return None;
            }
            let mut joined = Vec::new();
            for (a, b) in before.into_iter().zip(sizes) {
                joined.push(match (&a.kind, &b.kind) {
                    (ExprKind::Int { value: x, .. }, ExprKind::Int { value: y, .. }) if x == y => a,
                    (ExprKind::Int { value: x, .. }, ExprKind::Int { value: y, .. }) => {
                        let message = format!("{what} on arrays of {x} and of {y} elements");
                        self.report(Code::SizeMismatch, span, message);
                        return None;
                    }
                    (ExprKind::Var(x), ExprKind::Var(y)) if x == y => a,
                    _ => extreme(BinaryOp::Gt, a, b),
                });
            }
            common = Some(joined);
        }
        common
    }

    /// Copies a whole array, converting its elements where that loses nothing.
    pub(super) fn copy(&mut self, target: Expr, value: Expr, out: &mut Vec<Stmt>) -> Option<()> {
        let same = value.ty.base == target.ty.base && value.ty.public() == target.ty.public();
        if same || value.ty.rank != target.ty.rank {
            let value = self.coerce(value, Ty { constant: true, ..target.ty })?;
            out.push(Stmt::Copy(target, value));
            return Some(());
        }
        let scalar = Ty { rank: 0, constant: false, ..target.ty };
        let span = value.span;
        let value = self.elementwise(vec![value], "`=`", span, |b, mut x| b.coerce(x.remove(0), scalar))?;
        out.append(&mut self.pending);
        out.push(Stmt::Copy(target, value));
        Some(())
    }

    /// `{1, 2, 3}` into an array just declared.
    pub(super) fn fill(&mut self, target: &Expr, list: &ast::Expr, out: &mut Vec<Stmt>) -> Option<()> {
        let sizes = self.sizes_of(target)?;
        let ast::ExprKind::List(values) = &list.kind else {
            let value = self.expr(list)?;
            out.append(&mut self.pending);
            if value.ty.rank > 0 || target.ty.rank > 0 {
                return self.copy(target.clone(), value, out);
            }
            let value = self.coerce(value, target.ty)?;
            let ExprKind::Index(var, index) = target.kind.clone() else { return None };
            out.push(Stmt::Assign(var, index, value));
            return Some(());
        };
        let Some(size) = sizes.first() else {
            let help = "write one value, or more dimensions";
            self.report_with(Code::RankMismatch, list.span, "a list where an element is needed", help);
            return None;
        };
        let count = values.len();
        match size.kind {
            ExprKind::Int { value, .. } if usize::try_from(value) == Ok(count) => {}
            ExprKind::Int { value, .. } => {
                let message = format!("{count} values for an array of {value}");
                self.report(Code::SizeMismatch, list.span, message);
                return None;
            }
            _ => {
                let message = "a list for an array whose size depends on the run";
                let help = "write the size as a constant, or assign element by element";
                self.report_with(Code::SizeMismatch, list.span, message, help);
                return None;
            }
        }
        for (i, value) in values.iter().enumerate() {
            let place = element(target, &[number(i as i128, list.span)]);
            // Every wrong value is told.
            let _ = self.fill(&place, value, out);
        }
        Some(())
    }

    // ---- secret indices ----------------------------------------------------------------------------------

    /// The element, row or part of an array at indices of which some are secret.
    pub(super) fn oblivious(&mut self, var: VarId, index: Vec<Expr>, span: Place) -> Option<Expr> {
        let ty = self.vars[var].ty;
        let rest = self.sizes_of.get(&var)?.get(index.len()..)?.to_vec();
        if rest.is_empty() {
            return self.oblivious_element(var, index, span);
        }
        let mut pending = Vec::new();
        let index: Vec<Expr> = index.into_iter().map(|i| self.simple(i, &mut pending)).collect();
        let at: Vec<Expr> = rest.iter().map(|_| self.counter(span)).collect();
        let full = index.into_iter().chain(at.iter().cloned()).collect();
        let mut body = Vec::new();
        let value = self.inside(&mut body, |b| b.oblivious_element(var, full, span))?;
        let row = self.temporary("row", Ty { label: value.ty.label, ..ty }, &rest, span, &mut pending);
        body.push(store(&row, &at, value)?);
        pending.push(nest(&at, &rest, body));
        self.pending.append(&mut pending);
        Some(Expr { ty: Ty { constant: true, ..row.ty }, ..row })
    }

    fn oblivious_element(&mut self, var: VarId, mut index: Vec<Expr>, span: Place) -> Option<Expr> {
        let ty = Ty { rank: 0, ..self.vars[var].ty };
        let Some(secret) = index.iter().position(|i| !i.ty.public()) else {
            return Some(Expr { kind: ExprKind::Index(var, index), ty, span });
        };
        let label = if ty.public() { super::default_label(ty.base) } else { ty.label };
        let found = Ty::scalar(ty.base, label);
        if secret + 1 == index.len() {
            let at = index.pop()?;
            let kind = if index.is_empty() { ExprKind::Var(var) } else { ExprKind::Index(var, index) };
            let row = Expr { kind, ty: Ty { rank: 1, ..ty }, span };
            return Some(Expr { kind: ExprKind::Oblivious(Box::new(row), Box::new(at)), ty: found, span });
        }
        // The column that the other indices leave, then the element of it.
        let mut pending = Vec::new();
        let mut index: Vec<Expr> = index.into_iter().map(|i| self.simple(i, &mut pending)).collect();
        let size = self.sizes_of.get(&var)?.get(secret)?.clone();
        let at = [self.counter(span)];
        let which = core::mem::replace(&mut index[secret], at[0].clone());
        let mut body = Vec::new();
        let value = self.inside(&mut body, |b| b.oblivious_element(var, index, span))?;
        let sizes = [size];
        let column = self.temporary("column", value.ty, &sizes, span, &mut pending);
        body.push(store(&column, &at, value)?);
        pending.push(nest(&at, &sizes, body));
        self.pending.append(&mut pending);
        Some(Expr { kind: ExprKind::Oblivious(Box::new(column), Box::new(which)), ty: found, span })
    }

    /// `array[index] = value` where some index is secret: every element that it may be is chosen or kept.
    pub(super) fn assign_oblivious(
        &mut self,
        (var, index, span): (VarId, Vec<Expr>, Place),
        op: Option<BinaryOp>,
        value: Expr,
        guard: Option<Expr>,
        out: &mut Vec<Stmt>,
    ) -> Option<()> {
        let ty = self.vars[var].ty;
        if ty.public() {
            let message =
                format!("writing at a secret index would make the public `{}` secret", self.called(var));
            self.report(Code::SecretIndex, span, message);
            return None;
        }
        let all = self.sizes_of.get(&var)?.clone();
        if let ([_], [at], None, None) = (&all[..], &index[..], op, &guard) {
            let value = self.coerce(value, Ty { rank: 0, ..ty })?;
            self.vars[var].written = true;
            out.push(Stmt::AssignOblivious(var, at.clone(), value));
            return Some(());
        }
        let rank = all.len() - index.len();
        if value.ty.rank > rank {
            self.report(
                Code::RankMismatch,
                value.span,
                format!("`{}` where `{}` is needed", value.ty, Ty { rank, constant: false, ..ty }),
            );
            return None;
        }
        let index: Vec<Expr> = index.into_iter().map(|i| self.simple(i, out)).collect();
        let value = if value.ty.rank == 0 { self.simple(value, out) } else { value };
        let (mut place, mut at, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        let mut hits = Vec::new();
        for (i, size) in all.iter().enumerate() {
            match index.get(i) {
                Some(public) if public.ty.public() => place.push(public.clone()),
                which => {
                    let counter = self.counter(span);
                    place.push(counter.clone());
                    at.push(counter.clone());
                    bounds.push(which.map_or_else(|| size.clone(), |w| reachable(size, w)));
                    hits.extend(which.map(|w| (w.clone(), counter)));
                }
            }
        }
        let mut body = Vec::new();
        let target = Expr { kind: ExprKind::Index(var, place), ty: Ty { rank: 0, ..ty }, span };
        let rows = at[at.len() - value.ty.rank..].to_vec();
        let value = if value.ty.rank > 0 { element(&value, &rows) } else { value };
        let chosen = self.inside(&mut body, |b| {
            let mut condition = guard;
            for (which, counter) in hits {
                let here = Expr {
                    kind: ExprKind::Convert(Box::new(counter)),
                    ty: Ty { label: Label::Pl, ..which.ty },
                    span,
                };
                let hit = b.binary(BinaryOp::Eq, None, which, here, span)?;
                condition = Some(match condition {
                    Some(before) => b.binary(BinaryOp::And, None, before, hit, span)?,
                    None => hit,
                });
            }
            let value = match op {
                Some(op) => b.binary(op, None, target.clone(), value, span)?,
                None => value,
            };
            let value = b.coerce(value, target.ty)?;
            let chosen = b.mux(None, condition?, value, target.clone(), span)?;
            b.coerce(chosen, target.ty)
        })?;
        self.vars[var].written = true;
        let ExprKind::Index(var, place) = target.kind else { return None };
        body.push(Stmt::Assign(var, place, chosen));
        out.push(nest(&at, &bounds, body));
        Some(())
    }

    /// An operand that may be evaluated more than once.
    fn simple(&mut self, value: Expr, out: &mut Vec<Stmt>) -> Expr {
        match value.kind {
            ExprKind::Int { .. } | ExprKind::Bool(_) | ExprKind::Float(_) | ExprKind::Var(_) => value,
            _ => self.bind("value", value, out),
        }
    }
}

/// An element of an array or row; with fewer indices than its rank a row of it.
fn element(array: &Expr, at: &[Expr]) -> Expr {
    let ty = Ty { rank: array.ty.rank - at.len(), constant: false, ..array.ty };
    let kind = match &array.kind {
        ExprKind::Var(var) => ExprKind::Index(*var, at.to_vec()),
        ExprKind::Index(var, index) => ExprKind::Index(*var, index.iter().chain(at).cloned().collect()),
        other => other.clone(),
    };
    Expr { kind, ty, span: array.span }
}

fn store(array: &Expr, at: &[Expr], value: Expr) -> Option<Stmt> {
    match array.kind {
        ExprKind::Var(var) => Some(Stmt::Assign(var, at.to_vec(), value)),
        _ => None,
    }
}

/// Loops of the counters `at` up to `sizes` around `body`.
fn nest(at: &[Expr], sizes: &[Expr], body: Vec<Stmt>) -> Stmt {
    let nested = at.iter().zip(sizes).rev().fold(body, |body, (counter, size)| match counter.kind {
        ExprKind::Var(var) => vec![Stmt::For(var, number(0, counter.span), size.clone(), body)],
        _ => body,
    });
    Stmt::Block(nested)
}

fn number(value: i128, span: Place) -> Expr {
    Expr { kind: ExprKind::Int { value, flexible: false }, ty: COUNTER, span }
}

/// The larger (`>`) or smaller (`<`) of two public integers.
fn extreme(op: BinaryOp, a: Expr, b: Expr) -> Expr {
    let span = a.span;
    let [a, b] = [a, b].map(|x| Expr { kind: ExprKind::Convert(Box::new(x)), ty: COUNTER, span });
    let ty = Ty::scalar(Base::Bool, Label::Pl);
    let test = ExprKind::Binary(op, None, Box::new(a.clone()), Box::new(b.clone()));
    let test = Expr { kind: test, ty, span };
    Expr { kind: ExprKind::Mux(None, Box::new(test), Box::new(a), Box::new(b)), ty: COUNTER, span }
}

/// How many of `size` elements an index of that type can name.
fn reachable(size: &Expr, index: &Expr) -> Expr {
    match index.ty.base {
        Base::Int { signed, bits } if bits < 32 => {
            let most = number(1 << (bits - u32::from(signed)), size.span);
            crate::opt::fold(extreme(BinaryOp::Lt, size.clone(), most))
        }
        _ => size.clone(),
    }
}
