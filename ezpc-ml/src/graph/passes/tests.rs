//! Every pass keeps the meaning of a graph.

#![allow(
    clippy::cast_possible_truncation,
    reason = "narrowing is deliberate: lanes, digits and lengths are bounded by their widths"
)]

use super::*;
use crate::graph::{Op, Window, float};

fn sample(n: usize, seed: u64) -> Vec<f32> {
    let mut s = seed;
    (0..n)
        .map(|_| {
            s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((s >> 40) as f32 / 16_777_216.0) - 0.5
        })
        .collect()
}

fn agrees(before: &Graph, kinds: &[&str]) {
    let after = optimise(before.clone());
    assert_eq!(after.nodes.iter().map(|n| n.op.name()).collect::<Vec<_>>(), kinds);
    let x = sample(before.nodes[0].shape.iter().product(), 9);
    let (a, b) = (float::run(before, &x).expect("runs"), float::run(&after, &x).expect("runs"));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

fn conv(seed: u64, padding: [usize; 4]) -> Op {
    let window = Window { padding, ..Window::whole([3, 3]) };
    Op::Conv { window, groups: 2, weights: sample(6 * 2 * 9, seed).into(), bias: sample(6, seed + 1) }
}

#[test]
fn batch_norm_folds_into_both_neighbours() {
    let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
    let a = g.push("a", Op::Affine { axis: 0, scale: sample(4, 1), shift: sample(4, 2) }, &[0]).expect("a");
    let c = g.push("c", conv(3, [0; 4]), &[a]).expect("c");
    let bn =
        g.push("bn", Op::Affine { axis: 0, scale: sample(6, 5), shift: sample(6, 6) }, &[c]).expect("bn");
    let again =
        g.push("n", Op::Affine { axis: 0, scale: vec![-1.0; 6], shift: vec![0.5; 6] }, &[bn]).expect("n");
    g.output = g.push("r", Op::Relu, &[again]).expect("r");
    agrees(&g, &["input", "conv", "relu"]);
}

#[test]
fn padding_keeps_a_summand_in_front_of_a_convolution() {
    let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
    let a = g.push("a", Op::Affine { axis: 0, scale: sample(4, 1), shift: sample(4, 2) }, &[0]).expect("a");
    g.output = g.push("c", conv(3, [1; 4]), &[a]).expect("c");
    agrees(&g, &["input", "affine", "conv"]);
}

#[test]
fn relu_moves_behind_the_pool_and_a_factor_behind_the_flattening() {
    let mut g = Graph::new("g", "x", vec![2, 4, 4]).expect("graph");
    let r = g.push("r", Op::Relu, &[0]).expect("r");
    let window = Window { stride: [2, 2], ..Window::whole([2, 2]) };
    let p = g.push("p", Op::MaxPool(window), &[r]).expect("p");
    let a =
        g.push("a", Op::Affine { axis: 0, scale: vec![0.5, 2.0], shift: vec![1.0, 0.0] }, &[p]).expect("a");
    let f = g.push("f", Op::Reshape(vec![8]), &[a]).expect("f");
    g.output = g.push("d", Op::Dense { weights: sample(24, 4).into(), bias: sample(3, 5) }, &[f]).expect("d");
    agrees(&g, &["input", "maxpool", "relu", "reshape", "dense"]);
}

#[test]
fn relus_of_concatenated_values_move_behind_the_pool() {
    let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
    let mut parts = Vec::new();
    for seed in [3, 5] {
        let c = g.push("c", conv(seed, [1; 4]), &[0]).expect("c");
        parts.push(g.push("r", Op::Relu, &[c]).expect("r"));
    }
    let both = g.push("both", Op::Concat { axis: 0 }, &parts).expect("both");
    let window = Window { stride: [2, 2], ..Window::whole([3, 3]) };
    g.output = g.push("p", Op::MaxPool(window), &[both]).expect("p");
    agrees(&g, &["input", "conv", "conv", "concat", "maxpool", "relu"]);
}

#[test]
fn batch_norm_before_relu_leaves_a_sum() {
    let positive = |n: usize, seed: u64| sample(n, seed).into_iter().map(|v| v + 0.75).collect::<Vec<f32>>();
    let mut g = Graph::new("g", "x", vec![4, 6, 6]).expect("graph");
    let bn =
        g.push("bn", Op::Affine { axis: 0, scale: positive(4, 1), shift: sample(4, 2) }, &[0]).expect("bn");
    let r = g.push("r", Op::Relu, &[bn]).expect("r");
    let c = g.push("c", conv(3, [1; 4]), &[r]).expect("c");
    let bn = Op::Affine { axis: 0, scale: positive(6, 7), shift: sample(6, 8) };
    let both = g.push("both", Op::Concat { axis: 0 }, &[c, c]).expect("both");
    let half =
        g.push("half", Op::Take { axis: 0, indices: (0..6).map(Some).collect() }, &[both]).expect("half");
    let bn = g.push("bn2", bn, &[half]).expect("bn2");
    let r = g.push("r2", Op::Relu, &[bn]).expect("r2");
    let whole = Op::AvgPool { window: Window::whole([6, 6]), counted: [0; 4] };
    let p = g.push("p", whole, &[r]).expect("p");
    let f = g.push("f", Op::Reshape(vec![6]), &[p]).expect("f");
    g.output = g.push("d", Op::Dense { weights: sample(12, 4).into(), bias: sample(2, 5) }, &[f]).expect("d");
    agrees(
        &g,
        &[
            "input", "affine", "relu", "conv", "concat", "take", "affine", "relu", "avgpool", "reshape",
            "dense",
        ],
    );
    let after = optimise(g);
    let ones = |op: &Op| match op {
        Op::Affine { scale, .. } => scale.iter().all(|&s| s == 1.0),
        _ => true,
    };
    assert!(after.nodes.iter().all(|n| ones(&n.op)));
}

#[test]
fn a_value_with_two_users_is_not_folded_away() {
    let mut g = Graph::new("g", "x", vec![4, 5, 5]).expect("graph");
    let c = g.push("c", conv(3, [0; 4]), &[0]).expect("c");
    let a = g.push("a", Op::Affine { axis: 0, scale: sample(6, 1), shift: sample(6, 2) }, &[c]).expect("a");
    g.output = g.push("s", Op::Add, &[a, c]).expect("s");
    agrees(&g, &["input", "conv", "affine", "add"]);
}
