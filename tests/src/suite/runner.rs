//! Writes a crate for programs, builds and runs it, and reads what it prints.

use super::program::{Case, Program};
use ezpc_lang::syntax::ast::Role;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

/// What one program did on one set of inputs.
#[derive(Clone, Debug, Default)]
pub struct Run {
    error: Option<String>,
    /// By output: what the oracle, the server and the client have.
    values: BTreeMap<String, BTreeMap<String, String>>,
    /// Who learns each output.
    roles: BTreeMap<String, Role>,
    seconds: f64,
    half_rounds: u64,
    /// Of them those in which the program waits; the others make correlations.
    online: u64,
    bytes: u64,
    predicted: (u64, u64),
}

/// Runs every case of every program: one list for each program.
///
/// # Panics
/// When the crate cannot be written, built or run.
#[must_use]
pub fn run(work: &Path, programs: &[Program]) -> Vec<Vec<Run>> {
    std::fs::create_dir_all(work.join("src")).expect("a folder for the crate");
    std::fs::write(work.join("Cargo.toml"), manifest()).expect("the manifest");
    std::fs::copy(crate::root().join("Cargo.lock"), work.join("Cargo.lock")).expect("the same versions");
    std::fs::write(work.join("src/main.rs"), source(programs)).expect("the source");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--manifest-path"])
        .arg(work.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(crate::root().join("target"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(programs, &String::from_utf8_lossy(&output.stdout))
}

fn manifest() -> String {
    let core = crate::root().join("ezpc-core");
    format!(
        "[package]\nname = \"ezpc-suite\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nezpc-core = {{ path = {core:?}, features = [\"testing\"] }}\n\n\
         [profile.release]\ndebug = \"line-tables-only\"\n\n[workspace]\n"
    )
}

/// One module and one call for each program and case.
fn source(programs: &[Program]) -> String {
    let mut text = String::from(PRELUDE);
    let mut calls = String::new();
    for (p, program) in programs.iter().enumerate() {
        let _ = writeln!(
            text,
            "mod p{p} {{ use super::hiding::*; ezpc_core::secure_file! {{ {:?} }} }}",
            program.path
        );
        let fields: Vec<&str> = program.outputs.iter().map(|o| o.0.as_str()).collect();
        for (c, case) in program.cases.iter().enumerate() {
            // Each party gets its own values only.
            let of = |own: &[Role]| {
                let known = |name: &str| case.inputs.iter().find(|i| i.0 == name).map(|i| i.1.as_str());
                let mut all = String::new();
                for (name, role) in &program.inputs {
                    match known(name).filter(|_| own.contains(role)) {
                        Some(value) => write!(all, "{name}: Some({value}), "),
                        None => write!(all, "{name}: None, "),
                    }
                    .expect("writing to text");
                }
                format!("p{p}::Inputs {{ {all} }}")
            };
            let _ = writeln!(
                calls,
                "    case!({:?}, p{p}, {}, {}, {}, [{}]);",
                format!("{p}.{c}"),
                of(&[Role::Server, Role::Client, Role::All]),
                of(&[Role::Server, Role::All]),
                of(&[Role::Client, Role::All]),
                fields.join(", "),
            );
        }
    }
    text + "fn main() {\n" + &calls + "}\n"
}

const PRELUDE: &str = r#"// Written by the test suite.
#![recursion_limit = "512"]
use ezpc_core::Party;
use ezpc_core::protocol::{Cleartext, Protocol, Tally};
use ezpc_core::testing::run_two;
use ezpc_core::transport::Phase;
use std::time::Instant;

/// Public values as private inputs of the server.
#[allow(dead_code)]
mod hiding {
    use ezpc_core::program::{Program, Shared};
    macro_rules! hide {
        ($($name:ident $t:ty),*) => {$(
            pub fn $name<P: super::Protocol>(p: &Program<'_, P>, x: $t) -> ezpc_core::Result<Shared<$t>> {
                p.input(ezpc_core::Party::Server, Some(x))
            }
        )*};
    }
    hide!(hide_int8 i8, hide_int16 i16, hide_int32 i32, hide_int64 i64, hide_bool bool, hide_float f64);
    hide!(hide_uint8 u8, hide_uint16 u16, hide_uint32 u32, hide_uint64 u64);
}

macro_rules! case {
    ($key:literal, $module:ident, $all:expr, $server:expr, $client:expr, [$($field:ident),*]) => {{
        let show = |who: &str, outputs: &$module::Outputs| {
            let _ = (who, outputs);
            $(println!("value\t{}\t{who}\t{}\t{:?}", $key, stringify!($field), outputs.$field);)*
        };
        let run = || -> ezpc_core::Result<()> {
            show("oracle", &$module::main(&mut Cleartext::new(), &$all)?);
            let mut tally = Tally::new(Cleartext::new());
            $module::main(&mut tally, &$all)?;
            let totals = [Phase::Offline, Phase::Online].map(|phase| tally.phase(phase));
            let half_rounds = totals.iter().map(|t| t.half_rounds).sum::<u64>();
            let bytes = totals.iter().flat_map(|t| t.bytes).sum::<u64>();
            println!("predicted\t{}\t{half_rounds}\t{bytes}", $key);
            let [server, client] = run_two(|p| {
                let inputs = match p.party() {
                    Some(Party::Server) => $server,
                    _ => $client,
                };
                let start = Instant::now();
                let outputs = $module::main(p, &inputs)?;
                let counts = [Phase::Offline, Phase::Online].map(|phase| p.stats().phase(phase));
                let sum = |f: fn(&ezpc_core::transport::Counts) -> u64| counts.iter().map(f).sum::<u64>();
                let bytes = sum(|c| c.bytes_sent + c.bytes_received);
                let cost = (sum(|c| c.half_rounds), bytes, counts[1].half_rounds);
                Ok((outputs, start.elapsed().as_secs_f64(), cost))
            })?;
            show("server", &server.0);
            show("client", &client.0);
            let (half_rounds, bytes, online) = server.2;
            println!("counted\t{}\t{}\t{half_rounds}\t{bytes}\t{online}", $key, server.1);
            Ok(())
        };
        if let Err(error) = run() {
            println!("error\t{}\t{error}", $key);
        }
    }};
}

"#;

fn read(programs: &[Program], text: &str) -> Vec<Vec<Run>> {
    let start = |program: &Program| {
        let roles = program.outputs.iter().cloned().collect();
        vec![Run { roles, ..Run::default() }; program.cases.len()]
    };
    let mut all: Vec<Vec<Run>> = programs.iter().map(start).collect();
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let (p, c) = words[1].split_once('.').expect("program and case");
        let run = &mut all[number::<usize>(p)][number::<usize>(c)];
        match words[0] {
            "value" => {
                let value = words[4].strip_prefix("Some(").and_then(|v| v.strip_suffix(')'));
                let value = value.unwrap_or(words[4]).to_owned();
                run.values.entry(words[3].to_owned()).or_default().insert(words[2].to_owned(), value);
            }
            "predicted" => run.predicted = (number(words[2]), number(words[3])),
            "counted" => {
                run.seconds = number(words[2]);
                (run.half_rounds, run.bytes, run.online) =
                    (number(words[3]), number(words[4]), number(words[5]));
            }
            _ => run.error = Some(words[2].to_owned()),
        }
    }
    all
}

fn number<T: FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

impl Run {
    /// What is not as it has to be.
    #[must_use]
    pub fn check(&self, case: &Case) -> Vec<String> {
        if let Some(error) = &self.error {
            return vec![error.clone()];
        }
        let mut wrong = Vec::new();
        for (name, values) in &self.values {
            for who in ["server", "client"] {
                let learns = match self.roles[name] {
                    Role::All => true,
                    Role::Server => who == "server",
                    Role::Client => who == "client",
                };
                let expected = if learns { values["oracle"].as_str() } else { "None" };
                if values[who] != expected {
                    wrong.push(format!("{name}: the {who} has {} instead of {expected}", values[who]));
                }
            }
        }
        for (name, expected) in &case.outputs {
            let got = self.values.get(name).map_or("nothing", |v| v["oracle"].as_str());
            if !agree(got, expected) {
                wrong.push(format!("{name} is {got} instead of {expected}"));
            }
        }
        if self.predicted != (self.half_rounds, self.bytes) {
            let (now, then) = ((self.half_rounds, self.bytes), self.predicted);
            wrong.push(format!("{then:?} half-rounds and bytes were predicted, {now:?} counted"));
        }
        wrong
    }
}

/// Equal as text; fractions are within two units of fixed point, 2^-16 each.
fn agree(got: &str, expected: &str) -> bool {
    if !expected.contains('.') {
        return got == expected;
    }
    let numbers = |text: &str| -> Vec<f64> {
        let parts = text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | 'e')));
        parts.filter_map(|part| part.parse().ok()).collect()
    };
    let (got, expected) = (numbers(got), numbers(expected));
    got.len() == expected.len() && got.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 2.0 / 65536.0)
}

impl Display for Run {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.error {
            return write!(f, "error: {error}");
        }
        let cost = (self.online, self.half_rounds, self.bytes, self.seconds);
        write!(f, "{:>4} half-rounds ({} in all) {:>9} bytes {:>7.3} s  ", cost.0, cost.1, cost.2, cost.3)?;
        for (name, values) in &self.values {
            let value = &values["oracle"];
            let end = value.char_indices().nth(60).map_or(value.len(), |c| c.0);
            write!(f, "{name} = {}{} ", &value[..end], if end < value.len() { "…" } else { "" })?;
        }
        Ok(())
    }
}
