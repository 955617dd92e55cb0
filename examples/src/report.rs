//! What an example found out and what it took.

mod html;

use crate::Common;
use ezpc_core::transport::{Counts, Phase, Stats};
use ezpc_core::{Error, Party, Result};
use ezpc_ml::card::{Card, Step};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

/// What the tables say of a layer.
#[derive(Clone, Copy, Debug)]
struct Layer {
    kind: &'static str,
    /// Bits of its ring.
    width: u32,
}

/// The result of one party, for humans and as JSON.
#[derive(Clone, Debug)]
pub struct Report {
    stats: Stats,
    lines: Vec<String>,
    fields: Map<String, Value>,
    rows: Vec<Value>,
    opened: Vec<[String; 3]>,
    matrices: Vec<(String, Vec<Vec<u64>>)>,
    facts: Vec<(String, String)>,
    scopes: bool,
    layers: BTreeMap<String, Layer>,
    seconds: f64,
}

impl Report {
    /// A report on a run with these statistics.
    #[must_use]
    pub fn new(stats: &Stats) -> Self {
        Self {
            stats: stats.clone(),
            lines: Vec::new(),
            fields: Map::new(),
            rows: Vec::new(),
            opened: Vec::new(),
            matrices: Vec::new(),
            facts: Vec::new(),
            scopes: true,
            layers: BTreeMap::new(),
            seconds: 0.0,
        }
    }

    /// A line for humans.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// A field of the JSON object.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// A JSON object that stands on a line of its own, in place of the one for the whole run.
    #[must_use]
    pub fn row(mut self, row: Value) -> Self {
        self.rows.push(row);
        self
    }

    /// For the page: a value that both parties learned, and what exactly was opened.
    #[must_use]
    pub fn opened(mut self, name: &str, value: impl Into<String>, form: impl Into<String>) -> Self {
        self.opened.push([name.into(), value.into(), form.into()]);
        self
    }

    /// For the page: a table of counts.
    #[must_use]
    pub fn matrix(mut self, name: &str, rows: Vec<Vec<u64>>) -> Self {
        self.matrices.push((name.into(), rows));
        self
    }

    /// For the page: what the run was about.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Leaves out the table of scopes.
    #[must_use]
    pub fn without_scopes(mut self) -> Self {
        self.scopes = false;
        self
    }

    /// For the table of scopes: the layers that they are named after. What layers of one kind take together is a second
    /// table.
    #[must_use]
    pub fn layers(mut self, card: &Card) -> Self {
        let layer =
            |step: &Step| (step.name.clone(), Layer { kind: step.op.name(), width: step.width.bits() });
        self.layers = card.steps.iter().map(layer).collect();
        self
    }

    /// The layers that share a scope, whose name has all of theirs.
    fn sharing<'s>(&'s self, scope: &'s str) -> impl Iterator<Item = &'s Layer> {
        scope.split(" + ").filter_map(|name| self.layers.get(name))
    }

    /// The rings of the layers that share a scope, whose name has all of theirs.
    fn width(&self, scope: &str) -> String {
        let all: BTreeSet<u32> = self.sharing(scope).map(|layer| layer.width).collect();
        all.iter().map(u32::to_string).collect::<Vec<_>>().join("/")
    }

    /// What the layers of each kind, or of kinds that ran side by side, took together: in all, and for correlated OTs.
    fn kinds(&self) -> BTreeMap<String, [Counts; 2]> {
        let mut kinds: BTreeMap<String, [Counts; 2]> = BTreeMap::new();
        for (scope, counts) in self.named_scopes() {
            let all: BTreeSet<&str> = self.sharing(scope).map(|layer| layer.kind).collect();
            let kind = match all.is_empty() {
                true => scope_title(scope).to_owned(),
                false => all.into_iter().collect::<Vec<_>>().join(" + "),
            };
            let [total, offline] = kinds.entry(kind).or_default();
            *total += counts;
            *offline += self.stats.scope_in(scope, Phase::Offline);
        }
        kinds
    }

    /// Adds what only the end of the run knows.
    pub(crate) fn finish(mut self, party: Party, time: Duration, threads: usize) -> Self {
        let total = self.stats.total();
        self.seconds = time.as_secs_f64();
        self.fields.insert(
            party.to_string(),
            json!({
                "seconds": rounded(self.seconds),
                "setup_seconds": rounded(self.stats.phase(Phase::Setup).seconds),
                "bytes_sent": total.bytes_sent,
                "bytes_received": total.bytes_received,
                "half_rounds": total.half_rounds,
                "peak_rss_bytes": peak_rss_bytes(),
                "threads": threads,
            }),
        );
        self
    }

