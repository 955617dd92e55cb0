//! What passes, plans and the executor are good for: the same values, at a lower cost.

use ezpc_core::protocol::{Cleartext, Tally};
use ezpc_core::testing::run_two;
use ezpc_core::transport::Phase;
use ezpc_core::{Party, Protocol, protocol::Reveal};
use ezpc_ml::card::StepOp;
use ezpc_ml::fixed;
use ezpc_ml::graph::compile::{Model, Options, compile};
use ezpc_ml::graph::exec::{Executor, unwatched};
use ezpc_ml::graph::passes::{PASSES, optimise, optimise_watched};
use ezpc_ml::graph::{Graph, Op, Window, float};
use ezpc_tests::Numbers;

fn compiled(graph: &Graph) -> Model {
    compile(graph, &Options { input_range: [-2.0, 2.0], ..Options::default() }).expect("compiles")
}

fn input(graph: &Graph) -> Vec<f32> {
    Numbers::new(1).floats(graph.nodes[0].shape.iter().product(), 2.0)
}

/// The result of one sample and what it costs: bytes both ways, half-rounds, offline ones included.
fn run(graph: &Graph) -> (Vec<i64>, u64, u64) {
    let model = compiled(graph);
    let mut p = Tally::new(Cleartext::new());
    let mut executor = Executor::new(&p, &model.card, Some(&model.weights)).expect("an executor");
    let input: Vec<i64> = input(graph).iter().map(|&v| fixed::encode(v.into(), 12)).collect();
    let y = executor.run(&mut p, 1, Some(&input), &mut unwatched, [0, 1]).expect("keeps its promises");
    let all = Phase::ALL.map(|phase| p.phase(phase));
    let online = p.phase(Phase::Online);
    (y.data().to_signed(), all.iter().flat_map(|t| t.bytes).sum(), online.half_rounds)
}

/// The graph before and after, both of the same values within `ulp`; then what both cost.
#[track_caller]
fn cheaper(graph: &Graph, ulp: i64) -> Graph {
    let after = optimise(graph.clone());
    let ((a, bytes, _), (b, fewer, _)) = (run(graph), run(&after));
    let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).max().expect("some output");
    assert!(a.len() == b.len() && worst <= ulp, "{worst} ulp");
    assert!(fewer < bytes, "{fewer} bytes instead of {bytes}");
    let (a, b) =
        (float::run(graph, &input(graph)).expect("runs"), float::run(&after, &input(graph)).expect("runs"));
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-4), "{a:?} {b:?}");
    after
}

fn kinds(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|n| n.op.name()).collect()
}

fn conv(n: &mut Numbers, [inputs, outputs, kernel]: [usize; 3], padding: usize) -> Op {
    let window = Window { padding: [padding; 4], ..Window::whole([kernel; 2]) };
    let weights = n.floats(outputs * inputs * kernel * kernel, 0.3).into();
    Op::Conv { window, groups: 1, weights, bias: n.floats(outputs, 0.5) }
}

fn start(shape: &[usize]) -> (Graph, Numbers) {
    (Graph::new("g", "x", shape.to_vec()).expect("a graph"), Numbers::new(7))
}

fn add(g: &mut Graph, name: &str, op: Op, inputs: &[usize]) -> usize {
    g.output = g.push(name, op, inputs).expect("fits");
    g.output
}

#[test]
fn batch_norm_folds_into_the_layer_before_it() {
    let (mut g, mut n) = start(&[3, 8, 8]);
    let c = add(&mut g, "c", conv(&mut n, [3, 4, 3], 1), &[0]);
    let bn = Op::Affine { axis: 0, scale: n.floats(4, 1.5), shift: n.floats(4, 1.0) };
    let bn = add(&mut g, "bn", bn, &[c]);
    add(&mut g, "r", Op::Relu, &[bn]);
    assert_eq!(kinds(&cheaper(&g, 40)), ["input", "conv", "relu"]);
}

