//! The flags that all examples have.

use clap::error::ErrorKind as ClapError;
use clap::{Args, CommandFactory, FromArgMatches, ValueEnum};
use ezpc_core::transport::Link;
use ezpc_core::transport::tcp::is_loopback;
#[cfg(feature = "tls")]
use ezpc_core::transport::tls::{Identity, Tls, Trust};
use ezpc_core::{Error, Result};
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Which party a process is.
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// The server here, and the client in a second process on this machine.
    Both,
    /// The server.
    Server,
    /// The client.
    Client,
}

/// The flags that all examples have.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Which party this process is; `both` starts the client as a second process.
    #[arg(long, value_enum, default_value_t = Role::Both, help_heading = "Connection")]
    pub role: Role,

    /// Wait for the peer at this address, for example `127.0.0.1:7000`.
    #[arg(long, value_name = "ADDR", conflicts_with = "connect", help_heading = "Connection")]
    pub listen: Option<String>,

    /// Connect to a peer that waits at this address.
    #[arg(long, value_name = "ADDR", help_heading = "Connection")]
    pub connect: Option<String>,

    /// Allow connections to other machines that anyone on the way can read and change.
    #[arg(long, help_heading = "Connection")]
    pub insecure_plain_tcp: bool,

    /// Who this party is and whom it trusts.
    #[cfg(feature = "tls")]
    #[command(flatten)]
    pub tls: TlsArgs,

    /// The longest wait for a message of the peer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Connection",
          value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub timeout: u64,

    /// The longest time for the whole session, in seconds; no limit by default.
    #[arg(long, value_name = "SECONDS", help_heading = "Connection",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub deadline: Option<u64>,

    /// The link between the parties, which decides how they compare and how linear layers are cut: `lan`, `wan`, `measured`,
    /// or Mbit/s and milliseconds of a round trip, as in `400,40`. Both parties give the same; 1 Gbit/s by default on one
    /// machine, measured between two.
    #[arg(long, value_name = "LINK", help_heading = "Connection", value_parser = link)]
    pub link: Option<LinkArg>,

    /// How many threads a party may use.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = threads)]
    pub threads: usize,

    /// Print one JSON object on the last line of stdout, and nothing for humans.
    #[arg(long)]
    pub json: bool,

    /// Show no progress.
    #[arg(long)]
    pub quiet: bool,

    /// This process was started by `--role both`, which writes the report of the run.
    #[arg(long, hide = true)]
    pub second: bool,
}

/// Who this party is and whom it trusts. `keygen` makes the files.
#[cfg(feature = "tls")]
#[derive(Args, Clone, Debug)]
pub struct TlsArgs {
    /// This party's certificate, PEM: encrypts and authenticates the connection.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Connection")]
    pub cert: Option<PathBuf>,

    /// This party's private key, PEM, readable by its owner only.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "Connection")]
    pub key: Option<PathBuf>,

    /// The certificate of the peer, PEM: nobody else is talked to.
    #[arg(
        long,
        value_name = "FILE",
        requires = "cert",
        conflicts_with = "authority",
        help_heading = "Connection"
    )]
    pub peer_cert: Option<PathBuf>,

    /// The certificate of the authority that vouches for the peer, PEM.
    #[arg(long, value_name = "FILE", requires_all = ["cert", "peer_name"], help_heading = "Connection")]
    pub authority: Option<PathBuf>,

    /// The name that the authority has certified for the peer.
    #[arg(long, value_name = "NAME", requires = "authority", help_heading = "Connection")]
    pub peer_name: Option<String>,
}

#[cfg(feature = "tls")]
impl TlsArgs {
    /// The TLS configuration, when one is asked for.
    pub(crate) fn load(&self) -> Result<Option<Tls>> {
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else { return Ok(None) };
        let trust = match (&self.peer_cert, &self.authority, &self.peer_name) {
            (Some(path), ..) => Trust::load_pinned(path)?,
            (None, Some(path), Some(name)) => Trust::load_certified(path, name)?,
            _ => {
                let need = "--cert needs --peer-cert FILE, or --authority FILE and --peer-name NAME";
                return Err(Error::usage(need));
            }
        };
        Tls::new(&Identity::load(cert, key)?, trust).map(Some)
    }
}

/// What `--link` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "every variant is handled where it is matched")]
pub enum LinkArg {
    /// These numbers.
    Given(Link),
    /// What the parties find when they connect.
    Measured,
}

fn link(text: &str) -> Result<LinkArg, String> {
    match text {
        "measured" => Ok(LinkArg::Measured),
        _ => Link::parse(text).map(LinkArg::Given).map_err(|error| format!("{error}, or `measured`")),
    }
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("not in 1..=1024".into()),
    }
}

