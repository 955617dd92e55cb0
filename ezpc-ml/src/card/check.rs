//! Whether a card can run: every shape and ring follows from the operands, and the whole stays within limits.
//! After this check the executor needs none of its own.

use super::{Card, Limits, Origin, Scale, Step, StepOp, identifier};
use crate::graph;
use crate::graph::Window;
use crate::kernels::pool::mean_factors;
use ezpc_core::ring::Width;
use ezpc_core::{Error, Result};

pub(super) fn check(card: &Card, limits: &Limits) -> Result<()> {
    if card.steps.len() > limits.steps {
        return Err(beyond("steps", card.steps.len() as u64, limits.steps as u64));
    }
    if !(1..=30).contains(&card.frac_bits) || card.input_range[0] > card.input_range[1] {
        return Err(bad("its scale or input range makes no sense"));
    }
    if card.name != identifier(&card.name) || card.output >= card.steps.len() {
        return Err(bad("its name or output makes no sense"));
    }
    if card.opens_checks() && !limits.checks {
        return Err(Error::usage("the model card opens a bit for each checked layer, which was not allowed"));
    }
    let (mut products, mut half_rounds, mut gathered) = (0_u64, 0_u64, 0_u64);
    for (i, step) in card.steps.iter().enumerate() {
        let place = |e: Error| e.context(&format!("model card, step {i} `{}`", step.name));
        if step.name != identifier(&step.name) || (step.op == StepOp::Input) != (i == 0) {
            return Err(place(bad("a name or input that makes no sense")));
        }
        if step.args.iter().any(|&a| a >= i) {
            return Err(place(bad("it uses a later value")));
        }
        if step.bound.bits == 0 || step.bound.bits >= step.width.bits().max(2) {
            return Err(place(bad("its bound does not fit its ring")));
        }
        let args: Vec<&Step> = step.args.iter().map(|&a| &card.steps[a]).collect();
        check_step(step, &args).map_err(place)?;
        let size = graph::elements(&step.shape).map_err(place)?;
        if size > limits.elements {
            return Err(place(beyond("elements of one value", size as u64, limits.elements as u64)));
        }
        let own = products_of(step, &args);
        products = products.saturating_add(own);
        if products > limits.products {
            return Err(beyond("products a sample", products, limits.products));
        }
        match &step.op {
            // Each place that a window covers, and its share.
            StepOp::MaxPool { .. } => gathered = gathered.max(own.saturating_mul(2)),
            StepOp::AvgPool { window, counted, shift, .. } => {
                let plane = |s: &Step| [s.shape[1], s.shape[2]];
                if mean_factors(window, *counted, plane(args[0]), plane(step)).1 != *shift {
                    return Err(place(bad("a mean that drops other bits than its windows ask for")));
                }
            }
            _ => {}
        }
        half_rounds += half_rounds_of(step, &args);
    }
    let input = &card.steps[0];
    let reach = 1_i128 << (input.bound.bits);
    let range = card.input_range.map(i128::from);
    if range[0] < -reach || range[1] >= reach || input.bound.origin != Origin::Proved {
        return Err(bad("its input range exceeds the bound of its input"));
    }
    if half_rounds > limits.half_rounds {
        return Err(beyond("half-rounds", half_rounds, limits.half_rounds));
    }
    let memory = (card.live_elements() as u64).saturating_add(gathered).saturating_mul(8);
    if memory > limits.memory_bytes {
        return Err(beyond("bytes a sample", memory, limits.memory_bytes));
    }
    Ok(())
}

