//! Models that would overflow are caught: by proof, by clipping, by a check; and the oracle sees what the parties cannot.

use ezpc_core::protocol::{Cleartext, Protocol, Reveal, Tally, TwoParty};
use ezpc_core::testing::run_two;
use ezpc_core::transport::Phase;
use ezpc_core::{Party, Result};
use ezpc_ml::card::{Card, Limits, Origin, StepOp};
use ezpc_ml::graph::compile::{Model, Options, Unproved, calibrate, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::{Graph, Op, Window, float, oracle, passes};
use ezpc_tests::Numbers;
use proptest::prelude::*;

/// Layers whose worst case grows 2^5 times each, and whose usual case does not: rows of weights of both signs.
fn growing() -> Graph {
    let mut numbers = Numbers::new(5);
    let mut g = Graph::new("growing", "x", vec![2, 4, 4]).expect("a graph");
    let mut x = 0;
    for (layer, channels) in [(1, 8), (2, 8), (3, 8)] {
        let inputs = g.nodes[x].shape[0];
        let window = Window { padding: [1; 4], ..Window::whole([3, 3]) };
        let weights = numbers.floats(channels * inputs * 9, 1.0).into();
        let conv = Op::Conv { window, groups: 1, weights, bias: numbers.floats(channels, 0.1) };
        x = g.push(&format!("conv{layer}"), conv, &[x]).expect("a layer");
        x = g.push(&format!("relu{layer}"), Op::Relu, &[x]).expect("a layer");
    }
    x = g.push("flat", Op::Reshape(vec![128]), &[x]).expect("a layer");
    let dense = Op::Dense { weights: numbers.floats(3 * 128, 0.5).into(), bias: vec![0.25, 0.0, -0.25] };
    g.output = g.push("dense", dense, &[x]).expect("a layer");
    passes::optimise(g)
}

/// One sample, values up to `most`.
fn floats(seed: u64, most: f32) -> Vec<f32> {
    Numbers::new(seed).floats(32, most)
}

fn sample(seed: u64, most: f32) -> Vec<f64> {
    floats(seed, most).into_iter().map(f64::from).collect()
}

fn model(unproved: Unproved) -> Model {
    let graph = growing();
    let seen: Vec<f64> = (0..20).flat_map(|seed| sample(seed, 1.0)).collect();
    let calibration = Some(calibrate(&graph, &seen).expect("whole samples"));
    let options = Options {
        input_range: [-1024.0, 1024.0],
        calibration,
        unproved,
        headroom: 2.0,
        // As fine as the tolerances below.
        precision: 13,
        ..Options::default()
    };
    compile(&graph, &options).expect("compiles")
}

fn encode(card: &Card, values: &[f64]) -> Vec<i64> {
    values.iter().map(|&v| ezpc_ml::fixed::encode(v, card.frac_bits)).collect()
}

/// The result, opened to the client; nothing at the server.
fn open<P: Protocol>(p: &mut P, model: &Model, input: &[i64]) -> Result<Vec<i64>> {
    let [vendor, owner] = Party::BOTH.map(|party| p.party().is_none_or(|own| own == party));
    let mut executor = Executor::new(p, &model.card, vendor.then_some(&model.weights))?;
    let y = executor.run(p, 1, owner.then_some(input), &mut unwatched, [0, 1])?;
    Ok(p.reveal(y.data(), Reveal::To(Party::Client))?.map_or(Vec::new(), |y| y.to_signed()))
}

fn within(a: &[i64], b: &[i64], ulp: i64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= ulp)
}

/// Units that three layers of sums of up to 72 terms below 1 make of two units each.
const ULP: i64 = 100;

#[test]
fn the_first_way_is_proof() {
    let options = Options { input_range: [-1024.0, 1024.0], ..Options::default() };
    let error = compile(&growing(), &options).map(|_| ()).expect_err("no proof").to_string();
    assert!(error.contains("no bound that fits") && error.contains("first `conv2`"), "{error}");
    // With inputs that are small enough everything is proved.
    let small = compile(&growing(), &Options { input_range: [-0.1, 0.1], ..options }).expect("a proof");
    assert!(small.card.steps.iter().all(|s| s.bound.origin == Origin::Proved));
}

