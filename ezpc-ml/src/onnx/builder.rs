//! Walks the nodes of a model and builds the graph, collecting every reason why a node cannot be imported.

use super::call::Call;
use super::constant::{Constant, Data, Kind};
use super::proto::{self, Model, Node};
use super::source::Folder;
use super::tensor::Tensor;
use super::{Import, OPSETS, ops};
use crate::graph::{Decision, Graph, Op, float};
use core::ops::Range;
use ezpc_core::{Error, Result};
use std::collections::HashMap;
use std::rc::Rc;

/// What a name of the model stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Known to the vendor alone, before anything runs.
    Constant(Rc<Constant>),
    /// Depends on the sample.
    Node(Tensor),
    /// A function of a tensor that is left out, for it keeps the order of the values.
    Squashed(Tensor, Squash),
    /// The index of the largest value along the last axis of a node.
    Label(usize, Decision),
    /// Its node could not be imported, or is an output that is not offered.
    Lost,
}

/// A function that keeps the order of the values along some axes.
#[derive(Clone, Debug)]
pub(super) struct Squash {
    pub(super) name: String,
    /// The axes in the model along which the order is kept.
    pub(super) axes: Range<usize>,
    /// Whether it is the sigmoid of each value.
    pub(super) sigmoid: bool,
}

impl Value {
    pub(super) fn constant(c: Constant) -> Self {
        Self::Constant(Rc::new(c))
    }
}

/// The graph under construction.
pub(super) struct Builder<'m> {
    pub(super) graph: Graph,
    pub(super) notices: Vec<String>,
    pub(super) opset: u64,
    /// The size of the batch when the model fixes it.
    pub(super) batch_size: Option<i64>,
    folder: Option<&'m Folder>,
    /// For every name how many operators and outputs take it.
    users: HashMap<&'m str, usize>,
}

impl Builder<'_> {
    pub(super) fn push(&mut self, name: &str, op: Op, inputs: &[usize]) -> Result<usize, String> {
        self.graph.push(name, op, inputs).map_err(|e| e.to_string())
    }

    pub(super) fn shape(&self, node: usize) -> &[usize] {
        &self.graph.nodes[node].shape
    }

    /// A builder for the value of a node whose inputs are all constant: the first of them stands for the sample.
    fn aside(&self, first: &Constant) -> Result<Self, String> {
        let shape = if first.dims.is_empty() { vec![1] } else { first.dims.clone() };
        let graph = Graph::new("", "", shape).map_err(|e| e.to_string())?;
        let (notices, users) = (Vec::new(), HashMap::new());
        Ok(Self { graph, notices, opset: self.opset, batch_size: None, folder: self.folder, users })
    }
}

/// How the first axis of the input is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Samples {
    /// Each index along it is a sample.
    FirstAxis,
    /// The whole tensor is one sample.
    Whole,
}

/// Builds the graph of a model. Where samples along the first axis would not be independent, and its size is fixed, the
/// whole input is one sample.
pub(super) fn import(model: &Model<'_>, folder: Option<&Folder>) -> Result<Import> {
    let graph = model.graph.as_ref().ok_or_else(|| Error::usage("not an ONNX model: it has no graph"))?;
    let opset = opset(model, graph)?;
    if model.has_functions || graph.has_sparse {
        return Err(Error::usage("models with local functions or sparse tensors are not supported"));
    }
    let initializers: HashMap<&str, &proto::Tensor<'_>> =
        graph.initializers.iter().map(|t| (t.name.as_str(), t)).collect();
    let input = Input::of(graph, &initializers)?;
    let build = |samples| {
        let shape = input.sample(samples)?;
        let builder = Builder {
            graph: Graph::new(&printable(&graph.name), &printable(input.name), shape)?,
            notices: Vec::new(),
            opset,
            batch_size: input.dims.first().copied().flatten().filter(|_| samples == Samples::FirstAxis),
            folder,
            users: users(graph),
        };
        walk(graph, &initializers, builder, &input, samples)
    };
    match (build(Samples::FirstAxis), input.dims.first()) {
        (Err(first), None | Some(Some(_))) => match build(Samples::Whole) {
            Ok(mut import) => {
                let shape = import.graph.nodes[0].shape.clone();
                let name = printable(input.name);
                import.notices.push(format!("a sample is the whole input `{name}` of shape {shape:?}"));
                Ok(import)
            }
            // The usual reading says more, unless it fails at the input itself.
            Err(whole) => Err(if input.dims.len() < 2 { whole } else { first }),
        },
        (done, _) => done,
    }
}

