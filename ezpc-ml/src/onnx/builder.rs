//! Walks the nodes of a model and builds the graph, collecting every reason why a node cannot be imported.

use super::call::Call;
use super::constant::Constant;
use super::proto::{Graph as OnnxGraph, Model, Node};
use super::{Import, OPSETS, ops};
use crate::graph::{Decision, Graph, Op};
use ezpc_core::{Error, Result};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// What a name of the model stands for.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Known to the vendor alone, before anything runs.
    Constant(Rc<Constant>),
    /// Depends on the sample: a node of the graph.
    Node(usize),
    /// A softmax or sigmoid of a node, which is left out: it keeps the order of the values.
    Squashed { node: usize, sigmoid: bool },
    /// The index of the largest value of a node.
    Label(usize),
    /// Its node could not be imported, or is an output that is not offered.
    Lost,
}

impl Value {
    pub(super) fn constant(c: Constant) -> Self {
        Self::Constant(Rc::new(c))
    }
}

/// The graph under construction.
pub(super) struct Builder<'a> {
    pub(super) graph: Graph,
    pub(super) notices: Vec<String>,
    pub(super) opset: u64,
    /// For every name the operators that take it; an empty string for an output of the model.
    users: HashMap<&'a str, Vec<&'a str>>,
}

impl Builder<'_> {
    pub(super) fn push(&mut self, name: &str, op: Op, inputs: &[usize]) -> Result<usize, String> {
        self.graph.push(name, op, inputs).map_err(|e| e.to_string())
    }

    pub(super) fn shape(&self, node: usize) -> &[usize] {
        &self.graph.nodes[node].shape
    }
}

pub(super) fn import(model: &Model<'_>) -> Result<Import> {
    let graph = model.graph.as_ref().ok_or_else(|| Error::usage("not an ONNX model: it has no graph"))?;
    let opset = opset(model)?;
    if model.has_functions || graph.has_sparse {
        return Err(Error::usage("models with local functions or sparse tensors are not supported"));
    }
    let mut env: HashMap<&str, Value> = HashMap::new();
    for t in &graph.initializers {
        let constant = Constant::decode(t)
            .map_err(|why| Error::usage(format!("initializer `{}`: {why}", printable(t.name))))?;
        env.insert(t.name, Value::constant(constant));
    }
    let (input, shape) = input(graph, &env)?;
    env.insert(input, Value::Node(0));
    let mut builder = Builder {
        graph: Graph::new(&printable(graph.name), &printable(input), shape)?,
        notices: Vec::new(),
        opset,
        users: users(graph),
    };
    let mut problems = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let place = place(node, index);
        let values = run(&mut builder, &env, node, &place).unwrap_or_else(|why| {
            problems.push(format!("{} `{place}`: {why}", printable(node.op_type)));
            Vec::new()
        });
        let mut values = values.into_iter();
        for name in node.outputs.iter().filter(|n| !n.is_empty()) {
            let value = values.next().unwrap_or(Value::Lost);
            if env.insert(name, value).is_some() {
                problems.push(format!("{} `{place}`: `{}` is defined twice", node.op_type, printable(name)));
            }
        }
    }
    if !problems.is_empty() {
        let (n, s) = (problems.len(), if problems.len() == 1 { "" } else { "s" });
        return Err(Error::usage(format!("{n} unsupported node{s}: {}", problems.join("; "))));
    }
    set_output(&mut builder, graph, &env)?;
    Ok(Import { graph: builder.graph, notices: builder.notices })
}

fn opset(model: &Model<'_>) -> Result<u64> {
    let found = model.opsets.iter().find(|(domain, _)| matches!(*domain, "" | "ai.onnx"));
    let version = found.map(|(_, v)| *v).ok_or_else(|| Error::usage("not an ONNX model: no operator set"))?;
    if !OPSETS.contains(&version) {
        let (low, high) = (OPSETS.start(), OPSETS.end());
        return Err(Error::usage(format!("opset {version} is not supported, only {low} to {high}")));
    }
    Ok(version)
}

