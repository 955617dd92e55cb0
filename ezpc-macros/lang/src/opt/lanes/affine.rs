//! Indices as linear forms, and which elements two of them can name.

use crate::ir::{Expr, ExprKind, VarId};
use crate::syntax::ast::{Base, BinaryOp};
use std::collections::{BTreeMap, HashMap};

/// `lane · i + Σ rest[v] · v + constant` in the loop variable i and public variables v.
///
/// Public integers wrap. Forms with factors of less than 2^16 do not meet by wrapping within one array: on the way
/// around they pass indices that no array has, which is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Affine {
    lane: i64,
    rest: BTreeMap<VarId, i64>,
    constant: i64,
}

const LARGEST: i64 = 1 << 16;

impl Affine {
    /// The loop variable.
    pub(super) fn lane() -> Self {
        Self { lane: 1, ..Self::default() }
    }

    fn constant(value: i64) -> Self {
        Self { constant: value, ..Self::default() }
    }

    /// The form of an expression, when it has one.
    pub(super) fn of(expr: &Expr, forms: &HashMap<VarId, Self>) -> Option<Self> {
        let form = match &expr.kind {
            ExprKind::Int { value, .. } => Self::constant(i64::try_from(*value).ok()?),
            ExprKind::Var(var) if expr.ty.rank == 0 && expr.ty.integer() => match forms.get(var) {
                Some(form) => form.clone(),
                None => Self { rest: BTreeMap::from([(*var, 1)]), ..Self::default() },
            },
            ExprKind::Convert(x) => match (x.ty.base, expr.ty.base) {
                (Base::Int { bits: from, .. }, Base::Int { bits: to, .. }) if from <= to => {
                    Self::of(x, forms)?
                }
                _ => return None,
            },
            ExprKind::Binary(op, _, x, y) => {
                let (x, y) = (Self::of(x, forms)?, Self::of(y, forms)?);
                match op {
                    BinaryOp::Add => x.plus(&y, 1)?,
                    BinaryOp::Sub => x.plus(&y, -1)?,
                    BinaryOp::Mul if x.is_constant() => Self::default().plus(&y, x.constant)?,
                    BinaryOp::Mul if y.is_constant() => Self::default().plus(&x, y.constant)?,
                    _ => return None,
                }
            }
            _ => return None,
        };
        let small = |v: i64| v.abs() < LARGEST;
        (small(form.lane) && form.rest.values().all(|&v| small(v))).then_some(form)
    }

    fn is_constant(&self) -> bool {
        self.lane == 0 && self.rest.is_empty()
    }

    /// `self + by · other`.
    fn plus(&self, other: &Self, by: i64) -> Option<Self> {
        let mut rest = self.rest.clone();
        for (&var, &factor) in &other.rest {
            let sum = rest.entry(var).or_default();
            *sum = sum.checked_add(factor.checked_mul(by)?)?;
        }
        rest.retain(|_, factor| *factor != 0);
        let add = |a: i64, b: i64| a.checked_add(b.checked_mul(by)?);
        Some(Self { lane: add(self.lane, other.lane)?, rest, constant: add(self.constant, other.constant)? })
    }

    /// The difference of two forms that have the same factors.
    fn distance(&self, other: &Self) -> Option<i64> {
        let same = self.lane == other.lane && self.rest == other.rest;
        if same { self.constant.checked_sub(other.constant) } else { None }
    }
}

/// An element that each iteration touches; unknown indices have no form.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) var: VarId,
    pub(super) index: Vec<Option<Affine>>,
}

impl Access {
    fn dimensions<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a Affine, i64)> {
        self.index.iter().zip(&other.index).filter_map(|(a, b)| {
            let (a, b) = (a.as_ref()?, b.as_ref()?);
            Some((a, a.distance(b)?))
        })
    }

    /// Whether different iterations touch different elements, one through each access.
    pub(super) fn own_lane(&self, other: &Self) -> bool {
        self.disjoint(other) || self.dimensions(other).any(|(form, by)| form.lane != 0 && by == 0)
    }

    /// Whether no iteration touches through one access what any iteration touches through the other.
    pub(super) fn disjoint(&self, other: &Self) -> bool {
        self.dimensions(other).any(|(form, by)| by != 0 && (form.lane == 0 || by % form.lane != 0))
    }

    /// Whether both are the same element.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.index.len() == other.index.len()
            && self.index.iter().zip(&other.index).all(|(a, b)| a.is_some() && a == b)
    }
}
