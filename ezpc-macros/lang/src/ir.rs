//! The typed intermediate representation: names resolved, conversions explicit, labels everywhere.

mod print;

use crate::diag::Place;
use crate::syntax::ast::{Base, BinaryOp, Header, Label, Role, UnaryOp};

/// A program whose names are resolved.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Options.
    pub header: Header,
    /// The functions in the order of the text.
    pub functions: Vec<Function>,
    /// Functions of the surrounding Rust text.
    pub externs: Vec<Extern>,
    /// The inputs of `main`.
    pub inputs: Vec<Field>,
    /// The outputs of `main`.
    pub outputs: Vec<Field>,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ty {
    /// The scalar type.
    pub base: Base,
    /// Who knows it.
    pub label: Label,
    /// 0 for a scalar.
    pub rank: usize,
    /// An array that is not written to.
    pub constant: bool,
}

/// A function of the program.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where its name is.
    pub span: Place,
    /// The documentation comment.
    pub docs: Vec<String>,
    /// The first variables are the parameters.
    pub params: usize,
    /// The sizes that array parameters are declared with.
    pub param_sizes: Vec<Vec<Expr>>,
    /// The type of the result; `None` for void.
    pub result: Option<Ty>,
    /// Every variable of the function.
    pub vars: Vec<Var>,
    /// The statements.
    pub body: Vec<Stmt>,
    /// Whether it has inputs or outputs, itself or in what it calls.
    pub talks: bool,
    /// Whether it may call itself, through others or not.
    pub recursive: bool,
    /// Errors were found inside: a stub is generated.
    pub broken: bool,
}

/// A function that Rust provides.
#[derive(Clone, Debug)]
pub struct Extern {
    /// Its name.
    pub name: String,
    /// Where its name is.
    pub span: Place,
    /// The types of the parameters.
    pub params: Vec<Ty>,
    /// The type of the result.
    pub result: Option<Ty>,
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Var {
    /// Its name in the text.
    pub name: String,
    /// Where it is declared.
    pub span: Place,
    /// Its type.
    pub ty: Ty,
    /// Written after its declaration.
    pub written: bool,
}

/// The index of a variable in its function.
pub type VarId = usize;

/// A field of the inputs or outputs of `main`.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where the statement is.
    pub span: Place,
    /// Whose, or to whom.
    pub role: Role,
    /// The type of the value.
    pub ty: Ty,
    /// The statement may run more than once, or never.
    pub repeated: bool,
}

/// A statement.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Debug)]
pub enum Stmt {
    /// A new variable; arrays have sizes, scalars may have a value. Without one it is zero.
    Declare(VarId, Vec<Expr>, Option<Expr>),
    /// A scalar variable or an element (all indices) gets a value.
    Assign(VarId, Vec<Expr>, Expr),
    /// An element at a secret index gets a value.
    AssignOblivious(VarId, Expr, Expr),
    /// A whole array is copied: to, from.
    Copy(Expr, Expr),
    /// A call for its effects.
    Call(Callee, Vec<Expr>, Place),
    /// The variable runs from the first to below the second bound.
    For(VarId, Expr, Expr, Vec<Self>),
    /// A loop with a public guard.
    While(Expr, Vec<Self>),
    /// A branch on a public guard.
    If(Expr, Vec<Self>, Vec<Self>),
    /// The end of the function.
    Return(Option<Expr>),
    /// A new variable from the input of that index.
    Input(VarId, Vec<Expr>, usize),
    /// The output of that index.
    Output(Expr, usize),
    /// A scope.
    Block(Vec<Self>),
    /// A loop whose iterations run as vectors.
    Lanes(Lanes),
    /// Within such a loop: a variable or an element outside is combined with a value of each iteration, in any order;
    /// `Some` when the program says where.
    Accumulate(VarId, Vec<Expr>, BinaryOp, Option<Label>, Expr),
    /// Within such a loop: a variable outside becomes the largest or smallest of itself and a value of each iteration.
    Contest(Contest),
}