/// Batch norm behind a concatenation, which no layer before it can take.
fn dense_block(scale: &[f32], shift: &[f32]) -> Graph {
    let (mut g, mut n) = start(&[4, 8, 8]);
    let c = add(&mut g, "c", conv(&mut n, [4, 4, 3], 1), &[0]);
    let both = add(&mut g, "both", Op::Concat { axis: 0 }, &[0, c]);
    let bn = add(&mut g, "bn", Op::Affine { axis: 0, scale: scale.to_vec(), shift: shift.to_vec() }, &[both]);
    let r = add(&mut g, "r", Op::Relu, &[bn]);
    add(&mut g, "d", conv(&mut n, [8, 4, 1], 0), &[r]);
    g
}

#[test]
fn batch_norm_before_relu_costs_nothing() {
    let mut n = Numbers::new(3);
    let scale: Vec<f32> = n.floats(8, 0.5).iter().map(|v| v.abs() + 0.2).collect();
    let after = cheaper(&dense_block(&scale, &n.floats(8, 1.0)), 40);
    assert_eq!(kinds(&after), ["input", "conv", "concat", "affine", "relu", "conv"]);
    let steps = compiled(&after).card.steps;
    assert!(steps.iter().all(|s| !matches!(s.op, StepOp::Affine { .. } | StepOp::Sign { .. })));
}

#[test]
fn negative_factors_cost_a_selection_and_do_not_show_where_they_are() {
    let mut n = Numbers::new(3);
    let (scale, shift) = (n.floats(8, 0.7), n.floats(8, 1.0));
    let signs = |flip: fn(usize) -> bool| -> Vec<f32> {
        (0..8).map(|k| (scale[k].abs() + 0.1) * if flip(k) { -1.0 } else { 1.0 }).collect()
    };
    let some = cheaper(&dense_block(&signs(|k| k % 3 == 0), &shift), 40);
    assert_eq!(kinds(&some), ["input", "conv", "concat", "sign", "affine", "relu", "conv"]);
    // Everything but the bits of bounds and rings, which no sign decides alone, is the same for other signs.
    let shape = |graph: &Graph| -> Vec<String> {
        let steps = compiled(graph).card.steps;
        steps.iter().map(|s| format!("{:?} {:?}", core::mem::discriminant(&s.op), s.args)).collect()
    };
    for others in [signs(|k| k == 5), signs(|k| k != 5), signs(|_| true)] {
        let graph = optimise(dense_block(&others, &shift));
        assert_eq!(shape(&graph), shape(&some));
    }
}

#[test]
fn a_channel_without_a_factor_is_constant_and_one_far_below_zero_needs_no_room() {
    let mut n = Numbers::new(3);
    let (mut scale, mut shift) = (n.floats(8, 0.3), n.floats(8, 1.0));
    scale.iter_mut().for_each(|v| *v = v.abs() + 0.2);
    (scale[1], shift[1]) = (1e-9, 0.75);
    (scale[2], shift[2]) = (-1e-8, -0.75);
    (scale[6], shift[6]) = (1e-4, -3.0);
    let after = cheaper(&dense_block(&scale, &shift), 40);
    let card = compiled(&after).card;
    let shifted = card.steps.iter().find(|s| matches!(s.op, StepOp::Shift { .. })).expect("a sum");
    // -3 / 1e-4 alone would need 27 bits.
    assert!(shifted.width.bits() < 24, "{card}");
}

#[test]
fn relu_behind_a_pool_compares_a_quarter() {
    let (mut g, mut n) = start(&[2, 8, 8]);
    let c = add(&mut g, "c", conv(&mut n, [2, 4, 3], 1), &[0]);
    let r = add(&mut g, "r", Op::Relu, &[c]);
    add(&mut g, "p", Op::MaxPool(Window { stride: [2, 2], ..Window::whole([2, 2]) }), &[r]);
    assert_eq!(kinds(&cheaper(&g, 0)), ["input", "conv", "maxpool", "relu"]);
}

