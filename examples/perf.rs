//! What every operation costs: both parties as two processes over loopback, everything included.
//!
//! ```sh
//! cargo run --release --example perf                       # every row
//! cargo run --release --example perf -- --only relu_20,cot
//! cargo run --release --example perf -- --only networks    # whole networks, one image each
//! cargo run --release --example perf -- --only densenet121 --size 8
//! ```
//!
//! Machines differ and are noisy, so each row also has its ratio to a yardstick measured in the same run: the
//! nanoseconds of one fixed-key AES-128 block, hashed in batches from the first-level cache with eight vectors in flight, on
//! the widest instructions that the processor has. The report says which: VAES takes a fourth of the time of AES-NI a
//! block, so a ratio is comparable between machines with the same instructions only.
//!
//! `--size` gives a row another number of elements: `--only relu_20 --size 16777216` shows that memory does not grow beyond
//! inputs and outputs.

#[path = "perf/networks.rs"]
mod networks;
#[path = "perf/programs.rs"]
mod programs;
#[path = "perf/rows.rs"]
mod rows;

use clap::Parser;
use ezpc_core::crypto::{Block, Mmo};
use ezpc_core::protocol::Protocol;
use ezpc_core::transport::{Counts, Phase};
use ezpc_core::{Error, Party, Result};
use ezpc_examples::{Common, Connection, Example, Report, Ui, peak_rss_bytes, reset_peak_rss};
use rows::{NETWORKS, ROWS, Row};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

/// Measures the rows of the performance table.
#[derive(Parser)]
struct Perf {
    #[command(flatten)]
    common: Common,

    /// Row names separated by commas, `micro` for all rows that are not networks, or `networks` for those that are.
    #[arg(long, default_value = "micro")]
    only: String,

    /// Elements or images a row works on, instead of its own number.
    #[arg(long)]
    size: Option<usize>,
}

impl Perf {
    fn rows(&self) -> Result<Vec<&'static Row>> {
        match self.only.as_str() {
            "micro" => return Ok(ROWS.iter().collect()),
            "networks" => return Ok(NETWORKS.iter().collect()),
            _ => {}
        }
        let all = || ROWS.iter().chain(NETWORKS);
        let find = |name: &str| {
            all().find(|row| row.name == name).ok_or_else(|| {
                let known: Vec<_> = all().map(|row| row.name).collect();
                Error::usage(format!("no row is called {name}; there are {}", known.join(", ")))
            })
        };
        self.only.split(',').map(find).collect()
    }
}

impl Example for Perf {
    type Input = Vec<&'static Row>;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, _: Party) -> Result<Self::Input> {
        self.rows()
    }

    fn run(&self, rows: Self::Input, connection: Connection, ui: &Ui) -> Result<Report> {
        let mut p = connection.session("perf")?;
        let setup = p.stats().phase(Phase::Setup);
        let aes = aes_nanoseconds();
        let mut table = Table { aes, threads: self.common.threads, lines: Vec::new(), rows: Vec::new() };
        for row in rows {
            let size = self.size.unwrap_or(row.size);
            ui.note(&format!("{} ({size})", row.name));
            let mut input = (row.input)(&mut p, size)?;
            p.agree("the row", row.name.as_bytes())?;
            reset_peak_rss();
            let (before, online) = (p.stats().total(), p.stats().phase(Phase::Online).half_rounds);
            let start = Instant::now();
            (row.run)(&mut p, &mut input)?;
            let seconds = start.elapsed().as_secs_f64();
            let after = p.stats().total();
            let online = p.stats().phase(Phase::Online).half_rounds - online;
            let mine = peak_rss_bytes().to_le_bytes();
            let theirs = p.exchange_public("peak memory", mine.to_vec(), 8)?;
            let theirs = u64::from_le_bytes(theirs.try_into().map_err(|_| Error::peer("peak memory"))?);
            let counts = if row.name == "setup" { setup } else { difference(after, before, online) };
            let seconds = if row.name == "setup" { setup.seconds } else { seconds };
            let memory = peak_rss_bytes().max(theirs);
            let server = p.party() == Some(Party::Server);
            let plain = input.job.as_ref().filter(|_| server).map(|job| job.onnxruntime_seconds());
            let plain = plain.transpose()?.flatten();
            table.add(row.name, size, seconds, input.cold, plain, counts, memory);
        }
        let server = p.party() == Some(Party::Server);
        let mut report = Report::new(p.stats()).without_scopes();
        if server {
            report = table.lines.into_iter().fold(report, Report::line);
            report = table.rows.into_iter().fold(report, Report::row);
        }
        p.close()?;
        Ok(report)
    }
}

