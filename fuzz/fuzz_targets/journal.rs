//! Journals of a validation: as they are, and behind the right opening lines.

#![no_main]

use ezpc_core::Party;
use ezpc_ml::validate::Journal;
use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::OnceLock;

fuzz_target!(|data: &[u8]| {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path =
        PATH.get_or_init(|| std::env::temp_dir().join(format!("ezpc-fuzz-{}.journal", std::process::id())));
    let [open, rest @ ..] = data else { return };
    let mut text = Vec::new();
    if open & 1 == 1 {
        let input = "07".repeat(32);
        text = format!("ezpc validation journal 1\nparty client\nrequest fuzz\ninput {input}\n").into_bytes();
    }
    text.extend(rest);
    std::fs::write(path, &text).expect("room for a temporary file");
    let mut random = || Ok(7);
    match Journal::open(path, Party::Client, "fuzz", [7; 32], &mut random) {
        Ok(journal) => {
            // What is taken has the title and one or two marks, and does not print shares.
            assert!(
                text.starts_with(b"ezpc validation journal 1\n")
                    || text.starts_with(b"ezpc validation journal 1\r")
            );
            let marks = text.split(|b| *b == b'\n').filter(|line| line.starts_with(b"mark")).count();
            assert!((1..=2).contains(&marks), "{marks} marks");
            assert!(format!("{journal:?}").ends_with(" samples)"));
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
});
