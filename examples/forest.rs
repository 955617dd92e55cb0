//! A private decision tree or random forest answers on private rows: the client learns the answers, the server
//! nothing.
//!
//! ```sh
//! cargo run --release --example forest
//! cargo run --release --example forest -- --model examples/data/tree.txt --trees 1
//! ```
//!
//! The models are trained with scikit-learn by `examples/data/make_forest.py`.

use clap::Parser;
use ezpc_core::{Error, Party, Protocol, Result, secure};
use ezpc_examples::cookbook::Recipe;
use ezpc_examples::{Common, Report};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

secure! {
    /// Every node of every tree compares at once; then the answers come up from the leaves, one level at a time.
    pub mod forest;

    def uint32_al answer(
        int32_pl nodes, uint8_al[nodes] feature, uint16_al[nodes] threshold, uint32_al[nodes + 1] leaf,
        int32_pl features, uint16_al[features] x
    ) {
        uint32_al[2 * nodes + 1] value;
        for i = [0 : nodes + 1] { value[nodes + i] = leaf[i]; }
        for up = [1 : nodes + 1] {
            int32_pl i = nodes - up;
            // The feature is secret: this reads it without telling which one it is.
            value[i] = x[feature[i]] > threshold[i] ? value[2 * i + 2] : value[2 * i + 1];
        }
        return value[0];
    }

    def void main() {
        input(ALL, trees, int32_pl);
        input(ALL, depth, int32_pl);
        input(ALL, features, int32_pl);
        input(ALL, rows, int32_pl);
        int32_pl nodes = 2 ^^ depth - 1;
        input(SERVER, feature, uint8_al[trees][nodes]);
        input(SERVER, threshold, uint16_al[trees][nodes]);
        input(SERVER, leaf, uint32_al[trees][nodes + 1]); // in 1/1000
        input(CLIENT, x, uint16_al[rows][features]);
        bool_bl[rows] yes;
        for r = [0:rows] {
            uint32_al sum = 0;
            for t = [0:trees] { sum += answer(nodes, feature[t], threshold[t], leaf[t], features, x[r]); }
            yes[r] = sum > uint32(500 * trees);
        }
        output(CLIENT, yes);
    }
}

/// Answers private rows by a private forest.
#[derive(Parser)]
pub struct Forest {
    #[command(flatten)]
    common: Common,

    /// The model, as make_forest.py writes it (server).
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/forest.txt"))]
    model: PathBuf,

    /// The rows, as make_forest.py writes them (client).
    #[arg(long, value_name = "FILE",
          default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/forest_samples.txt"))]
    samples: PathBuf,

    /// How many trees the model has.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    trees: u16,

    /// How deep they are.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=16))]
    depth: u16,

    /// How many features a row has.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=255))]
    features: u16,

    /// How many of the rows are asked about.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    rows: u16,
}

/// A model: for each tree features, thresholds and leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Trees, depth, features.
    pub shape: [u16; 3],
    /// The feature that each node looks at, by tree.
    pub feature: Vec<Vec<u8>>,
    /// What it is compared with.
    pub threshold: Vec<Vec<u16>>,
    /// The answers in 1/1000.
    pub leaf: Vec<Vec<u32>>,
}

