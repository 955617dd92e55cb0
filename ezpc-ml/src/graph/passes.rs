//! Rewrites of the graph, each of which keeps its meaning and makes it cheaper.

mod affine;
mod pool;
mod relu;
mod shape;

use super::Graph;
use core::fmt;

/// A rewrite of a graph.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Pass {
    /// Its name.
    pub name: &'static str,
    /// What it is good for.
    pub about: &'static str,
    /// Makes one or more changes, and says whether there were any.
    run: fn(&mut Graph) -> bool,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pass({})", self.name)
    }
}

/// The passes in their order.
pub const PASSES: [Pass; 7] = [
    Pass {
        name: "merge-reshapes",
        about: "changes of shape in a row become one, or none",
        run: shape::merge_reshapes,
    },
    Pass {
        name: "fold-affine",
        about: "batch normalisation moves into the weights of the layer before or after it",
        run: affine::fold_affine,
    },
    Pass {
        name: "relu-after-concat",
        about: "ReLUs of concatenated values become one in front of a pool",
        run: relu::relu_after_concat,
    },
    Pass {
        name: "relu-after-maxpool",
        about: "fewer values are compared with zero behind a pool",
        run: relu::relu_after_maxpool,
    },
    Pass {
        name: "mean-before-pointwise",
        about: "a pointwise convolution behind a mean has fewer places",
        run: pool::mean_before_pointwise,
    },
    Pass {
        name: "factor-after-relu",
        about: "factors in front of a ReLU move behind it, into the weights of the next layer",
        run: relu::factor_after_relu,
    },
    Pass { name: "prune", about: "what the result does not need is dropped", run: shape::prune },
];

/// All passes, until nothing changes.
#[must_use]
pub fn optimise(graph: Graph) -> Graph {
    optimise_watched(graph, &mut |_, _| ())
}

/// As [`optimise`], and shows the graph after each pass that changed it. Each pass runs until it finds nothing more,
/// and all of them again until none does.
#[must_use]
pub fn optimise_watched(mut graph: Graph, watch: &mut dyn FnMut(&Pass, &Graph)) -> Graph {
    loop {
        let mut changed = false;
        for pass in &PASSES {
            let mut times = 0;
            while (pass.run)(&mut graph) {
                times += 1;
            }
            if times > 0 {
                watch(pass, &graph);
                changed = true;
            }
        }
        if !changed {
            return graph;
        }
    }
}

/// Exchanges two operations in a row, the first of which keeps the shape; nothing else may use its value.
fn swap(graph: &mut Graph, j: usize, i: usize) {
    let (low, high) = graph.nodes.split_at_mut(i);
    core::mem::swap(&mut low[j].op, &mut high[0].op);
    core::mem::swap(&mut low[j].name, &mut high[0].name);
    low[j].shape = high[0].shape.clone();
}

#[cfg(test)]
mod tests;
