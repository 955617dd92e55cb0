//! The example networks under the cleartext oracle, against what onnxruntime answered.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use core::ops::ControlFlow;
use ezpc_core::protocol::Cleartext;
use ezpc_core::{ErrorKind, Protocol};
use ezpc_ml::card::{Card, Limits, StepOp};
use ezpc_ml::graph::compile::{Model, Options, calibrate, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{Graph, float, passes};
use ezpc_ml::npy::Array;
use ezpc_ml::validate::{Data, Metric, Opens, Request, count_correct, encode_samples, validate};
use ezpc_ml::{fixed, onnx};
use std::path::PathBuf;

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/data").join(name)
}

fn array(name: &str) -> Array {
    Array::load(&data(name)).expect("an example array")
}

fn graph(name: &str) -> Graph {
    passes::optimise(onnx::load(&data(name)).expect("an example model").graph)
}

fn model(name: &str, range: [f64; 2]) -> Model {
    compile(&graph(name), &Options { input_range: range, ..Options::default() }).expect("compiles")
}

/// The share of onnxruntime's labels that the fixed-point network gives, and the largest error of a logit.
fn agreement(model: &Model, samples: &str, reference: &str) -> (usize, f64) {
    let samples = array(samples);
    let mut p = Cleartext::new();
    let input = encode_samples(&model.card, &samples).expect("in range");
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let count = samples.shape[0];
    let y =
        executor.run(&mut p, count, Some(&input), &mut unwatched, [0, count]).expect("keeps its promises");
    let ours: Vec<f64> =
        y.data().to_signed().into_iter().map(|v| fixed::decode(v, model.card.frac_bits)).collect();
    let theirs = array(&format!("{reference}_logits.npy")).to_f64();
    let classes = model.card.output_len();
    let labels = array(&format!("{reference}_labels.npy")).to_labels(classes).expect("labels");
    let best = |row: &[f64]| (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("a class");
    let equal = ours.chunks(classes).zip(&labels).filter(|(row, l)| best(row) as u64 == **l).count();
    let error = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    (equal, error)
}

#[test]
fn digits_agree_with_onnxruntime() {
    let model = model("digits_cnn.onnx", [0.0, 1.0]);
    assert!(model.risks.is_empty(), "{:?}", model.risks);
    let kinds: Vec<&str> = model
        .card
        .steps
        .iter()
        .map(|s| match s.op {
            StepOp::Input => "input",
            StepOp::Conv { .. } => "conv",
            StepOp::Dense { .. } => "dense",
            StepOp::MaxPool { .. } => "maxpool",
            StepOp::Relu { .. } => "relu",
            StepOp::Reshape => "reshape",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["input", "conv", "maxpool", "relu", "conv", "maxpool", "relu", "reshape", "dense"]);
    let (equal, error) = agreement(&model, "digits_images.npy", "digits_onnxruntime");
    assert_eq!(equal, 297);
    assert!(error < 0.02, "{error}");
}

#[test]
fn cancer_agrees_with_onnxruntime() {
    let model = model("cancer_mlp.onnx", [-16.0, 16.0]);
    let (equal, error) = agreement(&model, "cancer_features.npy", "cancer_onnxruntime");
    assert_eq!(equal, 169);
    assert!(error < 0.02, "{error}");
}

#[test]
fn float_reference_agrees_with_onnxruntime() {
    for (name, samples, reference) in [
        ("digits_cnn.onnx", "digits_images.npy", "digits_onnxruntime_logits.npy"),
        ("cancer_mlp.onnx", "cancer_features.npy", "cancer_onnxruntime_logits.npy"),
    ] {
        let imported = onnx::load(&data(name)).expect("a model").graph;
        let (samples, want) = (array(samples), array(reference).to_f64());
        let size = samples.len() / samples.shape[0];
        let rows: Vec<f32> = samples.to_f64().iter().map(|&v| v as f32).collect();
        for graph in [&imported, &graph(name)] {
            let ours: Vec<f32> =
                rows.chunks(size).flat_map(|x| float::run(graph, x).expect("runs")).collect();
            let error = ours.iter().zip(&want).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
            assert!(ours.len() == want.len() && error < 1e-4, "{name}: {error}");
        }
    }
}

#[test]
fn validation_opens_the_right_bit() {
    let model = model("digits_cnn.onnx", [0.0, 1.0]);
    let data =
        Data::new(&model.card, &array("digits_images.npy"), &array("digits_labels.npy")).expect("fits");
    // 293 of 297 are right.
    for (threshold, memory, verdict) in
        [("0.98", 1 << 28, true), ("0.99", 1 << 20, false), ("0.9865", 1 << 23, true)]
    {
        let threshold = threshold.parse().expect("a threshold");
        let request = Request {
            opens: Opens::VERDICT.with(Metric::Accuracy),
            ..Request::new(&model.card, data.len(), threshold, memory)
        };
        let mut steps = 0;
        let outcome = validate(
            &mut Cleartext::new(),
            &model.card,
            Some(&model.weights),
            Some(&data),
            &request,
            &mut |_| {
                steps += 1;
                ControlFlow::Continue(())
            },
        )
        .expect("runs");
        assert_eq!((outcome.verdict, outcome.figures.correct), (verdict, Some(293)));
        assert_eq!(steps, model.card.steps.len() * 297_usize.div_ceil(request.batch));
    }
}

#[test]
fn a_second_verdict_is_refused() {
    let model = model("cancer_mlp.onnx", [-16.0, 16.0]);
    let data =
        Data::new(&model.card, &array("cancer_features.npy"), &array("cancer_labels.npy")).expect("fits");
    let request = Request::new(&model.card, data.len(), "0.98".parse().expect("a threshold"), 1 << 28);
    let p = &mut Cleartext::new();
    let count = count_correct(p, &model.card, Some(&model.weights), Some(&data), &request, &mut unwatched);
    let mut count = count.expect("runs");
    assert!(count.verdict(p, &request.threshold).expect("the first verdict"));
    let error = count.verdict(p, &"0.985".parse().expect("a threshold")).expect_err("a second verdict");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(count.open(p).expect("opens"), 166);
}

#[test]
fn a_run_can_be_cancelled() {
    let model = model("digits_cnn.onnx", [0.0, 1.0]);
    let mut p = Cleartext::new();
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let input = vec![0; model.card.input_len()];
    let mut watch = |at: &ezpc_ml::graph::exec::Progress<'_>| {
        if at.step[0] == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = executor.run(&mut p, 1, Some(&input), &mut watch, [0, 1]).map(|_| ()).expect_err("cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn bad_files_give_one_clear_line() {
    let refused = |name: &str| onnx::load(&data(name)).map(|_| ()).expect_err("refused").to_string();
    let text = refused("bad/unsupported.onnx");
    for part in ["unsupported.onnx", "2 unsupported nodes", "Einsum `rearrange`", "LSTM `recurrent`"] {
        assert!(text.contains(part), "{text}");
    }
    let text = refused("bad/truncated.onnx");
    assert!(text.contains("truncated") && !text.contains('\n'), "{text}");
    assert!(refused("digits_images.npy").contains("malformed ONNX"));
    assert!(refused("missing.onnx").contains("missing.onnx"));

    let card = model("digits_cnn.onnx", [0.0, 1.0]).card;
    let text = encode_samples(&card, &array("bad/digits_nan.npy")).expect_err("a NaN").to_string();
    assert!(text.contains("[1, 0, 3, 4]") && text.contains("NaN"), "{text}");
    let text = encode_samples(&card, &array("bad/digits_wrong_shape.npy")).expect_err("9x9").to_string();
    assert!(text.contains("[5, 1, 9, 9]") && text.contains("[N, 1, 8, 8]"), "{text}");
    let text = Array::load(&data("digits_cnn.onnx")).expect_err("no array").to_string();
    assert!(text.contains("not a .npy file"), "{text}");
}

#[test]
fn a_card_survives_its_text_and_nothing_else_does() {
    for (name, range) in [("digits_cnn.onnx", [0.0, 1.0]), ("cancer_mlp.onnx", [-16.0, 16.0])] {
        let card = model(name, range).card;
        let text = card.to_text();
        let again = Card::from_text(text.as_bytes(), &Limits::default()).expect("its own text");
        assert_eq!(again, card);
        assert_eq!(again.sha256_hex(), card.sha256_hex());
        for (from, to) in
            [(" width=", "  width="), ("frac-bits 12", "frac-bits 012"), ("\n%1 ", "\r\n%1 "), ("[", "[0")]
        {
            let error = Card::from_text(text.replacen(from, to, 1).as_bytes(), &Limits::default());
            assert!(error.is_err(), "{from} to {to}");
        }
        let tight = Limits { products: 10, ..Limits::default() };
        let error = Card::from_text(text.as_bytes(), &tight).expect_err("beyond the limit").to_string();
        assert!(error.contains("products"), "{error}");
    }
}

#[test]
fn a_wide_input_range_needs_calibration() {
    let graph = graph("digits_cnn.onnx");
    let wide = Options { input_range: [-4096.0, 4096.0], ..Options::default() };
    let error = compile(&graph, &wide).map(|_| ()).expect_err("no proof").to_string();
    assert!(error.contains("no bound that fits"), "{error}");
    let samples = array("digits_images.npy").to_f64();
    let calibration = calibrate(&graph, &samples[..64 * 20]).expect("whole samples");
    let model = compile(&graph, &Options { calibration: Some(calibration), ..wide }).expect("compiles");
    assert!(!model.risks.is_empty());
    assert!(model.card.to_text().contains(" calibrated\n"));
    let (equal, _) = agreement(&model, "digits_images.npy", "digits_onnxruntime");
    assert_eq!(equal, 297);
}

#[test]
fn the_oracle_catches_what_calibration_did_not_foresee() {
    let graph = graph("digits_cnn.onnx");
    let calibration = calibrate(&graph, &[0.001; 64]).expect("one sample");
    let options = Options {
        input_range: [-4096.0, 4096.0],
        calibration: Some(calibration),
        headroom: 1.0,
        ..Options::default()
    };
    let model = compile(&graph, &options).expect("compiles");
    let mut p = Cleartext::new();
    assert!(p.party().is_none());
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let input = vec![4095 << 12; model.card.input_len()];
    let error =
        executor.run(&mut p, 1, Some(&input), &mut unwatched, [0, 1]).map(|_| ()).expect_err("overflows");
    assert!(error.to_string().contains("layer `") && error.to_string().contains("promise"), "{error}");
}
