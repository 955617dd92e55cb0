//! Versions of a program that show more of it.

use ezpc_lang::syntax::ast::{
    Base, Expr, ExprKind, Function, Item, Label, Name, Program, Role, Signature, Stmt, StmtKind, Type,
};
use std::collections::BTreeMap;

/// Puts out what `main` assigns; whether that is anything.
pub(super) fn watch(program: &mut Program) -> bool {
    let mut changed = false;
    let Some(main) = main_of(program) else { return false };
    for stmt in core::mem::take(&mut main.body) {
        let span = stmt.span;
        let assigned = match &stmt.kind {
            StmtKind::Assign(place, ..) => Some(place.clone()),
            StmtKind::Declare(_, name, Some(value)) => {
                Some(Expr { kind: ExprKind::Var(name.text.clone()), span: value.span })
            }
            _ => None,
        };
        main.body.push(stmt);
        if let Some(value) = assigned {
            main.body.push(Stmt { kind: StmtKind::Output(Role::All, value), span });
            changed = true;
        }
    }
    changed
}

/// Passes what `main` assigns to secret variables from public values through `hide_…`, a Rust function that makes
/// it a private input; whether there was any.
pub(super) fn hide(program: &mut Program) -> bool {
    let Some(main) = main_of(program) else { return false };
    let mut hide = Hide::default();
    hide.stmts(&mut main.body);
    for (name, ty) in &hide.needed {
        let public = Type { label: Some(Label::Pl), ..ty.clone() };
        let named = |text: &str| Name { text: text.to_owned(), span: ty.span };
        let signature = Signature {
            docs: Vec::new(),
            result: Some(ty.clone()),
            name: named(name),
            params: vec![(public, named("x"))],
        };
        program.items.insert(0, Item::Extern(signature));
    }
    !hide.needed.is_empty()
}

fn main_of(program: &mut Program) -> Option<&mut Function> {
    program.items.iter_mut().find_map(|item| match item {
        Item::Function(function) if function.signature.name.text == "main" => Some(function),
        _ => None,
    })
}

#[derive(Default)]
struct Hide {
    /// The secret variables of `main` and the types of their elements. EzPC's programs do not shadow.
    secret: BTreeMap<String, Type>,
    needed: BTreeMap<String, Type>,
}

impl Hide {
    fn stmts(&mut self, stmts: &mut [Stmt]) {
        for stmt in stmts {
            match &mut stmt.kind {
                StmtKind::Declare(ty, name, value) => {
                    self.declare(ty, name);
                    if let (Some(value), true) = (value, ty.sizes.is_empty()) {
                        self.value(&name.text, value);
                    }
                }
                StmtKind::Input(_, name, ty) => self.declare(ty, name),
                StmtKind::Assign(place, None, value) => {
                    if let Some(name) = root(place) {
                        self.value(&name, value);
                    }
                }
                StmtKind::For(_, _, _, body) | StmtKind::While(_, body) | StmtKind::Block(body) => {
                    self.stmts(body);
                }
                StmtKind::If(_, then, otherwise) => {
                    self.stmts(then);
                    self.stmts(otherwise);
                }
                _ => {}
            }
        }
    }

    fn declare(&mut self, ty: &Type, name: &Name) {
        if ty.label != Some(Label::Pl) {
            self.secret.insert(name.text.clone(), Type { sizes: Vec::new(), ..ty.clone() });
        }
    }

    fn value(&mut self, target: &str, value: &mut Expr) {
        let Some(ty) = self.secret.get(target) else { return };
        if !self.public(value) {
            return;
        }
        let base = match ty.base {
            Base::Int { signed, bits } => format!("{}int{bits}", if signed { "" } else { "u" }),
            Base::Bool => "bool".to_owned(),
            _ => "float".to_owned(),
        };
        let name = format!("hide_{base}");
        self.needed.insert(name.clone(), Type { label: None, ..ty.clone() });
        let span = value.span;
        let inner = core::mem::replace(value, Expr { kind: ExprKind::Bool(false), span });
        value.kind = ExprKind::Call(Name { text: name, span }, vec![inner]);
    }

    /// Whether no secret variable and no function is in an expression.
    fn public(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Int(..) | ExprKind::Float(_) | ExprKind::Bool(_) => true,
            ExprKind::Var(name) => !self.secret.contains_key(name),
            ExprKind::Index(array, index) => self.public(array) && self.public(index),
            ExprKind::Unary(_, _, x) => self.public(x),
            ExprKind::Binary(_, _, x, y) => self.public(x) && self.public(y),
            ExprKind::Mux(_, c, t, e) => self.public(c) && self.public(t) && self.public(e),
            _ => false,
        }
    }
}

fn root(place: &Expr) -> Option<String> {
    match &place.kind {
        ExprKind::Var(name) => Some(name.clone()),
        ExprKind::Index(array, _) => root(array),
        _ => None,
    }
}
