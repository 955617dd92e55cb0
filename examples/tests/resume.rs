//! A validation whose processes are both killed goes on where its journals stop.

#[path = "common/example.rs"]
mod example;

use example::example;
use serde_json::Value;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name).display().to_string()
}

fn validate(role: &str, peer: &[&str], folder: &Path, more: &[&str]) -> Child {
    let journal = folder.join("journal").display().to_string();
    example("validate")
        .args(["--role", role, "--json", "--journal", &journal, "--batch", "3", "--reveal", "accuracy"])
        .args(["--timeout", "30"])
        .args(peer)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Both parties on a port that was free a moment ago.
fn both(folder: &Path, client: &[&str]) -> [Child; 2] {
    let address =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
    [
        validate("server", &["--listen", &address], folder, &[]),
        validate("client", &["--connect", &address], folder, client),
    ]
}

/// The exit code, stdout and stderr.
fn end(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    (child.wait().expect("it ends").code(), out, err)
}

fn samples_of(path: &Path) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let last = text.lines().rev().find_map(|l| l.strip_prefix("mark ")?.split_once(' '));
    last.map_or(0, |(samples, _)| u64::from_str_radix(samples, 16).expect("hexadecimal"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text.lines().last().expect("a line")).expect("one JSON object")
}

#[test]
fn a_run_whose_processes_are_killed_goes_on() {
    let folder = std::env::temp_dir().join(format!("ezpc-resume-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let journals: [PathBuf; 2] = ["server", "client"].map(|p| folder.join(format!("journal.{p}")));

    let mut children = both(&folder, &[]);
    let start = Instant::now();
    while journals.iter().any(|j| samples_of(j) < 30) {
        assert!(start.elapsed() < Duration::from_secs(120), "the journals do not grow");
        let ended = children.iter_mut().any(|c| c.try_wait().expect("a child").is_some());
        assert!(!ended, "it ended before it could be killed: {:?}", children.map(end));
        std::thread::sleep(Duration::from_millis(1));
    }
    for child in &mut children {
        child.kill().expect("it runs");
    }
    drop(children.map(end));
    let stopped = journals.each_ref().map(|j| samples_of(j));
    assert!(stopped.iter().all(|&s| (30..297).contains(&s)), "{stopped:?}");
    let before = journals.each_ref().map(|j| std::fs::read_to_string(j).expect("a journal"));

    // Another data set does not fit the client's journal, and the server waits for no other client.
    let images = data("digits_images.npy");
    let labels = folder.join("labels.npy");
    let mut other = std::fs::read(data("digits_labels.npy")).expect("labels");
    // The first byte of the last label: 64 bits, little endian.
    let place = other.len() - 8;
    other[place] ^= 1;
    std::fs::write(&labels, other).expect("writes");
    let [server, client] = both(&folder, &["--images", &images, "--labels", &labels.display().to_string()]);
    let (code, _, err) = end(client);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("journal is of another run") && err.contains("own input"), "{err}");
    assert_eq!(end(server).0, Some(1));
    for (journal, before) in journals.iter().zip(&before) {
        assert_eq!(&std::fs::read_to_string(journal).expect("a journal"), before);
    }

    // Killed while they wrote, the parties leave what they had written so far.
    for (journal, before) in journals.iter().zip(&before) {
        std::fs::write(format!("{}.1.part", journal.display()), &before[..before.len() / 2]).expect("writes");
    }
    let [server, client] = both(&folder, &[]).map(end);
    assert_eq!((server.0, client.0), (Some(0), Some(0)), "{} {}", server.2, client.2);
    for text in [&server.1, &client.1] {
        let json = json(text);
        assert_eq!((&json["verdict"], &json["correct"]), (&Value::from(true), &Value::from(293)));
        assert_eq!(json["resumed_at"].as_u64(), stopped.iter().min().copied());
    }

    let mut names: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal.client", "journal.server", "labels.npy"], "nothing is left of what was cut");

    // Shares of one run are fresh at every mark, and one party's journal alone starts nothing.
    let after = journals.each_ref().map(|j| std::fs::read_to_string(j).expect("a journal"));
    assert!(before[0] != after[0] && before[1] != after[1]);
    std::fs::remove_file(&journals[1]).expect("removes");
    let [server, client] = both(&folder, &[]).map(end);
    assert_eq!((server.0, client.0), (Some(1), Some(1)));
    for text in [&server.2, &client.2] {
        assert!(text.contains("the client has no journal of this run"), "{text}");
    }

    // Nor do the journals of two runs, however far each is.
    let head = after[1].split("run ").next().expect("a head").to_owned();
    let other = head + "run 0000000000000001 0000000000000002\n";
    for samples in [0, 30] {
        let other = format!("{other}mark {samples:016x} 0000000000000000\n");
        std::fs::write(&journals[1], &other).expect("writes");
        let [server, client] = both(&folder, &[]).map(end);
        assert_eq!((server.0, client.0), (Some(1), Some(1)));
        for text in [&server.2, &client.2] {
            assert!(text.contains("journals are of different runs"), "{text}");
        }
        assert_eq!(std::fs::read_to_string(&journals[1]).expect("a journal"), other);
    }

    // Nor do those of one run whose common mark is gone from one of them.
    let without = |text: &str, n: usize| -> String {
        let marks = text.lines().filter(|line| line.starts_with("mark ")).count();
        assert_eq!(marks, 2, "{text}");
        let gone = text.lines().filter(|line| line.starts_with("mark ")).nth(n).expect("there are two");
        text.replace(&format!("{gone}\n"), "")
    };
    for (behind, name) in [(0, "server"), (1, "client")] {
        std::fs::write(&journals[behind], without(&after[behind], 0)).expect("writes");
        std::fs::write(&journals[1 - behind], without(&after[1 - behind], 1)).expect("writes");
        let [server, client] = both(&folder, &[]).map(end);
        assert_eq!((server.0, client.0), (Some(1), Some(1)));
        for text in [&server.2, &client.2] {
            assert!(text.contains(&format!("the {name}'s has no mark at 294 samples")), "{text}");
        }
    }
    std::fs::remove_dir_all(&folder).expect("removes");
}
