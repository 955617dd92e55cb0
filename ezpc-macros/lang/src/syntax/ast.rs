//! The syntax tree.

use crate::diag::Place;

/// A program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Options before the first definition.
    pub header: Header,
    /// Definitions, in order.
    pub items: Vec<Item>,
}

/// `crate = path;` and `mod name;`.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// The path of `ezpc_core` for users who reach it through a re-export.
    pub krate: Option<proc_macro2::TokenStream>,
    /// The module to generate the program in.
    pub module: Option<Name>,
    /// The documentation comment of the module.
    pub docs: Vec<String>,
}

/// A definition.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Debug)]
pub enum Item {
    /// `def`.
    Function(Function),
    /// `extern def`.
    Extern(Signature),
    /// `base name = value;`.
    Constant(Type, Name, Expr),
}

/// The head of a function.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The documentation comment.
    pub docs: Vec<String>,
    /// The type of the result; `None` for void.
    pub result: Option<Type>,
    /// The name.
    pub name: Name,
    /// The parameters.
    pub params: Vec<(Type, Name)>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its head.
    pub signature: Signature,
    /// Its body.
    pub body: Vec<Stmt>,
    /// The closing brace.
    pub end: Place,
}

/// An identifier.
#[derive(Clone, Debug)]
pub struct Name {
    /// Its text.
    pub text: String,
    /// Where it is.
    pub span: Place,
}

/// The scalar types.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// An integer.
    Int {
        /// Two's complement.
        signed: bool,
        /// 8, 16, 32 or 64.
        bits: u32,
    },
    /// A truth value.
    Bool,
    /// A number with fraction.
    Float,
    /// A fixed-point number.
    Fix {
        /// 2 to 64.
        bits: u32,
        /// How many of them are a fraction; fewer than all.
        fraction: u32,
    },
}

/// Who knows a value, and how a secret one is shared.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// Public.
    Pl,
    /// Arithmetic share.
    Al,
    /// Boolean share.
    Bl,
    /// Secret float.
    Fl,
}

/// A type as written.
#[derive(Clone, Debug)]
pub struct Type {
    /// The scalar type.
    pub base: Base,
    /// The label, when written.
    pub label: Option<Label>,
    /// The sizes of an array.
    pub sizes: Vec<Expr>,
    /// `const`.
    pub constant: bool,
    /// The base type's token.
    pub span: Place,
}

/// Whose input, or who learns an output.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The vendor.
    Server,
    /// The data owner.
    Client,
    /// Both.
    All,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Its first token.
    pub span: Place,
}

/// The statements.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Debug)]
pub enum StmtKind {
    /// `type name = value`.
    Declare(Type, Name, Option<Expr>),
    /// `place = value`, or `place op= value`.
    Assign(Expr, Option<BinaryOp>, Expr),
    /// `name(args)`.
    Call(Name, Vec<Expr>),
    /// `for name = [from : to] body`.
    For(Name, Expr, Expr, Vec<Stmt>),
    /// `while guard body`.
    While(Expr, Vec<Stmt>),
    /// `if (guard) then else otherwise`.
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `return value`.
    Return(Option<Expr>),
    /// `input(role, name, type)`.
    Input(Role, Name, Type),
    /// `output(role, value)`.
    Output(Role, Expr),
    /// `{ … }`.
    Block(Vec<Stmt>),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its operator, or its only token.
    pub span: Place,
}

