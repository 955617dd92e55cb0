//! Byte streams between the parties, and protocol machines that run over them.

pub mod cost;
pub mod machine;