#[test]
fn the_second_way_is_clipping() {
    let model = model(Unproved::Clip);
    assert!(model.card.steps.iter().any(|s| matches!(s.op, StepOp::Clip { positive: true, .. })));
    assert!(model.card.steps.iter().all(|s| s.bound.origin <= Origin::Clipped));
    for (most, clips) in [(1.0, false), (1000.0, true)] {
        let input = encode(&model.card, &sample(3, most));
        let seen = oracle::run(&model, 1, &input, &mut unwatched).expect("nothing exceeds its bound");
        assert_eq!(!seen.clipped.is_empty(), clips, "{:?}", seen.clipped);
        let want = seen.values.data().to_signed();
        assert_eq!(open(&mut Cleartext::new(), &model, &input).expect("keeps its promises"), want);
        let [_, client] = run_two(|p| open(p, &model, &input)).expect("no error");
        assert!(within(&client, &want, ULP), "{client:?} {want:?}");
        if !clips {
            let float: Vec<f64> =
                float::run(&growing(), &floats(3, most)).expect("runs").into_iter().map(f64::from).collect();
            assert!(within(&want, &encode(&model.card, &float), 200), "{want:?} {float:?}");
        }
    }
}

#[test]
fn the_third_way_is_a_check_that_names_the_layer() {
    let (model, usual) = (model(Unproved::Check), model(Unproved::Report));
    let checks = model.card.steps.iter().filter(|s| s.op == StepOp::Check).count();
    assert!(checks >= 3, "{}", model.card);
    // What keeps its bounds gives the values of the oracle, and those of the program without checks, whose narrower rings have
    // room for finer weights, up to their rounding.
    let input = encode(&model.card, &sample(3, 1.0));
    let run =
        |m: &Model| oracle::run(m, 1, &input, &mut unwatched).expect("within").values.data().to_signed();
    let want = run(&model);
    assert_eq!(open(&mut Cleartext::new(), &model, &input).expect("within"), want);
    assert!(within(&want, &run(&usual), 2 * ULP), "{want:?}");
    let [_, client] = run_two(|p| open(p, &model, &input)).expect("within");
    assert!(within(&client, &want, ULP), "{client:?} {want:?}");
    // What does not ends at the layer that it leaves them at, for both parties.
    let input = encode(&model.card, &sample(3, 900.0));
    let seen = run_two(|p| Ok(open(p, &model, &input).expect_err("exceeds").to_string()));
    let [server, client] = seen.expect("both parties see the same");
    let clear = oracle::run(&usual, 1, &input, &mut unwatched).map(|_| ()).expect_err("exceeds").to_string();
    for text in [server, client, clear] {
        assert!(text.contains("layer `conv1`") && text.contains("the bound of"), "{text}");
    }
}

#[test]
fn a_card_with_checks_is_refused_unless_they_are_allowed() {
    let card = model(Unproved::Check).card;
    let text = card.to_text();
    let error = Card::from_text(text.as_bytes(), &Limits::default()).expect_err("refused").to_string();
    assert!(error.contains("opens a bit for each checked layer"), "{error}");
    let limits = Limits { checks: true, ..Limits::default() };
    assert_eq!(Card::from_text(text.as_bytes(), &limits).expect("allowed"), card);
}

/// Checks and clips cost what the cost model says.
#[test]
fn guards_cost_what_is_predicted() {
    for unproved in [Unproved::Clip, Unproved::Check] {
        let model = model(unproved);
        let input = encode(&model.card, &sample(3, 1.0));
        let mut tally = Tally::new(Cleartext::new());
        open(&mut tally, &model, &input).expect("runs");
        let [server, client] =
            run_two(|p: &mut TwoParty| open(p, &model, &input).map(|_| p.stats().clone())).expect("runs");
        for phase in Phase::ALL {
            let (s, c, t) = (server.phase(phase), client.phase(phase), tally.phase(phase));
            assert_eq!([s.bytes_sent, c.bytes_sent], t.bytes, "{phase:?}");
            assert_eq!([s.half_rounds, c.half_rounds], [t.half_rounds; 2], "{phase:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the input: the oracle says that a bound is exceeded, or the narrow rings give what wide ones give.
    #[test]
    fn nothing_is_silently_wrong(seed in 0u64..1 << 32, scale in 0u32..=10) {
        let model = model(Unproved::Report);
        let input = encode(&model.card, &sample(seed, f32::from(1u16 << scale)));
        if let Ok(seen) = oracle::run(&model, 1, &input, &mut unwatched) {
            let narrow = open(&mut Cleartext::new(), &model, &input).expect("keeps its promises");
            prop_assert_eq!(narrow, seen.values.data().to_signed());
        }
    }
}