/// The expressions.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// An integer literal with its suffix.
    Int(u128, String),
    /// A literal with a fraction.
    Float(String),
    /// `true`, `false`.
    Bool(bool),
    /// A variable.
    Var(String),
    /// `f(args)`.
    Call(Name, Vec<Expr>),
    /// `base(value)`.
    Cast(Base, Box<Expr>),
    /// `reveal(role, value)`.
    Reveal(Role, Box<Expr>),
    /// `array[index]`.
    Index(Box<Expr>, Box<Expr>),
    /// `op value`.
    Unary(UnaryOp, Option<Label>, Box<Expr>),
    /// `left op right`.
    Binary(BinaryOp, Option<Label>, Box<Expr>, Box<Expr>),
    /// `guard ? yes : no`.
    Mux(Option<Label>, Box<Expr>, Box<Expr>, Box<Expr>),
    /// `<from |> to> value`.
    Relabel(Label, Label, Box<Expr>),
    /// `{1, 2, 3}`.
    List(Vec<Expr>),
}

/// The unary operators.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `!`
    Not,
    /// `~`
    Invert,
    /// `-`
    Neg,
}

/// The binary operators.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the operator of its name")]
pub enum BinaryOp {
    Or,
    BoolXor,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Shl,
    Shr,
    ShrLogical,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Pow,
}

impl BinaryOp {
    /// Every operator with its text and precedence, the loosest first.
    pub const ALL: [(&'static str, u8, Self); 21] = [
        ("||", 1, Self::Or),
        ("@", 2, Self::BoolXor),
        ("&&", 3, Self::And),
        ("|", 4, Self::BitOr),
        ("^", 5, Self::BitXor),
        ("&", 6, Self::BitAnd),
        ("==", 7, Self::Eq),
        ("!=", 7, Self::Ne),
        ("<", 8, Self::Lt),
        ("<=", 8, Self::Le),
        (">", 8, Self::Gt),
        (">=", 8, Self::Ge),
        ("<<", 9, Self::Shl),
        (">>", 9, Self::Shr),
        (">>>", 9, Self::ShrLogical),
        ("+", 10, Self::Add),
        ("-", 10, Self::Sub),
        ("*", 11, Self::Mul),
        ("/", 11, Self::Div),
        ("%", 11, Self::Rem),
        ("^^", 12, Self::Pow),
    ];

    /// The operator's text.
    #[must_use]
    pub fn text(self) -> &'static str {
        Self::ALL.iter().find(|o| o.2 == self).map_or("?", |o| o.0)
    }
}

impl UnaryOp {
    /// The operator's text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Not => "!",
            Self::Invert => "~",
            Self::Neg => "-",
        }
    }
}

impl Base {
    /// The number of bits of a value.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Int { bits, .. } => bits,
            Self::Bool => 1,
            Self::Float => 64,
            Self::Fix { bits, .. } => bits,
        }
    }

    /// Whether values have a fraction.
    #[must_use]
    pub const fn real(self) -> bool {
        matches!(self, Self::Float | Self::Fix { .. })
    }

    /// The base type of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let int = |signed, bits| Some(Self::Int { signed, bits });
        match text {
            "int8" => int(true, 8),
            "int16" => int(true, 16),
            "int32" => int(true, 32),
            "int64" => int(true, 64),
            "uint8" => int(false, 8),
            "uint16" => int(false, 16),
            "uint32" => int(false, 32),
            "uint64" => int(false, 64),
            "bool" => Some(Self::Bool),
            "float" => Some(Self::Float),
            _ => None,
        }
    }
}

impl core::fmt::Display for Base {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Int { signed, bits } => write!(f, "{}int{bits}", if *signed { "" } else { "u" }),
            Self::Bool => f.write_str("bool"),
            Self::Float => f.write_str("float"),
            Self::Fix { bits, fraction } => write!(f, "fix<{bits}, {fraction}>"),
        }
    }
}

impl Label {
    /// The label of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "pl" => Some(Self::Pl),
            "al" => Some(Self::Al),
            "bl" => Some(Self::Bl),
            "fl" => Some(Self::Fl),
            _ => None,
        }
    }
}

impl core::fmt::Display for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Pl => "pl",
            Self::Al => "al",
            Self::Bl => "bl",
            Self::Fl => "fl",
        })
    }
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::All => "ALL",
        })
    }
}
