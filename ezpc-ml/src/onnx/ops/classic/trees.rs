//! Trees and forests as three layers: all comparisons at once, all leaves at once, and the sum of what they say.
//!
//! A comparison is a bit. On the path to a leaf every bit must have one value; a row of 1 and -1 counts how many do,
//! and the leaf where all of them do is the one that is reached. Which feature a comparison looks at, its threshold
//! and the shape of the trees are in the vendor's matrices; the data owner learns how many comparisons and leaves
//! there are.

use super::super::super::builder::{Builder, Value};
use super::super::super::call::Call;
use super::super::pool::on_samples;
use super::{Out, class_labels, features, scores};
use crate::graph::{Decision, Op};
use std::collections::HashMap;

/// More nodes than any forest that anyone evaluates this way.
const MAX_NODES: usize = 1 << 17;

pub(in super::super) fn classifier(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let classes = class_labels(c, "classlabels_int64s")?;
    let forest = Forest::read(c, ["class_treeids", "class_nodeids", "class_ids", "class_weights"])?;
    let base = c.floats("base_values").map(<[f32]>::to_vec);
    // With one column for two classes the column is the probability of the second.
    let binary = classes == 2 && forest.columns.iter().all(|&column| column == 0);
    let outputs = if binary { 1 } else { classes };
    let base = base.unwrap_or_else(|| vec![0.0; outputs]);
    let y = on_samples(b, c, |b, x| forest.layers(b, c, x, outputs, &base, 1.0))?;
    if !binary {
        return scores(b, c, y);
    }
    if c.text("post_transform", "NONE") != "NONE" {
        return Err("post_transform of a binary forest is not supported".into());
    }
    let [Value::Node(y)] = *y.as_slice() else { return Err("no scores".into()) };
    let pair = Op::Dense { weights: vec![-1.0, 1.0].into(), bias: vec![1.0, 0.0] };
    let y = b.apply(c.name, pair, y, &[])?;
    Ok(vec![Value::Label(y.node, Decision::ArgMax), Value::Node(y)])
}

pub(in super::super) fn regressor(b: &mut Builder<'_>, c: &Call<'_, '_>) -> Out {
    let targets = usize::try_from(c.int("n_targets", 1)?).ok().filter(|t| (1..1 << 16).contains(t));
    let targets = targets.ok_or("an impossible number of targets")?;
    let forest = Forest::read(c, ["target_treeids", "target_nodeids", "target_ids", "target_weights"])?;
    if c.text("post_transform", "NONE") != "NONE" {
        return Err("post_transform is not supported".into());
    }
    let factor = match c.text("aggregate_function", "SUM").as_str() {
        "SUM" => 1.0,
        "AVERAGE" => 1.0 / forest.trees.max(1) as f32,
        other => return Err(format!("aggregate_function {other} is not supported")),
    };
    let base = c.floats("base_values").map_or(vec![0.0; targets], <[f32]>::to_vec);
    on_samples(b, c, |b, x| forest.layers(b, c, x, targets, &base, factor))
}

struct Comparison {
    feature: usize,
    threshold: f32,
    /// Whether it asks for `x <= t` or `x < t`, rather than the contrary.
    below: bool,
    /// Whether equality counts for the contrary.
    strict: bool,
}

struct Forest {
    trees: usize,
    comparisons: Vec<Comparison>,
    /// For each leaf the comparisons on its path and the answers it wants.
    paths: Vec<Vec<(usize, bool)>>,
    /// Leaf, output and weight.
    says: Vec<(usize, usize, f32)>,
    columns: Vec<usize>,
}

