//! Group-by over two companies: one knows the group of each customer, the other what each has spent. Both learn how
//! many are in each group, the sum and the largest amount; of groups that are too small, nothing.
//!
//! ```sh
//! cargo run --release --example histogram
//! cargo run --release --example histogram -- --rows 1000 --groups 5 --least 10
//! ```

use clap::Parser;
use ezpc_core::{Party, Protocol, Result, secure};
use ezpc_examples::cookbook::{Recipe, numbers, own};
use ezpc_examples::{Common, Report};
use std::process::ExitCode;

secure! {
    /// `SELECT group, COUNT(*), SUM(amount), MAX(amount) GROUP BY group HAVING COUNT(*) >= least`.
    pub mod histogram;

    /// The largest of n, as a tournament.
    def int32_al largest_of(int32_pl n, int32_al[n] x) {
        int32_al[n] left = x;
        int32_pl count = n;
        while (count > 1) {
            int32_pl half = (count + 1) / 2;
            for i = [0 : count / 2] { left[i] = left[i] > left[half + i] ? left[i] : left[half + i]; }
            count = half;
        }
        return left[0];
    }

    def void main() {
        input(ALL, n, int32_pl);
        input(ALL, groups, int32_pl);
        input(ALL, least, int32_pl);
        input(SERVER, group, uint8_bl[n]);
        input(CLIENT, amount, int32_al[n]); // none is negative
        int32_al[groups] count;
        int32_al[groups] total;
        int32_al[groups] largest;
        for g = [0:groups] {
            int32_al[n] kept;
            for i = [0:n] {
                bool_bl here = group[i] == uint8(g);
                kept[i] = here ? amount[i] : 0;
                count[g] += here ? 1 : 0;
                total[g] += kept[i];
            }
            bool_bl enough = count[g] >= least;
            largest[g] = enough ? largest_of(n, kept) : 0;
            count[g] = enough ? count[g] : 0;
            total[g] = enough ? total[g] : 0;
        }
        output(ALL, count);
        output(ALL, total);
        output(ALL, largest);
    }
}

/// Groups private amounts by private groups.
#[derive(Parser)]
pub struct Histogram {
    #[command(flatten)]
    common: Common,

    /// How many customers there are; groups and amounts are by chance.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=50_000))]
    rows: u16,

    /// How many groups there are.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..))]
    groups: u8,

    /// Groups with fewer customers are not told.
    #[arg(long, default_value_t = 5)]
    least: u16,
}

/// Groups of which the last is rare, and amounts, by chance.
#[must_use]
pub fn rows(count: usize, groups: u8) -> (Vec<u8>, Vec<i32>) {
    let mut group: Vec<u8> = numbers(1, count, u64::from(groups).max(2) - 1);
    for (group, rare) in group.iter_mut().zip(numbers::<u8>(2, count, 64)) {
        if rare == 0 {
            *group = groups - 1;
        }
    }
    (group, numbers(3, count, 10_000))
}

impl Recipe for Histogram {
    type Inputs = histogram::Inputs;
    type Outputs = histogram::Outputs;
    const NAME: &'static str = "histogram";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<histogram::Inputs> {
        let (group, amount) = rows(usize::from(self.rows), self.groups);
        Ok(histogram::Inputs {
            n: Some(i32::from(self.rows)),
            groups: Some(i32::from(self.groups)),
            least: Some(i32::from(self.least)),
            group: own(group, Party::Server, party),
            amount: own(amount, Party::Client, party),
        })
    }

    fn program<P: Protocol>(p: &mut P, inputs: &histogram::Inputs) -> Result<histogram::Outputs> {
        histogram::main(p, inputs)
    }

    fn tell(&self, outputs: &histogram::Outputs, mut report: Report) -> Report {
        for (g, count) in outputs.count.iter().enumerate() {
            let (total, largest) = (outputs.total[g], outputs.largest[g]);
            report = report.line(match count {
                0 => format!("group {g}: fewer than {}", self.least.max(1)),
                _ => format!("group {g}: {count} customers, {total} in all, {largest} at most"),
            });
        }
        let report = report.field("count", outputs.count.clone()).field("total", outputs.total.clone());
        report.field("largest", outputs.largest.clone())
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Histogram>()
}
