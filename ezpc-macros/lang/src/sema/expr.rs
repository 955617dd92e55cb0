//! Expressions: types, labels, conversions.

use super::Body;
use super::operator::adapts;
use crate::diag::Place;
use crate::diag::{Code, Diagnostics};
use crate::ir::{Expr, ExprKind, Ty, VarId};
use crate::syntax::ast::{self, Base, Label, Role, UnaryOp};

impl Body<'_, '_> {
    /// Checks an expression; `None` means that an error has been reported.
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::Int(value, suffix) => self.literal(*value, suffix, false, span),
            ast::ExprKind::Float(text) => {
                let Ok(value) = text.parse() else {
                    self.report(Code::Syntax, span, format!("`{text}` is no number"));
                    return None;
                };
                Some(Expr { kind: ExprKind::Float(value), ty: Ty::scalar(Base::Float, Label::Pl), span })
            }
            ast::ExprKind::Bool(value) => {
                Some(Expr { kind: ExprKind::Bool(*value), ty: Ty::scalar(Base::Bool, Label::Pl), span })
            }
            ast::ExprKind::Var(name) => self.variable(name, span),
            ast::ExprKind::Call(name, args) => {
                let (callee, head) = self.callee(name)?;
                let args = self.arguments(&head.params, args, name);
                let Some(ty) = head.result else {
                    self.report(Code::VoidCall, name.span, format!("`{}` has no result", name.text));
                    return None;
                };
                Some(Expr { kind: ExprKind::Call(callee, args?), ty, span })
            }
            ast::ExprKind::Cast(base, value) => self.cast(*base, value, span),
            ast::ExprKind::Reveal(role, value) => self.reveal(*role, value, span),
            ast::ExprKind::Index(..) => self.index(expr),
            ast::ExprKind::Unary(op, label, value) => self.unary(*op, *label, value, span),
            ast::ExprKind::Binary(op, label, left, right) => {
                let (left, right) = (self.expr(left), self.expr(right));
                self.binary(*op, *label, left?, right?, span)
            }
            ast::ExprKind::Mux(label, guard, yes, no) => {
                let (guard, yes, no) = (self.expr(guard), self.expr(yes), self.expr(no));
                self.mux(*label, guard?, yes?, no?, span)
            }
            ast::ExprKind::Relabel(from, to, value) => self.relabel(*from, *to, value, span),
            // The parser makes no such tree.
            ast::ExprKind::List(_) => {
                let message = "a list stands only after `=` in the declaration of an array";
                Diagnostics::report(self.sema.diagnostics, Code::RankMismatch, span, message);
                None
            }
        }
    }

    fn literal(&mut self, value: u128, suffix: &str, negative: bool, span: Place) -> Option<Expr> {
        let (signed, bits) = match suffix {
            "u" => (false, 32),
            "l" => (true, 64),
            "ul" => (false, 64),
            _ => (true, 32),
        };
        let base = Base::Int { signed, bits };
        let most = (1u128 << (bits - u32::from(signed))) - u128::from(!(signed && negative));
        if value > most {
            let help = match suffix {
                "" if value <= i64::MAX as u128 => format!("write `{value}L`, which is an int64"),
                "u" if value <= u128::from(u64::MAX) => format!("write `{value}uL`, which is a uint64"),
                _ => "no integer type is that wide".to_owned(),
            };
            self.report_with(
                Code::LiteralOverflow,
                span,
                format!("the literal does not fit `{base}`, which ends at {most}"),
                help,
            );
            return None;
        }
        let value = i128::try_from(value).unwrap_or(0);
        let value = if negative { wrap(-value, base) } else { value };
        let kind = ExprKind::Int { value, flexible: suffix.is_empty() };
        Some(Expr { kind, ty: Ty::scalar(base, Label::Pl), span })
    }

    fn variable(&mut self, name: &str, span: Place) -> Option<Expr> {
        if let Some(id) = self.find(name) {
            return Some(Expr { kind: ExprKind::Var(id), ty: self.vars[id].ty, span });
        }
        if let Some(constant) = self.sema.constants.get(name) {
            return Some(Expr { span, ..constant.clone() });
        }
        self.unknown(name, span);
        None
    }

    pub(super) fn arguments(
        &mut self,
        params: &[Ty],
        args: &[ast::Expr],
        name: &ast::Name,
    ) -> Option<Vec<Expr>> {
        let checked: Vec<Option<Expr>> = args.iter().map(|a| self.expr(a)).collect();
        if params.len() != args.len() {
            let (want, got) = (params.len(), args.len());
            let message = format!("`{}` takes {want} argument{}, not {got}", name.text, plural(want));
            self.report(Code::ArgumentCount, name.span, message);
            return None;
        }
        let checked: Vec<Option<Expr>> = checked
            .into_iter()
            .zip(params)
            .map(|(arg, &ty)| arg.and_then(|arg| self.argument(arg, ty)))
            .collect();
        checked.into_iter().collect()
    }

    fn argument(&mut self, arg: Expr, ty: Ty) -> Option<Expr> {
        if ty.rank == 0 || arg.ty.rank == 0 {
            return self.coerce(arg, ty);
        }
        if ty.rank != arg.ty.rank {
            let found = Ty { constant: false, ..arg.ty };
            let message = format!("`{found}` where an array of rank {} is needed", ty.rank);
            self.report(Code::RankMismatch, arg.span, message);
            return None;
        }
        // Arrays are passed by reference: the element types are the same. How secret elements are shared is
        // decided by their use.
        if ty.base != arg.ty.base || ty.public() != arg.ty.public() {
            let message = format!("an array `{}` cannot be passed as `{ty}`", arg.ty);
            self.report_with(
                Code::TypeMismatch,
                arg.span,
                message,
                "arrays are passed by reference: copy it first",
            );
            return None;
        }
        if arg.ty.constant && !ty.constant {
            self.report_with(
                Code::Immutable,
                arg.span,
                "a `const` array is passed to a parameter that may be written",
                "declare the parameter `const`, or copy the array",
            );
            return None;
        }
        Some(arg)
    }

    fn cast(&mut self, base: Base, value: &ast::Expr, span: Place) -> Option<Expr> {
        let value = self.expr(value)?;
        self.cast_value(base, value, span)
    }

    fn cast_value(&mut self, base: Base, value: Expr, span: Place) -> Option<Expr> {
        if value.ty.rank > 0 {
            let what = format!("`{base}(..)`");
            return self
                .elementwise(vec![value], &what, span, |b, mut x| b.cast_value(base, x.remove(0), span));
        }
        if [base, value.ty.base].contains(&Base::Float) && ![base, value.ty.base].iter().any(fixed) {
            let message = format!("`{}` cannot be converted to `{base}`", value.ty);
            let help = "integers, bool and `fix` are converted so; `float` to `fix` and back";
            self.report_with(Code::TypeMismatch, value.span, message, help);
            return None;
        }
        if adapts(value.ty, base) {
            return self.rebase(value, base);
        }
        let label = match value.ty.label {
            Label::Pl => Label::Pl,
            _ if base.real() => Label::Fl,
            _ if base == Base::Bool || value.ty.base == Base::Bool => Label::Bl,
            Label::Fl => Label::Al,
            label => label,
        };
        let ty = Ty::scalar(base, label);
        Some(Expr { kind: ExprKind::Convert(Box::new(value)), ty, span })
    }

    fn reveal(&mut self, role: Role, value: &ast::Expr, span: Place) -> Option<Expr> {
        let value = self.expr(value)?;
        if value.ty.rank > 0 {
            let help = "write `reveal(ALL, a[i])`, or `output` the whole array";
            self.report_with(Code::RankMismatch, value.span, "an element is revealed, not an array", help);
            return None;
        }
        if self.guard.is_some() {
            self.report(Code::SecretBranch, span, "`reveal` in a branch on a secret value");
            return None;
        }
        if value.ty.public() {
            return Some(value);
        }
        let label = if role == Role::All { Label::Pl } else { super::default_label(value.ty.base) };
        let ty = Ty::scalar(value.ty.base, label);
        Some(Expr { kind: ExprKind::Reveal(role, Box::new(value)), ty, span })
    }

    /// `array[i][j]`: all indices at once.
    fn index(&mut self, expr: &ast::Expr) -> Option<Expr> {
        let (var, index, ty) = self.indices(expr)?;
        if index.iter().any(|i| !i.ty.public()) {
            return self.oblivious(var, index, expr.span);
        }
        Some(Expr { kind: ExprKind::Index(var, index), ty, span: expr.span })
    }

    /// An array and indices into it, with the type of what stands there.
    pub(super) fn indices(&mut self, expr: &ast::Expr) -> Option<(VarId, Vec<Expr>, Ty)> {
        let mut index = Vec::new();
        let mut array = expr;
        while let ast::ExprKind::Index(inner, i) = &array.kind {
            index.push((i, array.span));
            array = inner;
        }
        index.reverse();
        let array = self.expr(array)?;
        let checked: Vec<Option<Expr>> = index.iter().map(|(i, _)| self.expr(i)).collect();
        if array.ty.rank < index.len() {
            let span = index[array.ty.rank].1;
            let message = if array.ty.rank == 0 {
                format!("`{}` is no array", array.ty)
            } else {
                format!("an array of rank {} has {} indices here", array.ty.rank, index.len())
            };
            self.report_with(Code::RankMismatch, span, message, "leave the index out");
            return None;
        }
        // Whatever has elements is a variable, if only a hidden one.
        let ExprKind::Var(var) = array.kind else { return None };
        let index: Vec<Expr> = checked.into_iter().collect::<Option<_>>()?;
        for i in &index {
            if !i.ty.integer() || i.ty.rank > 0 {
                let message = format!("an index is an integer, not `{}`", i.ty);
                self.report_with(Code::TypeMismatch, i.span, message, "index with an integer");
                return None;
            }
        }
        let ty = Ty { rank: array.ty.rank - index.len(), ..array.ty };
        Some((var, index, ty))
    }

    fn unary(&mut self, op: UnaryOp, label: Option<Label>, value: &ast::Expr, span: Place) -> Option<Expr> {
        match (op, &value.kind) {
            (UnaryOp::Neg, ast::ExprKind::Int(literal, suffix)) => {
                return self.literal(*literal, suffix, true, value.span);
            }
            (UnaryOp::Neg, ast::ExprKind::Float(_)) => {
                let mut value = self.expr(value)?;
                if let ExprKind::Float(number) = &mut value.kind {
                    *number = -*number;
                }
                return Some(value);
            }
            _ => {}
        }
        let value = self.expr(value)?;
        self.unary_value(op, label, value, span)
    }

    fn unary_value(&mut self, op: UnaryOp, label: Option<Label>, value: Expr, span: Place) -> Option<Expr> {
        if value.ty.rank > 0 {
            let what = format!("`{}`", op.text());
            let scalar = |b: &mut Self, mut x: Vec<Expr>| b.unary_value(op, label, x.remove(0), span);
            return self.elementwise(vec![value], &what, span, scalar);
        }
        let fits = match op {
            UnaryOp::Not => value.ty.base == Base::Bool,
            UnaryOp::Invert => value.ty.integer(),
            UnaryOp::Neg => value.ty.base != Base::Bool,
        };
        if !fits {
            let help = match op {
                UnaryOp::Not => "`!` is for bool; integers have `~`",
                UnaryOp::Invert => "`~` is for integers; bool has `!`",
                UnaryOp::Neg => "`-` is for numbers",
            };
            let message = format!("`{}` cannot be applied to `{}`", op.text(), value.ty);
            self.report_with(Code::BadOperand, span, message, help);
            return None;
        }
        let allowed = match op {
            UnaryOp::Neg => [Label::Al, Label::Bl, Label::Fl].as_slice(),
            _ => &[Label::Bl],
        };
        self.operator_label(label, allowed, value.ty.public(), op.text(), span)?;
        let ty = match (op, value.ty.label) {
            (_, Label::Pl) | (UnaryOp::Neg, _) => value.ty,
            _ => Ty { label: Label::Bl, ..value.ty },
        };
        Some(Expr { kind: ExprKind::Unary(op, Box::new(value)), ty, span })
    }

    fn relabel(&mut self, from: Label, to: Label, value: &ast::Expr, span: Place) -> Option<Expr> {
        let value = self.expr(value)?;
        let allowed = to != Label::Pl && to != from && from == value.ty.label && value.ty.rank == 0;
        let fits = match value.ty.base {
            Base::Int { .. } => matches!(to, Label::Al | Label::Bl),
            Base::Bool => to == Label::Bl,
            Base::Float | Base::Fix { .. } => to == Label::Fl,
        };
        if !allowed || !fits {
            let message = format!("`<{from} |> {to}>` cannot be applied to `{}`", value.ty);
            self.report_with(
                Code::BadOperatorLabel,
                span,
                message,
                "conversions are inserted where they are needed",
            );
            return None;
        }
        let ty = Ty { label: to, ..value.ty };
        Some(Expr { kind: ExprKind::Convert(Box::new(value)), ty, span })
    }

    /// The value as `ty`: conversions that lose nothing are inserted.
    pub(super) fn coerce(&mut self, value: Expr, ty: Ty) -> Option<Expr> {
        let span = value.span;
        if value.ty.rank != ty.rank {
            let found = Ty { constant: false, ..value.ty };
            let message = format!("`{found}` where `{}` is needed", Ty { constant: false, ..ty });
            self.report(Code::RankMismatch, span, message);
            return None;
        }
        if value.ty.rank > 0 {
            return self.argument(value, ty);
        }
        if ty.public() && !value.ty.public() {
            let message = format!("a secret `{}` would become public", value.ty);
            self.report(Code::SecretToPublic, span, message);
            return None;
        }
        let value = self.rebase(value, ty.base)?;
        if value.ty.label == ty.label {
            return Some(value);
        }
        if ty.base == Base::Float {
            self.fits(&value, Base::Fix { bits: 64, fraction: 16 }, "float_fl")?;
        }
        let ty = Ty { label: ty.label, ..value.ty };
        Some(Expr { kind: ExprKind::Convert(Box::new(value)), ty, span })
    }

    /// The value in another base type, when that loses nothing or only its sign.
    pub(super) fn rebase(&mut self, value: Expr, base: Base) -> Option<Expr> {
        let span = value.span;
        if value.ty.base == base {
            return Some(value);
        }
        let ty = Ty { base, ..value.ty };
        if matches!(base, Base::Int { .. }) && flexible(&value) {
            return self.retype(value, base);
        }
        if adapts(value.ty, base) {
            self.fits(&value, base, &base.to_string())?;
            return Some(match value.kind {
                ExprKind::Float(_) => Expr { ty, ..value },
                _ => Expr { kind: ExprKind::Convert(Box::new(value)), ty, span },
            });
        }
        if !value.ty.integer() || !matches!(base, Base::Int { .. }) {
            let message = format!("`{}` where `{base}` is needed", value.ty.base);
            let help = match base {
                Base::Bool => "write a comparison, as `x != 0`",
                _ if value.ty.base.real() && base.real() => "convert it, as `fix<32, 12>(x)`",
                _ if base.real() || value.ty.base.real() => "integers and fractions do not mix: write `1.0`",
                _ => "write `c ? 1 : 0`",
            };
            self.report_with(Code::TypeMismatch, span, message, help);
            return None;
        }
        if base.bits() < value.ty.base.bits() {
            let message = format!("`{}` is wider than `{base}`", value.ty.base);
            let help = format!("to keep the low bits write `{base}(..)`");
            self.report_with(Code::WidthMismatch, span, message, help);
            return None;
        }
        Some(Expr { kind: ExprKind::Convert(Box::new(value)), ty, span })
    }

    /// Refuses a literal that is beyond a fixed-point format.
    fn fits(&mut self, value: &Expr, format: Base, called: &str) -> Option<()> {
        let (ExprKind::Float(number), Base::Fix { bits, fraction }) = (&value.kind, format) else {
            return Some(());
        };
        let end = bits - 1 - fraction;
        let most = 2f64.powi(i32::try_from(end).unwrap_or(0));
        if (-most..most).contains(number) {
            return Some(());
        }
        let message = format!("the literal does not fit `{called}`, which ends at 2^{end}");
        self.report_with(Code::LiteralOverflow, value.span, message, "scale what you compute");
        None
    }

    /// A literal without suffix, or a choice between such, in another type.
    fn retype(&mut self, value: Expr, base: Base) -> Option<Expr> {
        let Expr { kind, ty, span } = value;
        let kind = match kind {
            ExprKind::Int { value: number, .. } => {
                if base.bits() < 32 && wrap(number, base) != number {
                    let message = format!("the literal does not fit `{base}`");
                    self.report_with(Code::LiteralOverflow, span, message, "write a value of that range");
                    return None;
                }
                ExprKind::Int { value: wrap(number, base), flexible: false }
            }
            ExprKind::Convert(x) => ExprKind::Convert(Box::new(self.retype(*x, base)?)),
            ExprKind::Mux(label, c, t, e) => {
                let (t, e) = (self.retype(*t, base)?, self.retype(*e, base)?);
                ExprKind::Mux(label, c, Box::new(t), Box::new(e))
            }
            kind => kind,
        };
        Some(Expr { kind, ty: Ty { base, ..ty }, span })
    }

    /// Checks a label written at an operator.
    pub(super) fn operator_label(
        &mut self,
        label: Option<Label>,
        allowed: &[Label],
        public: bool,
        operator: &str,
        span: Place,
    ) -> Option<()> {
        let Some(label) = label else { return Some(()) };
        if label == Label::Pl && !public {
            let message = format!("`{operator}_pl` on a secret operand");
            self.report(Code::BadOperatorLabel, span, message);
            return None;
        }
        if label != Label::Pl && !allowed.contains(&label) {
            let message = format!("`{operator}` has no version on `{label}` shares");
            self.report(Code::BadOperatorLabel, span, message);
            return None;
        }
        Some(())
    }
}

/// Whether an expression is made of literals without suffix, which take the type of their surroundings.
pub(super) fn flexible(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Int { flexible, .. } => *flexible,
        ExprKind::Convert(x) => x.ty.base == expr.ty.base && flexible(x),
        ExprKind::Mux(_, _, t, e) => flexible(t) && flexible(e),
        _ => false,
    }
}

/// `value` mod 2^width in the range of the type.
pub(crate) fn wrap(value: i128, base: Base) -> i128 {
    let bits = base.bits();
    let low = value & ((1i128 << bits) - 1);
    match base {
        Base::Int { signed: true, .. } if low >> (bits - 1) == 1 => low - (1i128 << bits),
        _ => low,
    }
}

fn fixed(base: &Base) -> bool {
    matches!(base, Base::Fix { .. })
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
