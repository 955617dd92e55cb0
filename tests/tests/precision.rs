//! Networks whose values are brought to a usual size: which powers of two the compiler chooses, what they leave alone, and what
//! they are worth.

use ezpc_ml::card::StepOp;
use ezpc_ml::fixed;
use ezpc_ml::graph::compile::{Model, Options, calibrate, compile};
use ezpc_ml::graph::exec::unwatched;
use ezpc_ml::graph::{Graph, Op, Window, float, oracle};
use ezpc_tests::Numbers;

const PRECISION: u32 = 9;

fn conv(n: &mut Numbers, inputs: usize, outputs: usize, size: f32) -> Op {
    let window = Window { padding: [1; 4], ..Window::whole([3, 3]) };
    let weights = n.floats(outputs * inputs * 9, size).into();
    Op::Conv { window, groups: 1, weights, bias: n.floats(outputs, size) }
}

/// Two layers side by side, one with values `size` times the other's, joined, and two layers behind each other.
fn network(size: f32) -> Graph {
    let mut n = Numbers::new(3);
    let mut g = Graph::new("sizes", "x", vec![2, 8, 8]).expect("a graph");
    let mut push = |name, op, inputs: &[usize]| g.push(name, op, inputs).expect("fits");
    let left = push("left", conv(&mut n, 2, 4, size), &[0]);
    let right = push("right", conv(&mut n, 2, 4, 0.5), &[0]);
    let joined = push("joined", Op::Concat { axis: 0 }, &[left, right]);
    let relu = push("relu", Op::Relu, &[joined]);
    let behind = push("behind", conv(&mut n, 8, 4, size), &[relu]);
    let rectified = push("rectified", Op::Relu, &[behind]);
    let output = push("output", conv(&mut n, 4, 2, 1.0 / (size * size)), &[rectified]);
    g.output = output;
    g
}

fn floats(graph: &Graph, seed: u64) -> Vec<f32> {
    let len = graph.nodes[0].shape.iter().product();
    Numbers::new(seed).floats(len, 1.0)
}

fn sample(graph: &Graph, seed: u64) -> Vec<f64> {
    floats(graph, seed).into_iter().map(f64::from).collect()
}

fn model(graph: &Graph, precision: u32) -> Model {
    let calibration = Some(calibrate(graph, &sample(graph, 1)).expect("a sample"));
    let options = Options { input_range: [-1.0, 1.0], calibration, precision, ..Options::default() };
    compile(graph, &options).expect("compiles")
}

fn place(graph: &Graph, name: &str) -> usize {
    graph.nodes.iter().position(|n| n.name == name).expect("a node of the name")
}

