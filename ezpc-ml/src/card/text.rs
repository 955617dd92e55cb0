//! The text of a card: one line a step. There is one text for each card: what does not encode to itself again is
//! refused, so the hash of the text is the hash of the card.

use super::{Bound, Card, Limits, Origin, Scale, Step, StepOp};
use crate::graph::{Decision, Window};
use core::fmt::Write;
use core::str::FromStr;
use ezpc_core::ring::Width;
use ezpc_core::{Error, Result};

const HEADER: &str = "ezpc-card 1";

pub(super) fn encode(card: &Card) -> String {
    let mut text = format!(
        "{HEADER}\nname {}\nfrac-bits {}\ninput-range {} {}\noutput %{} {}\n",
        card.name,
        card.frac_bits,
        card.input_range[0],
        card.input_range[1],
        card.output,
        match card.decision {
            Decision::Values => "values",
            Decision::ArgMax => "argmax",
            Decision::ArgMaxLast => "argmax-last",
        }
    );
    for (i, step) in card.steps.iter().enumerate() {
        let (op, fields) = operation(&step.op);
        let args: Vec<String> = step.args.iter().map(|a| format!("%{a}")).collect();
        let _ = writeln!(
            text,
            "%{i} {} {op}({}){fields} [{}] width={} bits={} {}",
            step.name,
            args.join(","),
            list(&step.shape),
            step.width.bits(),
            step.bound.bits,
            step.bound.origin
        );
    }
    text
}

pub(super) fn operation(op: &StepOp) -> (&'static str, String) {
    match op {
        StepOp::Input => ("input", String::new()),
        StepOp::Conv { window, groups, outputs, scale } => {
            ("conv", format!("{} groups={groups} outputs={outputs}{}", windows(window), scaled(scale)))
        }
        StepOp::Dense { outputs, scale } => ("dense", format!(" outputs={outputs}{}", scaled(scale))),
        StepOp::Affine { axis, scale } => ("affine", format!(" axis={axis}{}", scaled(scale))),
        StepOp::Shift { axis } => ("shift", format!(" axis={axis}")),
        StepOp::Negate => ("negate", String::new()),
        StepOp::Relu { from, drop } => ("relu", format!(" from={} drop={drop}", from.bits())),
        StepOp::Step { from } => ("step", format!(" from={}", from.bits())),
        StepOp::MaxPool { window, drop } => ("maxpool", format!("{} drop={drop}", windows(window))),
        StepOp::AvgPool { window, counted, ring, shift } => (
            "avgpool",
            format!("{} counted={} ring={} shift={shift}", windows(window), list(counted), ring.bits()),
        ),
        StepOp::Add => ("add", String::new()),
        StepOp::Sub => ("sub", String::new()),
        StepOp::Mul { ring, shift } => ("mul", format!(" ring={} shift={shift}", ring.bits())),
        StepOp::Concat { axis } => ("concat", format!(" axis={axis}")),
        StepOp::Reshape => ("reshape", String::new()),
        StepOp::Permute(order) => ("permute", format!(" order={}", list(order))),
        StepOp::Take { axis, indices } => ("take", format!(" axis={axis} indices={}", runs(indices))),
        StepOp::Extend { positive, drop } => {
            ("extend", format!(" positive={} drop={drop}", u8::from(*positive)))
        }
        StepOp::Sign { axis } => ("sign", format!(" axis={axis}")),
        StepOp::Clip { from, positive } => {
            ("clip", format!(" from={} positive={}", from.bits(), u8::from(*positive)))
        }
        StepOp::Check => ("check", String::new()),
    }
}

fn windows(w: &Window) -> String {
    let (kernel, stride) = (list(&w.kernel), list(&w.stride));
    format!(" kernel={kernel} stride={stride} padding={} dilation={}", list(&w.padding), list(&w.dilation))
}

fn scaled(s: &Scale) -> String {
    format!(" ring={} shift={} weights={}", s.ring.bits(), s.shift, s.weight_bits)
}

