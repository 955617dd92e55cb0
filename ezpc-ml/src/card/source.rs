//! A card as a program in the language of `secure!`, whose externs are the kernels of [`externs`](crate::externs).

use super::{Card, Scale, Step, StepOp};
use crate::graph::float::{permutation, picks};
use crate::graph::{Decision, Window};
use crate::infer::guard_bits;
use core::fmt::Write;
use ezpc_core::{Error, Result};

/// See [`Card::to_secure`].
pub(super) fn print(card: &Card) -> Result<String> {
    let mut printer = Printer {
        text: String::new(),
        names: Vec::with_capacity(card.steps.len()),
        weights: 0,
        used: Vec::new(),
    };
    for step in &card.steps {
        let name = printer.step(card, step)?;
        printer.names.push(name);
    }
    printer.output(card);
    Ok(printer.program(card))
}

struct Printer {
    /// The statements of `main`.
    text: String,
    /// The array of each step's value.
    names: Vec<String>,
    /// The vendor's constants so far.
    weights: usize,
    /// The kernels that are called.
    used: Vec<&'static str>,
}

impl Printer {
    /// The statements of one step; gives the array of its value.
    fn step(&mut self, card: &Card, step: &Step) -> Result<String> {
        let arg = |k: usize| &card.steps[step.args[k]];
        let x = step.args.first().map_or_else(String::new, |&a| self.names[a].clone());
        let len: usize = step.shape.iter().product();
        let width = step.width.bits();
        match &step.op {
            StepOp::Input => return Ok("x".to_owned()),
            // Another shape of the same flat array; another ring of the same numbers.
            StepOp::Reshape | StepOp::Extend { .. } => return Ok(x),
            StepOp::Check => {
                return Err(Error::usage(
                    "a card with checks opens bits on the way and has no text as a program",
                ));
            }
            _ => {}
        }
        let y = format!("v{}", self.names.len());
        let _ = writeln!(self.text, "\n    // {} {:?}\n    int64_al[{len}] {y};", step.name, step.shape);
        match &step.op {
            StepOp::Conv { window, groups, outputs, scale } => {
                let shape = list(&arg(0).shape);
                let kernels = outputs * (arg(0).shape[0] / groups) * window.kernel[0] * window.kernel[1];
                let at = self.take(kernels + outputs);
                let spec = format!("{shape}, {outputs}, {groups}, {}, {}", windowed(window), scaled(scale));
                self.call("conv2d", &format!("{spec}, {at}, weights, {x}, {y}"));
            }
            StepOp::Dense { outputs, scale } => {
                let (inputs, lead) =
                    arg(0).shape.split_last().expect("a matrix product has at least one axis");
                let at = self.take(inputs * outputs + outputs);
                let rows: usize = lead.iter().product();
                self.call(
                    "dense",
                    &format!("{rows}, {inputs}, {outputs}, {}, {at}, weights, {x}, {y}", scaled(scale)),
                );
            }
            StepOp::Affine { axis, scale } => {
                let (before, n, after) = around(&step.shape, *axis);
                let at = self.take(2 * n);
                // One element a channel: each slice in front of the axis is a sample of its own.
                for slice in 0..before {
                    let (from, to) = (format!("{y}_{slice}_x"), format!("{y}_{slice}_y"));
                    self.copies(&[(slice * n * after, 0, n * after)], &x, &from, Some(n * after));
                    let _ = writeln!(self.text, "    int64_al[{}] {to};", n * after);
                    let window = windowed(&Window::UNIT);
                    let spec = format!("{n}, 1, {after}, {n}, {n}, {window}, {}", scaled(scale));
                    self.call("conv2d", &format!("{spec}, {at}, weights, {from}, {to}"));
                    self.copies(&[(0, slice * n * after, n * after)], &to, &y, None);
                }
            }
            StepOp::Shift { axis } => {
                let at = self.take(step.shape[*axis]);
                self.along(&step.shape, *axis, |i, k| format!("{y}[{i}] = {x}[{i}] + weights[{at} + {k}];"));
            }
            StepOp::Sign { axis } => {
                // A sign is the vendor's -1 or 1.
                let at = self.take(step.shape[*axis]);
                let signs = format!("s{}", self.names.len());
                let n = step.shape[*axis];
                let _ = writeln!(self.text, "    bool_bl[{n}] {signs};");
                self.each(n, &format!("{signs}[i] = weights[{at} + i] < 0;"));
                self.along(&step.shape, *axis, |i, k| {
                    format!("{y}[{i}] = {signs}[{k}] ? 0 - {x}[{i}] : {x}[{i}];")
                });
            }
            StepOp::Negate => self.each(len, &format!("{y}[i] = 0 - {x}[i];")),
            StepOp::Add => {
                let b = self.names[step.args[1]].clone();
                self.each(len, &format!("{y}[i] = {x}[i] + {b}[i];"));
            }
            StepOp::Sub => {
                let b = self.names[step.args[1]].clone();
                self.each(len, &format!("{y}[i] = {x}[i] - {b}[i];"));
            }
            StepOp::Mul { ring, shift } => {
                let b = self.names[step.args[1]].clone();
                self.call("mul", &format!("{}, {shift}, {x}, {b}, {y}", ring.bits()));
            }
            StepOp::Relu { from, drop } => self.call("relu", &format!("{}, {drop}, {x}, {y}", from.bits())),
            StepOp::Step { from } => {
                self.call("step", &format!("{}, {}, {x}, {y}", from.bits(), card.frac_bits));
            }
            StepOp::Clip { from, positive } => {
                let bound = step.bound.bits;
                self.call("clip", &format!("{bound}, {positive}, {}, {x}, {y}", from.bits()));
            }
            StepOp::MaxPool { window, drop } => {
                let shape = list(&arg(0).shape);
                self.call("maxpool", &format!("{shape}, {}, {width}, {drop}, {x}, {y}", windowed(window)));
            }
            StepOp::AvgPool { window, counted, ring, .. } => {
                let (shape, counted) = (list(&arg(0).shape), list(counted));
                let spec = format!("{shape}, {}, {counted}, {}", windowed(window), ring.bits());
                self.call("avgpool", &format!("{spec}, {x}, {y}"));
            }
            StepOp::Concat { axis } => {
                let (outer, _, after) = around(&step.shape, *axis);
                let (mut start, row) = (0, step.shape[*axis] * after);
                for &a in &step.args {
                    let part = card.steps[a].shape[*axis] * after;
                    let runs: Vec<_> = (0..outer).map(|o| (o * part, o * row + start, part)).collect();
                    let from = self.names[a].clone();
                    self.copies(&runs, &from, &y, None);
                    start += part;
                }
            }
            StepOp::Permute(order) => {
                let places = permutation(order, &arg(0).shape).into_iter().map(Some);
                self.copies(&runs(places), &x, &y, None);
            }
            StepOp::Take { axis, indices } => {
                // What is not written stays zero.
                self.copies(&runs(picks(*axis, indices, &arg(0).shape).into_iter()), &x, &y, None);
            }
            StepOp::Input | StepOp::Reshape | StepOp::Extend { .. } | StepOp::Check => {}
        }
        Ok(y)
    }

