//! Nodes that change nothing, and nodes that nobody needs.

use crate::graph::{Graph, Op};

/// Two changes of shape in a row are one; none at all when the shape is the old one.
pub(super) fn merge_reshapes(graph: &mut Graph) -> bool {
    let mut changed = false;
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        if matches!((&graph.nodes[i].op, &graph.nodes[j].op), (Op::Reshape(_), Op::Reshape(_))) {
            graph.nodes[i].inputs = graph.nodes[j].inputs.clone();
            changed = true;
        }
        if matches!(graph.nodes[i].op, Op::Reshape(_)) {
            let from = graph.nodes[i].inputs[0];
            if graph.nodes[from].shape == graph.nodes[i].shape {
                changed |= redirect(graph, i, from);
            }
        }
    }
    changed
}

fn redirect(graph: &mut Graph, from: usize, to: usize) -> bool {
    let mut changed = false;
    for input in graph.nodes.iter_mut().flat_map(|n| &mut n.inputs).filter(|n| **n == from) {
        *input = to;
        changed = true;
    }
    if graph.output == from {
        graph.output = to;
        changed = true;
    }
    changed
}

/// Drops the nodes that the result does not need; the input stays.
pub(super) fn prune(graph: &mut Graph) -> bool {
    let mut live = vec![false; graph.nodes.len()];
    (live[0], live[graph.output]) = (true, true);
    for i in (0..graph.nodes.len()).rev() {
        if live[i] {
            for &j in &graph.nodes[i].inputs {
                live[j] = true;
            }
        }
    }
    if live.iter().all(|&l| l) {
        return false;
    }
    let mut places = vec![0; graph.nodes.len()];
    let mut nodes = Vec::new();
    for (i, mut node) in core::mem::take(&mut graph.nodes).into_iter().enumerate().filter(|(i, _)| live[*i]) {
        places[i] = nodes.len();
        for j in &mut node.inputs {
            *j = places[*j];
        }
        nodes.push(node);
    }
    graph.nodes = nodes;
    graph.output = places[graph.output];
    true
}
