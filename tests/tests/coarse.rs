//! Networks whose ReLUs and maxima leave bits out: what the compiler chooses, what a card may say, what two parties get.

use ezpc_core::protocol::{Cleartext, Protocol, Reveal};
use ezpc_core::testing::run_two;
use ezpc_core::{Error, Party};
use ezpc_ml::card::{Card, Limits, StepOp};
use ezpc_ml::fixed;
use ezpc_ml::graph::compile::{Model, Options, Unproved, calibrate, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{Graph, Op, Window, passes};
use ezpc_ml::infer::guard_bits;
use ezpc_tests::Numbers;

/// A maximum and a ReLU behind a layer, large enough to be extended afterwards, and a second layer.
fn network() -> Graph {
    let mut n = Numbers::new(3);
    let mut g = Graph::new("coarse", "x", vec![2, 20, 20]).expect("a graph");
    let window = Window { padding: [1; 4], ..Window::whole([3, 3]) };
    let conv = |n: &mut Numbers, inputs: usize, outputs: usize| Op::Conv {
        window,
        groups: 1,
        weights: n.floats(outputs * inputs * 9, 0.6).into(),
        bias: n.floats(outputs, 0.5),
    };
    let op = conv(&mut n, 2, 8);
    let x = g.push("conv1", op, &[0]).expect("fits");
    let pool = Op::MaxPool(Window { stride: [2, 2], ..Window::whole([3, 3]) });
    let x = g.push("pool", pool, &[x]).expect("fits");
    let x = g.push("relu", Op::Relu, &[x]).expect("fits");
    let op = conv(&mut n, 8, 4);
    g.output = g.push("conv2", op, &[x]).expect("fits");
    passes::optimise(g)
}

fn sample(graph: &Graph, seed: u64) -> Vec<f64> {
    let len = graph.nodes[0].shape.iter().product();
    Numbers::new(seed).floats(len, 1.0).into_iter().map(f64::from).collect()
}

fn options(graph: &Graph, slack: f64) -> Options {
    let calibration = Some(calibrate(graph, &sample(graph, 1)).expect("a sample"));
    Options { input_range: [-2.0, 2.0], calibration, slack, ..Options::default() }
}

/// Their usual size would be none, and every bit small beside it.
#[test]
fn samples_on_which_a_network_overflows_are_refused() {
    let graph = network();
    let len = sample(&graph, 1).len();
    let error = calibrate(&graph, &vec![3e38; len]).expect_err("beyond floating point").to_string();
    assert!(error.contains("values of `conv1` overflow"), "{error}");
}

fn model(slack: f64) -> Model {
    let graph = network();
    compile(&graph, &options(&graph, slack)).expect("compiles")
}

/// The bits that the maximum and the ReLU leave out.
fn left_out(model: &Model) -> [u32; 2] {
    let of = |pick: fn(&StepOp) -> Option<u32>| model.card.steps.iter().find_map(|s| pick(&s.op));
    [
        of(|op| if let StepOp::MaxPool { drop, .. } = op { Some(*drop) } else { None }),
        of(|op| if let StepOp::Relu { drop, .. } = op { Some(*drop) } else { None }),
    ]
    .map(|drop| drop.expect("a step of the kind"))
}

#[test]
fn what_is_left_out_follows_the_usual_size() {
    let exact = left_out(&model(0.0));
    assert_eq!(exact, [0, 0]);
    let [max, relu] = left_out(&model(1.0 / 16.0));
    // The usual value has ten bits, so a sixteenth of it has six, which is half of what is left out.
    assert!((5..=7).contains(&relu) && (5..=7).contains(&max), "{max} {relu}");
    let [twice_max, twice_relu] = left_out(&model(1.0 / 8.0));
    assert_eq!([twice_max, twice_relu], [max + 1, relu + 1]);
    // Without samples nothing is known of sizes.
    let graph = network();
    let blind = Options { calibration: None, ..options(&graph, 0.5) };
    assert_eq!(left_out(&compile(&graph, &blind).expect("a proof")), [0, 0]);
}

/// What is small becomes zero, perhaps, although it is never negative: what subtracts it has a bound for that.
#[test]
fn a_small_positive_value_may_be_missed() {
    let mut g = Graph::new("small", "x", vec![1]).expect("a graph");
    let dense = |weights: &[f32], bias: &[f32]| Op::Dense { weights: weights.into(), bias: bias.to_vec() };
    let both = g.push("both", dense(&[1.0, 0.0], &[0.0, 0.1]), &[0]).expect("fits");
    let relu = g.push("relu", Op::Relu, &[both]).expect("fits");
    g.output = g.push("left", dense(&[0.0, -8.0, 0.0, -8.0], &[4.0; 2]), &[relu]).expect("fits");
    let bits = |slack: f64| {
        let calibration = Some(calibrate(&g, &[1.5]).expect("a sample"));
        let range =
            Options { input_range: [-2.0, 2.0], calibration, slack, precision: 0, ..Options::default() };
        let card = compile(&g, &range).expect("compiles").card;
        card.steps[card.output].bound.bits
    };
    // 4 - 0.8 takes 14 bits with 12 behind the point, 4 takes one more.
    assert_eq!([bits(0.0), bits(0.25)], [14, 15]);
}

/// The result of a network without a rounding depends on shares when it decides coarsely, and hides that as it hides roundings.
#[test]
fn coarse_results_are_opened_with_half_of_their_fraction() {
    let mut g = Graph::new("exact", "x", vec![2]).expect("a graph");
    let op = Op::Dense { weights: vec![1.0, 2.0, -1.0, 1.0].into(), bias: vec![0.0; 2] };
    let sums = g.push("sums", op, &[0]).expect("fits");
    g.output = g.push("relu", Op::Relu, &[sums]).expect("fits");
    let guard = |slack: f64| {
        let calibration = Some(calibrate(&g, &[1.5, 0.5]).expect("a sample"));
        let options = Options { calibration, slack, ..Options::default() };
        guard_bits(&compile(&g, &options).expect("compiles").card)
    };
    assert_eq!([guard(0.0), guard(0.25)], [0, 6]);
}

#[test]
fn a_slack_that_makes_no_sense_is_refused() {
    let graph = network();
    for slack in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
        let error = compile(&graph, &options(&graph, slack)).map(|_| ()).expect_err("refused");
        assert!(error.to_string().contains("a slack of"), "{error}");
    }
}

