//! Loops as vectors: finds innermost loops whose iterations are independent, so that each operation of their body is
//! recorded once for all iterations.
//!
//! Such a body computes on variables of its own, writes elements of arrays that no other iteration touches, and adds
//! to (multiplies into, joins with) variables outside in ways that do not depend on the order. What cannot be shown
//! independent stays a loop.

mod affine;
mod contest;
mod fold;
mod induction;

use crate::ir::{Callee, Contest, Expr, ExprKind, Function, Lanes, Program, Stmt, Ty, VarId};
use crate::syntax::ast::BinaryOp;
use affine::{Access, Affine};
use std::collections::{HashMap, HashSet};

/// Turns loops into vectors.
pub(super) fn vectorise(program: &mut Program) {
    let safe = safe_functions(program);
    for function in program.functions.iter_mut().filter(|f| !f.broken) {
        let body = core::mem::take(&mut function.body);
        function.body = stmts(function, &safe, body);
    }
}

fn stmts(function: &mut Function, safe: &[bool], body: Vec<Stmt>) -> Vec<Stmt> {
    body.into_iter().map(|stmt| within(function, safe, stmt)).collect()
}

fn within(function: &mut Function, safe: &[bool], stmt: Stmt) -> Stmt {
    let mut inside = |body| stmts(function, safe, body);
    match stmt {
        Stmt::For(var, from, to, body) => {
            let body = inside(body);
            let head = induction::Head { var, from: &from, to: &to };
            let (counted, after) = induction::replace(function, head, &body);
            match Loop::new(function, safe, var).vector(&counted) {
                Some((body, apart, varying)) => {
                    let lanes = Stmt::Lanes(Lanes { var, from, to, body, apart, varying });
                    if after.is_empty() {
                        return lanes;
                    }
                    Stmt::Block([lanes].into_iter().chain(after).collect())
                }
                None => Stmt::For(var, from, to, body),
            }
        }
        Stmt::While(guard, body) => Stmt::While(guard, inside(body)),
        Stmt::If(guard, then, otherwise) => {
            let then = inside(then);
            Stmt::If(guard, then, inside(otherwise))
        }
        Stmt::Block(body) => Stmt::Block(inside(body)),
        other => other,
    }
}

/// What is known of one loop.
struct Loop<'a> {
    function: &'a Function,
    safe: &'a [bool],
    /// The loop variable and public variables that depend on it.
    varying: HashSet<VarId>,
    /// Public variables of the body as linear forms.
    forms: HashMap<VarId, Affine>,
    /// Secret variables of the body.
    own: HashSet<VarId>,
    /// Secret variables from outside that are read.
    read: HashSet<VarId>,
    /// Arrays that are read as a whole.
    whole: HashSet<VarId>,
    loads: Vec<Access>,
    stores: Vec<Access>,
    /// What is accumulated, and by which kind of operation.
    sums: Vec<(Access, BinaryOp)>,
}

type Vector = (Vec<Stmt>, Vec<(VarId, VarId)>, HashSet<VarId>);

impl<'a> Loop<'a> {
    fn new(function: &'a Function, safe: &'a [bool], var: VarId) -> Self {
        let forms = HashMap::from([(var, Affine::lane())]);
        Self {
            function,
            safe,
            varying: HashSet::from([var]),
            forms,
            own: HashSet::new(),
            read: HashSet::new(),
            whole: HashSet::new(),
            loads: Vec::new(),
            stores: Vec::new(),
            sums: Vec::new(),
        }
    }

    fn vector(mut self, body: &[Stmt]) -> Option<Vector> {
        let body = self.stmts(body)?;
        let apart = self.independent()?;
        Some((body, apart, self.varying))
    }

    // ---- statements --------------------------------------------------------------------------------------

    fn stmts(&mut self, body: &[Stmt]) -> Option<Vec<Stmt>> {
        let mut out = Vec::new();
        let mut rest = body;
        while let [stmt, after @ ..] = rest {
            rest = match contest::find(rest) {
                Some((search, count, condition)) if self.outside(&search) => {
                    let after = &rest[count..];
                    self.search(search, condition, after, &mut out)?;
                    after
                }
                _ => {
                    self.stmt(stmt, &mut out)?;
                    after
                }
            };
        }
        Some(out)
    }

    /// Whether a search is for something that lives outside of the loop.
    fn outside(&self, search: &Contest) -> bool {
        let vars = || [search.var].into_iter().chain(search.with.iter().map(|w| w.0));
        vars().all(|var| !self.own.contains(&var))
    }