    /// The places of the vendor's next constants.
    fn take(&mut self, len: usize) -> usize {
        self.weights += len;
        self.weights - len
    }

    fn call(&mut self, kernel: &'static str, args: &str) {
        if !self.used.contains(&kernel) {
            self.used.push(kernel);
        }
        let _ = writeln!(self.text, "    {kernel}({args});");
    }

    fn each(&mut self, len: usize, statement: &str) {
        let _ = writeln!(self.text, "    for i = [0:{len}] {{ {statement} }};");
    }

    /// A statement for every element, given its place and that along the axis.
    fn along(&mut self, shape: &[usize], axis: usize, statement: impl Fn(&str, &str) -> String) {
        let (before, n, after) = around(shape, axis);
        let _ = writeln!(
            self.text,
            "    for o = [0:{before}] {{ for k = [0:{n}] {{ for i = [0:{after}] {{ {} }}; }}; }};",
            statement(&format!("(o * {n} + k) * {after} + i"), "k")
        );
    }

    /// Copies runs of elements: from, to, how many.
    fn copies(&mut self, runs: &[(usize, usize, usize)], from: &str, to: &str, declare: Option<usize>) {
        if let Some(len) = declare {
            let _ = writeln!(self.text, "    int64_al[{len}] {to};");
        }
        for &(start, at, len) in runs {
            self.each(len, &format!("{to}[{at} + i] = {from}[{start} + i];"));
        }
    }

