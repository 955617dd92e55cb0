//! Programs of others, unchanged: every `.ezpc` file below a folder runs in the clear and between two parties.
//!
//! ```sh
//! git clone https://github.com/mpc-msri/EzPC
//! EZPC_SUITE=$PWD/EzPC/EzPC/EzPC cargo test -p ezpc-tests --test lang_suite -- --ignored --nocapture
//! ```
//!
//! Each program gets inputs, and each party only its own. Both parties have to learn what the oracle computes, as
//! the roles of the outputs say, at exactly the predicted cost. Programs of EzPC's suites are also held to the
//! values that they have to print; where one puts nothing out, a second version puts out what `main` assigns.

use ezpc_tests::suite::{Program, files, run};
use std::path::Path;

#[test]
#[ignore = "needs a folder of programs, named by EZPC_SUITE, and builds a crate from them"]
#[allow(clippy::print_stdout, reason = "the report is what this is run for")]
fn programs_of_others_run_unchanged() {
    let folder = std::env::var_os("EZPC_SUITE").expect("set EZPC_SUITE to a folder of `.ezpc` files");
    let folder = std::fs::canonicalize(folder).expect("EZPC_SUITE names a folder");
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suite");
    let (mut programs, mut wrong) = (Vec::new(), Vec::new());
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
        match Program::load(&name, &path, &work) {
            Ok(all) => programs.extend(all),
            Err(why) if why.contains("no `main`") => println!("{name:<56} {why}"),
            Err(why) => wrong.push(format!("{name}: {why}")),
        }
    }
    assert!(!programs.is_empty(), "no program below {}", folder.display());
    for (program, runs) in programs.iter().zip(run(&work, &programs)) {
        for (case, run) in program.cases.iter().zip(runs) {
            println!("{:<56} {run}", program.name);
            wrong.extend(run.check(case).into_iter().map(|why| format!("{}: {why}", program.name)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
