//! What scikit-learn exports gives scikit-learn's labels, on all 569 rows of the breast cancer data.

use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::ring::{RingVec, Width};
use ezpc_core::testing::run_two;
use ezpc_core::{Party, Result};
use ezpc_ml::graph::compile::{Model, Options, calibrate, compile};
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

/// The fractional bits of each model between two parties, on raw features up to 4300. With 13 and more, the scaler in front
/// of the last two needs rings in which encrypted products have no room for their noise, and the protocol refuses.
const BETWEEN_TWO: [(&str, u32); 4] = [("tree", 16), ("forest", 16), ("logistic", 12), ("mlp", 12)];

/// A compiled model, its samples in fixed point, and scikit-learn's labels.
struct Case {
    model: Model,
    input: Vec<i64>,
    labels: Vec<u64>,
}

impl Case {
    fn load(name: &str, frac_bits: u32) -> Self {
        let graph = passes::optimise(onnx::load(&file(&format!("{name}.onnx"))).expect("imports").graph);
        let features = Array::load(&file("features.npy")).expect("features");
        let calibration = Some(calibrate(&graph, &features.to_f64()).expect("whole rows"));
        let options = Options { input_range: [-1.0, 4300.0], frac_bits, calibration, ..Options::default() };
        let model = compile(&graph, &options).expect("compiles");
        let input = encode_samples(&model.card, &features).expect("in range");
        let labels = Array::load(&file(&format!("{name}_labels.npy"))).expect("labels");
        Self { model, input, labels: labels.to_labels(2).expect("labels") }
    }

    /// The labels of every `step`-th row, at the client, and the outputs in a back end that plays both parties.
    fn run<P: Protocol>(&self, p: &mut P, step: usize) -> Result<(Vec<u64>, Option<P::Arith>)> {
        let [vendor, client] = Party::BOTH.map(|party| p.party().is_none_or(|own| own == party));
        let card = &self.model.card;
        let rows: Vec<i64> = self.input.chunks(card.input_len()).step_by(step).flatten().copied().collect();
        let n = rows.len() / card.input_len();
        let mut executor = Executor::new(p, card, vendor.then_some(&self.model.weights))?;
        let y = executor.run(p, n, client.then_some(&rows[..]), &mut unwatched, [0, n])?;
        let labels = pool::argmax(p, &y, Width::W1)?;
        let labels = p.reveal(&labels, Reveal::To(Party::Client))?.map(RingVec::into_lanes);
        Ok((labels.unwrap_or_default(), p.party().is_none().then(|| y.into_data())))
    }

    /// Rows with another label than scikit-learn's between two parties are ties within one unit.
    fn two_parties(&self, step: usize) {
        let [_, (ours, _)] = run_two(|p| self.run(p, step).map(|(labels, _)| (labels, ()))).expect("runs");
        let (_, outputs) = self.run(&mut Cleartext::new(), step).expect("runs");
        let outputs = outputs.expect("the oracle plays both").to_signed();
        let theirs: Vec<u64> = self.labels.iter().step_by(step).copied().collect();
        assert_eq!(ours.len(), theirs.len());
        for (i, row) in outputs.chunks(self.model.card.output_len()).enumerate() {
            let margin = if let [a, b] = row { (a - b).abs() } else { row[0].abs() };
            assert!(ours[i] == theirs[i] || margin <= 1, "row {}: {margin} units apart", i * step);
        }
    }
}

/// The number of rows with scikit-learn's label, and the number of bounds that are not proved.
fn agreement(name: &str) -> (usize, usize) {
    let case = Case::load(name, 16);
    let (ours, _) = case.run(&mut Cleartext::new(), 1).expect("keeps its promises");
    let equal = ours.iter().zip(&case.labels).filter(|(a, b)| a == b).count();
    (equal, case.model.risks.len())
}

#[test]
fn every_eighth_row_between_two_parties() {
    BETWEEN_TWO.iter().for_each(|&(name, bits)| Case::load(name, bits).two_parties(8));
}

#[test]
#[ignore = "takes a while"]
fn all_rows_between_two_parties() {
    BETWEEN_TWO.iter().for_each(|&(name, bits)| Case::load(name, bits).two_parties(1));
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
