//! What all examples promise: one command for both parties or one for each, JSON, exit codes, one line of error,
//! and no hanging.

#[path = "common/example.rs"]
mod example;

use example::example;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;

fn link() -> Command {
    let mut command = example("link");
    command.args(["--round-trips", "3", "--mib", "1", "--timeout", "30"]).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    link().args(args).output().expect("it starts")
}

/// The exit code and the one line on stderr.
fn assert_fails(output: &Output, code: i32, line: &str) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("error: {line}\n"));
    assert_eq!(output.status.code(), Some(code));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// A party that listens, and its address.
fn listening(args: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
    listening_on("127.0.0.1:0", args)
}

fn listening_on(address: &str, args: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = link()
        .args(["--role", "server", "--listen", address])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("it says where it waits");
    let address = line.trim().strip_prefix("waiting for the client on ").expect("an address").to_owned();
    (child, stderr, address)
}

/// The exit code and the rest of stderr.
fn end(mut child: Child, mut stderr: impl Read) -> (Option<i32>, String) {
    let mut text = String::new();
    stderr.read_to_string(&mut text).expect("text");
    (child.wait().expect("it ends").code(), text)
}

#[test]
fn both_parties_report_in_one_object() {
    let output = run(&["--json"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let json: Value = serde_json::from_slice(&output.stdout).expect("one object and nothing else");
    for (own, other) in [("server", "client"), ("client", "server")] {
        assert_eq!(json[own]["bytes_sent"], json[other]["bytes_received"]);
        assert_eq!(json[own]["half_rounds"], 1 + 6 + 1);
        assert_eq!(json[own]["threads"], 1);
        assert!(json[own]["seconds"].as_f64() >= json[own]["setup_seconds"].as_f64());
        assert!(json[own]["peak_rss_bytes"].is_u64());
    }
    assert!(json["round_trip_microseconds"].is_f64());
}

#[test]
fn each_party_alone_reports_its_own_part() {
    let (server, stderr, address) = listening(&[]);
    let client = run(&["--role", "client", "--connect", &address, "--json"]);
    assert_eq!(client.status.code(), Some(0));
    let json: Value = serde_json::from_slice(&client.stdout).expect("one object");
    assert!(json["client"].is_object() && json["server"].is_null());
    assert_eq!(end(server, stderr), (Some(0), String::new()));
}

#[test]
fn wrong_flags_are_exit_code_2() {
    assert_fails(&run(&["--nonsense"]), 2, "unexpected argument '--nonsense' found (see --help)");
    let line = "one party alone needs --listen ADDR or --connect ADDR";
    assert_fails(&run(&["--role", "client"]), 2, line);
    let help = run(&["--help"]);
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
}

#[test]
fn a_port_in_use_and_a_missing_peer_are_exit_code_2() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let output = run(&["--role", "server", "--listen", &address]);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(line.starts_with(&format!("error: cannot listen on {address}: ")), "{line}");
    assert_eq!((line.lines().count(), output.status.code()), (1, Some(2)));
    drop(taken);
    let output = run(&["--role", "client", "--connect", &address, "--timeout", "1"]);
    assert_fails(&output, 2, &format!("cannot connect to {address}: nobody listened within 1 s"));
}

#[test]
fn different_parameters_are_named_on_both_sides() {
    let (server, stderr, address) = listening(&["--mib", "2"]);
    let client = run(&["--role", "client", "--connect", &address]);
    assert_fails(&client, 1, "handshake: parameter `mib` differs: 1 here, 2 there");
    let line = "error: handshake: parameter `mib` differs: 2 here, 1 there\n";
    assert_eq!(end(server, stderr), (Some(1), line.into()));
}

#[test]
fn a_stranger_is_refused() {
    let (server, stderr, address) = listening(&[]);
    let mut stranger = TcpStream::connect(&*address).expect("it listens");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("there is room");
    // Reads until the server hangs up.
    let reading = thread::spawn(move || {
        let _ = stranger.read_to_end(&mut Vec::new());
    });
    let line = "error: handshake: the peer does not speak ezpc\n";
    assert_eq!(end(server, stderr), (Some(1), line.into()));
    reading.join().expect("the server hung up");
}

#[test]
fn a_peer_that_vanishes_is_exit_code_1() {
    let (server, stderr, address) = listening(&[]);
    let stranger = TcpStream::connect(&*address).expect("it listens");
    let mine = stranger.local_addr().expect("it has one");
    drop(stranger);
    let (code, line) = end(server, stderr);
    assert!(line.starts_with("error: handshake: ") && line.contains(&mine.to_string()), "{line}");
    assert_eq!((code, line.lines().count()), (Some(1), 1));
}

#[test]
fn a_peer_that_says_nothing_times_out() {
    let (server, stderr, address) = listening(&["--timeout", "1"]);
    let stranger = TcpStream::connect(&*address).expect("it listens");
    let line = format!(
        "error: handshake: receiving from {}: the peer did not answer in time\n",
        stranger.local_addr().expect("it has one")
    );
    assert_eq!(end(server, stderr), (Some(1), line));
}

/// A folder for the files of one test.
#[cfg(feature = "tls")]
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("ezpc-frame-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files");
    folder
}