#[test]
fn a_mean_in_front_of_a_pointwise_layer_saves_ciphertexts_and_an_extension() {
    let (mut g, mut n) = start(&[8, 32, 32]);
    let r = add(&mut g, "r", Op::Relu, &[0]);
    let c = add(&mut g, "c", conv(&mut n, [8, 4, 1], 0), &[r]);
    let pool = Op::AvgPool { window: Window { stride: [2, 2], ..Window::whole([2, 2]) }, counted: [0; 4] };
    let p = add(&mut g, "p", pool, &[c]);
    add(&mut g, "r2", Op::Relu, &[p]);
    let after = cheaper(&g, 16);
    assert_eq!(kinds(&after), ["input", "relu", "avgpool", "conv", "relu"]);
    // The one behind the ReLU is cheap.
    let dear = |op: &StepOp| matches!(op, StepOp::Extend { positive: false, .. });
    assert!(!compiled(&after).card.steps.iter().any(|s| dear(&s.op)));
}

/// Branches that depend on each other only through their input take the half-rounds of the longest.
#[test]
fn branches_share_half_rounds() {
    let (mut g, mut n) = start(&[4, 8, 8]);
    let one = add(&mut g, "squeeze", conv(&mut n, [4, 2, 1], 0), &[0]);
    let one = add(&mut g, "relu", Op::Relu, &[one]);
    let mut chain = g.clone();
    let a = add(&mut g, "expand1", conv(&mut n, [2, 4, 1], 0), &[one]);
    let a = add(&mut g, "relu1", Op::Relu, &[a]);
    let b = add(&mut g, "expand3", conv(&mut n, [2, 4, 3], 1), &[one]);
    let b = add(&mut g, "relu3", Op::Relu, &[b]);
    add(&mut g, "both", Op::Concat { axis: 0 }, &[a, b]);
    let c = add(&mut chain, "expand3", conv(&mut n, [2, 4, 3], 1), &[one]);
    add(&mut chain, "relu3", Op::Relu, &[c]);
    let (_, bytes, half_rounds) = run(&g);
    let (_, fewer, same) = run(&chain);
    assert_eq!(half_rounds, same);
    assert!(fewer < bytes);
}

/// Windows that overlap share comparisons, windows that do not are compared in one tournament.
#[test]
fn pools_take_the_cheapest_order() {
    let pooled = |window: Window| {
        let (mut g, _) = start(&[2, 12, 12]);
        add(&mut g, "p", Op::MaxPool(window), &[0]);
        let (values, bytes, half_rounds) = run(&g);
        let want = float::run(&g, &input(&g)).expect("runs");
        let want: Vec<i64> = want.iter().map(|&v| fixed::encode(v.into(), 12)).collect();
        assert_eq!(values, want, "{window}");
        (bytes, half_rounds)
    };
    let stride = |s: usize, k: usize| Window { stride: [s, s], ..Window::whole([k, k]) };
    // A tournament of four: 3 · 2 + 1; two tournaments of two: 2 · 4.
    assert_eq!(pooled(stride(2, 2)).1, 7);
    // Along and across: 2 · (3 · 2 + 1), a tournament of nine: 3 · 4 + 1.
    assert_eq!(pooled(stride(2, 3)).1, 14);
    // Gaps between windows: nothing is shared.
    assert_eq!(pooled(stride(3, 2)).1, 7);
    let padded = Window { padding: [1; 4], dilation: [2, 1], ..stride(1, 3) };
    pooled(padded);
    pooled(Window { kernel: [1, 4], ..stride(1, 1) });
}

/// Each value is widened at most once for each ring, however many layers want it.
#[test]
fn extensions_are_shared() {
    let (mut g, mut n) = start(&[4, 8, 8]);
    let c = add(&mut g, "c", conv(&mut n, [4, 4, 3], 1), &[0]);
    let a = add(&mut g, "a", conv(&mut n, [4, 4, 3], 1), &[c]);
    let b = add(&mut g, "b", conv(&mut n, [4, 4, 1], 0), &[c]);
    add(&mut g, "sum", Op::Add, &[a, b]);
    let steps = compiled(&g).card.steps;
    assert_eq!(steps.iter().filter(|s| matches!(s.op, StepOp::Extend { .. })).count(), 1);
    // A ReLU widens on its way.
    let (mut g, mut n) = start(&[4, 8, 8]);
    let c = add(&mut g, "c", conv(&mut n, [4, 4, 3], 1), &[0]);
    let r = add(&mut g, "r", Op::Relu, &[c]);
    add(&mut g, "a", conv(&mut n, [4, 4, 3], 1), &[r]);
    let steps = compiled(&g).card.steps;
    assert!(steps.iter().all(|s| !matches!(s.op, StepOp::Extend { .. })));
}

