//! What generated code may name. No part of the public interface.

pub use crate::error::{Error, Result};
pub use crate::party::Party;
pub use crate::program::io::{
    Emitted, Nested, at_line, every, input, input_array, known, next_of, only, public_input, reveal_now,
    reveal_to,
};
pub use crate::program::{
    Array, Fix, Fold, Index, Label, Opening, Program, PublicInt, Rule, Scalar, Shared, array_size,
    loop_range, shift_amount,
};
pub use crate::protocol::{Protocol, Reveal, Site};