fn walk<'m>(
    graph: &'m proto::Graph<'m>,
    initializers: &HashMap<&'m str, &'m proto::Tensor<'m>>,
    mut b: Builder<'m>,
    input: &Input<'m>,
    samples: Samples,
) -> Result<Import> {
    let mut env: HashMap<&str, Value> = HashMap::new();
    let batch = (samples == Samples::FirstAxis).then_some(0);
    env.insert(input.name, Value::Node(Tensor { node: 0, rank: input.dims.len(), batch, kind: input.kind }));
    let mut problems = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let place = place(node, index);
        let values = run(&mut b, &env, initializers, node, &place).unwrap_or_else(|why| {
            problems.push(format!("{} `{place}`: {why}", printable(&node.op_type)));
            Vec::new()
        });
        let mut values = values.into_iter();
        for name in node.outputs.iter().filter(|n| !n.is_empty()) {
            let value = values.next().unwrap_or(Value::Lost);
            if env.insert(name, value).is_some() || initializers.contains_key(name.as_str()) {
                problems.push(format!("{} `{place}`: `{}` is defined twice", node.op_type, printable(name)));
            }
        }
    }
    if !problems.is_empty() {
        let (n, s) = (problems.len(), if problems.len() == 1 { "" } else { "s" });
        return Err(Error::usage(format!("{n} unsupported node{s}: {}", problems.join("; "))));
    }
    set_output(&mut b, graph, &env, samples)?;
    Ok(Import { graph: b.graph, notices: b.notices })
}

fn opset(model: &Model<'_>, graph: &proto::Graph<'_>) -> Result<u64> {
    let found = model.opsets.iter().find(|(domain, _)| matches!(domain.as_str(), "" | "ai.onnx"));
    // A model of classic operators alone may do without the main operator set.
    let classic = || graph.nodes.iter().all(|n| n.domain == "ai.onnx.ml").then_some(*OPSETS.end());
    let version = found.map(|(_, v)| *v).or_else(classic);
    let version = version.ok_or_else(|| Error::usage("not an ONNX model: no operator set"))?;
    if !OPSETS.contains(&version) {
        let (low, high) = (OPSETS.start(), OPSETS.end());
        return Err(Error::usage(format!("opset {version} is not supported, only {low} to {high}")));
    }
    Ok(version)
}

/// The one input that is no initializer.
struct Input<'m> {
    name: &'m str,
    kind: Kind,
    /// Its axes; `None` for one whose size is open.
    dims: Vec<Option<i64>>,
}

impl<'m> Input<'m> {
    fn of(graph: &'m proto::Graph<'m>, initializers: &HashMap<&str, &proto::Tensor<'_>>) -> Result<Self> {
        let free: Vec<&proto::ValueInfo> =
            graph.inputs.iter().filter(|i| !initializers.contains_key(i.name.as_str())).collect();
        let [input] = free.as_slice() else {
            let names: Vec<String> = free.iter().map(|i| printable(&i.name)).collect();
            let n = names.len();
            return Err(Error::usage(format!("a model of {n} inputs, only one is supported: {names:?}")));
        };
        let name = printable(&input.name);
        let kind = Kind::of(input.elem_type).ok_or_else(|| {
            Error::usage(format!("input `{name}` has element type {}, not one of numbers", input.elem_type))
        })?;
        let dims = input.dims.clone().ok_or_else(|| Error::usage(format!("input `{name}` has no shape")))?;
        Ok(Self { name: &input.name, kind, dims })
    }