/// Each layer has the smallest ring that its sums fit, and as many fractional bits of weights as they need.
#[test]
fn rings_and_scales_are_the_layers_own() {
    let (mut g, mut n) = start(&[4, 8, 8]);
    let c = add(&mut g, "small", conv(&mut n, [4, 4, 1], 0), &[0]);
    let r = add(&mut g, "r", Op::Relu, &[c]);
    let w = add(&mut g, "large", conv(&mut n, [4, 8, 3], 1), &[r]);
    let r = add(&mut g, "r2", Op::Relu, &[w]);
    let halves =
        Op::Conv { window: Window::UNIT, groups: 8, weights: vec![0.5; 8].into(), bias: vec![0.0; 8] };
    let h = add(&mut g, "halves", halves, &[r]);
    let tiny =
        Op::Conv { window: Window::UNIT, groups: 8, weights: vec![0.001_3; 8].into(), bias: vec![0.0; 8] };
    add(&mut g, "tiny", tiny, &[h]);
    let card = compiled(&g).card;
    let scales: Vec<_> = card
        .steps
        .iter()
        .filter_map(|s| match &s.op {
            StepOp::Conv { scale, .. } => Some((s.name.as_str(), scale.ring.bits(), scale.shift)),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = scales.iter().map(|s| s.0).collect();
    assert_eq!(names, ["small", "large", "halves", "tiny"], "{card}");
    assert!(scales[0].1 < scales[1].1, "{scales:?}");
    assert_eq!([scales[0].2, scales[1].2, scales[2].2], [12, 12, 1], "{scales:?}");
    // 0.0013 has 7 significant bits with 17 fractional ones.
    assert_eq!(scales[3].2, 17, "{scales:?}");
}

#[test]
fn passes_are_listed_and_shown_one_by_one() {
    let mut n = Numbers::new(3);
    let graph = dense_block(&n.floats(8, 0.7), &n.floats(8, 1.0));
    let mut seen = Vec::new();
    let after = optimise_watched(graph, &mut |pass, graph| seen.push((pass.name, graph.to_string())));
    assert!(seen.iter().all(|(name, _)| PASSES.iter().any(|p| p.name == *name)));
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), ["factor-after-relu", "fold-affine", "prune"]);
    assert_eq!(seen.last().expect("some pass").1, after.to_string());
    assert!(after.to_string().contains("%3 bn sign(%2) axis=0 [8, 8, 8]\n"), "{after}");
}

/// Signs that only the vendor knows, between two parties.
#[test]
fn two_parties_change_signs() {
    let mut n = Numbers::new(3);
    let graph = optimise(dense_block(&n.floats(8, 0.7), &n.floats(8, 1.0)));
    let model = compiled(&graph);
    assert!(model.card.steps.iter().any(|s| matches!(s.op, StepOp::Sign { .. })));
    let input: Vec<i64> = input(&graph).iter().map(|&v| fixed::encode(v.into(), 12)).collect();
    let [_, client] = run_two(|p| {
        let [vendor, owner] = Party::BOTH.map(|party| p.party() == Some(party));
        let mut executor = Executor::new(p, &model.card, vendor.then_some(&model.weights))?;
        let y = executor.run(p, 1, owner.then_some(&input), &mut unwatched, [0, 1])?;
        p.reveal(y.data(), Reveal::To(Party::Client))
    })
    .expect("no error");
    let (want, ..) = run(&graph);
    let worst = client.expect("opened").to_signed().iter().zip(&want).map(|(a, b)| (a - b).abs()).max();
    assert!(worst.is_some_and(|w| w <= 12), "{worst:?}");
}
