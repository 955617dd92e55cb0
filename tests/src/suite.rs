//! Programs in files, run in the clear and between two parties, whatever their inputs are called.
//!
//! `secure_file!` works when a crate is compiled, so a crate is written for the programs, built and run; what it
//! prints is compared with what is known, and the parties with the oracle.

mod known;
mod program;
mod rewrite;
mod runner;

pub use program::{Case, Program};
pub use runner::{Run, run};

use std::path::{Path, PathBuf};

/// The programs below a folder, in order.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut work = vec![folder.to_path_buf()];
    while let Some(folder) = work.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                work.push(path);
            } else if path.extension().is_some_and(|e| e == "ezpc") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
