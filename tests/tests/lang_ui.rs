//! Every error of the catalogue as the compiler shows it.

use std::collections::BTreeSet;

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
