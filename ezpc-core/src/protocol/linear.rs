//! Linear layers: a shape, and who knows the weights.

use super::ShareVec;
use crate::error::{Error, Result};
use crate::party::Party;
use crate::secret::Values;
use crate::spec::LinearSpec;
use core::any::Any;
use core::fmt;
use std::sync::{Arc, OnceLock};

/// Who knows the weights of a linear layer.
#[derive(Clone)]
#[allow(clippy::exhaustive_enums, reason = "known to both, to one, or to nobody")]
pub enum Operand<A> {
    /// Both parties know the values.
    Public(Vec<i64>),
    /// One party knows the values, the other only the shape. `values` is `Some` exactly where they are known.
    Private {
        /// Who knows them.
        owner: Party,
        /// The values, at their owner and in a back end that plays both parties.
        values: Option<Values>,
    },
    /// Shared between the parties, in the ring of the layer's input.
    Shared(A),
}

impl<A> Operand<A> {
    /// The values, where they are not shared and known here.
    #[must_use]
    pub fn known(&self) -> Option<&[i64]> {
        match self {
            Self::Public(values) => Some(values),
            Self::Private { values, .. } => values.as_deref(),
            Self::Shared(_) => None,
        }
    }
}

impl<A> fmt::Debug for Operand<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(values) => write!(f, "Public({} values)", values.len()),
            Self::Private { owner, .. } => write!(f, "Private(of the {owner})"),
            Self::Shared(_) => f.write_str("Shared"),
        }
    }
}

/// What a back end has prepared for a layer, kept with it so that the work is done once.
#[derive(Default)]
pub struct Prepared(OnceLock<Box<dyn Any + Send + Sync>>);

impl Prepared {
    /// What was prepared, of the back end's own type `T`, made by `make` at the first call.
    ///
    /// # Panics
    /// When another back end prepared the layer for itself.
    pub fn get_or_init<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> &T {
        let any = self.0.get_or_init(|| Box::new(make()));
        any.downcast_ref().expect("a layer is prepared by one back end")
    }
}

/// A linear layer with its weights, reusable over inputs.
///
/// Cloning shares the weights and what was prepared.
pub struct Linear<A> {
    /// Shape, ring and truncation.
    pub spec: LinearSpec,
    /// The weights, in the order their shape says.
    pub weights: Arc<Operand<A>>,
    /// One bias a row or output channel, at the scale of the product; added before the truncation.
    pub bias: Option<Arc<Operand<A>>>,
    /// What the back end has prepared.
    pub prepared: Arc<Prepared>,
}

impl<A> Clone for Linear<A> {
    fn clone(&self) -> Self {
        Self {
            spec: self.spec,
            weights: Arc::clone(&self.weights),
            bias: self.bias.clone(),
            prepared: Arc::clone(&self.prepared),
        }
    }
}

impl<A> Linear<A> {
    /// A layer; fails when shapes and widths do not fit together or known weights exceed the public bound.
    pub fn new(spec: LinearSpec, weights: Operand<A>, bias: Option<Operand<A>>) -> Result<Self> {
        spec.check()?;
        weights.known().map_or(Ok(()), |values| spec.check_weights(values))?;
        bias.as_ref().and_then(Operand::known).map_or(Ok(()), |values| spec.check_bias(values))?;
        Ok(Self { spec, weights: Arc::new(weights), bias: bias.map(Arc::new), prepared: Arc::default() })
    }

    /// Checks that `x` has the layer's input shape and ring.
    pub fn check_input(&self, x: &impl ShareVec) -> Result<()> {
        if x.width() != self.spec.input || x.len() != self.spec.input_len() {
            return Err(Error::usage(format!(
                "a linear layer over {} elements of {} was given {} of {}",
                self.spec.input_len(),
                self.spec.input,
                x.len(),
                x.width()
            )));
        }
        Ok(())
    }
}
