//! Semantics: resolves names, checks the static rules, infers labels, inserts conversions.

mod array;
mod effects;
mod expr;
mod fields;
mod operator;
mod recursion;
mod stmt;

pub(crate) use expr::wrap;

use crate::diag::Place;
use crate::diag::{Code, Diagnostics};
use crate::ir::{self, Ty};
use crate::syntax::ast::{self, Base, Label};
use std::collections::HashMap;

/// Checks a program. Functions with errors come out marked as broken.
pub fn check(program: &ast::Program, diagnostics: &mut Diagnostics) -> ir::Program {
    let mut sema = Sema {
        diagnostics,
        heads: Vec::new(),
        names: HashMap::new(),
        constants: HashMap::new(),
        out: ir::Program::default(),
    };
    sema.out.header = program.header.clone();
    sema.collect(program);
    for item in &program.items {
        if let ast::Item::Function(function) = item {
            let checked = Body::check(&mut sema, function);
            sema.out.functions.push(checked);
        }
    }
    effects::check(&mut sema.out, sema.diagnostics);
    recursion::check(&mut sema.out, sema.diagnostics);
    fields::name(&mut sema.out, sema.diagnostics);
    sema.out
}

/// What is known of the whole program.
struct Sema<'d> {
    diagnostics: &'d mut Diagnostics,
    heads: Vec<Head>,
    names: HashMap<String, ir::Callee>,
    constants: HashMap<String, ir::Expr>,
    out: ir::Program,
}

/// The head of a function.
#[derive(Clone)]
struct Head {
    params: Vec<Ty>,
    result: Option<Ty>,
}

impl Sema<'_> {
    /// Collects the heads of all functions, so that the order of definitions does not matter, and evaluates the
    /// globals.
    fn collect(&mut self, program: &ast::Program) {
        for item in &program.items {
            match item {
                ast::Item::Function(function) => {
                    let head = self.head(&function.signature);
                    let id = ir::Callee::Def(self.heads.len());
                    self.heads.push(head);
                    self.declare(&function.signature.name, id);
                }
                ast::Item::Extern(signature) => {
                    let head = self.head(signature);
                    let id = ir::Callee::Extern(self.out.externs.len());
                    self.out.externs.push(ir::Extern {
                        name: signature.name.text.clone(),
                        span: signature.name.span,
                        params: head.params,
                        result: head.result,
                    });
                    self.declare(&signature.name, id);
                }
                ast::Item::Constant(..) => {}
            }
        }
        for item in &program.items {
            if let ast::Item::Constant(ty, name, value) = item {
                self.constant(ty, name, value);
            }
        }
    }

    fn declare(&mut self, name: &ast::Name, id: ir::Callee) {
        if self.names.contains_key(&name.text) || self.constants.contains_key(&name.text) {
            let message = format!("`{}` is defined twice", name.text);
            self.diagnostics.report(Code::Redeclared, name.span, message);
            return;
        }
        self.names.insert(name.text.clone(), id);
    }

    fn head(&mut self, signature: &ast::Signature) -> Head {
        if let Some(ty) = &signature.result
            && !ty.sizes.is_empty()
        {
            self.diagnostics.report_with(
                Code::Unsupported,
                ty.span,
                "a function cannot return an array",
                "pass the array as an argument and write to it",
            );
        }
        let params = signature.params.iter().map(|(ty, _)| self.ty(ty)).collect();
        let result = signature.result.as_ref().map(|ty| Ty { rank: 0, ..self.ty(ty) });
        Head { params, result }
    }

    /// A type as written, with its default label.
    fn ty(&mut self, ty: &ast::Type) -> Ty {
        let label = ty.label.unwrap_or_else(|| default_label(ty.base));
        let fits = match ty.base {
            Base::Int { .. } => label != Label::Fl,
            Base::Bool => matches!(label, Label::Pl | Label::Bl),
            Base::Float | Base::Fix { .. } => matches!(label, Label::Pl | Label::Fl),
        };
        if !fits {
            self.diagnostics.report(Code::BadLabel, ty.span, format!("`{}` cannot be `{label}`", ty.base));
        }
        let label = if fits { label } else { default_label(ty.base) };
        Ty { base: ty.base, label, rank: ty.sizes.len(), constant: ty.constant }
    }

    fn constant(&mut self, ty: &ast::Type, name: &ast::Name, value: &ast::Expr) {
        if !ty.sizes.is_empty() || ty.label.is_some_and(|l| l != Label::Pl) {
            self.diagnostics.report(Code::BadConstant, ty.span, "a global is a public scalar");
            return;
        }
        if self.names.contains_key(&name.text) || self.constants.contains_key(&name.text) {
            let message = format!("`{}` is defined twice", name.text);
            self.diagnostics.report(Code::Redeclared, name.span, message);
            return;
        }
        let ty = Ty::scalar(self.ty(&ast::Type { label: Some(Label::Pl), ..ty.clone() }).base, Label::Pl);
        let before = self.diagnostics.all().len();
        let mut body = Body::new(self, None);
        let value = body.expr(value).and_then(|value| body.coerce(value, ty)).map(crate::opt::fold);
        let value = match value {
            Some(value)
                if matches!(
                    value.kind,
                    ir::ExprKind::Int { .. } | ir::ExprKind::Bool(_) | ir::ExprKind::Float(_)
                ) =>
            {
                value
            }
            Some(value) => {
                let message = format!("the value of `{}` is not a constant", name.text);
                self.diagnostics.report(Code::BadConstant, value.span, message);
                zero(ty, name.span)
            }
            None => {
                debug_assert!(self.diagnostics.all().len() > before);
                zero(ty, name.span)
            }
        };
        self.constants.insert(name.text.clone(), value);
    }
}