fn check_step(step: &Step, args: &[&Step]) -> Result<()> {
    let shapes: Vec<&[usize]> = args.iter().map(|a| a.shape.as_slice()).collect();
    let narrowest = args.iter().map(|a| a.width).min();
    let one = || match args {
        [x] => Ok(*x),
        _ => Err(bad(&format!("{} operands", args.len()))),
    };
    let shape = match &step.op {
        StepOp::Input => {
            if !args.is_empty() {
                return Err(bad("an input with operands"));
            }
            step.shape.clone()
        }
        StepOp::Conv { window, groups, outputs, scale } => {
            let x = one()?;
            let per_in = x.shape.first().map_or(0, |c| c / (*groups).max(1));
            let weights = [*outputs, per_in, window.kernel[0], window.kernel[1]];
            check_scale(scale, step, x)?;
            graph::conv_shape(window, *groups, *outputs, graph::elements(&weights)?, &x.shape)?
        }
        StepOp::Dense { outputs, scale } => {
            let x = one()?;
            check_scale(scale, step, x)?;
            let inner = x.shape.last().copied().unwrap_or(0);
            graph::dense_shape(*outputs, graph::elements(&[inner, *outputs])?, &x.shape)?
        }
        StepOp::Affine { axis, scale } => {
            let x = one()?;
            check_scale(scale, step, x)?;
            check_axis(*axis, x)?;
            x.shape.clone()
        }
        StepOp::Shift { axis } => {
            check_axis(*axis, one()?)?;
            one()?.shape.clone()
        }
        StepOp::Relu { from, drop } => {
            if *from > one()?.width || *from > step.width {
                return Err(bad("a ReLU between rings that do not fit"));
            }
            decides(*from, *drop)?;
            return same(step, &one()?.shape);
        }
        StepOp::Step { from } => {
            if *from > one()?.width {
                return Err(bad("a comparison in a ring that does not fit"));
            }
            return same(step, &one()?.shape);
        }
        StepOp::Clip { from, .. } => {
            // Both bounds are subtracted in the ring of the comparison.
            let fits = step.bound.bits < from.bits() - 1 && from.bits() <= one()?.width.bits();
            if !fits || *from > step.width {
                return Err(bad("a clip between rings that do not fit"));
            }
            return same(step, &one()?.shape);
        }
        StepOp::Check => {
            if step.bound.bits + 1 >= one()?.width.bits() {
                return Err(bad("a check of a bound that leaves no room beyond it"));
            }
            one()?.shape.clone()
        }
        StepOp::Sign { axis } => {
            check_axis(*axis, one()?)?;
            one()?.shape.clone()
        }
        StepOp::Negate => one()?.shape.clone(),
        StepOp::MaxPool { window, drop } => {
            decides(step.width, *drop)?;
            pool(window, [0; 4], one()?)?
        }
        StepOp::AvgPool { window, counted, ring, shift } => {
            check_product(*ring, *shift, step, args)?;
            pool(window, *counted, one()?)?
        }
        StepOp::Add | StepOp::Sub | StepOp::Mul { .. } => {
            if let StepOp::Mul { ring, shift } = &step.op {
                check_product(*ring, *shift, step, args)?;
            }
            match shapes.as_slice() {
                [x, y] if x == y => x.to_vec(),
                _ => return Err(bad("operands of different shapes")),
            }
        }
        StepOp::Concat { axis } => graph::concat_shape(*axis, &shapes)?,
        StepOp::Reshape => {
            if graph::elements(&one()?.shape)? != graph::elements(&step.shape)? {
                return Err(bad("a reshape to another number of elements"));
            }
            step.shape.clone()
        }
        StepOp::Permute(order) => graph::permuted(order, &one()?.shape)?,
        StepOp::Take { axis, indices } => graph::taken(*axis, indices, &one()?.shape)?,
        StepOp::Extend { positive, drop } => {
            if step.width <= one()?.width {
                return Err(bad("an extension to a ring that is not wider"));
            }
            decides(one()?.width, *drop)?;
            if *drop > 0 && !positive {
                return Err(bad("an extension of any values that leaves bits out"));
            }
            // What the ReLU lets through below zero is what the extension has to know of.
            let known = matches!(&one()?.op, StepOp::Relu { drop: passes, .. } if passes == drop);
            if *positive && !known {
                return Err(bad(
                    "an extension of values that are not those of a ReLU that leaves out as many bits",
                ));
            }
            return same(step, &one()?.shape);
        }
    };
    let free = matches!(
        step.op,
        StepOp::Input
            | StepOp::Conv { .. }
            | StepOp::Dense { .. }
            | StepOp::Affine { .. }
            | StepOp::AvgPool { .. }
            | StepOp::Mul { .. }
    );
    if !free && narrowest.is_some_and(|w| step.width > w) {
        return Err(bad("a ring wider than that of an operand"));
    }
    same(step, &shape)
}