/// The one input that is no initializer, and its shape without the batch.
fn input<'a>(graph: &OnnxGraph<'a>, env: &HashMap<&str, Value>) -> Result<(&'a str, Vec<usize>)> {
    let mut free = graph.inputs.iter().filter(|i| !env.contains_key(i.name));
    let (Some(input), None) = (free.next(), free.next()) else {
        let names: Vec<String> =
            graph.inputs.iter().filter(|i| !env.contains_key(i.name)).map(|i| printable(i.name)).collect();
        return Err(Error::usage(format!(
            "a model of {} inputs, only one is supported: {names:?}",
            names.len()
        )));
    };
    let name = printable(input.name);
    if !matches!(input.elem_type, 1 | 10 | 11) {
        return Err(Error::usage(format!("input `{name}` has element type {}, not float", input.elem_type)));
    }
    let dims = input.dims.as_ref().ok_or_else(|| Error::usage(format!("input `{name}` has no shape")))?;
    let Some((_, sample)) = dims.split_first() else {
        return Err(Error::usage(format!("input `{name}` is a scalar")));
    };
    let shape = sample
        .iter()
        .map(|d| d.and_then(|d| usize::try_from(d).ok()).filter(|&d| d > 0))
        .collect::<Option<Vec<usize>>>()
        .filter(|s| !s.is_empty())
        .ok_or_else(|| {
            Error::usage(format!("input `{name}` has unknown dimensions besides the batch: {dims:?}"))
        })?;
    Ok((input.name, shape))
}

/// The result: values, an index, or both of one node, of which the values are the result then.
fn set_output(b: &mut Builder<'_>, graph: &OnnxGraph<'_>, env: &HashMap<&str, Value>) -> Result<()> {
    let mut result: Option<(usize, Decision)> = None;
    for output in &graph.outputs {
        let name = printable(output.name);
        let (node, decision) = match env.get(output.name) {
            Some(Value::Node(node)) => (*node, Decision::Values),
            Some(Value::Squashed { node, sigmoid }) => {
                let what = if *sigmoid { "sigmoid, above 0 where it exceeds 1/2" } else { "softmax" };
                b.notices.push(format!("output `{name}` holds the logits: what is left out is a {what}"));
                (*node, Decision::Values)
            }
            Some(Value::Label(node)) => (*node, Decision::ArgMax),
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
            Some((_, Decision::ArgMax)) => Some((node, decision)),
            Some(values) => Some(values),
        };
    }
    let (node, decision) = result.ok_or_else(|| Error::usage("the model has no output"))?;
    (b.graph.output, b.graph.decision) = (node, decision);
    Ok(())
}

fn users<'a>(graph: &OnnxGraph<'a>) -> HashMap<&'a str, Vec<&'a str>> {
    let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
    for node in &graph.nodes {
        for name in &node.inputs {
            users.entry(name).or_default().push(node.op_type);
        }
    }
    for output in &graph.outputs {
        users.entry(output.name).or_default().push("");
    }
    users
}

fn run<'a>(
    builder: &mut Builder<'a>,
    env: &HashMap<&'a str, Value>,
    node: &Node<'a>,
    place: &str,
) -> Result<Vec<Value>, String> {
    if !matches!(node.domain, "" | "ai.onnx" | "ai.onnx.ml") {
        return Err(format!("operators of the domain `{}` are not supported", printable(node.domain)));
    }
    let handler = ops::find(node.domain, node.op_type).ok_or("the operator is not supported")?;
    if let Some(a) = node.attributes.iter().find(|a| a.foreign) {
        return Err(format!("attribute `{}` is of a kind that is not supported", printable(a.name)));
    }
    let mut inputs = Vec::with_capacity(node.inputs.len());
    for name in &node.inputs {
        if name.is_empty() {
            inputs.push(None);
            continue;
        }
        match env.get(name) {
            // The cause has been reported where it arose.
            Some(Value::Lost) => return Ok(Vec::new()),
            Some(value) => inputs.push(Some(value.clone())),
            None => return Err(format!("its input `{}` is computed by no earlier node", printable(name))),
        }
    }
    let call = Call::new(node, place, inputs);
    let values = handler(builder, &call)?;
    call.all_used()?;
    let wanted: HashSet<&str> = node.outputs.iter().skip(values.len()).copied().collect();
    if let Some(extra) = wanted.iter().find(|o| builder.users.contains_key(**o)) {
        return Err(format!("its output `{}` is not supported", printable(extra)));
    }
    Ok(values)
}

/// A node's name, or what identifies it when it has none.
fn place(node: &Node<'_>, index: usize) -> String {
    match (node.name, node.outputs.first()) {
        ("", Some(output)) if !output.is_empty() => printable(output),
        ("", _) => format!("node {index}"),
        (name, _) => printable(name),
    }
}

/// A name from a file, fit for one line of a message.
pub(super) fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}