    fn search(
        &mut self,
        search: Contest,
        condition: Option<VarId>,
        after: &[Stmt],
        out: &mut Vec<Stmt>,
    ) -> Option<()> {
        // Nothing else may depend on what one iteration found.
        let mut named = false;
        let condition: HashSet<VarId> = condition.into_iter().collect();
        for stmt in after {
            stmt.clone().each_expr(&mut |e| named |= e.depends_on(&condition));
        }
        if named {
            return None;
        }
        self.secret(&search.value)?;
        search.with.iter().try_for_each(|w| self.secret(&w.2))?;
        for var in [search.var].into_iter().chain(search.with.iter().map(|w| w.0)) {
            // One search only: unlike sums, two depend on their order.
            if self.sums.iter().any(|(access, _)| access.var == var) {
                return None;
            }
            let access = self.access(var, &[]);
            self.sums.push((access, BinaryOp::Gt));
        }
        out.push(Stmt::Contest(search));
        Some(())
    }

    fn stmt(&mut self, stmt: &Stmt, out: &mut Vec<Stmt>) -> Option<()> {
        match stmt {
            Stmt::Declare(var, _, value) => {
                let info = &self.function.vars[*var];
                if info.ty.rank > 0 {
                    return None;
                }
                if !info.ty.public() {
                    value.iter().try_for_each(|v| self.secret(v))?;
                    self.own.insert(*var);
                } else {
                    let value = value.as_ref().filter(|_| !info.written)?;
                    self.public(value)?;
                    if self.varies(value) {
                        self.varying.insert(*var);
                    }
                    if let Some(form) = self.affine(value) {
                        self.forms.insert(*var, form);
                    }
                }
                out.push(stmt.clone());
            }
            Stmt::Assign(var, index, value) => {
                if self.function.vars[*var].ty.public() {
                    return None;
                }
                index.iter().try_for_each(|i| self.public(i))?;
                if self.own.contains(var) {
                    self.secret(value)?;
                    out.push(stmt.clone());
                } else if index.iter().any(|i| self.varies(i)) {
                    self.secret(value)?;
                    let access = self.access(*var, index);
                    self.stores.push(access);
                    out.push(stmt.clone());
                } else {
                    self.accumulate(*var, index, value, out)?;
                }
            }
            Stmt::If(guard, then, otherwise) => {
                self.invariant(guard)?;
                let (then, otherwise) = (self.stmts(then)?, self.stmts(otherwise)?);
                out.push(Stmt::If(guard.clone(), then, otherwise));
            }
            Stmt::Block(body) => out.push(Stmt::Block(self.stmts(body)?)),
            _ => return None,
        }
        Some(())
    }

    fn accumulate(&mut self, var: VarId, index: &[Expr], value: &Expr, out: &mut Vec<Stmt>) -> Option<()> {
        let target = fold::Target { var, index };
        for (op, label, value) in fold::steps(target, value)? {
            self.secret(&value)?;
            let access = self.access(var, index);
            self.sums.push((access, fold::class(op)));
            out.push(Stmt::Accumulate(var, index.to_vec(), op, label, value));
        }
        Some(())
    }

    // ---- expressions -------------------------------------------------------------------------------------

    /// An expression on vectors; notes what it reads.
    fn secret(&mut self, expr: &Expr) -> Option<()> {
        if expr.ty.public() {
            return self.public(expr);
        }
        if expr.ty.rank > 0 {
            return None;
        }
        match &expr.kind {
            ExprKind::Var(var) => {
                if !self.own.contains(var) {
                    self.read.insert(*var);
                }
                Some(())
            }
            ExprKind::Index(var, index) => {
                index.iter().try_for_each(|i| self.public(i))?;
                let access = self.access(*var, index);
                self.loads.push(access);
                Some(())
            }
            ExprKind::Oblivious(row, index) => {
                match &row.kind {
                    ExprKind::Var(var) => self.whole.insert(*var),
                    ExprKind::Index(var, index) => {
                        index.iter().try_for_each(|i| self.invariant(i))?;
                        self.whole.insert(*var)
                    }
                    _ => return None,
                };
                self.secret(index)
            }
            ExprKind::Unary(_, x) | ExprKind::Convert(x) => self.secret(x),
            ExprKind::Binary(BinaryOp::Shl | BinaryOp::Shr | BinaryOp::ShrLogical, _, x, by) => {
                self.invariant(by)?;
                self.secret(x)
            }
            ExprKind::Binary(_, _, x, y) => {
                self.secret(x)?;
                self.secret(y)
            }
            ExprKind::Mux(_, c, t, e) => {
                if c.ty.public() {
                    self.invariant(c)?;
                } else {
                    self.secret(c)?;
                }
                self.secret(t)?;
                self.secret(e)
            }
            ExprKind::Call(Callee::Def(callee), args) if self.safe[*callee] => {
                args.iter().try_for_each(|a| if a.ty.public() { self.invariant(a) } else { self.secret(a) })
            }
            _ => None,
        }
    }

