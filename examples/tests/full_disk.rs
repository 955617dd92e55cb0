//! A disk that takes no more: a named error, an exit code that is not success, and no partial file.

#![cfg(unix)]

#[path = "common/example.rs"]
mod example;

use example::example;
use std::process::{Command, Output, Stdio};

/// Both parties, in processes that may not write a byte to a file, as on a full disk; what they print is piped.
fn with_no_room(args: &[&str]) -> Output {
    // An ignored signal stays ignored in the program that is started; writes then fail with EFBIG.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    Command::new("sh")
        .args(["-c", script])
        .arg(example("validate").get_program())
        .args(args)
        .output()
        .expect("it starts")
}

fn assert_named(output: &Output, what: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.starts_with("error: ") && text.contains(what) && text.lines().count() == 1, "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(output.stdout.is_empty(), "a result beside an error");
}

/// The error names the file, and nothing of it is left.
fn assert_refused(option: &str, file: &str) {
    let folder = std::env::temp_dir().join(format!("ezpc-full-{}-{file}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    let path = folder.join(file).display().to_string();
    assert_named(&with_no_room(&["--json", option, &path]), &path);
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0, "no partial file");
    std::fs::remove_dir(folder).expect("it is ours");
}

#[test]
fn a_report_that_does_not_fit_is_an_error_and_no_file() {
    assert_refused("--report", "report.html");
}

#[test]
fn a_journal_that_does_not_fit_is_an_error_and_no_file() {
    assert_refused("--journal", "journal");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
    for args in [&["--json"][..], &[]] {
        let stdout = full.try_clone().expect("a handle");
        let child = example("validate").args(args).stdout(stdout).stderr(Stdio::piped()).spawn();
        let output = child.and_then(std::process::Child::wait_with_output).expect("it starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("error: printing the result: No space left on device"), "{text}");
        assert_eq!(output.status.code(), Some(1));
    }
}
