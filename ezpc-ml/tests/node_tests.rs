//! ONNX's own backend node tests, and variants of them, under the cleartext oracle and between two parties.
//! `nodes/prepare.py` writes the cases; `nodes/list.txt` is what these tests found, and may only grow: every case passes
//! or is refused for the reason that stands there.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::ring::RingVec;
use ezpc_core::testing::run_two;
use ezpc_core::{Party, Result};
use ezpc_ml::fixed;
use ezpc_ml::graph::compile::{Model, Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{Decision, float, passes};
use ezpc_ml::npy::{Array, Elements};
use ezpc_ml::onnx::{self, Import};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A case that was imported and compiled.
struct Case {
    import: Import,
    model: Model,
    samples: Vec<f64>,
    input: Vec<i64>,
    count: usize,
}

fn load(folder: &Path, name: &str) -> Result<Case> {
    let import = onnx::load(&folder.join(format!("{name}.onnx")))
        .map_err(|e| without(&e, &folder.join(format!("{name}.onnx: ")).display().to_string()))?;
    let samples = Array::load(&folder.join(format!("{name}.in.npy")))?.to_f64();
    let graph = passes::optimise(import.graph.clone());
    let reach = samples.iter().fold(1.0_f64, |m, v| m.max(v.abs())).ceil();
    let options = Options { input_range: [-reach, reach], frac_bits: 14, ..Options::default() };
    let model = compile(&graph, &options)?;
    let shape = [samples.len()];
    let input = fixed::encode_checked(&samples, &shape, model.card.input_range, model.card.frac_bits)?;
    let count = samples.len() / model.card.input_len();
    Ok(Case { import, model, samples, input, count })
}

/// The reason without the place of the case.
fn without(error: &ezpc_core::Error, place: &str) -> ezpc_core::Error {
    ezpc_core::Error::usage(error.to_string().replace(place, ""))
}

impl Case {
    /// The result in floating point, by the graph before any pass.
    fn floats(&self) -> Result<Vec<f64>> {
        let rows: Vec<f32> = self.samples.iter().map(|&v| v as f32).collect();
        let mut all = Vec::new();
        for row in rows.chunks(self.model.card.input_len()) {
            all.extend(float::run(&self.import.graph, row)?.into_iter().map(f64::from));
        }
        Ok(self.decide(&all))
    }

    /// The result in fixed point, at the client.
    fn fixed<P: Protocol>(&self, p: &mut P) -> Result<Option<Vec<f64>>> {
        let [vendor, client] = Party::BOTH.map(|party| p.party().is_none_or(|own| own == party));
        let card = &self.model.card;
        let mut executor = Executor::new(p, card, vendor.then_some(&self.model.weights))?;
        let input = client.then_some(self.input.as_slice());
        let y = executor.run(p, self.count, input, &mut unwatched, [0, self.count])?;
        let opened = p.reveal(y.data(), Reveal::To(Party::Client))?;
        let values = |opened: RingVec| -> Vec<f64> {
            opened.to_signed().into_iter().map(|v| fixed::decode(v, card.frac_bits)).collect()
        };
        Ok(opened.map(|opened| self.decide(&values(opened))))
    }

    /// For a model that ends in an argmax the index of the largest value along the last axis.
    fn decide(&self, values: &[f64]) -> Vec<f64> {
        let card = &self.model.card;
        let classes = card.labels()[1];
        let best = |row: &[f64]| (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        match card.decision {
            Decision::ArgMax => values.chunks(classes).map(|row| best(row) as f64).collect(),
            Decision::ArgMaxLast => {
                values.chunks(classes).map(|row| (classes - 1 - best(row)) as f64).collect()
            }
            _ => values.to_vec(),
        }
    }

    /// What the importer left out at the output, as its notice says, is applied here.
    fn finish(&self, values: &[f64], dims: &[usize]) -> Vec<f64> {
        let notice = self.import.notices.iter().find_map(|n| n.split_once("what is left out is a "));
        let Some((_, what)) = notice else { return values.to_vec() };
        if what.starts_with("sigmoid") {
            return values.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect();
        }
        let (name, axis) = what.split_once(" along axis ").or(what.split_once(" from axis ")).expect(what);
        let axis: usize = axis.trim_end_matches(" on").parse().expect("an axis");
        let end = if what.ends_with(" on") { dims.len() } else { axis + 1 };
        let (size, inner): (usize, usize) = (dims[axis..end].iter().product(), dims[end..].iter().product());
        let mut all = values.to_vec();
        for start in (0..values.len()).step_by(size * inner) {
            for i in 0..inner {
                let places: Vec<usize> = (0..size).map(|k| start + k * inner + i).collect();
                let top = places.iter().map(|&p| values[p]).fold(f64::MIN, f64::max);
                let sum: f64 = places.iter().map(|&p| (values[p] - top).exp()).sum();
                for p in places {
                    let log = values[p] - top - sum.ln();
                    all[p] = if name == "softmax" { log.exp() } else { log };
                }
            }
        }
        all
    }

    /// Whether `got` are the case's outputs, within `slack`.
    fn near(&self, got: &[f64], want: &Array, slack: f64) -> bool {
        let got = self.finish(got, &want.shape);
        let want = want.to_f64();
        got.len() == want.len()
            && got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= slack * (1.0 + b.abs()))
    }
}

fn folder() -> PathBuf {
    std::env::var("EZPC_NODE_TESTS").expect("EZPC_NODE_TESTS names the folder of the cases").into()
}

fn wanted(folder: &Path, name: &str) -> (Array, f64) {
    let want = Array::load(&folder.join(format!("{name}.out.npy"))).expect("the outputs");
    let whole = matches!(want.data, Elements::Int64(_));
    (want, if whole { 1e-3 } else { 5e-3 })
}

/// The committed list: cases and what became of them.
fn known() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/list.txt");
    let list = std::fs::read_to_string(path).expect("the list");
    let split =
        |line: &str| line.split_once(' ').map(|(name, outcome)| (name.to_owned(), outcome.to_owned()));
    list.lines().filter_map(split).collect()
}

