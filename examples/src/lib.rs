//! What the examples share: flags, the second process, progress, tables and JSON, exit codes.
//!
//! An example is a command line with [`Common`] in it that implements [`Example`]; [`main`] does the rest. With
//! `--role both`, the default, it starts itself a second time as the client and talks to it over loopback TCP.
//!
//! Exit codes: 0 done; 2 something was wrong before there was a connection; 1 something was wrong after. One
//! line on stderr says what.

mod args;
mod connect;
pub mod cookbook;
pub mod model;
mod peer;
mod report;
mod stop;
mod ui;

#[cfg(feature = "tls")]
pub use args::TlsArgs;
pub use args::{Common, LinkArg, Role};
pub use connect::Connection;
pub use report::{Report, peak_rss_bytes, reset_peak_rss, rss_bytes};
pub use ui::Ui;

use clap::Parser;
use ezpc_core::transport::tcp;
use ezpc_core::{Error, ErrorKind, Party, Result};
use ezpc_ml::npy::write_whole;
use peer::Peer;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One example.
pub trait Example: Parser {
    /// What a party brings along.
    type Input;

    /// The flags that all examples have.
    fn common(&self) -> &Common;

    /// Reads and checks what `party` needs, before anybody connects.
    fn load(&self, party: Party) -> Result<Self::Input>;

    /// Where the report goes as a page, if anywhere.
    fn page(&self) -> Option<&Path> {
        None
    }

    /// Does the work of one party: `connection.party()` says which.
    fn run(&self, input: Self::Input, connection: Connection, ui: &Ui) -> Result<Report>;
}

/// The `main` of an example.
#[must_use]
pub fn main<E: Example>() -> ExitCode {
    let example = match args::parse::<E>() {
        Ok(example) => example,
        Err(code) => return code,
    };
    let ui = Ui::new(example.common());
    stop::install(&ui);
    let page = example.page().filter(|_| !example.common().second);
    let done = check_page(page).and_then(|()| match example.common().role {
        Role::Both => run_both(&example, &ui),
        Role::Server => run_one(&example, Party::Server, &ui),
        Role::Client => run_one(&example, Party::Client, &ui),
    });
    let done = done.and_then(|report| match page {
        Some(path) => write_whole(path, report.to_html().as_bytes())
            .map_or_else(|error| Err(Failure::after_connection(error)), |()| Ok(report)),
        None => Ok(report),
    });
    let done = done.and_then(|report| report.print(example.common()).map_err(Failure::after_connection));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            ui.error(&stop::reason().unwrap_or(failure.message));
            ExitCode::from(failure.code)
        }
    }
}

/// The `main` of an example that has no peer.
#[must_use]
pub fn tool<T: Parser>(run: impl FnOnce(&T) -> Result<()>) -> ExitCode {
    match args::parse::<T>().map(|args| run(&args)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            ui::print_error(&error.to_string());
            ExitCode::from(2)
        }
        Err(code) => code,
    }
}

/// What can be wrong with the place of a page is said before anybody connects.
fn check_page(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if folder.is_dir() && path.file_name().is_some() && !path.is_dir() {
        return Ok(());
    }
    let message = format!("{}: not a file in a folder that exists", path.display());
    Err(Failure::before_connection(Error::usage(message)))
}

/// How an example ends when it does not succeed.
#[derive(Debug)]
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn before_connection(error: Error) -> Self {
        Self { code: 2, message: error.to_string() }
    }

    fn after_connection(error: Error) -> Self {
        Self { code: 1, message: error.to_string() }
    }
}

/// One party; the other one is somewhere else.
fn run_one<E: Example>(example: &E, party: Party, ui: &Ui) -> Result<Report, Failure> {
    let common = example.common();
    let before = Failure::before_connection;
    common.check().map_err(before)?;
    let input = example.load(party).map_err(before)?;
    let connection = Connection::open(common, party, ui).map_err(before)?;
    timed(example, input, connection, ui).map_err(Failure::after_connection)
}

/// The server here and the client in a second process.
fn run_both<E: Example>(example: &E, ui: &Ui) -> Result<Report, Failure> {
    let common = example.common();
    let before = Failure::before_connection;
    common.check().map_err(before)?;
    let input = example.load(Party::Server).map_err(before)?;
    let listener = tcp::Listener::bind("127.0.0.1:0").map_err(before)?;
    let mut peer = Peer::spawn(listener.local_address()).map_err(before)?;
    let transport = match listener.accept_while(common.timeout(), || peer.is_running()) {
        Ok(transport) => transport,
        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(peer.into_failure()),
        Err(error) => return Err(before(error)),
    };
    match timed(example, input, Connection::new(common, Party::Server, transport), ui) {
        Ok(report) => Ok(report.merge(peer.finish(common.timeout())?)),
        // The connection is closed by now: whatever made the client hang up, it has said so.
        Err(error) => Err(match peer.failed_within(Duration::from_secs(2)) {
            Some(theirs) if error.kind() == ErrorKind::Closed => theirs,
            _ => Failure::after_connection(error),
        }),
    }
}

fn timed<E: Example>(example: &E, input: E::Input, connection: Connection, ui: &Ui) -> Result<Report> {
    let (start, party) = (Instant::now(), connection.party());
    let report = example.run(input, connection, ui)?;
    ui.clear();
    Ok(report.finish(party, start.elapsed(), example.common().threads))
}