impl Forest {
    fn read(c: &Call<'_, '_>, names: [&'static str; 4]) -> Result<Self, String> {
        let ints = |name: &'static str| c.ints(name).ok_or_else(|| format!("it has no `{name}`"));
        let (trees, ids) = (ints("nodes_treeids")?, ints("nodes_nodeids")?);
        let (features, modes) =
            (ints("nodes_featureids")?, c.strings("nodes_modes").ok_or("it has no `nodes_modes`")?);
        let (yes, no) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
        let values = c.floats("nodes_values").ok_or("it has no `nodes_values`")?;
        // Statistics of the training, and what to do with values that are missing here never.
        c.floats("nodes_hitrates");
        c.ints("nodes_missing_value_tracks_true");
        let n = ids.len();
        let equal = [trees.len(), features.len(), modes.len(), yes.len(), no.len(), values.len()];
        if equal.iter().any(|&l| l != n) || n == 0 || n > MAX_NODES {
            return Err(format!("attributes of {n} nodes with {equal:?} values"));
        }
        let place: HashMap<(i64, i64), usize> =
            trees.iter().copied().zip(ids.iter().copied()).zip(0..).collect();
        if place.len() != n {
            return Err("two nodes of one name".into());
        }
        let mut forest = Self {
            trees: 0,
            comparisons: Vec::new(),
            paths: Vec::new(),
            says: Vec::new(),
            columns: Vec::new(),
        };
        let mut leaves: HashMap<(i64, i64), usize> = HashMap::new();
        let mut visited = vec![false; n];
        for root in (0..n).filter(|&i| i == 0 || trees[i] != trees[i - 1]) {
            forest.trees += 1;
            let mut open = vec![(root, Vec::new())];
            while let Some((at, path)) = open.pop() {
                if core::mem::replace(&mut visited[at], true) {
                    return Err("nodes that do not form a tree".into());
                }
                if modes[at].as_slice() == b"LEAF" {
                    leaves.insert((trees[at], ids[at]), forest.paths.len());
                    forest.paths.push(path);
                    continue;
                }
                let (below, strict) = match modes[at].as_slice() {
                    b"BRANCH_LEQ" => (true, false),
                    b"BRANCH_LT" => (true, true),
                    b"BRANCH_GTE" => (false, false),
                    b"BRANCH_GT" => (false, true),
                    _ => return Err("a node of a mode that is not supported".into()),
                };
                let feature = usize::try_from(features[at]).map_err(|_| "a negative feature")?;
                if !values[at].is_finite() {
                    return Err("a threshold that is not finite".into());
                }
                let index = forest.comparisons.len();
                forest.comparisons.push(Comparison { feature, threshold: values[at], below, strict });
                for (next, answer) in [(no[at], false), (yes[at], true)] {
                    let next =
                        place.get(&(trees[at], next)).ok_or("a branch to a node that does not exist")?;
                    let mut path = path.clone();
                    path.push((index, answer));
                    open.push((*next, path));
                }
            }
        }
        forest.read_weights(c, names, &leaves)?;
        Ok(forest)
    }

    fn read_weights(
        &mut self,
        c: &Call<'_, '_>,
        names: [&'static str; 4],
        leaves: &HashMap<(i64, i64), usize>,
    ) -> Result<(), String> {
        let ints = |name: &'static str| c.ints(name).ok_or_else(|| format!("it has no `{name}`"));
        let (trees, nodes, columns) = (ints(names[0])?, ints(names[1])?, ints(names[2])?);
        let weights = c.floats(names[3]).ok_or_else(|| format!("it has no `{}`", names[3]))?;
        if [nodes.len(), columns.len(), weights.len()].iter().any(|&l| l != trees.len()) {
            return Err("weights of different lengths".into());
        }
        for i in 0..trees.len() {
            let leaf = leaves.get(&(trees[i], nodes[i])).ok_or("a weight at a node that is no leaf")?;
            let column = usize::try_from(columns[i]).map_err(|_| "a negative output")?;
            if !weights[i].is_finite() {
                return Err("a weight that is not finite".into());
            }
            self.says.push((*leaf, column, weights[i]));
            self.columns.push(column);
        }
        Ok(())
    }

    fn layers(
        &self,
        b: &mut Builder<'_>,
        c: &Call<'_, '_>,
        x: usize,
        outputs: usize,
        base: &[f32],
        factor: f32,
    ) -> Result<usize, String> {
        let width = features(b, x)?;
        let (features, questions, leaves) = (width, self.comparisons.len(), self.paths.len());
        if questions == 0 {
            return Err("trees without a comparison".into());
        }
        let size = |rows: usize, cols: usize| {
            rows.checked_mul(cols).filter(|&n| n <= crate::graph::MAX_ELEMENTS).ok_or("too many nodes")
        };
        // t - x is at least zero where x <= t, and x - t where x >= t; a strict question is the other one's denial.
        let mut asks = vec![0.0; size(questions, features)?];
        let mut thresholds = Vec::with_capacity(questions);
        for (i, q) in self.comparisons.iter().enumerate() {
            let sign = if q.below == q.strict { 1.0 } else { -1.0 };
            *asks
                .get_mut(i * features + q.feature)
                .filter(|_| q.feature < features)
                .ok_or("a feature beyond the sample")? = sign;
            thresholds.push(-sign * q.threshold);
        }
        let differences = b.push(c.name, Op::Dense { weights: asks.into(), bias: thresholds }, &[x])?;
        let bits = b.push(c.name, Op::Step, &[differences])?;
        // A half less than nothing is missing on the path: at least zero where all answers are right.
        let mut paths = vec![0.0; size(leaves, questions)?];
        let mut missing = Vec::with_capacity(leaves);
        for (leaf, path) in self.paths.iter().enumerate() {
            let mut yes = 0.0;
            for &(question, answer) in path {
                let bit = answer != self.comparisons[question].strict;
                paths[leaf * questions + question] = if bit { 1.0 } else { -1.0 };
                yes += f32::from(u8::from(bit));
            }
            missing.push(0.5 - yes);
        }
        let right = b.push(c.name, Op::Dense { weights: paths.into(), bias: missing }, &[bits])?;
        let reached = b.push(c.name, Op::Step, &[right])?;
        let mut says = vec![0.0; size(outputs, leaves)?];
        for &(leaf, column, weight) in &self.says {
            if column >= outputs {
                return Err("a weight for an output that does not exist".into());
            }
            says[column * leaves + leaf] += weight * factor;
        }
        if base.len() != outputs {
            return Err(format!("{} base values for {outputs} outputs", base.len()));
        }
        b.push(c.name, Op::Dense { weights: says.into(), bias: base.to_vec() }, &[reached])
    }
}
