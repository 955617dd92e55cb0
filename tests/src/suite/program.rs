//! One program: its inputs and outputs as the front end sees them, and what it is run on.

use super::{known, rewrite};
use ezpc_lang::ir::{Expr, ExprKind, Field, Function, Stmt};
use ezpc_lang::syntax::ast;
use std::path::{Path, PathBuf};

/// A program in a file.
#[derive(Clone, Debug)]
pub struct Program {
    /// What to call it in a report.
    pub name: String,
    /// Its text.
    pub path: PathBuf,
    /// What it is run on; never empty.
    pub cases: Vec<Case>,
    /// Inputs: name, and whose.
    pub(super) inputs: Vec<(String, ast::Role)>,
    /// Outputs: name, and who learns them.
    pub(super) outputs: Vec<(String, ast::Role)>,
}

/// The inputs of one run as Rust text, and what is known of the outputs.
#[derive(Clone, Debug, Default)]
pub struct Case {
    pub(super) inputs: Vec<(String, String)>,
    pub(super) outputs: Vec<(String, String)>,
}

impl Case {
    pub(super) fn new(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> Self {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        Self { inputs: own(inputs), outputs: own(outputs) }
    }
}

impl Program {
    /// The program in the file `path`, unchanged, and versions of it that are written to `work`: one that puts out
    /// what its `main` assigns when it puts out nothing, and one in which the constants of `main` are the server's
    /// private inputs, so that nothing can be computed before the parties talk.
    ///
    /// # Errors
    /// The diagnostics of the front end; what else keeps it from being run.
    pub fn load(name: &str, path: &Path, work: &Path) -> Result<Vec<Self>, String> {
        let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
        let mut all = vec![Self::check(name, path, &text, false)?];
        let mut diagnostics = ezpc_lang::diag::Diagnostics::default();
        let mut tree = ezpc_lang::syntax::parse_file(&text, proc_macro2::Span::call_site(), &mut diagnostics);
        let watched = all[0].outputs.is_empty();
        if watched && rewrite::watch(&mut tree) {
            all.push(Self::written(name, "outputs added", &tree, work, watched)?);
        }
        if rewrite::hide(&mut tree) {
            all.push(Self::written(name, "constants hidden", &tree, work, watched)?);
        }
        Ok(all)
    }

    /// A version of a program as a file of its own.
    fn written(
        name: &str,
        version: &str,
        tree: &ast::Program,
        work: &Path,
        watched: bool,
    ) -> Result<Self, String> {
        let text = tree.to_string();
        let path = work.join(format!("{name} {version}.ezpc").replace(['/', '\\', ' '], "_"));
        std::fs::create_dir_all(work).map_err(|e| e.to_string())?;
        std::fs::write(&path, &text).map_err(|e| e.to_string())?;
        let program = Self::check(name, &path, &text, watched).map_err(|e| format!("{version}: {e}"))?;
        Ok(Self { name: format!("{name} ({version})"), ..program })
    }

    fn check(name: &str, path: &Path, text: &str, watched: bool) -> Result<Self, String> {
        let compiled = ezpc_lang::compile_file(text, proc_macro2::Span::call_site());
        if !compiled.diagnostics.is_empty() {
            return Err(compiled.diagnostics.print());
        }
        let program = compiled.program;
        if program.functions.iter().all(|f| f.name != "main") {
            return Err("a library: it has no `main`".to_owned());
        }
        let fields = |all: &[Field]| all.iter().map(|f| (f.name.clone(), f.role)).collect::<Vec<_>>();
        let (inputs, outputs) = (fields(&program.inputs), fields(&program.outputs));
        let mut cases = known::cases(name, watched);
        if cases.is_empty() {
            let mut made = Vec::new();
            for (at, field) in program.inputs.iter().enumerate() {
                made.push((field.name.clone(), values(field, &sizes(&program.functions, at)?)));
            }
            // What nothing touches comes out as it went in.
            let echoed = |(name, _): &(String, ast::Role)| {
                let value = &made.iter().find(|m| m.0 == *name)?.1;
                Some((name.clone(), value.replace("vec!", "")))
            };
            let untouched = !text.contains('=');
            let outputs = outputs.iter().filter(|_| untouched).filter_map(echoed).collect();
            cases.push(Case { inputs: made, outputs });
        }
        Ok(Self { name: name.to_owned(), path: path.to_path_buf(), cases, inputs, outputs })
    }
}

/// The sizes that the input of that index is declared with.
fn sizes(functions: &[Function], field: usize) -> Result<Vec<i128>, String> {
    let all = functions.iter().find_map(|f| declared(&f.body, field)).unwrap_or_default();
    let constant = |size: &Expr| match size.kind {
        ExprKind::Int { value, .. } => Ok(value),
        _ => Err("the size of an input depends on the run".to_owned()),
    };
    all.iter().map(constant).collect()
}

fn declared(stmts: &[Stmt], field: usize) -> Option<Vec<Expr>> {
    stmts.iter().find_map(|stmt| match stmt {
        Stmt::Input(_, sizes, at) if *at == field => Some(sizes.clone()),
        Stmt::For(_, _, _, body) | Stmt::While(_, body) | Stmt::Block(body) => declared(body, field),
        Stmt::If(_, then, otherwise) => declared(then, field).or_else(|| declared(otherwise, field)),
        _ => None,
    })
}

/// Values for an input: small, different, and the same on every run.
fn values(field: &Field, sizes: &[i128]) -> String {
    fn nested(base: ast::Base, sizes: &[i128], next: &mut i128) -> String {
        let Some((&size, rest)) = sizes.split_first() else {
            *next += 1;
            return match base {
                ast::Base::Bool => (*next % 3 == 1).to_string(),
                ast::Base::Int { .. } => (*next % 100).to_string(),
                _ => format!("{}.5", *next % 100),
            };
        };
        let rows: Vec<String> = (0..size).map(|_| nested(base, rest, next)).collect();
        format!("vec![{}]", rows.join(", "))
    }
    nested(field.ty.base, sizes, &mut 0)
}
