//! The accuracy contract: fed the reconstructed operands of a layer, the oracle is at most {-1, 0, 1} units in the last
//! place away from what two parties hold, for every layer of random small networks; and nothing is off where nothing is
//! rounded.

use ezpc_core::protocol::{Cleartext, Reveal};
use ezpc_core::ring::RingVec;
use ezpc_core::testing::run_two;
use ezpc_core::{Party, Protocol};
use ezpc_ml::card::StepOp;
use ezpc_ml::fixed;
use ezpc_ml::graph::compile::{Model, Options, Unproved, calibrate, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{Graph, Op, Window, float, oracle, passes};
use ezpc_ml::tensor::Tensor;
use ezpc_tests::Numbers;
use proptest::prelude::*;
use std::ops::RangeInclusive;

/// A network of a few layers of any kind.
fn network(n: &mut Numbers) -> Graph {
    let shape = vec![1 + n.below(4), 3 + n.below(6), 3 + n.below(6)];
    let mut g = Graph::new("random", "x", shape).expect("a graph");
    let mut x = 0;
    for layer in 0..3 + n.below(5) {
        let (op, others) = operation(n, &g, x);
        let inputs = [&[x][..], &others].concat();
        // What does not fit, as a window larger than the map, is left out.
        if let Ok(next) = g.push(&format!("layer{layer}"), op, &inputs) {
            x = next;
        }
    }
    if n.below(2) == 0 {
        let len = g.nodes[x].shape.iter().product();
        x = g.push("flat", Op::Reshape(vec![len]), &[x]).expect("fits");
        let outputs = 1 + n.below(5);
        let op = Op::Dense { weights: n.floats(outputs * len, 0.5).into(), bias: n.floats(outputs, 1.0) };
        x = g.push("dense", op, &[x]).expect("fits");
    }
    g.output = x;
    g
}

/// An operation on the value of node `x`, and its other operands.
fn operation(n: &mut Numbers, g: &Graph, x: usize) -> (Op, Vec<usize>) {
    let shape = &g.nodes[x].shape;
    let alike: Vec<usize> = (0..g.nodes.len()).filter(|&i| g.nodes[i].shape == *shape).collect();
    let other = alike[n.below(alike.len())];
    let channels = shape[0];
    let op = match n.below(12) {
        0..=3 => {
            let groups = if n.below(3) == 0 { channels } else { 1 };
            let outputs = groups * (1 + n.below(4));
            let window = Window { dilation: [1 + n.below(2); 2], ..window(n) };
            let taps = window.kernel[0] * window.kernel[1];
            let weights = n.floats(outputs * (channels / groups) * taps, 0.6).into();
            Op::Conv { window, groups, weights, bias: n.floats(outputs, 1.0) }
        }
        4 | 5 => Op::Relu,
        6 => Op::MaxPool(Window { padding: [0; 4], ..window(n) }),
        7 => Op::AvgPool { window: Window { padding: [0; 4], ..window(n) }, counted: [0; 4] },
        8 => Op::Affine { axis: 0, scale: n.floats(channels, 1.5), shift: n.floats(channels, 1.0) },
        9 => return (if n.below(2) == 0 { Op::Add } else { Op::Sub }, vec![other]),
        10 => return (Op::Concat { axis: 0 }, vec![other]),
        _ => return (Op::Mul, vec![other]),
    };
    (op, Vec::new())
}

fn window(n: &mut Numbers) -> Window {
    let mut below = |end| n.below(end);
    Window {
        kernel: [1 + below(3), 1 + below(3)],
        stride: [1 + below(2), 1 + below(2)],
        padding: [below(2), below(2), below(2), below(2)],
        dilation: [1, 1],
    }
}

/// The model of a network, with bounds by proof where that is possible.
fn model(graph: &Graph, unproved: Unproved) -> Option<Model> {
    let seen: Vec<f64> = (0..4).flat_map(|seed| sample(graph, seed)).collect();
    let calibration = Some(calibrate(graph, &seen).expect("whole samples"));
    let options = Options {
        input_range: [-1.0, 1.0],
        calibration,
        unproved,
        proof_bits: 17,
        slack: 0.0625,
        ..Options::default()
    };
    compile(graph, &options).ok()
}

fn sample(graph: &Graph, seed: u64) -> Vec<f64> {
    let len = graph.nodes[0].shape.iter().product();
    Numbers::new(seed).floats(len, 1.0).into_iter().map(f64::from).collect()
}

/// By how many units a step may differ.
fn contract(op: &StepOp) -> RangeInclusive<i64> {
    match op {
        StepOp::Conv { scale, .. } | StepOp::Dense { scale, .. } | StepOp::Affine { scale, .. }
            if scale.shift > 0 =>
        {
            -1..=1
        }
        StepOp::Relu { drop, .. } => 1 - (1 << drop)..=0,
        // At most two levels along each side of a window.
        StepOp::MaxPool { drop, .. } => -4 * (1 << drop >> 1)..=0,
        StepOp::AvgPool { shift, .. } | StepOp::Mul { shift, .. } if *shift > 0 => -1..=1,
        _ => 0..=0,
    }
}

/// What the client sees of every step. Nothing for networks whose numbers are too large for the noise of encryption, which
/// are refused before anything is computed.
fn two_parties(model: &Model, input: &[i64]) -> Option<Vec<Vec<i64>>> {
    let run = run_two(|p| {
        let [vendor, owner] = Party::BOTH.map(|party| p.party() == Some(party));
        let mut executor = Executor::new(p, &model.card, vendor.then_some(&model.weights))?;
        let mut seen = vec![Vec::new(); model.card.steps.len()];
        let input = owner.then_some(input);
        executor.run_observed(p, 1, input, &mut unwatched, [0, 1], &mut |p, i, value| {
            if let Some(values) = p.reveal(value.data(), Reveal::To(Party::Client))? {
                seen[i] = values.to_signed();
            }
            Ok(())
        })?;
        Ok(seen)
    });
    match run {
        Ok([_, client]) => Some(client),
        Err(error) if error.to_string().contains("the noise bound of its ciphertexts exceeds") => None,
        Err(error) => panic!("{error}"),
    }
}

fn keeps_the_contract(model: &Model, input: &[i64]) -> Result<(), TestCaseError> {
    let Some(seen) = two_parties(model, input) else {
        return Err(TestCaseError::reject("numbers too large for the noise of encryption"));
    };
    let mut p = Cleartext::new();
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    for (i, step) in model.card.steps.iter().enumerate().skip(1) {
        let tensor = |a: usize| {
            let of = &model.card.steps[a];
            Tensor::new(1, &of.shape, RingVec::from_signed(of.width, &seen[a])).expect("of its shape")
        };
        let args: Vec<Tensor<RingVec>> = step.args.iter().map(|&a| tensor(a)).collect();
        let want =
            executor.run_step(&mut p, i, 1, &args.iter().collect::<Vec<_>>()).expect("keeps its promises");
        let allowed = contract(&step.op);
        for (k, (ours, oracle)) in seen[i].iter().zip(want.data().to_signed()).enumerate() {
            let off = ours - oracle;
            prop_assert!(
                allowed.contains(&off),
                "{} of step {i}, {}: {off} ulp\n{}",
                k,
                step.name,
                model.card
            );
        }
        prop_assert_eq!(seen[i].len(), want.data().len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_layer_of_random_networks_keeps_it(seed in 0u64..1 << 40) {
        let mut n = Numbers::new(seed);
        let graph = passes::optimise(network(&mut n));
        let Some(model) = model(&graph, Unproved::Report) else { return Ok(()) };
        let input: Vec<i64> = sample(&graph, seed).iter().map(|&v| fixed::encode(v, 12)).collect();
        prop_assume!(oracle::run(&model, 1, &input, &mut unwatched).is_ok());
        keeps_the_contract(&model, &input)?;
    }

    /// Clips, checks and passes change no value that is within its bounds, by more than rounding.
    #[test]
    fn guards_and_passes_keep_the_meaning(seed in 0u64..1 << 40) {
        let mut n = Numbers::new(seed);
        let before = network(&mut n);
        let graph = passes::optimise(before.clone());
        let values: Vec<f32> = Numbers::new(seed).floats(graph.nodes[0].shape.iter().product(), 1.0);
        let want = float::run(&before, &values).expect("runs");
        let same = float::run(&graph, &values).expect("runs");
        let most = want.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        prop_assert!(want.iter().zip(&same).all(|(a, b)| (a - b).abs() <= most * 1e-4), "{want:?} {same:?}");
        let input: Vec<i64> = values.iter().map(|&v| fixed::encode(v.into(), 12)).collect();
        let run = |unproved| {
            let model = model(&graph, unproved)?;
            let seen = oracle::run(&model, 1, &input, &mut unwatched).ok()?;
            seen.clipped.is_empty().then(|| seen.values.data().to_signed())
        };
        let results: Vec<Vec<i64>> =
            [Unproved::Report, Unproved::Clip, Unproved::Check].into_iter().filter_map(run).collect();
        // Rings without room for what a guard compares allow finer weights.
        let near = |a: &[i64], b: &[i64]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() as f32 <= 64.0 * most)
        };
        prop_assert!(results.windows(2).all(|w| near(&w[0], &w[1])), "{results:?}\n{graph}");
    }
}

/// The generator makes networks of every kind of step, most of which compile: the properties above are not empty.
#[test]
fn random_networks_have_every_kind_of_step() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut compiled = 0;
    for seed in 0..200 {
        let graph = passes::optimise(network(&mut Numbers::new(seed)));
        kinds.extend(graph.nodes.iter().map(|n| n.op.name()));
        compiled += usize::from(model(&graph, Unproved::Report).is_some());
    }
    let all = [
        "add", "affine", "avgpool", "concat", "conv", "dense", "maxpool", "mul", "relu", "reshape", "sign",
        "sub",
    ];
    assert!(all.iter().all(|k| kinds.contains(k)), "{kinds:?}");
    assert!(compiled >= 180, "{compiled}");
}
