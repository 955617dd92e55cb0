//! `validate` computes with the two-party protocol and nothing else: no file on its path names the cleartext back
//! end, an ideal functionality or a dealer, outside tests.

use std::path::{Path, PathBuf};

fn sources(at: &Path, found: &mut Vec<PathBuf>) {
    if at.is_dir() {
        for entry in std::fs::read_dir(at).expect("a folder of sources") {
            sources(&entry.expect("an entry").path(), found);
        }
    } else if at.extension().is_some_and(|e| e == "rs") {
        found.push(at.to_owned());
    }
}

/// The lines that reach the program: without comments and without what only tests see.
fn lines(source: &str) -> Vec<(usize, &str)> {
    let mut kept = Vec::new();
    let mut hidden = false;
    for (at, line) in source.lines().enumerate() {
        let text = line.trim();
        if text.starts_with("#[cfg(test)]") || text.starts_with("#[cfg(any(test") {
            hidden = true;
        } else if hidden {
            // The attribute covers one item: to the brace that closes it in the first column, or a line without a body.
            let ends = line.starts_with('}') || (!line.starts_with(' ') && text.ends_with(';'));
            hidden = !ends;
        } else if !text.starts_with("//") {
            kept.push((at + 1, line));
        }
    }
    kept
}

#[test]
fn validation_names_no_stand_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let core = root.join("ezpc-core/src");
    let mut files = vec![root.join("examples/validate.rs")];
    let folders = [
        root.join("examples/src"),
        root.join("ezpc-ml/src"),
        core.join("protocol/two_party"),
        core.join("ops"),
        core.join("ot"),
        core.join("base_ot"),
        core.join("sharing"),
        core.join("transport"),
    ];
    for folder in folders.iter().filter(|f| f.exists()) {
        sources(folder, &mut files);
    }
    files.extend(["protocol/two_party.rs", "protocol/session.rs", "ops.rs", "ot.rs"].map(|f| core.join(f)));
    files.retain(|f| {
        !f.components().any(|c| {
            matches!(
                c.as_os_str().to_str(),
                // The last two are the oracle of a card and the predicted cost of a recipe; validate names neither.
                Some(
                    "tests"
                        | "tests.rs"
                        | "testing.rs"
                        | "measure.rs"
                        | "ideal.rs"
                        | "oracle.rs"
                        | "cookbook.rs"
                )
            )
        })
    });
    assert!(files.len() > 60, "{} files", files.len());
    let mut named = Vec::new();
    for file in &files {
        let source = std::fs::read_to_string(file).expect("a source");
        for (at, line) in lines(&source) {
            if ["Cleartext", "cleartext::", "ideal::", "Dealer", "dealer::", "oracle::", "cookbook::"]
                .iter()
                .any(|word| line.contains(word))
            {
                named.push(format!("{}:{at}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
    // The same search finds what it looks for.
    let infer = std::fs::read_to_string(root.join("examples/infer.rs")).expect("a source");
    assert!(lines(&infer).iter().any(|(_, line)| line.contains("Cleartext")));
}