    /// Adds what only the peer knows.
    pub(crate) fn merge(mut self, peer: Map<String, Value>) -> Self {
        for (name, value) in peer {
            if !self.fields.contains_key(&name) {
                if !Party::BOTH.iter().any(|party| party.to_string() == name) {
                    self.lines.push(format!("the client's {name}: {value}"));
                }
                self.fields.insert(name, value);
            }
        }
        self
    }

    /// Prints to stdout, for humans or, under `--json`, the JSON object alone.
    ///
    /// # Errors
    /// When stdout does not take all of it: a full disk, or a reader that has gone away.
    pub(crate) fn print(&self, common: &Common) -> Result<()> {
        let text = match (common.json, &self.rows[..]) {
            (false, _) => self.to_text(),
            (true, []) => format!("{}\n", Value::Object(self.fields.clone())),
            (true, rows) => rows.iter().map(|row| format!("{row}\n")).collect(),
        };
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|error| Error::io("printing the result", error))
    }

    /// Where something was counted, in the order of first use.
    fn named_scopes(&self) -> impl Iterator<Item = (&str, Counts)> {
        self.stats.scopes().filter(|(_, counts)| *counts != Counts::default())
    }

    /// Seconds, bytes sent and received, half-rounds, and a bound of the chance of a failure.
    fn cells(&self, scope: &str, counts: Counts) -> [String; 5] {
        [
            format!("{:.3}", counts.seconds),
            human(counts.bytes_sent),
            human(counts.bytes_received),
            counts.half_rounds.to_string(),
            self.stats.failure(scope).map_or_else(String::new, chance),
        ]
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text += line;
            text.push('\n');
        }
        if self.scopes && self.stats.scopes().any(|(name, _)| !name.is_empty()) {
            text += "\n";
            let mut head =
                ["seconds", "sent", "received", "half-rounds", "failure"].map(String::from).to_vec();
            head.extend((!self.layers.is_empty()).then(|| "width".to_owned()));
            row(&mut text, "", &head);
            for (name, counts) in self.named_scopes() {
                let mut cells = self.cells(name, counts).to_vec();
                cells.push(self.width(name));
                cells.truncate(head.len());
                row(&mut text, scope_title(name), &cells);
            }
        }
        if self.scopes && !self.layers.is_empty() {
            text += "\n";
            row(
                &mut text,
                "",
                &["seconds", "of them OTs", "sent", "received", "half-rounds"].map(String::from),
            );
            for (kind, [total, offline]) in self.kinds() {
                let cells = [
                    format!("{:.3}", total.seconds),
                    format!("{:.3}", offline.seconds),
                    human(total.bytes_sent),
                    human(total.bytes_received),
                    total.half_rounds.to_string(),
                ];
                row(&mut text, &kind, &cells);
            }
        }
        let total = self.stats.total();
        let _ = writeln!(
            text,
            "\n{:.2} s (setup {:.2} s), {} sent, {} received, {} half-rounds, peak memory {}",
            self.seconds,
            self.stats.phase(Phase::Setup).seconds,
            human(total.bytes_sent),
            human(total.bytes_received),
            total.half_rounds,
            human(peak_rss_bytes()),
        );
        text
    }
}

const fn scope_title(name: &str) -> &str {
    if name.is_empty() { "(connection, keys)" } else { name }
}

/// A bound of the chance that a layer's result is further off than its contract says, given as log2.
fn chance(log2: f64) -> String {
    format!("2^{:.0}", log2.ceil())
}

fn row(text: &mut String, name: &str, cells: &[String]) {
    let _ = write!(text, "{name:<28}");
    for cell in cells {
        let _ = write!(text, " {cell:>12}");
    }
    text.push('\n');
}

/// A number of bytes with three digits.
pub(crate) fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 || unit == "GB" {
            let digits = if unit == "B" || value >= 99.5 { 0 } else { 1 };
            return format!("{value:.digits$} {unit}");
        }
        value /= 1000.0;
    }
    unreachable!("the last unit takes everything")
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// The most memory this process had since its start or [`reset_peak_rss`]; 0 where the system does not say.
#[must_use]
pub fn peak_rss_bytes() -> u64 {
    status("VmHWM:")
}

/// The memory of this process now; 0 where the system does not say.
#[must_use]
pub fn rss_bytes() -> u64 {
    status("VmRSS:")
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |line: &str| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok();
    status.lines().find_map(kib).map_or(0, |kib| kib * 1024)
}

/// Forgets the peak so far, where the system can.
pub fn reset_peak_rss() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_are_short() {
        let cases = [(0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (123_456, "123 kB"), (999_999, "1.0 MB")];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
        assert_eq!(human(12_345_678_901_234), "12346 GB");
    }
}
