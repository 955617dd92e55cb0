//! Kernels in progress.

use crate::tensor::Tensor;
use ezpc_core::protocol::{Op, Val};
use ezpc_core::{Protocol, Result};

/// What a kernel does with the result of an operation it waited for.
pub type Then<'k, P> =
    Box<dyn FnOnce(&P, Val<<P as Protocol>::Arith, <P as Protocol>::Bool>) -> Result<Stage<'k, P>> + 'k>;

/// A kernel in progress.
#[allow(clippy::exhaustive_enums, reason = "a kernel is done or waits for one operation")]
pub enum Stage<'k, P: Protocol> {
    /// The value of the layer.
    Done(Tensor<P::Arith>),
    /// An interactive operation, and what its result leads to.
    Ask(Op<P::Arith, P::Bool>, Then<'k, P>),
}

impl<'k, P: Protocol> Stage<'k, P> {
    /// Asks for one operation with an arithmetic result.
    pub fn arith(op: Op<P::Arith, P::Bool>, then: impl FnOnce(&P, P::Arith) -> Result<Self> + 'k) -> Self {
        Self::Ask(op, Box::new(move |p, value| then(p, value.into_arith())))
    }

    /// Asks for one operation with a Boolean result.
    pub fn boolean(op: Op<P::Arith, P::Bool>, then: impl FnOnce(&P, P::Bool) -> Result<Self> + 'k) -> Self {
        Self::Ask(op, Box::new(move |p, value| then(p, value.into_bool())))
    }

    /// Asks for one operation, whose result is the value: a tensor of the shape of `like`.
    pub fn last<V: ezpc_core::protocol::ShareVec>(op: Op<P::Arith, P::Bool>, like: &Tensor<V>) -> Self {
        let (batch, shape) = (like.batch(), like.shape().to_vec());
        Self::arith(op, move |_, y| Ok(Self::Done(Tensor::new(batch, &shape, y)?)))
    }

    /// Runs the kernel alone to its end.
    pub fn finish(self, p: &mut P) -> Result<Tensor<P::Arith>> {
        let mut stage = self;
        loop {
            match stage {
                Self::Done(value) => return Ok(value),
                Self::Ask(op, then) => {
                    let value = p.together(core::slice::from_ref(&op))?.remove(0);
                    stage = then(p, value)?;
                }
            }
        }
    }
}
