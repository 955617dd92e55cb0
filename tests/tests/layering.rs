//! The invariants of ARCHITECTURE.md that can be read off the sources.

use ezpc_tests::{Source, sources};

/// `ezpc-core`'s modules from left to right; a module names only modules to its left. Those of one row are of
/// one level and do not name each other, unless a row says so.
const LAYERS: [&[&str]; 11] = [
    &["party", "error", "secret", "ring", "spec"],
    &["arch"],
    &["crypto"],
    &["transport"],
    &["base_ot"],
    &["ot", "he"],
    &["sharing"],
    &["ops"],
    &["protocol"],
    &["program"],
    &["testing", "private"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The top-level module of `ezpc-core` that a file belongs to.
fn module(source: &Source) -> String {
    let inside = source.path.strip_prefix("ezpc-core/src").expect("a source of ezpc-core");
    let first = inside.components().next().expect("a file").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The identifiers that follow `prefix` in the code, each of a group in braces too.
fn named<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(prefix).flat_map(move |(at, _)| {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => first_of_each(group),
            None => vec![identifier(rest)],
        }
    })
}

/// The identifier at the start of `text`, empty if there is none.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The first identifiers of the paths in a group, of which `text` is what stands behind the opening brace.
fn first_of_each(text: &str) -> Vec<&str> {
    let mut names = vec![identifier(text.trim_start())];
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(identifier(text[at + 1..].trim_start())),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn groups_of_imports_are_read() {
    let code =
        "use crate::{\n    ops::{and, mul},\n    ring::Width, ot,\n};\nuse crate::he::tile; crate::Error";
    assert_eq!(named(code, "crate::").collect::<Vec<_>>(), ["ops", "ring", "ot", "he", "Error"]);
}

#[test]
fn modules_name_only_modules_to_their_left() {
    let mut wrong = Vec::new();
    for source in sources("ezpc-core/src") {
        let own = module(&source);
        if own == "lib" {
            continue;
        }
        let Some(level) = layer(&own) else {
            panic!("{} belongs to no layer: add its module to the table", source.path.display())
        };
        for other in named(&source.code, "crate::").filter(|name| *name != own) {
            // `crate::Error` and macros are re-exports and not modules.
            if let Some(other_level) = layer(other) {
                let free = other_level == 0 && level == 0;
                if other_level >= level && !free {
                    wrong.push(format!("{} names crate::{other}", source.path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point the wrong way:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_is_under_arch() {
    let everywhere = ["ezpc-core/src", "ezpc-ml/src", "ezpc-macros", "examples", "tests"];
    for source in everywhere.into_iter().flat_map(sources) {
        let allowed = source.path.starts_with("ezpc-core/src/arch")
            || source.path == std::path::Path::new("ezpc-core/src/arch.rs")
            || source.path.starts_with("tests/src/arch");
        let keyword = "unsafe";
        let opens = |what: &str| source.code.contains(&format!("{keyword} {what}"));
        let uses = ["{", "fn", "impl", "extern"].into_iter().any(opens);
        assert!(allowed || !uses, "unsafe code in {}", source.path.display());
    }
}

#[test]
fn randomness_is_passed_in() {
    for source in sources("ezpc-core/src").iter().chain(&sources("ezpc-ml/src")) {
        let session = source.path == std::path::Path::new("ezpc-core/src/protocol/session.rs");
        for ambient in ["getrandom", "SysRng", "thread_rng", "from_entropy", "from_os_rng"] {
            assert!(
                session || !source.code.contains(ambient),
                "{} draws randomness from its surroundings ({ambient})",
                source.path.display()
            );
        }
    }
}

#[test]
fn libraries_do_not_read_their_environment() {
    for source in sources("ezpc-core/src").iter().chain(&sources("ezpc-ml/src")) {
        for ambient in ["std::env::var", "env::var(", "static mut", "thread_local!"] {
            assert!(!source.code.contains(ambient), "{} uses {ambient}", source.path.display());
        }
        let global = source.code.lines().find(|line| {
            let item = line.trim_start().trim_start_matches("pub").trim_start_matches("(crate)").trim_start();
            item.starts_with("static ")
                && ["Mutex", "RwLock", "Atomic", "Cell<"].iter().any(|c| item.contains(c))
        });
        assert_eq!(global, None, "{} has global state", source.path.display());
    }
}

/// Protocols are machines without I/O; only what drives them holds a channel.
#[test]
fn protocols_do_not_see_a_channel() {
    for source in sources("ezpc-core/src") {
        let drives = source.path.starts_with("ezpc-core/src/transport")
            || ["two_party.rs", "session.rs", "transport.rs"].iter().any(|name| source.path.ends_with(name));
        let channel = named(&source.code, "Channel").any(str::is_empty);
        assert!(drives || !channel, "{} names Channel", source.path.display());
    }
}

/// What `secure!` expands to names `private` alone, and `private` names programs and the trait.
#[test]
fn generated_code_reaches_the_parties_only_through_programs() {
    let private = sources("ezpc-core/src").into_iter().find(|s| s.path.ends_with("private.rs"));
    let private = private.expect("what macro output may name").code;
    for module in named(&private, "crate::") {
        assert!(["error", "party", "program", "protocol"].contains(&module), "private names crate::{module}");
    }
    assert!(!private.contains("TwoParty"));
}

#[test]
fn neural_networks_reach_the_parties_only_through_the_protocol() {
    for source in sources("ezpc-ml/src") {
        for inner in named(&source.code, "ezpc_core::") {
            assert!(
                !["ot", "he", "ops", "base_ot", "transport", "crypto", "arch", "sharing"].contains(&inner),
                "{} names ezpc_core::{inner}",
                source.path.display()
            );
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for folder in ["ezpc-core/src", "ezpc-ml/src", "ezpc-macros", "examples", "tests"] {
        for source in sources(folder) {
            let lines = source.code.lines().count();
            assert!(lines <= 500, "{} has {lines} lines: split it by noun", source.path.display());
        }
    }
}
