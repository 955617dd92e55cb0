//! How fast is the connection between the parties? Round trips, and both directions at once.
//!
//! ```text
//! cargo run --release --example link
//! ```

use clap::Parser;
use ezpc_core::transport::{Phase, handshake};
use ezpc_core::{Error, ErrorKind, Party, Result};
use ezpc_examples::{Common, Connection, Example, Report, Ui};
use std::process::ExitCode;
use std::time::Instant;

/// Measures the connection between the parties.
#[derive(Parser)]
struct Link {
    #[command(flatten)]
    common: Common,

    /// How many round trips to time.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    round_trips: u32,

    /// How many MiB to send each way at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    mib: u32,
}

impl Example for Link {
    type Input = ();

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, _: Party) -> Result<()> {
        Ok(())
    }

    fn run(&self, (): (), connection: Connection, ui: &Ui) -> Result<Report> {
        let mut channel = connection.channel()?;
        let parameters =
            handshake::Parameters::new().with("round_trips", self.round_trips).with("mib", self.mib);
        handshake::open(&mut channel, &parameters, nonce()?)?;
        channel.set_phase(Phase::Online);

        channel.set_scope("round trips");
        let start = Instant::now();
        for _ in 0..self.round_trips {
            match channel.party() {
                Party::Server => {
                    channel.send(vec![0])?;
                    channel.receive_only(1)?;
                }
                Party::Client => {
                    channel.receive_only(1)?;
                    channel.send(vec![0])?;
                }
            }
        }
        let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(self.round_trips);

        channel.set_scope("both at once");
        let progress = ui.progress(u64::from(self.mib));
        let start = Instant::now();
        for _ in 0..self.mib {
            channel.exchange(vec![1; 1 << 20], 1 << 20)?;
            progress.inc(1);
        }
        let rate = f64::from(self.mib) * (1 << 20) as f64 / start.elapsed().as_secs_f64() / 1e6;

        let report = Report::new(channel.stats())
            .line(format!("round trip {micros:.1} us, {rate:.0} MB/s each way at the same time"))
            .field("round_trip_microseconds", micros)
            .field("megabytes_per_second", rate);
        channel.close()?;
        Ok(report)
    }
}

fn nonce() -> Result<[u8; 16]> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)
        .map_err(|error| Error::new(ErrorKind::Io, format!("the system has no randomness: {error}")))?;
    Ok(nonce)
}

fn main() -> ExitCode {
    ezpc_examples::main::<Link>()
}
