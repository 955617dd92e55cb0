//! The other party as a second process on this machine.

use crate::Failure;
use ezpc_core::{Error, Result};
use serde_json::{Map, Value};
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// The client's process. It is ended when this value goes, on every path.
pub(crate) struct Peer {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<Option<String>>>,
}

impl Peer {
    /// Starts this program once more, with the same flags, as the client that connects to `address`.
    pub(crate) fn spawn(address: SocketAddr) -> Result<Self> {
        let start = |error| Error::io("cannot start the client's process", error);
        let mut child = Command::new(env::current_exe().map_err(start)?)
            .args(env::args_os().skip(1))
            .args(["--role", "client", "--json", "--quiet", "--second", "--connect", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let mut stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        Ok(Self {
            child,
            stdout: Some(thread::spawn(move || {
                let mut text = String::new();
                // What came before an error still counts.
                let _ = stdout.read_to_string(&mut text);
                text
            })),
            stderr: Some(thread::spawn(move || pass_through(stderr))),
        })
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The JSON object of a client that ends well within `bound`.
    pub(crate) fn finish(mut self, bound: Duration) -> Result<Map<String, Value>, Failure> {
        match self.wait(bound) {
            None => Err(Failure { code: 1, message: "the client's process did not end in time".into() }),
            Some(status) if !status.success() => Err(self.failure(status)),
            Some(_) => {
                let text = self.stdout.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
                let object = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
                let missing = || Failure { code: 1, message: "the client's process printed no JSON".into() };
                object.ok_or_else(missing)
            }
        }
    }

    /// Why the client has ended.
    pub(crate) fn into_failure(mut self) -> Failure {
        match self.wait(Duration::from_secs(2)) {
            Some(status) => self.failure(status),
            None => Failure { code: 1, message: "the client's process does not answer".into() },
        }
    }

    /// Why the client has failed, if it has within `bound`.
    pub(crate) fn failed_within(mut self, bound: Duration) -> Option<Failure> {
        let status = self.wait(bound).filter(|status| !status.success())?;
        Some(self.failure(status))
    }

    fn wait(&mut self, bound: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if start.elapsed() > bound {
                return None;
            }
            sleep(Duration::from_millis(2));
        }
    }

    fn failure(&mut self, status: ExitStatus) -> Failure {
        let told = self.stderr.take().and_then(|thread| thread.join().ok()).flatten();
        let message = match told {
            Some(message) => format!("client: {message}"),
            None => format!("the client's process ended early ({status})"),
        };
        let code = if status.code() == Some(2) { 2 } else { 1 };
        Failure { code, message }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Dropping a handle would let a last line appear after ours, or not at all.
        if let Some(thread) = self.stderr.take() {
            let _ = thread.join();
        }
    }
}

/// Passes lines on as they come, but keeps the line of the error: one process tells the end of both.
fn pass_through(stderr: impl Read) -> Option<String> {
    let mut error = None;
    for line in BufReader::new(stderr).lines() {
        let Ok(line) = line else { break };
        match line.strip_prefix("error: ") {
            Some(message) => error = Some(message.into()),
            None => eprintln!("{line}"),
        }
    }
    error
}