    fn output(&mut self, card: &Card) {
        let (from, last) = (&self.names[card.output], &card.steps[card.output]);
        let len = card.output_len();
        let (from, width, guard) = (from.clone(), last.width.bits(), guard_bits(card));
        self.text.push('\n');
        if card.decision == Decision::ArgMax {
            self.text.push_str("    int64_al[1] result;\n");
            self.call("argmax", &format!("{width}, {from}, result"));
        } else {
            let _ = writeln!(self.text, "    // The bits that tell how layers rounded are dropped.");
            let _ = writeln!(self.text, "    int64_al[{len}] result;");
            self.each(len, &format!("result[i] = {from}[i] >> {guard};"));
        }
        self.text.push_str("    output(CLIENT, result);\n");
    }

    fn program(&self, card: &Card) -> String {
        let mut text =
            format!("// {}: the input and the result have {} fractional bits.\n", card.name, card.frac_bits);
        text.push_str("// The server's weights stand layer by layer, biases behind each.\n\n");
        for kernel in &self.used {
            let (_, params) =
                KERNELS.iter().find(|(name, _)| name == kernel).expect("every kernel is declared");
            let params: Vec<String> = params.replace("WINDOW", WINDOW).split(' ').map(parameter).collect();
            let _ = writeln!(text, "{};", wrapped(&format!("extern void {kernel}("), &params));
        }
        let _ = writeln!(text, "\ndef void main() {{\n    input(CLIENT, x, int64_al[{}]);", card.input_len());
        if self.weights > 0 {
            let _ = writeln!(text, "    input(SERVER, weights, int64_al[{}]);", self.weights);
        }
        text + &self.text + "}\n"
    }
}

/// A parameter of a kernel: an array where its name says so, else a public number.
fn parameter(name: &str) -> String {
    match name {
        "weights" | "x" | "a" | "b" => format!("const int64_al[n] {name}"),
        "y" => "int64_al[n] y".to_owned(),
        "positive" => "bool_pl positive".to_owned(),
        _ => format!("int32_pl {name}"),
    }
}

/// The parameters of each kernel, in the order of its function.
const KERNELS: [(&str, &str); 9] = [
    ("conv2d", "channels height width outputs groups WINDOW ring shift weight_bits at weights x y"),
    ("dense", "rows inputs outputs ring shift weight_bits at weights x y"),
    ("relu", "from drop x y"),
    ("step", "from frac_bits x y"),
    ("clip", "bound positive from x y"),
    ("mul", "ring shift a b y"),
    ("maxpool", "channels height width WINDOW ring drop x y"),
    ("avgpool", "channels height width WINDOW count_top count_left count_bottom count_right ring x y"),
    ("argmax", "ring x y"),
];

const WINDOW: &str = "kernel_height kernel_width stride_down stride_across top left bottom right dilation_down \
                      dilation_across";

/// The parameters behind `head`, in lines of at most 110 columns.
fn wrapped(head: &str, params: &[String]) -> String {
    let (mut text, mut line) = (String::new(), head.to_owned());
    for (i, param) in params.iter().enumerate() {
        let end = if i + 1 == params.len() { ")" } else { "," };
        if line.len() + param.len() + 2 > 110 {
            text.push_str(line.trim_end());
            line = "\n    ".to_owned();
        }
        line.push_str(&format!("{param}{end} "));
    }
    text + line.trim_end()
}

/// Elements in front of an axis, along it, and behind it.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

fn windowed(w: &Window) -> String {
    list(&[&w.kernel[..], &w.stride, &w.padding, &w.dilation].concat())
}

fn scaled(s: &Scale) -> String {
    format!("{}, {}, {}", s.ring.bits(), s.shift, s.weight_bits)
}

/// Where each element comes from, as runs of neighbours: from, to, how many.
fn runs(places: impl Iterator<Item = Option<usize>>) -> Vec<(usize, usize, usize)> {
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (to, from) in places.enumerate().filter_map(|(to, from)| Some((to, from?))) {
        match runs.last_mut() {
            Some((start, at, len)) if *start + *len == from && *at + *len == to => *len += 1,
            _ => runs.push((from, to, 1)),
        }
    }
    runs
}