/// Keys from one command a party, TLS between two processes on other addresses than loopback alone, and a stranger
/// whom neither notices.
#[cfg(feature = "tls")]
#[test]
fn two_machines_talk_under_tls() {
    let folder = folder("tls");
    let keygen = |name: &str| {
        let output =
            example("keygen").args(["--name", name, "--folder"]).arg(&folder).output().expect("it starts");
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
        String::from_utf8_lossy(&output.stdout).lines().last().expect("a fingerprint").to_owned()
    };
    let [vendor, _, _] = ["vendor", "hospital", "stranger"].map(keygen);
    let flags = |own: &str, peer: &str| {
        let path = |name: &str, kind: &str| folder.join(format!("{name}.{kind}.pem")).display().to_string();
        ["--cert", &path(own, "cert"), "--key", &path(own, "key"), "--peer-cert", &path(peer, "cert")]
            .map(str::to_owned)
    };
    let [server_flags, client_flags, strange_flags] =
        [("vendor", "hospital"), ("hospital", "vendor"), ("stranger", "vendor")].map(|(o, p)| flags(o, p));

    let server_flags: Vec<&str> = server_flags.iter().map(String::as_str).collect();
    let (server, stderr, address) = listening_on("0.0.0.0:0", &server_flags);
    let address = address.replace("0.0.0.0", "127.0.0.1");

    let stranger = run_with(&["--role", "client", "--connect", &address, "--quiet"], &strange_flags);
    let line = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(line.ends_with("the peer does not trust this party's certificate\n"), "{line}");
    let plain = run_with(&["--role", "client", "--connect", &address, "--quiet"], &[]);
    assert_eq!(plain.status.code(), Some(1));

    let client = run_with(&["--role", "client", "--connect", &address], &client_flags);
    let told = String::from_utf8_lossy(&client.stderr).into_owned();
    let fingerprint = vendor.strip_prefix("SHA-256 ").expect("its kind");
    assert!(told.contains(&format!("connected to the server, certificate {fingerprint}")), "{told}");
    assert_eq!(client.status.code(), Some(0));
    let (code, told) = end(server, stderr);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{told}");
    assert!(
        lines[..2].iter().all(|line| line.starts_with("refused: TLS handshake with 127.0.0.1:")),
        "{told}"
    );
    assert!(lines[2].starts_with("connected to the client, certificate "), "{told}");
    std::fs::remove_dir_all(folder).expect("it is ours");
}

#[cfg(feature = "tls")]
fn run_with(args: &[&str], more: &[String]) -> Output {
    link().args(args).args(more).output().expect("it starts")
}

#[test]
fn other_machines_need_tls_or_the_loud_flag() {
    let output = run(&["--role", "server", "--listen", "0.0.0.0:0"]);
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(line.contains("--cert") && line.contains("--insecure-plain-tcp"), "{line}");
    assert_eq!((line.lines().count(), output.status.code()), (1, Some(2)));
}

#[test]
fn two_millionaires_learn_who_is_richer() {
    for (server, client) in [(1, 2), (2, 1), (5, 5), (0, u32::MAX)] {
        let output = example("millionaires")
            .args(["--json", "--server", &server.to_string(), "--client", &client.to_string()])
            .output()
            .expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        let json: Value = serde_json::from_slice(&output.stdout).expect("one object");
        assert_eq!(json["client_is_richer"], server < client);
        assert_eq!(json["server"]["half_rounds"], json["client"]["half_rounds"]);
    }
}

/// Starts both parties on more work than they finish; the process ids of server and client.
#[cfg(target_os = "linux")]
fn busy_pair() -> (Child, String) {
    let mut parent = link()
        .args(["--round-trips", "100000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    for _ in 0..500 {
        thread::sleep(std::time::Duration::from_millis(10));
        let child = std::fs::read_to_string(&children).expect("the parent runs");
        if !child.trim().is_empty() {
            // Some time for them to connect.
            thread::sleep(std::time::Duration::from_millis(200));
            return (parent, child.trim().to_owned());
        }
    }
    parent.kill().expect("it runs");
    parent.wait().expect("it was killed");
    panic!("the parent starts no child");
}

/// Both sides end at once, and say why.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_both_sides_with_a_reason() {
    let kill = |id: u32| {
        assert!(
            Command::new("kill").args(["-TERM", &id.to_string()]).status().expect("kill starts").success()
        );
    };
    // Before there is a peer.
    let (server, stderr, _) = listening(&[]);
    kill(server.id());
    assert_eq!(end(server, stderr), (Some(1), "error: stopped by SIGTERM\n".into()));
    // In the middle of the work.
    let (server, stderr, address) = listening(&["--round-trips", "100000000"]);
    let mut client = link()
        .args(["--role", "client", "--connect", &address, "--round-trips", "100000000"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    thread::sleep(std::time::Duration::from_millis(300));
    kill(server.id());
    assert_eq!(end(server, stderr), (Some(1), "error: stopped by SIGTERM\n".into()));
    let stderr = client.stderr.take().expect("it is piped");
    let line = format!("error: receiving from {address}: the peer closed the connection\n");
    assert_eq!(end(client, stderr), (Some(1), line));
    // The parent of both: the child is gone too.
    let (mut parent, child) = busy_pair();
    kill(parent.id());
    let stderr = parent.stderr.take().expect("it is piped");
    assert_eq!(end(parent, stderr), (Some(1), "error: stopped by SIGTERM\n".into()));
    assert!(!std::path::Path::new(&format!("/proc/{child}")).exists(), "the client was ended and buried");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_hangs_when_either_process_is_killed() {
    let kill = |id: &str| {
        assert!(Command::new("kill").args(["-9", id]).status().expect("kill starts").success());
    };
    let (mut parent, child) = busy_pair();
    kill(&child);
    let stderr = parent.stderr.take().expect("it is piped");
    let line = "error: the client's process ended early (signal: 9 (SIGKILL))\n";
    assert_eq!(end(parent, stderr), (Some(1), line.into()));

    let (mut parent, child) = busy_pair();
    kill(&parent.id().to_string());
    parent.wait().expect("it was killed");
    for _ in 0..500 {
        // Whoever inherits the child may be slow to bury it.
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            return;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the client notices that the server is gone");
}
