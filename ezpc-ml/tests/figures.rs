//! The figures of a validation against plain arithmetic on the same outputs: in the clear, and between two parties, whose
//! traffic is what the cost model predicts. The models have integer weights, so that outputs are exact and often equal.

#![allow(clippy::cast_possible_truncation, reason = "small numbers of known ranges")]

use ezpc_core::protocol::{Cleartext, Protocol, Tally};
use ezpc_core::testing::run_two;
use ezpc_core::transport::Phase;
use ezpc_core::{Party, Result};
use ezpc_ml::card::StepOp;
use ezpc_ml::graph::compile::{Model, Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{Graph, Op, passes};
use ezpc_ml::npy::{Array, Elements};
use ezpc_ml::validate::{Data, Metric, Opens, Outcome, Request, encode_samples, validate};
use proptest::prelude::*;

const FEATURES: usize = 3;

/// A matrix of integers over three features.
fn model(outputs: usize) -> Model {
    scaled(outputs, 1.0)
}

/// The matrix of [`model`] times `scale`.
fn scaled(outputs: usize, scale: f32) -> Model {
    let mut graph = Graph::new("figures", "x", vec![FEATURES]).expect("a graph");
    let weights: Vec<f32> =
        (0..outputs * FEATURES).map(|i| (((i * 5 + 2) % 7) as f32 - 3.0) * scale).collect();
    let bias = (0..outputs).map(|i| (i % 2) as f32 * 0.25).collect();
    graph.output = graph.push("dense", Op::Dense { weights: weights.into(), bias }, &[0]).expect("fits");
    let options = Options { input_range: [-1.0, 1.0], ..Options::default() };
    compile(&passes::optimise(graph), &options).expect("compiles")
}

fn array(shape: Vec<usize>, values: Vec<f64>) -> Array {
    Array { shape, data: Elements::Float64(values) }
}

/// Samples in quarters, from -1 to 1.
fn samples(quarters: &[i8]) -> Array {
    let values = quarters.iter().map(|&q| f64::from(q) / 4.0).collect();
    array(vec![quarters.len() / FEATURES, FEATURES], values)
}

/// The outputs in units of 2^-12.
fn outputs(model: &Model, samples: &Array) -> Vec<i64> {
    let mut p = Cleartext::new();
    let input = encode_samples(&model.card, samples).expect("in range");
    let n = samples.shape[0];
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let y = executor.run(&mut p, n, Some(&input), &mut unwatched, [0, n]).expect("runs");
    y.data().to_signed()
}

fn run<P: Protocol>(p: &mut P, model: &Model, data: &Data, request: &Request) -> Result<Outcome> {
    let [vendor, client] = Party::BOTH.map(|party| p.party().is_none_or(|own| own == party));
    let weights = vendor.then_some(&model.weights);
    validate(p, &model.card, weights, client.then_some(data), request, &mut unwatched)
}

fn request(model: &Model, n: usize, metrics: &[Metric]) -> Request {
    let mut request = Request::new(&model.card, n, "0.5".parse().expect("a share"), 1 << 20);
    request.opens = metrics.iter().fold(Opens::VERDICT, |opens, m| opens.with(*m));
    request
}

/// Every figure of a classifier, from its outputs.
fn check_classes(model: &Model, quarters: &[i8], labels: &[u64], outcome: &Outcome) {
    let classes = model.card.output_len().max(2);
    let y = outputs(model, &samples(quarters));
    let rows: Vec<Vec<i64>> = match model.card.output_len() {
        1 => y.iter().map(|&v| vec![0, v]).collect(),
        n => y.chunks(n).map(<[i64]>::to_vec).collect(),
    };
    let best = |row: &[i64]| (0..classes).rev().max_by_key(|&c| row[c]).expect("a class");
    let answers: Vec<usize> = rows.iter().map(|row| best(row)).collect();
    let correct = answers.iter().zip(labels).filter(|(a, l)| **a as u64 == **l).count() as u64;
    assert_eq!(outcome.verdict, 2 * correct >= labels.len() as u64);
    let figures = &outcome.figures;
    assert!(figures.correct.is_none_or(|c| c == correct), "{correct}: {figures:?}");
    if let Some(confusion) = &figures.confusion {
        for (l, row) in confusion.iter().enumerate() {
            for (a, &count) in row.iter().enumerate() {
                let plain = answers.iter().zip(labels).filter(|(x, y)| **x == a && **y == l as u64).count();
                assert_eq!(count, plain as u64, "label {l}, answer {a}");
            }
        }
    }
    if let Some(top5) = figures.top5 {
        let ahead = |row: &[i64], l: usize| {
            (0..classes).filter(|&j| row[j] > row[l] || (row[j] == row[l] && j < l)).count()
        };
        let plain = rows.iter().zip(labels).filter(|(row, l)| ahead(row, **l as usize) < 5).count();
        assert_eq!(top5, plain as u64);
    }
    if let Some(auc) = figures.auc {
        let scores: Vec<i64> = rows.iter().map(|row| row[1] - row[0]).collect();
        let of = |label: u64| -> Vec<i64> {
            scores.iter().zip(labels).filter(|(_, l)| **l == label).map(|(s, _)| *s).collect()
        };
        let (positives, negatives) = (of(1), of(0));
        let pairs = positives.iter().flat_map(|a| negatives.iter().map(move |b| a.cmp(b) as i64 + 1));
        assert_eq!(auc.twice_concordant as i64, pairs.sum::<i64>());
        assert_eq!((auc.positives, auc.negatives), (positives.len() as u64, negatives.len() as u64));
    }
}

fn check_numbers(model: &Model, quarters: &[i8], targets: &[f64], tolerance: f64, outcome: &Outcome) {
    let unit = |v: f64| (v * 4096.0).round() as i64;
    let distances: Vec<i64> =
        outputs(model, &samples(quarters)).iter().zip(targets).map(|(y, t)| (y - unit(*t)).abs()).collect();
    let right = distances.iter().filter(|&&d| d <= unit(tolerance)).count();
    assert_eq!(outcome.verdict, 2 * right >= targets.len());
    assert!(outcome.figures.correct.is_none_or(|c| c == right as u64));
    if let Some(error) = outcome.figures.error {
        // Of twelve fractional bits an exact floor drops half, and half of the bits of the number of samples.
        let guard = 6 + (usize::BITS - (targets.len() - 1).leading_zeros()).div_ceil(2);
        assert_eq!(error as i64, distances.iter().sum::<i64>() >> guard);
        assert_eq!(outcome.figures.error_bits, 12 - guard);
    }
}

fn quarters(n: usize) -> impl Strategy<Value = Vec<i8>> {
    prop::collection::vec(-4_i8..=4, n * FEATURES)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_classes(
        (x, labels) in (1_usize..40).prop_flat_map(|n| (quarters(n), prop::collection::vec(0_u64..2, n))),
        single in any::<bool>(),
        batch in 1_usize..20,
    ) {
        let model = model(if single { 1 } else { 2 });
        let all = samples(&x);
        let labels_array = array(vec![labels.len()], labels.iter().map(|&l| l as f64).collect());
        let data = Data::new(&model.card, &all, &labels_array).expect("fits");
        let mut request = request(&model, data.len(), &[Metric::Accuracy, Metric::Confusion, Metric::Auc]);
        request.batch = batch;
        let outcome = run(&mut Cleartext::new(), &model, &data, &request).expect("runs");
        prop_assert!(outcome.figures.auc.is_some() && outcome.figures.confusion.is_some());
        check_classes(&model, &x, &labels, &outcome);
    }

    #[test]
    fn nine_classes(
        (x, labels) in (1_usize..20).prop_flat_map(|n| (quarters(n), prop::collection::vec(0_u64..9, n))),
    ) {
        let model = model(9);
        let labels_array = array(vec![labels.len()], labels.iter().map(|&l| l as f64).collect());
        let data = Data::new(&model.card, &samples(&x), &labels_array).expect("fits");
        let request = request(&model, data.len(), &[Metric::Top5, Metric::Confusion]);
        let outcome = run(&mut Cleartext::new(), &model, &data, &request).expect("runs");
        prop_assert_eq!(outcome.figures.correct, None);
        check_classes(&model, &x, &labels, &outcome);
    }

    #[test]
    fn numbers(
        (x, targets) in (1_usize..20).prop_flat_map(|n| (quarters(n), prop::collection::vec(-20_i32..20, n))),
        tolerance in 0_u32..40,
    ) {
        let model = model(1);
        let targets: Vec<f64> = targets.into_iter().map(|t| f64::from(t) / 8.0).collect();
        let tolerance = f64::from(tolerance) / 8.0;
        let labels = array(vec![targets.len(), 1], targets.clone());
        let data = Data::with_numbers(&model.card, &samples(&x), &labels).expect("fits");
        let request = request(&model, data.len(), &[Metric::Mae, Metric::Accuracy]);
        let request = request.within(&model.card, tolerance).expect("a tolerance");
        let outcome = run(&mut Cleartext::new(), &model, &data, &request).expect("runs");
        check_numbers(&model, &x, &targets, tolerance, &outcome);
    }
}

/// Both parties see `check`'s figures, and send what the cost model says.
fn between_two(model: &Model, data: &Data, request: &Request, check: impl Fn(&Outcome)) {
    let mut tally = Tally::new(Cleartext::new());
    check(&run(&mut tally, model, data, request).expect("runs"));
    let parties = run_two(|p| Ok((run(p, model, data, request)?, p.stats().clone()))).expect("runs");
    for (party, (outcome, stats)) in Party::BOTH.into_iter().zip(&parties) {
        check(outcome);
        for phase in Phase::ALL {
            let (counted, told) = (stats.phase(phase), tally.phase(phase));
            assert_eq!(counted.bytes_sent, told.bytes[party.index()], "{phase:?}");
            assert_eq!(counted.half_rounds, told.half_rounds, "{phase:?}");
        }
    }
}

#[test]
fn between_two_parties() {
    let x: Vec<i8> = (0..37 * FEATURES).map(|i| ((i * i + 3 * i) % 9) as i8 - 4).collect();
    let classes = [Metric::Accuracy, Metric::Confusion];
    for (outputs, more) in [(1, Metric::Auc), (2, Metric::Auc), (7, Metric::Top5)] {
        let model = model(outputs);
        let labels: Vec<u64> = (0..37).map(|i| (i * i) % outputs.max(2) as u64).collect();
        let array = array(vec![37], labels.iter().map(|&l| l as f64).collect());
        let data = Data::new(&model.card, &samples(&x), &array).expect("fits");
        let mut request = request(&model, 37, &[&classes[..], &[more]].concat());
        request.batch = 20;
        between_two(&model, &data, &request, |outcome| check_classes(&model, &x, &labels, outcome));
    }
    let model = model(1);
    let targets: Vec<f64> = (0..37).map(|i| f64::from(i % 11) / 3.0 - 2.0).collect();
    let data =
        Data::with_numbers(&model.card, &samples(&x), &array(vec![37], targets.clone())).expect("fits");
    let request = request(&model, 37, &[Metric::Mae]).within(&model.card, 0.7).expect("a tolerance");
    between_two(&model, &data, &request, |outcome| check_numbers(&model, &x, &targets, 0.7, outcome));
}

#[test]
fn figures_without_a_meaning_are_refused_before_anything_runs() {
    let x = [0; 3 * FEATURES];
    for (outputs, metric, why) in
        [(9, Metric::Auc, "two classes"), (5, Metric::Top5, "more than five"), (2, Metric::Mae, "tolerance")]
    {
        let model = model(outputs);
        let data = Data::new(&model.card, &samples(&x), &array(vec![3], vec![0.0; 3])).expect("fits");
        let request = request(&model, 3, &[metric]);
        let error = run(&mut Cleartext::new(), &model, &data, &request).expect_err(why).to_string();
        assert!(error.contains(why), "{error}");
    }
    let model = model(1);
    let labels = array(vec![3], vec![0.5, f64::NAN, 0.0]);
    assert!(Data::with_numbers(&model.card, &samples(&x), &labels).is_err());
    assert!(request(&model, 3, &[]).within(&model.card, -1.0).is_err());
}

/// The bits that are hidden of a sum count on roundings: a card of another make may say that its models are coarser.
#[test]
fn distances_of_coarse_models_are_refused() {
    let mut graph = Graph::new("coarse", "x", vec![FEATURES]).expect("a graph");
    let dense = Op::Dense { weights: vec![1.0; FEATURES].into(), bias: vec![0.0] };
    let x = graph.push("dense", dense, &[0]).expect("fits");
    graph.output = graph.push("relu", Op::Relu, &[x]).expect("fits");
    let options = Options { input_range: [-1.0, 1.0], ..Options::default() };
    let mut model = compile(&passes::optimise(graph), &options).expect("compiles");
    let data = Data::with_numbers(&model.card, &samples(&[0; 3 * FEATURES]), &array(vec![3], vec![0.5; 3]));
    let data = data.expect("fits");
    let request = request(&model, 3, &[Metric::Mae]).within(&model.card, 0.5).expect("a tolerance");
    run(&mut Cleartext::new(), &model, &data, &request).expect("an exact one");
    let relu = model.card.steps.iter_mut().find_map(|step| match &mut step.op {
        StepOp::Relu { drop, .. } => Some(drop),
        _ => None,
    });
    *relu.expect("a ReLU") = 3;
    let error = run(&mut Cleartext::new(), &model, &data, &request).expect_err("refused").to_string();
    assert!(error.contains("models that compare exactly"), "{error}");
}

/// Sums of numbers that layers rounded are opened without the bits that tell how, which two parties insist on.
#[test]
fn rounded_distances_between_two_parties() {
    let (model, n) = (scaled(1, 0.3), 37);
    let x: Vec<i8> = (0..n * FEATURES).map(|i| ((i * i + 3 * i) % 9) as i8 - 4).collect();
    let targets = vec![0.125; n];
    let data = Data::with_numbers(&model.card, &samples(&x), &array(vec![n], targets.clone())).expect("fits");
    let request = request(&model, n, &[Metric::Mae]).within(&model.card, 0.5).expect("a tolerance");
    let [server, client] = run_two(|p| run(p, &model, &data, &request)).expect("runs");
    assert_eq!(server, client);
    let plain: f64 = outputs(&model, &samples(&x)).iter().map(|&y| (y as f64 / 4096.0 - 0.125).abs()).sum();
    let mean = server.figures.mean_error(n).expect("asked for");
    // Two units a sample, and what the floor of the sum takes.
    let unit = (-f64::from(server.figures.error_bits)).exp2();
    assert!((mean * n as f64 - plain).abs() <= 2.0 * n as f64 / 4096.0 + unit, "{mean} {plain}");
}
