//! k nearest neighbours: the client's point gets the most frequent class among the server's k nearest points. The
//! client learns the class, the server nothing.
//!
//! ```sh
//! cargo run --release --example nearest
//! cargo run --release --example nearest -- --points 200 --k 7
//! ```

use clap::Parser;
use ezpc_core::{Party, Protocol, Result, secure};
use ezpc_examples::cookbook::{Recipe, numbers, own};
use ezpc_examples::{Common, Report};
use std::process::ExitCode;

secure! {
    /// Every distance is compared with every other at once, and a point's rank is a sum, which is free: the
    /// half-rounds do not depend on how many points there are.
    pub mod nearest;

    def void main() {
        input(ALL, n, int32_pl);
        input(ALL, dimensions, int32_pl);
        input(ALL, classes, int32_pl);
        input(ALL, k, int32_pl);
        input(SERVER, points, int32_al[n][dimensions]);
        input(SERVER, class, uint8_bl[n]);
        input(CLIENT, x, int32_al[dimensions]);
        int32_al[n] distance;
        for i = [0:n] {
            for j = [0:dimensions] {
                int32_al gap = points[i][j] - x[j];
                distance[i] += gap * gap;
            }
        }
        int32_al[n] closer; // how many are
        for i = [0:n] {
            for j = [0:i] {
                // Of equally far points the first is the closer one.
                int32_al first = distance[j] <= distance[i] ? 1 : 0;
                closer[i] += first;
                closer[j] += 1 - first;
            }
        }
        int32_al[classes] votes;
        for i = [0:n] {
            bool_bl chosen = closer[i] < k;
            for c = [0:classes] { votes[c] += chosen && class[i] == uint8(c) ? 1 : 0; }
        }
        uint8_al best = 0;
        int32_al most = votes[0];
        for c = [1:classes] {
            if (votes[c] > most) {
                most = votes[c];
                best = uint8(c);
            }
        }
        output(CLIENT, best);
    }
}

/// Classifies a private point by private neighbours.
#[derive(Parser)]
pub struct Nearest {
    #[command(flatten)]
    common: Common,

    /// How many points the server has; they lie around one centre for each class, by chance.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=4096))]
    points: u16,

    /// How many neighbours vote.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    k: u16,

    /// The client's point, each coordinate in -10000..=10000; the server's process looks at their number only.
    #[arg(long, value_delimiter = ',', default_value = "700,650,720,690", allow_hyphen_values = true,
          value_parser = clap::value_parser!(i32).range(-10_000..=10_000))]
    x: Vec<i32>,
}

const CLASSES: u8 = 3;

/// Points of which point i is in class i mod 3, around (200, 200, …), (700, 700, …), (1200, 1200, …).
#[must_use]
pub fn points(count: usize, dimensions: usize) -> (Vec<Vec<i32>>, Vec<u8>) {
    let class: Vec<u8> = (0..CLASSES).cycle().take(count).collect();
    let point = |(i, &c): (usize, &u8)| {
        let around: Vec<i32> = numbers(i as u64, dimensions, 400);
        around.into_iter().map(|x| 500 * i32::from(c) + x).collect()
    };
    (class.iter().enumerate().map(point).collect(), class)
}

/// The inputs of both parties.
#[must_use]
pub fn inputs(points: Vec<Vec<i32>>, class: Vec<u8>, k: u16, x: Vec<i32>) -> nearest::Inputs {
    nearest::Inputs {
        n: i32::try_from(points.len()).ok(),
        dimensions: i32::try_from(x.len()).ok(),
        classes: Some(i32::from(CLASSES)),
        k: Some(i32::from(k)),
        points: Some(points),
        class: Some(class),
        x: Some(x),
    }
}

impl Recipe for Nearest {
    type Inputs = nearest::Inputs;
    type Outputs = nearest::Outputs;
    const NAME: &'static str = "nearest";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<nearest::Inputs> {
        let (points, class) = points(usize::from(self.points), self.x.len());
        let all = inputs(points, class, self.k, self.x.clone());
        Ok(nearest::Inputs {
            points: all.points.and_then(|v| own(v, Party::Server, party)),
            class: all.class.and_then(|v| own(v, Party::Server, party)),
            x: all.x.and_then(|v| own(v, Party::Client, party)),
            ..all
        })
    }

    fn program<P: Protocol>(p: &mut P, inputs: &nearest::Inputs) -> Result<nearest::Outputs> {
        nearest::main(p, inputs)
    }

    fn tell(&self, outputs: &nearest::Outputs, report: Report) -> Report {
        match outputs.best {
            None => report.line("the client has learnt the class"),
            Some(class) => report.line(format!("the client learns class {class}")).field("class", class),
        }
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Nearest>()
}