#[test]
fn the_list_may_only_grow() {
    let known = known();
    assert!(known.values().filter(|o| *o == "passed").count() >= 600);
    assert!(known.values().all(|o| o == "passed" || o.starts_with("refused: ")));
}

#[test]
#[ignore = "needs the cases that nodes/prepare.py writes, in the folder of EZPC_NODE_TESTS"]
fn node_tests() {
    let folder = folder();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder of the cases")
        .filter_map(|e| e.expect("an entry").file_name().to_str()?.strip_suffix(".onnx").map(str::to_owned))
        .collect();
    names.sort();
    let (mut list, mut wrong, mut passed) = (String::new(), Vec::new(), 0);
    let mut found = BTreeMap::new();
    for name in &names {
        let outcome = match load(&folder, name) {
            Err(error) => format!("refused: {error}"),
            Ok(case) => {
                let (want, slack) = wanted(&folder, name);
                let floats = case.floats().expect("runs in floating point");
                let fixed = case.fixed(&mut Cleartext::new()).expect("runs in fixed point").expect("opened");
                let half = if name.contains("FLOAT16") { 1e-2 } else { 1e-4 };
                if case.near(&floats, &want, half) && case.near(&fixed, &want, slack.max(half)) {
                    passed += 1;
                    "passed".to_owned()
                } else {
                    wrong.push(name.clone());
                    format!("WRONG {:?} {floats:?} {fixed:?}", want.to_f64())
                }
            }
        };
        let _ = writeln!(list, "{name} {outcome}");
        found.insert(name.as_str(), outcome);
    }
    std::fs::write(folder.join("list.txt"), &list).expect("the list");
    eprintln!("{passed} of {} passed; the list is in {}", names.len(), folder.join("list.txt").display());
    assert!(wrong.is_empty(), "wrong results: {wrong:?}");
    let known = known();
    let lost: Vec<&String> = known
        .iter()
        .filter(|(name, outcome)| {
            *outcome == "passed" && found.get(name.as_str()).is_none_or(|o| o != "passed")
        })
        .map(|(name, _)| name)
        .collect();
    assert!(lost.is_empty(), "no longer passed: {lost:?}");
    let unlisted: Vec<&&str> = found.keys().filter(|name| !known.contains_key(**name)).collect();
    assert!(unlisted.is_empty(), "not in tests/nodes/list.txt: {unlisted:?}");
}

#[test]
#[ignore = "needs the cases that nodes/prepare.py writes, in the folder of EZPC_NODE_TESTS"]
fn between_two_parties() {
    let folder = folder();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in known().iter().filter(|(_, outcome)| *outcome == "passed").map(|(name, _)| name) {
        let case = load(&folder, name).expect("a case that passes");
        let (want, slack) = wanted(&folder, name);
        let slack = if name.contains("FLOAT16") { slack.max(1e-2) } else { slack };
        let [_, client] = run_two(|p| case.fixed(p)).expect("runs");
        count += 1;
        if !case.near(&client.expect("opened to the client"), &want, slack) {
            wrong.push(name.clone());
        }
    }
    eprintln!("{count} cases between two parties");
    assert!(wrong.is_empty(), "wrong results: {wrong:?}");
}
