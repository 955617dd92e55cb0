//! How many customers do two companies share? They learn the number, and no customer of each other's.
//!
//! ```sh
//! cargo run --release --example set_size
//! cargo run --release --example set_size -- --server 3,1,4,15 --client 9,2,6,5,3
//! ```

use clap::Parser;
use ezpc_core::{Error, Party, Protocol, Result, secure};
use ezpc_examples::cookbook::{Recipe, numbers, own};
use ezpc_examples::{Common, Report};
use std::process::ExitCode;

secure! {
    /// Both sets are sorted, so a merge is enough: log2(2n) levels of n comparisons, not n^2 comparisons. Then what
    /// is in both stands side by side.
    pub mod set_size;

    /// Sorts what rises and then falls.
    def void merge(int32_pl n, uint32_al[n] a) {
        int32_pl half = n / 2;
        while (half > 0) {
            for block = [0 : n / (2 * half)] {
                for i = [2 * half * block : 2 * half * block + half] {
                    uint32_al low = a[i] < a[i + half] ? a[i] : a[i + half];
                    a[i + half] = a[i] + a[i + half] - low;
                    a[i] = low;
                }
            }
            half = half / 2;
        }
    }

    def void main() {
        input(ALL, n, int32_pl);           // a power of two
        input(SERVER, mine, uint32_al[n]); // rising
        input(CLIENT, yours, uint32_al[n]); // falling
        uint32_al[2 * n] all;
        for i = [0:n] {
            all[i] = mine[i];
            all[n + i] = yours[i];
        }
        merge(2 * n, all);
        uint32_al common = 0;
        for i = [1 : 2 * n] { common += all[i - 1] == all[i] ? 1 : 0; }
        output(ALL, common);
    }
}

/// Counts what two private sets have in common.
#[derive(Parser)]
pub struct SetSize {
    #[command(flatten)]
    common: Common,

    /// The server's set: different numbers below 2^31. The client's process looks at their number only.
    #[arg(long, value_delimiter = ',')]
    server: Option<Vec<u32>>,

    /// The client's set; the server's process looks at its size only.
    #[arg(long, value_delimiter = ',')]
    client: Option<Vec<u32>>,

    /// Without `--server` or `--client`: so many numbers by chance.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    size: u32,
}

impl SetSize {
    fn set(&self, party: Party) -> Result<Vec<u32>> {
        let given = [&self.server, &self.client][party.index()];
        let mut set = match given {
            Some(set) => set.clone(),
            // Chance makes about a third of them common.
            None => {
                let size = u64::from(self.size);
                numbers(1 + party.index() as u64, self.size as usize, 3 * size)
            }
        };
        set.sort_unstable();
        let len = set.len();
        set.dedup();
        if given.is_some() && set.len() < len || set.last().is_some_and(|&x| x >= 1 << 31) {
            return Err(Error::usage(format!("the {party}'s set is not of different numbers below 2^31")));
        }
        Ok(set)
    }
}

/// Sets of `n` numbers, sorted as the program needs them. What they are filled up with is in no other set.
pub fn prepare(mut set: Vec<u32>, party: Party, n: usize) -> Vec<u32> {
    let filling = [1 << 31, 3 << 30][party.index()];
    set.extend((filling..).take(n - set.len()));
    set.sort_unstable();
    if party == Party::Client {
        set.reverse();
    }
    set
}

impl Recipe for SetSize {
    type Inputs = set_size::Inputs;
    type Outputs = set_size::Outputs;
    const NAME: &'static str = "set_size";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<set_size::Inputs> {
        let (mine, yours) = (self.set(Party::Server)?, self.set(Party::Client)?);
        let n = match (&self.server, &self.client) {
            (None, None) => self.size as usize,
            _ => mine.len().max(yours.len()),
        };
        let n = n.next_power_of_two();
        Ok(set_size::Inputs {
            n: Some(i32::try_from(n).map_err(|_| Error::usage("the sets are too large"))?),
            mine: own(prepare(mine, Party::Server, n), Party::Server, party),
            yours: own(prepare(yours, Party::Client, n), Party::Client, party),
        })
    }

    fn program<P: Protocol>(p: &mut P, inputs: &set_size::Inputs) -> Result<set_size::Outputs> {
        set_size::main(p, inputs)
    }

    fn tell(&self, outputs: &set_size::Outputs, report: Report) -> Report {
        let common = outputs.common;
        let elements = if common == 1 { "element is" } else { "elements are" };
        report.line(format!("{common} {elements} in both sets")).field("common", common)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<SetSize>()
}
