//! ONNX's own backend node tests under the cleartext oracle. `nodes/prepare.py` writes the cases; `nodes/list.txt` is
//! what this test found, and may only grow: every case passes or is refused for the reason that stands there.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use ezpc_core::Result;
use ezpc_core::protocol::Cleartext;
use ezpc_ml::fixed;
use ezpc_ml::graph::Decision;
use ezpc_ml::graph::compile::{Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{float, passes};
use ezpc_ml::npy::{Array, Elements};
use ezpc_ml::onnx;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// What the network says of the case's samples, in floating point and in fixed point.
fn run(folder: &Path, name: &str) -> Result<(Vec<f64>, Vec<f64>)> {
    let import = onnx::import(&std::fs::read(folder.join(format!("{name}.onnx"))).expect("a case"))?;
    let samples = Array::load(&folder.join(format!("{name}.in.npy")))?;
    let (values, count) = (samples.to_f64(), samples.shape[0]);
    let graph = passes::optimise(import.graph.clone());
    let reach = values.iter().fold(1.0_f64, |m, v| m.max(v.abs())).ceil();
    let model =
        compile(&graph, &Options { input_range: [-reach, reach], frac_bits: 14, ..Options::default() })?;
    let size = model.card.input_len();
    let rows: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    let mut floats = Vec::new();
    for row in rows.chunks(size) {
        floats.extend(float::run(&import.graph, row)?.into_iter().map(f64::from));
    }
    let mut p = Cleartext::new();
    let input = fixed::encode_checked(&values, &samples.shape, model.card.input_range, model.card.frac_bits)?;
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights))?;
    let y = executor.run(&mut p, count, Some(&input), &mut unwatched, [0, count])?;
    let fixed: Vec<f64> =
        y.data().to_signed().into_iter().map(|v| fixed::decode(v, model.card.frac_bits)).collect();
    if model.card.decision == Decision::ArgMax {
        let classes = model.card.output_len();
        let best =
            |row: &[f64]| (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0) as f64;
        return Ok((floats.chunks(classes).map(best).collect(), fixed.chunks(classes).map(best).collect()));
    }
    Ok((floats, fixed))
}

/// Logits in place of probabilities: what is left out at the output keeps their order and is applied here.
fn finish(name: &str, values: &[f64], count: usize) -> Vec<f64> {
    let row = values.len() / count.max(1);
    let normed = |v: &[f64]| -> Vec<f64> {
        let top = v.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = v.iter().map(|x| (x - top).exp()).sum();
        v.iter().map(|x| x - top - sum.ln()).collect()
    };
    match name {
        n if n.starts_with("test_logsoftmax") => values.chunks(row).flat_map(normed).collect(),
        n if n.starts_with("test_softmax") => {
            values.chunks(row).flat_map(|v| normed(v).into_iter().map(f64::exp)).collect()
        }
        n if n.starts_with("test_sigmoid") => values.iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect(),
        _ => values.to_vec(),
    }
}

#[test]
#[ignore = "needs the cases that nodes/prepare.py writes, in the folder of EZPC_NODE_TESTS"]
fn node_tests() {
    let folder = std::env::var("EZPC_NODE_TESTS").expect("EZPC_NODE_TESTS names the folder of the cases");
    let folder = Path::new(&folder);
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of the cases")
        .filter_map(|e| e.expect("an entry").file_name().to_str()?.strip_suffix(".onnx").map(str::to_owned))
        .collect();
    names.sort();
    let (mut list, mut wrong, mut passed) = (String::new(), Vec::new(), 0);
    let mut found = BTreeMap::new();
    for name in &names {
        let outcome = match run(folder, name) {
            Err(error) => format!("refused: {error}"),
            Ok((floats, fixed)) => {
                let want = Array::load(&folder.join(format!("{name}.out.npy"))).expect("the outputs");
                let exact = matches!(want.data, Elements::Int64(_));
                let (count, want) = (want.shape.first().copied().unwrap_or(1), want.to_f64());
                // Softmax works along the last axis of its operand.
                let whole = !name.contains("softmax") || name.contains("example") || name.contains("large");
                let rows = if whole { count } else { want.len() / 5 };
                let near = |got: &[f64], slack: f64| {
                    let got = finish(name, got, rows);
                    got.len() == want.len()
                        && got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= slack * (1.0 + b.abs()))
                };
                if near(&floats, if name.ends_with("FLOAT16") { 1e-3 } else { 1e-4 })
                    && near(&fixed, if exact { 1e-3 } else { 5e-3 })
                {
                    passed += 1;
                    "passed".to_owned()
                } else {
                    wrong.push(name.clone());
                    format!("WRONG {want:?} {floats:?} {fixed:?}")
                }
            }
        };
        let _ = writeln!(list, "{name} {outcome}");
        found.insert(name.as_str(), outcome);
    }
    let known = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/list.txt"));
    let known = known.unwrap_or_default();
    let lost: Vec<&str> = known
        .lines()
        .filter_map(|l| l.strip_suffix(" passed"))
        .filter(|name| found.get(name).is_some_and(|o| o != "passed"))
        .collect();
    std::fs::write(folder.join("list.txt"), &list).expect("the list");
    eprintln!("{passed} of {} passed; the list is in {}", names.len(), folder.join("list.txt").display());
    assert!(wrong.is_empty(), "wrong results: {wrong:?}");
    assert!(lost.is_empty(), "no longer passed: {lost:?}");
}