/// `if (value > var) { var = value; with = …; }` over all iterations of a loop.
#[derive(Clone, Debug)]
pub struct Contest {
    /// The variable outside.
    pub var: VarId,
    /// What each iteration has to compare with it.
    pub value: Expr,
    /// Whether the larger one is kept.
    pub larger: bool,
    /// Whether of equal ones the first is kept.
    pub first: bool,
    /// The label that is written at the choice.
    pub label: Option<Label>,
    /// Variables that become what they are given where the value is found.
    pub with: Vec<(VarId, Option<Label>, Expr)>,
}

/// An innermost loop whose iterations are independent.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// The loop variable.
    pub var: VarId,
    /// Its first value.
    pub from: Expr,
    /// The bound it stays below.
    pub to: Expr,
    /// The statements of an iteration.
    pub body: Vec<Stmt>,
    /// Array parameters that have to be different arrays; where they are not, the loop runs in order.
    pub apart: Vec<(VarId, VarId)>,
    /// The loop variable, and the public variables of the body that depend on it.
    pub varying: std::collections::HashSet<VarId>,
}

/// What a call calls.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callee {
    /// A function of the program.
    Def(usize),
    /// A function of the surrounding Rust text.
    Extern(usize),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Ty,
    /// Where it is.
    pub span: Place,
}

/// The expressions.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A public integer; `flexible` when its literal has no suffix.
    Int {
        /// The value.
        value: i128,
        /// Takes the type of its surroundings.
        flexible: bool,
    },
    /// A public truth value.
    Bool(bool),
    /// A public number with a fraction.
    Float(f64),
    /// A variable.
    Var(VarId),
    /// An element, or a row view when there are fewer indices than the rank.
    Index(VarId, Vec<Expr>),
    /// The element of a one-dimensional array or row at a secret index.
    Oblivious(Box<Expr>, Box<Expr>),
    /// An operator on one value.
    Unary(UnaryOp, Box<Expr>),
    /// An operator on two values of one base type; `Some` when the program says where.
    Binary(BinaryOp, Option<Label>, Box<Expr>, Box<Expr>),
    /// `guard ? yes : no`; a public guard evaluates one branch.
    Mux(Option<Label>, Box<Expr>, Box<Expr>, Box<Expr>),
    /// The result of a function.
    Call(Callee, Vec<Expr>),
    /// The value as the type of the expression: another base type, another label.
    Convert(Box<Expr>),
    /// A secret value made public; or told to one party, whose input it then is.
    Reveal(Role, Box<Expr>),
}

impl Stmt {
    /// Hands every expression of the statement and of those inside of it to `each`.
    pub fn each_expr(&mut self, each: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Declare(_, list, value) => list.iter_mut().chain(value).for_each(each),
            Self::Assign(_, index, value) | Self::Accumulate(_, index, _, _, value) => {
                index.iter_mut().for_each(&mut *each);
                each(value);
            }
            Self::AssignOblivious(_, x, y) | Self::Copy(x, y) => [x, y].into_iter().for_each(each),
            Self::Contest(contest) => {
                each(&mut contest.value);
                contest.with.iter_mut().for_each(|w| each(&mut w.2));
            }
            Self::Call(_, args, _) => args.iter_mut().for_each(each),
            Self::For(_, from, to, body) => {
                [from, to].into_iter().for_each(&mut *each);
                body.iter_mut().for_each(|s| s.each_expr(each));
            }
            Self::Lanes(lanes) => {
                [&mut lanes.from, &mut lanes.to].into_iter().for_each(&mut *each);
                lanes.body.iter_mut().for_each(|s| s.each_expr(each));
            }
            Self::While(guard, body) => {
                each(guard);
                body.iter_mut().for_each(|s| s.each_expr(each));
            }
            Self::If(guard, then, otherwise) => {
                each(guard);
                then.iter_mut().chain(otherwise).for_each(|s| s.each_expr(each));
            }
            Self::Return(value) => value.iter_mut().for_each(each),
            Self::Input(_, sizes, _) => sizes.iter_mut().for_each(each),
            Self::Output(value, _) => each(value),
            Self::Block(body) => body.iter_mut().for_each(|s| s.each_expr(each)),
        }
    }
}