/// What a row sent, with the half-rounds of its online phase: correlations are made ahead of it or beside it.
fn difference(after: Counts, before: Counts, half_rounds: u64) -> Counts {
    let mut counts = after;
    counts.bytes_sent -= before.bytes_sent;
    counts.bytes_received -= before.bytes_received;
    counts.half_rounds = half_rounds;
    counts
}

struct Table {
    aes: f64,
    threads: usize,
    lines: Vec<String>,
    rows: Vec<serde_json::Value>,
}

impl Table {
    /// Adds a row; `cold` are the seconds of a first run where that does more, `plain` those of onnxruntime an image.
    #[allow(clippy::too_many_arguments, reason = "the columns of a table")]
    fn add(
        &mut self,
        name: &str,
        size: usize,
        seconds: f64,
        cold: Option<f64>,
        plain: Option<f64>,
        counts: Counts,
        memory: u64,
    ) {
        let nanoseconds = 1e9 * seconds / size as f64;
        let (ratio, bytes) = (nanoseconds / self.aes, counts.bytes_sent + counts.bytes_received);
        self.rows.push(serde_json::json!({
            "name": name, "size": size, "seconds": seconds, "cold_seconds": cold, "bytes": bytes, "half_rounds": counts.half_rounds,
            "peak_rss_bytes": memory, "aes_ns": self.aes,
            "aes_instructions": Mmo::instructions(), "ratio_aes": ratio,
            "ratio_onnxruntime": plain.map(|plain| seconds / size as f64 / plain), "threads": self.threads,
        }));
        if self.lines.is_empty() {
            let instructions = Mmo::instructions();
            self.lines.push(format!("one AES-128 block: {:.2} ns ({instructions})\n", self.aes));
            self.lines.push(format!(
                "{:<24}{:>10}{:>10}{:>10}{:>13}{:>12}{:>12}{:>8}{:>9}",
                "row", "size", "seconds", "cold", "ns each", "x AES", "bytes each", "hr", "MiB"
            ));
        }
        self.lines.push(format!(
            "{name:<24}{size:>10}{seconds:>10.4}{:>10}{nanoseconds:>13.1}{ratio:>12.1}{:>12.2}{:>8}{:>9}",
            cold.map_or_else(String::new, |cold| format!("{cold:.4}")),
            bytes as f64 / size as f64,
            counts.half_rounds,
            memory >> 20,
        ));
        if let Some(plain) = plain {
            self.lines.push(format!(
                "{:<24}{:>20.4}  seconds in onnxruntime, {:.0} times faster",
                "",
                plain,
                seconds / size as f64 / plain
            ));
        }
    }
}

/// Nanoseconds of one block of fixed-key AES, in batches that stay in the first-level cache.
fn aes_nanoseconds() -> f64 {
    let hash = Mmo::new(Block::new(1));
    let mut blocks = [Block::new(2); 512];
    let rounds = 4000;
    let run = |blocks: &mut [Block; 512]| {
        let start = Instant::now();
        for _ in 0..rounds {
            hash.hash_blocks(black_box(blocks));
        }
        1e9 * start.elapsed().as_secs_f64() / (rounds * blocks.len()) as f64
    };
    (0..5).map(|_| run(&mut blocks)).fold(f64::INFINITY, f64::min)
}

fn main() -> ExitCode {
    ezpc_examples::main::<Perf>()
}
