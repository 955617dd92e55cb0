//! A second-price auction of two houses: the highest bidder wins and pays the second-highest bid. Nothing else is
//! learnt of any bid.
//!
//! ```sh
//! cargo run --release --example auction
//! cargo run --release --example auction -- --server 120,80,95 --client 110,130
//! ```

use clap::Parser;
use ezpc_core::{Error, Party, Protocol, Result, secure};
use ezpc_examples::cookbook::{Recipe, own};
use ezpc_examples::{Common, Report};
use std::process::ExitCode;

secure! {
    /// A tournament: half of the bidders leave in every round. Each keeps the best bid that it has beaten.
    pub mod auction;

    def void main() {
        input(ALL, n, int32_pl);
        input(ALL, m, int32_pl);
        input(SERVER, mine, uint32_al[n]);
        input(CLIENT, yours, uint32_al[m]);
        int32_pl left = n + m;
        uint32_al[left] best;
        uint32_al[left] beaten;
        uint32_al[left] winner;
        for i = [0:n] { best[i] = mine[i]; }
        for i = [0:m] { best[n + i] = yours[i]; }
        for i = [0:left] { winner[i] = uint32(i); }
        while (left > 1) {
            int32_pl half = (left + 1) / 2;
            for i = [0 : left / 2] {
                int32_pl j = half + i;
                // Of equal bids the earlier one wins.
                bool_bl wins = best[i] > best[j] || best[i] == best[j] && winner[i] < winner[j];
                uint32_al low = wins ? best[j] : best[i];
                uint32_al second = wins ? beaten[i] : beaten[j];
                beaten[i] = second > low ? second : low;
                best[i] = best[i] + best[j] - low;
                winner[i] = wins ? winner[i] : winner[j];
            }
            left = half;
        }
        output(ALL, winner[0]);
        output(ALL, beaten[0]);
    }
}

/// Sells to the highest of private bids, for the second-highest.
#[derive(Parser)]
pub struct Auction {
    #[command(flatten)]
    common: Common,

    /// The server's bids; the client's process looks at their number only.
    #[arg(long, value_delimiter = ',', default_value = "120,80,95,60")]
    server: Vec<u32>,

    /// The client's bids; the server's process looks at their number only.
    #[arg(long, value_delimiter = ',', default_value = "110,130,70,125")]
    client: Vec<u32>,
}

impl Recipe for Auction {
    type Inputs = auction::Inputs;
    type Outputs = auction::Outputs;
    const NAME: &'static str = "auction";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<auction::Inputs> {
        let count = |bids: &[u32]| i32::try_from(bids.len()).map_err(|_| Error::usage("too many bids"));
        Ok(auction::Inputs {
            n: Some(count(&self.server)?),
            m: Some(count(&self.client)?),
            mine: own(self.server.clone(), Party::Server, party),
            yours: own(self.client.clone(), Party::Client, party),
        })
    }

    fn program<P: Protocol>(p: &mut P, inputs: &auction::Inputs) -> Result<auction::Outputs> {
        auction::main(p, inputs)
    }

    fn tell(&self, outputs: &auction::Outputs, report: Report) -> Report {
        let (winner, price) = (outputs.winner as usize, outputs.beaten);
        let name = match winner.checked_sub(self.server.len()) {
            None => format!("the server's bidder {}", winner + 1),
            Some(theirs) => format!("the client's bidder {}", theirs + 1),
        };
        let report = report.line(format!("{name} wins and pays {price}"));
        report.field("winner", winner).field("price", price)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Auction>()
}