/// The state of checking one function.
struct Body<'s, 'd> {
    sema: &'s mut Sema<'d>,
    vars: Vec<ir::Var>,
    /// Names of each scope, innermost last.
    scopes: Vec<HashMap<String, ir::VarId>>,
    /// The scope each variable is declared in.
    depths: Vec<usize>,
    /// Loop variables.
    fixed: Vec<ir::VarId>,
    /// `Some(None)` in a void function; `None` outside of functions.
    result: Option<Option<Ty>>,
    /// Inside an `if` on a secret value: its condition, and the scope from which on variables are its own.
    guard: Option<(ir::VarId, usize)>,
    /// Inside a loop or branch: a statement may run any number of times.
    repeated: bool,
    /// The sizes of arrays.
    sizes_of: HashMap<ir::VarId, Vec<ir::Expr>>,
    /// Loops that the present statement needs before it.
    pending: Vec<ir::Stmt>,
}

impl<'s, 'd> Body<'s, 'd> {
    fn new(sema: &'s mut Sema<'d>, result: Option<Option<Ty>>) -> Self {
        Self {
            sema,
            vars: Vec::new(),
            scopes: vec![HashMap::new()],
            depths: Vec::new(),
            fixed: Vec::new(),
            result,
            guard: None,
            repeated: false,
            sizes_of: HashMap::new(),
            pending: Vec::new(),
        }
    }

    fn check(sema: &'s mut Sema<'d>, function: &ast::Function) -> ir::Function {
        let before = sema.diagnostics.all().len();
        let ast::Signature { docs, result, name, params } = &function.signature;
        let id = sema.out.functions.len();
        let head = sema.heads[id].clone();
        let mut body = Body::new(sema, Some(head.result));
        let mut param_sizes = Vec::new();
        for ((ty, name), &checked) in params.iter().zip(&head.params) {
            param_sizes.push(body.sizes(&ty.sizes));
            body.declare(name, checked);
        }
        let count = body.vars.len();
        // What loops over a parameter need to know of it.
        let mut stmts = Vec::new();
        for (var, sizes) in param_sizes.iter().enumerate().filter(|(_, sizes)| !sizes.is_empty()) {
            let _ = body.sized(var, sizes.clone(), &mut stmts);
        }
        stmts.extend(body.stmts(&function.body));
        if result.is_some() && !returns(&stmts) {
            body.report(
                Code::MissingReturn,
                function.end,
                format!("`{}` may end without a result", name.text),
            );
        }
        let vars = body.vars;
        ir::Function {
            name: name.text.clone(),
            span: name.span,
            docs: docs.clone(),
            params: count,
            param_sizes,
            result: head.result,
            vars,
            body: stmts,
            talks: false,
            recursive: false,
            broken: sema.diagnostics.all().len() > before || count != params.len(),
        }
    }

    #[track_caller]
    fn report(&mut self, code: Code, span: Place, message: impl Into<String>) {
        Diagnostics::report(self.sema.diagnostics, code, span, message);
    }

    #[track_caller]
    fn report_with(&mut self, code: Code, span: Place, message: impl Into<String>, help: impl Into<String>) {
        Diagnostics::report_with(self.sema.diagnostics, code, span, message, help);
    }

    // ---- names -------------------------------------------------------------------------------------------

    fn declare(&mut self, name: &ast::Name, ty: Ty) -> ir::VarId {
        let scope = self.scopes.last().expect("a body has a scope");
        if scope.contains_key(&name.text) {
            self.report(
                Code::Redeclared,
                name.span,
                format!("`{}` is declared twice in one scope", name.text),
            );
        }
        // In Rust a new name would hide the old one from its own value.
        let own = match self.find(&name.text) {
            Some(_) => format!("{}__{}", name.text, self.vars.len()),
            None => name.text.clone(),
        };
        let id = self.hidden(&own, name.span, ty);
        self.scopes.last_mut().expect("a body has a scope").insert(name.text.clone(), id);
        id
    }

