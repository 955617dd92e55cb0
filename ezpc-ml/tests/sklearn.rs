//! What scikit-learn exports gives scikit-learn's labels, on all 569 rows of the breast cancer data.

use ezpc_core::protocol::Cleartext;
use ezpc_core::ring::Width;
use ezpc_ml::graph::compile::{Options, calibrate, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::passes;
use ezpc_ml::kernels::pool;
use ezpc_ml::npy::Array;
use ezpc_ml::onnx;
use ezpc_ml::validate::encode_samples;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sklearn").join(name)
}

/// The number of rows with scikit-learn's label, and the number of bounds that are not proved.
fn agreement(name: &str) -> (usize, usize) {
    let graph = passes::optimise(onnx::load(&file(&format!("{name}.onnx"))).expect("imports").graph);
    let features = Array::load(&file("features.npy")).expect("features");
    let calibration = Some(calibrate(&graph, &features.to_f64()).expect("whole rows"));
    let options = Options { input_range: [-1.0, 4300.0], frac_bits: 16, calibration, ..Options::default() };
    let model = compile(&graph, &options).expect("compiles");
    let mut p = Cleartext::new();
    let input = encode_samples(&model.card, &features).expect("in range");
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let rows = features.shape[0];
    let y = executor.run(&mut p, rows, Some(&input), &mut unwatched, [0, rows]).expect("keeps its promises");
    let ours = pool::argmax(&mut p, &y, Width::W1).expect("two classes");
    let theirs =
        Array::load(&file(&format!("{name}_labels.npy"))).expect("labels").to_labels(2).expect("labels");
    let equal = ours.lanes().iter().zip(&theirs).filter(|(a, b)| a == b).count();
    (equal, model.risks.len())
}

#[test]
fn a_decision_tree() {
    assert_eq!(agreement("tree"), (569, 0));
}

#[test]
fn a_random_forest() {
    assert_eq!(agreement("forest"), (569, 0));
}

#[test]
fn logistic_regression() {
    let (equal, _) = agreement("logistic");
    assert_eq!(equal, 569);
}

#[test]
fn a_multilayer_perceptron() {
    let (equal, _) = agreement("mlp");
    assert_eq!(equal, 569);
}
