//! The fields of the inputs and outputs of `main`: which statements may run how often, and their names.

use crate::diag::{Code, Diagnostics};
use crate::ir::{Callee, Field, Program, Stmt};
use std::collections::HashSet;

/// Names the fields, and marks those whose statements `main` may not run exactly once.
pub(super) fn name(program: &mut Program, diagnostics: &mut Diagnostics) {
    let main = program.functions.iter().position(|f| f.name == "main");
    if let Some(main) = main
        && (program.functions[main].params > 0 || program.functions[main].result.is_some())
    {
        let span = program.functions[main].span;
        diagnostics.report(Code::BadMain, span, "`main` has parameters or a result");
        program.functions[main].broken = true;
    }
    if let (None, Some(talker)) = (main, program.functions.iter().find(|f| f.talks)) {
        let message = format!("`{}` has inputs or outputs, and there is no `main`", talker.name);
        diagnostics.report(Code::BadMain, talker.span, message);
    }
    // A function runs at most once when exactly one statement, which is not repeated, calls it.
    let mut once = vec![0usize; program.functions.len()];
    if let Some(main) = main {
        once[main] += 1;
    }
    for function in &program.functions {
        count(&function.body, false, &mut once);
    }
    for (at, function) in program.functions.iter().enumerate() {
        if once[at] != 1 {
            for (input, field) in fields_of(&function.body) {
                let all = if input { &mut program.inputs } else { &mut program.outputs };
                all[field].repeated = true;
            }
        }
    }
    unique(&mut program.inputs);
    unique(&mut program.outputs);
}

fn count(stmts: &[Stmt], repeated: bool, calls: &mut [usize]) {
    for stmt in stmts {
        match stmt {
            Stmt::Call(Callee::Def(callee), ..) => calls[*callee] += if repeated { 2 } else { 1 },
            Stmt::For(_, _, _, body) | Stmt::While(_, body) => count(body, true, calls),
            Stmt::If(_, then, otherwise) => {
                count(then, true, calls);
                count(otherwise, true, calls);
            }
            Stmt::Block(body) => count(body, repeated, calls),
            _ => {}
        }
    }
}

/// The fields that statements write or read, and whether each is an input.
fn fields_of(stmts: &[Stmt]) -> Vec<(bool, usize)> {
    let mut fields = Vec::new();
    for stmt in stmts {
        match stmt {
            Stmt::Input(_, _, field) => fields.push((true, *field)),
            Stmt::Output(_, field) => fields.push((false, *field)),
            Stmt::For(_, _, _, body) | Stmt::While(_, body) | Stmt::Block(body) => {
                fields.extend(fields_of(body));
            }
            Stmt::If(_, then, otherwise) => {
                fields.extend(fields_of(then));
                fields.extend(fields_of(otherwise));
            }
            _ => {}
        }
    }
    fields
}

/// The second field of one name gets `_2`, and so on.
fn unique(fields: &mut [Field]) {
    let mut taken: HashSet<String> = HashSet::new();
    for field in fields {
        let mut name = field.name.clone();
        let mut count = 1;
        while !taken.insert(name.clone()) {
            count += 1;
            name = format!("{}_{count}", field.name);
        }
        field.name = name;
    }
}