/// A ReLU quantised before its operand was clipped for another layer.
#[test]
fn an_operand_that_is_clipped_for_another_layer_is_no_trouble() {
    let mut n = Numbers::new(8);
    let mut g = Graph::new("shared", "x", vec![4, 32, 32]).expect("a graph");
    let weights = |n: &mut Numbers, most: f32| n.floats(4 * 4 * 9, most).into();
    let window = Window { padding: [1; 4], ..Window::whole([3, 3]) };
    let (small, large) = (weights(&mut n, 1.0), weights(&mut n, 400.0));
    let conv = |weights| Op::Conv { window, groups: 1, weights, bias: vec![0.0; 4] };
    let c = g.push("c", conv(small), &[0]).expect("fits");
    let r = g.push("r", Op::Relu, &[c]).expect("fits");
    let d = g.push("d", conv(large), &[c]).expect("fits");
    let e =
        g.push("e", Op::Conv { window, groups: 1, weights: weights(&mut n, 0.1), bias: vec![0.0; 4] }, &[r]);
    let e = e.expect("fits");
    g.output = g.push("both", Op::Add, &[d, e]).expect("fits");
    let graph = passes::optimise(g);
    let tiny: Vec<f64> = sample(&graph, 1).into_iter().map(|v| v / 100.0).collect();
    let calibration = Some(calibrate(&graph, &tiny).expect("a sample"));
    for slack in [0.0, 1.0 / 16.0, 0.9] {
        let options = Options {
            input_range: [-16.0, 16.0],
            calibration: calibration.clone(),
            unproved: Unproved::Clip,
            slack,
            ..Options::default()
        };
        let model = compile(&graph, &options).expect("compiles");
        let clips = model.card.steps.iter().any(|s| matches!(s.op, StepOp::Clip { .. }));
        assert!(clips, "the test is about a clip:\n{}", model.card);
    }
}

