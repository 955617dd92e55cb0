//! The intermediate representation as text.

use super::{Callee, Expr, ExprKind, Function, Program, Stmt, Ty};
use core::fmt::{self, Display, Formatter, Write};

impl Display for Ty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_{}", if self.constant { "const " } else { "" }, self.base, self.label)?;
        (0..self.rank).try_for_each(|_| f.write_str("[]"))
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for function in &self.functions {
            let printer = Printer { program: self, function };
            f.write_str(&printer.function())?;
        }
        for (what, fields) in [("input", &self.inputs), ("output", &self.outputs)] {
            for field in fields {
                let many = if field.repeated { " *" } else { "" };
                writeln!(f, "{what} {} {}: {}{many}", field.role, field.name, field.ty)?;
            }
        }
        Ok(())
    }
}

struct Printer<'a> {
    program: &'a Program,
    function: &'a Function,
}

impl Printer<'_> {
    fn function(&self) -> String {
        let mut out = String::from("def ");
        match self.function.result {
            Some(ty) => out.push_str(&ty.to_string()),
            None => out.push_str("void"),
        }
        let params: Vec<String> = self.function.vars[..self.function.params]
            .iter()
            .map(|v| format!("{} {}", v.ty, v.name))
            .collect();
        let _ = writeln!(out, " {}({}) {{", self.function.name, params.join(", "));
        self.block(&mut out, &self.function.body, 1);
        out.push_str("}\n");
        out
    }

    fn block(&self, out: &mut String, stmts: &[Stmt], depth: usize) {
        let pad = "  ".repeat(depth);
        for stmt in stmts {
            let line = match stmt {
                Stmt::Declare(var, sizes, value) => {
                    let value = value.as_ref().map(|v| format!(" = {}", self.expr(v))).unwrap_or_default();
                    let base = Ty { rank: 0, ..self.function.vars[*var].ty };
                    let ty = format!("{base}{}", self.indices(sizes));
                    format!("{ty} {}{value};", self.var(*var))
                }
                Stmt::Assign(var, index, value) => {
                    format!("{}{} = {};", self.var(*var), self.indices(index), self.expr(value))
                }
                Stmt::AssignOblivious(var, index, value) => {
                    format!("{}[{}] = {};", self.var(*var), self.expr(index), self.expr(value))
                }
                Stmt::Copy(to, from) => format!("{}[..] = {};", self.expr(to), self.expr(from)),
                Stmt::Call(callee, args, _) => format!("{};", self.call(*callee, args)),
                Stmt::For(var, from, to, body) => {
                    let head = format!(
                        "{pad}for {} = [{} : {}] {{\n",
                        self.var(*var),
                        self.expr(from),
                        self.expr(to)
                    );
                    self.nested(out, &head, body, depth);
                    continue;
                }
                Stmt::While(guard, body) => {
                    self.nested(out, &format!("{pad}while ({}) {{\n", self.expr(guard)), body, depth);
                    continue;
                }
                Stmt::If(guard, then, otherwise) => {
                    self.nested(out, &format!("{pad}if ({}) {{\n", self.expr(guard)), then, depth);
                    if !otherwise.is_empty() {
                        self.nested(out, &format!("{pad}else {{\n"), otherwise, depth);
                    }
                    continue;
                }
                Stmt::Return(None) => "return;".to_owned(),
                Stmt::Return(Some(value)) => format!("return {};", self.expr(value)),
                Stmt::Input(var, sizes, field) => {
                    let field = &self.program.inputs[*field];
                    format!(
                        "input({}, {}, {}{});",
                        field.role,
                        self.var(*var),
                        field.ty.base,
                        self.indices(sizes)
                    )
                }
                Stmt::Output(value, field) => {
                    format!("output({}, {});", self.program.outputs[*field].role, self.expr(value))
                }
                Stmt::Block(body) => {
                    self.nested(out, &format!("{pad}{{\n"), body, depth);
                    continue;
                }
                Stmt::Lanes(lanes) => {
                    let name = |var: usize| self.var(var);
                    let apart = lanes.apart.iter().map(|&(a, b)| format!("{} != {}", name(a), name(b)));
                    let apart: Vec<String> = apart.collect();
                    let when =
                        if apart.is_empty() { String::new() } else { format!(" when {}", apart.join(", ")) };
                    let (var, from, to) = (self.var(lanes.var), self.expr(&lanes.from), self.expr(&lanes.to));
                    let head = format!("{pad}lanes {var} = [{from} : {to}]{when} {{\n");
                    self.nested(out, &head, &lanes.body, depth);
                    continue;
                }
                Stmt::Accumulate(var, index, op, label, value) => {
                    let label = label.unwrap_or(value.ty.label);
                    let place = format!("{}{}", self.var(*var), self.indices(index));
                    format!("{place} {}_{label}= {};", op.text(), self.expr(value))
                }
                Stmt::Contest(contest) => {
                    let which = if contest.larger { "largest" } else { "smallest" };
                    let tie = if contest.first { "first" } else { "last" };
                    let with =
                        contest.with.iter().map(|(v, _, e)| format!(", {} = {}", self.var(*v), self.expr(e)));
                    let (var, with) = (self.var(contest.var), with.collect::<String>());
                    format!("{var} = {tie} {which}({var}, {}){with};", self.expr(&contest.value))
                }
            };
            let _ = writeln!(out, "{pad}{line}");
        }
    }

    fn nested(&self, out: &mut String, head: &str, body: &[Stmt], depth: usize) {
        out.push_str(head);
        self.block(out, body, depth + 1);
        let _ = writeln!(out, "{}}}", "  ".repeat(depth));
    }

    fn var(&self, var: usize) -> &str {
        &self.function.vars[var].name
    }

    fn indices(&self, index: &[Expr]) -> String {
        index.iter().map(|i| format!("[{}]", self.expr(i))).collect()
    }

    fn call(&self, callee: Callee, args: &[Expr]) -> String {
        let name = match callee {
            Callee::Def(f) => &self.program.functions[f].name,
            Callee::Extern(f) => &self.program.externs[f].name,
        };
        let args: Vec<String> = args.iter().map(|a| self.expr(a)).collect();
        format!("{name}({})", args.join(", "))
    }

    fn expr(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Int { value, .. } => format!("{value}"),
            ExprKind::Bool(value) => format!("{value}"),
            ExprKind::Float(value) => format!("{value:?}"),
            ExprKind::Var(var) => self.var(*var).to_owned(),
            ExprKind::Index(var, index) => format!("{}{}", self.var(*var), self.indices(index)),
            ExprKind::Oblivious(array, index) => format!("{}[{}]", self.expr(array), self.expr(index)),
            ExprKind::Unary(op, x) => format!("({}_{} {})", op.text(), expr.ty.label, self.expr(x)),
            ExprKind::Binary(op, _, x, y) => {
                let label = if x.ty.public() { x.ty.label } else { expr.ty.label };
                format!("({} {}_{label} {})", self.expr(x), op.text(), self.expr(y))
            }
            ExprKind::Mux(_, c, t, e) => {
                let label = if c.ty.public() { c.ty.label } else { expr.ty.label };
                format!("({} ?_{label} {} : {})", self.expr(c), self.expr(t), self.expr(e))
            }
            ExprKind::Call(callee, args) => self.call(*callee, args),
            ExprKind::Convert(x) if x.ty.base == expr.ty.base => {
                format!("<{} |> {}>{}", x.ty.label, expr.ty.label, self.expr(x))
            }
            ExprKind::Convert(x) => format!("<{} |> {}>{}", x.ty, expr.ty, self.expr(x)),
            ExprKind::Reveal(role, x) => format!("reveal({role}, {})", self.expr(x)),
        }
    }
}
