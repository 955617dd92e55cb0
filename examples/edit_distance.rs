//! How many letters have to be changed, inserted or dropped to make one private text the other? Both learn the
//! number.
//!
//! ```sh
//! cargo run --release --example edit_distance
//! cargo run --release --example edit_distance -- --server GATTACA --client GCATGCU
//! ```

use clap::Parser;
use ezpc_core::{Error, Party, Protocol, Result, secure};
use ezpc_examples::cookbook::{Recipe, own};
use ezpc_examples::{Common, Report};
use std::process::ExitCode;

secure! {
    /// Neighbours in the table of distances differ by at most one, so each cell is four bits: up or down from the
    /// cell above and from the cell on the left (Myers, JACM 1999). No number is compared at all, and the cells of one
    /// diagonal run together.
    pub mod edit_distance;

    def void main() {
        input(ALL, n, int32_pl);
        input(ALL, m, int32_pl);
        input(SERVER, mine, uint8_bl[n]);
        input(CLIENT, yours, uint8_bl[m]);
        bool_bl[n + 1][m + 1] up; // one more, one less than the cell above
        bool_bl[n + 1][m + 1] down;
        bool_bl[n + 1][m + 1] right; // than the cell on the left
        bool_bl[n + 1][m + 1] left;
        for i = [1 : n + 1] { up[i][0] = true; }
        for j = [1 : m + 1] { right[0][j] = true; }
        for i = [1 : n + 1] {
            for j = [1 : m + 1] {
                // Up and down, right and left exclude each other, so that most of this is exclusive or, which is free.
                bool_bl same = mine[i - 1] == yours[j - 1];
                bool_bl across = same || left[i - 1][j];
                bool_bl along = same || down[i][j - 1];
                right[i][j] = down[i][j - 1] @ !(across || up[i][j - 1] @ down[i][j - 1]);
                left[i][j] = across && up[i][j - 1];
                up[i][j] = left[i - 1][j] @ !(along || right[i - 1][j] @ left[i - 1][j]);
                down[i][j] = along && right[i - 1][j];
            }
        }
        int32_al distance = n;
        for j = [1 : m + 1] { distance += (right[n][j] ? 1 : 0) - (left[n][j] ? 1 : 0); }
        output(ALL, distance);
    }
}

/// Counts the edits between two private texts.
#[derive(Parser)]
pub struct EditDistance {
    #[command(flatten)]
    common: Common,

    /// The server's text; the client's process looks at its length only.
    #[arg(long, default_value = "secure computation")]
    server: String,

    /// The client's text; the server's process looks at its length only.
    #[arg(long, default_value = "private communication")]
    client: String,
}

/// The inputs of both parties, byte by byte.
pub fn inputs(server: &str, client: &str) -> Result<edit_distance::Inputs> {
    let length = |text: &str| i32::try_from(text.len()).map_err(|_| Error::usage("a text is too long"));
    Ok(edit_distance::Inputs {
        n: Some(length(server)?),
        m: Some(length(client)?),
        mine: Some(server.as_bytes().to_vec()),
        yours: Some(client.as_bytes().to_vec()),
    })
}

impl Recipe for EditDistance {
    type Inputs = edit_distance::Inputs;
    type Outputs = edit_distance::Outputs;
    const NAME: &'static str = "edit_distance";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<edit_distance::Inputs> {
        let all = inputs(&self.server, &self.client)?;
        Ok(edit_distance::Inputs {
            mine: all.mine.and_then(|v| own(v, Party::Server, party)),
            yours: all.yours.and_then(|v| own(v, Party::Client, party)),
            ..all
        })
    }

    fn program<P: Protocol>(p: &mut P, inputs: &edit_distance::Inputs) -> Result<edit_distance::Outputs> {
        edit_distance::main(p, inputs)
    }

    fn tell(&self, outputs: &edit_distance::Outputs, report: Report) -> Report {
        let distance = outputs.distance;
        report.line(format!("{distance} edits make one text the other")).field("distance", distance)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<EditDistance>()
}