impl Common {
    /// The longest wait for the peer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    /// The longest time for the whole session.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline.map(Duration::from_secs)
    }

    /// Whether the connection is encrypted and authenticated.
    fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.cert.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// What clap cannot check.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_secure() && self.insecure_plain_tcp {
            return Err(Error::usage("--cert and --insecure-plain-tcp contradict each other"));
        }
        match (self.role, &self.listen, &self.connect) {
            (Role::Both, None, None) if self.is_secure() => {
                Err(Error::usage("--cert is for one party: add --role server or --role client"))
            }
            (Role::Both, None, None) => Ok(()),
            (Role::Both, ..) => Err(Error::usage(
                "--listen and --connect are for one party: add --role server or --role client",
            )),
            (_, None, None) => Err(Error::usage("one party alone needs --listen ADDR or --connect ADDR")),
            (_, Some(address), _) | (_, _, Some(address)) => self.check_address(address),
        }
    }

    /// The link as the session takes it, `None` to have it measured.
    pub(crate) fn link(&self) -> Option<Link> {
        match (self.link, self.listen.as_ref().or(self.connect.as_ref())) {
            (Some(LinkArg::Given(link)), _) => Some(link),
            (Some(LinkArg::Measured), _) => None,
            // Both ends know that they speak TLS; what either calls the other may differ.
            (None, Some(address)) if self.is_secure() || !is_loopback(address).unwrap_or(false) => None,
            (None, _) => Some(Link::default()),
        }
    }

    /// Plain TCP is for loopback, unless the user insists.
    fn check_address(&self, address: &str) -> Result<()> {
        let loopback = is_loopback(address)?;
        if self.is_secure() || self.insecure_plain_tcp || loopback {
            return Ok(());
        }
        Err(Error::usage(format!(
            "{address} is not on this machine alone: give --cert, --key and --peer-cert (the keygen example makes \
             them); or --insecure-plain-tcp, and anyone on the way can read and change everything"
        )))
    }
}

/// The command line. Wrong ones are reported in one line; later flags override earlier ones.
pub(crate) fn parse<E: CommandFactory + FromArgMatches>() -> Result<E, ExitCode> {
    let matches = E::command().args_override_self(true).try_get_matches();
    matches.and_then(|matches| E::from_arg_matches(&matches)).map_err(|error| {
        if matches!(error.kind(), ClapError::DisplayHelp | ClapError::DisplayVersion) {
            // Help goes to stdout; when that is closed there is nobody to tell.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        crate::ui::print_error(&one_line(&error.to_string()));
        ExitCode::from(2)
    })
}

/// What clap says before it explains the usage.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let told = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let told = told.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    format!("{} (see --help)", told.strip_prefix("error: ").unwrap_or(&told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        common: Common,
    }

    fn check(line: &str) -> Result<(), String> {
        let words = ["example"].into_iter().chain(line.split_whitespace());
        let parsed = Only::command().args_override_self(true).try_get_matches_from(words);
        let only = parsed.and_then(|matches| Only::from_arg_matches(&matches));
        let only = only.map_err(|error| one_line(&error.to_string()))?;
        only.common.check().map_err(|error| error.to_string())
    }

    #[test]
    fn roles_need_an_address_and_both_needs_none() {
        assert_eq!(check(""), Ok(()));
        assert_eq!(check("--role client --connect localhost:7000"), Ok(()));
        assert_eq!(check("--role both --role server --listen [::1]:7000"), Ok(()));
        let message = "one party alone needs --listen ADDR or --connect ADDR";
        assert_eq!(check("--role client"), Err(message.into()));
        let message = "--listen and --connect are for one party: add --role server or --role client";
        assert_eq!(check("--listen 127.0.0.1:7000"), Err(message.into()));
    }

    #[test]
    fn other_machines_need_the_loud_flag() {
        for address in ["0.0.0.0:7000", "192.0.2.1:7000"] {
            let message = check(&format!("--role server --listen {address}")).expect_err("not loopback");
            assert!(message.starts_with(&format!("{address} is not on this machine alone")), "{message}");
            assert_eq!(check(&format!("--role server --listen {address} --insecure-plain-tcp")), Ok(()));
        }
        let message = check("--role server --listen nonsense").expect_err("no port");
        assert!(message.starts_with("`nonsense` is no address"), "{message}");
    }

    #[test]
    fn wrong_flags_are_told_in_one_line() {
        let message = "unexpected argument '--nonsense' found (see --help)";
        assert_eq!(check("--nonsense"), Err(message.into()));
        let message = check("--role client --connect a:1 --listen b:1").expect_err("both");
        let expected = "the argument '--connect <ADDR>' cannot be used with '--listen <ADDR>' (see --help)";
        let swapped = "the argument '--listen <ADDR>' cannot be used with '--connect <ADDR>' (see --help)";
        assert!(message == expected || message == swapped, "{message}");
        assert!(check("--threads 0").expect_err("no thread").contains("not in 1..=1024"));
    }
}
