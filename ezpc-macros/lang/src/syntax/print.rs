//! The syntax tree as text, fully parenthesised.

use super::ast::{Expr, ExprKind, Item, Label, Program, Signature, Stmt, StmtKind, Type};
use core::fmt::{self, Display, Formatter, Write};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for item in &self.items {
            match item {
                Item::Constant(ty, name, value) => writeln!(f, "{ty} {} = {value};", name.text)?,
                Item::Extern(signature) => writeln!(f, "extern {signature};")?,
                Item::Function(function) => {
                    writeln!(f, "def {} {{", function.signature)?;
                    block(f, &function.body, 1)?;
                    writeln!(f, "}}")?;
                }
            }
        }
        Ok(())
    }
}

impl Display for Signature {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.result {
            Some(ty) => write!(f, "{ty}")?,
            None => f.write_str("void")?,
        }
        write!(f, " {}(", self.name.text)?;
        for (i, (ty, name)) in self.params.iter().enumerate() {
            write!(f, "{}{ty} {}", if i > 0 { ", " } else { "" }, name.text)?;
        }
        f.write_char(')')
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.constant { "const " } else { "" }, self.base)?;
        if let Some(label) = self.label {
            write!(f, "_{label}")?;
        }
        self.sizes.iter().try_for_each(|size| write!(f, "[{size}]"))
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let suffix = |label: &Option<Label>| label.map(|l| format!("_{l}")).unwrap_or_default();
        match &self.kind {
            ExprKind::Int(value, suffix) => write!(f, "{value}{}", suffix.replace('l', "L")),
            ExprKind::Float(text) => f.write_str(text),
            ExprKind::Bool(value) => write!(f, "{value}"),
            ExprKind::Var(name) => f.write_str(name),
            ExprKind::Call(name, args) => {
                write!(f, "{}(", name.text)?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i > 0 { ", " } else { "" })?;
                }
                f.write_char(')')
            }
            ExprKind::Cast(base, value) => write!(f, "{base}({value})"),
            ExprKind::Reveal(role, value) => write!(f, "reveal({role}, {value})"),
            ExprKind::Index(array, index) => write!(f, "{array}[{index}]"),
            ExprKind::Unary(op, label, value) => write!(f, "({}{} {value})", op.text(), suffix(label)),
            ExprKind::Binary(op, label, left, right) => {
                write!(f, "({left} {}{} {right})", op.text(), suffix(label))
            }
            ExprKind::Mux(label, guard, yes, no) => write!(f, "({guard} ?{} {yes} : {no})", suffix(label)),
            ExprKind::Relabel(from, to, value) => write!(f, "(<{from} |> {to}> {value})"),
            ExprKind::List(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "{{{}}}", values.join(", "))
            }
        }
    }
}

fn block(f: &mut Formatter<'_>, stmts: &[Stmt], depth: usize) -> fmt::Result {
    stmts.iter().try_for_each(|stmt| print_stmt(f, stmt, depth))
}

fn print_stmt(f: &mut Formatter<'_>, stmt: &Stmt, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    f.write_str(&pad)?;
    match &stmt.kind {
        StmtKind::Declare(ty, name, None) => writeln!(f, "{ty} {};", name.text),
        StmtKind::Declare(ty, name, Some(value)) => writeln!(f, "{ty} {} = {value};", name.text),
        StmtKind::Assign(place, op, value) => {
            writeln!(f, "{place} {}= {value};", op.map_or("", |o| o.text()))
        }
        StmtKind::Call(name, args) => {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            writeln!(f, "{}({});", name.text, args.join(", "))
        }
        StmtKind::For(name, from, to, body) => {
            writeln!(f, "for {} = [{from} : {to}] {{", name.text)?;
            block(f, body, depth + 1)?;
            writeln!(f, "{pad}}}")
        }
        StmtKind::While(guard, body) => {
            writeln!(f, "while {guard} {{")?;
            block(f, body, depth + 1)?;
            writeln!(f, "{pad}}}")
        }
        StmtKind::If(guard, then, otherwise) => {
            writeln!(f, "if ({guard}) {{")?;
            block(f, then, depth + 1)?;
            if !otherwise.is_empty() {
                writeln!(f, "{pad}}} else {{")?;
                block(f, otherwise, depth + 1)?;
            }
            writeln!(f, "{pad}}}")
        }
        StmtKind::Return(None) => writeln!(f, "return;"),
        StmtKind::Return(Some(value)) => writeln!(f, "return {value};"),
        StmtKind::Input(role, name, ty) => writeln!(f, "input({role}, {}, {ty});", name.text),
        StmtKind::Output(role, value) => writeln!(f, "output({role}, {value});"),
        StmtKind::Block(body) => {
            writeln!(f, "{{")?;
            block(f, body, depth + 1)?;
            writeln!(f, "{pad}}}")
        }
    }
}
