//! A program in EzPC's own syntax: does the client's point lie on the far side of the server's plane?
//!
//! ```sh
//! cargo run --release --example dot_product
//! cargo run --release --example dot_product -- --w 1,2 --b 17 --x 5,6
//! ```

use clap::Parser;
use ezpc_core::{Error, Party, Result, secure};
use ezpc_examples::{Common, Connection, Example, Report, Ui};
use std::process::ExitCode;

secure! {
    mod plane;

    (* Both vectors have this many coordinates. *)
    uint32 dim = 2u;

    def int32_al inner(int32_al[dim] w, int32_al[dim] x) {
        int32_al sum = 0;
        for i = [0:dim] {
            sum = sum + w[i] * x[i];
        };
        return sum;
    }

    def void main() {
        input(SERVER, w, int32_al[dim]);
        input(SERVER, b, int32_al);
        input(CLIENT, x, int32_al[dim]);
        output(CLIENT, (inner(w, x) > b) ?_bl 1u : 0u);
    }
}

/// Classifies a private point by a private plane.
#[derive(Parser)]
struct DotProduct {
    #[command(flatten)]
    common: Common,

    /// The plane's normal; the client's process does not look at it.
    #[arg(long, value_delimiter = ',', default_value = "1,2", allow_hyphen_values = true)]
    w: Vec<i32>,

    /// The plane's offset; the client's process does not look at it.
    #[arg(long, default_value_t = 3, allow_hyphen_values = true)]
    b: i32,

    /// The point; the server's process does not look at it.
    #[arg(long, value_delimiter = ',', default_value = "5,6", allow_hyphen_values = true)]
    x: Vec<i32>,
}

impl Example for DotProduct {
    type Input = plane::Inputs;

    fn common(&self) -> &Common {
        &self.common
    }

    fn load(&self, party: Party) -> Result<plane::Inputs> {
        let vector = |name, v: &Vec<i32>| match v.len() {
            2 => Ok(Some(v.clone())),
            n => Err(Error::usage(format!("--{name} has {n} coordinates instead of 2"))),
        };
        Ok(match party {
            Party::Server => plane::Inputs { w: vector("w", &self.w)?, b: Some(self.b), x: None },
            Party::Client => plane::Inputs { x: vector("x", &self.x)?, ..plane::Inputs::default() },
        })
    }

    fn run(&self, inputs: plane::Inputs, connection: Connection, _: &Ui) -> Result<Report> {
        let mut p = connection.session("dot_product")?;
        let outputs = plane::main(&mut p, &inputs)?;
        let mut report = Report::new(p.stats());
        report = match outputs.output {
            Some(side) => report.line(format!("the client learns {side}")).field("output", side),
            None => report.line("the client has learnt the answer"),
        };
        p.close()?;
        Ok(report)
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<DotProduct>()
}
