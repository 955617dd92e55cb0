//! Every error of the catalogue as the compiler shows it.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn messages() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// One file an entry, named after it.
#[test]
fn the_catalogue_is_covered() {
    let files: BTreeSet<String> = std::fs::read_dir("tests/ui")
        .expect("the folder of UI tests")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| path.file_stem().expect("a file").to_string_lossy().into_owned())
        .collect();
    let entries: BTreeSet<String> =
        ezpc_lang::diag::catalogue().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(files, entries);
}

/// The programs in a Rust text.
fn programs(text: TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = text.into_iter().collect();
    let mut found = Vec::new();
    for (i, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        let named = |at: usize, name: &str| i >= at && trees[i - at].to_string() == name;
        if named(1, "!") && named(2, "secure") {
            found.push(group.stream());
        } else {
            found.extend(programs(group.stream()));
        }
    }
    found
}

/// The lines of the front end that report an error. Those for files alone are `ezpc-lang`'s own tests' business.
fn reports(folder: &Path, found: &mut BTreeSet<(String, usize)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            reports(&path, found);
            continue;
        }
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        if ["lib.rs", "file.rs", "diag.rs"].contains(&name.as_str()) {
            continue;
        }
        let parent = path.parent().and_then(Path::file_name).expect("a folder").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a source");
        for (line, text) in text.lines().enumerate() {
            let calls = [".report(", ".report_with(", ".unexpected("].iter().any(|call| text.contains(call));
            if calls {
                found.insert((format!("{parent}/{name}"), line + 1));
            }
        }
    }
}

/// Each message has an example: every place that reports an error is reached by a UI test.
#[test]
fn every_message_has_an_example() {
    let mut places = BTreeSet::new();
    reports(&ezpc_tests::root().join("ezpc-macros/lang/src"), &mut places);
    assert!(places.len() > 80, "{} places", places.len());
    let mut reached = BTreeSet::new();
    for entry in std::fs::read_dir("tests/ui").expect("the folder of UI tests") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a UI test");
        for program in programs(text.parse().expect("Rust")) {
            for diagnostic in ezpc_lang::compile(program).diagnostics.all() {
                let mut parts = diagnostic.origin.file().rsplit(['/', '\\']);
                let (name, parent) = (parts.next().expect("a file"), parts.next().expect("a folder"));
                reached.insert((format!("{parent}/{name}"), diagnostic.origin.line() as usize));
            }
        }
    }
    let missing: Vec<String> =
        places.difference(&reached).map(|(file, line)| format!("{file}:{line}")).collect();
    assert!(missing.is_empty(), "no UI test reaches {missing:#?}");
}