impl Expr {
    /// Replaces a variable by another one.
    pub fn rename(&mut self, from: VarId, to: VarId) {
        match &mut self.kind {
            ExprKind::Int { .. } | ExprKind::Bool(_) | ExprKind::Float(_) => {}
            ExprKind::Var(var) if *var == from => *var = to,
            ExprKind::Var(_) => {}
            ExprKind::Index(_, list) | ExprKind::Call(_, list) => {
                list.iter_mut().for_each(|e| e.rename(from, to));
            }
            ExprKind::Unary(_, x) | ExprKind::Convert(x) | ExprKind::Reveal(_, x) => x.rename(from, to),
            ExprKind::Oblivious(x, y) | ExprKind::Binary(_, _, x, y) => {
                x.rename(from, to);
                y.rename(from, to);
            }
            ExprKind::Mux(_, c, t, e) => [c, t, e].into_iter().for_each(|x| x.rename(from, to)),
        }
    }

    /// Whether it or a part of it satisfies `test`.
    #[must_use]
    pub fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        let all = |list: &[Self]| list.iter().any(|e| e.any(test));
        test(self)
            || match &self.kind {
                ExprKind::Int { .. } | ExprKind::Bool(_) | ExprKind::Float(_) | ExprKind::Var(_) => false,
                ExprKind::Index(_, list) | ExprKind::Call(_, list) => all(list),
                ExprKind::Unary(_, x) | ExprKind::Convert(x) | ExprKind::Reveal(_, x) => x.any(test),
                ExprKind::Oblivious(x, y) | ExprKind::Binary(_, _, x, y) => x.any(test) || y.any(test),
                ExprKind::Mux(_, c, t, e) => c.any(test) || t.any(test) || e.any(test),
            }
    }

    /// Whether it names one of `vars`.
    #[must_use]
    pub fn depends_on(&self, vars: &std::collections::HashSet<VarId>) -> bool {
        self.any(&|e| matches!(&e.kind, ExprKind::Var(v) | ExprKind::Index(v, _) if vars.contains(v)))
    }

    /// Whether both are the same public expression, word for word.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let all = |a: &[Self], b: &[Self]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b));
        self.ty == other.ty
            && match (&self.kind, &other.kind) {
                (ExprKind::Int { value: a, .. }, ExprKind::Int { value: b, .. }) => a == b,
                (ExprKind::Bool(a), ExprKind::Bool(b)) => a == b,
                (ExprKind::Var(a), ExprKind::Var(b)) => a == b,
                (ExprKind::Index(a, i), ExprKind::Index(b, j)) => a == b && all(i, j),
                (ExprKind::Unary(op, a), ExprKind::Unary(with, b)) => op == with && a.same(b),
                (ExprKind::Convert(a), ExprKind::Convert(b)) => a.same(b),
                (ExprKind::Binary(op, _, a, b), ExprKind::Binary(with, _, c, d)) => {
                    op == with && a.same(c) && b.same(d)
                }
                _ => false,
            }
    }
}

impl Ty {
    /// A scalar type.
    #[must_use]
    pub const fn scalar(base: Base, label: Label) -> Self {
        Self { base, label, rank: 0, constant: false }
    }

    /// Whether everybody knows values of it.
    #[must_use]
    pub fn public(self) -> bool {
        self.label == Label::Pl
    }

    /// Whether values are integers.
    #[must_use]
    pub const fn integer(self) -> bool {
        matches!(self.base, Base::Int { .. })
    }
}