#[test]
fn cards_that_leave_out_too_much_are_refused() {
    let text = model(1.0 / 16.0).card.to_text();
    let read = |text: &str| Card::from_text(text.as_bytes(), &Limits::default());
    assert!(read(&text).is_ok());
    let drop = |line: &str| {
        let at = line.find(" drop=")? + 6;
        let end = line[at..].find(' ').map_or(line.len(), |n| at + n);
        Some((at, end))
    };
    let mut replaced = 0;
    for (i, line) in text.lines().enumerate() {
        let Some((at, end)) = drop(line) else { continue };
        for value in ["19", "63", "64", "4294967295", "-1", "4294967296", "07", ""] {
            let changed = format!("{}{value}{}", &line[..at], &line[end..]);
            let lines = text.lines().enumerate().map(|(k, l)| if k == i { changed.as_str() } else { l });
            let card = lines.map(|l| format!("{l}\n")).collect::<String>();
            let error: Error = read(&card).expect_err("refused");
            assert!(error.to_string().contains("malformed model card"), "{error}");
            replaced += 1;
        }
    }
    assert_eq!(replaced, 3 * 8, "a maximum, a ReLU and its extension");
}

/// Each maximum is a value of its window that misses by half of what is left out at most, along both sides; each ReLU that differs
/// is the other one of 0 and its operand, which is at most as far from 0.
#[test]
fn two_parties_decide_as_the_card_says() {
    let (model, graph) = (model(1.0 / 4.0), network());
    let [drop, relu_drop] = left_out(&model);
    let extends = |op: &StepOp| matches!(op, StepOp::Extend { positive: true, drop } if *drop == relu_drop);
    assert!(
        model.card.steps.iter().any(|s| extends(&s.op)),
        "small negative values are extended:\n{}",
        model.card
    );
    let input: Vec<i64> = sample(&graph, 9).into_iter().map(|v| fixed::encode(v, 12)).collect();
    let [_, seen] = run_two(|p| {
        let [vendor, owner] = Party::BOTH.map(|party| p.party() == Some(party));
        let mut executor = Executor::new(p, &model.card, vendor.then_some(&model.weights))?;
        let mut seen = vec![Vec::new(); model.card.steps.len()];
        let mut observe = |p: &mut _, i: usize, value: &ezpc_ml::tensor::Tensor<_>| {
            if let Some(values) = Protocol::reveal(p, value.data(), Reveal::To(Party::Client))? {
                seen[i] = values.to_signed();
            }
            Ok(())
        };
        executor.run_observed(p, 1, owner.then_some(&input[..]), &mut unwatched, [0, 1], &mut observe)?;
        Ok(seen)
    })
    .expect("runs");
    let mut oracle = Cleartext::new();
    let mut executor = Executor::new(&oracle, &model.card, Some(&model.weights)).expect("an executor");
    let (mut missed, mut zeroed, mut negative) = (0, 0, 0);
    for (i, step) in model.card.steps.iter().enumerate().skip(1) {
        let of = |a: usize| {
            let step = &model.card.steps[a];
            let values = ezpc_core::ring::RingVec::from_signed(step.width, &seen[a]);
            ezpc_ml::tensor::Tensor::new(1, &step.shape, values).expect("of its shape")
        };
        let operands: Vec<_> = step.args.iter().map(|&a| of(a)).collect();
        let operands: Vec<_> = operands.iter().collect();
        let exact = executor.run_step(&mut oracle, i, 1, &operands).expect("in its promise");
        for (k, (&got, want)) in seen[i].iter().zip(exact.data().to_signed()).enumerate() {
            match step.op {
                StepOp::MaxPool { .. } => {
                    assert!(
                        seen[step.args[0]].contains(&got) && (0..=4 << (drop - 1)).contains(&(want - got))
                    );
                    missed += usize::from(got != want);
                }
                StepOp::Relu { .. } => {
                    let (x, half) = (seen[step.args[0]][k], 1 << (relu_drop - 1));
                    assert!(got == want || got == x.min(0) && (-half..half).contains(&x), "{x}: {got}");
                    (zeroed, negative) = (zeroed + usize::from(got != want), negative + usize::from(got < 0));
                }
                StepOp::Extend { .. } => assert_eq!(got, want),
                _ => {}
            }
        }
    }
    assert!(
        missed > 0 && zeroed > 0 && negative > 0,
        "{missed}, {zeroed} and {negative} were decided coarsely"
    );
}
