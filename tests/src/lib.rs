//! What the tests in `tests/tests/` share: reading the workspace's own sources.

use std::path::{Path, PathBuf};

/// A Rust source file of the workspace.
#[derive(Debug)]
pub struct Source {
    /// Its path from the root of the workspace.
    pub path: PathBuf,
    /// Its text without comments and without what stands behind `#[cfg(test)]`.
    pub code: String,
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are a member crate").to_path_buf()
}

/// The shipped code below `folder`, a path from the root of the workspace.
#[must_use]
pub fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "no sources below {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && !is_test_file(&path) {
            let text = std::fs::read_to_string(&path).expect("a readable source");
            let path = path.strip_prefix(root()).expect("below the root").to_path_buf();
            found.push(Source { path, code: shipped(&text) });
        }
    }
}

/// Files that their parent includes under `#[cfg(test)]`.
fn is_test_file(path: &Path) -> bool {
    let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    name == "tests"
        || path.components().any(|c| c.as_os_str() == "tests") && path.starts_with(root().join("ezpc-core"))
}

/// Drops comments and the items that stand behind `#[cfg(test)]` at the start of a line.
fn shipped(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            // The item ends with its closing brace at the start of a line, or on its only line.
            let first = lines.next().unwrap_or_default();
            if !first.ends_with(';') {
                lines.by_ref().find(|line| line.starts_with('}'));
            }
            continue;
        }
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}