fn same(step: &Step, shape: &[usize]) -> Result<()> {
    if step.shape == shape { Ok(()) } else { Err(bad(&format!("shape {:?}, not {shape:?}", step.shape))) }
}

/// A comparison without the lowest bits has the sign and one more.
fn decides(ring: Width, drop: u32) -> Result<()> {
    if drop > 0 && drop.saturating_add(2) > ring.bits() {
        return Err(bad("a comparison without enough bits"));
    }
    Ok(())
}

fn check_axis(axis: usize, x: &Step) -> Result<()> {
    if axis < x.shape.len() { Ok(()) } else { Err(bad(&format!("axis {axis} of {:?}", x.shape))) }
}

fn check_scale(scale: &Scale, step: &Step, x: &Step) -> Result<()> {
    if !(1..=62).contains(&scale.weight_bits) {
        return Err(bad("weights of an impossible size"));
    }
    check_product(scale.ring, scale.shift, step, &[x])
}

/// The product is computed in `ring`, which the operands have, and `shift` bits of it fall away.
fn check_product(ring: Width, shift: u32, step: &Step, args: &[&Step]) -> Result<()> {
    if args.iter().any(|x| x.width < ring) || shift >= ring.bits() || step.width.bits() != ring.bits() - shift
    {
        return Err(bad("rings that do not fit a product"));
    }
    Ok(())
}

fn pool(window: &Window, counted: [usize; 4], x: &Step) -> Result<Vec<usize>> {
    let shape = graph::pool_shape(window, &x.shape)?;
    let within = counted.iter().zip(&window.padding).all(|(c, p)| c <= p);
    if !within || !window.never_empty([x.shape[1], x.shape[2]]) {
        return Err(bad("a window over padding alone"));
    }
    Ok(shape)
}

fn products_of(step: &Step, args: &[&Step]) -> u64 {
    let size = step.shape.iter().map(|&d| d as u64).fold(1, u64::saturating_mul);
    let each = match (&step.op, args) {
        (StepOp::Conv { window, groups, .. }, [x]) => {
            [x.shape[0] / groups, window.kernel[0], window.kernel[1]]
                .iter()
                .map(|&d| d as u64)
                .fold(1, u64::saturating_mul)
        }
        (StepOp::MaxPool { window, .. } | StepOp::AvgPool { window, .. }, _) => {
            window.kernel.iter().map(|&d| d as u64).fold(1, u64::saturating_mul)
        }
        (StepOp::Dense { .. }, [x]) => x.shape.last().map_or(0, |&d| d as u64),
        (StepOp::Affine { .. } | StepOp::Mul { .. }, _) => 1,
        _ => 0,
    };
    size.saturating_mul(each)
}

/// An estimate; the exact number is the back end's to tell: a layer whose messages travel in pieces has more.
fn half_rounds_of(step: &Step, args: &[&Step]) -> u64 {
    let levels = |n: usize| u64::from(n.max(1).next_power_of_two().trailing_zeros());
    match (&step.op, args) {
        (StepOp::Conv { .. } | StepOp::Dense { .. } | StepOp::Affine { .. }, _) => 4,
        (StepOp::Relu { .. } | StepOp::Step { .. } | StepOp::Mul { .. } | StepOp::Extend { .. }, _) => 4,
        (StepOp::MaxPool { window: w, .. }, _) => 4 * (levels(w.kernel[0]) + levels(w.kernel[1])),
        (StepOp::Clip { .. } | StepOp::Sign { .. }, _) => 4,
        (StepOp::Check, _) => 16,
        (StepOp::Shift { .. }, _) => 1,
        _ => 0,
    }
}

fn bad(what: &str) -> Error {
    Error::usage(format!("malformed model card: {what}"))
}

fn beyond(what: &str, have: u64, limit: u64) -> Error {
    Error::usage(format!("the model card asks for {have} {what}, the limit is {limit}"))
}
