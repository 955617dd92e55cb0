//! Who is richer? Two millionaires learn that, and nothing else about each other's fortune.
//!
//! ```sh
//! cargo run --release --example millionaires
//! cargo run --release --example millionaires -- --server 30000000 --client 45000000
//! ```

use clap::Parser;
use ezpc_core::protocol::{Protocol, Reveal, Signedness};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::{Party, Result};
use ezpc_examples::{Common, Connection, Example, Report, Ui};
use std::process::ExitCode;

/// Compares two fortunes in secret.
#[derive(Parser)]
struct Millionaires {
    #[command(flatten)]
    common: Common,

    /// What the server owns; the client's process does not look at it.
    #[arg(long, default_value_t = 35_000_000)]
    server: u32,

    /// What the client owns; the server's process does not look at it.
    #[arg(long, default_value_t = 28_000_000)]
    client: u32,
}

/// The program, for any protocol: `server < client`.
fn client_is_richer<P: Protocol>(p: &mut P, fortune: u32) -> Result<bool> {
    let fortune = RingVec::new(Width::W32, vec![u64::from(fortune)]);
    let own = |p: &P, party| (p.party() == Some(party)).then_some(&fortune);
    let server = p.input(Party::Server, Width::W32, 1, own(p, Party::Server))?;
    let client = p.input(Party::Client, Width::W32, 1, own(p, Party::Client))?;
    let less = p.less_than(&server, &client, Signedness::Unsigned)?;
    let opened = p.reveal_bool(&less, Reveal::Both)?.expect("opened to both");
    Ok(opened.to_lanes()[0] == 1)
}

impl Example for Millionaires {
    /// A fortune.
    type Input = u32;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, party: Party) -> Result<u32> {
        Ok([self.server, self.client][party.index()])
    }

    fn run(&self, fortune: u32, connection: Connection, _: &Ui) -> Result<Report> {
        let mut p = connection.session("millionaires")?;
        let client_is_richer = client_is_richer(&mut p, fortune)?;
        let line = if client_is_richer { "the client is richer" } else { "the client is not richer" };
        let report = Report::new(p.stats()).line(line).field("client_is_richer", client_is_richer);
        p.close()?;
        Ok(report)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Millionaires>()
}