fn list(values: &[usize]) -> String {
    values.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Indices as runs: `a..b` counts up to and including b, `a*n` repeats, `-` is a zero.
fn runs(indices: &[Option<usize>]) -> String {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < indices.len() {
        let first = indices[at];
        let same = indices[at..].iter().take_while(|i| **i == first).count();
        let up = first
            .map_or(0, |f| indices[at..].iter().enumerate().take_while(|(k, i)| **i == Some(f + k)).count());
        let (name, last) =
            (first.map_or("-".to_owned(), |f| f.to_string()), first.map_or(0, |f| f + up.max(1) - 1));
        at += if up > 1 {
            parts.push(format!("{name}..{last}"));
            up
        } else {
            parts.push(if same > 1 { format!("{name}*{same}") } else { name });
            same
        };
    }
    parts.join(",")
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Card> {
    if bytes.len() > limits.text_bytes {
        return Err(malformed(&format!("{} bytes of text, the limit is {}", bytes.len(), limits.text_bytes)));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| malformed("text that is not UTF-8"))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(malformed("not a card of version 1"));
    }
    let mut head = |key: &str| {
        let line = lines.next().unwrap_or_default();
        let rest = line.strip_prefix(key).and_then(|r| r.strip_prefix(' '));
        rest.ok_or_else(|| malformed(&format!("no `{key}` where it belongs")))
    };
    let name = head("name")?.to_owned();
    let frac_bits = number(head("frac-bits")?)?;
    let (low, high) =
        head("input-range")?.split_once(' ').ok_or_else(|| malformed("an input range of one end"))?;
    let input_range = [number(low)?, number(high)?];
    let (output, decision) =
        head("output")?.split_once(' ').ok_or_else(|| malformed("an output without decision"))?;
    let decision = match decision {
        "values" => Decision::Values,
        "argmax" => Decision::ArgMax,
        "argmax-last" => Decision::ArgMaxLast,
        _ => return Err(malformed("an unknown decision")),
    };
    let output = value(output)?;
    let mut steps = Vec::new();
    for (i, line) in lines.enumerate() {
        if i >= limits.steps {
            return Err(malformed("more steps than the limit"));
        }
        steps.push(step(line, i, limits).map_err(|e| e.context(&format!("step {i}")))?);
    }
    let card = Card { name, frac_bits, input_range, steps, output, decision };
    if card.steps.is_empty() {
        return Err(malformed("no steps"));
    }
    if encode(&card) != text {
        return Err(malformed("not in canonical form"));
    }
    card.check(limits)?;
    Ok(card)
}

fn step(line: &str, index: usize, limits: &Limits) -> Result<Step> {
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or_else(|| malformed("a line that ends early"));
    if value(word()?)? != index {
        return Err(malformed("steps out of order"));
    }
    let name = word()?.to_owned();
    let (kind, args) =
        word()?.strip_suffix(')').and_then(|c| c.split_once('(')).ok_or_else(|| malformed("no operation"))?;
    let args = args.split(',').filter(|a| !a.is_empty()).map(value).collect::<Result<Vec<_>>>()?;
    let mut fields = Fields(Vec::new());
    let mut shape = None;
    let mut origin = None;
    for word in words {
        if let Some(dims) = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')) {
            shape = Some(numbers(dims)?);
        } else if let Some(pair) = word.split_once('=') {
            fields.0.push(pair);
        } else {
            origin = match word {
                "proved" => Some(Origin::Proved),
                "clipped" => Some(Origin::Clipped),
                "checked" => Some(Origin::Checked),
                "calibrated" => Some(Origin::Calibrated),
                _ => return Err(malformed("an unknown word")),
            };
        }
        if fields.0.len() > 16 {
            return Err(malformed("too many fields"));
        }
    }
    let op = parse(kind, &fields, limits)?;
    Ok(Step {
        name,
        op,
        args,
        shape: shape.ok_or_else(|| malformed("no shape"))?,
        width: fields.width("width")?,
        bound: Bound {
            bits: fields.number("bits")?,
            origin: origin.ok_or_else(|| malformed("no origin of its bound"))?,
        },
    })
}

struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn get(&self, key: &str) -> Result<&'a str> {
        let found = self.0.iter().find(|(k, _)| *k == key);
        found.map(|(_, v)| *v).ok_or_else(|| malformed(&format!("no `{key}`")))
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<T> {
        number(self.get(key)?)
    }

    fn width(&self, key: &str) -> Result<Width> {
        Width::try_new(self.number(key)?).map_err(|_| malformed("an impossible ring"))
    }

    fn array<const N: usize>(&self, key: &str) -> Result<[usize; N]> {
        numbers(self.get(key)?)?.try_into().map_err(|_| malformed(&format!("not {N} numbers in `{key}`")))
    }

    fn window(&self) -> Result<Window> {
        Ok(Window {
            kernel: self.array("kernel")?,
            stride: self.array("stride")?,
            padding: self.array("padding")?,
            dilation: self.array("dilation")?,
        })
    }

    fn scale(&self) -> Result<Scale> {
        Ok(Scale {
            ring: self.width("ring")?,
            shift: self.number("shift")?,
            weight_bits: self.number("weights")?,
        })
    }
}

fn parse(kind: &str, f: &Fields<'_>, limits: &Limits) -> Result<StepOp> {
    Ok(match kind {
        "input" => StepOp::Input,
        "conv" => StepOp::Conv {
            window: f.window()?,
            groups: f.number("groups")?,
            outputs: f.number("outputs")?,
            scale: f.scale()?,
        },
        "dense" => StepOp::Dense { outputs: f.number("outputs")?, scale: f.scale()? },
        "affine" => StepOp::Affine { axis: f.number("axis")?, scale: f.scale()? },
        "shift" => StepOp::Shift { axis: f.number("axis")? },
        "negate" => StepOp::Negate,
        "relu" => StepOp::Relu { from: f.width("from")?, drop: f.number("drop")? },
        "step" => StepOp::Step { from: f.width("from")? },
        "maxpool" => StepOp::MaxPool { window: f.window()?, drop: f.number("drop")? },
        "avgpool" => StepOp::AvgPool {
            window: f.window()?,
            counted: f.array("counted")?,
            ring: f.width("ring")?,
            shift: f.number("shift")?,
        },
        "add" => StepOp::Add,
        "sub" => StepOp::Sub,
        "mul" => StepOp::Mul { ring: f.width("ring")?, shift: f.number("shift")? },
        "concat" => StepOp::Concat { axis: f.number("axis")? },
        "reshape" => StepOp::Reshape,
        "permute" => StepOp::Permute(numbers(f.get("order")?)?),
        "take" => {
            StepOp::Take { axis: f.number("axis")?, indices: indices(f.get("indices")?, limits.elements)? }
        }
        "extend" => StepOp::Extend { positive: f.number::<u8>("positive")? == 1, drop: f.number("drop")? },
        "sign" => StepOp::Sign { axis: f.number("axis")? },
        "clip" => StepOp::Clip { from: f.width("from")?, positive: f.number::<u8>("positive")? == 1 },
        "check" => StepOp::Check,
        _ => return Err(malformed("an unknown operation")),
    })
}

fn indices(text: &str, limit: usize) -> Result<Vec<Option<usize>>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        let (start, len, up) = if let Some((a, b)) = part.split_once("..") {
            let (a, b): (usize, usize) = (number(a)?, number(b)?);
            (
                Some(a),
                b.checked_sub(a)
                    .and_then(|d| d.checked_add(1))
                    .ok_or_else(|| malformed("a run backwards"))?,
                1,
            )
        } else {
            let (a, n) =
                part.split_once('*').map_or(Ok((part, 1)), |(a, n)| Ok::<_, Error>((a, number(n)?)))?;
            (if a == "-" { None } else { Some(number(a)?) }, n, 0)
        };
        if len > limit - all.len() {
            return Err(malformed("more indices than the limit"));
        }
        all.extend((0..len).map(|k| start.map(|s: usize| s + up * k)));
    }
    Ok(all)
}

fn numbers(text: &str) -> Result<Vec<usize>> {
    text.split(',').map(number).collect()
}

fn value(text: &str) -> Result<usize> {
    number(text.strip_prefix('%').ok_or_else(|| malformed("no value where one belongs"))?)
}

fn number<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| malformed("no number where one belongs"))
}

fn malformed(what: &str) -> Error {
    Error::usage(format!("malformed model card: {what}"))
}