    /// A variable that no name finds.
    fn hidden(&mut self, name: &str, span: Place, ty: Ty) -> ir::VarId {
        self.vars.push(ir::Var { name: name.to_owned(), span, ty, written: false });
        self.depths.push(self.scopes.len());
        self.vars.len() - 1
    }

    /// The name of a variable in the text.
    fn called(&self, var: ir::VarId) -> String {
        let name = &self.vars[var].name;
        name.strip_suffix(&format!("__{var}")).unwrap_or(name).to_owned()
    }

    fn find(&self, name: &str) -> Option<ir::VarId> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name).copied())
    }

    fn unknown(&mut self, name: &str, span: Place) {
        let mut known: Vec<&str> = self.scopes.iter().flat_map(|s| s.keys().map(String::as_str)).collect();
        known.extend(self.sema.constants.keys().map(String::as_str));
        let help =
            nearest(name, known).map(|near| format!("a variable with a similar name exists: `{near}`"));
        let help = help.unwrap_or_else(|| Code::UnknownName.help().to_owned());
        self.report_with(Code::UnknownName, span, format!("nothing is called `{name}` here"), help);
    }

    fn callee(&mut self, name: &ast::Name) -> Option<(ir::Callee, Head)> {
        if let Some(&callee) = self.sema.names.get(&name.text) {
            let head = match callee {
                ir::Callee::Def(id) => self.sema.heads[id].clone(),
                ir::Callee::Extern(id) => {
                    let found = &self.sema.out.externs[id];
                    Head { params: found.params.clone(), result: found.result }
                }
            };
            return Some((callee, head));
        }
        let help = nearest(&name.text, self.sema.names.keys().map(String::as_str).collect())
            .map(|near| format!("a function with a similar name exists: `{near}`"));
        let help = help.unwrap_or_else(|| Code::UnknownFunction.help().to_owned());
        self.report_with(
            Code::UnknownFunction,
            name.span,
            format!("no function is called `{}`", name.text),
            help,
        );
        None
    }

    /// The sizes of an array: public integers.
    fn sizes(&mut self, sizes: &[ast::Expr]) -> Vec<ir::Expr> {
        let mut all = Vec::new();
        for size in sizes {
            if let Some(checked) = self.public_integer(size, "the size of an array") {
                if let ir::ExprKind::Int { value, .. } = crate::opt::fold(checked.clone()).kind
                    && value < 0
                {
                    let message = "the size of an array is negative";
                    self.report_with(Code::TypeMismatch, checked.span, message, "sizes are 0 or more");
                }
                all.push(checked);
            }
        }
        all
    }

    fn public_integer(&mut self, expr: &ast::Expr, what: &str) -> Option<ir::Expr> {
        let checked = self.expr(expr)?;
        if !checked.ty.integer() || checked.ty.rank > 0 {
            let message = format!("{what} is an integer, not `{}`", checked.ty);
            self.report_with(Code::TypeMismatch, checked.span, message, "write a public integer");
            return None;
        }
        if !checked.ty.public() {
            self.report(Code::SecretSize, checked.span, format!("{what} is public, not `{}`", checked.ty));
            return None;
        }
        Some(checked)
    }
}

fn default_label(base: Base) -> Label {
    match base {
        Base::Int { .. } => Label::Al,
        Base::Bool => Label::Bl,
        Base::Float | Base::Fix { .. } => Label::Fl,
    }
}

fn zero(ty: Ty, span: Place) -> ir::Expr {
    let kind = match ty.base {
        Base::Bool => ir::ExprKind::Bool(false),
        Base::Float | Base::Fix { .. } => ir::ExprKind::Float(0.0),
        Base::Int { .. } => ir::ExprKind::Int { value: 0, flexible: false },
    };
    ir::Expr { kind, ty, span }
}

/// Whether every path through the statements ends with `return`.
fn returns(stmts: &[ir::Stmt]) -> bool {
    stmts.iter().any(|stmt| match stmt {
        ir::Stmt::Return(_) => true,
        ir::Stmt::If(_, then, otherwise) => returns(then) && returns(otherwise),
        ir::Stmt::Block(body) => returns(body),
        _ => false,
    })
}

/// The name at most two edits away.
fn nearest<'n>(name: &str, known: Vec<&'n str>) -> Option<&'n str> {
    let mut scored: Vec<(usize, &str)> = known.into_iter().map(|k| (distance(name, k), k)).collect();
    scored.sort_unstable();
    scored.into_iter().find(|&(d, k)| d <= 2 && d < k.len().min(name.len())).map(|s| s.1)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}
