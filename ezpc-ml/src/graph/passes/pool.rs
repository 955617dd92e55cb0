//! Means move in front of layers that look at one place at a time.

use super::swap;
use crate::graph::{Graph, Op};

/// A mean of what a pointwise convolution makes is what it makes of the mean, at a fraction of the places.
pub(super) fn mean_before_pointwise(graph: &mut Graph) -> bool {
    let uses = graph.uses();
    for i in 0..graph.nodes.len() {
        let Some(&j) = graph.nodes[i].inputs.first() else { continue };
        let (Op::AvgPool { window: pool, .. }, Op::Conv { window: conv, .. }) =
            (&graph.nodes[i].op, &graph.nodes[j].op)
        else {
            continue;
        };
        let pointwise = conv.kernel == [1, 1] && conv.stride == [1, 1] && conv.padding == [0; 4];
        let [channels, ..] = graph.nodes[graph.nodes[j].inputs[0]].shape[..] else { continue };
        let [_, height, width] = graph.nodes[i].shape[..] else { continue };
        let fewer =
            pool.padding == [0; 4] && height * width < graph.nodes[j].shape[1] * graph.nodes[j].shape[2];
        if !pointwise || !fewer || uses[j] != 1 {
            continue;
        }
        swap(graph, j, i);
        graph.nodes[j].shape = vec![channels, height, width];
        return true;
    }
    false
}