/// The lines of numbers of a text file; `:` separates as blanks do.
fn lines(path: &Path) -> Result<Vec<Vec<u32>>> {
    let read = |e| Error::io(format!("cannot read {}", path.display()), e);
    let text = std::fs::read_to_string(path).map_err(read)?;
    let number = |at: usize, word: &str| {
        let wrong = || Error::usage(format!("{}:{}: `{word}` is no number", path.display(), at + 1));
        word.parse::<u32>().map_err(|_| wrong())
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    lines.map(|(at, line)| line.split([' ', ':']).map(|word| number(at, word)).collect()).collect()
}

/// Reads a model.
pub fn read_model(path: &Path) -> Result<Model> {
    let broken = |what: &str| Error::usage(format!("{}: {what}", path.display()));
    let lines = lines(path)?;
    let small = |x: &u32| u16::try_from(*x).map_err(|_| broken("a number is too large"));
    let [trees, depth, features] = lines.first().map_or(&[][..], |l| l) else {
        return Err(broken("the first line is not trees, depth, features"));
    };
    let (shape, most) = ([small(trees)?, small(depth)?, small(features)?], *features);
    let mut model = Model { shape, ..Model::default() };
    for pair in lines[1..].chunks(2) {
        let nodes = 1usize.checked_shl(*depth).unwrap_or(0).saturating_sub(1);
        let [inner, leaves] = pair else { return Err(broken("a tree has no leaves")) };
        if inner.len() != 2 * nodes || leaves.len() != nodes + 1 {
            return Err(broken("a tree is not complete"));
        }
        if inner.chunks(2).any(|node| node[0] >= most.min(256)) || leaves.iter().any(|&x| x > 1000) {
            return Err(broken("a feature or an answer is out of range"));
        }
        model.feature.push(inner.chunks(2).map(|node| node[0].to_le_bytes()[0]).collect());
        model.threshold.push(inner.chunks(2).map(|node| small(&node[1])).collect::<Result<_>>()?);
        model.leaf.push(leaves.clone());
    }
    if model.leaf.len() != *trees as usize {
        return Err(broken("the number of trees is not that of the first line"));
    }
    Ok(model)
}

/// Reads rows: what scikit-learn's tree and forest say, and the features.
pub fn read_samples(path: &Path) -> Result<Vec<([bool; 2], Vec<u16>)>> {
    let broken = || Error::usage(format!("{}: not truth, two answers and features", path.display()));
    let row = |line: Vec<u32>| match &line[..] {
        [_, tree, forest, features @ ..] => {
            let features = features.iter().map(|&x| u16::try_from(x).map_err(|_| broken()));
            Ok(([*tree == 1, *forest == 1], features.collect::<Result<_>>()?))
        }
        _ => Err(broken()),
    };
    lines(path)?.into_iter().map(row).collect()
}

/// The inputs of both parties; those of one in `Recipe::inputs`.
pub fn inputs(
    shape: [u16; 3],
    model: Option<Model>,
    rows: usize,
    x: Option<Vec<Vec<u16>>>,
) -> forest::Inputs {
    let [trees, depth, features] = shape.map(|n| Some(i32::from(n)));
    let (feature, threshold, leaf) = match model {
        Some(model) => (Some(model.feature), Some(model.threshold), Some(model.leaf)),
        None => (None, None, None),
    };
    forest::Inputs { trees, depth, features, rows: i32::try_from(rows).ok(), feature, threshold, leaf, x }
}

impl Recipe for Forest {
    type Inputs = forest::Inputs;
    type Outputs = forest::Outputs;
    const NAME: &'static str = "forest";

    fn common(&self) -> &Common {
        &self.common
    }

    fn inputs(&self, party: Option<Party>) -> Result<forest::Inputs> {
        let shape = [self.trees, self.depth, self.features];
        let ([trees, nodes, features], rows) =
            ([shape[0], (1 << shape[1]) - 1, shape[2]], usize::from(self.rows));
        let (trees, nodes, features) = (usize::from(trees), usize::from(nodes), usize::from(features));
        let model = match party {
            None => Some(Model {
                shape,
                feature: vec![vec![0; nodes]; trees],
                threshold: vec![vec![0; nodes]; trees],
                leaf: vec![vec![0; nodes + 1]; trees],
            }),
            Some(Party::Server) => Some(read_model(&self.model)?),
            Some(Party::Client) => None,
        };
        if let Some(found) = model.as_ref().map(|m| m.shape).filter(|&found| found != shape) {
            let text = "has trees, depth, features";
            return Err(Error::usage(format!("{} {text} {found:?}, not {shape:?}", self.model.display())));
        }
        let x = match party {
            None => Some(vec![vec![0; features]; rows]),
            Some(Party::Server) => None,
            Some(Party::Client) => {
                let x: Vec<_> =
                    read_samples(&self.samples)?.into_iter().map(|row| row.1).take(rows).collect();
                if x.len() != rows || x.iter().any(|row| row.len() != features) {
                    let file = self.samples.display();
                    return Err(Error::usage(format!("{file} has no {rows} rows of {features} features")));
                }
                Some(x)
            }
        };
        Ok(inputs(shape, model, rows, x))
    }

    fn program<P: Protocol>(p: &mut P, inputs: &forest::Inputs) -> Result<forest::Outputs> {
        forest::main(p, inputs)
    }

    fn tell(&self, outputs: &forest::Outputs, report: Report) -> Report {
        match &outputs.yes {
            None => report.line("the client has learnt the answers"),
            Some(yes) => report.line(format!("the client learns {yes:?}")).field("yes", yes.clone()),
        }
    }
}

fn main() -> ExitCode {
    ezpc_examples::main::<Forest>()
}
