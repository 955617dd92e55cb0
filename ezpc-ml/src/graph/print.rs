//! The text of a graph, without weights: for people who look at what passes do.

use super::{Graph, Op, Window};
use core::fmt;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, node) in self.nodes.iter().enumerate() {
            let inputs: Vec<String> = node.inputs.iter().map(|i| format!("%{i}")).collect();
            write!(f, "%{i} {} {}({})", node.name, node.op.name(), inputs.join(","))?;
            match &node.op {
                Op::Conv { window, groups, bias, .. } => {
                    write!(f, "{window} groups={groups} outputs={}", bias.len())
                }
                Op::Dense { bias, .. } => write!(f, " outputs={}", bias.len()),
                Op::Affine { axis, .. } | Op::Sign { axis, .. } | Op::Concat { axis } => {
                    write!(f, " axis={axis}")
                }
                Op::MaxPool(window) => write!(f, "{window}"),
                Op::AvgPool { window, counted } => write!(f, "{window} counted={counted:?}"),
                Op::Permute(order) => write!(f, " order={order:?}"),
                Op::Take { axis, indices } => write!(f, " axis={axis} indices={}", indices.len()),
                _ => Ok(()),
            }?;
            writeln!(f, " {:?}", node.shape)?;
        }
        writeln!(f, "output %{}", self.output)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel: [kh, kw], stride: [sh, sw], padding, dilation: [dh, dw] } = self;
        write!(f, " kernel={kh}x{kw} stride={sh}x{sw} padding={padding:?} dilation={dh}x{dw}")
    }
}
