//! Recognises `if (x[i] > most) { most = x[i]; at = i; }`: a search that may be done in any order that keeps the order
//! of the candidates, so as a tree.

use super::fold::relabelled;
use crate::ir::{Contest, Expr, ExprKind, Stmt, VarId};
use crate::syntax::ast::{BinaryOp, Label};
use std::collections::HashSet;

/// A choice: the variable, the label written at it, the condition, the value where that holds.
struct Choice<'a> {
    var: VarId,
    label: Option<Label>,
    guard: &'a Expr,
    value: &'a Expr,
}

/// The search that `stmts` begin with, how many statements it is, and the variable of its condition.
pub(super) fn find(stmts: &[Stmt]) -> Option<(Contest, usize, Option<VarId>)> {
    if let [Stmt::Declare(condition, sizes, Some(test)), rest @ ..] = stmts
        && sizes.is_empty()
    {
        let named = |c: &Choice<'_>| matches!(c.guard.kind, ExprKind::Var(v) if v == *condition);
        let (choices, count) = match rest {
            [Stmt::Block(body), ..] => {
                (choices(body, &named), usize::from(body.iter().all(|s| is(s, &named))))
            }
            _ => {
                let found = choices(rest, &named);
                let count = found.len();
                (found, count)
            }
        };
        let condition_alone = HashSet::from([*condition]);
        let again = choices.iter().any(|c| c.value.depends_on(&condition_alone));
        let count = (count > 0 && !again).then_some(count)?;
        return Some((contest(test, &choices)?, 1 + count, Some(*condition)));
    }
    // The same comparison in each choice: the candidate itself is chosen last.
    let test = choice(stmts.first()?)?.guard;
    let found = choices(stmts, &|c| c.guard.same(test));
    let search = contest(test, &found)?;
    let last = found.iter().position(|c| c.var == search.var)?;
    (last + 1 == found.len()).then_some((search, found.len(), None))
}

fn is(stmt: &Stmt, fits: &dyn Fn(&Choice<'_>) -> bool) -> bool {
    choice(stmt).is_some_and(|c| fits(&c))
}

fn choices<'a>(stmts: &'a [Stmt], fits: &dyn Fn(&Choice<'_>) -> bool) -> Vec<Choice<'a>> {
    stmts.iter().map_while(|stmt| choice(stmt).filter(|c| fits(c))).collect()
}

/// `var = guard ? value : var`.
fn choice(stmt: &Stmt) -> Option<Choice<'_>> {
    let Stmt::Assign(var, index, value) = stmt else { return None };
    let ExprKind::Mux(label, guard, yes, no) = &relabelled(value).kind else { return None };
    let keeps = matches!(relabelled(no).kind, ExprKind::Var(v) if v == *var);
    let fits = index.is_empty() && keeps && !guard.ty.public();
    fits.then_some(Choice { var: *var, label: *label, guard, value: yes })
}

/// The search whose condition is `test`; no other variable of the choices is in it.
fn contest(test: &Expr, choices: &[Choice<'_>]) -> Option<Contest> {
    let ExprKind::Binary(op, _, x, y) = &test.kind else { return None };
    let (x, y) = (relabelled(x), relabelled(y));
    let holds = |e: &Expr| match e.kind {
        ExprKind::Var(var) => choices.iter().find(|c| c.var == var && !e.ty.public()),
        _ => None,
    };
    // `value > var`, or turned round `var < value`.
    let (own, value, turned) = match (holds(x), holds(y)) {
        (None, Some(own)) => (own, x, false),
        (Some(own), None) => (own, y, true),
        _ => return None,
    };
    let (larger, first) = match op {
        BinaryOp::Gt => (!turned, true),
        BinaryOp::Ge => (!turned, false),
        BinaryOp::Lt => (turned, true),
        BinaryOp::Le => (turned, false),
        _ => return None,
    };
    let vars: HashSet<VarId> = choices.iter().map(|c| c.var).collect();
    let once = vars.len() == choices.len();
    let apart = !value.depends_on(&vars)
        && choices.iter().filter(|c| c.var != own.var).all(|c| !c.value.depends_on(&vars));
    if !once || !apart || !relabelled(own.value).same(value) {
        return None;
    }
    let others = choices.iter().filter(|c| c.var != own.var);
    Some(Contest {
        var: own.var,
        value: value.clone(),
        larger,
        first,
        label: own.label,
        with: others.map(|c| (c.var, c.label, c.value.clone())).collect(),
    })
}