/// The usual size of a node's values in the sample of `model`.
fn usual(graph: &Graph, node: usize) -> f64 {
    let values = &float::trace(graph, &floats(graph, 1)).expect("runs")[node];
    (values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The largest distance of the oracle's result from floating point, as a part of the result's size.
fn error(graph: &Graph, model: &Model) -> f64 {
    let x = floats(graph, 2);
    let input: Vec<i64> = x.iter().map(|&v| fixed::encode(v.into(), model.card.frac_bits)).collect();
    let got = oracle::run(model, 1, &input, &mut unwatched).expect("runs").values;
    let want = float::trace(graph, &x).expect("runs").swap_remove(graph.output);
    let off = |(&v, &w): (&i64, &f32)| (fixed::decode(v, model.card.frac_bits) - f64::from(w)).abs();
    let largest = got.data().to_signed().iter().zip(&want).map(off).fold(0.0, f64::max);
    largest / usual(graph, graph.output)
}

#[test]
fn a_usual_value_has_the_bits_asked_for() {
    for size in [0.05, 0.5, 8.0] {
        let graph = network(size);
        for precision in [6, PRECISION, 12] {
            let model = model(&graph, precision);
            let bits = |node: usize| {
                let unit = f64::from(model.card.frac_bits as i32 + model.scales[node]).exp2();
                (usual(&graph, node) * unit).log2()
            };
            let behind = bits(place(&graph, "behind"));
            assert!(
                (f64::from(precision)..f64::from(precision) + 1.0).contains(&behind),
                "{behind} {size} {precision}"
            );
            // Of two layers that share a scale the one with the smaller values decides.
            let [left, right] = ["left", "right"].map(|name| bits(place(&graph, name)));
            let least = left.min(right);
            assert!(
                (f64::from(precision)..f64::from(precision) + 1.0).contains(&least),
                "{left} {right} {size} {precision}"
            );
        }
    }
}

#[test]
fn operations_without_weights_keep_the_scale_and_the_ends_their_unit() {
    let graph = network(8.0);
    let scales = model(&graph, PRECISION).scales;
    let of = |name| scales[place(&graph, name)];
    assert_eq!([scales[0], scales[graph.output]], [0, 0]);
    assert!(of("left") == of("joined") && of("right") == of("joined") && of("relu") == of("joined"));
    assert_eq!(of("behind"), of("rectified"));
    assert_ne!(of("behind"), of("joined"));
    assert!(model(&graph, 0).scales.iter().all(|&s| s == 0));
}

/// A product, and a bit that a comparison yields, do not grow with their operands.
#[test]
fn what_does_not_commute_with_a_factor_is_not_scaled() {
    let mut n = Numbers::new(5);
    let mut g = Graph::new("square", "x", vec![2, 8, 8]).expect("a graph");
    let large = g.push("large", conv(&mut n, 2, 4, 9.0), &[0]).expect("fits");
    let square = g.push("square", Op::Mul, &[large, large]).expect("fits");
    let free = g.push("free", conv(&mut n, 4, 4, 0.01), &[square]).expect("fits");
    let step = g.push("step", Op::Step, &[free]).expect("fits");
    g.output = g.push("output", conv(&mut n, 4, 2, 1.0), &[step]).expect("fits");
    let scales = model(&g, PRECISION).scales;
    assert_eq!([scales[large], scales[square], scales[step]], [0; 3]);
    assert_ne!(scales[free], 0);
}

#[test]
fn small_and_large_values_are_as_accurate_as_ordinary_ones() {
    for size in [0.02, 0.1, 1.0, 8.0] {
        let graph = network(size);
        let off = error(&graph, &model(&graph, PRECISION));
        assert!(off < 0.05, "{off} at {size}");
    }
    // With twelve fractional bits for all, what is small has few that matter.
    let small = network(0.008);
    let [scaled, plain] = [PRECISION, 0].map(|precision| error(&small, &model(&small, precision)));
    assert!(4.0 * scaled < plain, "{scaled} {plain}");
}

#[test]
fn small_values_of_many_bits_keep_within_their_rings() {
    for size in [0.02, 0.1, 1.0] {
        let graph = network(size);
        let off = error(&graph, &model(&graph, 14));
        assert!(off < 0.01, "{off} at {size}");
    }
}

/// A branch that hardly counts does not widen the rings of what it is added to.
#[test]
fn a_branch_that_is_nearly_dead_costs_few_bits() {
    let mut n = Numbers::new(9);
    let mut g = Graph::new("residual", "x", vec![2, 8, 8]).expect("a graph");
    let main = g.push("main", conv(&mut n, 2, 4, 2.0), &[0]).expect("fits");
    let dead = g.push("dead", conv(&mut n, 2, 4, 1e-5), &[0]).expect("fits");
    let sum = g.push("sum", Op::Add, &[main, dead]).expect("fits");
    g.output = g.push("output", conv(&mut n, 4, 2, 0.5), &[sum]).expect("fits");
    let model = model(&g, PRECISION);
    assert_eq!(model.scales[main], model.scales[dead]);
    assert!(model.scales[main] <= 4, "{}", model.scales[main]);
    assert!(error(&g, &model) < 0.05);
}

/// What is left of a difference is what the next layer takes: it has bits, too.
#[test]
fn a_small_difference_of_large_values_has_bits() {
    let mut n = Numbers::new(10);
    let mut g = Graph::new("difference", "x", vec![2, 8, 8]).expect("a graph");
    let mut beside = |g: &mut Graph, name: &str, by: f32| {
        let Op::Conv { window, weights, bias, .. } = conv(&mut Numbers::new(4), 2, 4, 9.0) else {
            unreachable!()
        };
        let weights = weights.iter().map(|w| w + by * n.floats(1, 1.0)[0]).collect();
        g.push(name, Op::Conv { window, groups: 1, weights, bias }, &[0]).expect("fits")
    };
    let (left, right) = (beside(&mut g, "left", 0.0), beside(&mut g, "right", 0.02));
    let rest = g.push("rest", Op::Sub, &[left, right]).expect("fits");
    g.output = g.push("output", conv(&mut Numbers::new(5), 4, 2, 5.0), &[rest]).expect("fits");
    assert!(usual(&g, rest) < usual(&g, left) / 100.0);
    let bits = |model: &Model| usual(&g, rest).log2() + f64::from(12 + model.scales[rest]);
    let model = model(&g, PRECISION);
    assert!(bits(&model) >= f64::from(PRECISION - 2), "{}", bits(&model));
}

#[test]
fn large_values_take_narrower_rings() {
    let graph = network(8.0);
    let widest = |precision| {
        let steps = model(&graph, precision).card.steps;
        let of = |s: &StepOp| if let StepOp::Relu { from, .. } = s { Some(from.bits()) } else { None };
        steps.iter().filter_map(|s| of(&s.op)).max().expect("ReLUs")
    };
    assert!(widest(PRECISION) + 4 <= widest(0), "{} {}", widest(PRECISION), widest(0));
}

/// A layer with whole numbers for weights stays exact: its result is not rounded.
#[test]
fn exact_layers_stay_exact() {
    let mut n = Numbers::new(7);
    let mut g = Graph::new("exact", "x", vec![2, 8, 8]).expect("a graph");
    let first = g.push("first", conv(&mut n, 2, 4, 9.0), &[0]).expect("fits");
    let Op::Conv { window, .. } = conv(&mut n, 4, 4, 1.0) else { unreachable!() };
    let weights = (0..4 * 4 * 9).map(|i| (i % 3) as f32 - 1.0).collect();
    let whole = Op::Conv { window, groups: 1, weights, bias: vec![0.0; 4] };
    let whole = g.push("whole", whole, &[first]).expect("fits");
    g.output = g.push("output", conv(&mut n, 4, 2, 1.0), &[whole]).expect("fits");
    let model = model(&g, PRECISION);
    assert_eq!(model.scales[whole], model.scales[first]);
    assert_ne!(model.scales[first], 0);
    let step = model.card.steps.iter().find(|s| s.name == "whole").expect("a step");
    assert!(matches!(step.op, StepOp::Conv { scale, .. } if scale.shift == 0));
}

#[test]
fn a_precision_that_makes_no_sense_is_refused() {
    let graph = network(1.0);
    let calibration = Some(calibrate(&graph, &sample(&graph, 1)).expect("a sample"));
    let options = Options { calibration, precision: 21, ..Options::default() };
    let error = compile(&graph, &options).map(|_| ()).expect_err("refused");
    assert!(error.to_string().contains("a precision of 21 bits"), "{error}");
}

/// The guard of what is opened of a single number counts on roundings in its last place, and on exact decisions.
#[test]
fn values_in_front_of_a_single_number_are_not_made_coarser() {
    let mut n = Numbers::new(12);
    let mut g = Graph::new("single", "x", vec![8]).expect("a graph");
    let dense = |n: &mut Numbers, outputs: usize, inputs: usize, size: f32| Op::Dense {
        weights: n.floats(outputs * inputs, size).into(),
        bias: n.floats(outputs, size),
    };
    let hidden = dense(&mut n, 4, 8, 9.0);
    let hidden = g.push("hidden", hidden, &[0]).expect("fits");
    let relu = g.push("relu", Op::Relu, &[hidden]).expect("fits");
    let one = dense(&mut n, 1, 4, 0.1);
    g.output = g.push("one", one, &[relu]).expect("fits");
    let left_out = |model: &Model| {
        let of = |op: &StepOp| if let StepOp::Relu { drop, .. } = op { Some(*drop) } else { None };
        model.card.steps.iter().find_map(|s| of(&s.op)).expect("a ReLU")
    };
    let single = model(&g, PRECISION);
    assert!(single.scales.iter().all(|&s| s == 0));
    assert_eq!(left_out(&single), 0);
    let two = dense(&mut n, 2, 4, 0.1);
    g.output = g.push("two", two, &[relu]).expect("fits");
    let two = model(&g, PRECISION);
    assert!(two.scales[hidden] < 0);
    assert!(left_out(&two) > 0, "by default decisions leave out what hardly matters");
}
