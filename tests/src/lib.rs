//! What the tests in `tests/tests/` share: reading the workspace's own sources, and running programs from files.

pub mod arch;
pub mod replay;
pub mod suite;

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
    let mut paths = Vec::new();
    collect(&root().join(folder), &mut paths);
    assert!(!paths.is_empty(), "no sources below {folder}");
    let texts: Vec<(PathBuf, String)> = paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable source");
            (path, text)
        })
        .collect();
    let tests: Vec<PathBuf> = texts.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    texts
        .iter()
        .filter(|(path, _)| !tests.contains(path))
        .map(|(path, text)| Source {
            path: path.strip_prefix(root()).expect("below the root").to_path_buf(),
            code: shipped(text),
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the workspace") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

/// The files that `path` includes as modules under `#[cfg(test)]`.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main") | None => path.parent().expect("a file is in a folder").to_path_buf(),
        Some(_) => path.with_extension(""),
    };
    let lines: Vec<&str> = text.lines().collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| pair[1].strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
        .map(|name| folder.join(name).with_extension("rs"))
        .collect()
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

/// Numbers for tests that look random and are the same in every run.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// A sequence.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The next number.
    pub const fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11 ^ self.0 >> 40
    }

    /// The next number below `end`.
    #[allow(clippy::cast_possible_truncation, reason = "below a number of this type")]
    pub const fn below(&mut self, end: usize) -> usize {
        (self.word() % end as u64) as usize
    }

    /// The next `len` numbers from `-most` to `most`.
    pub fn floats(&mut self, len: usize, most: f32) -> Vec<f32> {
        let unit = |word: u64| (word % (1 << 24)) as f32 / 8_388_608.0 - 1.0;
        (0..len).map(|_| unit(self.word()) * most).collect()
    }
}
