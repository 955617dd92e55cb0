//! The examples as programs that a test starts.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// An example, to be started. `cargo test` builds the examples beside the tests, but `cargo test --test` does not.
pub(crate) fn example(name: &str) -> Command {
    let mut path = std::env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    let program = path.join("examples").join(name);
    let built = changed(&program.with_extension(std::env::consts::EXE_EXTENSION));
    // What cargo notes beside a program: `program: source source …`.
    let sources = std::fs::read_to_string(program.with_extension("d")).unwrap_or_default();
    let newer = sources.split_whitespace().skip(1).find(|source| changed(Path::new(source)) > built);
    assert!(
        built.is_some() && newer.is_none(),
        "cargo build --examples first: {name} is older than {newer:?}"
    );
    Command::new(program)
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|about| about.modified()).ok()
}
