//! One step of matrix factorisation: a shop's profiles of its items and a club's profiles of its members move towards
//! the members' ratings. Each learns its own new profiles, and neither the ratings nor the other's profiles.
//!
//! ```sh
//! cargo run --release --example factorise
//! cargo run --release --example factorise -- --users 20 --items 30
//! ```

use clap::Parser;
use ezpc_core::{Party, Protocol, Result, secure};
use ezpc_examples::cookbook::{Recipe, numbers, own};
use ezpc_examples::{Common, Report};
use std::process::ExitCode;

secure! {
    /// Gradient descent on the squared error of u v^T at the known ratings, in fixed point.
    pub mod factorise;

    def void main() {
        input(ALL, users, int32_pl);
        input(ALL, items, int32_pl);
        input(ALL, rank, int32_pl);
        input(ALL, rate, float_pl);
        input(ALL, decay, float_pl);
        input(CLIENT, rating, float_fl[users][items]);
        input(CLIENT, known, bool_bl[users][items]);
        input(CLIENT, u, float_fl[users][rank]);
        input(SERVER, v, float_fl[items][rank]);
        float_fl[users][rank] du;
        float_fl[items][rank] dv;
        for i = [0:users] {
            for j = [0:items] {
                float_fl error = rating[i][j];
                for k = [0:rank] { error -= u[i][k] * v[j][k]; }
                error = known[i][j] ? error : 0.0;
                for k = [0:rank] {
                    du[i][k] += error * v[j][k];
                    dv[j][k] += error * u[i][k];
                }
            }
        }
        for i = [0:users] {
            for k = [0:rank] { u[i][k] += rate * (du[i][k] - decay * u[i][k]); }
        }
        for j = [0:items] {
            for k = [0:rank] { v[j][k] += rate * (dv[j][k] - decay * v[j][k]); }
        }
        output(CLIENT, u);
        output(SERVER, v);
    }
}

/// Makes one step of a factorisation of private ratings.
#[derive(Parser)]
pub struct Factorise {
    #[command(flatten)]
    common: Common,

    /// How many members the club has; ratings are by chance.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=1000))]
    users: u16,

    /// How many items the shop has.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    items: u16,

    /// How many numbers a profile has.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    rank: u16,
}

/// The inputs of both parties: profiles in 0..1, ratings in 0..=5 of which half are known.
#[must_use]
pub fn inputs(users: u16, items: u16, rank: u16) -> factorise::Inputs {
    let table = |seed, rows: u16, columns: u16, below: u64, unit: f64| -> Vec<Vec<f64>> {
        let all: Vec<u16> = numbers(seed, usize::from(rows) * usize::from(columns), below);
        let all: Vec<f64> = all.into_iter().map(|x| f64::from(x) * unit).collect();
        all.chunks(usize::from(columns)).map(<[f64]>::to_vec).collect()
    };
    let known = table(1, users, items, 2, 1.0);
    factorise::Inputs {
        users: Some(i32::from(users)),
        items: Some(i32::from(items)),
        rank: Some(i32::from(rank)),
        rate: Some(1.0 / 64.0),
        decay: Some(1.0 / 16.0),
        rating: Some(table(2, users, items, 11, 0.5)),
        known: Some(known.iter().map(|row| row.iter().map(|&x| x > 0.5).collect()).collect()),
        u: Some(table(3, users, rank, 256, 1.0 / 256.0)),
        v: Some(table(4, items, rank, 256, 1.0 / 256.0)),
    }
}

impl Recipe for Factorise {
    type Inputs = factorise::Inputs;
    type Outputs = factorise::Outputs;
    const NAME: &'static str = "factorise";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<factorise::Inputs> {
        let all = inputs(self.users, self.items, self.rank);
        Ok(factorise::Inputs {
            rating: all.rating.and_then(|x| own(x, Party::Client, party)),
            known: all.known.and_then(|x| own(x, Party::Client, party)),
            u: all.u.and_then(|x| own(x, Party::Client, party)),
            v: all.v.and_then(|x| own(x, Party::Server, party)),
            ..all
        })
    }

    fn program<P: Protocol>(p: &mut P, inputs: &factorise::Inputs) -> Result<factorise::Outputs> {
        factorise::main(p, inputs)
    }

    fn tell(&self, outputs: &factorise::Outputs, mut report: Report) -> Report {
        for (name, profiles) in [("u", &outputs.u), ("v", &outputs.v)] {
            if let Some(profiles) = profiles {
                report = report.line(format!("{name}[0] is now {:.4?}", profiles[0]));
                report = report.field(name, profiles.clone());
            }
        }
        report
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Factorise>()
}