    /// A public expression that may be evaluated for each iteration, in any order.
    fn public(&self, expr: &Expr) -> Option<()> {
        let calls = |e: &Expr| matches!(e.kind, ExprKind::Call(..) | ExprKind::Reveal(..)) || !e.ty.public();
        (!expr.any(&calls)).then_some(())
    }

    /// A public expression with one value for all iterations.
    fn invariant(&self, expr: &Expr) -> Option<()> {
        self.public(expr)?;
        (!self.varies(expr)).then_some(())
    }

    fn varies(&self, expr: &Expr) -> bool {
        expr.depends_on(&self.varying)
    }

    fn affine(&self, expr: &Expr) -> Option<Affine> {
        Affine::of(expr, &self.forms)
    }

    fn access(&self, var: VarId, index: &[Expr]) -> Access {
        Access { var, index: index.iter().map(|i| self.affine(i)).collect() }
    }

    // ---- independence ------------------------------------------------------------------------------------

    /// Whether no iteration touches what another one writes, and which arguments have to be different arrays for
    /// that.
    fn independent(&self) -> Option<Vec<(VarId, VarId)>> {
        if self.stores.is_empty() && self.sums.is_empty() {
            return None;
        }
        let others = || self.loads.iter().chain(&self.stores);
        for store in &self.stores {
            let same = others().chain(self.sums.iter().map(|s| &s.0)).filter(|a| a.var == store.var);
            if same.into_iter().any(|access| !store.own_lane(access)) || self.whole.contains(&store.var) {
                return None;
            }
        }
        for (i, (sum, class)) in self.sums.iter().enumerate() {
            if self.read.contains(&sum.var) || self.whole.contains(&sum.var) {
                return None;
            }
            if others().any(|access| access.var == sum.var && !sum.disjoint(access)) {
                return None;
            }
            let clash = |(other, kind): &(Access, BinaryOp)| {
                other.var == sum.var && !(other.same(sum) && kind == class) && !sum.disjoint(other)
            };
            if self.sums[i + 1..].iter().any(clash) {
                return None;
            }
        }
        Some(self.aliases())
    }

    /// Parameters that may be the same array, one of which is written.
    fn aliases(&self) -> Vec<(VarId, VarId)> {
        let ty = |var: VarId| self.function.vars[var].ty;
        let array = |var: &VarId| *var < self.function.params && ty(*var).rank > 0;
        let sums = self.sums.iter().map(|s| s.0.var);
        let mut written: Vec<VarId> = self.stores.iter().map(|s| s.var).chain(sums).filter(array).collect();
        written.sort_unstable();
        written.dedup();
        let loads = self.loads.iter().map(|l| l.var).chain(self.whole.iter().copied());
        let mut touched: Vec<VarId> = loads.filter(array).chain(written.iter().copied()).collect();
        touched.sort_unstable();
        touched.dedup();
        let mut pairs = Vec::new();
        for &a in &written {
            for &b in touched.iter().filter(|&&b| b != a && ty(b).base == ty(a).base && !ty(b).public()) {
                if !pairs.contains(&(b, a)) {
                    pairs.push((a, b));
                }
            }
        }
        pairs
    }
}

/// Functions that compute on vectors as on single values: of scalars, without loops, inputs and outputs.
fn safe_functions(program: &Program) -> Vec<bool> {
    let scalar = |ty: Ty| ty.rank == 0;
    let mut safe: Vec<bool> = program
        .functions
        .iter()
        .map(|f| {
            let plain = f.vars.iter().all(|v| scalar(v.ty)) && !f.talks && !f.broken;
            plain && f.result.is_some_and(|r| !r.public())
        })
        .collect();
    loop {
        let now: Vec<bool> =
            program.functions.iter().enumerate().map(|(i, f)| safe[i] && safe_body(&f.body, &safe)).collect();
        if now == safe {
            return safe;
        }
        safe = now;
    }
}

fn safe_body(body: &[Stmt], safe: &[bool]) -> bool {
    let refused = |e: &Expr| match &e.kind {
        ExprKind::Call(Callee::Def(callee), _) => !safe[*callee],
        ExprKind::Call(..) | ExprKind::Reveal(..) | ExprKind::Index(..) | ExprKind::Oblivious(..) => true,
        _ => false,
    };
    let fits = |e: &Expr| !e.any(&refused);
    body.iter().all(|stmt| match stmt {
        Stmt::Declare(_, sizes, value) => sizes.is_empty() && value.iter().all(fits),
        Stmt::Assign(_, index, value) => index.is_empty() && fits(value),
        Stmt::If(guard, then, otherwise) => {
            fits(guard) && safe_body(then, safe) && safe_body(otherwise, safe)
        }
        Stmt::Return(Some(value)) => fits(value),
        Stmt::Block(body) => safe_body(body, safe),
        _ => false,
    })
}