    /// The shape of a sample.
    fn sample(&self, samples: Samples) -> Result<Vec<usize>> {
        let name = printable(self.name);
        let dims = match (samples, self.dims.split_first()) {
            (Samples::FirstAxis, None) => {
                return Err(Error::usage(format!("input `{name}` is a scalar")));
            }
            // A vector of fixed length is a sample.
            (Samples::FirstAxis, Some((Some(_), []))) => {
                return Err(Error::usage(format!("input `{name}` has no axis for the batch")));
            }
            (Samples::FirstAxis, Some((_, rest))) => rest,
            (Samples::Whole, _) => self.dims.as_slice(),
        };
        let size = |d: &Option<i64>| d.and_then(|d| usize::try_from(d).ok());
        let sizes: Option<Vec<usize>> = dims.iter().map(size).collect();
        match sizes {
            Some(sizes) if sizes.contains(&0) => {
                Err(Error::usage(format!("input `{name}` of shape {sizes:?} has no elements")))
            }
            Some(sizes) if sizes.is_empty() => Ok(vec![1]),
            Some(sizes) => Ok(sizes),
            None => Err(Error::usage(format!(
                "input `{name}` has axes of open size besides the batch: {}",
                dims.iter()
                    .map(|d| d.map_or("?".to_owned(), |d| d.to_string()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
        }
    }
}

/// The result: values, an index, or both of one node, of which the values are the result then.
fn set_output(
    b: &mut Builder<'_>,
    graph: &proto::Graph<'_>,
    env: &HashMap<&str, Value>,
    samples: Samples,
) -> Result<()> {
    let mut result: Option<(usize, Decision)> = None;
    for output in &graph.outputs {
        let name = printable(&output.name);
        let (node, decision) = match env.get(output.name.as_str()) {
            Some(Value::Node(x)) => (first_axis(b, *x, &name)?, Decision::Values),
            Some(Value::Squashed(x, squash)) => {
                let more = if squash.sigmoid { ", above 0 where it exceeds 1/2" } else { "" };
                let what = &squash.name;
                b.notices
                    .push(format!("output `{name}` holds the logits: what is left out is a {what}{more}"));
                (first_axis(b, *x, &name)?, Decision::Values)
            }
            Some(Value::Label(node, decision)) => (*node, *decision),
            Some(Value::Constant(k)) if samples == Samples::Whole && k.len() > 0 => {
                b.notices.push(format!("output `{name}` is the same for every sample"));
                let values = k.to_floats().map_err(|e| Error::usage(format!("output `{name}`: {e}")))?;
                let lifted = b.lift("constant", values, k.dims.clone());
                (lifted.map_err(|e| Error::usage(format!("output `{name}`: {e}")))?, Decision::Values)
            }
            Some(_) => {
                return Err(Error::usage(format!("output `{name}` does not depend on the model's input")));
            }
            None => return Err(Error::usage(format!("output `{name}` is computed by no node"))),
        };
        result = match result {
            None => Some((node, decision)),
            Some((other, _)) if other != node => {
                let n = graph.outputs.len();
                return Err(Error::usage(format!(
                    "a model of {n} outputs, only one and its label are supported"
                )));
            }
            Some((_, Decision::Values)) => Some((node, Decision::Values)),
            Some(_) => Some((node, decision)),
        };
    }
    let (node, decision) = result.ok_or_else(|| Error::usage("the model has no output"))?;
    (b.graph.output, b.graph.decision) = (node, decision);
    Ok(())
}

/// Outputs come sample by sample.
fn first_axis(b: &Builder<'_>, x: Tensor, name: &str) -> Result<usize> {
    match x.batch {
        Some(at) if b.sample(x)[..at].iter().any(|&d| d != 1) => {
            Err(Error::usage(format!("output `{name}` has its batch at axis {at}")))
        }
        _ => Ok(x.node),
    }
}

fn users<'m>(graph: &'m proto::Graph<'m>) -> HashMap<&'m str, usize> {
    let mut users: HashMap<&str, usize> = HashMap::new();
    let taken = graph.nodes.iter().flat_map(|n| &n.inputs).chain(graph.outputs.iter().map(|o| &o.name));
    for name in taken {
        *users.entry(name.as_str()).or_default() += 1;
    }
    users
}

fn run<'m>(
    b: &mut Builder<'m>,
    env: &HashMap<&'m str, Value>,
    initializers: &HashMap<&'m str, &'m proto::Tensor<'m>>,
    node: &Node<'m>,
    place: &str,
) -> Result<Vec<Value>, String> {
    if !matches!(node.domain.as_str(), "" | "ai.onnx" | "ai.onnx.ml") {
        return Err(format!("operators of the domain `{}` are not supported", printable(&node.domain)));
    }
    let handler = ops::find(&node.domain, &node.op_type).ok_or("the operator is not supported")?;
    if let Some(a) = node.attributes.iter().find(|a| a.foreign) {
        return Err(format!("attribute `{}` is of a kind that is not supported", printable(&a.name)));
    }
    let mut inputs = Vec::with_capacity(node.inputs.len());
    for name in &node.inputs {
        if name.is_empty() {
            inputs.push(None);
            continue;
        }
        match (env.get(name.as_str()), initializers.get(name.as_str())) {
            // The cause has been reported where it arose.
            (Some(Value::Lost), _) => return Ok(Vec::new()),
            (Some(value), _) => inputs.push(Some(value.clone())),
            (None, Some(t)) => {
                let constant = Constant::decode(t, b.folder);
                let constant = constant.map_err(|why| format!("initializer `{}`: {why}", printable(name)))?;
                inputs.push(Some(Value::constant(constant)));
            }
            (None, None) => {
                return Err(format!("its input `{}` is computed by no earlier node", printable(name)));
            }
        }
    }
    let call = Call::new(node, place, b.folder, inputs);
    let values = match handler(b, &call) {
        Ok(values) => call.all_used().map(|()| values)?,
        Err(why) => fold(b, handler, &call).ok_or(why)?,
    };
    let unsupported = node.outputs.iter().skip(values.len()).find(|o| b.users.contains_key(o.as_str()));
    match unsupported {
        Some(extra) => Err(format!("its output `{}` is not offered, only those before it", printable(extra))),
        None => Ok(values),
    }
}

/// The values of a node whose inputs are all constant, computed as its part of the network would.
fn fold(b: &Builder<'_>, handler: ops::Handler, call: &Call<'_, '_>) -> Option<Vec<Value>> {
    let mut inputs = call.inputs.clone();
    let Some(Some(Value::Constant(first))) = inputs.first().cloned() else { return None };
    if inputs.iter().flatten().any(|v| !matches!(v, Value::Constant(_))) {
        return None;
    }
    let sample = first.to_floats().ok()?;
    let mut aside = b.aside(&first).ok()?;
    let kind = if matches!(first.data, Data::Ints(_)) { Kind::Whole(64) } else { Kind::Real };
    inputs[0] = Some(Value::Node(Tensor { node: 0, rank: first.dims.len(), batch: None, kind }));
    let call = call.with(inputs);
    let values = handler(&mut aside, &call).ok()?;
    call.all_used().ok()?;
    let traced = float::trace(&aside.graph, &sample).ok()?;
    values
        .into_iter()
        .map(|value| match value {
            Value::Node(x) => {
                let dims = aside.sample(x).to_vec();
                Constant::computed(x.kind, dims, traced[x.node].clone()).map(Value::constant)
            }
            Value::Constant(k) => Some(Value::Constant(k)),
            _ => None,
        })
        .collect()
}

/// A node's name, or what identifies it when it has none.
fn place(node: &Node<'_>, index: usize) -> String {
    match (node.name.as_str(), node.outputs.first()) {
        ("", Some(output)) if !output.is_empty() => printable(output),
        ("", _) => format!("node {index}"),
        (name, _) => printable(name),
    }
}

/// A name from a file, fit for one line of a message.
pub(super) fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}
